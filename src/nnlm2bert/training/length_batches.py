"""Batches of about as many words each, of sequences of about one length."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training.randomness import derived_seed


class LengthBatches:
    """Sequences sorted by length and cut after so many words, so that little is padding.

    In each epoch sequences of one length come in another order and the batches, too, depending on
    (seed, epoch) alone. Where the cuts fall depends on the lengths alone, so that all epochs have
    as many batches. Each sequence comes once an epoch.

    Args:
        lengths: words of each sequence, (N,).
        words: of a batch, padding included, at most; a longer sequence makes a batch of its own.
        collate: from the numbers (B,) of sequences to a batch of tensors.
        seed: of the order.

    Raises:
        UserError: without sequences, or if ``words`` is below 1.
    """

    def __init__(
        self, lengths: Sequence[int], words: int, collate: Callable[[torch.Tensor], Any], seed: int
    ) -> None:
        self.lengths = torch.as_tensor(lengths).long()
        if not len(self.lengths) or words < 1:
            raise UserError(
                f"{len(self.lengths)} sequences cannot make batches of {words} words: give at "
                "least one sequence and one word."
            )
        self.words, self.collate, self.seed = words, collate, seed
        self.sizes = _sizes(self.lengths.sort().values.tolist(), words)
        self._epoch, self._batches = -1, ()

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        return len(self.sizes)

    def batch(self, step: int) -> Any:
        """Return the batch of update ``step``, counted from 0 over all epochs."""
        epoch, position = divmod(step, len(self))
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._order(epoch)
        return self.collate(self._batches[position])

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another: its settings and a checksum of lengths."""
        checksum = zlib.crc32(self.lengths.numpy().tobytes())
        return {"words": self.words, "seed": self.seed, "checksum": checksum}

    def _order(self, epoch: int) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "epoch", epoch))
        shuffled = torch.randperm(len(self.lengths), generator=generator)
        ordered = shuffled[self.lengths[shuffled].argsort(stable=True)]
        batches = ordered.split(self.sizes)
        return tuple(batches[i] for i in torch.randperm(len(batches), generator=generator).tolist())


def _sizes(ascending: Sequence[int], words: int) -> list[int]:
    """Return how many sequences each batch has; the longest, its last, sets its width."""
    sizes, count = [], 0
    for length in ascending:
        if count and (count + 1) * length > words:
            sizes.append(count)
            count = 0
        count += 1
    return [*sizes, count]
