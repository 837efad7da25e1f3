"""Effects of the factorial, and findings, on made-up records with known answers."""

from __future__ import annotations

import random

import pytest

from nnlm2bert.experiments.family_tree import judges
from nnlm2bert.experiments.family_tree.cells import BERT, CELLS, NETWORKS, Cell
from nnlm2bert.experiments.family_tree.effects import (
    EFFECTS,
    OF_THE_WAY,
    Outcome,
    combined,
    factorial,
    in_one_arm,
    shares,
)

BLOCKS = 10
GAINS = {"two one-way": 0.05, "masked": 0.2}
TASK = Outcome("task", "share right", ("task {way}",))
KNOWN = {
    "LSTM to attention": 0.08 + 0.03 / 3 + 0.01 / 3,
    "left-to-right to two one-way": 0.05 + 0.01 / 2 + 0.008 / 2,
    "two one-way to masked": 0.15 + (0.03 - 0.01) / 2 + (0.02 - 0.008) / 2,
    "left-to-right to masked": 0.2 + 0.03 / 2 + 0.02 / 2,
    "frozen to tuned": 0.04 + 0.02 / 3 + 0.008 / 3,
    "architecture x objective": 0.03,
    "objective x way": 0.02,
    "architecture x way": 0.0,
}


def right(cell: Cell) -> float:
    """Each factor adds something; attention and tuning more where both sides are read."""
    attention, tuned = cell.architecture == "attention", cell.way == "tuned"
    both, masked = cell.objective == "two one-way", cell.objective == "masked"
    alone = GAINS.get(cell.objective, 0.0) + 0.08 * attention + 0.04 * tuned
    with_attention = attention * (0.01 * both + 0.03 * masked)
    return 0.4 + alone + with_attention + tuned * (0.008 * both + 0.02 * masked)


def group(score: float, name: str, noise: float = 0.001) -> dict[str, list[float]]:
    """Some blocks are hard for every arm; each arm and seed adds little to that."""
    hard, own = random.Random(0), random.Random(name)
    nats = [20 * (score + hard.gauss(0, 0.05) + own.gauss(0, noise)) for _ in range(BLOCKS)]
    return {"tokens": [20] * BLOCKS, "nats": nats}


def groups_of(network: str, seed: int, noise: float) -> dict[str, dict[str, list[float]]]:
    architecture, objective = NETWORKS[network]
    cells = {way: Cell(architecture, objective, way) for way in ("frozen", "tuned")}
    told = {f"task {way}": right(cell) for way, cell in cells.items()}
    told |= {"word": 3 - 2 * right(cells["frozen"]), "limit": 1.0 + GAINS.get(objective, 0.0)}
    return {name: group(s, f"{network} {seed} {name}", noise) for name, s in told.items()}


@pytest.fixture
def recorded(make_record):
    def records(seeds=range(4), noise=0.001, networks=tuple(NETWORKS)):
        return [
            make_record(
                experiment="family_tree_laboratory",
                scale="laptop",
                arm=network,
                seed=seed,
                groups=groups_of(network, seed, noise),
            )
            for network in networks
            for seed in seeds
        ]

    return records


# Effects.


def test_effects_are_what_the_factors_add(recorded):
    found = factorial(recorded(), [TASK], resamples=200)["task"]
    assert set(found.effects) == set(EFFECTS) == set(KNOWN)
    for name, gain in KNOWN.items():
        interval = found.effects[name]
        assert interval.estimate == pytest.approx(gain, abs=0.002), name
        assert interval.low < gain < interval.high and interval.high - interval.low < 0.01, name
    assert (found.seeds, found.blocks, len(found.cells)) == (4, BLOCKS, 12)
    best = max(found.cells, key=found.cells.get)
    assert best == Cell("attention", "masked", "tuned")


def test_what_is_hard_for_all_does_not_widen_the_interval(recorded):
    """Blocks are drawn for all cells at once: .05 of spread between them cancels."""
    narrow = factorial(recorded(noise=0.001), [TASK], resamples=200)["task"].effects
    wide = factorial(recorded(noise=0.05), [TASK], resamples=200)["task"].effects
    for name in EFFECTS:
        widths = [found[name].high - found[name].low for found in (narrow, wide)]
        assert widths[1] > 5 * widths[0]


def test_nats_saved_are_gains_and_the_way_makes_no_cells(recorded):
    word = Outcome("word", "nats", ("word",), ways=False, gain=-1)
    found = factorial(recorded(), [word], resamples=100)["word"]
    assert set(found.effects) == set(EFFECTS) - set(OF_THE_WAY)
    assert len(found.cells) == 6
    gain = 2 * KNOWN["LSTM to attention"]
    assert found.effects["LSTM to attention"].estimate == pytest.approx(gain, abs=0.005)


def test_a_limit_is_taken_off(recorded):
    limits = dict.fromkeys(("left-to-right", "two one-way", "masked"), "limit")
    above = Outcome("above", "nats", ("word",), ways=False, gain=-1, less=limits)
    found = factorial(recorded(), [above], resamples=50)["above"].effects
    saved = 2 * 0.2 + 2 * 0.03 / 2 + 0.2  # a higher limit is nearer
    assert found["left-to-right to masked"].estimate == pytest.approx(saved, abs=0.005)


def test_several_groups_are_averaged(recorded):
    both = Outcome("both", "share right", ("task {way}", "word"))
    cells = factorial(recorded(), [both], resamples=10)["both"].cells
    cell = Cell("lstm", "masked", "frozen")
    assert cells[cell] == pytest.approx((right(cell) + 3 - 2 * right(cell)) / 2, abs=0.05)


def test_coefficients_cancel_unless_the_factor_is_theirs():
    for name in EFFECTS:
        of_cells = shares(name, CELLS)
        assert sum(of_cells.values()) == pytest.approx(0)
        assert sum(map(abs, of_cells.values())) == pytest.approx(4 if " x " in name else 2)


def test_only_seeds_that_all_cells_have_count(recorded):
    missing = [r for r in recorded() if (r.arm, r.seed) != ("lstm-masked", 3)]
    assert factorial(missing, [TASK], resamples=20)["task"].seeds == 3
    assert factorial([r for r in missing if r.arm != "lstm-masked"], [TASK]) == {}
    assert in_one_arm(missing, Cell("lstm", "masked", "tuned"), "task {way}").keys() == {0, 1, 2}


def test_other_blocks_are_refused():
    one, other = group(0.5, "a"), {"tokens": [10] * BLOCKS, "nats": [1.0] * BLOCKS}
    with pytest.raises(ValueError, match="different blocks"):
        combined([(1.0, {0: one}), (-1.0, {0: other})])
    with pytest.raises(ValueError, match="no seed"):
        combined([(1.0, {0: one}), (-1.0, {1: one})])


# Findings.

WORD, RIGHT = judges.WORD, judges.RIGHT
NAMES = {judges.OWN_LIMIT[o] for o in judges.OWN_LIMIT}
STEPS = dict(zip(judges.FROM_CBOW, (3.0, 2.8, 2.4, 2.0, 1.6), strict=True))


@pytest.fixture
def laboratory(make_record):
    """Makes records of the laboratory, some scores changed: by arm, then by group."""

    def told(arm: str) -> dict[str, float]:
        scores = {WORD: STEPS.get(arm, 2.2), **dict.fromkeys(NAMES, 1.5), RIGHT: 0.5}
        if arm in NETWORKS:
            scores[RIGHT] = 0.9 if "masked" in arm else 0.5
            scores[WORD] = 1.9 if "lstm-masked" in arm else scores[WORD]
        for way in ("frozen", "tuned"):
            cell = Cell(*NETWORKS.get(arm, ("attention", "masked")), way)
            beyond = 0.01 if arm == BERT else 0.0
            scores |= {f"{task} {way}": right(cell) + beyond for task in judges.TASKS}
        return scores | {"sense: network, cue left": 0.9}

    def records(seeds=range(3), **changes):
        arms = dict.fromkeys((*NETWORKS, BERT, *judges.FROM_CBOW))
        return [
            make_record(
                experiment="family_tree_laboratory",
                scale="laptop",
                arm=arm,
                seed=seed,
                groups={
                    name: group(score, f"{arm} {seed} {name}")
                    for name, score in {
                        **told(arm),
                        **changes.get(arm.replace("-", "_"), {}),
                    }.items()
                },
            )
            for arm in arms
            for seed in seeds
        ]

    return records


def tasks(score: float, *ways: str) -> dict[str, float]:
    return {f"{task} {way}": score for task in judges.TASKS for way in ways}


def test_each_finding_can_hold(laboratory):
    found = {name: question(laboratory()) for name, question in judges.QUESTIONS.items()}
    verdicts = {name: finding.verdict for name, finding in found.items()}
    assert verdicts.pop("ELMo with a Transformer is BERT") == "does not hold"
    assert set(verdicts.values()) == {"holds"}
    assert all(finding.note.startswith("3 seeds") for finding in found.values())
    grown = judges.elmo_with_attention(
        laboratory(attention_two_one_way=tasks(0.7, "frozen", "tuned"))
    )
    assert grown.verdict == "holds"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("two keys", {"lstm_masked": tasks(0.95, "frozen", "tuned")}),
        (
            "GPT with both sides is BERT",
            {"attention_masked_next": tasks(1.4, "tuned")},
        ),
        ("masked words are CBOW grown deep", {"bag_of_all": {WORD: 3.1}}),
        ("masked words need no Transformer", {"lstm_masked": {RIGHT: 0.55}}),
        ("masked words need no Transformer", {"lstm_masked": {WORD: 2.3}}),
        (
            "attention gains more from masked words",
            {"lstm_masked": tasks(0.75, "frozen", "tuned")},
        ),
        ("masked words want tuning", {"attention_masked": tasks(0.9, "frozen")}),
    ],
)
def test_each_finding_can_fail(laboratory, name, changes):
    assert judges.QUESTIONS[name](laboratory(**changes)).verdict == "does not hold"


def test_a_way_that_leads_nowhere_cannot_be_most_of_it(laboratory):
    level = tasks(0.5, "frozen", "tuned")
    finding = judges.gpt_with_both_sides(
        laboratory(attention_left_to_right=level, attention_masked_next=level)
    )
    assert finding.verdict == "does not hold" or finding.verdict.startswith("cannot tell")


def test_what_is_not_recorded_is_said(laboratory):
    without = [record for record in laboratory() if record.arm != "weighed-bag"]
    finding = judges.cbow_grown_deep(without)
    assert finding.verdict == "not yet measured" and "weighed-bag" in finding.note


def test_the_table_has_all_outcomes(laboratory):
    table = judges.laboratory_table(laboratory())
    assert list(table) == [outcome.name for outcome in judges.OUTCOMES]
    assert judges.laboratory_table([]) == {}


def test_walks_are_told_step_by_step(laboratory):
    walks = judges.laboratory_walks(laboratory())
    assert set(walks) == {"from ELMo to BERT", "from GPT to BERT"}  # four layers are not recorded
    begin, after, end = walks["from GPT to BERT"]
    gain = right(Cell("attention", "masked", "tuned")) - right(
        Cell("attention", "left-to-right", "tuned")
    )
    assert begin.gains == {} and begin.step.changed == "GPT"
    assert after.gains["the four tasks"].estimate == pytest.approx(gain, abs=0.002)
    assert end.gains["the four tasks"].estimate == pytest.approx(0.01, abs=0.002)
    assert end.scores["the four tasks"] > begin.scores["the four tasks"]
    assert judges.laboratory_walks([]) == {}
