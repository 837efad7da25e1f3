"""Counting n-grams: which sequences of words a text holds, and how often.

A text is one stream of word ids, a 1-D integer array with values in 0 ... V - 1, as in Bengio et
al. (2003): contexts run on across sentences and documents. The first words of a stream have fewer
words before them than the others; they are counted, and predicted, with those they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

UNSEEN = -1
"""The id of an n-gram, or of a context, that the training text does not hold."""


@dataclass(frozen=True)
class Order:
    """The N different n-grams of one length: some words of context and the word that follows.

    An n-gram's id is its place in these arrays. The same id names the context that its words form
    for the n-grams one word longer.
    """

    keys: np.ndarray  # (N,) sorted: id of the context * V + id of the word
    counts: np.ndarray  # (N,) how often the text holds it
    contexts: np.ndarray  # (N,) all its words but the last: an id of the order below
    suffixes: np.ndarray  # (N,) all its words but the first: an id of the order below


@dataclass(frozen=True)
class Places:
    """For T words to predict: the n-grams that they end, and the contexts they follow, by id."""

    grams: np.ndarray  # (n, T) ids in each order, or UNSEEN
    contexts: np.ndarray  # (n, T) ids in each order's contexts, or UNSEEN


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of a text: `orders[k]` holds every word seen after every context of k words."""

    vocabulary_size: int
    tokens: int
    orders: tuple[Order, ...]

    def find(self, k: int, contexts: np.ndarray | int, words: np.ndarray) -> np.ndarray:
        """Return the ids (T,) of `words` after `contexts` of k words; UNSEEN if there is none."""
        keys = self.orders[k].keys
        wanted = contexts * self.vocabulary_size + words  # below 0, so not found, after UNSEEN
        nearest = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[nearest] == wanted, nearest, UNSEEN)

    def locate(self, ids: np.ndarray) -> Places:
        """Find the n-grams that end at each position of another text, (T,) word ids."""
        ids = as_stream(ids, self.vocabulary_size)
        grams, contexts = [], [np.zeros_like(ids)]
        for k in range(len(self.orders)):
            grams.append(self.find(k, contexts[k], ids))
            contexts.append(np.append(UNSEEN, grams[k])[:-1])
        return Places(np.stack(grams), np.stack(contexts[:-1]))

    def locate_next(self, context: np.ndarray) -> Places:
        """Find the n-grams that each of the V words would end after one context, (C,) word ids."""
        ends = np.full(len(self.orders), UNSEEN)
        if len(context):
            ends = self.locate(context).grams[:, -1]
        contexts = np.append(0, ends[:-1])
        words = np.arange(self.vocabulary_size)
        grams = [self.find(k, end, words) for k, end in enumerate(contexts)]
        return Places(np.stack(grams), np.tile(contexts[:, None], len(words)))

    def sum_by_context(self, k: int, values: np.ndarray) -> np.ndarray:
        """Sum `values` (N,) of the n-grams of `orders[k]` over each context; 0 for UNSEEN."""
        contexts = len(self.orders[k - 1].keys) if k else 1
        # One sum more than there are contexts: it stays 0, and index UNSEEN = -1 finds it.
        return np.bincount(self.orders[k].contexts, values, minlength=contexts + 1)

    @cached_property
    def totals(self) -> list[np.ndarray]:
        """For each order, how often any word follows each context; 0 for UNSEEN."""
        return [self.sum_by_context(k, order.counts) for k, order in enumerate(self.orders)]

    def frequencies(self, k: int, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """Return how often the n-grams of k + 1 words at the places, and their contexts, occur."""
        counts = np.append(self.orders[k].counts, 0)
        return counts[places.grams[k]], self.totals[k][places.contexts[k]]


def count_ngrams(ids: np.ndarray, n: int, vocabulary_size: int) -> NgramCounts:
    """Count all sequences of 1 ... n words of a text, (T,) word ids.

    n words packed into one number would overflow: 17,000^5 > 2^63. But an n-gram is a *known*
    context and one more word, and there are at most T known contexts of a length: the id of the
    context and the word always fit.

    Raises ValueError if n < 1, or if the text is shorter than n or has ids outside 0 ... V - 1.
    """
    ids = as_stream(ids, vocabulary_size)
    if not 1 <= n <= len(ids):
        raise ValueError(f"n must lie in 1 ... {len(ids)} for a text of {len(ids)} words, not {n}")
    orders = []
    grams = np.zeros(len(ids) + 1, dtype=np.int64)  # the sequence of no words, found everywhere
    for k in range(n):
        contexts, suffixes = grams[:-1], grams[1:]
        keys, first, grams, counts = np.unique(
            contexts * vocabulary_size + ids[k:],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        orders.append(Order(keys, counts, contexts[first], suffixes[first]))
    return NgramCounts(vocabulary_size, len(ids), tuple(orders))


def as_stream(ids: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Return `ids` as int64; ValueError unless they are 1-D, integer and below V."""
    stream = np.asarray(ids)
    if stream.ndim != 1 or stream.dtype.kind not in "iu":
        raise ValueError(
            f"a text must be a 1-D array of word ids, not {stream.dtype} of shape {stream.shape}; "
            "encode the words with the vocabulary first"
        )
    if stream.size and not 0 <= stream.min() <= stream.max() < vocabulary_size:
        raise ValueError(
            f"word ids must lie in 0 ... {vocabulary_size - 1}, not {stream.min()} ... "
            f"{stream.max()}; use the vocabulary that the model was fitted with"
        )
    return stream.astype(np.int64)
