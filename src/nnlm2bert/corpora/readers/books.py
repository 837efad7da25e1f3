"""Whole books of English prose of 1790 to 1923 in the public domain, a stand-in for BooksCorpus.

The text is in Markdown; what is taken off is said by the set's ``format_notes``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import Book, find

if TYPE_CHECKING:
    from datasets import DatasetDict

SPLITS = ("train", "validation", "test")

_HEADER_LINES = 7
_HEADING = re.compile(r"\s*#{1,6}(\s|$)")
_RULE = re.compile(r"[\s*_.\-=~#|]*")
_QUOTED = re.compile(r"^\s*(>\s*)+")
_EMPHASIS = re.compile(r"[*_]")
_ESCAPED = re.compile(r"\\([^\w\s])")
_CLOSE = frozenset(("THE END", "The End", "FINIS"))
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class BookText:
    """One book: its file's stem, what the registry knows of it, and its paragraphs."""

    name: str
    book: Book
    paragraphs: list[str]


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test, by whole books; one row a book.

    Columns: ``name``; ``title``; ``author``; ``year``; ``kind`` ("fiction", ...); ``paragraphs``, a
    list of texts without line breaks, case kept, without headings and without Markdown's marks.
    """
    import datasets

    text = datasets.Value("string")
    features = datasets.Features(
        name=text,
        title=text,
        author=text,
        year=datasets.Value("int16"),
        kind=text,
        paragraphs=datasets.Sequence(text),
    )
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [_row(book) for book in read_books(paths, split)], features=features
            )
            for split in SPLITS
        }
    )


def read_books(paths: Mapping[str, Path], split: str) -> Iterator[BookText]:
    """The books of a split in the order of the registry, of which any first part is a fair sample.

    Raises ``CorpusError`` for a split other than train, validation and test.
    """
    if split not in SPLITS:
        raise CorpusError(f"books has no split {split!r}; it has {', '.join(SPLITS)}.")
    for file in find("books").files:
        if file.book and file.book.split == split:
            text = paths[file.path].read_bytes().decode("utf-8")
            yield BookText(Path(file.path).stem, file.book, split_paragraphs(text))


def split_paragraphs(text: str) -> list[str]:
    """The paragraphs of one file: the header of seven lines, headings, rules and the end taken off.

    A paragraph of several lines (verse, a letter) is one text, its lines joined by a space.
    """
    lines = text.replace("\r\n", "\n").replace(_BYTE_ORDER_MARK, "").split("\n")
    paragraphs: list[list[str]] = [[]]
    for line in map(_plain, lines[_HEADER_LINES:]):
        if line:
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return [" ".join(lines) for lines in paragraphs if lines]


def _plain(line: str) -> str:
    """A line without its marks; empty if it is no text."""
    line = html.unescape(line)
    if _HEADING.match(line) or _RULE.fullmatch(line):
        return ""
    line = _ESCAPED.sub(r"\1", _EMPHASIS.sub("", _QUOTED.sub("", line)))
    words = " ".join(line.split())
    return "" if words.rstrip(".") in _CLOSE else words


def _row(text: BookText) -> dict[str, object]:
    book = text.book
    return {
        "name": text.name,
        "title": book.title,
        "author": book.author,
        "year": book.year,
        "kind": book.kind,
        "paragraphs": text.paragraphs,
    }
