"""Vectors by counting: shifted positive PMI and its truncated singular value decomposition.

Levy & Goldberg (2014), *Neural word embedding as implicit matrix factorization*: skip-gram with
k negative samples is at its optimum where w . c = PMI(w, c) - log k (equation 7 and section 3.1).
So the matrix of these numbers can be counted, cut off at zero (SPPMI, section 4.1) and factorised
outright (section 4.2). What else word2vec does has its counterpart here as well (Levy, Goldberg &
Dagan 2015, section 3.1): the shrinking window weighs near words more, and the exponent 3/4 of the
noise distribution smooths the distribution of contexts.

A text is word ids (T,) with the number of each word's sentence (T,); no window crosses from one
sentence to another. Sub-sampling is done to the text beforehand, as for word2vec.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

WORDS_AT_ONCE = 2_000_000
START = 0
"""Seed of the vector that the iteration for singular vectors begins with."""
TOLERANCE = 1e-6
"""Relative error of a singular value at which it may end; float32 has no more digits."""


def cooccurrences(
    ids: np.ndarray,
    sentences: np.ndarray,
    vocabulary_size: int,
    window: int,
    dynamic: bool = True,
) -> sparse.csr_array:
    """Count how often each word has each other word in its window, as float64 (V, V).

    The row is the word, the column its context; with windows to both sides the table is symmetric.
    A context word d words away counts 1, or with ``dynamic`` (window - d + 1) / window: how often a
    window drawn uniformly from 1 to ``window``, as word2vec's, reaches so far on average.

    Args:
        ids: (T,) words, 0 to V - 1.
        sentences: (T,) the number of each word's sentence.
        vocabulary_size: V.
        window: the largest distance, at least 1.
        dynamic: weigh by distance.

    Raises:
        ValueError: if lengths differ, an id lies outside the vocabulary, or the window is below 1.
    """
    ids, sentences = _checked(ids, sentences, vocabulary_size, window)
    shape = (vocabulary_size, vocabulary_size)
    after = sparse.csr_array(shape, dtype=np.float64)
    for begin in range(0, len(ids), WORDS_AT_ONCE):
        part = slice(begin, begin + WORDS_AT_ONCE + window)
        words, contexts, distances = _pairs(ids[part], sentences[part], window)
        weights = (window + 1 - distances) / window if dynamic else np.ones(len(words))
        after = after + sparse.coo_array((weights, (words, contexts)), shape=shape).tocsr()
    return sparse.csr_array(after + after.T)


def _checked(
    ids: np.ndarray, sentences: np.ndarray, vocabulary_size: int, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return text and sentence numbers as arrays that can be counted."""
    ids, sentences = np.asarray(ids), np.asarray(sentences)
    if ids.ndim != 1 or ids.shape != sentences.shape:
        raise ValueError(f"ids {ids.shape} and sentences {sentences.shape} must both be (T,)")
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary_size:
        raise ValueError(
            f"word ids must lie in 0 ... {vocabulary_size - 1}, not {ids.min()} ... {ids.max()}; "
            "leave words out of the text that the vocabulary does not hold"
        )
    if window < 1:
        raise ValueError(f"window={window}: a window reaches at least one word far")
    return ids.astype(np.int32), sentences


def _pairs(
    ids: np.ndarray, sentences: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first ``WORDS_AT_ONCE`` words with those after them, and the distances (P,)."""
    found = []
    for distance in range(1, window + 1):
        first = slice(0, min(WORDS_AT_ONCE, max(len(ids) - distance, 0)))
        second = slice(distance, first.stop + distance)
        same = sentences[first] == sentences[second]
        words = ids[first][same]
        found.append((words, ids[second][same], np.full(len(words), float(distance))))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def pmi(counts: sparse.csr_array, power: float = 1.0) -> sparse.csr_array:
    r"""Return the pointwise mutual information (V, V) of all pairs that occur, in nats.

    .. math:: PMI(w, c) = \log \frac{P(w, c)}{P(w) P(c)}, \qquad P(c) \propto \#(c)^{power}

    Church & Hanks 1990; Levy & Goldberg 2014, equation 10, with all three chances counted over
    pairs of word and context. ``power`` smooths the distribution of contexts (Levy, Goldberg &
    Dagan 2015, section 3.1); word2vec's is 3/4. Pairs that never occur would have minus infinity:
    they are not stored, so an explicit zero is a true one.
    """
    words, contexts = _sums(counts, 1), _sums(counts, 0) ** power
    with np.errstate(divide="ignore"):
        words, contexts = np.log(words), np.log(contexts / contexts.sum())
    values = np.log(counts.data)
    values -= np.repeat(words, np.diff(counts.indptr))
    values -= contexts[counts.indices]
    return sparse.csr_array((values, counts.indices, counts.indptr), shape=counts.shape)


def _sums(counts: sparse.csr_array, axis: int) -> np.ndarray:
    return np.asarray(counts.sum(axis=axis), dtype=np.float64).reshape(-1)


def sppmi(counts: sparse.csr_array, negatives: float = 1, power: float = 0.75) -> sparse.csr_array:
    """Return max(PMI - log k, 0) of each pair (V, V), zeros not stored.

    Levy & Goldberg 2014, equation 11. ``negatives`` is their k, 1 for plain positive PMI. Raises
    ValueError if it is not positive.
    """
    if negatives <= 0:
        raise ValueError(
            f"negatives={negatives}: the shift is its logarithm; give a number above 0"
        )
    table = pmi(counts, power)
    table.data = np.maximum(table.data - np.log(negatives), 0)
    table = table.copy()  # it shares its places with the counts, which stay as they are
    table.eliminate_zeros()
    return table


def truncated_svd(matrix: sparse.csr_array, dimension: int, exponent: float = 0.5) -> np.ndarray:
    r"""Return the word vectors :math:`U_d \Sigma_d^{exponent}` (V, D), float32, of a table (V, C).

    :math:`U_d \Sigma_d V_d^T` is the best approximation of rank d; the exponent 1/2 shares the
    singular values out evenly between words and contexts, 1 gives them to the words, 0 drops them
    (Levy & Goldberg 2014, equations 13 and 14; Levy, Goldberg & Dagan 2015, section 3.3). Columns
    come by falling singular value, each with the sign that makes its largest entry positive, and
    the iteration begins with a fixed vector: one matrix gives one result.

    Raises ValueError unless 1 <= dimension < V.
    """
    smaller = min(matrix.shape)
    if not 1 <= dimension < smaller:
        raise ValueError(f"dimension={dimension}: must lie in 1 ... {smaller - 1} for this table")
    begin = np.random.default_rng(START).standard_normal(smaller)
    left, values, _ = svds(matrix.astype(np.float64), k=dimension, v0=begin, tol=TOLERANCE)
    order = np.argsort(-values, kind="stable")
    left, values = left[:, order], values[order]
    largest = np.abs(left).argmax(axis=0)
    left = left * np.sign(left[largest, np.arange(dimension)])
    return (left * values**exponent).astype(np.float32)


def sppmi_vectors(
    ids: np.ndarray,
    sentences: np.ndarray,
    vocabulary_size: int,
    window: int,
    negatives: float,
    dimension: int,
    exponent: float = 0.5,
    power: float = 0.75,
) -> np.ndarray:
    """Return vectors (V, D) of all words, counted, shifted and factorised as above.

    A word without any context has the zero vector. Arguments and errors are those of
    :func:`cooccurrences`, :func:`sppmi` and :func:`truncated_svd`.
    """
    counts = cooccurrences(ids, sentences, vocabulary_size, window)
    return truncated_svd(sppmi(counts, negatives, power), dimension, exponent)
