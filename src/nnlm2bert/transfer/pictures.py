"""Training a convnet on labelled pictures: one recipe, wherever its lower layers come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.models.convnet import ConvNet
from nnlm2bert.training import ShuffledBatches, TrainingConfig, TrainingResult, train
from nnlm2bert.transfer.layers import frozen_layers


@dataclass(frozen=True)
class PictureRecipe:
    """How a convnet is trained: AdamW, with a learning rate that falls to 0 as a cosine.

    `steps`: updates, each from `batch_size` pictures, or from all where there are fewer;
    `precision`: as in `nnlm2bert.training.TrainingConfig`.
    """

    steps: int = 1000
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    precision: str = "auto"


def fit(
    model: ConvNet,
    images: Tensor,
    labels: Tensor,
    recipe: PictureRecipe,
    seed: int = 0,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    evaluate_every: int | None = None,
) -> TrainingResult:
    """Train a network, all but its frozen layers, in place, and return how it went.

    What frozen layers at the bottom make of the pictures never changes. It is computed once, and
    only the layers above are trained on it, which is the time that freezing saves.

    Args:
        model: the network; it is trained where it lies, and comes back in evaluation mode.
        images: float32 (N, C, S, S).
        labels: int64 (N,), numbers of classes.
        recipe: how long and how fast.
        seed: of the order of the pictures and of dropout.
        evaluate: measures, as of `nnlm2bert.training.train`, taken every `evaluate_every` steps
            (None: at the end).
    """
    below = frozen_layers(model)
    maps = extract(model, images, below)
    batch_size = min(recipe.batch_size, len(images))

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        seen, wanted = batch
        return F.cross_entropy(network(seen, after=below), wanted)

    return train(
        model,
        loss,
        ShuffledBatches((maps, labels.to(maps.device)), batch_size, seed),
        TrainingConfig(
            steps=recipe.steps,
            batch_size=batch_size,
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            precision=recipe.precision,
            evaluate_every=evaluate_every,
            seed=seed,
        ),
        evaluate=evaluate,
        progress=False,
    )


def classify(model: ConvNet, images: Tensor, batch: int = 500) -> Tensor:
    """Return the most probable class of each picture (N, C, S, S), int64 (N,), on the CPU."""
    return _apply(model, model, images, batch).argmax(dim=1).cpu()


def extract(model: ConvNet, images: Tensor, layer: int, batch: int = 500) -> Tensor:
    """Return the output of a layer, (N, W, h, h), for pictures (N, C, S, S); of layer 0, these.

    It is computed in evaluation mode, in float32, and lies where the network lies.
    """
    if layer == 0:
        return images.to(_device(model))
    return _apply(model, lambda part: model.features(part, layer), images, batch)


@torch.no_grad()
def _apply(
    model: ConvNet, function: Callable[[Tensor], Tensor], images: Tensor, batch: int
) -> Tensor:
    """Apply a part of the network, in evaluation mode, to all pictures, `batch` at a time."""
    was_training, device = model.training, _device(model)
    model.eval()
    outputs = [function(part.to(device)) for part in images.split(batch)]
    model.train(was_training)
    return torch.cat(outputs)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
