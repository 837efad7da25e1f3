"""What the readers of labelled text share: sentences in columns, and features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets


def column_sentences(lines: Iterable[str], separator: str) -> Iterator[tuple[tuple[str, ...], ...]]:
    """The columns of each sentence of ``lines``, which hold one token each, its cells separated.

    A line without text ends a sentence. Raises ``ValueError`` if the tokens of a sentence differ in
    their number of cells.
    """
    for is_text, group in groupby(lines, key=lambda line: bool(line.strip())):
        if is_text:
            yield tuple(zip(*(line.split(separator) for line in group), strict=True))


def strings() -> datasets.Sequence:
    """A list of strings."""
    import datasets

    return datasets.Sequence(datasets.Value("string"))


def classes(names: Sequence[str]) -> datasets.ClassLabel:
    """One class of ``names``, in that order."""
    import datasets

    return datasets.ClassLabel(names=list(names))


def bio_names(types: Sequence[str]) -> list[str]:
    """``O``, then ``B-`` and ``I-`` of every type, as in Ramshaw and Marcus (1995)."""
    return ["O", *(f"{position}-{name}" for name in types for position in "BI")]
