"""Tasks of all kinds between BERT's marks, and where a network of any direction is read there.

Devlin et al. (2018), sections 3 and 4 and figure 4::

    sentence      [CLS] sentence [SEP]
    pair, score   [CLS] first [SEP] second [SEP]
    choice        [CLS] text [SEP] answer [SEP], one for each answer
    word, tags    [CLS] sentence [SEP], read at the word, or at each

A word's vector is that at its first token. A network that reads from the left has seen nothing of
the word there, and of a text nothing at ``[CLS]``: it is read where all is behind it, at the last
token, and at the last ``[SEP]``. Of two one-way readers each is read at its own end.

What is too long for the context loses tokens at the end of its longest part; words that are asked
about go on in a second sequence instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.bert import BERT
from nnlm2bert.models.elmo import reordered
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import Transformer
from nnlm2bert.models.transformer_bilm import TransformerBiLM, reading_order
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.wordpiece import CLASS_ID, PADDING_ID, SEPARATOR_ID
from nnlm2bert.transfer.first_layer import spelling
from nnlm2bert.transfer.input_transformations import shortened, spelled
from nnlm2bert.transfer.tasks import Example

Network = BERT | GPT | TransformerBiLM


@dataclass(frozen=True)
class MarkedSequence:
    """T tokens with their segments, and the first and last token of the P spans to be read."""

    tokens: tuple[int, ...]
    segments: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def sequences(
    example: Example, kind: str, encoder: SubwordEncoder, context: int
) -> list[MarkedSequence]:
    """Return what is read of an example of a task of this kind: one sequence, or several."""
    if kind == "tags":
        return word_by_word(example.sentences[0], encoder, context)
    if kind == "word":
        return [_around(example.sentences[0], example.position, encoder, context)]
    sides = [spelled(side, encoder) for side in example.sentences]
    if kind == "choice":
        return [joined([sides[0], answer], context) for answer in sides[1:]]
    return [joined(sides, context)]


def joined(parts: Sequence[Sequence[int]], context: int) -> MarkedSequence:
    """Return ``[CLS] part [SEP] part [SEP] ...``, cut to ``context`` tokens, as one span.

    Raises:
        ValueError: if there is no room for the marks and a token of each part.
    """
    tokens, segments = [CLASS_ID], [0]
    for number, part in enumerate(shortened(parts, context - len(parts) - 1)):
        tokens += [*part, SEPARATOR_ID]
        segments += [number] * (len(part) + 1)
    return MarkedSequence(tuple(tokens), tuple(segments), ((0, len(tokens) - 1),))


def word_by_word(
    words: Sequence[str], encoder: SubwordEncoder, context: int
) -> list[MarkedSequence]:
    """Return ``[CLS] words [SEP]``, a span a word; what does not fit begins a new sequence."""
    found, tokens, spans = [], [CLASS_ID], []
    for word in words:
        pieces = encoder.word(spelling(word))[: context - 2]
        if len(tokens) + len(pieces) + 1 > context:
            found.append(_closed(tokens, spans))
            tokens, spans = [CLASS_ID], []
        spans.append((len(tokens), len(tokens) + len(pieces) - 1))
        tokens += pieces
    return [*found, _closed(tokens, spans)]


def _closed(tokens: list[int], spans: list[tuple[int, int]]) -> MarkedSequence:
    closed = (*tokens, SEPARATOR_ID)
    return MarkedSequence(closed, (0,) * len(closed), tuple(spans))


def _around(
    words: Sequence[str], position: int, encoder: SubwordEncoder, context: int
) -> MarkedSequence:
    """The sequence that one word stands in, with its span alone."""
    for sequence in word_by_word(words, encoder, context):
        if position < len(sequence.spans):
            return MarkedSequence(sequence.tokens, sequence.segments, (sequence.spans[position],))
        position -= len(sequence.spans)
    raise ValueError(f"the sentence of {len(words)} words has none at the place asked about")


@dataclass(frozen=True)
class MarkedBatch:
    """Sequences side by side: tokens (R, T), inside (R, T) or None, segments (R, T).

    The spans of all of them, in order: their rows (P,), first places (P,) and last (P,).
    """

    tokens: Tensor
    inside: Tensor | None
    segments: Tensor
    rows: Tensor
    firsts: Tensor
    lasts: Tensor

    @classmethod
    def of(cls, found: Sequence[MarkedSequence], device: torch.device | str = "cpu") -> MarkedBatch:
        """Pad sequences on the right; ``inside`` is None if nothing is padding."""
        tokens = _padded([sequence.tokens for sequence in found], PADDING_ID)
        segments = _padded([sequence.segments for sequence in found], 0)
        lengths = torch.tensor([len(sequence.tokens) for sequence in found]).unsqueeze(1)
        inside = torch.arange(tokens.shape[1]) < lengths
        counts = torch.tensor([len(sequence.spans) for sequence in found])
        spans = torch.tensor([span for sequence in found for span in sequence.spans]).view(-1, 2)
        parts = (segments, torch.arange(len(found)).repeat_interleave(counts), *spans.unbind(1))
        mask = None if bool(inside.all()) else inside.to(device)
        return cls(tokens.to(device), mask, *(part.to(device) for part in parts))


def _padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    tensors = [torch.tensor(row) for row in rows]
    return pad_sequence(tensors, batch_first=True, padding_value=value)


def last_vectors(network: Network, batch: MarkedBatch) -> Tensor:
    """Return the vectors (R, T, D) of a network's last layer."""
    if isinstance(network, BERT):
        return network(batch.tokens, batch.inside, batch.segments)
    if isinstance(network, TransformerBiLM):
        return network(batch.tokens, batch.inside)
    return network(batch.tokens)


def layer_vectors(network: Network, batch: MarkedBatch) -> Tensor:
    """Return the vectors (R, T, L + 1, D) of all layers, the embedding's first.

    The last is what the network's softmax reads, after its norm, if it has one there.
    """
    if not isinstance(network, TransformerBiLM):
        return _layers(network, batch.tokens, batch.inside, batch.segments)
    order = reading_order(batch.tokens, batch.inside)
    backward = _layers(network.right_to_left, batch.tokens.gather(1, order))
    turned = [reordered(layer, order) for layer in backward.unbind(2)]
    return torch.cat(
        [_layers(network.left_to_right, batch.tokens), torch.stack(turned, dim=2)], dim=3
    )


def _layers(
    network: Transformer,
    tokens: Tensor,
    inside: Tensor | None = None,
    segments: Tensor | None = None,
) -> Tensor:
    found = [network.layers[0](tokens, segments)]
    for block in network.layers[1:]:
        found.append(block(found[-1], inside))
    return torch.stack([*found[:-1], network.norm(found[-1])], dim=2)


def at_spans(network: Network, vectors: Tensor, batch: MarkedBatch) -> Tensor:
    """Return the vectors (P, ..., D) of the spans, from those at all places (R, T, ..., D)."""
    if isinstance(network, TransformerBiLM):
        forward, backward = vectors.chunk(2, dim=-1)
        ends = forward[batch.rows, batch.lasts], backward[batch.rows, batch.firsts]
        return torch.cat(ends, dim=-1)
    return vectors[batch.rows, batch.firsts if isinstance(network, BERT) else batch.lasts]


def vector_width(network: Network) -> int:
    """Return D, the numbers of a vector that `last_vectors` returns."""
    return network.config.width * (2 if isinstance(network, TransformerBiLM) else 1)
