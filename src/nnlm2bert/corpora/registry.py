"""The registry of data sets: what each is, under which licence, and where its files come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from nnlm2bert.corpora.errors import CorpusError


@dataclass(frozen=True)
class Book:
    """What the registry knows of a whole book (set ``books`` only)."""

    title: str
    author: str
    year: int
    kind: str
    split: str
    words: int


@dataclass(frozen=True)
class File:
    """One file of a set, pinned.

    ``path`` is relative, with ``/``, and begins with the set's name; ``url`` is pinned to a commit.
    """

    path: str
    url: str
    sha256: str
    bytes: int
    book: Book | None = None


@dataclass(frozen=True)
class Source:
    """The repository and commit the files are pinned to."""

    repository: str
    commit: str


@dataclass(frozen=True)
class Corpus:
    """One data set. ``hub_id`` and ``hub_config`` name its usual place on the Hugging Face hub."""

    name: str
    description: str
    licence: str
    licence_short: str
    size_info: str
    format_notes: str
    hub_id: str | None
    hub_config: str | None
    chapters: tuple[str, ...]
    sources: tuple[Source, ...]
    total_bytes: int
    files: tuple[File, ...]


@cache
def registry() -> Mapping[str, Corpus]:
    """All data sets of the book by name, in the order of the registry."""
    text = files("nnlm2bert.corpora").joinpath("registry.json").read_text(encoding="utf-8")
    return MappingProxyType({entry["name"]: _corpus(entry) for entry in json.loads(text)})


def find(name: str | Corpus) -> Corpus:
    """The set called ``name``; a ``Corpus`` is handed back as it is.

    Raises ``CorpusError``, with the names most like it, for a name that is not in the registry.
    """
    if isinstance(name, Corpus):
        return name
    if name in registry():
        return registry()[name]
    near = get_close_matches(name.lower(), registry(), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise CorpusError(
        f"No data set is called {name!r}. {hint}"
        f"`python -m nnlm2bert data list` shows all {len(registry())}."
    )


def hashes(name: str | Corpus) -> dict[str, str]:
    """SHA-256 of every file of a set by its path, as the records of experiments keep them."""
    return {file.path: file.sha256 for file in find(name).files}


def _corpus(entry: dict[str, Any]) -> Corpus:
    return Corpus(
        **entry
        | {
            "chapters": tuple(entry["chapters"]),
            "sources": tuple(Source(**source) for source in entry["sources"]),
            "files": tuple(_file(file) for file in entry["files"]),
        }
    )


def _file(entry: dict[str, Any]) -> File:
    book = {key: value for key, value in entry.items() if key in Book.__dataclass_fields__}
    pinned = {key: value for key, value in entry.items() if key not in book}
    return File(**pinned, book=Book(**book) if book else None)
