"""The network that chapter 7 trains live, and how its ways of learning were chosen.

`TRIED` was fixed before the first run. Each setting learns as long as the others and is measured on
the validation part; the test part is asked once, in the chapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nnlm2bert.experiments.bert.laboratory_networks import HIDDEN, Recipe, Stage, recipe
from nnlm2bert.experiments.four_tasks.answers import mean_exact
from nnlm2bert.models.bert import BERT
from nnlm2bert.transfer.answers import AnswerTask, SpanRecipe, learn_answers
from nnlm2bert.transfer.bert_spans import BERTSpans
from nnlm2bert.transfer.bert_tuning import BERTReader, renewed
from nnlm2bert.transfer.fine_tuning import FineTuning, fine_tune
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.tasks import Task
from nnlm2bert.transfer.training_recipe import Measure

Changes = Mapping[str, float]
SPREAD = 0.1
"""Standard deviation of weights that begin at random."""
TRIED: Mapping[str, Sequence[Changes]] = {
    "task": (
        {"learning_rate": 3e-4},
        {"learning_rate": 1e-3},
        {"learning_rate": 3e-3},
        {"learning_rate": 3e-3, "encoder_rate": 0.1},
        {"learning_rate": 1e-3, "dropout": 0.1},
    ),
    "answers": ({"learning_rate": 1e-3}, {"learning_rate": 3e-3}),
}
"""What fine-tuning tried, where nothing else is said without dropout: for tasks of one text or two
(the mean of entailment and same-sense counts), and for answers in a text, with twice the questions
and the steps of the chapter.

In one of them the new layer learns at ten times the rate of the network, nearly as if it learned
first.
"""
CHOSEN: Mapping[str, Changes] = {
    "task": {"learning_rate": 1e-3, "dropout": 0.0},
    "answers": {"learning_rate": 3e-3, "dropout": 0.0},
}
"""What did best on the validation part; the two rates for answers did alike."""


def network_recipe() -> Recipe:
    """Return how the chapter's network is trained: smaller than chapter 6's, on short texts."""
    live = recipe("live")
    stages = (Stage(1 / 12, 27, HIDDEN), Stage(1 / 12, 35, HIDDEN), Stage(5 / 6, 96, HIDDEN))
    config = replace(live.config, width=64, inner=256)
    return replace(live, config=config, batch=512, steps=2_000, stages=stages)


def try_answers(
    bert: BERT,
    read: MarkedWords,
    task: AnswerTask,
    way: str,
    recipe: SpanRecipe,
    seed: int = 0,
) -> list[float]:
    """Return exact match (0 to 1) on the validation part on the way, learning in one of the ways.

    ``way``: "tuned", beginning as ``bert``, or "scratch".
    """

    def make() -> BERTSpans:
        network = renewed(bert, way == "scratch", recipe.dropout, SPREAD)
        return BERTSpans(network, read, dropout=recipe.dropout)

    parts = task.splits["train"], task.splits["validation"]
    _, training = learn_answers(make, *parts, recipe, mean_exact, seed)
    return [-error for error in training.history.measures["error"]]


def try_task(
    bert: BERT,
    read: MarkedWords,
    task: Task,
    way: str,
    recipe: FineTuning,
    measure: Measure,
    seed: int = 0,
) -> list[float]:
    """Return the measure on the validation part of a task of one text or two, as `try_answers`."""

    def make() -> BERTReader:
        network = renewed(bert, way == "scratch", recipe.dropout, SPREAD)
        return BERTReader(network, read, task, recipe.dropout)

    _, training = fine_tune(task, make, task.splits["train"], recipe, measure, seed)
    return [-error for error in training.history.measures["error"]]
