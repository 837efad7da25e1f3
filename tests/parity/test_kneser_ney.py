"""Kneser-Ney against nltk and against Chen & Goodman's formulas, written with dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from nnlm2bert.models.ngram import KneserNey

V, N = 9, 4
Gram = tuple[int, ...]


def zipf_text(length: int, seed: int) -> np.ndarray:
    """Return a text (length,) whose words are unevenly frequent and depend on the one before."""
    random = np.random.default_rng(seed)
    chain = random.dirichlet(1 / np.arange(1, V + 1), size=V)
    words = [0]
    while len(words) < length:
        words.append(int(random.choice(V, p=chain[words[-1]])))
    return np.array(words)


class DictionaryKneserNey:
    """The formulas of Chen & Goodman (1998), as slow and plain as can be."""

    def __init__(self, text: list[int], n: int, modified: bool, interpolated: bool) -> None:
        self.n, self.interpolated = n, interpolated
        self.counts: list[dict[Gram, Counter]] = []
        for length in range(1, n + 1):
            self.counts.append(self.count(text, length))
        self.discounts = [self.discount(counts, modified) for counts in self.counts]

    def count(self, text: list[int], length: int) -> dict[Gram, Counter]:
        """Count occurrences of the longest n-grams, different left neighbours of all others."""
        longer = length if length == self.n else length + 1
        grams = [tuple(text[t : t + longer]) for t in range(len(text) - longer + 1)]
        counts: dict[Gram, Counter] = defaultdict(Counter)
        for gram in grams if length == self.n else set(grams):
            gram = gram[-length:]
            counts[gram[:-1]][gram[-1]] += 1
        return counts

    def discount(self, counts: dict[Gram, Counter], modified: bool) -> list[float]:
        of = Counter(c for followers in counts.values() for c in followers.values())
        needed = (1, 2, 3, 4) if modified else (1, 2)
        if not all(of[r] for r in needed):
            return [0, 0.5, 0.5, 0.5]
        y = of[1] / (of[1] + 2 * of[2])
        if not modified:
            return [0, y, y, y]
        estimates = [r - (r + 1) * y * of[r + 1] / of[r] for r in (1, 2, 3)]
        return [0, *(d if d > 0 else 0.5 for d in estimates)]

    def probability(self, word: int, context: Gram) -> float:
        """Return P(word | context), asking shorter contexts in turn."""
        followers = self.counts[len(context)].get(context)
        if not followers:
            return self.shorter(word, context)
        discounts = self.discounts[len(context)]
        total = sum(followers.values())
        freed = sum(discounts[min(c, 3)] for c in followers.values()) / total
        own = (followers[word] - discounts[min(followers[word], 3)]) / total
        if self.interpolated or len(followers) == V:
            return own + freed * self.shorter(word, context)
        if word in followers:
            return own
        unseen = [w for w in range(V) if w not in followers]
        return freed * self.shorter(word, context) / sum(self.shorter(w, context) for w in unseen)

    def shorter(self, word: int, context: Gram) -> float:
        return self.probability(word, context[1:]) if context else 1 / V


@pytest.mark.parametrize("modified", [True, False])
@pytest.mark.parametrize("interpolated", [True, False])
@pytest.mark.parametrize("length", [12, 150, 900])
def test_agrees_with_the_formulas(length: int, interpolated: bool, modified: bool):
    train, test = zipf_text(length, seed=1), zipf_text(80, seed=2)
    plain = DictionaryKneserNey(train.tolist(), N, modified, interpolated)
    model = KneserNey.fit(train, N, V, modified, interpolated)
    for k, discounts in enumerate(plain.discounts):
        assert model.discounts[k] == pytest.approx(discounts[1 : 4 if modified else 2])
    contexts = [tuple(test[max(t - N + 1, 0) : t].tolist()) for t in range(len(test))]
    expected = [plain.probability(w, c) for w, c in zip(test.tolist(), contexts, strict=True)]
    assert np.exp(model.log_probabilities(test)) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_nltk():
    """nltk has one discount for all orders, none for single words, and no uniform floor.

    It also counts the words that open a text as freeing a discount that nothing paid, so its sums
    exceed 1 there; a text that ends as it begins has no such words.
    """
    lm = pytest.importorskip("nltk.lm", reason="nltk is not installed")
    from nltk.util import everygrams

    text = zipf_text(200, seed=3)
    text = np.append(text, text[:N])
    words = [str(word) for word in text]
    reference = lm.KneserNeyInterpolated(N, discount=0.6)
    reference.fit([list(everygrams(words, max_len=N))], vocabulary_text=words)
    model = KneserNey.fit(text, N, V, modified=False)
    model = replace(model, discounts=np.array([[0.0]] + [[0.6]] * (N - 1)))
    assert set(text.tolist()) == set(range(V))
    for context in ([], [0], [3, 1], [0, 0, 2], [8, 7, 8], text[5:8].tolist()):
        known = [str(word) for word in context]
        expected = [reference.score(str(word), known) for word in range(V)]
        assert model.distribution(np.array(context, dtype=int)) == pytest.approx(expected)
