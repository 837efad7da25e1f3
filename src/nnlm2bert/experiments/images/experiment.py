"""Yosinski et al. (2014) and Zeiler & Fergus (2014) at reduced scale: which layers travel.

CIFAR-10 cut into two tasks by lot, and into man-made and living things; Omniglot to MNIST and to
Fashion-MNIST with few labels; and the laboratory's pocket pictures, from which is read, too, what
each layer knows. Every network of a setting is trained by the same recipe. Base networks are
trained once and kept in the cache; the seconds of a record are those of what it had to train. At
scale ``smoke`` pocket pictures stand for the real ones and every size is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnlm2bert.experiments.images.material import (
    SETTINGS,
    SIZES,
    SMALL_SETS,
    STYLE,
    Direction,
    Material,
    Task,
    summed,
)
from nnlm2bert.experiments.images.measures import probe_layers, unit_precision
from nnlm2bert.experiments.images.nets import Trainer, accuracy, answers, steps_to
from nnlm2bert.experiments.runner import Arm, Experiment, Result, always
from nnlm2bert.models.convnet import ConvNet

NETWORK: dict[str, Any] = {
    "widths": (16, 32, 48, 64, 64),
    "pools": (True, True, True, False, False),
    "dropout": 0.5,
}
RECIPE: dict[str, Any] = {
    "batch_size": 32,
    "weight_decay": 0.01,
    "precision": "auto",
}
SMALL: dict[str, Any] = {"widths": (4, 4, 8, 8, 8), "batch_size": 16}
STEPS: Mapping[str, Mapping[str, int]] = {
    "smoke": {"CIFAR": 3, "pocket": 3, "labels": 3, "Omniglot": 3},
    "laptop": {"CIFAR": 1000, "pocket": 600, "labels": 400, "Omniglot": 2000},
    "gpu": {"CIFAR": 20_000, "pocket": 600, "labels": 400, "Omniglot": 2000},
}
RATES: Mapping[str, float] = {"CIFAR": 2e-3, "pocket": 1e-3, "labels": 1e-3}
"""Updates of a network and their learning rate for each kind of task, chosen by the accuracy of
networks from scratch, before any transfer was measured."""
LAYERS = (1, 2, 3, 4, 5)
LABELS = (1, 3, 10, 30, 100)
MANY_LABELS = 100
MODES: Mapping[str, Mapping[str, Any]] = {
    "base": {"source": None, "copied": (0,), "frozen": False},
    "BnB": {"source": "same", "copied": LAYERS, "frozen": True},
    "BnB+": {"source": "same", "copied": LAYERS, "frozen": False},
    "AnB": {"source": "other", "copied": LAYERS, "frozen": True},
    "AnB+": {"source": "other", "copied": LAYERS, "frozen": False},
    "random-frozen": {"source": None, "copied": LAYERS, "frozen": True},
}
"""Where the first n layers come from, each n, and whether they are kept as they are."""
MEASURED: Mapping[str, tuple[str, ...]] = {
    "CIFAR-random": tuple(MODES),
    "CIFAR-distant": ("base", "AnB", "AnB+"),
    "pocket-near": tuple(MODES),
    "pocket-far": tuple(MODES),
    "MNIST": ("AnB", "AnB+"),
    "Fashion": ("AnB", "AnB+"),
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "scratch": {"copied": 0, "frozen": False},
    "frozen": {"copied": 5, "frozen": True},
    "tuned": {"copied": 5, "frozen": False},
}
UNTRAINED: Mapping[str, Any] = {"copied": 5, "frozen": True, "untrained": True}
"""What a softmax learns of layers that have learned nothing: as few weights as "frozen" trains."""
FEW_LABELS = ("MNIST", "Fashion", "pocket-near", "pocket-far")
SPEEDS = ("pocket-near", "pocket-far")
EVALUATE_EVERY: Mapping[str, int] = {"smoke": 2, "laptop": 25, "gpu": 25}
SHARE_OF_SCRATCH = 0.9
PROBED: Mapping[str, Mapping[str, int]] = {
    "smoke": {"pictures": 80, "learn": 100, "test": 40},
    "laptop": {"pictures": 1000, "learn": 4000, "test": 2000},
    "gpu": {"pictures": 1000, "learn": 4000, "test": 2000},
}
"""Pictures of each part that are looked at, and the cells of them that a probe of strokes or parts
learns from and is tested on."""
CLAIMED = (
    *(f"CIFAR-random-{mode}" for mode in ("base", "BnB", "AnB", "AnB+")),
    *("CIFAR-distant-base", "CIFAR-distant-AnB", "MNIST-scratch", "MNIST-frozen"),
)
"""The arms that claims rest on."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    made = [
        *(layer_arm(s, mode, scale) for s in SETTINGS for mode in MEASURED[s]),
        *(label_arm(setting, way, scale) for setting in FEW_LABELS for way in WAYS),
        *(label_arm(setting, "untrained", scale) for setting in FEW_LABELS),
        *(speed_arm(setting, scale) for setting in SPEEDS),
        probe_arm(scale),
        unit_arm(scale),
    ]
    return tuple(sorted(made, key=lambda arm: arm.name not in CLAIMED))


def recipe(task: str, scale: str, **settings: Any) -> dict[str, Any]:
    """Return how networks are built and trained, for one kind of task, with further settings."""
    small = SMALL if scale == "smoke" else {}
    source = {"source_steps": STEPS[scale]["Omniglot"]} if task == "labels" else {}
    rate = {"steps": STEPS[scale][task], "learning_rate": RATES[task]}
    return {**NETWORK, **RECIPE, **small, **rate, **source, **settings}


def layer_arm(setting: str, mode: str, scale: str) -> Arm:
    """Accuracy by the number of copied layers, for one way of copying them."""
    labelled = setting in ("MNIST", "Fashion")
    task = "labels" if labelled else setting.split("-")[0]
    labels = {"labels": MANY_LABELS} if labelled else {}
    own = {"kind": "layers", "setting": setting, **MODES[mode], **labels, **_drawn(setting, scale)}
    return Arm(f"{setting}-{mode}", recipe(task, scale, **own))


def label_arm(setting: str, way: str, scale: str) -> Arm:
    """Accuracy by the number of labels a class, for one way of training."""
    settings = UNTRAINED if way == "untrained" else WAYS[way]
    own = {"kind": "labels", "setting": setting, "labels": LABELS, **settings}
    pocket = setting.startswith("pocket-")
    source = {"source_steps": STEPS[scale]["pocket"]} if pocket else {}
    return Arm(
        f"{setting}-{way}", recipe("labels", scale, **{**source, **own, **_drawn(setting, scale)})
    )


def speed_arm(setting: str, scale: str) -> Arm:
    """Accuracy on the way, for all three ways of training."""
    own = {"kind": "speed", "setting": setting, "evaluate_every": EVALUATE_EVERY[scale]}
    return Arm(f"{setting}-speed", recipe("pocket", scale, **own, **_drawn(setting, scale)))


def probe_arm(scale: str) -> Arm:
    """What a linear probe reads off each layer of the laboratory's source network."""
    own = {"kind": "probes", "setting": "pocket-near", "probed": PROBED[scale]}
    return Arm("pocket-probes", recipe("pocket", scale, **own, **_drawn("pocket", scale)))


def unit_arm(scale: str) -> Arm:
    """How well single units of each layer tell a class."""
    own = {"kind": "units", "setting": "pocket-near"}
    return Arm("pocket-units", recipe("pocket", scale, **own, **_drawn("pocket", scale)))


def _drawn(setting: str, scale: str) -> dict[str, Any]:
    """How many pocket pictures a class there are, where there are any, and how they differ."""
    if not setting.startswith("pocket"):
        return {}
    sizes = {"pictures a class": SIZES[scale].learn, "tested a class": SIZES[scale].test}
    return {**sizes, "style": asdict(STYLE)}


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm; at scale gpu, sets that have no file hashes are told by their pictures."""
    runs: dict[str, Callable[..., Result]] = {
        "layers": run_layers,
        "labels": run_labels,
        "speed": run_speed,
        "probes": run_probes,
        "units": run_units,
    }
    directions = data.directions(arm.config["setting"], seed)
    result = runs[arm.config["kind"]](Trainer(arm.config, seed, device), directions, data)
    if data.scale != "gpu":
        return result
    return replace(result, words={**result.words, "pictures": data.fingerprints})


def run_layers(trainer: Trainer, directions: tuple[Direction, ...], data: Material) -> Result:
    """Copy the first n layers for each n, train, and test: in both directions where there are two.

    Groups and accuracies "n = 1" ... are of all test pictures, each by the network for its task.
    """
    config = trainer.config
    tested = sum(len(direction.target.places) for direction in directions)
    right = {n: np.zeros(tested) for n in config["copied"]}
    figures: dict[str, float] = {}
    for direction in directions:
        target = direction.target
        if "labels" in config:
            target = target.with_labels(config["labels"], trainer.seed)
        source = source_of(trainer, direction)
        for n in config["copied"]:
            model, loss = network(trainer, source, target, n)
            hits = answers(model, target).numpy()
            right[n][target.places] = hits
            figures[f"n = {n}, {target.name}"] = float(hits.mean())
            if loss is not None:
                figures[f"training loss, n = {n}, {target.name}"] = loss
    groups = {f"n = {n}": summed(hits) for n, hits in right.items()}
    overall = {f"n = {n}": float(hits.mean()) for n, hits in right.items()}
    return Result(figures={**overall, **figures}, groups=groups, words=classes(directions))


def source_of(trainer: Trainer, direction: Direction) -> ConvNet | None:
    """The base network that layers are copied from, if any are."""
    tasks = {"same": direction.target, "other": direction.source}
    wanted = trainer.config["source"]
    return None if wanted is None else trainer.base(tasks[wanted])


def network(
    trainer: Trainer, source: ConvNet | None, target: Task, n: int
) -> tuple[ConvNet, float | None]:
    """A network with n layers from ``source``, and its last training loss; n = 0: the base's."""
    if n == 0:
        return trainer.base(target), None
    model, result = trainer.transferred(source, target, n, trainer.config["frozen"])
    return model, result.history.losses[-1]


def classes(directions: tuple[Direction, ...]) -> dict[str, dict[str, list[str]]]:
    """The classes of each target, where they are drawn by seed."""
    if len(directions) == 1:
        return {}
    named = {direction.target.name: list(direction.target.classes) for direction in directions}
    return {"classes": named}


def run_labels(trainer: Trainer, directions: tuple[Direction, ...], data: Material) -> Result:
    """Train with 1, 3, 10, 30, 100 labels a class, the draws nested, another for each seed."""
    config = trainer.config
    ((source, target),) = directions
    taught = config["copied"] and not config.get("untrained", False)
    base = trainer.base(source) if taught else None
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for count in config["labels"]:
        task = target.with_labels(count, trainer.seed)
        model, result = trainer.transferred(base, task, config["copied"], config["frozen"])
        hits = answers(model, task).numpy()
        name = labels_name(count)
        figures |= {name: float(hits.mean()), f"training loss, {name}": result.history.losses[-1]}
        groups[name] = summed(hits)
    if base is not None:
        figures["source"] = accuracy(base, source)
    return Result(figures=figures, groups=groups)


def labels_name(count: int) -> str:
    """The name of a group of few labels: "1 label", "3 labels"."""
    return f"{count} label" if count == 1 else f"{count} labels"


def run_speed(trainer: Trainer, directions: tuple[Direction, ...], data: Material) -> Result:
    """Measure accuracy on the way; figures: steps to nine tenths of what scratch ends with."""
    ((source, target),) = directions
    base = trainer.base(source)
    series: dict[str, list[float]] = {}
    speeds: dict[str, float] = {}
    for way, settings in WAYS.items():
        copied, frozen = settings["copied"], settings["frozen"]
        _, result = trainer.transferred(
            base,
            target,
            copied,
            frozen,
            evaluate=lambda model: {"accuracy": accuracy(model, target)},
            evaluate_every=trainer.config["evaluate_every"],
        )
        series["steps"] = result.history.evaluated
        series[way] = result.history.measures["accuracy"]
        speeds[f"pictures a second, {way}"] = result.examples_per_second
    aim = SHARE_OF_SCRATCH * series["scratch"][-1]
    reached = {f"steps, {way}": steps_to(series[way], series["steps"], aim) for way in WAYS}
    figures = {name: value for name, value in reached.items() if math.isfinite(value)}
    ends = {f"accuracy, {way}": series[way][-1] for way in WAYS}
    return Result(figures={"accuracy aimed at": aim, **figures, **ends, **speeds}, series=series)


def run_probes(trainer: Trainer, directions: tuple[Direction, ...], data: Material) -> Result:
    """Read strokes, parts and objects off each layer of the source network, and of an untrained."""
    source = directions[0].source
    models = {"": trainer.base(source), ", untrained": trainer.untrained(source, "base").eval()}
    drawn = {part: data.pictures("source", part, trainer.seed) for part in ("learn", "test")}
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for suffix, model in models.items():
        found = probe_layers(model, source, drawn, trainer.config["probed"], trainer.seed)
        figures |= {f"{name}{suffix}": value for name, value in found.figures.items()}
        groups |= {f"{name}{suffix}": group for name, group in found.groups.items()}
    figures["accuracy"] = accuracy(models[""], source)
    return Result(figures=figures, groups=groups)


def run_units(trainer: Trainer, directions: tuple[Direction, ...], data: Material) -> Result:
    """Measure how well single units tell a class, by layer, trained and untrained."""
    source = directions[0].source
    models = {"": trainer.base(source), ", untrained": trainer.untrained(source, "base").eval()}
    figures = {
        f"{name}{suffix}": value
        for suffix, model in models.items()
        for name, value in unit_precision(model, source).items()
    }
    return Result(figures=figures)


EXPERIMENT = Experiment(
    name="images",
    title="Frozen and fine-tuned on images",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=tuple(SMALL_SETS.values()),
    on_gpu=always,
)
