"""What networks of Pocket English say of words, and the vectors that they say it with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nnlm2bert.experiments.bert.laboratory_networks import (
    BLANK,
    SPECIAL,
    LaboratoryText,
    Network,
)
from nnlm2bert.models.bert import BERT
from nnlm2bert.models.elmo import reordered
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer_bilm import TransformerBiLM, reading_order
from nnlm2bert.synthetic import Oracle
from nnlm2bert.training import derived_seed
from nnlm2bert.training.length_batches import LengthBatches

SHARE = 0.15
"""Of the words of a text that is hidden when a network is measured, as in the paper."""
TOKENS_AT_ONCE = 8192
TINY = 1e-12


# What they say of words.


def hidden_words(text: LaboratoryText, share: float, seed: int) -> np.ndarray:
    """Return which words of a text are hidden (N,): each by a draw of its own, never a mark."""
    ids = text.documents.sample.ids
    draws = np.random.default_rng(derived_seed(seed, "hidden words")).random(len(ids))
    return (draws < share) & (ids != text.documents.sample.language.end_id)


@torch.no_grad()
def hidden_costs(bert: BERT, text: LaboratoryText, hidden: np.ndarray) -> np.ndarray:
    """Return -log P of the words that are hidden (N,) from a text, all at once; nan elsewhere."""
    found = np.full(len(hidden), np.nan)
    bert.eval()
    for rows in text.documents.parts():
        tokens, inside, places = text.sequences(rows)
        blanks = torch.from_numpy(hidden[places] & (places >= 0))
        vectors = bert(tokens.masked_fill(blanks, BLANK), inside)
        costs = word_costs(bert.logits(vectors[blanks]), tokens[blanks])
        found[places[blanks.numpy()]] = costs
    return found


@torch.no_grad()
def single_costs(network: Network, text: LaboratoryText, places: np.ndarray) -> np.ndarray:
    """Return -log P of the words at some places (M,) of a text, each the only one not seen.

    From the left, where that is all a network sees; from both sides by one network, or by the
    product of two (`Oracle.product_floor`).
    """
    owners = text.documents.sample.document_ids[places]
    prior = torch.from_numpy(np.log(np.maximum(Oracle(text.language).unigram, TINY))).float()
    costs = np.empty(len(places))
    network.eval()
    for own in alike(text.documents.lengths[owners]):
        tokens, inside, found = text.sequences(owners[own])
        asked = torch.from_numpy(found == places[own][:, None])
        costs[own] = word_costs(single_scores(network, tokens, inside, asked, prior), tokens[asked])
    return costs


def single_scores(
    network: Network, tokens: Tensor, inside: Tensor, asked: Tensor, prior: Tensor
) -> Tensor:
    """Return the scores (B, V) of all words at one place of each sequence, ``asked`` (B, T).

    ``prior`` (V,): log P of each word, which two predictions that are multiplied both hold.
    """
    if isinstance(network, BERT):
        return network.logits(network(tokens.masked_fill(asked, BLANK), inside)[asked])
    if isinstance(network, GPT):
        return network.logits(network(tokens)[asked.roll(-1, dims=1)])
    left, right = network.log_probabilities(tokens, asked, inside)
    return left + right - prior


def word_costs(scores: Tensor, words: Tensor) -> np.ndarray:
    """Return -log P of words (N,) by scores (N, V), no mark being possible."""
    scores = scores.index_fill(1, torch.tensor(SPECIAL), -torch.inf)
    return F.cross_entropy(scores, words, reduction="none").double().numpy()


def alike(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the numbers (B,) of sequences of such lengths (N,), some of about one length."""
    batches = LengthBatches(lengths, TOKENS_AT_ONCE, Tensor.numpy, seed=0)
    yield from (batches.batch(number) for number in range(len(batches)))


# Their vectors.


@torch.no_grad()
def vectors_at(network: Network, text: LaboratoryText, places: np.ndarray) -> np.ndarray:
    """Return the vectors of all layers side by side (M, F) of the words at some places (M,).

    Nothing is hidden. Of two one-way stacks each layer has two vectors.
    """
    owners = text.documents.sample.document_ids[places]
    found: list[np.ndarray] = [np.empty(0)] * len(places)
    network.eval()
    for own in alike(text.documents.lengths[owners]):
        tokens, inside, where = text.sequences(owners[own])
        vectors = torch.cat(layers_of(network, tokens, inside), dim=2)
        rows = vectors[torch.from_numpy(where == places[own][:, None])].numpy()
        for number, row in zip(own, rows, strict=True):
            found[number] = row
    return np.stack(found)


def layers_of(network: Network, tokens: Tensor, inside: Tensor) -> list[Tensor]:
    """Return the vectors (B, T, D) of each layer for tokens (B, T), the embedding's first."""
    if isinstance(network, TransformerBiLM):
        order = reading_order(tokens, inside)
        forward = layers_of(network.left_to_right, tokens, inside)
        backward = layers_of(network.right_to_left, tokens.gather(1, order), inside)
        return [*forward, *(reordered(vectors, order) for vectors in backward)]
    found = [network.layers[0](tokens)]
    for block in network.layers[1:]:
        found.append(block(found[-1], inside))
    return found
