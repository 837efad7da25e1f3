"""How long attention, recurrence and convolution take for sequences of n words.

Vaswani et al. (2017), table 1, on a clock: readers of equal width, depth and number of parameters,
without embedding and softmax. Either batches have equally many words, however long a sequence is,
or there is one sequence, whose words an LSTM cannot but read one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from nnlm2bert.experiments.runner import Result
from nnlm2bert.models.sequence_readers import KINDS, ReaderConfig, build_reader, equal_sizes
from nnlm2bert.training import seed_everything

LENGTHS = (32, 64, 128, 256, 512, 1_024, 2_048)


@dataclass(frozen=True)
class SpeedRecipe:
    """What is timed: the Transformer that the others are made equal to, and how often.

    tokens: words of a batch, at every length; rounds: in each, all are timed once, by turns.
    """

    reader: ReaderConfig
    tokens: int
    lengths: tuple[int, ...]
    rounds: int


_READER = ReaderConfig(width=128, layers=2, inner=512, heads=4, dropout=0.0, context=max(LENGTHS))
RECIPES: Mapping[str, SpeedRecipe] = {
    "smoke": SpeedRecipe(replace(_READER, width=32, layers=1, inner=128), 256, LENGTHS, 2),
    "laptop": SpeedRecipe(_READER, 4_096, LENGTHS, 9),
    "gpu": SpeedRecipe(_READER, 65_536, LENGTHS, 25),
}


def training_step(reader: nn.Module, x: Tensor) -> None:
    """Read vectors (B, T, D) and make all gradients."""
    reader(x).square().mean().backward()
    reader.zero_grad(set_to_none=True)


@torch.no_grad()
def forward_pass(reader: nn.Module, x: Tensor) -> None:
    """Read vectors (B, T, D)."""
    reader(x)


CASES: Mapping[str, Callable[[nn.Module, Tensor], None]] = {
    "training step": training_step,
    "forward pass": forward_pass,
    "one sequence": forward_pass,
}
"""What is done; "one sequence" is a forward pass of a single one, the others of a whole batch."""


def measure_speed(recipe: SpeedRecipe, device: str = "cpu") -> Result:
    """Time all readers at all lengths, by turns; series are milliseconds by round.

    Series "attention 128, training step" ..., figures the lowest quarter's bound of each.
    """
    seed_everything(0)
    readers = {
        kind: build_reader(config).to(device) for kind, config in equal_sizes(recipe.reader).items()
    }
    series: dict[str, list[float]] = {}
    for turn in range(recipe.rounds + 1):
        for name, seconds in one_round(readers, recipe, device).items():
            if turn:  # the first warms up
                series.setdefault(name, []).append(round(1_000 * seconds, 4))
    sizes = {f"{kind}, parameters": reader.config.parameters for kind, reader in readers.items()}
    return Result(
        figures={**sizes, **{f"{name}, ms": quartile(ms) for name, ms in series.items()}},
        series=series,
    )


def one_round(
    readers: Mapping[str, nn.Module], recipe: SpeedRecipe, device: str
) -> dict[str, float]:
    """Return seconds of each reader, length and case, the readers right after each other."""
    found = {}
    generator = torch.Generator().manual_seed(0)
    for length in recipe.lengths:
        for case, work in CASES.items():
            count = 1 if case == "one sequence" else max(1, recipe.tokens // length)
            x = torch.randn(count, length, recipe.reader.width, generator=generator).to(device)
            for kind in KINDS:
                reader = readers[kind].train(case == "training step")
                found[f"{kind} {length}, {case}"] = seconds(partial(work, reader, x), device)
    return found


def seconds(work: Callable[[], object], device: str) -> float:
    """Return how long something takes.

    On one thread of a CPU the time that this process was given counts, which other programs
    cannot lengthen by taking turns with it; else the time on the wall.
    """
    alone = device == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    _wait(device)
    start = clock()
    work()
    _wait(device)
    return clock() - start


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def quartile(values: Sequence[float]) -> float:
    """Return the value that a quarter of all do not exceed: what others' work disturbs little."""
    return sorted(values)[(len(values) - 1) // 4]
