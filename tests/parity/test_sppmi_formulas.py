"""SPPMI against the paper's formulas: dictionaries, and the optimum of word2vec's objective."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from nnlm2bert.models.sppmi import cooccurrences, pmi, sppmi, sppmi_vectors, truncated_svd

V, WINDOW, K = 9, 2, 1.2


@pytest.fixture(scope="module")
def text() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    sentences = np.arange(400) // 9
    return (random.zipf(1.6, 400) + 4 * (sentences % 3)) % V, sentences


def paired(ids: np.ndarray, sentences: np.ndarray) -> Counter:
    """The collection D of Levy & Goldberg (2014), section 2: pairs of word and context."""
    places = range(len(ids))
    return Counter(
        (ids[i], ids[j])
        for i in places
        for j in places
        if 0 < abs(i - j) <= WINDOW and sentences[i] == sentences[j]
    )


@pytest.mark.parametrize("power", [1.0, 0.75])
def test_sppmi_by_dictionaries(text, power: float) -> None:
    pairs = paired(*text)
    words, contexts = Counter(), Counter()
    for (word, context), number in pairs.items():
        words[word] += number
        contexts[context] += number
    smoothed = {c: number**power for c, number in contexts.items()}
    expected = np.zeros((V, V))
    for (w, c), number in pairs.items():
        chance = smoothed[c] / sum(smoothed.values())
        expected[w, c] = max(np.log(number / words[w] / chance) - np.log(K), 0)
    counts = cooccurrences(*text, V, WINDOW, dynamic=False)
    np.testing.assert_allclose(sppmi(counts, K, power).toarray(), expected, atol=1e-12)
    assert expected.any()


def test_shifted_pmi_is_the_optimum_of_negative_sampling(text) -> None:
    """The objective (equation 4, summed) has no slope where scores are PMI - log k."""
    counts = cooccurrences(*text, V, WINDOW)
    number = torch.tensor(counts.toarray())
    noise = number.sum(dim=0) ** 0.75 / (number.sum(dim=0) ** 0.75).sum()
    drawn = K * number.sum(dim=1, keepdim=True) * noise
    for shift, steep in ((np.log(K), False), (0.0, True)):
        scores = torch.tensor(pmi(counts, 0.75).toarray() - shift, requires_grad=True)
        (number * logsigmoid(scores) + drawn * logsigmoid(-scores)).sum().backward()
        assert (scores.grad[number > 0].abs().max() > 1e-10) == steep


def test_factors_against_scikit_learn(text) -> None:
    from sklearn.decomposition import TruncatedSVD

    table = sppmi(cooccurrences(*text, V, WINDOW), 1)
    theirs = TruncatedSVD(4, algorithm="arpack", random_state=0).fit_transform(table)
    signs = np.sign(theirs[np.abs(theirs).argmax(axis=0), np.arange(4)])
    np.testing.assert_allclose(truncated_svd(table, 4, exponent=1), theirs * signs, atol=1e-5)
    together = sppmi_vectors(*text, V, WINDOW, 1, 4, exponent=1)
    np.testing.assert_allclose(together, theirs * signs, atol=1e-5)
