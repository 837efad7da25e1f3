"""A vocabulary of whole words, with one symbol for everything rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

UNKNOWN = "<unk>"


class Vocabulary:
    """Words and their numbers, in a fixed order.

    >>> vocabulary = Vocabulary.from_tokens("the cat saw the dog".split(), min_count=2)
    >>> vocabulary.words
    ('<unk>', 'the')
    >>> vocabulary.encode(["the", "cat"])
    array([1, 0])
    """

    def __init__(self, words: Sequence[str], unknown: str | None = UNKNOWN) -> None:
        """Number ``words`` in the order given.

        Raises:
            ValueError: if a word occurs twice, or ``unknown`` is not among the words.
        """
        self.words = tuple(words)
        self.ids = {word: number for number, word in enumerate(self.words)}
        self.unknown = unknown
        if len(self.ids) != len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise ValueError(f"a vocabulary holds each word once; {twice!r} is there twice")
        if unknown is not None and unknown not in self.ids:
            raise ValueError(f"the symbol for unknown words, {unknown!r}, is not in the vocabulary")

    @classmethod
    def from_tokens(
        cls, tokens: Iterable[str], min_count: int = 1, unknown: str | None = UNKNOWN
    ) -> Vocabulary:
        """Keep the words that occur at least ``min_count`` times, sorted; ``unknown`` is word 0."""
        counts = Counter(tokens)
        kept = sorted(word for word, count in counts.items() if count >= min_count)
        if unknown is None:
            return cls(kept, unknown=None)
        return cls([unknown, *(word for word in kept if word != unknown)], unknown)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.ids

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self):,} words"

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Return the numbers of the tokens, (T,) int64; words not known become ``unknown``.

        Raises:
            KeyError: for an unknown word if the vocabulary has no symbol for them.
        """
        if self.unknown is None:
            return np.array([self[token] for token in tokens], dtype=np.int64)
        rest = self.ids[self.unknown]
        return np.array([self.ids.get(token, rest) for token in tokens], dtype=np.int64)

    def __getitem__(self, word: str) -> int:
        try:
            return self.ids[word]
        except KeyError:
            raise KeyError(f"{word!r} is not among the {len(self):,} words") from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the words of the numbers."""
        return [self.words[int(number)] for number in ids]
