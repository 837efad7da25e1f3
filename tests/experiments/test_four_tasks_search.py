"""What chapter 7 trains live, and the settings that were tried for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.bert.laboratory_networks import recipe
from nnlm2bert.experiments.four_tasks.search import (
    CHOSEN,
    TRIED,
    network_recipe,
    try_answers,
    try_task,
)
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.transfer import FineTuning, SpanRecipe, load_answers, load_task
from nnlm2bert.transfer.marked_words import MarkedWords

SIZES = {"train": 16, "validation": 8, "test": 4}


@pytest.fixture(scope="module")
def read() -> MarkedWords:
    return MarkedWords.of_laboratory(PocketEnglish())


@pytest.fixture(scope="module")
def bert() -> BERT:
    torch.manual_seed(0)
    sizes = {"context": 96, "width": 16, "heads": 2, "layers": 1, "inner": 32, "dropout": 0.0}
    return BERT(bert_config(602, norm="pre", **sizes))


def test_what_was_chosen_was_tried() -> None:
    assert set(CHOSEN) == set(TRIED)
    for name, chosen in CHOSEN.items():
        tried = [{"dropout": 0.0, **changes} for changes in TRIED[name]]
        assert dict(chosen) in tried
        assert len({tuple(sorted(one.items())) for one in tried}) == len(tried)


@pytest.mark.parametrize(("name", "kind"), [("task", FineTuning), ("answers", SpanRecipe)])
def test_settings_are_those_of_the_recipes(name: str, kind: type) -> None:
    for changes in TRIED[name]:
        recipe = kind(2, **{"dropout": 0.0, **changes})
        assert recipe.learning_rate == changes["learning_rate"]


def test_the_network_is_smaller_than_that_of_chapter_6() -> None:
    ours, theirs = network_recipe(), recipe("live")
    assert ours.config.width < theirs.config.width and ours.config.layers == theirs.config.layers
    assert ours.steps * ours.batch < theirs.steps * theirs.batch
    assert max(stage.context for stage in ours.stages) <= ours.config.context


@pytest.mark.parametrize("way", ["tuned", "scratch"])
def test_answers_are_measured_on_the_validation_part(
    way: str, bert: BERT, read: MarkedWords
) -> None:
    task = load_answers("laboratory answers", SIZES)
    del task.splits["test"]
    recipe = SpanRecipe(4, batch_size=4, evaluations=2, validation=8)
    found = try_answers(bert, read, task, way, recipe)
    assert len(found) == 2 and all(round(8 * one, 6) in range(9) for one in found)


def test_a_task_is_measured_and_the_network_stays_as_it_is(bert: BERT, read: MarkedWords) -> None:
    task = load_task("laboratory sentiment", SIZES)
    before = bert.layers[0].tokens.weight.clone()
    recipe = FineTuning(4, batch_size=4, auxiliary=0.0, evaluations=2, validation=8)

    def measure(said: list, examples: list) -> float:
        assert set(examples) <= set(task.splits["validation"])
        return float(np.mean([a == e.label for a, e in zip(said, examples, strict=True)]))

    found = try_task(bert, read, task, "tuned", recipe, measure)
    assert len(found) == 2 and all(0 <= one <= 1 for one in found)
    assert torch.equal(before, bert.layers[0].tokens.weight)
