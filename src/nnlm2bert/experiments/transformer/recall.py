"""Associative recall: which value stood beside this key, some words ago?

Four pairs of a key and a value, then D words of noise, then a key: its value is to be said. All
keys are asked for, one after the other, in an order drawn by lot, so that there is more to learn
from; only the first question counts, as D words stand before it and nothing else. Tokens are drawn
anew for each step: nothing can be learned by heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nnlm2bert.experiments.runner import Result
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.sequence_readers import NextWordModel, ReaderConfig, equal_sizes
from nnlm2bert.training import TrainingConfig, TrainingResult, derived_seed, seed_everything, train

PAIRS = 4
KEYS = VALUES = NOISE = 16
VOCABULARY = KEYS + VALUES + NOISE
DISTANCES = (4, 8, 16, 32, 64, 128)
BLOCKS = 50
"""Units of a record's groups."""
CHANCE = {"any value": 1 / VALUES, "one of the values that were shown": 1 / PAIRS}
"""What guessing gets right: about so much, as two pairs may share a value."""


@dataclass(frozen=True)
class RecallRecipe:
    """How long is learned, from what: ``batch`` sequences a step, all of one distance by lot.

    reader: the Transformer that the others are made equal to. test: sequences of each distance.
    """

    reader: ReaderConfig
    steps: int
    batch: int
    learning_rate: float
    distances: tuple[int, ...]
    test: int


_READER = ReaderConfig(width=64, layers=2, inner=256, heads=4, dropout=0.0, context=160, norm="pre")
RECIPES: Mapping[str, RecallRecipe] = {
    "smoke": RecallRecipe(replace(_READER, width=32, inner=128), 20, 16, 3e-3, (4, 8), 100),
    "live": RecallRecipe(_READER, 400, 64, 3e-3, DISTANCES, 500),
    "laptop": RecallRecipe(_READER, 1_000, 64, 3e-3, DISTANCES, 2_000),
}


def recipe(scale: str) -> RecallRecipe:
    """Return the sizes of a scale: ``smoke``, ``live`` (in the chapter), ``laptop`` or ``gpu``."""
    return RECIPES["laptop" if scale == "gpu" else scale]


def puzzles(count: int, distance: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return tokens and targets, (B, T) both, T = 4 PAIRS + distance - 1.

    Keys are numbered from 0, values from ``KEYS``, noise from there. Targets are `IGNORED` but
    where a key is asked for; the first question stands at place 2 PAIRS + distance.
    """
    keys = torch.rand(count, KEYS, generator=generator).argsort(dim=1)[:, :PAIRS]
    values = KEYS + torch.randint(VALUES, (count, PAIRS), generator=generator)
    noise = KEYS + VALUES + torch.randint(NOISE, (count, distance), generator=generator)
    order = torch.rand(count, PAIRS, generator=generator).argsort(dim=1)
    shown = torch.stack([keys, values], dim=2)  # (B, P, 2)
    asked = shown.gather(1, order.unsqueeze(2).expand_as(shown))
    text = torch.cat([shown.flatten(1), noise, asked.flatten(1)], dim=1)
    tokens, targets = text[:, :-1], text[:, 1:].clone()
    questions = torch.zeros(targets.shape[1], dtype=torch.bool)
    questions[2 * PAIRS + distance :: 2] = True
    return tokens, targets.masked_fill(~questions, IGNORED)


@dataclass(frozen=True)
class PuzzleBatches:
    """Puzzles without end: those of a step depend on the seed and the step alone."""

    chosen: RecallRecipe
    seed: int

    def __len__(self) -> int:
        return self.chosen.steps

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return tokens and targets (B, T) of update ``step``."""
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "puzzles", step))
        which = int(torch.randint(len(self.chosen.distances), (), generator=generator))
        return puzzles(self.chosen.batch, self.chosen.distances[which], generator)


def train_recall(kind: str, scale: str, seed: int) -> tuple[NextWordModel, TrainingResult]:
    """Train a reader, "attention", "lstm" or "convolution", from the start on the puzzles."""
    chosen = recipe(scale)
    seed_everything(derived_seed(seed, "recall"))
    model = NextWordModel(VOCABULARY, equal_sizes(chosen.reader)[kind])
    config = TrainingConfig(
        steps=chosen.steps,
        batch_size=chosen.batch,
        learning_rate=chosen.learning_rate,
        warmup_steps=chosen.steps // 10,
        final_fraction=0.02,
        betas=(0.9, 0.98),
        seed=seed,
    )
    result = train(model, lambda m, batch: m.loss(*batch), PuzzleBatches(chosen, seed), config)
    return model, result


@torch.no_grad()
def recalled(model: NextWordModel, scale: str, seed: int = 0) -> dict[int, Tensor]:
    """Return whether the first question was answered rightly (N,), by distance."""
    chosen, found = recipe(scale), {}
    for distance in chosen.distances:
        generator = torch.Generator().manual_seed(derived_seed(seed, "test", distance))
        tokens, targets = puzzles(chosen.test, distance, generator)
        place = 2 * PAIRS + distance
        parts = [model(part[:, : place + 1])[:, -1] for part in tokens.split(chosen.batch)]
        found[distance] = model.logits(torch.cat(parts)).argmax(dim=1) == targets[:, place]
    return found


def reach(config: ReaderConfig, distance: int) -> str:
    """Return what of the pairs a reader can see at the first question: all, part or nothing."""
    if config.field is None or config.field >= 2 * PAIRS + distance + 1:
        return "all"
    return "part" if config.field >= distance + 2 else "nothing"


def measure_recall(kind: str, scale: str, seed: int) -> Result:
    """Train a reader and measure it; groups "4", "8" ... are right answers by block of puzzles."""
    model, training = train_recall(kind, scale, seed)
    found = recalled(model, scale)
    blocks = {distance: right.tensor_split(BLOCKS) for distance, right in found.items()}
    return Result(
        figures={
            **{
                f"accuracy at distance {d}": float(right.float().mean())
                for d, right in found.items()
            },
            "parameters": model.config.parameters,
            "field": model.config.field or 0,
            "seconds of training": training.training_seconds,
        },
        series={"steps": training.history.steps, "losses": training.history.losses},
        groups={
            str(distance): {
                "tokens": [len(block) for block in parts],
                "nats": [int(block.sum()) for block in parts],
            }
            for distance, parts in blocks.items()
        },
    )
