"""Batches of pieces of text between BERT's marks, of about as many tokens each, little padding."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.errors import UserError
from nnlm2bert.objectives import Masking, Pairs, masked_words, next_sentence, sentence_order
from nnlm2bert.tokenizers.sentences import Sentences
from nnlm2bert.training.batches import Batches
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.training.randomness import derived_seed

FOLLOWING = "following"
PAIRS = {
    "next": next_sentence,
    "order": sentence_order,
    FOLLOWING: partial(next_sentence, true=1.0),
}


@dataclass(frozen=True)
class Marks:
    """The ids of what stands before a sequence, after each segment, and in the place of nothing."""

    cls: int
    sep: int
    padding: int


class PackedBatches:
    """Pieces of text in batches, ``[CLS] piece [SEP]`` or ``[CLS] first [SEP] second [SEP]``.

    Pieces of about one length stand together (`LengthBatches`), so that little is padding
    (`padding_share`); each comes once an epoch. What a batch holds depends on (seed, step) alone:
    its pieces, and how each is cut in two.

    A batch is a dict: "tokens" (B, T); "inside" (B, T), False at padding, unless there is none;
    with pairs also "segments" (B, T), 0 or 1, and "relations" (B,), both int64. That is what
    `models.bert.BERT.loss` takes, but for the targets.

    Args:
        ids: the stream of tokens, (T,).
        sentences: where its sentences stand.
        pieces: (N, 2), first sentence and the one after the last: `Sentences.pack`.
        marks: ids that the pieces are put between.
        tokens: of a batch at most, marks and padding included.
        seed: of order and cuts.
        pairs: None; "next", the true second half or one of another document; "order", both halves
            in one order or the other; "following", the true second half always, and no relations.

    Raises:
        UserError: without pieces, if ``tokens`` is below 1, or for another kind of pairs.
    """

    def __init__(
        self,
        ids: Tensor | np.ndarray,
        sentences: Sentences,
        pieces: Tensor,
        marks: Marks,
        tokens: int,
        seed: int,
        pairs: str | None = None,
    ) -> None:
        if pairs is not None and pairs not in PAIRS:
            raise UserError(f"There are no pairs of kind {pairs!r}: choose {' or '.join(PAIRS)}.")
        self.ids, self.sentences, self.pieces = torch.as_tensor(ids), sentences, pieces
        self.marks, self.seed, self.pairs = marks, seed, pairs
        lengths = sentences.lengths(pieces) + (2 if pairs is None else 3)
        self._rows = LengthBatches(lengths.tolist(), tokens, lambda rows: rows, seed)
        self.step: int | None = None

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        return len(self._rows)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of update ``step``, counted from 0 over all epochs."""
        self.step = step
        pieces = self.pieces[self._rows.batch(step)]
        if self.pairs is None:
            begins = self.sentences.begins[pieces[:, 0]]
            return self._joined([torch.stack([begins, self.sentences.ends[pieces[:, 1] - 1]], 1)])
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "pairs", step))
        found: Pairs = PAIRS[self.pairs](self.sentences, pieces, generator)
        batch = self._joined([found.first, found.second])
        return batch if self.pairs == FOLLOWING else {**batch, "relations": found.relations}

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another: its settings and a checksum of its text."""
        checksum = 0
        for part in (self.ids, self.pieces, self.sentences.begins, self.sentences.ends):
            checksum = zlib.crc32(part.contiguous().numpy().view(np.uint8), checksum)
        settings = {"marks": asdict(self.marks), "pairs": self.pairs, "checksum": checksum}
        return {**settings, "rows": self._rows.identity()}

    def _joined(self, segments: list[Tensor]) -> dict[str, Tensor]:
        """Put segments, ``[begin, end)`` in the stream (B, 2) each, between the marks."""
        cls, sep = (torch.tensor([mark]) for mark in (self.marks.cls, self.marks.sep))
        rows = []
        for spans in zip(*(part.tolist() for part in segments), strict=True):
            parts = [part for begin, end in spans for part in (self.ids[begin:end].long(), sep)]
            rows.append(torch.cat([cls, *parts]))
        tokens = pad_sequence(rows, batch_first=True, padding_value=self.marks.padding)
        lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
        places = torch.arange(tokens.shape[1])
        batch = {"tokens": tokens}
        if (lengths < tokens.shape[1]).any():
            batch["inside"] = places < lengths
        if len(segments) == 2:
            second = (segments[0][:, 1] - segments[0][:, 0] + 2).unsqueeze(1)
            batch["segments"] = ((places >= second) & (places < lengths)).long()
        return batch


class MaskedBatches:
    """The batches of another source with some of their tokens hidden, others at each step.

    What is hidden depends on (seed, step) alone, so that a text read twice is not masked alike
    (dynamic masking: Liu et al. 2019, section 4.1) and a run that was stopped goes on as if it had
    not been. To a batch, a dict with "tokens" (B, T), "targets" (B, T) are added.

    Args:
        source: of the batches.
        masking: how much is hidden, and by what.
        seed: of the masks.
        continuing: (V,), as in `objectives.masked_words`, to hide whole words.
    """

    def __init__(
        self, source: Batches, masking: Masking, seed: int, continuing: Tensor | None = None
    ) -> None:
        self.source, self.masking, self.seed = source, masking, seed
        self.continuing = continuing

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        return len(self.source)

    @property
    def step(self) -> int | None:
        """The last update that a batch was asked for, None before the first."""
        return self.source.step

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of update ``step``, counted from 0 over all epochs."""
        batch = self.source.batch(step)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "masks", step))
        tokens, targets = masked_words(batch["tokens"], self.masking, generator, self.continuing)
        return {**batch, "tokens": tokens, "targets": targets}

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another."""
        words = None if self.continuing is None else zlib.crc32(self.continuing.numpy())
        masking = {**asdict(self.masking), "special": list(self.masking.special)}
        own = {"masking": masking, "seed": self.seed, "whole words": words}
        return {**own, "source": self.source.identity()}


class StagedBatches:
    """One source of batches after another: short sequences first, say, or fewer blanks later.

    Stages are pairs of a number of steps and a source; the last goes on for ever. A source is
    asked for the steps of the whole run, so that one that stands in two stages goes on where it
    was. ``len`` is the steps of all stages.

    Raises UserError without stages, or if one has no step.
    """

    def __init__(self, stages: Iterable[tuple[int, Batches]]) -> None:
        self.stages = tuple(stages)
        if not self.stages or min(steps for steps, _ in self.stages) < 1:
            raise UserError("Each stage has at least one step, and there is at least one stage.")
        self.step: int | None = None

    def __len__(self) -> int:
        """Return the number of steps of all stages."""
        return sum(steps for steps, _ in self.stages)

    def source(self, step: int) -> Batches:
        """Return the source of update ``step``."""
        end = 0
        for steps, source in self.stages:
            end += steps
            if step < end:
                return source
        return self.stages[-1][1]

    def batch(self, step: int) -> Any:
        """Return the batch of update ``step``, counted from 0."""
        self.step = step
        return self.source(step).batch(step)

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another."""
        described = [[steps, getattr(source, "identity", dict)()] for steps, source in self.stages]
        return {"stages": described}


def padding_share(batches: Batches, steps: Iterable[int]) -> float:
    """Return the share of all places of some batches that hold padding: the waste."""
    padded = places = 0
    for step in steps:
        batch = batches.batch(step)
        places += batch["tokens"].numel()
        padded += int((~batch["inside"]).sum()) if "inside" in batch else 0
    return padded / places if places else 0.0
