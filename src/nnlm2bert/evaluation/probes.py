"""Linear probes: what can be read off a model's vectors by a classifier that is itself simple.

The features of tokens are frozen; a logistic regression (scikit-learn's, features standardised,
L2 penalty with C = 1) learns a label from those of the training split and is tested on others
(Peters et al. 2018, section 5.3, for the layers of ELMo). What it scores says something only next
to two figures: the most frequent label's, and that of a *control task* in which each word has a
label drawn by lot, so that all there is to learn is the word itself (Hewitt & Liang 2019,
*Designing and interpreting probes with control tasks*). The difference to the control task is their
*selectivity*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlm2bert.evaluation.perplexity import by_document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

TRAIN, TEST = "train", "test"
ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class Probe:
    """A probe's answers on the M items of the test split, in their order.

    ``correct`` (M,): was the item answered rightly? ``majority`` (M,): would the training split's
    most frequent label have been right?
    """

    correct: np.ndarray
    majority: np.ndarray

    @property
    def accuracy(self) -> float:
        """The probe's share of right answers."""
        return float(self.correct.mean())

    @property
    def majority_accuracy(self) -> float:
        """The share of right answers of who always says the most frequent label."""
        return float(self.majority.mean())

    def units(self, groups: ArrayLike) -> dict[str, list[float]]:
        """Return the accuracy as a record's group; ``groups`` (M,) numbers what is drawn together.

        Tokens of one sentence or document are not independent: give its number.
        """
        return _units(self.correct, groups)

    def majority_units(self, groups: ArrayLike) -> dict[str, list[float]]:
        """Return the most frequent label's accuracy as a record's group, as :meth:`units` does."""
        return _units(self.majority, groups)


def _units(correct: np.ndarray, groups: ArrayLike) -> dict[str, list[float]]:
    tokens, sums = by_document(correct, groups)
    return {"tokens": tokens, "nats": sums}


def linear_probe(features: ArrayLike, labels: ArrayLike, splits: ArrayLike) -> Probe:
    """Train a logistic regression on the items marked *train* and test it on those marked *test*.

    Args:
        features: (N, D), frozen vectors.
        labels: (N,), what is to be read off them; numbers or names.
        splits: (N,), "train" or "test" for each item; items marked otherwise are left out.

    Raises:
        ValueError: if lengths differ or a split is empty.
    """
    import numpy as np

    vectors, wanted, marks = np.asarray(features), np.asarray(labels), np.asarray(splits)
    if vectors.ndim != 2 or not len(vectors) == len(wanted) == len(marks):
        raise ValueError(
            f"features {vectors.shape} must be (N, D), labels {wanted.shape} and splits "
            f"{marks.shape} (N,)"
        )
    train, test = marks == TRAIN, marks == TEST
    if not (train.any() and test.any()):
        raise ValueError(
            f"{train.sum()} items are marked {TRAIN!r} and {test.sum()} {TEST!r}: both are needed"
        )
    names, counts = np.unique(wanted[train], return_counts=True)
    majority = np.repeat(names[counts.argmax()], test.sum())
    predicted = _predict(vectors[train], wanted[train], vectors[test], majority)
    return Probe(predicted == wanted[test], majority == wanted[test])


def _predict(
    known: np.ndarray, labels: np.ndarray, unknown: np.ndarray, majority: np.ndarray
) -> np.ndarray:
    """Return the labels (M,) of the ``unknown``: the majority's where there is nothing to learn.

    With one label, or equal vectors, that is what the regression converges to: it has an intercept
    without penalty. Said outright, it also holds exactly where two labels are equally frequent.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if (labels == labels[0]).all() or (known == known[0]).all():
        return majority
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
    with threadpool_limits(1):  # on problems this small a second thread makes it slower
        classifier.fit(known.astype(np.float64), labels)
        return classifier.predict(unknown.astype(np.float64))


def control_labels(
    words: ArrayLike, labels: ArrayLike, generator: np.random.Generator
) -> np.ndarray:
    """Return the labels (N,) of a control task: one for each different word, drawn by lot.

    ``words`` (N,) and ``labels`` (N,): each word's label is that of an item drawn from all N, so
    that frequent labels stay frequent (Hewitt & Liang 2019, section 2). A probe that does well on
    them has learnt the words by heart. Raises ValueError if lengths differ.
    """
    import numpy as np

    spelled, wanted = np.asarray(words), np.asarray(labels)
    if spelled.shape != wanted.shape or spelled.ndim != 1:
        raise ValueError(f"words {spelled.shape} and labels {wanted.shape} must both be (N,)")
    types, place = np.unique(spelled, return_inverse=True)
    return generator.choice(wanted, size=len(types))[place]
