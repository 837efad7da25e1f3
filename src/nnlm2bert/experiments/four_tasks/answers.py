"""Answers to questions with BERT, as features and fine-tuned, beside the vectors of other stages.

All learn from the same questions and are asked the same; a unit of resampling is a paragraph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nnlm2bert.evaluation.answers import answer_units
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.transfer.answers import (
    AnswerTask,
    Asked,
    SpanNetwork,
    SpanRecipe,
    answer,
    learn_answers,
)
from nnlm2bert.transfer.bert_inputs import Network
from nnlm2bert.transfer.bert_spans import BERTSpans
from nnlm2bert.transfer.bert_tuning import renewed
from nnlm2bert.transfer.first_layer import WordEncoder
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.span_head import SpanHead

WAYS = ("scratch", "frozen", "tuned")
"""A network between marks that begins at random, stays as it was trained, or goes on learning."""
Group = dict[str, list[float]]


@dataclass(frozen=True)
class Scale:
    """How answers are learned and measured at a scale.

    network: by a network between marks, one linear layer above it; frozen: the same where that
    layer alone learns; head: by `SpanHead` on vectors of words. sizes: questions of each split of
    the laboratory; test: questions that are asked at most.
    """

    network: SpanRecipe
    frozen: SpanRecipe
    head: SpanRecipe
    sizes: Mapping[str, int]
    test: int = 1_000


_TUNED = SpanRecipe(steps=600, batch_size=16, learning_rate=1e-3, dropout=0.0, spread=0.06)
_FROZEN = replace(_TUNED, steps=600, batch_size=32, learning_rate=1e-2)
_HEAD = replace(_TUNED, batch_size=32, learning_rate=3e-3)
_PUBLISHED = replace(
    _TUNED, steps=400, learning_rate=5e-4, dropout=0.1, spread=0.05, precision="bfloat16"
)
_SMALL = replace(_TUNED, steps=3, batch_size=8, evaluations=1, validation=8)
SCALES: Mapping[str, Mapping[str, Scale]] = {
    "laboratory answers": {
        "smoke": Scale(_SMALL, _SMALL, _SMALL, {"train": 30, "validation": 8, "test": 12}, 12),
        "live": Scale(
            *(replace(recipe, steps=300) for recipe in (_TUNED, _FROZEN, _HEAD)),
            {"train": 2_000, "validation": 300, "test": 500},
        ),
        "laptop": Scale(
            replace(_TUNED, steps=2_000),
            *(replace(recipe, steps=1_000) for recipe in (_FROZEN, _HEAD)),
            {"train": 4_000, "validation": 500, "test": 1_000},
        ),
    },
    "answers": {
        "smoke": Scale(_SMALL, _SMALL, _SMALL, {}, 8),
        "live": Scale(*(replace(recipe, steps=60) for recipe in (_PUBLISHED, _FROZEN, _HEAD)), {}),
        "laptop": Scale(_PUBLISHED, _FROZEN, _HEAD, {}),
    },
}
"""By task and scale; ``gpu`` is as ``laptop``."""


def scale_of(task: str, scale: str) -> Scale:
    """Return how a task is learned at a scale."""
    return SCALES[task]["laptop" if scale == "gpu" else scale]


def recipe_for(way: str, chosen: Scale) -> SpanRecipe:
    """Return how a network between marks learns in one of `WAYS`."""
    recipe = chosen.frozen if way == "frozen" else chosen.network
    return replace(recipe, encoder_rate=1.0) if way == "scratch" else recipe


def measure_spans(
    task: AnswerTask,
    network: Network,
    read: MarkedWords,
    way: str,
    scale: str,
    seed: int,
    device: str = "cpu",
) -> Result:
    """Learn to answer by a network between marks in one of `WAYS`, and answer the test part.

    ``network`` is a BERT, a GPT or two one-way readers; ``read``, how words become its tokens.
    Results as `measured` says. Raises ValueError for another way.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r}: choose one of {', '.join(WAYS)}")
    chosen = scale_of(task.name, scale)
    recipe = recipe_for(way, chosen)

    def make() -> SpanNetwork:
        dropout = 0.0 if way == "frozen" else recipe.dropout
        own = renewed(network, way == "scratch", dropout, recipe.spread)
        return BERTSpans(own, read, recipe.stride, recipe.dropout, frozen=way == "frozen")

    return measured(task, make, recipe, chosen.test, seed, device)


def measure_vectors(
    task: AnswerTask,
    make_encoder: Callable[[], WordEncoder],
    scale: str,
    seed: int,
    device: str = "cpu",
) -> Result:
    """Learn to answer by `SpanHead` above vectors of words, of whatever stage, and answer.

    ``make_encoder`` builds what turns sentences into vectors, after the seed is set: a
    `first_layer.FirstLayer` of word2vec's, a `contextual.ContextualEncoder` of what ELMo, GPT or
    BERT said. Results as `measured` says.
    """
    chosen = scale_of(task.name, scale)
    return measured(task, lambda: SpanHead(make_encoder()), chosen.head, chosen.test, seed, device)


def measured(
    task: AnswerTask,
    make: Callable[[], SpanNetwork],
    recipe: SpanRecipe,
    test: int,
    seed: int,
    device: str,
) -> Result:
    """Train what ``make`` builds on a task, and answer at most so many questions of its test part.

    Groups and figures "exact match" and "F1", a unit a paragraph; figures "weights" that learn and
    "questions a second, training".
    """
    splits = task.splits
    network, training = learn_answers(
        *(make, splits["train"], splits["validation"], recipe, mean_f1, seed), device=device
    )
    asked = splits["test"][:test]
    exact, partly = units(answer(network, asked), asked)
    figures = {
        "exact match": score(exact),
        "F1": score(partly),
        "weights": float(sum(p.numel() for p in network.parameters() if p.requires_grad)),
        "questions a second, training": training.examples_per_second,
    }
    series = {
        "steps": training.history.evaluated,
        "validation F1": [-error for error in training.history.measures["error"]],
    }
    return Result(figures=figures, series=series, groups={"exact match": exact, "F1": partly})


def units(spans: Sequence[tuple[int, int]], asked: Sequence[Asked]) -> tuple[Group, Group]:
    """Return exact match and F1 of spans as groups, a unit for each paragraph."""
    said = [one.written(span) for one, span in zip(asked, spans, strict=True)]
    return answer_units(said, [one.answer for one in asked], [one.number for one in asked])


def mean_exact(spans: Sequence[tuple[int, int]], asked: Sequence[Asked]) -> float:
    """Return the share of questions whose span is right to the word."""
    return score(units(spans, asked)[0])


def mean_f1(spans: Sequence[tuple[int, int]], asked: Sequence[Asked]) -> float:
    """Return the mean F1 of spans over questions."""
    return score(units(spans, asked)[1])
