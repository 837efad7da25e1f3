"""The Brown corpus: 500 texts of American English of 1961 in 15 genres, with parts of speech.

Francis and Kucera, "Manual of Information to Accompany A Standard Corpus of Present-Day Edited
American English" (1964, revised 1979).
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

_ARCHIVE = "brown/brown.zip"
_TEXT = re.compile(r"brown/(c[a-r]\d\d)")


@dataclass(frozen=True)
class BrownText:
    """One text: paragraphs of sentences of (token, tag)."""

    name: str
    genre: str
    paragraphs: list[list[list[tuple[str, str]]]]


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row a text, in the order of the corpus (ca01 to cr09).

    Columns: ``name``; ``genre``; ``sentences``, a list of lists of tokens, case kept; ``tags``, of
    the same shape, as published ("np-tl"); ``paragraphs``, the paragraph of each sentence,
    counted from 0 in each text.
    """
    import datasets

    nested = datasets.Sequence(datasets.Sequence(datasets.Value("string")))
    features = datasets.Features(
        name=datasets.Value("string"),
        genre=datasets.Value("string"),
        sentences=nested,
        tags=nested,
        paragraphs=datasets.Sequence(datasets.Value("int32")),
    )
    rows = [_row(text) for text in read_texts(paths)]
    return datasets.Dataset.from_list(rows, features=features)


def read_texts(paths: Mapping[str, Path]) -> Iterator[BrownText]:
    """The texts in the order of the corpus.

    Paragraphs: this copy marks them by blank lines, as it does headings (a heading without a blank
    line after it stands in the paragraph below). There are 15,667.
    """
    with ZipFile(paths[_ARCHIVE]) as archive:
        genres = dict(line.split() for line in _lines(archive, "brown/cats.txt") if line)
        for member in sorted(filter(_TEXT.fullmatch, archive.namelist())):
            name = _TEXT.fullmatch(member)[1]
            yield BrownText(name, genres[name], _paragraphs(_lines(archive, member)))


def _lines(archive: ZipFile, member: str) -> list[str]:
    return archive.read(member).decode("ascii").split("\n")


def _paragraphs(lines: list[str]) -> list[list[list[tuple[str, str]]]]:
    paragraphs: list[list[list[tuple[str, str]]]] = []
    after_blank = True
    for line in lines:
        sentence = [_token(word) for word in line.split()]
        if sentence and after_blank:
            paragraphs.append([])
        if sentence:
            paragraphs[-1].append(sentence)
        after_blank = not sentence
    return paragraphs


def _token(word: str) -> tuple[str, str]:
    token, _, tag = word.rpartition("/")  # the last slash: "1/2/cd" is the token "1/2"
    return token, tag


def _row(text: BrownText) -> dict[str, object]:
    numbered = [(n, s) for n, paragraph in enumerate(text.paragraphs) for s in paragraph]
    return {
        "name": text.name,
        "genre": text.genre,
        "sentences": [[token for token, _ in sentence] for _, sentence in numbered],
        "tags": [[tag for _, tag in sentence] for _, sentence in numbered],
        "paragraphs": [number for number, _ in numbered],
    }
