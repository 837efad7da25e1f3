"""Chunks and entities: spans of words, right only if both ends and the kind are right.

Tags are BIO (Ramshaw & Marcus 1995): B-NP begins a noun phrase, I-NP goes on with it, O is outside.
Spans are read as the CoNLL-2000 evaluation (Tjong Kim Sang & Buchholz 2000) reads them: an I- that
follows nothing of its kind begins a span, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpanCounts(NamedTuple):
    """How many spans are right, how many were said to be there, how many are there."""

    right: int
    predicted: int
    gold: int

    @property
    def f1(self) -> float:
        """Twice the right ones by all of both; 0 where there are none."""
        return 2 * self.right / max(1, self.predicted + self.gold)


def spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return (kind, first word, word after the last) of each span, in order.

    >>> spans(["B-NP", "I-NP", "O", "I-VP", "B-VP"])
    [('NP', 0, 2), ('VP', 3, 4), ('VP', 4, 5)]
    """
    found: list[tuple[str, int, int]] = []
    kind_before = ""
    for place, tag in enumerate(tags):
        mark, _, kind = tag.partition("-")
        if mark != "O" and (mark == "B" or kind != kind_before):
            found.append((kind, place, place + 1))
        elif mark != "O":
            found[-1] = (kind, found[-1][1], place + 1)
        kind_before = kind if mark != "O" else ""
    return found


def count_spans(
    predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]
) -> list[SpanCounts]:
    """Return the counts of each sentence; raises ValueError where lengths differ."""
    counts = []
    for ours, right in zip(predicted, gold, strict=True):
        if len(ours) != len(right):
            raise ValueError(f"{len(ours)} tags for a sentence of {len(right)} words")
        said, there = set(spans(ours)), set(spans(right))
        counts.append(SpanCounts(len(said & there), len(said), len(there)))
    return counts


def span_f1(predicted: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """Return F1 over all sentences together (micro-averaged over kinds)."""
    return add_up(count_spans(predicted, gold)).f1


def add_up(counts: Sequence[SpanCounts]) -> SpanCounts:
    """Return the sums of counts."""
    return SpanCounts(*(sum(column) for column in zip(*counts, strict=True)))


def f1_units(blocks: Sequence[SpanCounts]) -> dict[str, list[float]]:
    """Return F1 as a record's group: one unit a block of sentences.

    F1 is no mean of what blocks score. To first order in the counts it is one of

        F1 + (2 right_b - F1 (predicted_b + gold_b)) / mean of (predicted + gold),

    (the delta method: Efron & Tibshirani 1993, section 21.5); the mean of these over blocks is F1
    itself, so that the score of the group is exact and its resampling right to first order.
    Raises ValueError if no span is there and none was predicted.
    """
    whole = add_up(blocks)
    size = (whole.predicted + whole.gold) / len(blocks)
    if not size:
        raise ValueError("F1 needs a span: the gold tags and the predictions hold none")
    parts = ((2 * b.right - whole.f1 * (b.predicted + b.gold)) / size for b in blocks)
    return {"tokens": [1] * len(blocks), "nats": [round(whole.f1 + part, 6) for part in parts]}
