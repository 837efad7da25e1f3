"""Intervals: against scipy, against closed forms, and their coverage on simulated records."""

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from nnlm2bert.evaluation.intervals import (
    Interval,
    Measured,
    bootstrap,
    contrast,
    interaction_bootstrap,
    mcnemar,
    mean_interval,
    paired_bootstrap,
    student_quantile,
    wilson_interval,
)

SIZES = tuple(range(60, 140, 2))


def system(nats: float, generator: random.Random, seeds: int = 1, noise: float = 0.0) -> Measured:
    """Return a system of so many nats a token, with documents and seeds that differ by chance."""
    offsets = [generator.gauss(0, noise) for _ in range(seeds)]
    ease = [generator.gauss(0, 0.2) for _ in SIZES]
    return Measured(
        SIZES,
        tuple(
            tuple(size * (nats + offset + own) for size, own in zip(SIZES, ease, strict=True))
            for offset in offsets
        ),
    )


def test_an_interval_knows_what_it_excludes_and_can_be_mapped():
    interval = Interval(-0.2, -0.3, -0.1)
    assert interval.excludes(0) and interval.excludes(-0.31)
    assert not interval.excludes(-0.3)
    ratio = interval.map(math.exp)
    assert (ratio.estimate, ratio.low) == (math.exp(-0.2), math.exp(-0.3))
    assert ratio.excludes(1.0)


def test_the_score_is_nats_a_token_over_all_seeds():
    groups = [{"tokens": [1, 3], "nats": [2.0, 6.0]}, {"tokens": [1, 3], "nats": [4.0, 12.0]}]
    assert Measured.from_groups(groups).score == 3.0
    accuracy = Measured.from_correct([[True, False, True, True], [True, True, True, True]])
    assert accuracy.score == 0.875


def test_different_tokens_are_not_paired():
    with pytest.raises(ValueError, match="2 different sets of tokens"):
        Measured.from_groups(
            [{"tokens": [1, 2], "nats": [1, 1]}, {"tokens": [1, 3], "nats": [1, 1]}]
        )
    with pytest.raises(ValueError, match="nothing is paired"):
        paired_bootstrap(Measured((1, 2), ((1, 1),)), Measured((1, 3), ((1, 1),)))
    with pytest.raises(ValueError, match="at least two documents"):
        Measured((1,), ((1,),))
    with pytest.raises(ValueError, match="one sum for each document"):
        Measured((1, 2), ((1,),))


def test_agrees_with_scipy_on_the_paired_bootstrap_of_documents():
    generator = random.Random(0)
    ours, rival = system(5.0, generator), system(5.1, generator)

    def difference(sizes, one, other, axis):
        return (one.sum(axis) - other.sum(axis)) / sizes.sum(axis)

    columns = [np.array(row) for row in (SIZES, ours.sums[0], rival.sums[0])]
    theirs = stats.bootstrap(
        columns,
        difference,
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    interval = paired_bootstrap(ours, rival, resamples=20_000)
    assert interval.estimate == pytest.approx(ours.score - rival.score)
    assert (interval.low, interval.high) == pytest.approx(theirs, abs=0.004)


def test_pairing_takes_the_difficulty_of_the_text_out():
    generator = random.Random(1)
    ours = system(5.0, generator)
    rival = Measured(SIZES, (tuple(nats * 1.01 for nats in ours.sums[0]),))
    paired = paired_bootstrap(ours, rival)
    alone = contrast([ours], [1.0])
    assert paired.excludes(0)
    assert alone.high - alone.low > 50 * (paired.high - paired.low)


def test_a_level_and_a_seed_can_be_chosen():
    generator = random.Random(2)
    systems = system(5.0, generator), system(5.1, generator, seeds=3, noise=0.1)
    wide, narrow = (paired_bootstrap(*systems, level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert paired_bootstrap(*systems) == paired_bootstrap(*systems)
    assert paired_bootstrap(*systems, seed=1) != paired_bootstrap(*systems)


def test_three_seeds_show_their_full_variance():
    means = (4.9, 5.0, 5.4)
    seeds = Measured(SIZES, tuple(tuple(size * mean for size in SIZES) for mean in means))
    interval = contrast([seeds], [1.0], level=0.6827, resamples=20_000)
    error = np.std(means, ddof=1) / math.sqrt(3)
    assert (interval.high - interval.low) / 2 == pytest.approx(error, rel=0.3)
    draws = contrast([seeds], [1.0], level=1.0, resamples=20_000)
    stretch = math.sqrt(3 / 2)
    assert draws.low == pytest.approx(5.1 - stretch * 0.2)
    assert draws.high == pytest.approx(5.1 + stretch * 0.3)


def test_the_interaction_is_the_difference_of_differences():
    generator = random.Random(3)
    four = [system(nats, generator, seeds=2, noise=0.01) for nats in (5.3, 5.0, 5.4, 5.35)]
    interval = interaction_bootstrap((four[0], four[1]), (four[2], four[3]))
    scores = [one.score for one in four]
    expected = (scores[0] - scores[1]) - (scores[2] - scores[3])
    assert interval.estimate == pytest.approx(expected)
    assert interval.low < expected < interval.high


def test_a_contrast_is_the_linear_case_of_the_bootstrap():
    generator = random.Random(4)
    systems = [system(nats, generator, seeds=3, noise=0.05) for nats in (5.3, 5.0, 5.1)]
    whole = bootstrap(systems, lambda scores: scores[0] - scores[1] + 2 * scores[2])
    parts = contrast(systems, (1.0, -1.0, 2.0))
    assert (whole.estimate, whole.low, whole.high) == pytest.approx(
        (parts.estimate, parts.low, parts.high), rel=1e-12
    )


def test_a_recorded_contrast_stays_what_it_was():
    """To the last bit: what is recorded of a verdict is compared exactly."""
    systems = [
        Measured((3, 5, 2, 4), ((1.5, 2.5, 1.0, 2.0), (1.0, 2.0, 1.5, 2.5), (2.0, 2.0, 1.0, 1.0))),
        Measured((3, 5, 2, 4), ((1.25, 2.0, 1.0, 1.5), (1.0, 1.5, 1.5, 2.0))),
    ]
    interval = contrast(systems, (1.0, -1.0), resamples=200)
    assert (interval.low, interval.high) == (-0.08676854599259949, 0.15746530115554813)


def test_the_bootstrap_of_a_maximum_is_that_of_each_draw():
    """The maximum of means, not the mean of maxima: drawn above both systems' own scores."""
    generator = random.Random(5)
    two = [system(5.0, generator), system(5.0, generator)]
    largest = bootstrap(two, max)
    assert largest.estimate == max(one.score for one in two)
    assert largest.low > min(contrast([one], [1.0]).low for one in two)


def test_paired_seeds_take_the_difficulty_of_a_seed_out():
    splits = (0.5, 0.2, 0.8, 0.4, 0.6)
    sums = tuple(tuple(size * split for size in SIZES) for split in splits)
    rival = tuple(tuple(size * (split + 0.01) for size in SIZES) for split in splits)
    systems = Measured(SIZES, sums), Measured(SIZES, rival)

    def difference(scores):
        return scores[0] - scores[1]

    paired = bootstrap(systems, difference, paired_seeds=True)
    assert (paired.low, paired.high) == pytest.approx((-0.01, -0.01))
    alone = bootstrap(systems, difference)
    assert alone.high - alone.low > 0.2


def test_paired_seeds_show_their_full_variance():
    means = (4.9, 5.0, 5.4)
    seeds = Measured(SIZES, tuple(tuple(size * mean for size in SIZES) for mean in means))
    draws = bootstrap([seeds, seeds], min, paired_seeds=True, level=1.0, resamples=20_000)
    stretch = math.sqrt(3 / 2)
    assert draws.low == pytest.approx(5.1 - stretch * 0.2)
    assert draws.high == pytest.approx(5.1 + stretch * 0.3)


def test_unequal_numbers_of_seeds_cannot_be_paired():
    generator = random.Random(6)
    systems = [system(5.0, generator, seeds=seeds) for seeds in (2, 3)]
    with pytest.raises(ValueError, match=r"as many for each system, not \[2, 3\]"):
        bootstrap(systems, sum, paired_seeds=True)


def simulated(generator: np.random.Generator, seeds: int, documents: int) -> Interval:
    """Return the interval of one simulated comparison in which the truth is -0.1."""
    sizes = generator.integers(50, 150, documents)
    ease = generator.normal(0, 0.5, documents)
    systems = []
    for nats in (5.0, 5.1):
        own = generator.normal(0, 0.1, documents)
        offsets = generator.normal(0, 0.03, (seeds, 1))
        sums = sizes * (nats + ease + own + offsets)
        systems.append(Measured(tuple(sizes.tolist()), tuple(map(tuple, sums.tolist()))))
    return paired_bootstrap(*systems, resamples=200, seed=int(generator.integers(2**31)))


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.89), (8, 0.91)])
def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says(seeds, least):
    generator = np.random.default_rng(0)
    intervals = [simulated(generator, seeds, documents=40) for _ in range(300)]
    covered = sum(not interval.excludes(-0.1) for interval in intervals) / len(intervals)
    assert least <= covered <= 0.98


def test_accuracies_are_compared_item_by_item():
    generator = np.random.default_rng(0)
    rival = generator.random((1, 500)) < 0.7
    ours = rival | (generator.random((1, 500)) < 0.1)
    interval = paired_bootstrap(Measured.from_correct(ours), Measured.from_correct(rival))
    gain = (ours & ~rival).mean()
    error = math.sqrt(gain * (1 - gain) / 500)
    assert interval.estimate == pytest.approx(gain)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 29, 120])
def test_student_is_that_of_scipy(degrees):
    for probability in (0.005, 0.3, 0.5, 0.9, 0.975, 0.9995):
        expected = stats.t.ppf(probability, degrees)
        assert student_quantile(probability, degrees) == pytest.approx(expected, abs=1e-9, rel=1e-9)


def test_the_mean_of_seeds_has_students_interval():
    values = [101.2, 99.5, 104.0]
    interval = mean_interval(values)
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.estimate == pytest.approx(np.mean(values))
    with pytest.raises(ValueError, match="at least two values"):
        mean_interval([1.0])


@pytest.mark.parametrize(("successes", "trials"), [(0, 9), (9, 9), (1, 3), (697, 872), (1, 10**6)])
def test_wilson_is_that_of_scipy(successes, trials):
    interval = wilson_interval(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
    assert interval.estimate == successes / trials


def test_wilson_refuses_impossible_counts():
    with pytest.raises(ValueError, match="5 successes in 4 trials"):
        wilson_interval(5, 4)


@pytest.mark.parametrize(("ours", "rival"), [(0, 0), (3, 3), (10, 2), (2, 10), (40, 61)])
def test_mcnemar_is_the_binomial_test_of_the_disagreements(ours, rival):
    expected = stats.binomtest(ours, ours + rival).pvalue if ours + rival else 1.0
    assert mcnemar(ours, rival) == pytest.approx(expected)


def test_intervals_and_perplexity_load_without_numpy_and_torch():
    code = (
        "import sys; sys.modules['numpy'] = sys.modules['torch'] = None;"
        "from nnlm2bert.evaluation import intervals, perplexity;"
        "print(intervals.wilson_interval(1, 2).estimate, perplexity.perplexity(0.0, 3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0.5 1.0\n", done.stderr
