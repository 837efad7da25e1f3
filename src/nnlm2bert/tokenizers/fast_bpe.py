"""Byte-pair encoding of real text, by the library `tokenizers`.

The word-level encoding of Sennrich, Haddow and Birch (2016, section 3.2), with which GPT (Radford
et al., 2018, section 4.1) was pre-trained: a word is its characters, the last of them marked by
`END_OF_WORD`; the pair of neighbours seen most often becomes one new token, again and again, and no
token reaches across two words. What the library does is taught, and done again, in
`nnlm2bert.tokenizers.bpe`.

Words are what `corpora.words` makes of a text, in lower case, as those of the published GPT are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from nnlm2bert.tokenizers.bpe import END_OF_WORD, alphabet
from nnlm2bert.tokenizers.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText

PADDING, START, END, DELIMITER = "<pad>", "<s>", "<e>", "<$>"
SPECIAL = (PADDING, UNKNOWN, START, END, DELIMITER)
"""The tokens that no word is made of: ids 0 to 4.

`START`, `END` (GPT's *extract*, at which a task is read; here it also ends a document) and
`DELIMITER` (between two sentences) are those of Radford et al. (2018), section 3.3.
"""
PADDING_ID, UNKNOWN_ID, START_ID, END_ID, DELIMITER_ID = range(5)
_ONE_SEQUENCE = 10_000  # occurrences of a word that are handed to the library at once


def train_bpe(
    counts: Mapping[str, int],
    vocabulary_size: int,
    special: Sequence[str] = SPECIAL,
    min_character_count: int = 1,
) -> Tokenizer:
    """Learn a vocabulary from words and how often each was seen.

    Ids: `special`; the characters, sorted; the characters that end a word, sorted; then each merge
    in the order learnt. Of two pairs seen equally often, that of the lower ids is merged first. The
    library by itself numbers the ends of words at random, so that two runs would differ.

    Args:
        counts: occurrences of each word.
        vocabulary_size: tokens in all; fewer are found if every word has become one token.
        special: tokens that no word is made of; `UNKNOWN` must be among them.
        min_character_count: a character seen less often has no token: it is read as `UNKNOWN`, and
            nothing is learnt from the words that hold it.

    Raises:
        ValueError: if there is no room for all characters, if `UNKNOWN` is not in `special`, or if
            a word holds white space.
    """
    characters = _characters(counts, min_character_count)
    first = [*special, *alphabet(characters)]
    if vocabulary_size < len(first):
        raise ValueError(
            f"vocabulary_size={vocabulary_size:,} leaves no room for {len(characters)} characters, "
            f"each within a word and at its end, and {len(special)} special tokens; ask for "
            f"{len(first)} at least, or raise min_character_count"
        )
    if UNKNOWN not in special:
        raise ValueError(f"the special tokens {list(special)} lack {UNKNOWN!r}")
    trained = _tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=first,
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    trained.train_from_iterator(_sequences(counts, frozenset(characters)), trainer)
    return _without_special_characters(trained, special)


def _characters(counts: Mapping[str, int], min_count: int) -> list[str]:
    seen: Counter[str] = Counter()
    for word, count in counts.items():
        if word.split() != [word]:
            raise ValueError(f"{word!r} is not one word: split the text before counting")
        for character in word:
            seen[character] += count
    return [character for character, count in seen.items() if count >= min_count]


def _sequences(counts: Mapping[str, int], characters: frozenset[str]) -> Iterator[str]:
    """Each word as often as it was seen: the library does its own counting."""
    for word, count in counts.items():
        if characters.issuperset(word):
            for done in range(0, count, _ONE_SEQUENCE):
                yield f"{word} " * min(_ONE_SEQUENCE, count - done)


def _tokenizer(model: models.BPE | None = None) -> Tokenizer:
    model = model or models.BPE(unk_token=UNKNOWN, end_of_word_suffix=END_OF_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder(suffix=END_OF_WORD)
    return tokenizer


def _without_special_characters(trained: Tokenizer, special: Sequence[str]) -> Tokenizer:
    """The same model, but characters are no longer special; only `special` is."""
    learnt = json.loads(trained.to_str())["model"]
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in learnt["merges"])
    model = models.BPE(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in pairs],
        unk_token=UNKNOWN,
        end_of_word_suffix=END_OF_WORD,
    )
    tokenizer = _tokenizer(model)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


class SubwordEncoder:
    """The tokens of sentences that are given as words; each word is split once and remembered.

    A word is always spelled: one that looks like a special token, as `END`, does not become it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def word(self, word: str) -> list[int]:
        """Return the ids of one word, at least one: the word "" is `UNKNOWN`."""
        ids = self._known.get(word)
        if ids is None:
            ids = [token.id for token in self.tokenizer.model.tokenize(word)]
            ids = ids or [self.tokenizer.token_to_id(UNKNOWN)]
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
    """Running text as T tokens, `END` after each document.

    ``ids`` (T,) int32; ``starts`` (D,) int64 is the place of the first token of each document;
    ``words`` counts the words the tokens were made of, without the D ends, so that a loss can be
    told by the word.
    """

    ids: np.ndarray
    starts: np.ndarray
    words: int
    tokenizer: Tokenizer

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their ids."""
        size = self.tokenizer.get_vocab_size()
        return [self.tokenizer.id_to_token(number) for number in range(size)]


def encode_text(tokenizer: Tokenizer, text: RunningText) -> TokenStream:
    """Return the tokens of running text; each type of word is split once.

    Raises:
        ValueError: if the tokenizer has no token `END`.
    """
    end = tokenizer.token_to_id(END)
    if end is None:
        raise ValueError(f"the tokenizer has no token {END!r} to end documents with")
    encoder = SubwordEncoder(tokenizer)
    pieces = [*map(encoder.word, text.types), [end]]  # the end is the type after the last
    borders = np.flatnonzero(np.diff(text.documents, append=-1)) + 1
    types = np.insert(text.ids, borders, len(text.types))
    places = borders[:-1] + np.arange(1, len(borders))
    ids, first = _expand(types, pieces)
    return TokenStream(ids, first[np.append(0, places)], len(text), tokenizer)


def _expand(types: np.ndarray, pieces: Sequence[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Ids (T,) of the pieces of each of ``types`` (W,), and (W,) the place of its first."""
    flat = np.fromiter(chain.from_iterable(pieces), dtype=np.int32)
    sizes = np.array([len(each) for each in pieces])
    lengths = sizes[types]
    first = lengths.cumsum() - lengths
    places = np.arange(lengths.sum())
    places += ((sizes.cumsum() - sizes)[types] - first).repeat(lengths)
    return flat[places], first
