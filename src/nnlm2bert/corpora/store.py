"""Where the files of a set lie on this machine, and whether they are the right ones.

A file is looked for in the mirror (``NNLM2BERT_DATA``, only ever read), then in the cache
(``NNLM2BERT_CACHE``, by default the user's cache folder). Both hold the registry's paths.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nnlm2bert.corpora.registry import Corpus, File, find
from nnlm2bert.errors import UserError
from nnlm2bert.files import write_text

MIRROR = "NNLM2BERT_DATA"
CACHE = "NNLM2BERT_CACHE"

Place = Literal["mirror", "cache", "missing"]


def mirror_folder() -> Path | None:
    """The offline mirror named by ``NNLM2BERT_DATA``, or None."""
    named = os.environ.get(MIRROR)
    return Path(named).expanduser().absolute() if named else None


def cache_folder() -> Path:
    """The folder that downloads go to: ``NNLM2BERT_CACHE``, else the user's cache folder."""
    if named := os.environ.get(CACHE):
        return Path(named).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("nnlm2bert"))


@dataclass(frozen=True)
class Copy:
    """A file of the registry and the copy of it on this machine, if there is one."""

    file: File
    place: Place
    path: Path | None


def locate(name: str | Corpus) -> tuple[Copy, ...]:
    """Where each file of a set lies now. Says nothing of whether its content is right.

    Raises ``CorpusError`` for an unknown name.
    """
    return tuple(_copy(file) for file in find(name).files)


def available(name: str | Corpus) -> bool:
    """Whether every file of a set is on this machine, so that loading it needs no network."""
    return all(copy.path for copy in locate(name))


def fault(path: Path, file: File) -> str | None:
    """What is wrong with the copy of ``file`` at ``path``, in words; None if it is right."""
    import pooch

    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"it has {size:,} bytes, not {file.bytes:,}"
        if pooch.file_hash(str(path), alg="sha256") != file.sha256:
            return "its SHA-256 is not the registry's"
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    return None


class Stamps:
    """Which copies of a set were found right: their hash, size and time of change.

    A copy that still has its stamp is not hashed again, so that loading two hundred books does not
    read each of them twice. The stamps lie in the cache; where that cannot be written to they are
    lost, which costs time only.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._path = cache_folder() / ".verified" / f"{corpus.name}.json"
        self._stamps: dict[str, list[str | int]] = {}
        with suppress(OSError, ValueError):
            self._stamps = dict(json.loads(self._path.read_text(encoding="utf-8")))
        self._saved = dict(self._stamps)

    def fault(self, path: Path, file: File) -> str | None:
        """As the function ``fault``, but a copy with a valid stamp is taken to be right."""
        if self._stamps.get(str(path)) == _stamp(path, file):
            return None
        return self.check(path, file)

    def check(self, path: Path, file: File) -> str | None:
        """As the function ``fault``, always hashing; stamps the copy or takes its stamp away."""
        stamp = _stamp(path, file)  # before hashing, so that a change meanwhile is noticed
        found = fault(path, file)
        if found is None and stamp:
            self._stamps[str(path)] = stamp
        else:
            self._stamps.pop(str(path), None)
        return found

    def save(self) -> None:
        """Write the stamps, if they changed."""
        if self._stamps == self._saved:
            return
        with suppress(UserError):
            write_text(self._path, json.dumps(self._stamps, indent=0))
            self._saved = dict(self._stamps)


def _copy(file: File) -> Copy:
    mirror = mirror_folder()
    if mirror and (mirror / file.path).is_file():
        return Copy(file, "mirror", mirror / file.path)
    if (cache_folder() / file.path).is_file():
        return Copy(file, "cache", cache_folder() / file.path)
    return Copy(file, "missing", None)


def _stamp(path: Path, file: File) -> list[str | int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [file.sha256, status.st_size, status.st_mtime_ns]
