"""Translations that can be right to the last word: how many are, and how many of their words.

For a language with one right translation of each sentence, as the laboratory's; for others see
`evaluation.bleu`.
"""

from __future__ import annotations

from collections.abc import Sequence

Group = dict[str, list[float]]


def right_words(said: str, right: str) -> int:
    """Return how many words of the right translation stand where they should, from its begin on.

    >>> right_words("na vado tupa lile", "na tupa tupa")
    2
    """
    return sum(ours == theirs for ours, theirs in zip(said.split(), right.split(), strict=False))


def right_units(said: Sequence[str], right: Sequence[str], blocks: int = 50) -> tuple[Group, Group]:
    """Return the sentences, and the words, that are right, as groups of a record.

    A unit is one of at most ``blocks`` blocks of neighbouring sentences. Raises ValueError where
    lengths differ.
    """
    count = min(blocks, len(said))
    sentences: Group = {"tokens": [0] * count, "nats": [0] * count}
    words: Group = {"tokens": [0] * count, "nats": [0] * count}
    for number, (ours, theirs) in enumerate(zip(said, right, strict=True)):
        block = number * count // len(said)
        sentences["tokens"][block] += 1
        sentences["nats"][block] += ours.split() == theirs.split()
        words["tokens"][block] += len(theirs.split())
        words["nats"][block] += right_words(ours, theirs)
    return sentences, words
