"""BERT marks the answer to a question in a paragraph (Devlin et al. 2019, section 4.2).

``[CLS] question [SEP] paragraph [SEP]``, and one linear layer that says of each word's vector how
well the answer begins and ends there. The paper does so at each token; here at each word, where
`bert_inputs.at_spans` reads it, so that a network that reads from the left may be asked, too: the
question stands before the paragraph, and at a word's last token all of the word has been read.

A paragraph that is too long is read in windows, each with the whole question. A word is read in
that window where it has most to both sides, as in the paper's program; but all words of all windows
compete in one softmax (the shared normalisation of Clark & Gardner 2018), in training, too, where
the paper has each window without the answer point at ``[CLS]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.transformer import initialise
from nnlm2bert.transfer.answers import Asked, SpanNetwork
from nnlm2bert.transfer.bert_inputs import (
    MarkedBatch,
    MarkedSequence,
    Network,
    at_spans,
    last_vectors,
    vector_width,
)
from nnlm2bert.transfer.layers import freeze
from nnlm2bert.transfer.marked_words import MarkedWords

QUESTION_SHARE = 0.5
"""Of a sequence's tokens at most are the question's; its end is cut off."""


@dataclass(frozen=True)
class Window:
    """What is read of a paragraph at once; its spans are the words ``words`` of the paragraph."""

    sequence: MarkedSequence
    words: range


def windows(asked: Asked, read: MarkedWords, context: int, stride: int) -> list[Window]:
    """Return the windows of a question and its paragraph, in order; each word is in one.

    Args:
        read: how words become tokens.
        context: tokens of a window, marks and question included.
        stride: words between the begins of two windows; fewer, down to 1, where a window has no
            room for so many.

    Raises:
        ValueError: if there is no room for a token of each part.
    """
    question = read.encode(asked.question)[: int(QUESTION_SHARE * (context - 3))]
    room = context - len(question) - 3
    if room < 1 or not question:
        raise ValueError(f"a context of {context} has no room for a question and a paragraph")
    pieces = [list(read.pieces(word))[:room] for word in asked.paragraph]
    found, first = [], 0
    while True:
        after, count = first, 0
        while after < len(pieces) and count + len(pieces[after]) <= room:
            count += len(pieces[after])
            after += 1
        found.append(Window(_sequence(question, pieces[first:after], read), range(first, after)))
        if after == len(pieces):
            return found
        first = min(first + stride, after)


def _sequence(
    question: Sequence[int], pieces: Sequence[Sequence[int]], read: MarkedWords
) -> MarkedSequence:
    tokens = [read.cls, *question, read.sep]
    segments, spans = [0] * len(tokens), []
    for word in pieces:
        spans.append((len(tokens), len(tokens) + len(word) - 1))
        tokens += word
    tokens.append(read.sep)
    segments += [1] * (len(tokens) - len(segments))
    return MarkedSequence(tuple(tokens), tuple(segments), tuple(spans))


def chosen_places(found: Sequence[Window], words: int) -> list[int]:
    """Return where each word (T,) of a paragraph is read, among the spans of its windows in order.

    In that window where the fewer of the words to its left and to its right are most; of two alike
    in the first.
    """
    best, places, begin = [-1] * words, [0] * words, 0
    for window in found:
        for place, word in enumerate(window.words):
            around = min(place, len(window.words) - 1 - place)
            if around > best[word]:
                best[word], places[word] = around, begin + place
        begin += len(window.words)
    return places


class BERTSpans(SpanNetwork):
    """A network, ``encoder``, and the linear layer of begin and end, ``output``.

    Args:
        network: a BERT; or a GPT or two one-way readers that read the same tokens.
        read: how words become them.
        stride: of the windows.
        dropout: before the linear layer.
        frozen: the network stays as it is; only the linear layer learns.
    """

    def __init__(
        self,
        network: Network,
        read: MarkedWords,
        stride: int = 48,
        dropout: float = 0.1,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = freeze(network) if frozen else network
        self.read, self.stride, self.frozen = read, stride, frozen
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(vector_width(network), 2)
        initialise(self.output)
        self.said: dict[Asked, Tensor] = {}

    def forward(self, asked: Sequence[Asked]) -> Tensor:
        """Return the scores (B, T, 2) of begin and end at each word, -inf behind a paragraph."""
        vectors = self._remembered(asked) if self.frozen else self.vectors(asked)
        scores = [self.output(self.dropout(rows)).float() for rows in vectors]
        return pad_sequence(scores, batch_first=True, padding_value=-torch.inf)

    def vectors(self, asked: Sequence[Asked]) -> list[Tensor]:
        """Return the vectors (T, D) of the words of each paragraph."""
        parts = [self.windows(one) for one in asked]
        sequences = [window.sequence for part in parts for window in part]
        batch = MarkedBatch.of(sequences, self.output.weight.device)
        read = at_spans(self.encoder, last_vectors(self.encoder, batch), batch)
        counts = [sum(len(window.words) for window in part) for part in parts]
        return [
            rows[chosen_places(part, len(one.paragraph))]
            for rows, part, one in zip(read.split(counts), parts, asked, strict=True)
        ]

    def windows(self, asked: Asked) -> list[Window]:
        """Return what is read for a question."""
        return windows(asked, self.read, self.encoder.config.context, self.stride)

    def lengths(self, asked: Sequence[Asked]) -> list[int]:
        """Return the tokens that are read for each question."""
        return [sum(len(w.sequence.tokens) for w in self.windows(one)) for one in asked]

    @torch.no_grad()
    def _remembered(self, asked: Sequence[Asked]) -> list[Tensor]:
        """Return the vectors of a frozen network, which reads each question once."""
        new = list(dict.fromkeys(one for one in asked if one not in self.said))
        if new:
            with torch.autocast(self.output.weight.device.type, enabled=False):
                self.said.update(zip(new, self.vectors(new), strict=True))
        return [self.said[one] for one in asked]
