"""The State of the Union addresses of the presidents of the United States, 1945 to 2006."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from datasets import Dataset

_ARCHIVE = "state-union/state_union.zip"
_ADDRESS = re.compile(r"state_union/((\d{4})-(\w+?)(?:-\d)?)\.txt")
_FROM_THE_HALL = re.compile(r"[(\[](applause|laughter)[^)\]]{0,40}[)\]]", re.IGNORECASE)
_BIG5_PUNCTUATION = b"\xa1"


@dataclass(frozen=True)
class Address:
    """One address; ``paragraphs`` are the lines of its file."""

    name: str
    year: int
    president: str
    paragraphs: list[str]


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row an address, by year.

    Columns: ``name`` ("1963-Johnson"); ``year``; ``president``; ``paragraphs``, a list of texts:
    the lines of the file, the title first, without "(Applause.)" and "(Laughter.)".
    """
    import datasets

    features = datasets.Features(
        name=datasets.Value("string"),
        year=datasets.Value("int16"),
        president=datasets.Value("string"),
        paragraphs=datasets.Sequence(datasets.Value("string")),
    )
    rows = [vars(address) for address in read_addresses(paths)]
    return datasets.Dataset.from_list(rows, features=features)


def read_addresses(paths: Mapping[str, Path]) -> Iterator[Address]:
    """The addresses in the order of their names, which begin with the year."""
    with ZipFile(paths[_ARCHIVE]) as archive:
        for member in sorted(filter(_ADDRESS.fullmatch, archive.namelist())):
            name, year, president = _ADDRESS.fullmatch(member).groups()
            text = _FROM_THE_HALL.sub(" ", _decode(archive.read(member)))
            paragraphs = [" ".join(line.split()) for line in text.splitlines()]
            yield Address(name, int(year), president, list(filter(None, paragraphs)))


def _decode(content: bytes) -> str:
    """Most files are ASCII; some have their dashes and apostrophes in Big5, one has a fraction."""
    if _BIG5_PUNCTUATION in content:
        return content.decode("big5")
    return content.decode("cp1252")
