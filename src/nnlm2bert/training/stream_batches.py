"""Batches cut out of one long stream of tokens, each with what follows it."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training.randomness import derived_seed


class StreamBatches:
    """Windows of a stream and the token after each of their places, in an order of their own.

    In epoch e the stream is cut every ``length`` tokens, at an offset and in an order that depend
    on (seed, e) alone; so the cuts fall elsewhere each time, and no place is always the first of
    its window. Windows never overlap. The few that do not fill a batch are left out, others in
    each epoch. Only the batch asked for is copied: the stream stays as it is, an int32 array if
    so given.

    ``step`` is the last update that a batch was asked for, None before the first.

    Args:
        ids: the stream, (T,), of whole numbers.
        length: tokens of a window, L.
        batch_size: windows of a batch, B.
        seed: of the cuts and the order.

    Raises:
        UserError: if the stream is too short for a batch wherever it is cut.
    """

    def __init__(
        self, ids: torch.Tensor | np.ndarray, length: int, batch_size: int, seed: int
    ) -> None:
        self.ids = torch.as_tensor(ids)
        if length < 1 or batch_size < 1:
            raise UserError(
                f"{batch_size} windows of {length} tokens are no batch: ask for at least one each."
            )
        self.length, self.batch_size, self.seed = length, batch_size, seed
        if not len(self):
            raise UserError(
                f"A batch of {batch_size} windows of {length} tokens takes "
                f"{(batch_size + 1) * length} tokens; the stream has {len(self.ids)}. Choose "
                "shorter windows or fewer of them."
            )
        self.step: int | None = None
        self._epoch = -1
        self._windows = self._order = torch.empty(0)

    def __len__(self) -> int:
        """Return the number of batches of one epoch: that of the offset that leaves the fewest."""
        return max(len(self.ids) - self.length, 0) // self.length // self.batch_size

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens and what follows each, (B, L) int64 both, of update ``step`` from 0 on."""
        epoch, position = divmod(step, len(self))
        if epoch != self._epoch:
            self._windows, self._order = self._cut(epoch)
            self._epoch = epoch
        self.step = step
        start = position * self.batch_size
        rows = self._order[start : start + self.batch_size]
        windows = self._windows[rows].long()  # (B, L + 1)
        return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another: its settings and a checksum of its stream."""
        content = self.ids.cpu().contiguous().numpy()
        return {
            "tokens": len(content),
            "length": self.length,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "checksum": zlib.crc32(content.view(np.uint8)),
        }

    def _cut(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the windows of an epoch, a view (N, L + 1) of the stream, and their order (N,)."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "epoch", epoch))
        offset = int(torch.randint(self.length, (1,), generator=generator))
        windows = self.ids[offset:].unfold(0, self.length + 1, self.length)
        order = torch.randperm(len(windows), generator=generator)
        return windows, order.to(self.ids.device)
