"""Counting in windows, SPPMI and its factorisation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from nnlm2bert.models.sppmi import cooccurrences, pmi, sppmi, sppmi_vectors, truncated_svd

V = 12


@pytest.fixture(scope="module")
def text() -> tuple[np.ndarray, np.ndarray]:
    """A text whose words depend on the sentence they stand in."""
    random = np.random.default_rng(0)
    sentences = np.sort(random.integers(0, 60, 500))
    ids = (random.integers(0, 5, 500) ** 2 // 4 + 3 * (sentences % 4)) % V
    return ids, sentences


@pytest.fixture(scope="module")
def counts(text) -> sparse.csr_array:
    return cooccurrences(*text, V, window=3)


def counted(ids: np.ndarray, sentences: np.ndarray, window: int, dynamic: bool) -> np.ndarray:
    """Word by word, place by place."""
    table = np.zeros((V, V))
    for i, word in enumerate(ids):
        for j in range(max(0, i - window), min(len(ids), i + window + 1)):
            if j != i and sentences[i] == sentences[j]:
                table[word, ids[j]] += (window + 1 - abs(i - j)) / window if dynamic else 1
    return table


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("at_once", [7, 1_000])
def test_counts_equal_a_plain_loop(
    monkeypatch, text, window: int, dynamic: bool, at_once: int
) -> None:
    monkeypatch.setattr("nnlm2bert.models.sppmi.WORDS_AT_ONCE", at_once)
    found = cooccurrences(*text, V, window, dynamic)
    assert found.dtype == np.float64 and found.has_canonical_format
    np.testing.assert_allclose(found.toarray(), counted(*text, window, dynamic), rtol=1e-12)


def test_weights_are_those_of_the_shrinking_window(text) -> None:
    """The mean of the tables for every radius that word2vec may draw."""
    every = [cooccurrences(*text, V, radius, dynamic=False).toarray() for radius in (1, 2, 3, 4)]
    expected = cooccurrences(*text, V, window=4).toarray()
    np.testing.assert_allclose(expected, np.mean(every, axis=0), rtol=1e-12)


def test_a_window_may_reach_beyond_the_text() -> None:
    found = cooccurrences(np.array([3, 4]), np.array([0, 0]), V, window=9)
    assert found.toarray()[3, 4] == found.sum() / 2 == 1


def test_windows_end_with_sentences() -> None:
    found = cooccurrences(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]), 4, window=3)
    assert sorted(zip(*map(np.ndarray.tolist, found.nonzero()), strict=True)) == [
        (0, 1),
        (1, 0),
        (2, 3),
        (3, 2),
    ]


def test_texts_without_pairs_count_nothing() -> None:
    assert cooccurrences(np.arange(5), np.arange(5), V, window=2).nnz == 0
    assert cooccurrences(np.array([], dtype=int), np.array([]), V, window=2).nnz == 0


def test_chances_of_pmi_are_of_pairs(counts) -> None:
    table, pairs = pmi(counts).toarray(), counts.toarray() / counts.sum()
    alone = pairs.sum(axis=1)
    stored = pairs > 0
    expected = np.log(pairs[stored] / np.outer(alone, alone)[stored])
    np.testing.assert_allclose(table[stored], expected, atol=1e-12)
    assert pmi(counts).nnz == counts.nnz


def test_independent_words_have_no_information() -> None:
    chance = np.array([0.5, 0.3, 0.2])
    table = pmi(sparse.csr_array(np.outer(chance, chance)))
    assert table.nnz == 9 and np.abs(table.data).max() < 1e-15


def test_smoothing_favours_frequent_contexts(counts) -> None:
    """PMI(w, c) falls for rare c and rises for frequent c, by the same amount for all w."""
    plain, smooth = pmi(counts).toarray(), pmi(counts, 0.75).toarray()
    stored = counts.toarray() > 0
    frequent = np.asarray(counts.sum(axis=0)).argsort()
    moved = [(smooth - plain)[stored[:, c], c] for c in frequent]
    assert max(np.ptp(column) for column in moved) < 1e-12
    steps = np.diff([column[0] for column in moved])
    assert (steps > -1e-12).all() and moved[0][0] < 0 < moved[-1][0]


def test_shift_and_cut(counts) -> None:
    plain, shifted = pmi(counts, 0.75).toarray(), sppmi(counts, negatives=3).toarray()
    expected = np.where(counts.toarray() > 0, np.maximum(plain - np.log(3), 0), 0)
    np.testing.assert_allclose(shifted, expected, atol=1e-12)
    assert sppmi(counts, negatives=3).data.min() > 0
    assert 0 < sppmi(counts, negatives=3).nnz < sppmi(counts, negatives=1).nnz


def test_counts_stay_as_they_are(counts) -> None:
    before = counts.copy()
    sppmi(counts, negatives=5)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(counts, part), getattr(before, part))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_factors_equal_those_of_the_dense_matrix(counts, exponent: float) -> None:
    table = sppmi(counts)
    left, values, _ = np.linalg.svd(table.toarray())
    found = truncated_svd(table, 4, exponent)
    expected = left[:, :4] * values[:4] ** exponent
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, atol=1e-5)
    assert found.dtype == np.float32 and (np.abs(found).max(0) == found.max(0)).all()


def test_one_text_gives_one_matrix(text) -> None:
    once, again = (sppmi_vectors(*text, V, 3, negatives=1, dimension=5) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == (V, 5)


def test_a_word_without_contexts_has_the_zero_vector(text) -> None:
    vectors = sppmi_vectors(*text, V + 1, 3, negatives=1, dimension=5)
    assert np.abs(vectors[V]).max() < 1e-6 < np.abs(vectors[:V]).max(axis=1).min()


def test_words_of_one_topic_lie_together() -> None:
    """Two halves of a vocabulary that never share a sentence."""
    sentences = np.arange(3000) // 6
    ids = np.random.default_rng(0).integers(0, 5, 3000) + 5 * (sentences % 2)
    vectors = sppmi_vectors(ids, sentences, 10, 3, negatives=1, dimension=2)
    cosines = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    same = np.equal.outer(np.arange(10) // 5, np.arange(10) // 5)
    assert cosines[same].min() > 0.9 and cosines[~same].max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [0], 2, 1), r"ids \(2,\) and sentences \(1,\)"),
        (([0, 2], [0, 0], 2, 1), "must lie in 0 ... 1, not 0 ... 2"),
        (([0, -1], [0, 0], 2, 1), "not -1 ... 0"),
        (([0, 1], [0, 0], 2, 0), "reaches at least one word"),
    ],
)
def test_impossible_texts_are_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cooccurrences(*arguments)


def test_impossible_settings_are_refused(counts) -> None:
    with pytest.raises(ValueError, match="number above 0"):
        sppmi(counts, negatives=0)
    for dimension in (0, V):
        with pytest.raises(ValueError, match=f"dimension={dimension}: must lie in 1 ... 11"):
            truncated_svd(counts, dimension)
