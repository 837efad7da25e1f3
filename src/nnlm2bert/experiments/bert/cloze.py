"""A word is left out of held-out text: which, by a network of both sides, of one, or of two?

Anywhere, and where one side decides: of *a* and *an* what follows alone tells which it was, of *is*
and *are* mostly what stands before. Of each pair of words as many places of both are asked about,
and a word is taken if the network finds it likelier than its frequency, by more than the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.experiments.bert.measures import BLANKS, in_blocks, once, vocabulary_size
from nnlm2bert.experiments.bert.pretraining import Pieces, hiding
from nnlm2bert.experiments.elmo.measures import blocks
from nnlm2bert.models.bert import BERT
from nnlm2bert.models.gpt import GPT
from nnlm2bert.objectives import masked_words, next_tokens
from nnlm2bert.tokenizers.wordpiece import MASK_ID, PADDING_ID, SEPARATOR_ID
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.bert_inputs import Network

ONE = 1e-9
"""A share so small that one word of each piece is hidden."""
TOKENS_AT_ONCE = 4_096
PAIRS: Mapping[str, Sequence[tuple[str, str]]] = {
    "right": (("a", "an"), ("this", "these"), ("every", "all"), ("much", "many")),
    "left": (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do")),
}
"""Pairs of words by the side that decides between them: what begins with a vowel, or is counted;
the number of the subject."""
MOST = 400
"""Places of a word that are asked about."""

Group = dict[str, list[float]]


@torch.no_grad()
def blank_log_probabilities(
    network: Network,
    tokens: Tensor,
    blanks: Tensor,
    frequencies: Tensor,
    inside: Tensor | None = None,
    segments: Tensor | None = None,
) -> Tensor:
    """Return log P (N, V) of all tokens at the blanks (B, T), one a sequence (B, T) at most.

    What stands at a blank is not read. A network from the left knows what stands before; what two
    one-way readers say is multiplied and divided by the tokens' ``frequencies``, (V,) logarithms:
    the best of both sides, if these are independent given the word.
    """
    network.eval()
    if isinstance(network, BERT):
        vectors = network(tokens.masked_fill(blanks, MASK_ID), inside, segments)[blanks]
        return network.logits(vectors).log_softmax(dim=1)
    if isinstance(network, GPT):
        return network.logits(network(tokens)[blanks.roll(-1, dims=1)]).log_softmax(dim=1)
    left, right = network.log_probabilities(tokens, blanks, inside)
    return (left + right - frequencies).log_softmax(dim=1)


def cloze(network: Network, frequencies: Tensor, texts: Sequence[Pieces]) -> tuple[Group, Group]:
    """Return what one hidden word of each piece costs in nats, and how often it is the likeliest.

    By block of neighbouring pieces; the words are the same for all networks.
    """
    asked = hiding(vocabulary_size(network), BLANKS, ONE)
    costs: Group = {"tokens": [], "nats": []}
    right: Group = {"tokens": [], "nats": []}
    for number, packed in enumerate(in_blocks(texts)):
        generator = torch.Generator().manual_seed(number)
        nats, hits = [], []
        for batch in once(packed):
            targets = masked_words(batch["tokens"], asked, generator)[1]
            blanks = targets >= 0
            chances = blank_log_probabilities(
                network, blanks=blanks, frequencies=frequencies, **batch
            )
            words = targets[blanks]
            nats.append(-chances.gather(1, words.unsqueeze(1)).squeeze(1))
            hits.append(chances.argmax(dim=1) == words)
        for group, values in ((costs, nats), (right, hits)):
            group["tokens"].append(sum(map(len, values)))
            group["nats"].append(round(float(torch.cat(values).double().sum()), 2))
    return costs, right


@dataclass(frozen=True)
class Place:
    """A sequence of tokens, marks included, the place asked about, and the other word's token."""

    tokens: tuple[int, ...]
    place: int
    other: int
    pair: str


def places(texts: Sequence[Pieces], pairs: Mapping[str, tuple[int, int]]) -> list[Place]:
    """Return places of the tokens of pairs, given by name, in the order of the blocks of text.

    As many of both tokens of a pair, at most `MOST` each, evenly spread.
    """
    found = _occurrences(texts, {token for pair in pairs.values() for token in pair})
    kept: list[tuple[int, Place]] = []
    for name, pair in pairs.items():
        most = min(MOST, *(len(found[token]) for token in pair))
        for token, other in (pair, pair[::-1]):
            for number in range(most):
                order, tokens, place = found[token][number * len(found[token]) // most]
                kept.append((order, Place(tokens, place, other, name)))
    return [place for _, place in sorted(kept, key=lambda entry: entry[0])]


def _occurrences(
    texts: Sequence[Pieces], wanted: Collection[int]
) -> Mapping[int, list[tuple[int, tuple[int, ...], int]]]:
    """The places of some tokens: a number in order, the sequence, and the place in it."""
    found: dict[int, list[tuple[int, tuple[int, ...], int]]] = defaultdict(list)
    rows = (
        tuple(token for token in row if token != PADDING_ID)
        for packed in in_blocks(texts)
        for batch in once(packed)
        for row in batch["tokens"].tolist()
    )
    order = count()
    for tokens in rows:
        for place, token in enumerate(tokens):
            if token in wanted:
                found[token].append((next(order), tokens, place))
    return found


def decided(network: Network, frequencies: Tensor, asked: Sequence[Place]) -> Tensor:
    """Return whether a network prefers the word that stands at each place, (N,)."""
    right = torch.zeros(len(asked), dtype=torch.bool)
    for numbers, tokens, inside in _batches(asked):
        rows, columns, others = _asked(asked, numbers)
        blanks = torch.zeros_like(inside)
        blanks[rows, columns] = True
        closed = (tokens == SEPARATOR_ID).long()
        segments = (closed.cumsum(dim=1) > closed).long()
        chances = blank_log_probabilities(network, tokens, blanks, frequencies, inside, segments)
        gains = [
            chances[rows, words] - frequencies[words] for words in (tokens[rows, columns], others)
        ]
        right[numbers] = gains[0] > gains[1]
    return right


def _asked(asked: Sequence[Place], numbers: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """The rows, the places and the other words of some places, (B,) each."""
    columns = torch.tensor([asked[n].place for n in numbers])
    return torch.arange(len(numbers)), columns, torch.tensor([asked[n].other for n in numbers])


@torch.no_grad()
def decided_by_whole(gpt: GPT, frequencies: Tensor, asked: Sequence[Place]) -> Tensor:
    """As `decided`, for a network from the left that reads both sequences to their end, (N,).

    What follows a word then tells of it, too: log P of the whole with the one and with the other.
    """
    right = torch.zeros(len(asked), dtype=torch.bool)
    gpt.eval()
    for numbers, tokens, inside in _batches(asked):
        rows, columns, others = _asked(asked, numbers)
        gains = []
        for words in (tokens[rows, columns], others):
            written = tokens.clone()
            written[rows, columns] = words
            costs = gpt.costs(written, next_tokens(written, inside)).sum(dim=1)
            gains.append(-costs - frequencies[words])
        right[numbers] = gains[0] > gains[1]
    return right


def _batches(asked: Sequence[Place]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yield the numbers of some places, their sequences (B, T), and where these are no padding."""
    lengths = [len(place.tokens) for place in asked]
    batches = LengthBatches(lengths, TOKENS_AT_ONCE, Tensor.tolist, seed=0)
    for numbers in map(batches.batch, range(len(batches))):
        rows = [torch.tensor(asked[n].tokens) for n in numbers]
        tokens = pad_sequence(rows, batch_first=True, padding_value=PADDING_ID)
        yield numbers, tokens, tokens != PADDING_ID


def by_block(right: Tensor) -> Group:
    """Return how often a network was right (N,), by blocks of neighbouring places."""
    owners = torch.from_numpy(blocks(len(right)))
    return {
        "tokens": torch.bincount(owners).tolist(),
        "nats": torch.bincount(owners, weights=right.double()).tolist(),
    }


def by_pair(right: Tensor, asked: Sequence[Place]) -> dict[str, float]:
    """Return the share right of each pair of words."""
    names = dict.fromkeys(place.pair for place in asked)
    return {
        name: float(right[[n for n, p in enumerate(asked) if p.pair == name]].double().mean())
        for name in names
    }
