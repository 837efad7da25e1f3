"""Readers: from the files of a set, as they were published, to ``datasets``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnlm2bert.corpora.download import fetch
from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import find
from nnlm2bert.corpora.store import available

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_MODULES = {
    "brown": "brown",
    "wikitext-2": "wikitext2",
    "movie-reviews": "movie_reviews",
    "state-union": "state_union",
    "books": "books",
    "semcor": "semcor",
    "wsd-eval": "wsd_eval",
    "word-similarity": "word_similarity",
    "google-analogies": "google_analogies",
    "trec-qc": "trec_qc",
    "sst2-sentences": "sst2_sentences",
    "ud-english-ewt": "ud_english_ewt",
    "conll2000": "conll2000",
    "wnut17": "wnut17",
    "sick": "sick",
    "cola": "cola",
    "wic": "wic",
    "xquad-en": "xquad_en",
    "multi30k": "multi30k",
    "mnist-22k": "mnist",
    "fashion-mnist-2k": "fashion_mnist",
    "cifar10-4k": "cifar10",
    "omniglot-small": "omniglot",
}


def readers() -> tuple[str, ...]:
    """The names of the sets that ``load`` can read."""
    return tuple(_MODULES)


def load(name: str, **options: Any) -> Dataset | DatasetDict:
    """A set as ``datasets`` hold it, downloaded first if it is not on this machine.

    ``options`` go to the set's reader; the readers of this package say which they take, and what
    the columns are. Nothing is kept but the files themselves, so nothing can be stale.
    Raises ``CorpusError`` for an unknown name, for a set without a reader, and as ``fetch`` does.
    """
    corpus = find(name)
    if corpus.name not in _MODULES:
        raise CorpusError(_no_reader(corpus.name))
    reader = import_module(f"{__name__}.{_MODULES[corpus.name]}")
    return reader.read(fetch(corpus), **options)


def _no_reader(name: str) -> str:
    files = "its files are on this machine" if available(name) else "its files can be fetched"
    return (
        f"{name} has no reader; load reads {', '.join(readers())}. But {files}: "
        f"fetch({name!r}) returns where they lie, and registry()[{name!r}].format_notes says "
        "how they are written."
    )
