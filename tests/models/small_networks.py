"""What the tests of several language models do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.transformer import TransformerConfig

Network = TypeVar("Network", bound=nn.Module)


def sure_network(
    kind: Callable[[TransformerConfig], Network], config: TransformerConfig
) -> Network:
    """A network that is sure of some tokens: its weights are so large that each place matters."""
    torch.manual_seed(0)
    model = kind(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.6)
    return model


def plain_costs(logits: Tensor, targets: Tensor) -> Tensor:
    """The costs (B, T) of targets by logits (B, T, V), one by one: 0 where nothing is asked for."""
    logs, costs = logits.log_softmax(dim=2), torch.zeros(targets.shape)
    for row, place in (targets != IGNORED).nonzero().tolist():
        costs[row, place] = -logs[row, place, targets[row, place]].item()
    return costs


def loss_after(steps: int, model: nn.Module, loss: Callable[[], tuple[Tensor, int]]) -> Tensor:
    """What a model loses after training on one batch, whose loss and terms are given."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        mean, _ = loss()
        mean.backward()
        optimizer.step()
    return mean
