"""The softmax over a large vocabulary, estimated from a sample of its words.

-log P(w) = log Z - y_w, and Z is a sum over all words. Drawing some of them and dividing each by
the chance of having been drawn estimates that sum without bias (Horvitz & Thompson 1952). Bengio &
Sénécal (2003, 2008) were the first to train language models on a sample; ELMo's authors drew 8,192
of 800,000 words, frequent ones more often, once for a whole batch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_words(
    vocabulary_size: int,
    draws: int,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the words (K,) met in so many draws, and the chance (K,) each had to be met at all.

    Words are numbered by falling frequency, and word r is drawn with probability
    log(1 + 1 / (r + 1)) / log(V + 1), as Zipf's law would have it; K is at most ``draws``.
    """
    drawn = (
        torch.rand(draws, device=device, generator=generator) * math.log(vocabulary_size + 1)
    ).exp() - 1
    words = drawn.long().clamp(0, vocabulary_size - 1).unique()
    single = torch.log1p(1 / (words + 1)) / math.log(vocabulary_size + 1)
    return words, -torch.expm1(draws * torch.log1p(-single))


def sampled_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, draws: int
) -> Tensor:
    """Return an estimate of the mean of -log softmax(features @ weight.T + bias)[target], in nats.

    One sample of words serves all rows. The target's own term of the sum is always counted, and
    exactly once.

    Args:
        features: (N, D).
        weight, bias: (V, D) and (V,), of words that are numbered by falling frequency.
        targets: (N,), word ids.
        draws: how many words are drawn, at least 1; the more, the closer to the full softmax.

    Returns:
        A scalar. The sum under its logarithm is without bias, the logarithm a little too low.
    """
    words, chances = draw_words(len(weight), draws, features.device)
    true = (features * weight[targets]).sum(dim=1).float() + bias[targets]  # (N,)
    others = F.linear(features, weight[words]).float() + (bias[words] - chances.log())  # (N, K)
    others = others.masked_fill(words == targets.unsqueeze(1), -math.inf)
    partition = torch.logsumexp(torch.cat([true.unsqueeze(1), others], dim=1), dim=1)
    return (partition - true).mean()
