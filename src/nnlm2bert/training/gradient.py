"""The gradient of one batch, whole or in parts, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nnlm2bert.training.batches import move, size, split
from nnlm2bert.training.devices import Processes, autocast

Loss = torch.Tensor | tuple[torch.Tensor, int | torch.Tensor]
LossFunction = Callable[[nn.Module, Any], Loss]


@dataclass(frozen=True)
class Backward:
    """Computes a batch's mean loss and its gradient.

    The batch is cut into equal shares, one a process, and each share into ``accumulate`` parts that
    go through the model one after the other. A part counts by the terms of its loss, so that the
    gradient is that of the whole batch at once.
    """

    model: nn.Module
    loss_function: LossFunction
    parameters: list[nn.Parameter]
    processes: Processes
    device: torch.device
    precision: str
    accumulate: int

    def __call__(self, batch: Any) -> torch.Tensor:
        """Leave the gradient of the batch's mean loss in the parameters and return that loss."""
        if self.accumulate == self.processes.count == 1:
            loss, _ = self._loss(batch)
            loss.backward()
            return loss.detach()
        share = split(batch, self.processes.count)[self.processes.rank]
        parts = [part for part in split(share, self.accumulate) if size(part)]
        totals = torch.zeros(2, device=self.device)  # sum of the losses, number of their terms
        for part in parts:
            loss, terms = self._loss(part)
            (loss * terms).backward()
            totals += torch.stack([loss.detach() * terms, torch.as_tensor(terms).to(totals)])
        return self._average(totals)

    def _loss(self, batch: Any) -> tuple[torch.Tensor, int | torch.Tensor]:
        """Return the mean loss of a part of a batch and the number of its terms."""
        with autocast(self.precision, self.device):
            loss = self.loss_function(self.model, move(batch, self.device))
        return loss if isinstance(loss, tuple) else (loss, size(batch))

    def _average(self, totals: torch.Tensor) -> torch.Tensor:
        """Turn summed gradients into the mean over all processes; return the mean loss."""
        if self.processes.count > 1:
            self._exchange(totals)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.div_(totals[1])
        return totals[0] / totals[1]

    def _exchange(self, totals: torch.Tensor) -> None:
        """Add up gradients and totals over the processes; what none used keeps no gradient."""
        without = [parameter for parameter in self.parameters if parameter.grad is None]
        users = torch.tensor([float(p.grad is not None) for p in self.parameters]).to(totals)
        for parameter in without:
            parameter.grad = torch.zeros_like(parameter)
        self.processes.add_up([*(p.grad for p in self.parameters), totals, users])
        if without:
            for parameter, count in zip(self.parameters, users.tolist(), strict=True):
                parameter.grad = parameter.grad if count else None
