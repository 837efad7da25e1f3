"""Fetch and verify the files of a set.

A file of the mirror is used in place, one of the cache as well; only what is missing is downloaded:
to a temporary file in the cache's folder, whose SHA-256 is compared before it is moved to its name.
So a file is there whole or not at all, and a set of many files goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import Corpus, find
from nnlm2bert.corpora.store import MIRROR, Copy, Stamps, cache_folder, locate


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
            from nnlm2bert.corpora.transfer import download

            download(corpus, missing, progress)
        for file in missing:
            stamps.check(cache_folder() / file.path, file)
    finally:
        stamps.save()
    return {copy.file.path: copy.path for copy in locate(corpus) if copy.path}


def verify(name: str | Corpus) -> list[str]:
    """Hash every file of a set anew. Returns what is wrong, each with the next step; [] if nothing.

    Raises ``CorpusError`` for an unknown name.
    """
    corpus = find(name)
    stamps = Stamps(corpus)
    again = f"Run `python -m nnlm2bert data fetch {corpus.name}`."
    problems = []
    for copy in locate(corpus):
        if copy.path is None:
            problems.append(f"{corpus.name}: {copy.file.path} is missing. {again}")
        elif fault := stamps.check(copy.path, copy.file):
            if copy.place == "mirror":
                problems.append(str(_mirror_error(corpus, copy, fault)))
            else:
                problems.append(f"{corpus.name}: {copy.path} is wrong: {fault}. {again}")
    stamps.save()
    return problems


def _is_at_hand(corpus: Corpus, copy: Copy, stamps: Stamps) -> bool:
    if copy.path is None:
        return False
    fault = stamps.fault(copy.path, copy.file)
    if fault and copy.place == "mirror":
        raise _mirror_error(corpus, copy, fault)
    return fault is None


def _mirror_error(corpus: Corpus, copy: Copy, fault: str) -> CorpusError:
    return CorpusError(
        f"{corpus.name}: the mirror's copy of {copy.file.path} is wrong: {fault}. "
        f"Replace {copy.path} by {copy.file.url}, or unset {MIRROR} to have it downloaded."
    )
