"""The verdicts on word2vec, on made-up records with known answers."""

from __future__ import annotations

import math
import random

import pytest

from nnlm2bert.experiments.claims import claim

PAIRS = 200
ACCURACY = {
    "SG-small": 0.02,
    "SG-middle": 0.10,
    "SG-large": 0.30,
    "SG-middle-all-words": 0.10,
    "SVD5-large": 0.20,
}
SPEARMAN = {
    "SG-large": 0.60,
    "SVD5-large": 0.60,
    "SG-middle": 0.55,
    "SG-middle-independent": 0.55,
}
ANALOGIES = ("analogies", "shared analogies", "syntactic analogies")


@pytest.fixture
def word2vec(make_record):
    """Makes one record of the experiment `word2vec` and scale laptop."""

    def record(arm, seed=0, **fields):
        named = {"experiment": "word2vec", "scale": "laptop", "arm": arm, "seed": seed}
        return make_record(**{**named, **fields})

    return record


@pytest.fixture
def vectors(word2vec):
    """Makes three seeds of each arm with accuracies on analogies and correlations."""

    def records(changes=(), similarity=(), seeds=3, **fields):
        accuracy = {**ACCURACY, **dict(changes)}
        correlation = {**SPEARMAN, **dict(similarity)}
        arms = dict.fromkeys((*accuracy, *correlation))
        return [
            word2vec(
                arm,
                seed,
                groups=_groups(arm, seed, accuracy.get(arm, 0.1), correlation.get(arm, 0.5)),
                figures={"words": 1e6 * len(arm)},
                **fields,
            )
            for arm in arms
            for seed in range(1 if arm.startswith("SVD") else seeds)
        ]

    return records


def _groups(arm, seed, accuracy, correlation):
    groups = {
        name: _units([10 + unit % 7 for unit in range(PAIRS)], accuracy, 0.01, f"{arm} {seed}")
        for name in ANALOGIES
    }
    return {**groups, "word similarity": _units([1] * PAIRS, correlation, 0.1, f"{arm} {seed}")}


def _units(tokens, mean, noise, name):
    """Units of which some are hard for every arm; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(name)
    shares = [mean + hard.gauss(0, noise) + own.gauss(0, noise / 5) for _ in tokens]
    excess = sum(s * n for s, n in zip(shares, tokens, strict=True)) / sum(tokens) - mean
    return {
        "tokens": tokens,
        "nats": [n * (s - excess) for s, n in zip(shares, tokens, strict=True)],
    }


@pytest.fixture
def race(word2vec):
    """Makes the record of a race from words a second of both sides."""

    def record(arm, **speeds):
        series = {f"words a second, {name.replace('_', ' ')}": s for name, s in speeds.items()}
        return word2vec(arm, series=series)

    return record


@pytest.fixture
def subsampling(race):
    return race("race-subsampling", **{"sub-sampled": [300, 310, 290], "all_words": [101, 99, 100]})


@pytest.fixture
def sharing(race):
    return race("race-negatives", shared=[300, 310, 290], independent=[150, 151, 149])


def verdict(number, records):
    return claim(number).find(records).verdict


def test_growing_accuracy_holds(vectors):
    finding = claim(8).find(vectors())
    assert finding.verdict == "holds"
    assert "8, 9, 8 million words: 2.0, 10.0, 30.0 %" in finding.ours
    assert finding.estimate == pytest.approx(0.08)
    assert finding.note == "3 seeds, 200 first pairs of analogies"
    assert (finding.scale, finding.record) == ("laptop", "results/word2vec/laptop")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SG-large": 0.05}, "does not hold"),
        ({"SG-small": 0.15}, "does not hold"),
        ({"SG-large": 0.10}, "cannot tell at this scale"),
    ],
)
def test_accuracy_must_grow_at_every_step(vectors, changes, expected):
    assert verdict(8, vectors(changes)) == expected


def test_accuracies_on_other_questions_are_not_compared(vectors):
    records = vectors()
    small = [record for record in records if record.arm == "SG-small"]
    small[2].groups["shared analogies"]["tokens"][0] += 1
    finding = claim(8).find(records)
    assert finding.verdict == "not yet measured"
    assert "SG-small, seed 2 has no group 'shared analogies' of the same" in finding.note


def test_subsampling_holds_if_twice_as_fast_at_no_loss(vectors, subsampling):
    finding = claim(9).find([*vectors(), subsampling])
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx(3, abs=0.01)
    assert finding.interval[0] > 2 and "in 3 turns" in finding.ours


@pytest.mark.parametrize(
    ("fast", "with_it", "expected"),
    [
        ([150, 151, 149], 0.10, "does not hold"),
        ([150, 200, 260], 0.10, "cannot tell at this scale"),
        ([300, 310, 290], 0.05, "does not hold"),
        ([300, 310, 290], 0.15, "holds"),
    ],
)
def test_subsampling_must_be_fast_and_cost_nothing(vectors, race, fast, with_it, expected):
    run = race("race-subsampling", **{"sub-sampled": fast, "all_words": [100, 100, 100]})
    records = vectors({"SG-middle": with_it})
    assert verdict(9, [*records, run]) == expected


def _regressions(word2vec, intercepts, correlation=0.8, seeds=3, noise=0.01):
    return [
        word2vec(
            f"PMI-k{k}",
            seed,
            figures={
                "correlation with PMI": correlation + noise * seed,
                "intercept": intercept + noise * (seed - 1) * (1 + k / 10),
            },
        )
        for k, intercept in zip((1, 5, 15), intercepts, strict=True)
        for seed in range(seeds)
    ]


SHIFTED = (0.3, 0.3 - math.log(5), 0.3 - math.log(15))


def test_pmi_holds_if_the_intercept_falls_by_the_logarithm(word2vec):
    finding = claim(10).find(_regressions(word2vec, SHIFTED))
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx(0, abs=1e-9)
    assert "r = 0.81, 0.81, 0.81; intercept 0.30, -1.31, -2.41" in finding.ours
    assert finding.note == "3 seeds"


@pytest.mark.parametrize(
    ("intercepts", "options", "expected"),
    [
        ((0.3, -1.1, -2.2), {}, "does not hold"),
        (SHIFTED, {"correlation": 0.5}, "does not hold"),
        (SHIFTED, {"correlation": 0.69}, "cannot tell at this scale"),
        (SHIFTED, {"seeds": 1}, "cannot tell at this scale"),
    ],
)
def test_pmi_needs_both_correlation_and_shift(word2vec, intercepts, options, expected):
    assert verdict(10, _regressions(word2vec, intercepts, **options)) == expected


def test_the_larger_deviation_from_the_shift_is_shown(word2vec):
    finding = claim(10).find(_regressions(word2vec, (0.0, -math.log(5), -math.log(15) + 0.5)))
    assert finding.quantity.startswith("fall of the intercept from k = 5 to k = 15")
    assert finding.estimate == pytest.approx(-0.5)


def test_a_missing_figure_is_named(word2vec):
    records = [word2vec(f"PMI-k{k}", figures={"intercept": 0.0}) for k in (1, 5, 15)]
    finding = claim(10).find(records)
    assert finding.note == "laptop: PMI-k1, seed 0 has no figure 'correlation with PMI'"


def test_counts_hold_if_as_good_on_similarity_and_behind_on_syntax(vectors):
    finding = claim(11).find(vectors())
    assert finding.verdict == "holds"
    assert finding.interval[0] < 0 < finding.interval[1]
    assert "syntactic analogies 20.0 and 30.0 %: skip-gram ahead by 10.0" in finding.ours


@pytest.mark.parametrize(
    ("accuracy", "correlation", "expected"),
    [
        (0.20, 0.40, "does not hold"),
        (0.20, 0.80, "does not hold"),
        (0.40, 0.60, "does not hold"),
        (0.30, 0.60, "cannot tell at this scale"),
    ],
)
def test_counts_must_be_even_here_and_behind_there(vectors, accuracy, correlation, expected):
    records = vectors({"SVD5-large": accuracy}, {"SVD5-large": correlation})
    assert verdict(11, records) == expected


def test_counts_need_no_seeds(vectors):
    assert claim(11).find(vectors()).note.startswith("3 seeds, ")
    one = claim(11).find(vectors(seeds=1))
    kinds = "pairs of words and first pairs of syntactic analogies"
    assert one.note.startswith("1 seed, ") and one.note.endswith(f"covers {kinds} only")


def test_sharing_holds_if_faster_and_as_good(vectors, sharing):
    finding = claim(12).find([*vectors(), sharing])
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(
    ("shared", "correlation", "expected"),
    [
        ([100, 101, 99], 0.55, "does not hold"),
        ([150, 140, 160], 0.55, "cannot tell at this scale"),
        ([300, 310, 290], 0.40, "does not hold"),
    ],
)
def test_sharing_must_be_faster_and_cost_nothing(vectors, race, shared, correlation, expected):
    run = race("race-negatives", shared=shared, independent=[150, 151, 149])
    records = vectors(similarity={"SG-middle": correlation})
    assert verdict(12, [*records, run]) == expected


def _senses(word2vec, context, words=60, seeds=3):
    names = {"word vectors": 0.55, "context vectors": context}
    return [
        word2vec(
            "senses-CBOW",
            seed,
            groups={
                name: _units([1] * words, mean, 0.05, f"{name} {seed}")
                for name, mean in names.items()
            },
        )
        for seed in range(seeds)
    ]


@pytest.mark.parametrize(
    ("context", "words", "expected"),
    [
        (0.65, 60, "holds"),
        (0.55, 60, "cannot tell at this scale"),
        (0.45, 60, "does not hold"),
        (0.65, 19, "cannot tell at this scale"),
    ],
)
def test_context_must_tell_the_senses_of_enough_words(word2vec, context, words, expected):
    finding = claim(13).find(_senses(word2vec, context, words))
    assert finding.verdict == expected
    assert finding.estimate == pytest.approx(context - 0.55)
    assert f"{100 * context:.1f} % by the mean" in finding.ours


@pytest.mark.parametrize("number", [8, 9, 10, 11, 12, 13])
def test_without_records_nothing_is_measured(vectors, word2vec, number):
    assert verdict(number, []) == "not yet measured"
    smoke = [*vectors(scale="smoke"), *_senses(word2vec, 0.65)]
    assert verdict(number, [r for r in smoke if r.scale == "smoke"]) == "not yet measured"
    assert verdict(number, vectors(experiment="other")) == "not yet measured"


def test_a_race_without_its_series_is_named(vectors, word2vec):
    finding = claim(12).find([*vectors(), word2vec("race-negatives", series={})])
    assert "race-negatives, seed 0 has no series 'words a second, shared'" in finding.note
