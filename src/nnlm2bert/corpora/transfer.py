"""Download files side by side, each to a temporary file first, and tell what failed.

``pooch`` compares the SHA-256 of the temporary file before it moves it to its name.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Lock

import pooch
import requests
from tqdm.auto import tqdm

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.failures import BrokenTransfer, Refused, check_status, fetch_error
from nnlm2bert.corpora.registry import Corpus, File
from nnlm2bert.corpora.store import cache_folder

WORKERS = 8
RETRIES = 2
TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 16  # bytes


def download(corpus: Corpus, files: Sequence[File], progress: bool = True) -> None:
    """Download ``files`` of a set to the cache.

    A file that fails does not keep the others from coming, unless the reason would stop them as
    well (no network, no space). Raises ``CorpusError`` naming the first that failed.
    """
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
        outcomes = _Transfer(corpus, store, bar).run(files)
    failures = [outcomes[file] for file in files if outcomes.get(file)]
    if failures:
        raise _summary(failures[0], len(files), arrived=len(outcomes) - len(failures))


class _Stopped(Exception):
    """The download was ended: by the reader, or by a failure that every file would meet."""


class _Transfer:
    """The download of several files of one set under one progress bar."""

    def __init__(self, corpus: Corpus, store: pooch.Pooch, bar: tqdm) -> None:
        self._corpus = corpus
        self._store = store
        self._bar = bar
        self._lock = Lock()
        self._stop = Event()

    def run(self, files: Sequence[File]) -> dict[File, CorpusError | None]:
        """Why each file failed, None for one that came; those never tried are left out."""
        outcomes = {}
        with ThreadPoolExecutor(min(WORKERS, len(files))) as pool:
            try:
                jobs = {pool.submit(self._fetch, file): file for file in files}
                for job in as_completed(jobs):
                    with suppress(_Stopped):
                        outcomes[jobs[job]] = job.result()
            except BaseException:
                self._stop.set()
                raise
        return outcomes

    def _fetch(self, file: File) -> CorpusError | None:
        try:
            (self._store.abspath / file.path).parent.mkdir(parents=True, exist_ok=True)
            self._store.fetch(file.path, downloader=partial(self._receive, file))
        except (OSError, ValueError, Refused) as error:
            failure = fetch_error(error, self._corpus, file)
            if failure.hopeless:
                self._stop.set()
            return failure
        return None

    def _receive(self, file: File, _url: str, output_file: str, _store: pooch.Pooch) -> None:
        self._go_on()
        with requests.get(file.url, stream=True, timeout=TIMEOUT) as response:
            check_status(response)
            self._write(response, file, output_file)
        os.chmod(output_file, 0o644)  # temporary files are for their owner's eyes alone

    def _write(self, response: requests.Response, file: File, output_file: str) -> None:
        received = 0
        try:
            with open(output_file, "wb") as output:
                for chunk in response.iter_content(CHUNK):
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
        if self._stop.is_set():
            raise _Stopped

    def _advance(self, count: int) -> None:
        with self._lock:
            self._bar.update(count)


def _summary(failure: CorpusError, tried: int, arrived: int) -> CorpusError:
    if tried == 1:
        return failure
    return CorpusError(
        f"{failure} {arrived} of {tried} files came and are kept; "
        "the next fetch goes on from there."
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
