"""The recipe of the experiment `family_tree`, run at scale smoke."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from nnlm2bert.experiments.bert.recipes import NETWORKS as KINDS
from nnlm2bert.experiments.family_tree import experiment, judges_running, running
from nnlm2bert.experiments.family_tree.cells import CELLS, NETWORKS, Cell
from nnlm2bert.experiments.records import clone_root, read_records
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import LABELS
from nnlm2bert.models.other_blocks import LSTMBlock, parameters

MEASURED = (
    "rates-lstm-masked lstm-two-one-way tuning-lstm-two-one-way sentiment-lstm-two-one-way-frozen "
    "chunks-lstm-two-one-way-tuned"
).split()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    place = tmp_path_factory.mktemp("family")
    folders = {"results": place / "results", "workspace": place / "work"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(place / "cache"))
        found = run(experiment.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
        assert len(list((place / "cache").rglob("family-lstm-two-one-way-*.pt"))) == 1
        yield {record.arm: record for record in found}


def built(name: str, scale: str, words: int) -> torch.nn.Module:
    kind = running.objective_of(name).network
    with torch.device("meta"):
        return KINDS[kind](running.recipe(name, scale).config(words, kind))


@pytest.mark.parametrize(("scale", "words"), [("smoke", 300), ("laptop", 8_000)])
def test_the_six_have_as_many_parameters(scale, words):
    made = {name: built(name, scale, words) for name in NETWORKS}
    sizes = [parameters(network) for network in made.values()]
    assert max(sizes) / min(sizes) < 1.03
    for name, network in made.items():
        recurrent = [part for part in network.modules() if isinstance(part, LSTMBlock)]
        assert bool(recurrent) == name.startswith("lstm")


def test_settings_of_a_record_make_the_recipes_again():
    for name in NETWORKS:
        chosen = running.recipe(name, "laptop")
        kept = json.loads(json.dumps(asdict(chosen)))
        assert running.as_recipe(kept) == chosen and chosen.steps == 1_464


def test_all_train_alike_but_for_block_and_rate():
    recipes = [asdict(running.recipe(name, "laptop")) for name in NETWORKS]
    for one in recipes:
        differing = {key for key in one if one[key] != recipes[0][key]}
        assert differing <= {"block", "learning_rate"}


def test_each_cell_meets_each_task():
    arms = {arm.name: arm for arm in experiment.arms("laptop")}
    assert len(arms) == len(experiment.arms("laptop")) == 3 * 6 + 4 * 12
    for task in experiment.TASKS:
        for cell in CELLS:
            config = arms[experiment.task_arm_name(task, cell)].config
            assert set(config["recipes"]) == {judges_running.LABELS}
            assert (config["objective"], config["way"]) == (cell.network, cell.way)
            tried = config["recipes"]["1,000"]["encoder_rate"] == running.TUNING[cell.network]
            assert tried == (cell.way == "tuned")
    assert judges_running.TASKS == experiment.TASKS and judges_running.LABELS in LABELS["laptop"]


def test_what_is_chosen_is_what_was_best():
    """Rates are those that the recorded searches prefer; before there are any, those tried."""
    found = {r.arm: r.figures for r in read_records(clone_root() / "results", "family_tree")}
    rates, tuning = running.TRIED_RATES["laptop"], running.TRIED_TUNING["laptop"]
    for name in NETWORKS:
        assert running.RATES[name] in rates and running.TUNING[name] in tuning
        if nats := found.get(f"rates-{name}"):
            assert running.RATES[name] == min(rates, key=lambda r: nats[f"rate {r:g}, nats"])
        if right := found.get(f"tuning-{name}"):
            best = max(range(len(tuning)), key=lambda n: right[f"{name} {n}"])
            assert running.TUNING[name] == tuning[best]


def test_arms_are_measured(records):
    assert records["rates-lstm-masked"].figures["rate 0.005, nats"] > 0
    network = records["lstm-two-one-way"]
    assert {"cloze", "right", "left"} <= set(network.groups)
    assert network.figures["parameters"] > 10_000 and network.series["losses"]
    assert 0 <= records["tuning-lstm-two-one-way"].figures["lstm-two-one-way 0"] <= 1
    for name in MEASURED[3:]:
        assert set(records[name].groups) == {"30"}
        assert json.dumps(records[name].config["pretraining"]["lstm-two-one-way"])


def test_the_table_finds_its_cells(make_record):
    """Tasks in arms of their own, with seeds; what a network knows in one record."""
    group = {"tokens": [5] * 6, "nats": [2.0, 3.0, 2.5, 1.0, 4.0, 3.5]}

    def record(arm: str, seed: int, better: float, *names: str):
        own = {"tokens": group["tokens"], "nats": [n + 5 * better for n in group["nats"]]}
        form = {"experiment": "family_tree", "scale": "laptop", "arm": arm, "seed": seed}
        return make_record(**form, groups=dict.fromkeys(names, own))

    def gain(cell: Cell) -> float:
        return 0.1 * (cell.architecture == "attention") + 0.2 * (cell.objective == "masked")

    records = [
        record(experiment.task_arm_name(task, cell), seed, gain(cell), judges_running.LABELS)
        for task in experiment.TASKS
        for cell in CELLS
        for seed in range(3)
    ]
    records += [
        record(cell.network, 0, -gain(cell), "cloze", "right", "left")
        for cell in CELLS
        if cell.way == "frozen"
    ]
    table = judges_running.running_table(records)
    assert list(table) == [outcome.name for outcome in judges_running.OUTCOMES]
    assert (table["chunks"].seeds, table["a word left out"].seeds) == (3, 1)
    for name in ("chunks", "the four tasks", "a word left out"):
        effects = table[name].effects
        assert effects["LSTM to attention"].estimate == pytest.approx(0.1)
        assert effects["left-to-right to masked"].estimate == pytest.approx(0.2)
    found = {name: ask(records).verdict for name, ask in judges_running.QUESTIONS.items()}
    assert found["two keys"] == found["masked words need no Transformer"] == "holds"
    assert found["masked words want tuning"] != "holds"
