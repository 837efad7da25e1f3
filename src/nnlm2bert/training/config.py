"""What a training run is told: one frozen record, the same for every model of the book."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nnlm2bert.errors import UserError

DECAYS = ("constant", "linear", "cosine")
PRECISIONS = ("float32", "bfloat16", "auto")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train: length, optimiser, schedule, precision, and when to measure and save.

    Length: ``steps`` updates of the weights, each from ``batch_size`` examples (over all processes
    and all ``accumulate`` parts of the batch together, so neither changes the result).

    Schedule (:meth:`learning_rate_at`): linear warm-up over ``warmup_steps`` to ``learning_rate``,
    then ``decay`` ("constant", "linear" or "cosine") to ``final_fraction`` of it. Cosine:
    Loshchilov & Hutter 2017, equation 5, without restarts; warm-up and linear decay: Devlin et al.
    2019, appendix A.2.

    Optimiser: AdamW (Loshchilov & Hutter 2019, algorithm 2) with ``betas``, ``epsilon`` and
    ``weight_decay``, which spares biases, norms and every one-dimensional parameter. ``clip``
    bounds the norm of the whole gradient (Pascanu et al. 2013, algorithm 1); None: no bound.

    Precision: "bfloat16" computes the forward pass in bfloat16 autocast; weights, gradients and
    optimiser stay float32. "auto" does so where the processor multiplies bfloat16 natively (CUDA
    from compute capability 8.0; x86 with AVX512-BF16 or AMX, ARM with BF16, from torch 2.10) and
    else means "float32". It looks at the processor and measures nothing, so one machine always
    decides alike. Models narrower than about 128 gain nothing on a CPU.

    Measuring: ``evaluate`` is called every ``evaluate_every`` steps (None: at the end only).
    ``keep_best`` names the measure to minimise: the model ends with the weights that were best.
    ``patience`` ends training after that many measurements in a row without a new best.
    ``log_every`` is the number of steps over which the recorded loss is averaged (None: a
    hundredth of the run).
    """

    steps: int
    batch_size: int
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    decay: str = "cosine"
    final_fraction: float = 0.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip: float | None = 1.0
    precision: str = "float32"
    accumulate: int = 1
    evaluate_every: int | None = None
    keep_best: str | None = None
    patience: int | None = None
    checkpoint_every: int | None = None
    log_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no run can be meant to have."""
        object.__setattr__(self, "betas", tuple(self.betas))
        wrong = [message for fine, message in self._rules() if not fine]
        if wrong:
            raise UserError("TrainingConfig: " + "; ".join(wrong) + ".")

    def _rules(self) -> Iterable[tuple[bool, str]]:
        for name in ("steps", "batch_size", "accumulate"):
            yield getattr(self, name) >= 1, f"{name} must be at least 1, is {getattr(self, name)}"
        for name in ("evaluate_every", "checkpoint_every", "log_every", "patience", "clip"):
            value = getattr(self, name)
            yield value is None or value > 0, f"{name} must be above 0 or None, is {value}"
        for name in ("warmup_steps", "final_fraction", "weight_decay"):
            value = getattr(self, name)
            yield value >= 0, f"{name} must not be negative, is {value}"
        yield self.learning_rate > 0, f"learning_rate must be above 0, is {self.learning_rate}"
        yield self.decay in DECAYS, f"decay must be one of {DECAYS}, is {self.decay!r}"
        yield (
            self.precision in PRECISIONS,
            f"precision must be one of {PRECISIONS}, is {self.precision!r}",
        )
        yield (
            self.patience is None or self.keep_best is not None,
            "patience needs keep_best, the name of the measure to watch",
        )

    @property
    def interval(self) -> int:
        """Steps over which the recorded loss is averaged."""
        return self.log_every or max(1, self.steps // 100)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of update ``step``, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        left = {
            "constant": 1.0,
            "linear": 1.0 - progress,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * progress)),
        }[self.decay]
        if self.decay == "constant":
            return self.learning_rate
        return self.learning_rate * (self.final_fraction + (1.0 - self.final_fraction) * left)
