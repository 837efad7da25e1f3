"""Benches: what we made faster, beside the plain way of doing it, timed in the same run.

A bench is a module `nnlm2bert.experiments.<name>.bench` with a function
`bench(repeats: int) -> Report`. It times with `compare` and checks that both give the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.provenance import processor, thread_count

REPEATS = 11


@dataclass(frozen=True)
class Timing:
    """Wall times of two ways of doing the same.

    `ours` and `rival` are medians in seconds, `ratio` is how many times as fast ours is: the
    median over the pairs of rival / ours. `pairs` are all times, (ours, rival), in the order run.
    """

    ours: float
    rival: float
    ratio: float
    repeats: int
    pairs: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Report:
    """What a bench found; the same form for every bench.

    `ours` and `rival` are in `unit`, `ratio` is how many times as fast ours is, `equal` whether
    both gave the same within the tolerance that `details` names.
    """

    name: str
    unit: str
    ours: float
    rival: float
    ratio: float
    equal: bool
    repeats: int
    device: str = field(default_factory=processor)
    threads: int = field(default_factory=thread_count)
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """The report as an object of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.name}: {self.ratio:.2f} times as fast "
                f"({'equal results' if self.equal else 'RESULTS DIFFER'})",
                f"  ours   {self.ours:.4g} {self.unit}",
                f"  rival  {self.rival:.4g} {self.unit}",
                f"  median of {self.repeats} pairs, {self.threads} threads, {self.device}",
                *(f"  {name}: {value}" for name, value in self.details.items()),
            ]
        )


@dataclass(frozen=True)
class Bench:
    """A bench by its name; `run(repeats)` gives its report."""

    name: str
    run: Callable[[int], Report]


def names() -> tuple[str, ...]:
    """The names of all benches, sorted."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/bench.py")))


def load(name: str) -> Bench:
    """The bench of that name; raises `UserError` naming those that exist."""
    if name not in names():
        raise UserError(f"There is no bench '{name}'. Choose one of: {', '.join(names())}.")
    return Bench(name, import_module(f"nnlm2bert.experiments.{name}.bench").bench)


def compare(
    ours: Callable[[], object],
    rival: Callable[[], object],
    repeats: int = REPEATS,
    warmup: int = 2,
) -> Timing:
    """Time two callables turn by turn, A B A B, so that what slows the machine slows both.

    Each call must have finished its work when it returns (on a GPU: synchronise). The first
    `warmup` pairs do not count. Raises `ValueError` for fewer than one repeat.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    pairs = tuple((_seconds(ours), _seconds(rival)) for _ in range(warmup + repeats))[warmup:]
    return Timing(
        ours=median(pair[0] for pair in pairs),
        rival=median(pair[1] for pair in pairs),
        ratio=median(pair[1] / pair[0] for pair in pairs),
        repeats=repeats,
        pairs=pairs,
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
