"""Word similarity: do vectors rank pairs of words as people do?

A list of word pairs with the judgement of people for each (WordSim-353: Finkelstein et al. 2002;
SimLex-999: Hill et al. 2015) is ranked by the model's similarity as well; the measure is Spearman's
rank correlation of the two. Pairs with a word that the model does not know are left out, so that a
figure means something only beside its coverage. Predictions come in, never models: a pair that is
not covered is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


class Spearman(NamedTuple):
    """Rank correlation ``rho`` (-1 to 1) over the ``covered`` of all ``pairs``."""

    rho: float
    covered: int
    pairs: int

    @property
    def coverage(self) -> float:
        """Share of the pairs whose words are both known."""
        return self.covered / self.pairs


def score_pairs(
    pairs: Sequence[tuple[str, str]],
    similarity: Callable[[str, str], float],
    vocabulary: Container[str],
) -> np.ndarray:
    """Return the similarity (P,) of each pair; NaN if a word of it is not in the vocabulary.

    Words are looked up as they are: where the vocabulary is in lower case, so must the pairs be.
    """
    import numpy as np

    known = (one in vocabulary and other in vocabulary for one, other in pairs)
    scores = [similarity(*pair) if k else np.nan for pair, k in zip(pairs, known, strict=True)]
    return np.array(scores, dtype=np.float64)


def spearman(predicted: ArrayLike, judged: ArrayLike) -> Spearman:
    """Return Spearman's rank correlation over the covered pairs, ties at their mean rank.

    ``predicted`` (P,): the model's similarity of each pair, NaN where it has none. ``judged`` (P,):
    people's judgement. Raises ValueError if fewer than two pairs are covered or one side says the
    same of all pairs: there are then no ranks to compare.
    """
    from scipy.stats import spearmanr

    one, other = _covered(predicted, judged)
    return Spearman(float(spearmanr(one, other).statistic), len(one), len(predicted))


def similarity_units(predicted: ArrayLike, judged: ArrayLike) -> dict[str, list[float]]:
    """Return Spearman's rho as a record's group: one unit a covered pair, in the order of the list.

    Spearman's rho is the mean over pairs of the product of the two ranks, each standardised to mean
    0 and variance 1. That product is the unit's ``nats``, its ``tokens`` are 1, so that the group's
    score is rho and two models on the same pairs can be compared with
    :func:`nnlm2bert.evaluation.intervals.contrast`. The resampling holds the ranks as they are in
    the whole list instead of ranking every resample anew: it treats them as given scores. Models
    are comparable only if they cover the same pairs. Errors as in :func:`spearman`.
    """
    products = _standard_ranks(predicted, judged)
    return {"tokens": [1] * len(products), "nats": products.tolist()}


def _standard_ranks(predicted: ArrayLike, judged: ArrayLike) -> np.ndarray:
    """Return the products (covered pairs,) of the standardised ranks."""
    from scipy.stats import rankdata, zscore

    one, other = _covered(predicted, judged)
    return zscore(rankdata(one)) * zscore(rankdata(other))


def _covered(predicted: ArrayLike, judged: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the two scores of the pairs that are covered, if they have ranks to compare."""
    import numpy as np

    scores = np.asarray(predicted, dtype=np.float64), np.asarray(judged, dtype=np.float64)
    if scores[0].shape != scores[1].shape or scores[0].ndim != 1:
        raise ValueError(
            f"predicted {scores[0].shape} and judged {scores[1].shape} must both be (P,)"
        )
    if np.isnan(scores[1]).any():
        raise ValueError("a judgement is missing (NaN); leave its pair out of the list")
    covered = ~np.isnan(scores[0])
    one, other = (side[covered] for side in scores)
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        raise ValueError(
            f"{len(one)} of {len(covered)} pairs are covered: a rank correlation needs two pairs "
            "or more, not all scored the same; train on more text or lower-case the pairs"
        )
    return one, other
