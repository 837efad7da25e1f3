"""The verdicts on BERT, on made-up records with known answers."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from nnlm2bert.experiments.bert import experiment as bert
from nnlm2bert.experiments.bert import judges as judges_bert
from nnlm2bert.experiments.bert.judges import LABELLED, OWN_TEXT, SCHEDULED, TASKS
from nnlm2bert.experiments.claims import claim
from nnlm2bert.experiments.records import Record

UNITS = 10
CLOZE = {"masked": 0.90, "left-to-right": 0.52, "two-one-way": 0.84}
Records = list[Record]
Make = Callable[..., Records]


def _group(score: float, name: str, seed: int, size: int) -> dict[str, list[float]]:
    """Some units are hard for every arm, some seeds, too; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(f"{name} {seed}")
    shift = 0.005 * (seed - 1)
    nats = [
        size * (score + shift + hard.gauss(0, 0.05) + own.gauss(0, 0.002)) for _ in range(UNITS)
    ]
    return {"tokens": [size] * UNITS, "nats": nats}


@pytest.fixture
def arm(make_record: Callable[..., Record]) -> Make:
    """Makes seeds of one arm."""

    def records(name: str, scores: dict[str, float], seeds: tuple[int, ...] = (0, 1, 2)) -> Records:
        size = 20 + 7 * len(name.partition("-")[0])
        return [
            make_record(
                experiment="bert",
                scale="laptop",
                arm=name,
                seed=seed,
                groups={n: _group(s, f"{name} {n}", seed, size) for n, s in scores.items()},
            )
            for seed in seeds
        ]

    return records


@pytest.fixture
def tasks(arm: Make) -> Make:
    """Makes the records of tasks by arms with one score for all labels, or one for each task."""

    def records(scores: dict[str, float], names: tuple[str, ...] = TASKS) -> Records:
        found = []
        for task in names:
            for way, score in scores.items():
                found += arm(f"{task}-{way}", {LABELLED: score})
        return found

    return records


@pytest.fixture
def cloze(arm: Make) -> Make:
    """Makes the records of words left out; of all networks they are the same."""

    def records(group: str = "right", **changed: float) -> Records:
        scores = {**CLOZE, **{name.replace("_", "-"): score for name, score in changed.items()}}
        return [
            r for name, score in scores.items() for r in arm(f"cloze-{name}", {group: score}, (0,))
        ]

    return records


# Claim 22.


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "holds"),
        ({"left_to_right": 0.83}, "does not hold"),
        ({"two_one_way": 0.93}, "does not hold"),
        ({"two_one_way": 0.9}, "cannot tell at this scale"),
    ],
)
def test_both_sides_at_once_beat_one_by_much_and_two(
    cloze: Make, changed: dict[str, float], verdict: str
) -> None:
    finding = claim(22).find(cloze(**changed))
    assert finding.verdict == verdict
    wanted = 0.9 - changed.get("two_one_way", 0.84)
    assert finding.estimate == pytest.approx(wanted, abs=0.003)
    assert "10 blocks of places" in finding.note and "1 seed" in finding.note


def test_a_missing_network_is_named(cloze: Make) -> None:
    records = [record for record in cloze() if record.arm != "cloze-two-one-way"]
    assert "cloze-two-one-way is not recorded" in claim(22).find(records).note


# Claim 23.


def _second(
    arm: Make, tasks: Make, following: float = 0.85, order: float = 0.5, added: float = 0.0
) -> Records:
    found = tasks({"masked-tuned": 0.7, "masked+next-tuned": 0.7 + added})
    made = arm("masked+next", {"next": following, "order": order}, (0,))
    for record in made:
        for group, score in (("next", following), ("order", order)):
            record.groups[group]["nats"] = [
                tokens * (score + 0.002 * (-1) ** n)
                for n, tokens in enumerate(record.groups[group]["tokens"])
            ]
    return found + made


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "holds"),
        ({"following": 0.6}, "does not hold"),
        ({"order": 0.8}, "does not hold"),
        ({"order": 0.55}, "cannot tell at this scale"),
        ({"added": 0.05}, "does not hold"),
        ({"added": -0.05}, "does not hold"),
        ({"added": 0.02}, "cannot tell at this scale"),
    ],
)
def test_the_second_task_teaches_topic_and_adds_little(
    arm: Make, tasks: Make, options: dict[str, float], verdict: str
) -> None:
    finding = claim(23).find(_second(arm, tasks, **options))
    assert finding.verdict == verdict
    assert finding.estimate == pytest.approx(options.get("order", 0.5), abs=0.001)
    assert "3 seeds" in finding.note and "blocks of held-out text" in finding.note


def test_without_the_tasks_the_second_task_is_not_judged(arm: Make, tasks: Make) -> None:
    records = [r for r in _second(arm, tasks) if r.arm != "chunks-masked-tuned"]
    finding = claim(23).find(records)
    assert finding.verdict == "not yet measured" and "chunks-masked-tuned" in finding.note


# Claim 24.


@pytest.mark.parametrize(
    ("frozen", "tuned", "verdict"),
    [
        (0.03, 0.0, "holds"),
        (0.03, 0.05, "does not hold"),
        (0.03, 0.03, "cannot tell at this scale"),
        (0.0, -0.03, "holds"),
    ],
)
def test_blanks_alone_cost_frozen_vectors_more(
    tasks: Make, frozen: float, tuned: float, verdict: str
) -> None:
    scores = {"masked-frozen": 0.6 + frozen, "always-masked-frozen": 0.6}
    scores |= {"masked-tuned": 0.7 + tuned, "always-masked-tuned": 0.7}
    finding = claim(24).find(tasks(scores, SCHEDULED))
    assert finding.verdict == verdict
    assert finding.estimate == pytest.approx(frozen - tuned, abs=0.003)


# Claim 25.


@pytest.mark.parametrize(
    ("own", "outside", "verdict"),
    [
        (0.70, 0.70, "holds"),
        (0.74, 0.70, "holds"),
        (0.65, 0.70, "does not hold"),
        (0.68, 0.70, "cannot tell at this scale"),
        (0.70, 0.58, "does not hold"),
    ],
)
def test_own_text_rivals_if_it_is_little_behind_and_both_help(
    tasks: Make, own: float, outside: float, verdict: str
) -> None:
    scores = {"own-text": own, "outside-text": outside, "scratch": 0.6}
    finding = claim(25).find(tasks(scores, OWN_TEXT))
    assert finding.verdict == verdict
    assert finding.estimate == pytest.approx(own - outside, abs=0.003)


# Beside the claims.


def test_objectives_are_compared_in_the_mean(tasks: Make) -> None:
    scores = {"masked": 0.8, "left-to-right": 0.7, "two-one-way": 0.75, "masked+next": 0.79}
    records = tasks({f"{name}-tuned": score for name, score in scores.items()})
    for (one, other, way), question in judges_bert.over.items():
        if way != "tuned":
            continue
        finding = question(records)
        assert finding.estimate == pytest.approx(scores[one] - scores[other], abs=0.003)
        assert "same-sense" in finding.ours


def test_words_left_out_cost_less_if_both_sides_are_read(cloze: Make) -> None:
    records = cloze("cloze", masked=3.0, left_to_right=4.0, two_one_way=2.9)
    assert judges_bert.cloze["left-to-right"](records).verdict == "holds"
    assert judges_bert.cloze["two-one-way"](records).verdict == "does not hold"


QUESTIONS = (
    judges_bert.both_sides_at_once,
    judges_bert.topic_not_order,
    judges_bert.adds_little,
    judges_bert.schedule_matters_frozen,
    judges_bert.own_text_rivals,
    judges_bert.whole,
    *judges_bert.over.values(),
    judges_bert.pretraining_helps,
    judges_bert.tuning_helps,
    *judges_bert.decided_by_left.values(),
    *judges_bert.cloze.values(),
    *judges_bert.layers.values(),
)
GROUPS = {"way": ("held-out", "next", "order"), "cloze": ("cloze", "right", "left", "right, whole")}


@pytest.mark.parametrize("scale", ["laptop", "gpu"])
def test_what_judges_compare_is_measured(scale: str) -> None:
    arms = {one.name: one.config for one in bert.arms(scale)}
    for part in (part for question in QUESTIONS for parts in question.contrasts for part in parts):
        config = arms[part.arm]
        assert part.group in config.get("recipes", GROUPS.get(config["kind"])), part


def test_the_experiment_and_its_judges_speak_of_the_same() -> None:
    assert judges_bert.TASKS == bert.TASKS and judges_bert.SCHEDULED == bert.SCHEDULED
    assert judges_bert.OWN_TEXT == bert.OWN_TEXT and judges_bert.LAYERED == bert.LAYERED
    assert tuple(judges_bert.NAMES) == tuple(bert.named(name) for name in bert.COMPARED)
