"""The verdicts on GPT, on made-up records with known answers."""

from __future__ import annotations

import random

import pytest

from nnlm2bert.experiments.claims import claim
from nnlm2bert.experiments.gpt import experiment as gpt
from nnlm2bert.experiments.gpt import judges as judges_gpt
from nnlm2bert.experiments.gpt.judges import BLOCKS_BELOW, BY_LAYER, LABELLED, TASKS, WAY

UNITS = 10
TESTED = {"sentiment": 36, "questions": 10, "entailment": 98}
STEPS = [0, *(100 << n for n in range(WAY - 1))]
TUNED = {"100": 0.70, "1,000": 0.80, "all": 0.85}
SCRATCH = {"100": 0.55, "1,000": 0.66, "all": 0.80}
BY_BLOCKS = (0.66, 0.70, 0.74, 0.77)


def _group(score, name, seed, tested=50):
    """Some units are hard for every arm, some seeds, too; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(f"{name} {seed}")
    shift = 0.005 * (seed - 1)
    nats = [
        tested * (score + shift + hard.gauss(0, 0.05) + own.gauss(0, 0.002)) for _ in range(UNITS)
    ]
    return {"tokens": [tested] * UNITS, "nats": nats}


@pytest.fixture
def arm(make_record):
    """Makes seeds of one arm."""

    def records(name, scores, seeds=range(3), **fields):
        tested = TESTED.get(name.partition("-")[0], 20)
        return [
            make_record(
                experiment="gpt",
                scale="laptop",
                arm=name,
                seed=seed,
                groups={n: _group(s, f"{name} {n}", seed, tested) for n, s in scores.items()},
                **fields,
            )
            for seed in seeds
        ]

    return records


@pytest.fixture
def tasks(arm):
    """Makes the records of all tasks, tuned and from scratch; ``changes`` to either by task."""

    def records(changed=(), **options):
        found = []
        for task in TASKS:
            for way, scores in (("tuned", TUNED), ("scratch", SCRATCH)):
                own = {**scores, **dict(changed).get(f"{task}-{way}", {})}
                found += arm(f"{task}-{way}", own, **options)
        return found

    return records


@pytest.fixture
def layers(arm):
    """Makes the records of tasks by the number of blocks copied."""

    def records(rows, **options):
        found = []
        for task, (*below, whole) in rows.items():
            for blocks, score in zip(BLOCKS_BELOW, below, strict=True):
                found += arm(f"{task}-layers-{blocks}", {"1,000": score}, **options)
            found += arm(f"{task}-tuned", {**TUNED, "1,000": whole}, **options)
        return found

    return records


@pytest.fixture
def way(arm):
    """Makes the record of the network with its scores on the way."""

    def records(scores, group="zero-shot"):
        named = {f"{group} {n}": score for n, score in enumerate(scores)}
        return arm("GPT", named, seeds=[0], series={"step": STEPS})

    return records


def test_pretraining_helps_at_both_numbers_of_labels(tasks):
    finding = claim(17).find(tasks())
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx(0.14, abs=0.005)
    assert "1,000 labels" in finding.quantity
    assert all(f"{task} 15.0 (14." in finding.ours for task in ("sentiment", "relatedness"))
    assert finding.note.startswith("3 seeds")


def test_one_number_of_labels_without_a_gain_is_enough_to_refuse(tasks):
    none = {f"{task}-tuned": {"1,000": 0.60} for task in TASKS}
    finding = claim(17).find(tasks(none))
    assert finding.verdict == "does not hold" and finding.estimate < 0


def test_the_mean_counts_each_task_alike(tasks):
    """The largest test set does not outweigh the others."""
    lost = {"entailment-tuned": {"100": 0.55 - 0.10, "1,000": 0.66 - 0.10}}
    finding = claim(17).find(tasks(lost))
    assert finding.verdict == "holds"
    assert finding.estimate == pytest.approx((4 * 0.14 - 0.10) / 5, abs=0.005)


def test_a_gain_within_chance_cannot_be_told(tasks):
    noise = {f"{task}-tuned": {"100": 0.5502, "1,000": 0.6603} for task in TASKS}
    assert claim(17).find(tasks(noise)).verdict == "cannot tell at this scale"


def test_a_missing_task_is_named(tasks):
    records = [record for record in tasks() if record.arm != "relatedness-scratch"]
    finding = claim(17).find(records)
    assert finding.verdict == "not yet measured"
    assert "relatedness-scratch is not recorded" in finding.note


def test_one_seed_gives_intervals_of_examples_alone(tasks):
    finding = claim(17).find(tasks(seeds=[0]))
    assert finding.verdict == "holds" and "blocks of test examples only" in finding.note


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ((*BY_BLOCKS, 0.80), "holds"),
        ((0.80, 0.77, 0.74, 0.70, 0.66), "does not hold"),
        ((0.70,) * 5, "cannot tell at this scale"),
    ],
)
def test_layers_help_if_accuracy_rises_with_them(layers, row, verdict):
    finding = claim(18).find(layers(dict.fromkeys(BY_LAYER, row)))
    assert finding.verdict == verdict
    if verdict == "holds":
        assert finding.estimate == 1 and "from none to all 14.0 (13." in finding.ours


def test_a_task_that_falls_is_outweighed_by_one_that_rises_more(layers):
    rows = {"sentiment": (*BY_BLOCKS, 0.80), "entailment": (0.60, 0.595, 0.59, 0.585, 0.58)}
    records = layers(rows)
    assert claim(18).find(records).verdict == "holds"
    assert judges_gpt.layers["entailment"](records).verdict == "does not hold"


def test_rising_by_rank_and_not_from_none_to_all_is_not_enough(layers):
    finding = claim(18).find(layers(dict.fromkeys(BY_LAYER, (0.66, 0.70, 0.74, 0.77, 0.66))))
    assert finding.verdict != "holds"


def test_untaught_accuracy_that_rises_with_the_step_holds(way):
    finding = claim(19).find(way([0.50 + 0.02 * n for n in range(WAY)]))
    assert finding.verdict == "holds" and finding.estimate == 1
    assert "12,800 steps" in finding.ours and "1 seed" in finding.note


def test_untaught_accuracy_that_falls_or_stays_does_not(way):
    assert claim(19).find(way([0.66 - 0.02 * n for n in range(WAY)])).verdict == "does not hold"
    flat = claim(19).find(way([0.5] * WAY))
    assert flat.verdict == "cannot tell at this scale"


def test_a_way_that_is_too_short_is_no_evidence(way):
    finding = claim(19).find(way([0.5, 0.6, 0.7]))
    assert finding.verdict == "not yet measured" and "zero-shot 3" in finding.note


def test_other_tasks_not_taught_have_curves_of_their_own(way):
    for name in ("acceptability", "by rank"):
        records = way([0.01 * n for n in range(WAY)], f"zero-shot {name}")
        judge = {"acceptability": judges_gpt.acceptability, "by rank": judges_gpt.untaught_by_rank}
        assert judge[name](records).verdict == "holds"


def test_ways_of_learning_are_compared_in_the_mean(tasks, arm):
    records = tasks()
    for task in TASKS:
        records += arm(f"{task}-no-aux", {n: score + 0.02 for n, score in TUNED.items()})
        records += arm(f"{task}-frozen", {n: score - 0.1 for n, score in TUNED.items()})
    assert judges_gpt.auxiliary["1,000"](records).verdict == "does not hold"
    for labels in LABELLED:
        assert judges_gpt.frozen[labels](records).estimate == pytest.approx(0.1, abs=0.005)
        assert judges_gpt.gains[labels](records).verdict == "holds"


def test_a_network_near_its_limit_costs_at_most_five_percent_more(arm):
    for above, verdict in ((0.04, "holds"), (0.06, "does not hold")):
        cost = 2.0 * (1 + above)
        records = arm("laboratory", {"GPT": cost, "limit": 2.0})
        for record in records:
            record.groups["GPT"]["nats"] = [
                (1 + above) * value for value in record.groups["limit"]["nats"]
            ]
        finding = judges_gpt.near_its_limit(records)
        assert finding.verdict == verdict and finding.estimate == pytest.approx(above)


def test_what_the_right_side_would_tell_is_missing(arm):
    scores = {"best reader of both": 1.0, "GPT at the word": 0.4, "GPT and at the end": 0.7}
    records = arm("laboratory", {f"sense: {who}, cue right": s for who, s in scores.items()})
    for judge, gain in ((judges_gpt.right_side_missing, 0.6), (judges_gpt.end_of_sentence, 0.3)):
        assert judge(records).estimate == pytest.approx(gain, abs=0.01)


QUESTIONS = (
    *(claim(number).judge for number in (17, 18)),
    *judges_gpt.gains.values(),
    *judges_gpt.auxiliary.values(),
    *judges_gpt.frozen.values(),
    *judges_gpt.layers.values(),
    *judges_gpt.choice.values(),
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("scale", ["laptop", "gpu"])
def test_what_judges_compare_is_measured(question, scale):
    arms = {arm.name: arm for arm in gpt.arms(scale)}
    for part in (part for parts in question.contrasts for part in parts):
        assert part.group in arms[part.arm].config["recipes"], part
