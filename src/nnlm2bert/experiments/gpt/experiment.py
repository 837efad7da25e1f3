"""Radford et al. (2018) at reduced scale: one network, pre-trained, and then taught many tasks.

One GPT, trained once on the running text; the seeds are of what follows it: labels drawn, the start
of what begins at random, the order of the examples. Against the same network from scratch, frozen,
without the auxiliary loss, and with only its lowest layers copied; tasks that it was never taught,
while it was trained; and the laboratory, where the limits are known. At scale ``smoke`` all is
Pocket English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.gpt.laboratory import measure_laboratory
from nnlm2bert.experiments.gpt.laboratory import recipe as laboratory_recipe
from nnlm2bert.experiments.gpt.material import CHOICE, POCKET, PROMPTS, Material
from nnlm2bert.experiments.gpt.measures import (
    Untaught,
    measure_for,
    networks_on_the_way,
    on_the_way,
    units,
)
from nnlm2bert.experiments.gpt.pretraining import recipe as pretraining_recipe
from nnlm2bert.experiments.gpt.pretraining import settings as pretraining_settings
from nnlm2bert.experiments.gpt.pretraining import snapshots
from nnlm2bert.experiments.runner import Arm, Experiment, OfKinds, Result
from nnlm2bert.experiments.scoreboard import LABELS, PRETRAINING_SEED, STEPS, score
from nnlm2bert.models.gpt import GPT
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer import (
    Example,
    FineTuning,
    GPTReader,
    Task,
    draw,
    fine_tune,
    predict,
    transferred,
)
from nnlm2bert.transfer.training_recipe import spread

TASKS = ("sentiment", "questions", "entailment", "relatedness", "acceptability")
BY_LAYER = ("sentiment", "entailment")
WAYS: Mapping[str, Mapping[str, Any]] = {
    "tuned": {"layers": None},
    "scratch": {"layers": 0},
    "frozen": {"layers": None, "frozen": True},
    "no-aux": {"layers": None},
}
"""What a task begins with: layers copied (None: all), and whether they stay as they are."""
RATES: Mapping[str, Mapping[str, float]] = {
    "tuned": {},
    "scratch": {"encoder_rate": 0.3, "auxiliary": 0.0},
    "frozen": {"learning_rate": 2e-2, "encoder_rate": 0.3, "auxiliary": 0.0},
    "no-aux": {"auxiliary": 0.0},
}
"""Where a way of learning differs from `FineTuning`, which is as "tuned" and the scoreboard learn.

Learning rates, and the weight of the auxiliary loss from scratch, are those that the arm "rates"
finds best among `TRIED`, on the validation part of one task; "no-aux" learns like "tuned". (The
encoder's rate says nothing where the encoder is frozen.)
"""
TRIED: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "tuned": tuple({"encoder_rate": rate} for rate in (0.1, 0.3, 1.0)),
    "scratch": tuple(
        {"encoder_rate": rate, "auxiliary": weight, "spread": spread}
        for rate in (0.3, 1.0)
        for weight in (0.0, 0.5)
        for spread in (0.02, 0.05)
    ),
    "frozen": tuple({"learning_rate": rate} for rate in (1e-3, 5e-3, 2e-2)),
}
TRIED_ON = ("sentiment", 100)
"""The task, and the seed of its labels, which no other arm has."""
MIDDLE: Mapping[str, str] = {"smoke": "30", "laptop": "1,000", "gpu": "1,000"}
"""The number of labels at which rates are tried and layers counted."""
EVALUATIONS: Mapping[str, int] = {"smoke": 1, "laptop": 8, "gpu": 8}
ON_THE_WAY: Mapping[str, int] = {"smoke": 300, "laptop": 30_000, "gpu": 30_000}
"""Tokens of each held-out text that a network on the way is measured on; the last, four times."""
FINAL = 4


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    return (
        way_arm("GPT", Material(scale).text, scale),
        Arm("rates", _rates(scale), seeds=False),
        laboratory_arm(scale),
        *(task_arm(task, way, scale) for task in TASKS for way in ("tuned", "scratch")),
        *(layers_arm(task, k, scale) for task in BY_LAYER for k in blocks_below(scale)),
        *(task_arm(task, "frozen", scale) for task in TASKS),
        *(task_arm(task, "no-aux", scale, (MIDDLE[scale],)) for task in TASKS),
        *(task_arm(CHOICE, way, scale) for way in ("tuned", "scratch")),
        way_arm("GPT-Pocket-English", POCKET, scale),
    )


def blocks_below(scale: str) -> range:
    """How many blocks are copied below those that begin at random; all of them: "tuned"."""
    return range(pretraining_recipe(Material(scale).text, scale).layers)


def pretraining(text: str, scale: str) -> dict[str, Any]:
    """What the network of a text was trained with, once for all seeds."""
    own = {"text": text, "seed": PRETRAINING_SEED, **pretraining_settings(text, scale)}
    return {"pretraining": {"GPT": own}}


def way_arm(name: str, text: str, scale: str) -> Arm:
    """The network of a text itself, and what it could do on the way."""
    own = {
        "kind": "way",
        "text": text,
        "tokens": ON_THE_WAY[scale],
        "prompt": asdict(PROMPTS[text]),
    }
    return Arm(name, {**own, **pretraining(text, scale)}, seeds=False)


def laboratory_arm(scale: str) -> Arm:
    """A GPT in Pocket English, another one for each seed, beside the exact limits."""
    return Arm("laboratory", {"kind": "laboratory", "recipe": asdict(laboratory_recipe(scale))})


def task_arm(task: str, way: str, scale: str, labelled: Sequence[str] = ()) -> Arm:
    """A task in one of the `WAYS`, with some numbers of labels, or with each of the scale's."""
    recipes = {labels: _recipe(way, labels, scale) for labels in labelled or LABELS[scale]}
    return _task_arm(f"{task}-{way}", task, WAYS[way], recipes, scale)


def layers_arm(task: str, blocks: int, scale: str) -> Arm:
    """A task with the embedding and the lowest ``blocks`` copied, the blocks above at random.

    0: the embedding alone; nothing at all is "scratch", at its own learning rate.
    """
    labels = MIDDLE[scale]
    recipes = {labels: _recipe("tuned", labels, scale)}
    return _task_arm(f"{task}-layers-{blocks}", task, {"layers": 1 + blocks}, recipes, scale)


def _task_arm(
    name: str, task: str, way: Mapping[str, Any], recipes: Mapping[str, Any], scale: str
) -> Arm:
    text = Material(scale).text_of(task)
    own = {"kind": "task", "task": task, **way, "recipes": recipes}
    return Arm(name, {**own, **pretraining(text, scale)})


def _recipe(way: str, labels: str, scale: str) -> dict[str, Any]:
    recipe = FineTuning(STEPS[scale][labels], evaluations=EVALUATIONS[scale], **RATES[way])
    return asdict(recipe)


def _rates(scale: str) -> dict[str, Any]:
    task, seed = TRIED_ON
    labels = MIDDLE[scale]
    recipes = {
        way: [{**_recipe(way, labels, scale), **tried} for tried in TRIED[way]] for way in TRIED
    }
    own = {"kind": "rates", "task": task, "labels": labels, "seed": seed, "recipes": recipes}
    return {**own, **pretraining(Material(scale).text_of(task), scale)}


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    data.device = device
    runs: dict[str, Callable[[], Result]] = {
        "way": lambda: run_way(arm, data),
        "rates": lambda: run_rates(arm, data, device),
        "laboratory": lambda: measure_laboratory(data.scale, seed),
        "task": lambda: run_task(arm, seed, data, device),
    }
    return runs[arm.config["kind"]]()


def run_way(arm: Arm, data: Material) -> Result:
    """Measure a network, and what it was on the way, on held-out text and tasks not taught.

    Groups "zero-shot 0" and so on, the untrained network first; of the last network, on more text,
    "wikitext-2" and so on. Series by step, and the loss of the training.
    """
    text, tokens = arm.config["text"], arm.config["tokens"]
    trained = data.pretrained(text)
    sentiment, acceptability = data.asked(text)
    held_out = data.held_out(text)
    ways = (data.encoder(text), PROMPTS[text], sentiment, acceptability, held_out)
    networks = networks_on_the_way(data.untrained(text), snapshots(data.place(text)))
    series, groups = on_the_way(networks, Untaught(*ways, tokens))
    last = Untaught(*ways, FINAL * tokens).texts(trained.gpt)
    figures = {
        **{f"{name}, perplexity a word": value for name, (_, value) in last.items()},
        **{f"{name}, tokens a word": len(s) / s.words for name, s in held_out.items()},
        "tokens a second, training": trained.tokens_per_second,
        "parameters": sum(p.numel() for p in trained.gpt.parameters()),
    }
    return Result(
        figures=figures,
        series={**series, "training steps": trained.steps, "losses": trained.losses},
        groups={**groups, **{name: group for name, (group, _) in last.items()}},
    )


def run_task(arm: Arm, seed: int, data: Material, device: str) -> Result:
    """Learn a task from each number of labels, the draws nested, and measure the test part."""
    task = data.task(arm.config["task"])
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for labels, settings in arm.config["recipes"].items():
        labelled = draw(task, LABELS[data.scale][labels], seed)
        reader = learned(arm, task, labelled, FineTuning(**settings), seed, data, device)
        test = task.splits["test"]
        predicted = predict(reader, task, test)
        groups[labels] = units(task, predicted, test)
        figures[f"{labels} {task.measure}"] = score(groups[labels])
        if task.measure == "Matthews":
            right = sum(p == e.label for p, e in zip(predicted, test, strict=True))
            figures[f"{labels} accuracy"] = right / len(test)
        figures[f"{labels} examples"] = len(labelled)
    return Result(figures=figures, groups=groups)


def learned(
    arm: Arm,
    task: Task,
    labelled: Sequence[Example],
    recipe: FineTuning,
    seed: int,
    data: Material,
    device: str,
) -> GPTReader:
    """Return the network of an arm after it learned a task."""
    text = data.text_of(arm.config["task"])
    gpt, tokens = data.pretrained(text).gpt, data.encoder(text)
    make = maker(gpt, tokens, task, arm.config, recipe)
    return fine_tune(task, make, labelled, recipe, measure_for(task), seed, device)[0]


def maker(
    gpt: GPT, tokens: SubwordEncoder, task: Task, way: Mapping[str, Any], recipe: FineTuning
) -> Callable[[], GPTReader]:
    """Return what makes the network that a task begins with: the layers copied, or frozen."""

    def make() -> GPTReader:
        body = transferred(gpt, way["layers"], recipe.dropout, recipe.spread)
        return GPTReader(body, tokens, task, recipe.dropout, way.get("frozen", False))

    return make


def run_rates(arm: Arm, data: Material, device: str) -> Result:
    """Score each way's tried rates on the validation part; nothing of the test part is seen."""
    task, seed = data.task(arm.config["task"]), arm.config["seed"]
    labelled = draw(task, LABELS[data.scale][arm.config["labels"]], seed)
    validation = spread(task.splits["validation"], FineTuning(1).validation)
    figures = {}
    for way, recipes in arm.config["recipes"].items():
        for number, settings in enumerate(recipes):
            own = Arm(way, {"task": arm.config["task"], **WAYS[way]})
            reader = learned(own, task, labelled, FineTuning(**settings), seed, data, device)
            found = measure_for(task)(predict(reader, task, validation), validation)
            figures[f"{way} {number}"] = found
    return Result(figures=figures)


EXPERIMENT = Experiment(
    name="gpt",
    title="GPT on running text",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(*RUNNING_TEXT, "sst2-sentences", "trec-qc", "sick", "cola"),
    on_gpu=OfKinds(("way", "rates", "task")),
)
