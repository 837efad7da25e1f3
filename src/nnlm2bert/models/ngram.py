"""n-gram language models: additive smoothing, deleted interpolation and Kneser-Ney.

An n-gram model predicts a word from the n - 1 words before it by counting. Most long sequences of
words are never seen twice, so all the art lies in the *smoothing*: how much probability to take
from what was seen, and how to share it among what was not.

Sources: Jelinek & Mercer (1980), Interpolated estimation of Markov source parameters from sparse
data; Kneser & Ney (1995), Improved backing-off for m-gram language modeling; Chen & Goodman
(1998), An empirical study of smoothing techniques for language modeling, TR-10-98, Harvard;
Bengio, Ducharme, Vincent & Jauvin (2003), A neural probabilistic language model, JMLR 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nnlm2bert.models.ngram_counts import UNSEEN, NgramCounts, Places, count_ngrams

UNDEFINED_DISCOUNT = 0.5
"""The discount where a training text is too small, or too odd, for a positive estimate."""


@dataclass(frozen=True)
class NgramModel:
    """What all n-gram models share; each says for itself what its `probabilities` are."""

    counts: NgramCounts

    @property
    def n(self) -> int:
        """The number of words in the longest n-gram: the context is one word shorter."""
        return len(self.counts.orders)

    def probabilities(self, places: Places) -> np.ndarray:
        """Return the probability (T,) of each word after its context."""
        raise NotImplementedError(f"{type(self).__name__} must define its probabilities")

    def log_probabilities(self, ids: np.ndarray) -> np.ndarray:
        """Return ln P(word | preceding words), (T,) nats, for each word of a text (T,)."""
        return np.log(self.probabilities(self.counts.locate(ids)))

    def distribution(self, context: np.ndarray) -> np.ndarray:
        """Return the probabilities (V,) of the next word after a context of any length, (C,)."""
        return self.probabilities(self.counts.locate_next(context))

    def perplexity(self, ids: np.ndarray) -> float:
        """Return exp(mean loss): among how many equally likely words the model seems to choose."""
        return float(np.exp(-self.log_probabilities(ids).mean()))


@dataclass(frozen=True)
class AddK(NgramModel):
    """Additive smoothing: act as if every word had been seen k times more after every context.

    P(w | h) = (c(h w) + k) / (c(h) + k V), where h holds n - 1 words; k = 1 is Laplace's rule. A
    context that was never seen, or is cut short by the start of the text, leaves 1 / V.
    """

    k: float = 1.0

    @classmethod
    def fit(cls, ids: np.ndarray, n: int, vocabulary_size: int, k: float = 1.0) -> AddK:
        """Count a training text (T,); ValueError unless k > 0."""
        if not k > 0:
            raise ValueError(f"k must be above 0, so that no word has probability 0, not {k}")
        return cls(count_ngrams(ids, n, vocabulary_size), k)

    def probabilities(self, places: Places) -> np.ndarray:
        """Return P(w | h), (T,)."""
        count, total = self.counts.frequencies(self.n - 1, places)
        return (count + self.k) / (total + self.k * self.counts.vocabulary_size)

    def tune(self, validation: np.ndarray) -> AddK:
        """Return the model whose k predicts a validation text (T,) best."""
        places = self.counts.locate(validation)

        def loss(log_k: np.ndarray) -> float:
            model = replace(self, k=float(np.exp(log_k[0])))
            return -float(np.log(model.probabilities(places)).mean())

        log_k = coordinate_search(loss, np.log([self.k]), step=1.0, smallest=0.02)
        return replace(self, k=float(np.exp(log_k[0])))


@dataclass(frozen=True)
class JelinekMercer(NgramModel):
    """Deleted interpolation, the smoothed trigram of Bengio et al. (2003), section 4.1.

    P(w | h) = sum of a_k(q) p_k(w | h) over k = 0 ... n: p_0 = 1 / V, and p_k is the relative
    frequency of w after the last k - 1 words of h (if these never occurred, p_k = p_(k-1)). The
    more often h was seen, the more its own counts are worth, so the weights depend on
    q = ceil(-ln((1 + c(h)) / T)), with T the length of the training text.
    """

    weights: np.ndarray  # (Q, n + 1): a_0 ... a_n for each q, their sum 1

    @classmethod
    def fit(
        cls,
        ids: np.ndarray,
        validation: np.ndarray,
        n: int,
        vocabulary_size: int,
        iterations: int = 50,
    ) -> JelinekMercer:
        """Count a training text (T,), then fit the weights by EM on a validation text (T',)."""
        counts = count_ngrams(ids, n, vocabulary_size)
        bins = int(np.ceil(np.log(counts.tokens))) + 1
        model = cls(counts, np.full((bins, n + 1), 1 / (n + 1)))
        places = counts.locate(validation)
        weights, _ = fit_mixture(
            model.components(places), model.bins(places), model.weights, iterations
        )
        return replace(model, weights=weights)

    def components(self, places: Places) -> np.ndarray:
        """Return p_0 ... p_n of each word, (n + 1, T)."""
        p = [np.full(places.grams.shape[1], 1 / self.counts.vocabulary_size)]
        for k in range(self.n):
            count, total = self.counts.frequencies(k, places)
            p.append(np.where(total > 0, count / np.maximum(total, 1), p[k]))
        return np.stack(p)

    def bins(self, places: Places) -> np.ndarray:
        """Return q of each context, (T,): small for frequent contexts, largest for unseen ones."""
        _, total = self.counts.frequencies(self.n - 1, places)
        return np.ceil(-np.log((1 + total) / self.counts.tokens)).clip(min=0).astype(int)

    def probabilities(self, places: Places) -> np.ndarray:
        """Return P(w | h), (T,)."""
        return (self.weights[self.bins(places)].T * self.components(places)).sum(0)


def fit_mixture(
    components: np.ndarray, bins: np.ndarray, weights: np.ndarray, iterations: int
) -> tuple[np.ndarray, list[float]]:
    """Fit mixture weights (Q, K) by EM, given the components' probabilities (K, T) of T words.

    Expectation: from which component did each word come? Maximisation: a component's weight is
    the share of words that came from it, bin by bin. One made-up word in each bin, shared evenly,
    keeps all weights above 0.

    Returns the weights, and the mean log-likelihood (nats a word) before each step.
    """
    trace = []
    for _ in range(iterations):
        joint = weights[bins].T * components  # (K, T)
        trace.append(float(np.log(joint.sum(0)).mean()))
        origin = joint / joint.sum(0)
        words = np.stack([np.bincount(bins, o, minlength=len(weights)) for o in origin], axis=1)
        weights = (words + 1 / len(origin)) / (words.sum(1, keepdims=True) + 1)  # (Q, K)
    return weights, trace


@dataclass(frozen=True)
class KneserNey(NgramModel):
    """Kneser-Ney smoothing: absolute discounts, and shorter contexts that count differently.

    (1) Take a discount D from every count and give what this frees to the shorter context h' (h
    without its first word). (2) There, ask not how often w was seen but after how many different
    words: *Francisco* is frequent, but only after *San*. (3) Modified (Chen & Goodman 1998): D
    depends on the count, D1, D2 or D3+.

    Back-off (Kneser & Ney 1995) asks h' for unseen words only, interpolation for all of them:
    P(w | h) = (c(h w) - D) / c(h) + [h' is asked] b(h) P(w | h'), b(h) such that the sum is 1.
    The context of no words interpolates with, or backs off to, 1 / V.
    """

    discounts: np.ndarray  # (n, 1) D, or (n, 3) D1, D2, D3+, for contexts of 0 ... n - 1 words
    interpolated: bool = True

    @classmethod
    def fit(
        cls,
        ids: np.ndarray,
        n: int,
        vocabulary_size: int,
        modified: bool = True,
        interpolated: bool = True,
    ) -> KneserNey:
        """Count a training text (T,) and estimate the discounts from it."""
        counts = count_ngrams(ids, n, vocabulary_size)
        size = 3 if modified else 1
        discounts = [estimate_discounts(kneser_ney_counts(counts, k), size) for k in range(n)]
        return cls(counts, np.stack(discounts), interpolated)

    def probabilities(self, places: Places) -> np.ndarray:
        """Return P(w | h), (T,), climbing from no context to the longest."""
        p = np.full(places.grams.shape[1], 1 / self.counts.vocabulary_size)
        for k, (seen, backoff) in enumerate(self.tables):
            gram, context = places.grams[k], places.contexts[k]
            p = np.where(gram == UNSEEN, backoff[context] * p, seen[gram])
        return p

    @cached_property
    def tables(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each order, P of its n-grams (N,) and b of its contexts, 1 for UNSEEN."""
        tables = []
        shorter = np.full(1, 1 / self.counts.vocabulary_size)
        for k in range(self.n):
            tables.append(self._table(k, shorter))
            shorter = tables[k][0]
        return tables

    def _table(self, k: int, shorter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order, counts = self.counts.orders[k], kneser_ney_counts(self.counts, k)
        discount = np.append(0, self.discounts[k])[np.minimum(counts, self.discounts.shape[1])]
        total = self.counts.sum_by_context(k, counts)
        freed = np.where(total > 0, self.counts.sum_by_context(k, discount), 1)
        total = np.maximum(total, 1)
        own = (counts - discount) / total[order.contexts]
        lower = shorter[order.suffixes]  # P(w | h')
        asked = self._asks_shorter(k, counts)
        b = freed / total / (1 - self.counts.sum_by_context(k, np.where(asked, 0, lower)))
        return own + np.where(asked, b[order.contexts] * lower, 0), b

    def _asks_shorter(self, k: int, counts: np.ndarray) -> np.ndarray:
        """Return for which n-grams (N,) the shorter context is asked, too."""
        if self.interpolated:
            return np.ones(len(counts), dtype=bool)
        words_seen = self.counts.sum_by_context(k, counts > 0)
        # A context that saw all V words has none to back off to: there it interpolates.
        saw_all = words_seen == self.counts.vocabulary_size
        return (counts == 0) | saw_all[self.counts.orders[k].contexts]

    def tune_discounts(self, validation: np.ndarray) -> KneserNey:
        """Return the model whose discounts, one by one, predict a validation text (T,) best."""
        places = self.counts.locate(validation)
        shape = self.discounts.shape

        def loss(flat: np.ndarray) -> float:
            discounts = flat.reshape(shape)
            if (discounts <= 0).any() or (discounts >= 1 + np.arange(shape[1])).any():
                return np.inf
            model = replace(self, discounts=discounts)
            return -float(np.log(model.probabilities(places)).mean())

        best = coordinate_search(loss, self.discounts.ravel(), step=0.2, smallest=0.02)
        return replace(self, discounts=best.reshape(shape))


def kneser_ney_counts(counts: NgramCounts, k: int) -> np.ndarray:
    """Return what Kneser-Ney counts for each n-gram of `orders[k]`, (N,).

    The longest n-grams count as often as they occur, shorter ones once for each different word
    before them; that makes 0 for words that open the text and never come again.
    """
    if k == len(counts.orders) - 1:
        return counts.orders[k].counts
    return np.bincount(counts.orders[k + 1].suffixes, minlength=len(counts.orders[k].keys))


def estimate_discounts(counts: np.ndarray, size: int) -> np.ndarray:
    """Estimate the discounts (size,) of the counts 1, 2, ..., and `size` or more.

    With n_r n-grams of count r and Y = n_1 / (n_1 + 2 n_2), D_r = r - (r + 1) Y n_(r+1) / n_r
    (Chen & Goodman 1998, modified Kneser-Ney); for a single discount this is Y itself.
    """
    n = np.bincount(np.minimum(counts, size + 2), minlength=size + 3)[1:-1]  # n_1 ... n_(size+1)
    if not n.all():
        return np.full(size, UNDEFINED_DISCOUNT)
    r = np.arange(1, size + 1)
    y = n[0] / (n[0] + 2 * n[1])
    discounts = r - (r + 1) * y * n[1:] / n[:-1]
    return np.where(discounts > 0, discounts, UNDEFINED_DISCOUNT)


def coordinate_search(
    loss: Callable[[np.ndarray], float], start: np.ndarray, step: float, smallest: float
) -> np.ndarray:
    """Minimise `loss` one number of `start` (D,) at a time, until all steps are below `smallest`.

    A step that lowers the loss is followed by one twice as long; one that does not, by one half as
    long the other way (Rosenbrock 1960, without his rotation of the axes).
    """
    best, lowest = start.astype(float), loss(start)
    steps = np.full(len(best), step)
    while np.abs(steps).max() >= smallest:
        for i in range(len(best)):
            trial = best.copy()
            trial[i] += steps[i]
            found = loss(trial)
            if found < lowest:
                best, lowest = trial, found
            steps[i] *= 2 if best is trial else -0.5
    return best
