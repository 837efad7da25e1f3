"""Findings on BERT in Pocket English, on made-up records with known answers."""

from __future__ import annotations

import random

import pytest

from nnlm2bert.experiments.bert import judges_laboratory as judges

UNITS = 12
RIGHT = judges.RIGHT
MASKED = {
    f"word: network, {RIGHT}": 2.6,
    f"word: limit of both, {RIGHT}": 2.5,
    f"sense: network, {RIGHT}": 0.95,
    f"step {judges.AT}: network": 2.1,
    "steps: limit": 1.4,
    f"step {judges.AT}: sense": 0.9,
    "task frozen": 0.92,
    "task tuned": 0.97,
}
ARMS = {
    "masked": MASKED,
    "masked-long": {"hidden: network": 1.45, "hidden: limit": 1.42},
    "two-one-way": {f"word: network, {RIGHT}": 3.0, f"word: limit of product, {RIGHT}": 2.9},
    "left-to-right": {
        f"word: network, {RIGHT}": 4.4,
        f"word: limit of left, {RIGHT}": 4.3,
        f"sense: network, {RIGHT}": 0.6,
        f"step {judges.AT}: network": 2.4,
        "steps: limit": 2.2,
        f"step {judges.AT}: sense": 0.7,
    },
    "masked-next": {
        "next: network": 0.8,
        "next: best reader": 0.85,
        "order: network": 0.5,
        "order: best reader": 0.75,
    },
    "always-hidden": {"task frozen": 0.8, "task tuned": 0.96},
}


def _group(score, name, seed):
    """Some units are hard for every arm; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(f"{name} {seed}")
    nats = [40 * (score + hard.gauss(0, 0.02) + own.gauss(0, 0.001)) for _ in range(UNITS)]
    return {"tokens": [40] * UNITS, "nats": nats}


@pytest.fixture
def recorded(make_record):
    """Makes the records of all arms with some scores changed: by arm, then by group."""

    def records(seeds=range(3), scale="laptop", **changes):
        return [
            make_record(
                experiment="bert_laboratory",
                scale=scale,
                arm=arm,
                seed=seed,
                groups={
                    name: _group(score, f"{arm} {name}", seed)
                    for name, score in {**scores, **changes.get(arm.replace("-", "_"), {})}.items()
                },
            )
            for arm, scores in ARMS.items()
            for seed in seeds
        ]

    return records


@pytest.mark.parametrize(
    ("name", "estimate"),
    [
        ("near_its_limit", 0.021),
        ("both_sides_at_once", 0.4),
        ("sense_at_the_word", 0.35),
        ("slower", 2.1 / 1.4 - 2.4 / 2.2),
        ("ahead_all_the_same", 0.2),
        ("next_is_topic", 0.0),
        ("frozen_needs_the_mix", 0.12),
    ],
)
def test_what_is_clear_holds(recorded, name, estimate):
    finding = getattr(judges, name)(recorded())
    assert finding.verdict == "holds" and finding.note.startswith("3 seeds, 12 blocks of")
    assert finding.estimate == pytest.approx(estimate, abs=0.02)
    low, high = finding.interval
    assert low <= finding.estimate <= high


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("near_its_limit", {"masked_long": {"hidden: network": 1.55}}),
        ("both_sides_at_once", {"two_one_way": {f"word: network, {RIGHT}": 2.65}}),
        ("both_sides_at_once", {"two_one_way": {f"word: network, {RIGHT}": 4.2}}),
        ("sense_at_the_word", {"left_to_right": {f"sense: network, {RIGHT}": 0.9}}),
        ("slower", {"masked": {f"step {judges.AT}: network": 1.42}}),
        ("ahead_all_the_same", {"masked": {f"step {judges.AT}: sense": 0.6}}),
        ("next_is_topic", {"masked_next": {"next: network": 0.55}}),
        ("next_is_topic", {"masked_next": {"order: network": 0.62}}),
        ("next_is_topic", {"masked_next": {"order: network": 0.38}}),
        ("frozen_needs_the_mix", {"always_hidden": {"task frozen": 0.97}}),
        ("frozen_needs_the_mix", {"always_hidden": {"task tuned": 0.7}}),
    ],
)
def test_what_is_otherwise_does_not_hold(recorded, name, changes):
    assert getattr(judges, name)(recorded(**changes)).verdict == "does not hold"


def test_an_order_that_nobody_tells_is_no_evidence(recorded):
    finding = judges.next_is_topic(recorded(masked_next={"order: best reader": 0.53}))
    assert finding.verdict == "cannot tell at this scale"
    assert "hardly to be told" in finding.ours


def test_nothing_is_said_without_records(recorded, make_record):
    assert judges.slower([]).verdict == "not yet measured"
    assert judges.slower(recorded(scale="smoke")).verdict == "not yet measured"
    without = [record for record in recorded() if record.arm != "two-one-way"]
    assert "two-one-way is not recorded" in judges.both_sides_at_once(without).note
