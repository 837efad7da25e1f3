"""Batches by number: the batch of a step depends on the seed and the step alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training.randomness import derived_seed


class Batches(Protocol):
    """A source of batches that can be asked for any step, in any order.

    ``batch(step)`` returns a tensor, or a tuple, list or dict of tensors, whose first dimension
    counts the examples; the same step always gives the same batch, so that a run that was stopped
    resumes without replaying the steps before. ``len`` is the number of batches of one epoch.

    A source may have ``batch_size``, which must then be that of the config, and ``identity()``,
    a dict of plain values that a checkpoint holds so as to refuse other data.
    """

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""

    def batch(self, step: int) -> Any:
        """Return the batch of update ``step``, counted from 0 over all epochs."""


class ShuffledBatches:
    """Batches of examples in an order drawn anew, without replacement, for each epoch.

    ``tensors``: one or several tensors (N, ...) of which row i is example i. ``batch(step)`` is a
    tuple of tensors (B, ...), one for each of them, on their device. The order of epoch e depends
    on (seed, e) alone and is the same on all devices. With ``drop_last`` the N mod B last examples
    of an order are left out, others in each epoch; without it an epoch's last batch is smaller.

    Raises UserError if the tensors differ in N, or if N < B.
    """

    def __init__(
        self,
        tensors: torch.Tensor | Sequence[torch.Tensor],
        batch_size: int,
        seed: int = 0,
        drop_last: bool = True,
    ) -> None:
        self.tensors = (tensors,) if isinstance(tensors, torch.Tensor) else tuple(tensors)
        sizes = {len(tensor) for tensor in self.tensors}
        if len(sizes) != 1:
            raise UserError(f"All tensors need as many rows; these have {sorted(sizes)}.")
        self.examples = sizes.pop()
        if not 1 <= batch_size <= self.examples:
            raise UserError(
                f"A batch of {batch_size} cannot be drawn from {self.examples} examples: "
                f"choose batch_size from 1 to {self.examples}."
            )
        self.batch_size = batch_size
        self.seed = seed
        self.drop_last = drop_last
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        whole, rest = divmod(self.examples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def batch(self, step: int) -> tuple[torch.Tensor, ...]:
        """Return the examples of update ``step``, counted from 0 over all epochs."""
        epoch, position = divmod(step, len(self))
        start = position * self.batch_size
        rows = self.order(epoch)[start : start + self.batch_size]
        return tuple(tensor.index_select(0, rows) for tensor in self.tensors)

    def order(self, epoch: int) -> torch.Tensor:
        """Return the order (N,) of the examples in ``epoch``; the last one asked for is kept."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, "epoch", epoch))
            order = torch.randperm(self.examples, generator=generator)
            self._order = order.to(self.tensors[0].device)
            self._epoch = epoch
        return self._order

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another: its settings and a checksum of its data."""
        checksum = 0
        for tensor in self.tensors:
            content = tensor.detach().cpu().contiguous()
            checksum = zlib.crc32(content.flatten().view(torch.uint8).numpy(), checksum)
        return {
            "examples": self.examples,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "drop_last": self.drop_last,
            "checksum": checksum,
        }


def split(batch: Any, parts: int) -> list[Any]:
    """Cut a batch along its examples into ``parts`` of nearly equal size, maybe empty ones."""
    if isinstance(batch, torch.Tensor):
        return list(batch.tensor_split(parts))
    if isinstance(batch, dict):
        columns = [split(value, parts) for value in batch.values()]
        return [dict(zip(batch, column, strict=True)) for column in zip(*columns, strict=True)]
    return list(zip(*(split(value, parts) for value in batch), strict=True))


def size(batch: Any) -> int:
    """Return the number of examples of a batch."""
    while not isinstance(batch, torch.Tensor):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)


def move(batch: Any, device: torch.device) -> Any:
    """Return the batch on ``device``; what lies there already is not copied."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: move(value, device) for name, value in batch.items()}
    return tuple(move(value, device) for value in batch)
