"""GPT: improving language understanding by generative pre-training (Radford et al. 2018).

The blocks of `transformer`, each place seeing what stands left of it, trained to predict the next
token; the output layer is the table of token vectors, used a second time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities
from nnlm2bert.models.transformer import KeysAndValues, Transformer, TransformerConfig

IGNORED = -100
"""In the place of a target: nothing is to be predicted there."""


class GPT(Transformer):
    """A causal Transformer and its tied softmax: section 3.1, equation 2.

    ``bias`` (V,), one number a token, is not in the paper and begins at 0. Set it to the logarithms
    of the tokens' frequencies before training: a small network with its norms after the sums
    otherwise begins by turning all vectors into that one direction, and is slow to leave it.
    """

    def __init__(self, config: TransformerConfig) -> None:
        if not config.causal:
            raise ValueError("GPT reads from the left: build it with causal=True")
        super().__init__(config)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))

    def logits(self, vectors: Tensor) -> Tensor:
        """Return h W_e^T + bias (..., V) for vectors h (..., D) of the last layer."""
        return F.linear(vectors, self.layers[0].tokens.weight, self.bias)

    def loss(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, int]:
        """Return the mean of -log P(target | tokens up to its place) in nats, and of how many.

        Equation 1. ``targets`` (B, T): what follows each of ``tokens`` (B, T), or `IGNORED`.
        """
        features, predicted, _ = self._predictions(tokens, targets)
        weight = self.layers[0].tokens.weight
        return softmax_cross_entropy(features, weight, self.bias, predicted), len(predicted)

    @torch.no_grad()
    def costs(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return -log P of each target (B, T) in nats, 0 where it is `IGNORED`."""
        features, predicted, wanted = self._predictions(tokens, targets)
        weight = self.layers[0].tokens.weight
        nats = features.new_zeros(targets.shape, dtype=torch.float32)
        nats[wanted] = -softmax_log_probabilities(features, weight, self.bias, predicted)
        return nats

    def _predictions(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (N, D), the tokens (N,) to predict from them, and where (B, T)."""
        wanted = targets != IGNORED
        vectors = self(tokens)
        if wanted.all():
            return vectors.flatten(0, 1), targets.flatten(), wanted
        return vectors[wanted], targets[wanted], wanted

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        cache: bool = True,
    ) -> Tensor:
        """Return ``tokens`` (B, T) with ``count`` more, (B, T + count), one after the other.

        Args:
            temperature: the logits are divided by it; 0: always the likeliest token (greedy).
            top_k: draw among so many of the likeliest; None: among all (Fan et al. 2018).
            generator: the source of chance; needed unless the temperature is 0.
            cache: keep keys and values, so that each step reads one token instead of all again.

        Dropout acts in training mode: call ``eval()`` first.

        Raises:
            ValueError: without a generator where tokens are drawn, for a top_k below 1, or beyond
                the context.
        """
        if temperature > 0 and generator is None:
            raise ValueError("tokens are drawn at random: pass a generator, or temperature=0")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k={top_k} leaves no token to draw: take at least 1, or None")
        past = [KeysAndValues() for _ in self.layers[1:]] if cache else None
        unread = tokens
        for _ in range(count):
            last = self(unread if cache else tokens, past=past)[:, -1]
            unread = choose(self.logits(last), temperature, top_k, generator)
            tokens = torch.cat([tokens, unread], dim=1)
        return tokens


def choose(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None
) -> Tensor:
    """Return a token (B, 1) for each row of logits (B, V)."""
    if temperature == 0:
        return logits.argmax(dim=1, keepdim=True)
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[1]), dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator)
