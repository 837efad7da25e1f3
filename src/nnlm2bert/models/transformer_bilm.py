"""Two one-way Transformers side by side: ELMo's language model with attention for its LSTMs.

Peters, Neumann, Zettlemoyer and Yih (2018), "Dissecting contextual word embeddings", section 3.2.
It is what stands between GPT and BERT: both sides of a word are read, but never by one layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlm2bert.models.elmo import reordered
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities
from nnlm2bert.models.transformer import TransformerConfig


class TransformerBiLM(nn.Module):
    """A GPT from the left and one from the right, one table of tokens and one softmax for both.

    ``config`` is that of each; a token's vector has 2 D numbers. Sharing the table and the softmax
    follows Peters et al. (2018), "Deep contextualized word representations", section 3.1. Set
    ``left_to_right.bias`` to the logarithms of the tokens' frequencies before training, as GPT's.

    Sequences are padded on the right. The one from the right begins at each sequence's own end, so
    that padding is never read before it.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.left_to_right, self.right_to_left = GPT(config), GPT(config)
        self.right_to_left.layers[0].tokens = self.left_to_right.layers[0].tokens
        self.right_to_left.bias = self.left_to_right.bias

    def forward(self, tokens: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return [forward; backward] (B, T, 2D) of the last layer for tokens (B, T).

        ``inside`` (B, T): False at padding; what stands there means nothing.
        """
        order = reading_order(tokens, inside)
        forward = self.left_to_right(tokens)
        backward = reordered(self.right_to_left(tokens.gather(1, order)), order)
        return torch.cat([forward, backward], dim=2)

    def loss(self, tokens: Tensor, inside: Tensor | None = None) -> tuple[Tensor, int]:
        """Return the mean of -log P in nats over both directions, and of how many tokens.

        From the left all tokens but a sequence's first are predicted, from the right all but its
        last.
        """
        features, predicted, _ = self._predictions(tokens, inside)
        return softmax_cross_entropy(features, *self._softmax, predicted), len(predicted)

    @torch.no_grad()
    def costs(self, tokens: Tensor, inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return -log P of each token in nats, from its left (B, T) and from its right (B, T).

        From the left nothing is said of the first, from the right nothing of the last; there and at
        padding it is 0.
        """
        features, predicted, places = self._predictions(tokens, inside)
        nats = features.new_zeros(2, *tokens.shape, dtype=torch.float32)
        nats[places] = -softmax_log_probabilities(features, *self._softmax, predicted)
        return nats[0], nats[1]

    @torch.no_grad()
    def log_probabilities(
        self, tokens: Tensor, blanks: Tensor, inside: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return log P of all tokens at N blanks (B, T), from their left and right, (N, V) each.

        What stands at a blank is read by neither. The two together: their sum less the logarithms
        of the tokens' frequencies, normalised anew.

        Raises:
            ValueError: if a blank has no neighbour on one side.
        """
        inside = torch.ones_like(blanks) if inside is None else inside
        between = torch.zeros_like(blanks)
        between[:, 1:-1] = inside[:, 2:]
        if (blanks & ~between).any():
            raise ValueError("a blank at an end cannot be read from both sides: put marks around")
        forward, backward = self(tokens, inside).chunk(2, dim=2)
        left, right = forward[blanks.roll(-1, dims=1)], backward[blanks.roll(1, dims=1)]
        return tuple(self.left_to_right.logits(side).log_softmax(dim=1) for side in (left, right))

    @property
    def _softmax(self) -> tuple[Tensor, Tensor]:
        return self.left_to_right.layers[0].tokens.weight, self.left_to_right.bias

    def _predictions(
        self, tokens: Tensor, inside: Tensor | None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return features (N, D), the tokens (N,) to predict from them, and where those stand.

        Places are (direction, sequence, position), N each.
        """
        forward, backward = self(tokens, inside).chunk(2, dim=2)
        pair = torch.ones_like(tokens[:, 1:], dtype=torch.bool) if inside is None else inside[:, 1:]
        features = torch.cat([forward[:, :-1][pair], backward[:, 1:][pair]])
        predicted = torch.cat([tokens[:, 1:][pair], tokens[:, :-1][pair]])
        rows, columns = pair.nonzero(as_tuple=True)
        direction = torch.arange(2, device=tokens.device).repeat_interleave(len(rows))
        return features, predicted, (direction, rows.repeat(2), torch.cat([columns + 1, columns]))


def reading_order(tokens: Tensor, inside: Tensor | None) -> Tensor:
    """Return the place (B, T) of each token when its sequence is read backwards, padding last."""
    steps = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    lengths = tokens.shape[1] if inside is None else inside.sum(dim=1, keepdim=True)
    return torch.where(steps < lengths, lengths - 1 - steps, steps)
