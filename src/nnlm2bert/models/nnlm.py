"""The neural probabilistic language model (Bengio, Ducharme, Vincent & Jauvin, 2003)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities


@dataclass(frozen=True)
class NNLMConfig:
    """Sizes of the network, in the letters of the paper (section 2).

    vocabulary_size: |V|; order: n, so that n - 1 words are read; features: m, the length of a
    word's vector; hidden: h, 0 for a network without a hidden layer; direct: connections from
    the vectors straight to the output (the matrix W); dropout: share of the inputs of every
    layer that is set to 0 in training (not in the paper, which decays the weights).
    """

    vocabulary_size: int
    order: int = 5
    features: int = 30
    hidden: int = 100
    direct: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.order < 2:
            raise ValueError(f"order is n, words read + 1: at least 2, got {self.order}")
        if self.hidden == 0 and not self.direct:
            raise ValueError("without a hidden layer the network needs direct connections")

    @property
    def context_width(self) -> int:
        """Length of x, the vectors of the n - 1 words side by side: (n - 1) m."""
        return (self.order - 1) * self.features


class NNLM(nn.Module):
    """y = b + W x + U tanh(d + H x), with x the look-ups in C (section 2 of the paper)."""

    def __init__(self, config: NNLMConfig) -> None:
        super().__init__()
        self.config = config
        self.C = nn.Embedding(config.vocabulary_size, config.features)
        self.H = nn.Linear(config.context_width, config.hidden) if config.hidden else None
        width = config.hidden + config.context_width * config.direct
        self.output = nn.Linear(width, config.vocabulary_size)  # [U W] and b
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start with small vectors and an output layer that predicts all words alike."""
        nn.init.normal_(self.C.weight, std=0.1)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def read(self, context: Tensor) -> Tensor:
        """Turn the words read, (B, n - 1), into the input of the softmax, (B, D)."""
        x = self.dropout(self.C(context).flatten(start_dim=1))  # (B, (n - 1) m)
        if self.H is None:
            return x
        hidden = self.dropout(torch.tanh(self.H(x)))  # (B, h)
        return torch.cat([hidden, x], dim=1) if self.config.direct else hidden

    def forward(self, context: Tensor) -> Tensor:
        """Return the logits y of the next word, (B, |V|), for contexts (B, n - 1)."""
        return self.output(self.read(context))

    def loss(self, context: Tensor, target: Tensor) -> Tensor:
        """Return the mean of -log P(target | context) in nats (section 2, without decay)."""
        weight, bias = self.output.weight, self.output.bias
        return softmax_cross_entropy(self.read(context), weight, bias, target)

    @torch.no_grad()
    def log_probabilities(self, context: Tensor, target: Tensor) -> Tensor:
        """Return log P(target | context) of each row, (B,), in nats, computed in float32."""
        weight, bias = self.output.weight, self.output.bias
        return softmax_log_probabilities(self.read(context), weight, bias, target)
