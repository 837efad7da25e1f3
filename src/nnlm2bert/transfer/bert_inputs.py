"""Tasks of all kinds between BERT's marks, and where a network of any direction is read there.

Devlin et al. (2018), sections 3 and 4 and figure 4::

    sentence      [CLS] sentence [SEP]
    pair, score   [CLS] first [SEP] second [SEP]
    choice        [CLS] text [SEP] answer [SEP], one for each answer
    word, tags    [CLS] sentence [SEP], read at the word, or at each
    word-pair     [CLS] first [SEP] second [SEP], read as a whole and at a word of each

A word's vector is that at its first token. A network that reads from the left has seen nothing of
the word there, and of a text nothing at ``[CLS]``: it is read where all is behind it, at the last
token, and at the last ``[SEP]``. Of two one-way readers each is read at its own end.

What is too long for the context loses tokens at the end of its longest part, or far from the words
in question; words that are asked about one by one go on in a second sequence instead.
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
from nnlm2bert.tokenizers.wordpiece import CLASS_ID, PADDING_ID, SEPARATOR_ID
from nnlm2bert.transfer.input_transformations import shortened
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.tasks import Example

Network = BERT | GPT | TransformerBiLM


@dataclass(frozen=True)
class MarkedSequence:
    """T tokens with their segments, and the first and last token of the P spans to be read."""

    tokens: tuple[int, ...]
    segments: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def sequences_of(
    example: Example, kind: str, read: MarkedWords, context: int
) -> list[MarkedSequence]:
    """Return what is read of an example of a task of this kind: one sequence, or several."""
    if kind == "tags":
        return word_by_word(example.sentences[0], read, context)
    if kind == "word":
        return [_around(example.sentences[0], example.position, read, context)]
    if kind == "word-pair":
        return [two_words(example, read, context)]
    sides, marks = [read.encode(side) for side in example.sentences], (read.cls, read.sep)
    if kind == "choice":
        return [joined([sides[0], answer], context, *marks) for answer in sides[1:]]
    return [joined(sides, context, *marks)]


def joined(
    parts: Sequence[Sequence[int]], context: int, cls: int = CLASS_ID, sep: int = SEPARATOR_ID
) -> MarkedSequence:
    """Return ``[CLS] part [SEP] part [SEP] ...``, cut to ``context`` tokens, as one span.

    Raises:
        ValueError: if there is no room for the marks and a token of each part.
    """
    tokens, segments = [cls], [0]
    for number, part in enumerate(shortened(parts, context - len(parts) - 1)):
        tokens += [*part, sep]
        segments += [number] * (len(part) + 1)
    return MarkedSequence(tuple(tokens), tuple(segments), ((0, len(tokens) - 1),))


def two_words(example: Example, read: MarkedWords, context: int) -> MarkedSequence:
    """Return ``[CLS] first [SEP] second [SEP]``: spans of the whole, then of a word in each.

    What is too long loses words at that end which is farther from the word in question.
    """
    sides = [[list(read.pieces(word)) for word in sentence] for sentence in example.sentences]
    flat = [[piece for word in side for piece in word] for side in sides]
    rooms = map(len, shortened(flat, context - 3))
    kept = [
        _kept(side, position, room)
        for side, position, room in zip(sides, example.position, rooms, strict=True)
    ]
    whole = joined([tokens for tokens, _ in kept], context, read.cls, read.sep)
    begins = 1, len(kept[0][0]) + 2
    spans = [
        (begin + first, begin + last)
        for begin, (_, (first, last)) in zip(begins, kept, strict=True)
    ]
    return MarkedSequence(whole.tokens, whole.segments, (*whole.spans, *spans))


def _kept(
    words: Sequence[list[int]], position: int, room: int
) -> tuple[list[int], tuple[int, int]]:
    """The tokens of words around a position, as many as fit, and the first and last of its word."""
    first, after = 0, len(words)
    while after - first > 1 and sum(map(len, words[first:after])) > room:
        if position - first > after - 1 - position:
            first += 1
        else:
            after -= 1
    begin = sum(map(len, words[first:position]))
    tokens = [piece for word in words[first:after] for piece in word][:room]
    return tokens, (begin, min(begin + len(words[position]), room) - 1)


def word_by_word(words: Sequence[str], read: MarkedWords, context: int) -> list[MarkedSequence]:
    """Return ``[CLS] words [SEP]``, a span a word; what does not fit begins a new sequence."""
    found, tokens, spans = [], [read.cls], []
    for word in words:
        pieces = read.pieces(word)[: context - 2]
        if len(tokens) + len(pieces) + 1 > context:
            found.append(_closed(tokens, spans, read.sep))
            tokens, spans = [read.cls], []
        spans.append((len(tokens), len(tokens) + len(pieces) - 1))
        tokens += pieces
    return [*found, _closed(tokens, spans, read.sep)]


def _closed(tokens: list[int], spans: list[tuple[int, int]], sep: int) -> MarkedSequence:
    closed = (*tokens, sep)
    return MarkedSequence(closed, (0,) * len(closed), tuple(spans))


def _around(words: Sequence[str], position: int, read: MarkedWords, context: int) -> MarkedSequence:
    """The sequence that one word stands in, with its span alone."""
    for sequence in word_by_word(words, read, context):
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
