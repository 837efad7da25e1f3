"""The factorial on real text: six networks of equal size on the running text, and four tasks.

{LSTM, attention} x {left-to-right, two one-way, masked}, each trained once on 3 million tokens of
the running text; asked for words left out of held-out text; then chunks, entities, sentiment and
entailment from 1,000 labels, by a head above the frozen network or by the network itself, the seeds
being of that. "rates-..." and "tuning-..." try the same few learning rates for each of the six, on
held-out text and on a validation part. At scale ``smoke`` all is Pocket English.

CPU minutes of one core at scale ``laptop``: a network of two one-way readers 8, one from the left
5, a masked one 3, with 2 more for the beginning and the words left out, each once; "rates-..." as
long, "tuning-..." 2; a task 1 to 2 for each seed, the first seed of a frozen one 1 more, as the
network reads its text. All of it, with 3 seeds of 48 arms, about 4 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.bert.experiment import LABELLED, head, plain_tuning
from nnlm2bert.experiments.bert.material import CLOZE_TOKENS, HELD_OUT_TOKENS, Material
from nnlm2bert.experiments.bert.runs import run_cloze, run_rates, run_recipes, run_task
from nnlm2bert.experiments.family_tree.cells import CELLS, NETWORKS, Cell
from nnlm2bert.experiments.family_tree.running import (
    TRIED_RATES,
    TRIED_TOKENS,
    TRIED_TUNING,
    TUNING,
    FamilyMaterial,
    as_recipe,
    known,
    objective_of,
    recipe,
    settings,
)
from nnlm2bert.experiments.runner import Arm, Experiment, Result, always
from nnlm2bert.experiments.scoreboard import PRETRAINING_SEED
from nnlm2bert.models.other_blocks import parameters

TASKS = ("chunks", "entities", "sentiment", "entailment")
TUNING_TRIED_ON = ("sentiment", 100)
"""The task, and the seed of its labels, which no other arm has."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale: rates, networks, rates of tuning, tasks."""
    return (
        *(rates_arm(name, scale) for name in NETWORKS),
        *(network_arm(name, scale) for name in NETWORKS),
        *(tuning_arm(name, scale) for name in NETWORKS),
        *(task_arm(task, cell, scale) for task in TASKS for cell in CELLS),
    )


def text(scale: str) -> str:
    """Return the text that the networks are trained on."""
    return Material(scale).text


def rates_arm(name: str, scale: str) -> Arm:
    """The learning rates that a network tries on a few tokens, then on held-out text."""
    tokens = TRIED_TOKENS[known(scale)]
    chosen = replace(recipe(name, scale), tokens=tokens)
    tried = {
        f"rate {rate:g}": asdict(replace(chosen, learning_rate=rate))
        for rate in TRIED_RATES[known(scale)]
    }
    own = {
        "kind": "rates",
        "objective": asdict(objective_of(name)),
        "text": text(scale),
        "tokens": tokens,
        "held-out tokens": HELD_OUT_TOKENS[scale],
        "seed": PRETRAINING_SEED,
        "recipes": tried,
    }
    return Arm(f"rates-{name}", own, seeds=False)


def network_arm(name: str, scale: str) -> Arm:
    """A network itself, asked for words left out of held-out text."""
    own = {"kind": "network", "objective": name, "tokens": CLOZE_TOKENS[scale]}
    return Arm(name, {**own, **pretraining(name, scale)}, seeds=False)


def tuning_arm(name: str, scale: str) -> Arm:
    """The rates of tuning that a network tries, on the validation part of a task."""
    task, seed = TUNING_TRIED_ON
    labels = LABELLED[scale]
    tried = [tuning(labels, scale, rate) for rate in TRIED_TUNING[known(scale)]]
    own = {"kind": "tuning", "task": task, "labels": labels, "seed": seed}
    config = {**own, "recipes": {name: tried}, **pretraining(name, scale)}
    return Arm(f"tuning-{name}", config, seeds=False)


def task_arm(task: str, cell: Cell, scale: str) -> Arm:
    """A task learned by a network in one of two ways."""
    labels = LABELLED[scale]
    how = head(labels, scale)
    if cell.way == "tuned":
        how = tuning(labels, scale, TUNING[cell.network])
    own = {"kind": "task", "task": task, "objective": cell.network, "way": cell.way}
    config = {**own, "recipes": {labels: how}, **pretraining(cell.network, scale)}
    return Arm(task_arm_name(task, cell), config)


def task_arm_name(task: str, cell: Cell) -> str:
    """Return the name of the arm of a task and a cell."""
    return f"{task}-{cell.network}-{cell.way}"


def tuning(labels: str, scale: str, rate: float) -> dict[str, Any]:
    """Return how a network learns a task, at ``rate`` times the rate of the new layer."""
    return {**plain_tuning(labels, scale), "encoder_rate": rate}


def pretraining(name: str, scale: str) -> dict[str, Any]:
    """Return what a network was trained with, once for all seeds."""
    return {"pretraining": {name: settings(name, text(scale), scale)}}


def run(arm: Arm, seed: int, data: FamilyMaterial, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    data.device = device
    runs: Mapping[str, Callable[[], Result]] = {
        "rates": lambda: run_recipes(arm, data, workspace, device, as_recipe),
        "network": lambda: run_network(arm, data),
        "tuning": lambda: run_rates(arm, data, device),
        "task": lambda: run_task(arm, seed, data, device),
    }
    return runs[arm.config["kind"]]()


def run_network(arm: Arm, data: FamilyMaterial) -> Result:
    """Ask for words left out, see `bert.runs.run_cloze`; how large the network is, and how fast."""
    found, trained = run_cloze(arm, data), data.pretrained(arm.name)
    figures = {
        "parameters": float(parameters(trained.network)),
        "tokens a second, training": trained.tokens_per_second,
    }
    series = {"training steps": list(trained.steps), "losses": list(trained.losses)}
    return replace(found, figures={**found.figures, **figures}, series=series)


EXPERIMENT = Experiment(
    name="family_tree",
    title="The family tree on running text",
    arms=arms,
    prepare=FamilyMaterial,
    run=run,
    corpora=(*RUNNING_TEXT, "conll2000", "wnut17", "sst2-sentences", "sick"),
    on_gpu=always,
)
