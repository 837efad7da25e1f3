"""Devlin et al. (2018) at reduced scale: what a network learns to say, and what that is good for.

A network for each objective, trained once on the same pieces of the running text: words restored
from both sides (BERT without and with its second task), the next word from the left, two one-way
readers. Each is asked for words left out of held-out text, stands frozen below the heads of the
scoreboard, and learns tasks itself; the seeds are of that. Beside them other ways of hiding words,
layers, and small networks trained on the text of a task alone. At scale ``smoke`` all is Pocket
English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.bert.material import CLOZE_TOKENS, HELD_OUT_TOKENS, Material
from nnlm2bert.experiments.bert.own_text import SelfTraining
from nnlm2bert.experiments.bert.pretraining import settings
from nnlm2bert.experiments.bert.recipes import (
    COMPARED,
    OBJECTIVES,
    SEARCHED,
    TRIED_TOKENS,
    recipe,
    tried,
)
from nnlm2bert.experiments.bert.runs import (
    run_cloze,
    run_rates,
    run_recipes,
    run_self,
    run_task,
    run_way,
)
from nnlm2bert.experiments.runner import Arm, Experiment, Result, always
from nnlm2bert.experiments.scoreboard import PRETRAINING_SEED, STEPS
from nnlm2bert.transfer import FineTuning, Recipe

TASKS = ("part-of-speech", "chunks", "entities", "entailment", "sentiment", "same-sense")
SCHEDULED = ("chunks", "entities", "sentiment")
"""The tasks on which two ways of hiding words are compared."""
LAYERED = "entities"
"""The task on which layers are compared, as in table 7 of the paper."""
OWN_TEXT = ("sentiment", "entailment")
"""The tasks whose own text BERT is pre-trained on."""
WAYS = ("tuned", "frozen")
RATES: Mapping[str, Mapping[str, float]] = {
    "masked": {"encoder_rate": 0.3},
    "left-to-right": {"encoder_rate": 0.3},
    "scratch": {"encoder_rate": 0.3, "spread": 0.05},
}
"""Where fine-tuning a network differs from `FineTuning` without the auxiliary loss.

They are those that the arm "rates" finds best among `TRIED_RATES`, on the validation part of one
task.
"""
RATES_OF: Mapping[str, str] = {"two one-way": "left-to-right"}
"""The network that another one learns like; those that are not named learn like "masked"."""
TRIED_RATES: Mapping[str, tuple[Mapping[str, float], ...]] = {
    **dict.fromkeys(
        ("masked", "left-to-right"), tuple({"encoder_rate": rate} for rate in (0.3, 1.0))
    ),
    "scratch": tuple({"encoder_rate": rate, "spread": 0.05} for rate in (0.3, 1.0)),
}
RATES_TRIED_ON = ("sentiment", 100)
"""The task, and the seed of its labels, which no other arm has."""
LABELLED: Mapping[str, str] = {"smoke": "30", "laptop": "1,000", "gpu": "1,000"}
"""The number of labels that tasks are learned from; the scoreboard has fewer and more."""
EVALUATIONS: Mapping[str, int] = {"smoke": 1, "laptop": 8, "gpu": 8}
SELF_TRAINING: Mapping[str, SelfTraining] = {
    "smoke": SelfTraining(4, 256),
    "laptop": SelfTraining(3_000, 1_024),
    "gpu": SelfTraining(3_000, 1_024),
}


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    compared = [
        task_arm(task, objective, way, scale)
        for task in TASKS
        for way in WAYS
        for objective in COMPARED
    ]
    always = [task_arm(t, "always masked", way, scale) for t in SCHEDULED for way in WAYS]
    return (
        *(recipes_arm(objective, scale) for objective in SEARCHED),
        *(way_arm(objective, scale) for objective in (*COMPARED, "always masked")),
        *(cloze_arm(objective, scale) for objective in COMPARED),
        rates_arm(scale),
        *compared,
        *always,
        *(self_arm(task, text, scale) for task in OWN_TEXT for text in ("own", "outside")),
        *(scratch_arm(task, scale) for task in TASKS),
        *(layers_arm(name, layers, scale) for name, layers in layerings(scale).items()),
        way_arm("masked+order", scale),
    )


def layerings(scale: str) -> dict[str, tuple[int, ...]]:
    """Return the rows of table 7 by name, each the layers that stand side by side.

    The mix of all layers is the frozen arm itself.
    """
    last = recipe("masked", Material(scale).text, scale).layers
    four = tuple(range(max(1, last - 3), last + 1))
    return {"embeddings": (0,), "before-last": (last - 1,), "last": (last,), "last-four": four}


def pretraining(objective: str, scale: str) -> dict[str, Any]:
    """What the network of an objective was trained with, once for all seeds."""
    text = Material(scale).text
    own = {"text": text, "seed": PRETRAINING_SEED, **settings(objective, text, scale)}
    return {"pretraining": {objective: own}}


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
    return Arm(f"recipes-{named(objective)}", own, seeds=False)


def named(objective: str) -> str:
    """Return an objective as part of an arm's name."""
    return objective.replace(" ", "-")


def way_arm(objective: str, scale: str) -> Arm:
    """The network of an objective itself, and what it knew on the way."""
    own = {"kind": "way", "objective": objective, "tokens": HELD_OUT_TOKENS[scale]}
    return Arm(named(objective), {**own, **pretraining(objective, scale)}, seeds=False)


def cloze_arm(objective: str, scale: str) -> Arm:
    """Words left out of held-out text, of the network of an objective."""
    own = {"kind": "cloze", "objective": objective, "tokens": CLOZE_TOKENS[scale]}
    return Arm(f"cloze-{named(objective)}", {**own, **pretraining(objective, scale)}, seeds=False)


def task_arm(task: str, objective: str, way: str, scale: str) -> Arm:
    """A task, by a network that learns it or stands frozen below a head."""
    own = {"kind": "task", "task": task, "objective": objective, "way": way}
    labels = LABELLED[scale]
    how = head(labels, scale) if way == "frozen" else tuning(objective, labels, scale)
    config = {**own, "recipes": {labels: how}, **pretraining(objective, scale)}
    return Arm(f"{task}-{named(objective)}-{way}", config)


def scratch_arm(task: str, scale: str) -> Arm:
    """A task learned by a network of BERT's kind that was not pre-trained."""
    labels = LABELLED[scale]
    recipes = {labels: tuning("scratch", labels, scale)}
    own = {"kind": "task", "task": task, "objective": "masked", "way": "scratch"}
    return Arm(f"{task}-scratch", {**own, "recipes": recipes, **pretraining("masked", scale)})


def layers_arm(name: str, layers: Sequence[int], scale: str) -> Arm:
    """One task from some layers of a frozen BERT, side by side."""
    own = {"kind": "task", "task": LAYERED, "objective": "masked", "way": "frozen"}
    labels = LABELLED[scale]
    recipes = {labels: head(labels, scale)}
    config = {**own, "layers": list(layers), "recipes": recipes, **pretraining("masked", scale)}
    return Arm(f"{LAYERED}-layers-{name}", config)


def self_arm(task: str, text: str, scale: str) -> Arm:
    """A task learned by a BERT that was pre-trained on its own text, or on as much from outside."""
    own = {"kind": "self", "task": task, "text": text, **asdict(SELF_TRAINING[scale])}
    labels = LABELLED[scale]
    recipes = {labels: tuning("masked", labels, scale)}
    chosen = asdict(recipe("masked", Material(scale).text, scale))
    return Arm(f"{task}-{text}-text", {**own, "recipes": recipes, "recipe": chosen})


def rates_arm(scale: str) -> Arm:
    """What each network's rate of fine-tuning is chosen by."""
    task, seed = RATES_TRIED_ON
    labels = LABELLED[scale]
    recipes = {
        name: [{**plain_tuning(labels, scale), **changes} for changes in tried_rates]
        for name, tried_rates in TRIED_RATES.items()
    }
    networks = [name for name in TRIED_RATES if name in OBJECTIVES]
    made = {"pretraining": {o: pretraining(o, scale)["pretraining"][o] for o in networks}}
    own = {"kind": "rates", "task": task, "labels": labels, "seed": seed, "recipes": recipes}
    return Arm("rates", {**own, **made})


def plain_tuning(labels: str, scale: str) -> dict[str, Any]:
    """How any network learns a task, unless something else is chosen."""
    steps = STEPS[scale][labels]
    return asdict(FineTuning(steps, auxiliary=0.0, evaluations=EVALUATIONS[scale]))


def tuning(name: str, labels: str, scale: str) -> dict[str, Any]:
    """How a network learns a task: an objective's, or one from scratch."""
    like = RATES_OF.get(name, name)
    return {**plain_tuning(labels, scale), **RATES.get(like, RATES["masked"])}


def head(labels: str, scale: str) -> dict[str, Any]:
    """How a head on frozen vectors learns a task: as on the scoreboard."""
    return asdict(Recipe(STEPS[scale][labels], evaluations=EVALUATIONS[scale]))


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    data.device = device
    runs: dict[str, Callable[[], Result]] = {
        "recipes": lambda: run_recipes(arm, data, workspace, device),
        "way": lambda: run_way(arm, data),
        "cloze": lambda: run_cloze(arm, data),
        "rates": lambda: run_rates(arm, data, device),
        "task": lambda: run_task(arm, seed, data, device),
        "self": lambda: run_self(arm, seed, data, workspace, device),
    }
    return runs[arm.config["kind"]]()


EXPERIMENT = Experiment(
    name="bert",
    title="BERT on running text",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(
        *RUNNING_TEXT,
        "ud-english-ewt",
        "conll2000",
        "wnut17",
        "sick",
        "sst2-sentences",
        "wic",
    ),
    on_gpu=always,
)
