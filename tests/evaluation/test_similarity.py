"""Rank correlation with coverage, and its units for resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nnlm2bert.evaluation.intervals import Measured, paired_bootstrap
from nnlm2bert.evaluation.similarity import score_pairs, similarity_units, spearman

NAN = float("nan")


def test_ranks_alone_matter() -> None:
    assert spearman([0.1, 0.2, 0.9], [1, 5, 6]).rho == pytest.approx(1)
    assert spearman([0.1, 0.2, 0.9], [6, 5, 1]).rho == pytest.approx(-1)
    # d = (0, 1, -1, 0): rho = 1 - 6 * 2 / (4 * 15) (Spearman 1904).
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]).rho == pytest.approx(0.8)


def test_pairs_that_are_not_covered_are_left_out_and_counted() -> None:
    found = spearman([0.1, NAN, 0.2, 0.9, NAN], [1, 9, 5, 6, 0])
    assert (found.rho, found.covered, found.pairs) == (pytest.approx(1), 3, 5)
    assert found.coverage == 0.6


def test_pairs_are_scored_where_both_words_are_known() -> None:
    lengths = {"cat": 3, "tiger": 5, "Jaguar": 6}
    pairs = [("tiger", "cat"), ("tiger", "jaguar"), ("lynx", "cat")]
    scores = score_pairs(pairs, lambda a, b: lengths[a] - lengths[b], lengths)
    np.testing.assert_array_equal(scores, [2, NAN, NAN])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [4, 10_000])
def test_units_have_rho_as_their_mean(seed: int, values: int) -> None:
    random = np.random.default_rng(seed)
    judged = random.integers(0, values, 353)
    predicted = judged + random.integers(0, values, 353).astype(float)
    predicted[::7] = np.nan
    units = similarity_units(predicted, judged)
    kept = ~np.isnan(predicted)
    truth = spearmanr(predicted[kept], judged[kept]).statistic
    assert abs(np.mean(units["nats"]) - truth) < 1e-12
    assert units["tokens"] == [1] * int(kept.sum())
    assert Measured.from_groups([units]).score == pytest.approx(truth, abs=1e-12)
    assert spearman(predicted, judged).rho == pytest.approx(truth, abs=1e-15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_units_under_many_ties(scores: list[tuple[int, int]]) -> None:
    predicted, judged = zip(*scores, strict=True)
    if len(set(predicted)) > 1 < len(set(judged)):
        mean = np.mean(similarity_units(predicted, judged)["nats"])
        assert abs(mean - spearmanr(predicted, judged).statistic) < 1e-12


def test_units_compare_two_models_on_the_same_pairs() -> None:
    random = np.random.default_rng(3)
    judged = random.normal(size=300)
    good, bad = (judged + noise * random.normal(size=300) for noise in (0.5, 5))
    one, other = (Measured.from_groups([similarity_units(m, judged)]) for m in (good, bad))
    difference = paired_bootstrap(one, other, resamples=200)
    assert difference.excludes(0) and difference.estimate > 0.5


@pytest.mark.parametrize(
    ("predicted", "judged", "words"),
    [
        ([1, 2], [1, 2, 3], r"predicted \(2,\) and judged \(3,\)"),
        ([1, NAN, NAN], [1, 2, 3], "1 of 3 pairs are covered"),
        ([1, 1, 1], [1, 2, 3], "not all scored the same"),
        ([1, 2, 3], [5, 5, 5], "not all scored the same"),
        ([1, 2, 3], [5, NAN, 6], "a judgement is missing"),
    ],
)
def test_what_has_no_ranks_is_refused(predicted: list, judged: list, words: str) -> None:
    for function in (spearman, similarity_units):
        with pytest.raises(ValueError, match=words):
            function(predicted, judged)
