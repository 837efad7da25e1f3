"""What the experiment `bert` measures of networks that read both sides, or one, on held-out text.

Units of resampling are blocks of neighbouring pieces of text. All networks are asked about the same
tokens: what is hidden depends on the block alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nnlm2bert.experiments.bert.pretraining import Batch, Pieces, formed, hiding
from nnlm2bert.experiments.bert.recipes import HIDDEN, Objective
from nnlm2bert.experiments.scoreboard import BLOCKS
from nnlm2bert.models.bert import BERT
from nnlm2bert.tokenizers.subwords import TokenStream
from nnlm2bert.training.batches import Batches
from nnlm2bert.training.packed_batches import PackedBatches
from nnlm2bert.transfer.bert_inputs import Network

AT_ONCE = 4_096
"""Tokens that are read together, marks and padding included."""
BLANKS = Objective("BERT", masked=1.0, random=0.0)
"""How words are hidden where a network is measured: all of those chosen, whatever it learned by."""

Group = dict[str, list[float]]


def held_out_pieces(stream: TokenStream, context: int, tokens: int) -> Pieces:
    """Return the first pieces of a stream, of about so many tokens, marks left out."""
    found = Pieces.of(stream, context)
    inside = found.sentences.lengths(found.pieces).cumsum(0) <= tokens
    return Pieces(found.ids, found.sentences, found.pieces[: max(1, int(inside.sum()))])


def in_blocks(texts: Sequence[Pieces], pairs: str = "following") -> list[PackedBatches]:
    """Return at most `BLOCKS` blocks of neighbouring pieces, each a source of batches.

    Each text has the same number of them.
    """
    share = BLOCKS // len(texts)
    blocks = [
        Pieces(text.ids, text.sentences, part)
        for text in texts
        for part in text.pieces.tensor_split(min(share, len(text.pieces)))
    ]
    return [block.batches(AT_ONCE, number, pairs) for number, block in enumerate(blocks)]


def vocabulary_size(network: Network) -> int:
    """Return how many tokens a network knows."""
    return network.config.vocabulary_size


def once(batches: Batches) -> Iterator[Batch]:
    """Yield each batch of an epoch."""
    return map(batches.batch, range(len(batches)))


def held_out(network: Network, objective: Objective, texts: Sequence[Pieces]) -> Group:
    """Return the nats of what an objective's network predicts, and how much that is, by block.

    A masked network restores `HIDDEN` of the tokens, all of them blanks; one from the left predicts
    all that follows; of two one-way readers it is the mean of what both predict.
    """
    asked = hiding(vocabulary_size(network), BLANKS, HIDDEN)
    found: Group = {"tokens": [], "nats": []}
    for number, packed in enumerate(in_blocks(texts)):
        costs = [predicted(network, b) for b in once(formed(packed, objective, asked, number))]
        found["tokens"].append(sum(len(nats) for nats in costs))
        found["nats"].append(round(float(sum(nats.double().sum() for nats in costs)), 2))
    return found


@torch.no_grad()
def predicted(network: Network, batch: Batch) -> Tensor:
    """Return -log P (N,) in nats of all that a network is to predict of a batch."""
    network.eval()
    place = next(network.parameters()).device
    batch = {name: tensor.to(place) for name, tensor in batch.items()}
    costs = network.costs(**batch)
    if "targets" in batch:
        return costs[batch["targets"] >= 0].cpu()
    inside = batch.get("inside", torch.ones_like(batch["tokens"], dtype=torch.bool))
    pair = inside[:, 1:]
    return torch.cat([costs[0][:, 1:][pair], costs[1][:, :-1][pair]]).cpu()


@torch.no_grad()
def relation_answers(network: BERT, sources: Sequence[PackedBatches]) -> Group:
    """Return how often the head for pairs tells their relation, by block."""
    network.eval()
    place = network.bias.device
    found: Group = {"tokens": [], "nats": []}
    for packed in sources:
        right, count = 0, 0
        for batch in once(packed):
            batch = {name: tensor.to(place) for name, tensor in batch.items()}
            relations = batch.pop("relations")
            said = network.relation_logits(network(**batch)).argmax(dim=1)
            right, count = right + int((said == relations).sum()), count + len(said)
        found["tokens"].append(count)
        found["nats"].append(right)
    return found


def perplexity(group: Group) -> float:
    """Return e to the mean of a group's nats."""
    return math.exp(math.fsum(group["nats"]) / sum(group["tokens"]))
