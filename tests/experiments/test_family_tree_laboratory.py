"""The factorial in Pocket English: equal networks, what they see, what is recorded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.bert.laboratory_networks import (
    LaboratoryText,
    Schedule,
    batch_loss,
    built,
)
from nnlm2bert.experiments.family_tree import laboratory
from nnlm2bert.experiments.family_tree import laboratory_networks as networks
from nnlm2bert.experiments.family_tree.cells import BERT, CELLS, HISTORICAL, NETWORKS, WALKS
from nnlm2bert.experiments.family_tree.judges import OUTCOMES, QUESTIONS
from nnlm2bert.experiments.family_tree.laboratory_measures import window_limit
from nnlm2bert.experiments.records import clone_root, read_records
from nnlm2bert.experiments.runner import run
from nnlm2bert.models.bert import BERT as Masked
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.other_blocks import LSTMBlock, parameters
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.synthetic import Oracle, PocketEnglish

LANGUAGE = PocketEnglish()
KIND = {"left-to-right": GPT, "two one-way": TransformerBiLM, "masked": Masked}
MEASURED = ["rates-lstm-two-one-way", "lstm-masked", "bag-of-4", "attention-two-one-way", "windows"]


def network(name: str, scale: str = "smoke") -> torch.nn.Module:
    torch.manual_seed(0)
    return built(networks.DESIGNS[name].objective, networks.config_of(name, scale)).eval()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    place = tmp_path_factory.mktemp("family")
    folders = {"results": place / "results", "workspace": place / "work"}
    found = run(laboratory.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
    for path in (place / "results").rglob("*.json"):
        assert len(path.read_text(encoding="utf-8")) < 60 * 1024
    return {record.arm: record for record in found}


# The networks.


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_the_six_have_as_many_parameters(scale):
    sizes = [parameters(network(name, networks.known(scale))) for name in NETWORKS]
    assert max(sizes) / min(sizes) < 1.03
    assert len(NETWORKS) == 6


def test_each_is_a_configuration_of_a_model_of_the_book():
    for name, (architecture, objective) in NETWORKS.items():
        made = network(name)
        assert type(made) is KIND[objective]
        recurrent = [part for part in made.modules() if isinstance(part, LSTMBlock)]
        assert bool(recurrent) == (architecture == "lstm")
    sides = {part.causal for part in [network("attention-two-one-way").left_to_right.config]}
    assert sides == {True} and not network("lstm-masked").config.causal


def test_only_their_own_side_is_seen():
    tokens = torch.arange(6, 18).unsqueeze(0)
    other = tokens.clone()
    other[0, 8:] += 50
    for name, (_, objective) in NETWORKS.items():
        made = network(name)
        with torch.no_grad():
            before, after = (made(text)[0, 5] for text in (tokens, other))
        if objective == "two one-way":
            before, after = before.chunk(2)[0], after.chunk(2)[0]
        assert torch.allclose(before, after) == (objective != "masked")


def test_every_network_learns_from_its_batches():
    text = LaboratoryText.of(LANGUAGE, 600, 5)
    for name, design in networks.DESIGNS.items():
        made = network(name).train()
        chosen = networks.recipe_of(name, "smoke")
        batches = text.batches(chosen, design.objective, Schedule(), seed=0)
        loss, count = batch_loss(made, batches.batch(chosen.steps - 1))
        loss.backward()
        assert loss.isfinite() and count > 0, name


def test_each_step_of_a_walk_changes_one_argument():
    def told(step):
        design = networks.DESIGNS[step.network]
        sizes = {"window": None, "positions": "learned", "layers": 2, **design.changes}
        return {"kind": design.kind, "objective": design.objective, "way": step.way, **sizes}

    for steps in WALKS.values():
        for one, other in pairwise(steps):
            before, after = told(one), told(other)
            assert sum(before[name] != after[name] for name in before) == 1, other.changed
    assert all(name in networks.DESIGNS for name in (BERT, *NETWORKS))
    assert set(HISTORICAL) < set(CELLS) and len(CELLS) == 12


def test_all_train_alike_but_for_the_rate():
    recipes = [networks.recipe_of(name, "laptop") for name in networks.DESIGNS]
    for field in ("words", "batch", "steps", "stages", "beginning", "labels", "updates"):
        assert len({repr(getattr(one, field)) for one in recipes}) == 1


def test_what_is_chosen_is_what_was_best():
    """Rates are those that the recorded searches prefer; before there are any, those tried."""
    found = {r.arm: r for r in read_records(clone_root() / "results", "family_tree_laboratory")}
    for name in NETWORKS:
        record = found.get(f"rates-{name}")
        if record is None:
            assert networks.RATES[name] in networks.TRIED_RATES["laptop"]
            assert networks.TUNING[name] in networks.TRIED_TUNING["laptop"]
            continue
        rates, tuning = (record.config[which] for which in ("rates", "tuning"))
        assert networks.RATES[name] == min(rates, key=lambda r: record.figures[f"rate {r:g}"])
        assert networks.TUNING[name] == max(tuning, key=lambda r: record.figures[f"tuning {r:g}"])


# What is measured.


def test_a_window_of_everything_is_worth_both_sides():
    text = LaboratoryText.of(LANGUAGE, 300, 5)
    sample = text.documents.sample
    places = np.flatnonzero(sample.ids != LANGUAGE.end_id)[::7]
    both = Oracle(LANGUAGE).word_floors(sample.ids)["both"][places]
    np.testing.assert_allclose(window_limit(text, places, 500), both, rtol=1e-6, atol=1e-9)
    one, four = (window_limit(text, places, n).mean() for n in (1, 4))
    assert both.mean() < four < one


def test_every_network_is_asked_the_same(records):
    one, other = (records[name].groups for name in ("lstm-masked", "attention-two-one-way"))
    assert set(one) == set(other) == set(records["bag-of-4"].groups)
    for name, group in one.items():
        assert group["tokens"] == other[name]["tokens"]
    assert one["one word: limit of both"] == other["one word: limit of both"]


def test_records_hold_what_is_judged(records):
    held = set(records["lstm-masked"].groups)
    for outcome in OUTCOMES:
        wanted = {group.format(way=way) for group in outcome.groups for way in ("frozen", "tuned")}
        assert wanted | set((outcome.less or {}).values()) <= held
    for question in QUESTIONS.values():
        assert {part.group for parts in question.contrasts for part in parts} <= held
        assert {part.arm for parts in question.contrasts for part in parts} <= set(networks.DESIGNS)


def test_rates_are_tried_on_texts_of_their_own(records):
    figures = records["rates-lstm-two-one-way"].figures
    assert set(figures) == {"rate 0.004", "tuning 0.3"} and figures["rate 0.004"] > 0
    assert 0 <= figures["tuning 0.3"] <= 1
    assert records["rates-lstm-two-one-way"].config["seed"] not in range(20)


def test_wider_windows_are_worth_more(records):
    figures = records["windows"].figures
    limits = [figures[f"window {n}: limit"] for n in (1, 2, 4, 8, 16, "all")]
    assert limits == sorted(limits, reverse=True) and limits[0] > limits[-1]
