"""Movie reviews: 1,000 positive and 1,000 negative ones, in lower case, tokenised.

Pang and Lee, "A Sentimental Education: Sentiment Analysis Using Subjectivity Summarization Based on
Minimum Cuts" (2004); the set is their "polarity dataset v2.0".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from datasets import Dataset

LABELS = ("neg", "pos")

_ARCHIVE = "movie-reviews/movie_reviews.zip"
_REVIEW = re.compile(r"movie_reviews/((neg|pos)/cv\d{3}_\d+)\.txt")


@dataclass(frozen=True)
class Review:
    """One review: name ("neg/cv000_29416"), label, and lines of tokens."""

    name: str
    label: str
    sentences: list[list[str]]


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row a review, the negative ones first, by name.

    Columns: ``name``; ``label``, neg or pos; ``sentences``, a list of lists of tokens: the lines of
    the file, each about a sentence.
    """
    import datasets

    features = datasets.Features(
        name=datasets.Value("string"),
        label=datasets.ClassLabel(names=list(LABELS)),
        sentences=datasets.Sequence(datasets.Sequence(datasets.Value("string"))),
    )
    rows = [vars(review) for review in read_reviews(paths)]
    return datasets.Dataset.from_list(rows, features=features)


def read_reviews(paths: Mapping[str, Path]) -> Iterator[Review]:
    """The reviews in the order of their names."""
    with ZipFile(paths[_ARCHIVE]) as archive:
        for member in sorted(filter(_REVIEW.fullmatch, archive.namelist())):
            name, label = _REVIEW.fullmatch(member).groups()
            lines = archive.read(member).decode("ascii").split("\n")
            yield Review(name, label, [line.split() for line in lines if line.strip()])
