"""What a training run leaves behind beside the weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """What was seen on the way, as plain lists.

    ``losses[i]`` is the mean training loss (nats) of the steps after ``steps[i - 1]`` up to
    ``steps[i]``, and ``learning_rates[i]`` the rate of the last of them. ``measures`` holds, for
    each name that ``evaluate`` returned, one value for each of the steps ``evaluated``.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    evaluated: list[int] = field(default_factory=list)
    measures: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class TrainingResult:
    """How a run went; :meth:`as_dict` fits into JSON.

    ``step``: steps done. ``best_step``, ``best``: where and how low ``keep_best`` was (None without
    it). ``training_seconds``: wall time of the steps; ``seconds``: of steps and measurements, both
    over all resumptions. The times differ from run to run, the rest does not.
    """

    history: History = field(default_factory=History)
    step: int = 0
    best_step: int | None = None
    best: float | None = None
    stopped_early: bool = False
    precision: str = "float32"
    device: str = "cpu"
    processes: int = 1
    examples: int = 0
    training_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def examples_per_second(self) -> float:
        """Examples a second of training, without the measurements."""
        return self.examples / self.training_seconds if self.training_seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**dataclasses.asdict(self), "examples_per_second": self.examples_per_second}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingResult:
        """Return the result of which :meth:`as_dict` gave ``values``."""
        fields = {name: values[name] for name in cls.__dataclass_fields__}
        return cls(**{**fields, "history": History(**values["history"])})
