"""The optimiser of every model of the book, unless a chapter brings its own."""

from __future__ import annotations

import torch
from torch import nn

from nnlm2bert.training.config import TrainingConfig

NORMS = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
)


def adamw(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov & Hutter 2019, algorithm 2) over what requires a gradient.

    One fused kernel updates all parameters. Weight decay spares biases, norms and every
    one-dimensional parameter, as in GPT (Radford et al. 2018, section 4.1).
    """
    decayed, spared = decay_groups(model)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        fused=True,
    )


def decay_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the trainable parameters that weight decay shrinks, and those that it spares."""
    of_norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, NORMS)
        for parameter in module.parameters(recurse=False)
    }
    decayed, spared = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            bias = name.rpartition(".")[2].startswith("bias")
            spare = bias or parameter.ndim < 2 or id(parameter) in of_norms
            (spared if spare else decayed).append(parameter)
    return decayed, spared
