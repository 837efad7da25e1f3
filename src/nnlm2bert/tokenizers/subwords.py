"""Words in pieces, by a tokenizer of the library `tokenizers`, whatever its method.

Sentences are given as words and running text as `corpora.running.RunningText`, so that it stays
known which pieces are whose, and each word need be cut only once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from tokenizers import Tokenizer

from nnlm2bert.errors import UserError
from nnlm2bert.files import whole_file

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText

_ONE_SEQUENCE = 10_000  # occurrences of a word that are handed to the library at once


def spellable(counts: Mapping[str, int], min_count: int) -> tuple[list[str], dict[str, int]]:
    """Return the characters seen at least ``min_count`` times, and the words made of them alone.

    Raises:
        ValueError: if a word holds white space.
    """
    seen: Counter[str] = Counter()
    for word, count in counts.items():
        if word.split() != [word]:
            raise ValueError(f"{word!r} is not one word: split the text before counting")
        for character in word:
            seen[character] += count
    characters = [character for character, count in seen.items() if count >= min_count]
    known = frozenset(characters)
    return characters, {word: n for word, n in counts.items() if known.issuperset(word)}


def first_tokens(
    vocabulary_size: int, special: Sequence[str], characters: Sequence[str], spelled: str
) -> list[str]:
    """Return the tokens that a vocabulary begins with: special ones, and those of characters.

    Raises:
        ValueError: if there is no room for all; ``spelled`` is what characters are called then.
    """
    first = [*special, *characters]
    if vocabulary_size < len(first):
        raise ValueError(
            f"vocabulary_size={vocabulary_size:,} leaves no room for {spelled}, and "
            f"{len(special)} special tokens; ask for {len(first)} at least, or raise "
            "min_character_count"
        )
    return first


def occurrences(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield texts that hold each word as often as it was seen: the library counts by itself."""
    for word, count in counts.items():
        for done in range(0, count, _ONE_SEQUENCE):
            yield f"{word} " * min(_ONE_SEQUENCE, count - done)


def basic_words(tokenizer: Tokenizer, word: str) -> list[str]:
    """Return what a tokenizer makes of a word before it cuts: the word, if it changes no text.

    One with a normalizer, as BERT's, may take a word apart ("n't" is "n", "'", "t"), change it, or
    leave nothing of it.
    """
    if tokenizer.normalizer is None:
        return [word]
    plain = tokenizer.normalizer.normalize_str(word)
    return [part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain)]


class SubwordEncoder:
    """The tokens of sentences that are given as words; each word is split once and remembered.

    A word is always spelled: one that looks like a special token, as ``<e>``, does not become it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def word(self, word: str) -> list[int]:
        """Return the ids of one word, at least one: of the word "" it is the unknown token."""
        ids = self._known.get(word)
        if ids is None:
            model = self.tokenizer.model
            parts = basic_words(self.tokenizer, word)
            ids = [token.id for part in parts for token in model.tokenize(part)]
            ids = ids or [self.tokenizer.token_to_id(model.unk_token)]
            self._known[word] = ids
        return ids

    def encode(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the ids of W words, and W + 1 borders.

        Word i is ``ids[borders[i]:borders[i + 1]]``: its first token, where a model of both sides
        is read, stands at ``borders[i]``; its last, where a causal one is, at
        ``borders[i + 1] - 1``.
        """
        ids: list[int] = []
        borders = [0]
        for word in words:
            ids += self.word(word)
            borders.append(len(ids))
        return ids, borders


def encode_words(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """As `SubwordEncoder.encode`, for a single sentence."""
    return SubwordEncoder(tokenizer).encode(words)


@dataclass(frozen=True)
class TokenStream:
    """Running text as T tokens, one that ends it after each document.

    ``ids`` (T,) int32; ``starts`` (D,) int64 is the place of the first token of each document;
    ``words`` counts the words the tokens were made of, without the D ends, so that a loss can be
    told by the word. ``sentences`` (S,) int64 is the place of the first token of each sentence, or
    None where that was not kept.
    """

    ids: np.ndarray
    starts: np.ndarray
    words: int
    tokenizer: Tokenizer
    sentences: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids."""
        size = self.tokenizer.get_vocab_size()
        return [self.tokenizer.id_to_token(number) for number in range(size)]


def encode_text(tokenizer: Tokenizer, text: RunningText, end: str) -> TokenStream:
    """Return the tokens of running text, ``end`` after each document; each type is split once.

    Raises:
        ValueError: if the tokenizer has no token ``end``.
    """
    end_id = tokenizer.token_to_id(end)
    if end_id is None:
        raise ValueError(f"the tokenizer has no token {end!r} to end documents with")
    encoder = SubwordEncoder(tokenizer)
    pieces = [*map(encoder.word, text.types), [end_id]]  # the end is the type after the last
    borders = np.flatnonzero(np.diff(text.documents, append=-1)) + 1
    types = np.insert(text.ids, borders, len(text.types))
    ids, first = _expand(types, pieces)

    def places(words: np.ndarray) -> np.ndarray:
        """Where words, by their number in the text, begin: an end precedes for each document."""
        return first[words + np.searchsorted(borders, words, side="right")]

    sentences = np.flatnonzero(np.diff(text.sentences, prepend=-1))
    starts = np.append(0, borders[:-1])
    return TokenStream(ids, places(starts), len(text), tokenizer, places(sentences))


def _expand(types: np.ndarray, pieces: Sequence[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Ids (T,) of the pieces of each of ``types`` (W,), and (W,) the place of its first."""
    flat = np.fromiter(chain.from_iterable(pieces), dtype=np.int32)
    sizes = np.array([len(each) for each in pieces])
    lengths = sizes[types]
    first = lengths.cumsum() - lengths
    places = np.arange(lengths.sum())
    places += ((sizes.cumsum() - sizes)[types] - first).repeat(lengths)
    return flat[places], first


def token_file(path: Path) -> AbstractContextManager[BinaryIO]:
    """Open a file that keeps tokens or what makes them, to be written as `files.whole_file`."""
    return whole_file(
        path,
        f"The tokens could not be kept in {path}",
        "Make room there or name another folder, then start the same command again.",
    )


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write a tokenizer in the library's form, whole or not at all; read by `load_tokenizer`.

    Named ``tokenizer.json``, it is what transformers looks for in the folder of a model. Raises
    `UserError` if the folder cannot be written to or is full.
    """
    with token_file(path) as file:
        file.write(tokenizer.to_str().encode("utf-8"))


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer from a file in the library's form.

    Raises:
        UserError: if there is no such file, or another thing is in it.
    """
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library knows no other kind
        raise UserError(
            f"No tokenizer can be read from {path} ({error}). Save it there with save_tokenizer, "
            "or name the tokenizer.json of a model."
        ) from error
