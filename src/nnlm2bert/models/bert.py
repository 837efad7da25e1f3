"""BERT: pre-training of deep bidirectional transformers (Devlin et al. 2018).

The blocks of `transformer`, each place seeing all others, trained to restore words that were hidden
and to tell whether two segments belong together; the output layer is the table of token vectors,
used a second time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities
from nnlm2bert.models.transformer import ACTIVATIONS, Transformer, TransformerConfig, initialise

IS_NEXT, NOT_NEXT = 0, 1
"""Whether the second segment is what follows the first: numbered as in the published weights."""


def bert_config(vocabulary_size: int, **sizes: int | float | str) -> TransformerConfig:
    """Return a `TransformerConfig` of BERT's kind; ``sizes``: any of its fields.

    GELU is the exact one, by the error function, as in the first release of the authors' program
    and in transformers; their later releases compute its approximation by tanh.
    """
    kind = {"segments": 2, "embedding_norm": True, "activation": "gelu", "epsilon": 1e-12}
    return TransformerConfig(vocabulary_size, **{**kind, "causal": False, **sizes})


class BERT(Transformer):
    """A Transformer that sees both sides, a tied softmax, and a head for pairs: section 3.1.

    A token is a word, a mark before the whole ([CLS]) or after each segment ([SEP]), or a blank
    ([MASK]).

    ``bias`` (V,), one number a token, begins at 0, as in the paper. Set it to the logarithms of the
    tokens' frequencies before training, for the reason that `gpt.GPT` gives.
    """

    def __init__(self, config: TransformerConfig) -> None:
        if config.causal:
            raise ValueError("BERT reads both sides: build it with causal=False")
        super().__init__(config)
        self.transform = nn.Linear(config.width, config.width)
        self.activation = ACTIVATIONS[config.activation]
        self.transform_norm = nn.LayerNorm(config.width, config.epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.pooler = nn.Linear(config.width, config.width)
        self.relation = nn.Linear(config.width, 2)
        for layer in (self.transform, self.pooler, self.relation):
            initialise(layer)

    def transformed(self, vectors: Tensor) -> Tensor:
        """Return g = LayerNorm(gelu(h W + b)) (..., D) for vectors h (..., D) of the last layer."""
        return self.transform_norm(self.activation(self.transform(vectors)))

    def logits(self, vectors: Tensor) -> Tensor:
        """Return g W_e^T + bias (..., V) for vectors h (..., D) of the last layer."""
        return F.linear(self.transformed(vectors), self.layers[0].tokens.weight, self.bias)

    def pooled(self, vectors: Tensor) -> Tensor:
        """Return C = tanh(h_0 W + b) (B, D): the vector of the whole, from that of [CLS]."""
        return self.pooler(vectors[:, 0]).tanh()

    def relation_logits(self, vectors: Tensor) -> Tensor:
        """Return the scores (B, 2) of `IS_NEXT` and `NOT_NEXT` for the last layer (B, T, D)."""
        return self.relation(self.pooled(vectors))

    def loss(
        self,
        tokens: Tensor,
        targets: Tensor,
        inside: Tensor | None = None,
        segments: Tensor | None = None,
        relations: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """Return the mean of -log P(target | all tokens) in nats, and of how many.

        Task 1. ``targets`` (B, T): what was hidden at each of ``tokens`` (B, T), or `IGNORED`. With
        ``relations`` (B,), `IS_NEXT` or `NOT_NEXT`, their mean -log P is added: task 2.
        ``inside`` and ``segments`` as in `Transformer`.
        """
        vectors = self(tokens, inside, segments)
        features, predicted, _ = self._predictions(vectors, targets)
        weight = self.layers[0].tokens.weight
        loss = softmax_cross_entropy(features, weight, self.bias, predicted)
        if relations is not None:
            loss = loss + F.cross_entropy(self.relation_logits(vectors).float(), relations)
        return loss, len(predicted)

    @torch.no_grad()
    def costs(
        self,
        tokens: Tensor,
        targets: Tensor,
        inside: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return -log P of each target (B, T) in nats, 0 where it is `IGNORED`."""
        vectors = self(tokens, inside, segments)
        features, predicted, wanted = self._predictions(vectors, targets)
        weight = self.layers[0].tokens.weight
        nats = features.new_zeros(targets.shape, dtype=torch.float32)
        nats[wanted] = -softmax_log_probabilities(features, weight, self.bias, predicted)
        return nats

    def _predictions(self, vectors: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (N, D), the tokens (N,) to predict from them, and where (B, T)."""
        wanted = targets != IGNORED
        return self.transformed(vectors[wanted]), targets[wanted], wanted

    @torch.no_grad()
    def fill(
        self,
        tokens: Tensor,
        blanks: Tensor,
        count: int = 1,
        inside: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the likeliest tokens (N, count) for N blanks (B, T), and their probabilities.

        Each blank by itself: what is said of one takes no notice of what is said of the others.
        Dropout acts in training mode: call ``eval()`` first.
        """
        vectors = self(tokens, inside, segments)[blanks]
        likeliest = self.logits(vectors).softmax(dim=1).topk(count, dim=1)
        return likeliest.indices, likeliest.values
