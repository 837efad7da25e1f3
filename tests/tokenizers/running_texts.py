"""Running text of a few words, for tests."""

from __future__ import annotations

from itertools import chain

import numpy as np

from nnlm2bert.corpora.running import RunningText


def running(*documents: str) -> RunningText:
    """The words of each document as running text, a sentence a comma; a document may be empty."""
    sentences = [part.split() for document in documents for part in document.split(",")]
    owners = [i for i, document in enumerate(documents) for _ in document.split(",")]
    lengths = [len(sentence) for sentence in sentences]
    words = [*chain.from_iterable(sentences)]
    types = list(dict.fromkeys(words))
    return RunningText(
        ids=np.array([types.index(word) for word in words], dtype=np.int32),
        types=types,
        counts=np.array([words.count(word) for word in types]),
        sentences=np.repeat(np.arange(len(sentences), dtype=np.int32), lengths),
        documents=np.repeat(np.array(owners, dtype=np.int32), lengths),
        names=tuple(map(str, range(len(documents)))),
    )
