"""Copy the first n layers of a network, and freeze them or tune them on.

The operation of Yosinski, Clune, Bengio & Lipson (2014), section 2, for any network that lists its
layers: a convnet; word vectors, with n = 1, the embedding; GPT and BERT, with n = all.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn


class Layered(Protocol):
    """Any `nn.Module` that lists its layers from the bottom; what stands on top is not in the list.

    Layer n is ``layers[n - 1]``. Layer 1 of a language model is its embedding, then come the
    blocks.
    """

    layers: nn.ModuleList


Network = TypeVar("Network", bound=Layered)


def copy_layers(source: Layered, target: Network, count: int, frozen: bool = False) -> Network:
    """Copy the weights and buffers of the lowest layers into ``target``, and return it.

    Args:
        source: the network that was trained before; it is left as it is.
        target: the network to be trained, of any class whose lowest layers are as large.
        count: n, how many layers are copied; 0 for none.
        frozen: keep the copied layers as they are in training (BnB, AnB in the paper), or tune
            them with the rest (BnB+, AnB+).

    Raises:
        ValueError: if a network has fewer layers, or the shapes of one differ. Nothing is copied
            then.
    """
    depth = min(len(source.layers), len(target.layers))
    if not 0 <= count <= depth:
        raise ValueError(f"{count} layers cannot be copied: both networks have 0 to {depth}")
    pairs = list(zip(source.layers[:count], target.layers[:count], strict=True))
    for number, (given, taken) in enumerate(pairs, start=1):
        _check_shapes(number, given, taken)
    for given, taken in pairs:
        _copy(given, taken)
        (freeze if frozen else unfreeze)(taken)
    return target


def freeze(module: nn.Module) -> nn.Module:
    """Keep a module as it is in training, and return it: no gradients, no dropout, no statistics.

    It works in evaluation mode even where the network around it is in training mode: its dropout
    drops nothing, and its batch normalisation keeps mean and variance. Copies stay frozen
    (`copy.deepcopy`); the names in its ``state_dict`` do not change.
    """
    module.requires_grad_(False).zero_grad()
    for part in module.modules():
        part.register_forward_pre_hook(_stay_in_evaluation_mode)
    return module.eval()


def unfreeze(module: nn.Module) -> nn.Module:
    """Let a module be trained (again), all its parameters, and return it."""
    for part in module.modules():
        hooks = part._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if hook is _stay_in_evaluation_mode]:
            del hooks[key]
    return module.requires_grad_(True)


def frozen_layers(network: Layered) -> int:
    """Return how many layers are frozen, counted from the bottom up to the first that is not."""
    states = [_is_frozen(layer) for layer in network.layers]
    return [*states, False].index(False)


def _is_frozen(layer: nn.Module) -> bool:
    still = _stay_in_evaluation_mode in layer._forward_pre_hooks.values()
    return still and not any(parameter.requires_grad for parameter in layer.parameters())


def _stay_in_evaluation_mode(module: nn.Module, inputs: Any) -> None:
    """Undo, before a frozen module is used, what ``train()`` on the whole network did to it."""
    if module.training:
        module.eval()


def _tensors(layer: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of a layer by name."""
    return dict(chain(layer.named_parameters(), layer.named_buffers()))


def _check_shapes(number: int, source: nn.Module, target: nn.Module) -> None:
    given, taken = _tensors(source), _tensors(target)
    for name in [*taken, *(name for name in given if name not in taken)]:
        shapes = [tuple(t[name].shape) if name in t else "absent" for t in (given, taken)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"layer {number} cannot be copied: its {name} is {shapes[0]} in the source and "
                f"{shapes[1]} in the target; build the target with the sizes of the source"
            )


@torch.no_grad()
def _copy(source: nn.Module, target: nn.Module) -> None:
    given = _tensors(source)
    for name, tensor in _tensors(target).items():
        tensor.copy_(given[name])
