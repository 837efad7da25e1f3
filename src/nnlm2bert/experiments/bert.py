"""Devlin et al. (2018) at reduced scale: what a network learns to say, and what that is good for.

A network for each objective, trained once on the same pieces of the running text: words restored
from both sides (BERT without and with its second task), the next word from the left, two one-way
readers. At scale ``smoke`` all is Pocket English.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.bert_material import HELD_OUT_TOKENS, Material
from nnlm2bert.experiments.bert_measures import held_out
from nnlm2bert.experiments.bert_recipes import (
    COMPARED,
    OBJECTIVES,
    TRIED_TOKENS,
    BERTRecipe,
    Objective,
    Stage,
    tried,
)
from nnlm2bert.experiments.pretraining_bert import training_task
from nnlm2bert.experiments.runner import Arm, Experiment, Result
from nnlm2bert.experiments.scoreboard import PRETRAINING_SEED, score


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    return tuple(recipes_arm(objective, scale) for objective in COMPARED)


def recipes_arm(objective: str, scale: str) -> Arm:
    """An objective's search: each recipe on the same few tokens, then on held-out text."""
    own = {
        "kind": "recipes",
        "objective": asdict(OBJECTIVES[objective]),
        "text": Material(scale).text,
        "tokens": TRIED_TOKENS[scale],
        "held-out tokens": HELD_OUT_TOKENS[scale],
        "seed": PRETRAINING_SEED,
        "recipes": {name: asdict(one) for name, one in tried(objective, scale).items()},
    }
    return Arm(f"recipes-{objective.replace(' ', '-')}", own, seeds=False)


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    runs: dict[str, Callable[[], Result]] = {
        "recipes": lambda: run_recipes(arm, data, workspace, device),
    }
    return runs[arm.config["kind"]]()


def run_recipes(arm: Arm, data: Material, workspace: Path, device: str) -> Result:
    """Train an objective's network by each recipe, and measure it on held-out text.

    Figures "<recipe>, nats": a token that is to be predicted costs so much; series "<recipe>,
    losses" and ", steps" of the training. An interrupted search goes on from its checkpoints.
    """
    config = arm.config
    objective = Objective(**config["objective"])
    stream = data.stream(config["text"])
    figures: dict[str, float] = {}
    series: dict[str, list[float]] = {}
    for number, (name, settings) in enumerate(config["recipes"].items()):
        chosen = as_recipe(settings)
        steps = max(len(chosen.stages), config["tokens"] // chosen.batch_tokens)
        task = training_task(stream, objective, chosen, config["seed"], steps)
        result = task.train(workspace / f"{number}.pt", device=device)
        asked = data.held_out_pieces(config["text"], chosen.context, config["held-out tokens"])
        found = held_out(task.network, objective, asked)
        speed = result.step * chosen.batch_tokens / result.training_seconds
        figures |= {f"{name}, nats": score(found), f"{name}, tokens a second": speed}
        series[f"{name}, steps"] = result.history.steps
        series[f"{name}, losses"] = result.history.losses
    return Result(figures=figures, series=series)


def as_recipe(settings: dict[str, Any]) -> BERTRecipe:
    """Return the recipe that a record's settings are of."""
    stages = tuple(Stage(**stage) for stage in settings["stages"])
    return BERTRecipe(**{**settings, "stages": stages})


EXPERIMENT = Experiment(
    name="bert",
    title="BERT on running text",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(*RUNNING_TEXT,),
)
