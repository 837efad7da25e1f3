"""The softmax over a whole vocabulary and its cross-entropy, without keeping all logits in memory.

For N positions and a vocabulary of V words the logits are an N x V matrix: 70 MB for 1,024
positions and 17,000 words. Written naively, that matrix is walked through memory some ten times
a step. Here only some hundred rows exist at once; a few of them at a time are read into the cache,
turned into probabilities there, and stored in place of the logits in the type of the matrix
products. Both gradients are then two more such products.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS_IN_CACHE = 64
NUMBERS_IN_CACHE = 2**19
"""Logits that are walked through at once on a CPU: of a small vocabulary more than 64 rows."""
ROWS_IN_MEMORY = 512
ROWS_ON_ACCELERATOR = 4096
"""Rows of both kinds on a GPU, where many small products would take longer to start than to run."""


def softmax_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    compute_dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the mean of -log softmax(features @ weight.T + bias)[target], in nats.

    Args:
        features: (N, D), float32.
        weight: (V, D), the output embedding of every word.
        bias: (V,).
        targets: (N,), word ids.
        compute_dtype: type of the matrix products; ``torch.bfloat16`` shortens them several times
            and rounds the gradients to about three digits. None: autocast's type inside
            ``torch.autocast``, else float32. The softmax is always float32.

    Returns:
        A scalar equal to ``F.cross_entropy(F.linear(features, weight, bias), targets)``,
        with gradients for features, weight and bias.
    """
    device = features.device.type
    if compute_dtype is None:
        autocast = torch.is_autocast_enabled(device)
        compute_dtype = torch.get_autocast_dtype(device) if autocast else torch.float32
    with torch.autocast(device, enabled=False):
        return _SoftmaxCrossEntropy.apply(features, weight, bias, targets, compute_dtype)


def softmax_log_probabilities(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor
) -> Tensor:
    """Return log softmax(features @ weight.T + bias)[target] of each row: (N,), in nats."""
    _, size = _rows_at_a_time(features.device)
    parts = [
        -F.cross_entropy(F.linear(rows, weight, bias), words, reduction="none")
        for rows, words in zip(features.split(size), targets.split(size), strict=True)
    ]
    return torch.cat(parts) if parts else features.new_zeros(0)


def _rows_at_a_time(device: torch.device) -> tuple[int, int]:
    """Return how many rows of logits exist at once, and how many are walked through at once."""
    if device.type == "cpu":
        return ROWS_IN_MEMORY, ROWS_IN_CACHE
    return ROWS_ON_ACCELERATOR, ROWS_ON_ACCELERATOR


class _SoftmaxCrossEntropy(torch.autograd.Function):
    """Computes the gradients together with the loss: the derivative of the logits is p - 1[y]."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        features, weight, bias = features.float(), weight.float(), bias.float()
        loss = features.new_zeros(())
        grad_features = torch.empty_like(features)
        grad_weight = torch.zeros_like(weight)
        grad_bias = torch.zeros_like(bias)
        low_weight = weight.to(dtype)
        size, _ = _rows_at_a_time(features.device)
        for start in range(0, len(features), size):
            block = slice(start, start + size)
            rows = features[block].to(dtype)
            block_loss, errors = _loss_and_errors(rows, low_weight, bias, targets[block])
            loss += block_loss
            grad_features[block] = errors @ low_weight
            with_ones = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
            grads = (with_ones.T @ errors).float()  # (D + 1, V)
            grad_weight += grads[:-1].T
            grad_bias += grads[-1]
        ctx.save_for_backward(grad_features, grad_weight, grad_bias)
        ctx.rows = max(len(features), 1)
        return loss / ctx.rows

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        scale = grad_loss / ctx.rows
        grads = [grad * scale for grad in ctx.saved_tensors]
        return (*grads, None, None)


def _loss_and_errors(
    rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the summed loss and p - 1[y], (N, V), in the type of ``rows``."""
    errors = rows @ weight.T  # the logits, which their errors overwrite
    loss = bias.new_zeros(())
    _, size = _rows_at_a_time(rows.device)
    size = max(size, NUMBERS_IN_CACHE // len(weight))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        words = targets[part].unsqueeze(1)  # (R, 1)
        logits = errors[part].to(bias.dtype, copy=True).add_(bias)  # (R, V)
        probabilities = logits.softmax(dim=1)
        log_partition = logits.amax(1) - probabilities.amax(1).log()
        loss += (log_partition - logits.gather(1, words).squeeze(1)).sum()
        probabilities.scatter_add_(1, words, torch.full_like(words, -1, dtype=logits.dtype))
        errors[part] = probabilities
    return loss, errors
