"""The verdicts on ELMo, on made-up records with known answers."""

from __future__ import annotations

import math
import random

import pytest

from nnlm2bert.experiments.claims import claim
from nnlm2bert.experiments.elmo import judges as judges_elmo
from nnlm2bert.experiments.elmo.judges import SHARES, log_multiple

UNITS, TESTED = 10, 100
LAYERS = {
    "POS": (0.88, 0.93, 0.90),
    "POS control": (0.70, 0.66, 0.66),
    "WSD": (0.60, 0.62, 0.65),
    "WSD control": (0.50, 0.50, 0.50),
}
BASELINE = (0.60, 0.68, 0.76, 0.84, 0.90)
MIXTURE = (0.70, 0.78, 0.86, 0.90, 0.92)
AT_ALL = {"last": 0.915, "input": 0.88, "word2vec-frozen": 0.87}


@pytest.fixture
def elmo(make_record):
    """Makes seeds of one arm; seeds differ by ``hardness`` in all arms alike."""

    def records(arm, scores, seeds=range(5), hardness=0.005, **fields):
        return [
            make_record(
                experiment="elmo",
                scale="laptop",
                arm=arm,
                seed=seed,
                groups={
                    n: _group(score, f"{arm} {n}", seed, hardness) for n, score in scores.items()
                },
                **fields,
            )
            for seed in seeds
        ]

    return records


def _group(score, name, seed, hardness):
    """Some units are hard for every arm, some seeds, too; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(f"{name} {seed}")
    shift = hardness * (seed - 2)
    nats = [
        TESTED * (score + shift + hard.gauss(0, 0.05) + own.gauss(0, 0.002)) for _ in range(UNITS)
    ]
    return {"tokens": [TESTED] * UNITS, "nats": nats}


def _layers(**changes):
    scores = {**LAYERS, **{name.replace("_", " "): value for name, value in changes.items()}}
    return {f"{name} layer {n}": s for name, row in scores.items() for n, s in enumerate(row)}


def _by_share(scores):
    return {f"{share} %": score for share, score in zip(SHARES, scores, strict=True)}


@pytest.fixture
def tasks(elmo):
    """Makes the records of a task: mixture and baseline by share, the rest at all labels."""

    def records(changes=(), task="chunks", mixture=MIXTURE, baseline=BASELINE):
        at_all = {**AT_ALL, **dict(changes)}
        return [
            *elmo(f"{task}-mix", _by_share(mixture)),
            *elmo(f"{task}-word2vec-tuned", _by_share(baseline)),
            *(r for row, score in at_all.items() for r in elmo(f"{task}-{row}", {"100 %": score})),
        ]

    return records


def verdict(number, records):
    return claim(number).find(records).verdict


def test_layers_that_know_different_things(elmo):
    finding = claim(14).find(elmo("layers", _layers()))
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx(0.03, abs=0.005)
    assert finding.note == "5 seeds, 10 blocks of test sentences"
    assert (finding.scale, finding.record) == ("laptop", "results/elmo/laptop")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"POS": (0.88, 0.90, 0.93)}, "does not hold"),
        ({"WSD": (0.60, 0.65, 0.62)}, "does not hold"),
        ({"POS_control": (0.70, 0.80, 0.66)}, "does not hold"),
        ({"WSD_control": (0.50, 0.50, 0.60)}, "does not hold"),
        ({"POS": (0.88, 0.92, 0.92)}, "cannot tell at this scale"),
        ({"WSD_control": (0.50, 0.50, 0.53)}, "cannot tell at this scale"),
    ],
)
def test_both_differences_and_both_selectivities_count(elmo, changes, expected):
    assert verdict(14, elmo("layers", _layers(**changes))) == expected


def test_mixture_suffices(tasks):
    finding = claim(15).find([*tasks(), *tasks(task="entities")])
    assert finding.verdict == "holds"
    assert "chunks 8" in finding.ours and "entities 8" in finding.ours


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"last": 0.94, "input": 0.90}, "does not hold"),
        ({"last": 0.9225}, "holds"),
        ({"last": 0.925}, "cannot tell at this scale"),
        ({"input": 0.93}, "does not hold"),
        ({"word2vec-frozen": 0.93}, "does not hold"),
        ({"word2vec-frozen": 0.915}, "cannot tell at this scale"),
    ],
)
def test_mixture_may_be_half_a_point_below_and_vectors_must_be_beaten(tasks, changes, expected):
    assert verdict(15, [*tasks(), *tasks(changes, task="entities")]) == expected
    assert verdict(15, [*tasks(changes), *tasks(task="entities")]) == expected


def test_fewer_labels_do(tasks):
    finding = claim(16).find(tasks())
    assert finding.verdict == "holds"
    low, high = finding.interval
    expected = 10 ** (math.log10(30) + (0.86 - 0.84) / 0.06 * math.log10(100 / 30)) / 10
    assert low < expected < high and finding.estimate == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("mixture", "expected"),
    [
        ((0.60, 0.68, 0.77, 0.84, 0.90), "does not hold"),
        ((0.60, 0.70, 0.81, 0.84, 0.90), "cannot tell at this scale"),
        ((0.60, 0.70, 0.95, 0.96, 0.97), "holds"),
    ],
)
def test_twice_as_many_labels_is_the_mark(tasks, mixture, expected):
    assert verdict(16, tasks(mixture=mixture)) == expected


def test_a_baseline_that_never_gets_there_counts_as_all_labels():
    assert log_multiple(10, (*BASELINE, 0.99)) == pytest.approx(math.log(10))
    assert log_multiple(1, (*BASELINE, 0.99)) == pytest.approx(math.log(100))


def test_a_baseline_that_begins_there_needs_the_smallest_share():
    assert log_multiple(10, (*BASELINE, 0.5)) == pytest.approx(math.log(0.1))


@pytest.mark.parametrize("place", range(len(SHARES)))
def test_at_a_measured_point_the_share_is_that_point(place):
    assert log_multiple(10, (*BASELINE, BASELINE[place])) == pytest.approx(
        math.log(SHARES[place] / 10)
    )


def test_the_first_share_that_is_enough_counts_where_a_curve_falls_again():
    curve = (0.5, 0.8, 0.7, 0.85, 0.9)
    assert log_multiple(10, (*curve, 0.8)) == pytest.approx(math.log(0.3))


@pytest.mark.parametrize("number", [14, 15, 16])
def test_nothing_is_judged_without_its_arms(elmo, number):
    assert verdict(number, []) == "not yet measured"
    finding = claim(number).find(elmo("biLM", {"x": 0.5}))
    assert finding.verdict == "not yet measured" and "is not recorded" in finding.note


def test_findings_beside_the_claims(elmo, tasks):
    groups = {**_layers(), "WSD first sense": 0.62}
    first = judges_elmo.word_senses_above_first(elmo("layers", groups))
    assert first.verdict == "holds" and first.estimate == pytest.approx(0.03, abs=0.005)
    multiple = judges_elmo.multiples["chunks", 1](tasks())
    assert multiple.verdict == "holds" and 3 < multiple.estimate < 6
    arms = [*elmo("chunks-mix-both", {"100 %": 0.93}), *elmo("chunks-mix-beside", {"100 %": 0.94})]
    assert judges_elmo.output_use["chunks", "both"](arms).verdict == "does not hold"
    tuned = elmo("self-tuned-questions", {"tuned 100": 0.7, "plain 100": 0.6})
    assert judges_elmo.tuned_on_the_text["questions", "100"](tuned).verdict == "holds"


def test_homographs_are_measured_once_and_by_word(elmo):
    scores = {
        f"{what} layer {n}": 0.5 + 0.1 * n for what in ("sense", "part of speech") for n in range(3)
    }
    for what in ("sense", "part of speech"):
        finding = judges_elmo.homographs[what](elmo("homographs", scores, seeds=[0]))
        assert finding.verdict == "holds"
        assert finding.note == "1 seed, 10 words; the interval covers words only"
