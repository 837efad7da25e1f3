"""How networks begin: what takes one that restores hidden words off its plateau.

From a blank and its neighbours, all weighed alike, little more can be said than how frequent words
are, and a small network may stand there for long. It leaves sooner if it knows from the start which
words are alike (the vectors of word2vec), if near places look alike (sinusoids, learned on from
there) and if attention is not quite even (larger queries and keys). What is done to one kind of
network is done to all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nnlm2bert.models.transformer import Embedding, MultiHeadAttention, sinusoids
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.transfer.bert_inputs import Network

READ = 3_000_000
"""Tokens that word2vec reads before anything else is trained: in whole passes, at least one."""


@dataclass(frozen=True)
class Beginning:
    """What a network knows before its first step.

    vectors: "random", or "CBOW": the tokens' vectors are trained by word2vec first, on the same
    text. waves: amplitude of the sinusoids that the vectors of positions begin as, a multiple of
    the tokens' spread; 0: at random like them. sharper: factor of the first weights of queries and
    keys.
    """

    vectors: str = "random"
    waves: float = 0.0
    sharper: float = 1.0

    def __post_init__(self) -> None:
        if self.vectors not in ("random", "CBOW"):
            raise ValueError(f"vectors are 'random' or 'CBOW', not {self.vectors!r}")


PLAIN = Beginning()
"""As published: all at random."""
HELPED = Beginning(vectors="CBOW", waves=2.0, sharper=2.0)


@dataclass(frozen=True, eq=False)
class Words:
    """The tokens (T,) of a text, the number of the sentence of each (T,), and how many types V."""

    ids: np.ndarray
    sentences: np.ndarray
    types: int

    def vectors(self, width: int, seed: int) -> Tensor:
        """Return vectors (V, D) of the tokens by CBOW (Mikolov et al. 2013), compiled."""
        from nnlm2bert.models.word2vec_compiled import CompiledSettings, train_compiled

        how = CompiledSettings(
            dimension=width,
            architecture="cbow",
            shared_negatives=True,
            threshold=1e-3,
            epochs=max(1, READ // len(self.ids)),
            learning_rate=0.15,
        )
        counts = np.bincount(self.ids, minlength=self.types)
        return torch.from_numpy(train_compiled(self.ids, self.sentences, counts, how, seed).inputs)


def tied_softmax(network: Network) -> tuple[Tensor, Tensor]:
    """Return the table of tokens (V, D) and the bias (V,) of a network's softmax."""
    one = network.left_to_right if isinstance(network, TransformerBiLM) else network
    return one.layers[0].tokens.weight, one.bias


@torch.no_grad()
def begin(network: Network, beginning: Beginning, words: Words, seed: int) -> None:
    """Change the first weights of a network in place, as ``beginning`` says.

    Tokens that the text has keep the spread that the network's table has; the others their vectors.
    Where positions have no vectors that are learned, or nothing attends, there is nothing to do.
    """
    table, _ = tied_softmax(network)
    spread = table.std()
    if beginning.vectors == "CBOW":
        found = words.vectors(table.shape[1], seed).to(table)
        seen = torch.from_numpy(np.bincount(words.ids, minlength=words.types) > 0)
        found = found - found[seen].mean(dim=0)
        table[seen] = found[seen] * (spread / found[seen].std())
    for part in parts(network, Embedding):
        if beginning.waves and isinstance(part.positions, nn.Parameter):
            length, width = part.positions.shape
            part.positions.copy_(sinusoids(length, width) * spread * beginning.waves)
    for part in parts(network, MultiHeadAttention):
        width = part.queries_keys_values.weight.shape[1]
        part.queries_keys_values.weight[: 2 * width].mul_(beginning.sharper)


def parts(network: nn.Module, kind: type[nn.Module]) -> Iterator[nn.Module]:
    """Yield the parts of a network that are of a kind."""
    return (part for part in network.modules() if isinstance(part, kind))
