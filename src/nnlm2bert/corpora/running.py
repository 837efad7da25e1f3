"""The running text that every stage of the book is pre-trained on, as one array of words.

Five sets, brought to one convention (``corpora.words``), so that *man's* of Brown, *man 's* of
WikiText-2 and *man's* of a book are the same two words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.running_sets import HELD_OUT_SETS, SETS, Document, RunningSet
from nnlm2bert.corpora.words import UNKNOWN, sentence_starts

if TYPE_CHECKING:
    import numpy as np

RUNNING_TEXT = tuple(SETS)
HELD_OUT_TEXT = tuple(HELD_OUT_SETS)


@dataclass(frozen=True)
class RunningText:
    """Words in running order; T words of V types.

    ``ids`` (T,) int32 index ``types``, which fall in frequency (equal ones by alphabet);
    ``counts`` (V,) int64. ``sentences`` (T,) int32 is the number of the sentence of each word in
    the whole text, ``documents`` (T,) int32 that of its document, which indexes ``names``
    ("brown/ca01"); neither ever falls, and no sentence is in two documents.
    """

    ids: np.ndarray
    types: list[str]
    counts: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def limit(self, min_count: int) -> RunningText:
        """The text without the words seen fewer than ``min_count`` times.

        They are taken out of the stream, so that their neighbours become neighbours (Mikolov et
        al., 2013, as word2vec.c does). Sentences and documents keep their numbers; one of only
        rare words has none left.
        """
        kept = int((self.counts >= min_count).sum())
        common = self.ids < kept
        return replace(
            self,
            ids=self.ids[common],
            types=self.types[:kept],
            counts=self.counts[:kept],
            sentences=self.sentences[common],
            documents=self.documents[common],
        )

    def words_per_set(self) -> dict[str, int]:
        """How many of the words each set has, in the order of the text."""
        import numpy as np

        sizes = np.bincount(self.documents, minlength=len(self.names)).tolist()
        pairs = zip(self.names, sizes, strict=True)
        by_set = groupby(pairs, key=lambda pair: pair[0].partition("/")[0])
        return {name: sum(size for _, size in group) for name, group in by_set}


def load_running_text(sets: Sequence[str] = RUNNING_TEXT, lower: bool = True) -> RunningText:
    """The sets of ``sets``, in that order, each document after the other.

    Only the training split of WikiText-2 and of books: what is left stays unseen. ``lower`` makes
    all words lower-case (movie-reviews was published so). WikiText-2: its ``@-@``, ``@,@`` and
    ``@.@`` are joined to the words they were cut from, a heading is a sentence without its ``=``,
    and ``<unk>`` is taken out, as ``limit`` takes out rare words. Sentences are those published
    (Brown, movie-reviews: its lines) or found by ``words.sentence_starts``. The full five are 25
    million words; reading them takes about half a minute and 1.5 GB.
    Raises ``CorpusError`` for a set that is not in ``RUNNING_TEXT``, and as ``fetch`` does.
    """
    strange = [name for name in sets if name not in RUNNING_TEXT]
    if strange or not sets:
        raise CorpusError(
            f"No running text is called {', '.join(map(repr, strange)) or 'nothing'}; "
            f"choose from {', '.join(RUNNING_TEXT)}."
        )
    return _join([_read(SETS[name]) for name in sets], lower)


def load_held_out(name: str, lower: bool = True) -> RunningText:
    """The validation split of a set of ``HELD_OUT_TEXT``, to the same convention.

    Raises ``CorpusError`` for another set, and as ``fetch`` does.
    """
    if name not in HELD_OUT_SETS:
        raise CorpusError(
            f"Nothing of {name!r} is held out; choose from {', '.join(HELD_OUT_TEXT)}."
        )
    return _join([_read(HELD_OUT_SETS[name])], lower)


@dataclass(frozen=True)
class _Part:
    """One set: words as ``ids`` of ``types``, case kept; sentences and documents from 0."""

    ids: np.ndarray
    types: list[str]
    sentences: np.ndarray
    documents: np.ndarray
    names: list[str]


def _read(source: RunningSet) -> _Part:
    pieces, piece_types, blocks, block_documents, names = _pieces(source.documents())
    ids, types, lengths = _split_types(pieces, piece_types, source.split)
    blocks = blocks.repeat(lengths)
    if source.blocks_are_sentences:
        sentences = blocks
    else:
        sentences = sentence_starts(ids, types, blocks).cumsum(dtype="int32") - 1
    known = ids != types.index(UNKNOWN) if UNKNOWN in types else slice(None)
    documents = block_documents[blocks]
    return _Part(ids[known], types, sentences[known], documents[known], names)


def _pieces(
    documents: Iterable[Document],
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray, list[str]]:
    """Ids (P,) of the pieces, their types, block (P,) of each, document (B,) of each block."""
    import numpy as np

    index: defaultdict[str, int] = defaultdict()
    index.default_factory = index.__len__
    ids, sizes, blocks_per_document, names = [], [], [], []
    for name, blocks in documents:
        names.append(name)
        blocks_per_document.append(len(blocks))
        sizes += map(len, blocks)
        found = map(index.__getitem__, chain.from_iterable(blocks))
        ids.append(np.fromiter(found, dtype=np.int32))
    blocks = np.arange(len(sizes), dtype=np.int32).repeat(sizes)
    documents = np.arange(len(names), dtype=np.int32).repeat(blocks_per_document)
    return np.concatenate(ids), list(index), blocks, documents, names


def _split_types(
    pieces: np.ndarray, piece_types: Sequence[str], split: Callable[[str], list[str]]
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Each type of piece is split once: ids (T,) of words, their types, words (P,) per piece."""
    import numpy as np

    words = [split(piece) for piece in piece_types]
    index = {word: i for i, word in enumerate(dict.fromkeys(chain.from_iterable(words)))}
    flat = np.array([index[word] for word in chain.from_iterable(words)], dtype=np.int32)
    sizes = np.array([len(each) for each in words])
    first = sizes.cumsum() - sizes
    lengths = sizes[pieces]
    within = np.arange(lengths.sum()) - (lengths.cumsum() - lengths).repeat(lengths)
    return flat[first[pieces].repeat(lengths) + within], list(index), lengths


def _join(parts: Sequence[_Part], lower: bool) -> RunningText:
    import numpy as np

    index: dict[str, int] = {}
    streams, sentences, documents, names = [], [], [], []
    next_sentence = 0
    for part in parts:
        types = [word.lower() for word in part.types] if lower else part.types
        table = np.array([index.setdefault(word, len(index)) for word in types], dtype=np.int32)
        streams.append(table[part.ids])
        sentences.append(part.sentences + np.int32(next_sentence))
        next_sentence += int(part.sentences[-1]) + 1
        documents.append(part.documents + np.int32(len(names)))
        names += part.names
    ids, types, counts = _by_frequency(np.concatenate(streams), list(index))
    return RunningText(
        ids, types, counts, np.concatenate(sentences), np.concatenate(documents), tuple(names)
    )


def _by_frequency(ids: np.ndarray, types: list[str]) -> tuple[np.ndarray, list[str], np.ndarray]:
    import numpy as np

    counts = np.bincount(ids, minlength=len(types))
    seen = [i for i in range(len(types)) if counts[i]]
    order = sorted(seen, key=lambda i: (-counts[i], types[i]))
    rank = np.zeros(len(types), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[ids], [types[i] for i in order], counts[order].astype(np.int64)
