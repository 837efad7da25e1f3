"""Words with several senses: does a vector tell which one is meant?

All measures take *occurrences*: a vector (N, D), the word (N,) and the sense (N,) of each. A static
model gives all occurrences of a word one vector, a contextual one gives each its own (Schütze 1998,
*Automatic word sense discrimination*, was the first to put occurrences into one space). What a
static vector can score at best, chance or the majority, is therefore part of each measure, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nnlm2bert.evaluation.probes import TEST, TRAIN, linear_probe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

ROWS_AT_ONCE = 512
TIE = 1e-9
"""Cosines that differ by no more are equal: rounding alone makes equal vectors differ by 1e-16."""


class Mixture(NamedTuple):
    """A word's vector as a sum of its senses': ``weights`` (K,), and ``r2``, how much is so told.

    ``r2`` is the share of the vector's squared length that the sum accounts for, 0 to 1.
    """

    weights: np.ndarray
    r2: float

    @property
    def shares(self) -> np.ndarray:
        """The weights (K,) divided by their sum, to lay beside the frequencies of the senses."""
        return self.weights / self.weights.sum()


def mixture(word: ArrayLike, senses: ArrayLike, nonnegative: bool = False) -> Mixture:
    """Return the weights that make the sum of the senses' vectors come nearest to the word's.

    Least squares without intercept; with ``nonnegative`` among weights of at least 0. Arora et al.
    (2018), *Linear algebraic structure of word senses*, section 2, for vectors of one space: from
    one training run, or brought together by :func:`align`. All vectors of a model have much in
    common: take the mean of its vocabulary from both first, or ``r2`` is high for any senses.

    ``word`` (D,), ``senses`` (K, D). Raises ValueError if the shapes do not fit.
    """
    import numpy as np
    from scipy.optimize import nnls

    target, columns = _float(word), _float(senses).T
    if columns.ndim != 2 or columns.shape[:1] != target.shape:
        raise ValueError(f"word {target.shape} must be (D,) and senses {columns.T.shape} (K, D)")
    solve = nnls if nonnegative else np.linalg.lstsq
    weights = solve(columns, target)[0]
    rest = target - columns @ weights
    return Mixture(weights, float(1 - (rest @ rest) / (target @ target)))


def align(source: ArrayLike, target: ArrayLike) -> np.ndarray:
    """Return the rotation (D, D) that lays ``source`` best on ``target``, both (W, D).

    Orthogonal Procrustes (Schönemann 1966). Two training runs give spaces turned against each
    other; with the vectors of the words both have in common, ``vectors @ align(source, target)``
    brings those of the first run into the space of the second.
    """
    from scipy.linalg import orthogonal_procrustes

    return orthogonal_procrustes(_float(source), _float(target))[0]


@dataclass(frozen=True, eq=False)
class SensePurity:
    """How often neighbours among the occurrences of a word share its sense, word by word.

    ``words`` (W,) sorted, ``purity`` (W,) and ``chance`` (W,) 0 to 1, ``occurrences`` (W,) their
    numbers. ``by_occurrence`` (N,) is the purity around each occurrence.
    """

    words: np.ndarray
    purity: np.ndarray
    chance: np.ndarray
    occurrences: np.ndarray
    by_occurrence: np.ndarray

    @property
    def mean(self) -> float:
        """The mean purity, each word counting alike."""
        return float(self.purity.mean())

    @property
    def mean_chance(self) -> float:
        """The mean of what neighbours drawn by lot, and static vectors, score."""
        return float(self.chance.mean())

    def units(self) -> dict[str, list[float]]:
        """Return the mean purity as a record's group: one unit a word, each counting alike."""
        return {"tokens": [1] * len(self.purity), "nats": self.purity.tolist()}

    def chance_units(self) -> dict[str, list[float]]:
        """Return the mean chance level as a record's group, for the same units."""
        return {"tokens": [1] * len(self.chance), "nats": self.chance.tolist()}


def sense_purity(
    vectors: ArrayLike, senses: ArrayLike, words: ArrayLike, k: int = 10
) -> SensePurity:
    """Return the share of the k nearest occurrences of the same word that have the same sense.

    Nearest by cosine, the occurrence itself left out. Where several are equally near and not all
    have a place among the k, each gets the same part of a place: the result is the mean over all
    orders of the ties, not a matter of which comes first. The chance level is the purity of k
    neighbours drawn by lot: with n_s occurrences of sense s among n, the sum of n_s (n_s - 1) over
    n (n - 1). Static vectors, all n equal, score it exactly.

    Args:
        vectors: (N, D), one row an occurrence.
        senses, words: (N,), numbers or names.
        k: neighbours, at least 1.

    Raises:
        ValueError: if lengths differ or a word has no more than k occurrences.
    """
    import numpy as np

    units, meant, spelled = _occurrences(vectors, senses, words)
    around, chance = np.empty(len(units)), []
    names, owners, sizes = np.unique(spelled, return_inverse=True, return_counts=True)
    _check_sizes(names, sizes, k)
    for word in range(len(names)):
        rows = np.flatnonzero(owners == word)
        for part, weights in _neighbours(units[rows], units[rows], k, itself=False):
            alike = meant[rows[part], None] == meant[rows]
            around[rows[part]] = (weights * alike).sum(axis=1)
        of_sense = np.unique(meant[rows], return_counts=True)[1]
        chance.append((of_sense * (of_sense - 1)).sum() / (len(rows) * (len(rows) - 1)))
    purity = np.bincount(owners, weights=around) / sizes
    return SensePurity(names, purity, np.array(chance), sizes, around)


def neighbour_purity(
    vectors: ArrayLike, senses: ArrayLike, known: ArrayLike, labels: ArrayLike, k: int = 10
) -> np.ndarray:
    """Return for each vector (Q,) the share of its k nearest known vectors that have its sense.

    For vectors of words (a static one, once with each of its senses: the shares tell how its
    neighbourhood is divided) or of occurrences, among others whose sense or topic is known. Ties
    are shared as in :func:`sense_purity`; leave the word itself out of ``known``.

    ``vectors`` (Q, D), ``senses`` (Q,); ``known`` (W, D), ``labels`` (W,). Raises ValueError if
    lengths differ or k does not lie in 1 ... W.
    """
    import numpy as np

    queries, meant, _ = _occurrences(vectors, senses, senses)
    others, marked, _ = _occurrences(known, labels, labels)
    if not 1 <= k <= len(others):
        raise ValueError(f"k={k}: there are {len(others)} known vectors to choose neighbours from")
    purity = np.empty(len(queries))
    for part, weights in _neighbours(queries, others, k):
        purity[part] = (weights * (meant[part, None] == marked)).sum(axis=1)
    return purity


def _neighbours(
    queries: np.ndarray, others: np.ndarray, k: int, itself: bool = True
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of the queries and how much of the k places (rows, W) each other vector has.

    All are of length 1. A row's weights sum to 1. If ``itself`` is False, row i is not its own
    neighbour i.
    """
    import numpy as np

    for begin in range(0, len(queries), ROWS_AT_ONCE):
        part = slice(begin, min(begin + ROWS_AT_ONCE, len(queries)))
        cosines = queries[part] @ others.T
        if not itself:
            rows = np.arange(part.start, part.stop)
            cosines[rows - begin, rows] = -np.inf
        last = np.partition(cosines, -k, axis=1)[:, -k, None]
        nearer, tied = cosines > last + TIE, np.abs(cosines - last) <= TIE
        left = k - nearer.sum(axis=1, keepdims=True)
        yield part, (nearer + tied * (left / tied.sum(axis=1, keepdims=True))) / k


def _occurrences(
    vectors: ArrayLike, senses: ArrayLike, words: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors of length 1 (zero vectors stay zero), senses and words, as arrays."""
    import numpy as np

    rows, meant, spelled = _float(vectors), np.asarray(senses), np.asarray(words)
    if rows.ndim != 2 or not rows.shape[:1] == meant.shape == spelled.shape:
        raise ValueError(
            f"vectors {rows.shape} must be (N, D), their senses {meant.shape} and words "
            f"{spelled.shape} (N,)"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1), meant, spelled


def _check_sizes(words: np.ndarray, sizes: np.ndarray, k: int) -> None:
    if k < 1:
        raise ValueError(f"k={k}: ask for at least one neighbour")
    few = [str(word) for word in words[sizes <= k]]
    if few:
        raise ValueError(
            f"words with no more than k={k} occurrences: {', '.join(few[:5])}; leave them out or "
            "lower k"
        )


def _float(values: ArrayLike) -> np.ndarray:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SenseProbe:
    """How many of each word's test ``occurrences`` a probe, and the majority, told the sense of.

    All (W,), for the sorted ``words``.
    """

    words: np.ndarray
    occurrences: np.ndarray
    correct: np.ndarray
    majority_correct: np.ndarray

    @property
    def accuracy(self) -> float:
        """The probe's share of right answers over all occurrences."""
        return float(self.correct.sum() / self.occurrences.sum())

    @property
    def majority_accuracy(self) -> float:
        """The share of right answers of who knows each word's most frequent sense, no more."""
        return float(self.majority_correct.sum() / self.occurrences.sum())

    def units(self) -> dict[str, list[int]]:
        """Return the accuracy as a record's group: one unit a word."""
        return {"tokens": self.occurrences.tolist(), "nats": self.correct.tolist()}

    def majority_units(self) -> dict[str, list[int]]:
        """Return the majority's accuracy as a record's group, for the same units."""
        return {"tokens": self.occurrences.tolist(), "nats": self.majority_correct.tolist()}


def sense_probe(
    features: ArrayLike, senses: ArrayLike, words: ArrayLike, splits: ArrayLike
) -> SenseProbe:
    """Train for each word a linear probe of its sense; count right answers in the test split.

    The probe is :func:`nnlm2bert.evaluation.probes.linear_probe`. The majority is each word's most
    frequent sense in the training split. A static vector is the same for all occurrences of a word:
    its probe can only learn how frequent the senses are, and answers as the majority does.

    ``features`` (N, D), ``senses``, ``words`` and ``splits`` (N,), the last "train" or "test" (rows
    marked otherwise are left out). Raises ValueError if a word lacks either.
    """
    import numpy as np

    vectors, meant, spelled = np.asarray(features), np.asarray(senses), np.asarray(words)
    marks = np.asarray(splits)
    if not len(vectors) == len(meant) == len(spelled) == len(marks) > 0:
        raise ValueError(
            f"{len(vectors)} features, {len(meant)} senses, {len(spelled)} words, {len(marks)} "
            "splits: give one of each for every occurrence, and an occurrence at least"
        )
    names = np.unique(spelled[np.isin(marks, [TRAIN, TEST])])
    rows = []
    for name in names:
        own = spelled == name
        try:
            probe = linear_probe(vectors[own], meant[own], marks[own])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        rows.append((len(probe.correct), probe.correct.sum(), probe.majority.sum()))
    return SenseProbe(names, *np.array(rows).T)
