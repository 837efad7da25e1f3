"""The softmax of the NNLM over Brown's vocabulary, forward and backward, against the plain way."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nnlm2bert.experiments.bench import REPEATS, Report, compare
from nnlm2bert.models.softmax import softmax_cross_entropy
from nnlm2bert.training.devices import resolve_precision

POSITIONS, WORDS, WIDTH = 1024, 17_907, 100
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 1e-2}

Loss = Callable[[], Tensor]


def bench(repeats: int = REPEATS) -> Report:
    """Time the loss of 1,024 positions and all its gradients.

    The rival is ``linear`` and ``cross_entropy`` in float32; ours computes in bfloat16 where the
    processor multiplies it natively, else in float32, too.
    """
    parameters, targets = problem()
    native = resolve_precision("auto", torch.device("cpu")) == "bfloat16"
    dtype = torch.bfloat16 if native else torch.float32
    plain = plain_loss(parameters, targets)
    ours = {kind: own_loss(parameters, targets, kind) for kind in TOLERANCES}
    errors = {kind: largest_error(loss, plain, parameters) for kind, loss in ours.items()}
    main = compare(step(ours[dtype], parameters), step(plain, parameters), repeats)
    other = compare(step(ours[torch.float32], parameters), step(plain, parameters), repeats)
    return Report(
        name="nnlm",
        unit=f"ms for loss and gradients of {POSITIONS:,} words, {WORDS:,} scores each",
        ours=1e3 * main.ours,
        rival=1e3 * main.rival,
        ratio=main.ratio,
        equal=all(errors[kind] < limit for kind, limit in TOLERANCES.items()),
        repeats=repeats,
        details={
            "ours computes in": str(dtype).removeprefix("torch."),
            "times as fast with ours in float32": round(other.ratio, 2),
            "largest relative error of a gradient, float32 (at most 1e-5)": errors[torch.float32],
            "largest relative error of a gradient, bfloat16 (at most 1e-2)": errors[torch.bfloat16],
        },
    )


def problem() -> tuple[list[Tensor], Tensor]:
    """Return features (N, D), weight (V, D) and bias (V,), and targets (N,)."""
    generator = torch.Generator().manual_seed(0)
    features = torch.tanh(torch.randn(POSITIONS, WIDTH, generator=generator))
    weight = 0.1 * torch.randn(WORDS, WIDTH, generator=generator)
    bias = torch.randn(WORDS, generator=generator)
    targets = torch.randint(WORDS, (POSITIONS,), generator=generator)
    return [part.requires_grad_() for part in (features, weight, bias)], targets


def plain_loss(parameters: list[Tensor], targets: Tensor) -> Loss:
    """The loss as one writes it without a second thought."""
    return lambda: F.cross_entropy(F.linear(*parameters), targets)


def own_loss(parameters: list[Tensor], targets: Tensor, dtype: torch.dtype) -> Loss:
    """The loss of ``nnlm2bert.models.softmax``."""
    return lambda: softmax_cross_entropy(*parameters, targets, dtype)


def step(loss: Loss, parameters: list[Tensor]) -> Callable[[], object]:
    """Return what is timed: the loss and the gradients of all parameters."""
    return lambda: torch.autograd.grad(loss(), parameters)


def largest_error(ours: Loss, plain: Loss, parameters: list[Tensor]) -> float:
    """Return the largest norm of a difference of gradients, relative to the plain gradient."""
    pairs = zip(
        torch.autograd.grad(ours(), parameters),
        torch.autograd.grad(plain(), parameters),
        strict=True,
    )
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)
