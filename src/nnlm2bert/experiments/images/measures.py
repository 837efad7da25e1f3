"""What the layers of the laboratory's network know: linear probes, and single units.

Strokes and parts are read off 8 x 8 cells of a picture, objects off the whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nnlm2bert.evaluation.probes import Probe, linear_probe
from nnlm2bert.evaluation.units import average_precision
from nnlm2bert.experiments.images.material import Examples, Task, unit_of
from nnlm2bert.experiments.runner import Result
from nnlm2bert.models.convnet import ConvNet
from nnlm2bert.synthetic.drawings import Pictures
from nnlm2bert.training import derived_seed
from nnlm2bert.transfer.pictures import extract

LEVELS = ("strokes", "parts", "objects")
CELLS = 8
POOLED = 4


def probe_layers(
    model: ConvNet,
    task: Task,
    drawn: Mapping[str, Pictures],
    numbers: Mapping[str, int],
    seed: int,
) -> Result:
    """Probe each layer for strokes, parts and objects.

    ``drawn``: the pictures of the task's parts "learn" and "test", with the labels of their cells;
    ``numbers``: how many "pictures" of each are looked at, and how many cells of these are taken to
    "learn" from and to "test", the same of every layer. Figures and groups are called "strokes,
    layer 1" ...; "strokes, most frequent" is what needs no network.
    """
    count = numbers["pictures"]
    few = {"learn": _first(task.learn, count), "test": _first(task.test, count)}
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for layer in range(1, len(model.layers) + 1):
        maps = {part: extract(model, few[part].images, layer).cpu() for part in few}
        for level in LEVELS:
            probe, units = _probe(level, maps, few, drawn, numbers, seed)
            figures[f"{level}, layer {layer}"] = probe.accuracy
            figures[f"{level}, most frequent"] = probe.majority_accuracy
            groups[f"{level}, layer {layer}"] = probe.units(units)
    return Result(figures=figures, groups=groups)


def _first(examples: Examples, count: int) -> Examples:
    return Examples(examples.images[:count], examples.labels[:count])


def _probe(
    level: str,
    maps: Mapping[str, Tensor],
    examples: Mapping[str, Examples],
    drawn: Mapping[str, Pictures],
    cells: Mapping[str, int],
    seed: int,
) -> tuple[Probe, np.ndarray]:
    """A probe of one level, and the unit of each of its answers: the same ones for all seeds."""
    features, labels, pictures = {}, {}, {}
    for part, seen in maps.items():
        if level == "objects":
            features[part] = pooled(seen)
            labels[part] = examples[part].labels.numpy()
            pictures[part] = np.arange(len(seen))
            continue
        gold = getattr(drawn[part], level)[: len(seen)]
        drawn_by = seed if part == "learn" else "all seeds"
        chosen = sample_cells(gold, cells[part], derived_seed("cells", level, drawn_by))
        features[part] = by_cell(seen)[chosen]
        labels[part] = gold.ravel()[chosen]
        pictures[part] = chosen // CELLS**2
    splits = np.repeat(["train", "test"], [len(labels["learn"]), len(labels["test"])])
    both = [np.concatenate([values["learn"], values["test"]]) for values in (features, labels)]
    return linear_probe(*both, splits), unit_of(len(maps["test"]))[pictures["test"]]


def sample_cells(gold: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw the numbers of at most ``count`` cells with a label, in rising order.

    ``gold`` (N, 8, 8): the label of each cell, 0 for none; numbers count all N * 64 cells.
    """
    labelled = np.flatnonzero(gold)
    if len(labelled) <= count:
        return labelled
    return np.sort(np.random.default_rng(seed).choice(labelled, count, replace=False))


def by_cell(maps: Tensor) -> np.ndarray:
    """Return what each of the 8 x 8 cells of a picture is in maps (N, W, h, h): (N * 64, W).

    Finer maps are averaged over a cell, coarser ones repeated.
    """
    size = maps.shape[-1]
    if size > CELLS:
        maps = F.avg_pool2d(maps, size // CELLS)
    elif size < CELLS:
        maps = F.interpolate(maps, size=(CELLS, CELLS), mode="nearest")
    return maps.permute(0, 2, 3, 1).flatten(end_dim=2).numpy()


def pooled(maps: Tensor) -> np.ndarray:
    """Return maps (N, W, h, h) averaged to 4 x 4 and laid out in a row: (N, W * 16)."""
    return F.adaptive_avg_pool2d(maps, POOLED).flatten(start_dim=1).numpy()


@torch.no_grad()
def unit_precision(model: ConvNet, task: Task) -> dict[str, float]:
    """Return, by layer, how well single units tell a class of the test pictures on their own.

    "best unit": the best unit for a class, in the mean over classes; "mean unit": what a unit
    reaches for the class it tells best, in the mean over units (Lee et al. 2009, section 4.4).
    """
    figures = {}
    for layer in range(1, len(model.layers) + 1):
        maps = extract(model, task.test.images, layer)
        found = average_precision(maps, task.test.labels, len(task.classes))
        figures[f"best unit, layer {layer}"] = float(found.max(axis=0).mean())
        figures[f"mean unit, layer {layer}"] = float(found.max(axis=1).mean())
    return figures
