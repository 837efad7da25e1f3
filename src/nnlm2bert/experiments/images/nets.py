"""The networks of the experiment `images`: base networks, kept in the cache, and transferred ones.

Notation of Yosinski et al. (2014), section 2: of a network for task B, the first n layers come from
one trained on B (BnB) or on A (AnB), the rest is fresh, and all is trained on B; "+": the copied
layers, too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.images.material import Task
from nnlm2bert.models.convnet import ConvNet, ConvNetConfig
from nnlm2bert.training import TrainingResult, derived_seed, seed_everything
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.transfer.layers import copy_layers, freeze
from nnlm2bert.transfer.pictures import PictureRecipe, classify, fit

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Trainer:
    """Builds and trains networks for one arm, seed and device; see `images.recipe` for `config`."""

    config: Config
    seed: int
    device: str = "cpu"

    @property
    def recipe(self) -> PictureRecipe:
        """How a network for the target is trained."""
        return PictureRecipe(**_chosen(PictureRecipe, self.config))

    @property
    def source_recipe(self) -> PictureRecipe:
        """How a base network is trained that layers are copied from."""
        steps = self.config.get("source_steps", self.config["steps"])
        return PictureRecipe(**{**_chosen(PictureRecipe, self.config), "steps": steps})

    def untrained(self, task: Task, role: str) -> ConvNet:
        """A network as initialised, by task, role and seed and by nothing else."""
        seed_everything(self._seed(task, role))
        channels = task.learn.images.shape[1]
        sizes = _chosen(ConvNetConfig, self.config)
        config = ConvNetConfig(classes=len(task.classes), channels=channels, **sizes)
        return ConvNet(config).to(self.device)

    def base(self, task: Task) -> ConvNet:
        """The network trained on all of a task, from the cache if it was trained before."""
        model, path = self.untrained(task, "base"), self._place(task)
        if path.exists():
            model.load_state_dict(read_checkpoint(path)["model"])
            return model.eval()
        fit(model, *task.learn, self.source_recipe, self._seed(task, "base"))
        write_checkpoint(path, {"model": model.state_dict()})
        return model

    def transferred(
        self,
        source: ConvNet | None,
        task: Task,
        count: int,
        frozen: bool,
        evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
        evaluate_every: int | None = None,
    ) -> tuple[ConvNet, TrainingResult]:
        """Train a network whose first ``count`` layers are those of ``source``, on a task.

        Without a source they are as initialised. What is fresh begins alike and sees the pictures
        in the same order, whatever the layers below are and whether they are ``frozen``.
        """
        model = self.untrained(task, "fresh")
        if source is not None:
            copy_layers(source, model, count, frozen=frozen)
        elif frozen:
            freeze_lowest(model, count)
        result = fit(
            model,
            *task.learn,
            self.recipe,
            self._seed(task, "fresh"),
            evaluate=evaluate,
            evaluate_every=evaluate_every,
        )
        return model, result

    def _seed(self, task: Task, role: str) -> int:
        return derived_seed("images", role, task.name, self.seed)

    def _place(self, task: Task) -> Path:
        """Where the base network is kept: elsewhere for other pictures, settings or seeds."""
        settings = {
            "task": task.mark,
            "classes": task.classes,
            "seed": self._seed(task, "base"),
            "sizes": _chosen(ConvNetConfig, self.config),
            "recipe": vars(self.source_recipe),
            "torch": torch.__version__,
            "device": self.device,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return cache_folder() / "images" / f"{digest[:16]}.pt"


def freeze_lowest(model: ConvNet, count: int) -> None:
    """Freeze the first layers as they are."""
    for layer in model.layers[:count]:
        freeze(layer)


def answers(model: ConvNet, task: Task) -> torch.Tensor:
    """Whether each test picture of a task is classified rightly: (M,) of 0 and 1, float64."""
    return (classify(model, task.test.images) == task.test.labels).double()


def accuracy(model: ConvNet, task: Task) -> float:
    """The share of test pictures that are classified rightly."""
    return float(answers(model, task).mean())


def steps_to(accuracies: list[float], steps: list[int], aim: float) -> float:
    """The first of the ``steps`` at which an accuracy of ``aim`` was measured; else infinity."""
    return next((s for s, a in zip(steps, accuracies, strict=True) if a >= aim), math.inf)


def _chosen(kind: type, config: Config) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.items()
        if name in names
    }
