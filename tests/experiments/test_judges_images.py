"""The verdicts on images, on made-up records with known answers."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from scipy import stats

from nnlm2bert.experiments.claims import claim
from nnlm2bert.experiments.images import judges as judges_images
from nnlm2bert.experiments.judges import spearman

UNITS, TESTED = 12, 80
FALLING = {1: 0.66, 2: 0.64, 3: 0.60, 4: 0.56, 5: 0.50}
OWN = {1: 0.67, 2: 0.66, 3: 0.65, 4: 0.64, 5: 0.66}
TUNED = {1: 0.68, 2: 0.69, 3: 0.69, 4: 0.70, 5: 0.70}
DISTANT = {1: 0.65, 2: 0.61, 3: 0.55, 4: 0.50, 5: 0.40}
ACCURACY = {
    "CIFAR-random-base": {0: 0.67},
    "CIFAR-random-AnB": FALLING,
    "CIFAR-random-BnB": OWN,
    "CIFAR-random-AnB+": TUNED,
    "CIFAR-distant-base": {0: 0.67},
    "CIFAR-distant-AnB": DISTANT,
    "pocket-near-base": {0: 0.95},
    "pocket-near-AnB": {5: 0.90},
    "pocket-far-base": {0: 0.95},
    "pocket-far-AnB": {5: 0.80},
}
LABELLED = {
    "MNIST-scratch": (0.30, 0.50, 0.75, 0.88, 0.95),
    "MNIST-frozen": (0.60, 0.70, 0.85, 0.93, 0.96),
    "MNIST-tuned": (0.50, 0.65, 0.85, 0.94, 0.97),
}
READ_OFF = {
    "strokes": (0.55, 0.50, 0.45, 0.40, 0.38),
    "parts": (0.30, 0.40, 0.60, 0.50, 0.45),
    "objects": (0.60, 0.70, 0.80, 0.90, 0.95),
}
COUNTS = (1, 3, 10, 30, 100)


@pytest.fixture
def images(make_record):
    """Makes seeds of every arm that is judged; seeds differ by ``hardness`` in all arms alike."""

    def records(changes=(), seeds=range(5), hardness=0.02, **fields):
        scores = {**_scores(), **dict(changes)}
        return [
            make_record(
                experiment="images",
                scale=fields.get("scale", "laptop"),
                arm=arm,
                seed=seed,
                groups={
                    name: _group(share, f"{arm} {name} {seed}", seed, hardness)
                    for name, share in shares.items()
                },
            )
            for arm, shares in scores.items()
            for seed in seeds
        ]

    return records


def _scores():
    layers = {arm: _by_layer(shares) for arm, shares in ACCURACY.items()}
    labels = {arm: _by_labels(shares) for arm, shares in LABELLED.items()}
    return {**layers, **labels, "pocket-probes": _probes(READ_OFF)}


def _by_layer(shares):
    return {f"n = {n}": share for n, share in shares.items()}


def _by_labels(shares):
    names = [f"{count} label{'s' * (count > 1)}" for count in COUNTS]
    return dict(zip(names, shares, strict=True))


def _probes(levels):
    return {
        f"{level}, layer {n}": share
        for level, shares in levels.items()
        for n, share in enumerate(shares, start=1)
    }


def _group(share, name, seed, hardness):
    """Right answers of which some units and some seeds give fewer, to every arm, and chance."""
    hard, own = random.Random(0), random.Random(name)
    shift = hardness * (seed - 2)
    nats = [
        TESTED * (share + shift + hard.gauss(0, 0.1) + own.gauss(0, 0.01)) for _ in range(UNITS)
    ]
    return {"tokens": [TESTED] * UNITS, "nats": nats}


def verdict(number, records):
    return claim(number).find(records).verdict


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_papers_pattern_holds(images, number):
    finding = claim(number).find(images())
    assert finding.verdict == "holds"
    assert (finding.scale, finding.record) == ("laptop", "results/images/laptop")
    assert finding.note == "5 seeds, 12 groups of test pictures"


@pytest.mark.parametrize(
    ("number", "arm", "shares", "expected"),
    [
        (1, "CIFAR-random-AnB", {1: 0.50, 2: 0.55, 3: 0.6, 4: 0.63, 5: 0.66}, "does not hold"),
        (1, "CIFAR-random-AnB", {1: 0.6, 2: 0.6, 3: 0.6, 4: 0.6, 5: 0.6}, "cannot tell"),
        (1, "CIFAR-random-BnB", {**OWN, 5: 0.45}, "does not hold"),
        (1, "CIFAR-random-BnB", {**OWN, 5: 0.502}, "cannot tell"),
        (2, "CIFAR-distant-AnB", {**DISTANT, 3: 0.63}, "does not hold"),
        (2, "CIFAR-distant-AnB", {**DISTANT, 4: 0.56}, "cannot tell"),
        (2, "CIFAR-distant-AnB", {**DISTANT, 1: 0.67}, "holds"),
        (3, "CIFAR-random-AnB+", dict.fromkeys(range(1, 6), 0.60), "does not hold"),
        (3, "CIFAR-random-AnB+", dict.fromkeys(range(1, 6), 0.67), "cannot tell"),
        (3, "CIFAR-random-AnB+", {**TUNED, 1: 0.60}, "holds"),
    ],
)
def test_what_differs_by_layer_decides(images, number, arm, shares, expected):
    found = verdict(number, images({arm: _by_layer(shares)}))
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.30, 0.51, 0.80, 0.95, 1.05), "does not hold"),
        ((0.32, 0.53, 0.77, 0.91, 0.97), "cannot tell at this scale"),
    ],
)
def test_the_gap_must_shrink_with_the_labels(images, shares, expected):
    assert verdict(4, images({"MNIST-frozen": _by_labels(shares)})) == expected


def test_figures_of_claim_2_are_of_the_least_certain_number_of_layers(images):
    finding = claim(2).find(images(hardness=0.0))
    assert "points lost with 3, 4, 5 frozen layers" in finding.ours
    assert "with 3 layers" in finding.quantity
    assert finding.estimate == pytest.approx(0.05, abs=0.01)


def test_few_pictures_are_told_with_claim_3(images):
    assert "300 pictures a class" in claim(3).find(images()).ours


def test_a_hard_seed_is_hard_for_all_arms(images):
    """Seeds differ by .1, arms by .02: drawn arm by arm, the interval would be some .1 wide."""
    low, high = claim(3).find(images(hardness=0.1)).interval
    assert high - low < 0.02


def test_only_seeds_of_all_arms_are_looked_at(images):
    records = [r for r in images() if r.arm != "CIFAR-random-AnB+" or r.seed in (1, 3, 4)]
    assert claim(3).find(records).note.startswith("3 seeds, ")
    expected = claim(3).find(images(seeds=(1, 3, 4)))
    assert claim(3).find(records) == expected


def test_arms_without_a_common_seed_are_not_compared(images):
    records = [r for r in images() if r.seed < 2 if (r.arm == "CIFAR-random-base") == (r.seed == 0)]
    finding = claim(3).find(records)
    assert finding.verdict == "not yet measured"
    assert "no seed is recorded of all of CIFAR-random-base, CIFAR-random-AnB+" in finding.note


def test_a_missing_arm_is_named(images):
    records = [r for r in images() if r.arm != "CIFAR-random-BnB"]
    assert claim(1).find(records).note == "laptop: CIFAR-random-BnB is not recorded"


def test_one_seed_gives_an_interval_over_pictures(images):
    finding = claim(3).find(images(seeds=[0]))
    assert finding.note.endswith("the interval covers groups of test pictures only")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_without_records_nothing_is_measured(images, number):
    assert verdict(number, []) == "not yet measured"
    assert verdict(number, images(scale="smoke")) == "not yet measured"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({1: 0.67, 2: 0.66, 3: 0.60, 4: 0.58, 5: 0.66}, "seen"),
        ({1: 0.67, 2: 0.66, 3: 0.64, 4: 0.62, 5: 0.60}, "not seen"),
        ({1: 0.67, 2: 0.68, 3: 0.69, 4: 0.69, 5: 0.72}, "not seen"),
        ({1: 0.60, 2: 0.67, 3: 0.67, 4: 0.67, 5: 0.67}, "not seen"),
    ],
)
def test_a_dip_lies_below_both_ends(images, own, expected):
    finding = judges_images.middle_dip(images({"CIFAR-random-BnB": _by_layer(own)}))
    assert finding.verdict == expected


def test_the_deepest_dip_is_shown_against_the_nearer_end(images):
    own = {1: 0.67, 2: 0.66, 3: 0.55, 4: 0.60, 5: 0.64}
    finding = judges_images.middle_dip(images({"CIFAR-random-BnB": _by_layer(own)}))
    assert "3 own layers - 5 layers" in finding.quantity
    assert finding.estimate == pytest.approx(-0.09, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "holds"),
        ({"strokes": (0.38, 0.4, 0.45, 0.5, 0.55)}, "does not hold"),
        ({"parts": (0.3, 0.4, 0.45, 0.5, 0.6)}, "does not hold"),
        ({"parts": (0.6, 0.5, 0.5, 0.5, 0.4)}, "does not hold"),
        ({"objects": (0.9, 0.9, 0.9, 0.9, 0.9)}, "cannot tell at this scale"),
    ],
)
def test_each_level_must_be_read_best_where_it_belongs(images, changes, expected):
    records = images({"pocket-probes": _probes({**READ_OFF, **changes})})
    assert judges_images.strokes_parts_objects(records).verdict == expected


@pytest.mark.parametrize(
    ("far", "expected"),
    [(0.80, "holds"), (0.90, "cannot tell at this scale"), (0.94, "does not hold")],
)
def test_far_must_lose_more_than_near(images, far, expected):
    finding = judges_images.far_loses_more(images({"pocket-far-AnB": _by_layer({5: far})}))
    assert finding.verdict == expected
    assert finding.estimate == pytest.approx(0.90 - far, abs=0.01)


@pytest.mark.parametrize("row", [(3, 1, 2, 5, 4), (1, 1, 2, 2, 3), (0.5, 0.5, 0.1, 0.7, 0.5)])
def test_the_rank_correlation_is_that_of_scipy(row):
    for order in permutations(range(1, 6)):
        assert spearman(order, row) == pytest.approx(stats.spearmanr(order, row).statistic)


def test_a_perfect_rank_correlation_is_exact():
    assert spearman((1, 2, 3, 4, 5), (0.9, 0.7, 0.5, 0.3, 0.1)) == -1.0


def test_equal_numbers_have_no_rank_correlation():
    assert spearman((1, 2, 3), (0.5, 0.5, 0.5)) == 0.0
