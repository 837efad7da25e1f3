"""Fetch and verify the files of a set.

A file of the mirror is used in place, one of the cache as well; only what is missing is downloaded:
to a temporary file in the cache's folder, whose SHA-256 is compared before it is moved to its name.
So a file is there whole or not at all, and a set of many files goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import Corpus, File, find
from nnlm2bert.corpora.store import Copy, Stamps, cache_folder, locate

if TYPE_CHECKING:
    import pooch
    import requests
    from tqdm import tqdm

WORKERS = 8
RETRIES = 2
TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16  # bytes


def fetch(name: str | Corpus, *, progress: bool = True) -> dict[str, Path]:
    """Have every file of a set on this machine, and right; downloads what is missing.

    Returns the place of each file by its path in the registry. Raises ``CorpusError`` for an
    unknown name, for a wrong file in the mirror, and when a file cannot be downloaded; the files
    that could be are kept, and the next call fetches only the others.
    """
    corpus = find(name)
    stamps = Stamps(corpus)
    try:
        missing = [copy.file for copy in locate(corpus) if not _is_at_hand(corpus, copy, stamps)]
        if missing:
            _download(corpus, missing, progress)
        for file in missing:
            stamps.check(cache_folder() / file.path, file)
    finally:
        stamps.save()
    return {copy.file.path: copy.path for copy in locate(corpus) if copy.path}


def verify(name: str | Corpus) -> list[str]:
    """Hash every file of a set anew. Returns what is wrong, each with the next step; [] if nothing.

    Raises ``CorpusError`` for an unknown name.
    """
    from nnlm2bert.corpora.failures import mirror_error

    corpus = find(name)
    stamps = Stamps(corpus)
    again = f"Run `python -m nnlm2bert data fetch {corpus.name}`."
    problems = []
    for copy in locate(corpus):
        if copy.path is None:
            problems.append(f"{corpus.name}: {copy.file.path} is missing. {again}")
        elif fault := stamps.check(copy.path, copy.file):
            if copy.place == "mirror":
                problems.append(str(mirror_error(corpus, copy.file, copy.path, fault)))
            else:
                problems.append(f"{corpus.name}: {copy.path} is wrong: {fault}. {again}")
    stamps.save()
    return problems


def _is_at_hand(corpus: Corpus, copy: Copy, stamps: Stamps) -> bool:
    if copy.path is None:
        return False
    fault = stamps.fault(copy.path, copy.file)
    if fault and copy.place == "mirror":
        from nnlm2bert.corpora.failures import mirror_error

        raise mirror_error(corpus, copy.file, copy.path, fault)
    return fault is None


class _Stopped(Exception):
    """The download was ended: by the reader, or by a failure that every file would meet."""


@dataclass
class _Transfer:
    """The download of several files of one set under one progress bar."""

    corpus: Corpus
    store: pooch.Pooch
    bar: tqdm
    stop: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def run(self, files: Sequence[File]) -> list[CorpusError]:
        """Download ``files`` side by side; returns what failed, in their order."""
        failures = {}
        with ThreadPoolExecutor(min(WORKERS, len(files))) as pool:
            jobs = {pool.submit(self.fetch, file): file for file in files}
            try:
                for job in as_completed(jobs):
                    with suppress(_Stopped):
                        failures[jobs[job]] = job.result()
            except BaseException:
                self.stop.set()
                raise
        return [failures[file] for file in files if failures.get(file)]

    def fetch(self, file: File) -> CorpusError | None:
        """Download one file to the cache; returns why it failed."""
        from nnlm2bert.corpora.failures import Refused, fetch_error

        try:
            (self.store.abspath / file.path).parent.mkdir(parents=True, exist_ok=True)
            self.store.fetch(file.path, downloader=partial(self._receive, file))
        except (OSError, ValueError, Refused) as error:
            failure = fetch_error(error, self.corpus, file)
            if failure.hopeless:
                self.stop.set()
            return failure
        return None

    def _receive(self, file: File, _url: str, output_file: str, _store: pooch.Pooch) -> None:
        import requests

        from nnlm2bert.corpora.failures import check_status

        self._go_on()
        with requests.get(file.url, stream=True, timeout=TIMEOUT) as response:
            check_status(response)
            self._write(response, file, output_file)
        os.chmod(output_file, 0o644)  # temporary files are for their owner's eyes alone

    def _write(self, response: requests.Response, file: File, output_file: str) -> None:
        from nnlm2bert.corpora.failures import BrokenTransfer

        received = 0
        try:
            with open(output_file, "wb") as output:
                for chunk in response.iter_content(_CHUNK):
                    self._go_on()
                    output.write(chunk)
                    received += len(chunk)
                    self._advance(len(chunk))
            if received != file.bytes:
                raise BrokenTransfer(f"{received:,} of {file.bytes:,} bytes came")
        except BaseException:
            self._advance(-received)
            raise

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise _Stopped

    def _advance(self, count: int) -> None:
        with self.lock:
            self.bar.update(count)


def _download(corpus: Corpus, files: Sequence[File], progress: bool) -> None:
    import pooch
    from tqdm.auto import tqdm

    store = pooch.create(
        path=cache_folder(),
        base_url="",
        registry={file.path: f"sha256:{file.sha256}" for file in files},
        urls={file.path: file.url for file in files},
        retry_if_failed=RETRIES,
    )
    bar = tqdm(
        desc=f"{corpus.name}, {len(files)} file{'s' if len(files) > 1 else ''}",
        total=sum(file.bytes for file in files),
        unit="B",
        unit_scale=True,
        disable=not progress,
    )
    with _without_messages(pooch.get_logger()), bar:
        failures = _Transfer(corpus, store, bar).run(files)
    if failures:
        raise _summary(failures)


def _summary(failures: Sequence[CorpusError]) -> CorpusError:
    if len(failures) == 1:
        return failures[0]
    others = len(failures) - 1
    return CorpusError(
        f"{failures[0]} {others} other file{'s' if others > 1 else ''} failed, too; "
        "those that came are kept, and the next fetch goes on from there."
    )


@contextmanager
def _without_messages(logger: logging.Logger) -> Iterator[None]:
    """Silence the two lines a file that would tear up the progress bar."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
