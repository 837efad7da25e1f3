"""Real data: the registry of all sets, their download and verification, and their readers.

``load("brown")`` is all a chapter needs, ``load_pictures`` where it needs arrays of pixels;
``fetch`` and ``verify`` work for every set, with a reader or without. On the command line:
``python -m nnlm2bert data list|fetch|verify``.
"""

from nnlm2bert.corpora.download import fetch, verify
from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.hub import load_full
from nnlm2bert.corpora.pictures import PictureSet, load_pictures
from nnlm2bert.corpora.readers import load, readers
from nnlm2bert.corpora.registry import Corpus, File, find, hashes, registry
from nnlm2bert.corpora.running import RUNNING_TEXT, RunningText, load_running_text
from nnlm2bert.corpora.store import available, locate
from nnlm2bert.corpora.streams import PARAGRAPH_MARK, TEXT_MARK, TokenStream, load_brown_stream

__all__ = [
    "PARAGRAPH_MARK",
    "RUNNING_TEXT",
    "TEXT_MARK",
    "Corpus",
    "CorpusError",
    "File",
    "PictureSet",
    "RunningText",
    "TokenStream",
    "available",
    "fetch",
    "find",
    "hashes",
    "load",
    "load_brown_stream",
    "load_full",
    "load_pictures",
    "load_running_text",
    "locate",
    "readers",
    "registry",
    "verify",
]
