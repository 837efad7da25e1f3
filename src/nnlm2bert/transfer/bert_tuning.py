"""A pre-trained BERT, and one new linear layer, learn a task; and what BERT is held against.

Devlin et al. (2018), section 4 and appendix B: the vector of the whole is BERT's "pooled" one, that
of a word the last layer's at its first token; for a word in each of two sentences those of both
stand beside that of the whole, as by Wang et al. (2019), "SuperGLUE", section 4.
`fine_tuning.fine_tune` trains either network; there is no auxiliary loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.bert import BERT
from nnlm2bert.models.other_blocks import rescale
from nnlm2bert.models.transformer import INITIAL_SPREAD, initialise
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer.bert_inputs import (
    MarkedBatch,
    MarkedSequence,
    Network,
    at_spans,
    last_vectors,
    sequences_of,
    vector_width,
)
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.tasks import Example, Task

WHOLE_AND_WORDS = 3
"""Places where two sentences with a word in question in each are read."""


def renewed(
    source: Network, scratch: bool = False, dropout: float = 0.1, spread: float = INITIAL_SPREAD
) -> Network:
    """Return a new network of the same kind and sizes: a copy, or one that begins at random.

    Args:
        source: the trained network; it stays as it is.
        scratch: nothing is copied.
        dropout: that of the new network.
        spread: standard deviation of weights that begin at random.
    """
    network = type(source)(replace(source.config, dropout=dropout))
    if not scratch:
        network.load_state_dict(source.state_dict())
        return network
    rescale(network, spread)
    return network


class BERTReader(nn.Module):
    """A network, ``encoder``, and the linear layer that says what a task asks, ``output``.

    Args:
        network: a BERT; or a GPT or two one-way readers that were trained on its pieces of words,
            which are read where `bert_inputs.at_spans` tells, without a pooler.
        tokens: how words become its tokens.
        task: what is asked; only its kind and labels are looked at.
        dropout: before the linear layer.
    """

    frozen = False

    def __init__(
        self,
        network: Network,
        tokens: SubwordEncoder | MarkedWords,
        task: Task,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder, self.tokens, self.kind = network, MarkedWords.of(tokens), task.kind
        self.dropout = nn.Dropout(dropout)
        outputs = 1 if task.kind in ("score", "choice") else len(task.labels)
        places = WHOLE_AND_WORDS if task.kind == "word-pair" else 1
        self.output = nn.Linear(places * vector_width(network), outputs)
        initialise(self.output)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return logits (B, C), of tags (B, T, C), of answers (B, A), or scores (B, 1)."""
        found = [sequence for example in examples for sequence in self.sequences(example)]
        batch = MarkedBatch.of(found, self.output.weight.device)
        scores = self.output(self.dropout(self._read(batch))).float()
        if self.kind == "choice":
            return scores.view(len(examples), -1)
        if self.kind != "tags":
            return scores
        rows = scores.split([len(example.sentences[0]) for example in examples])
        return pad_sequence(rows, batch_first=True)

    def sequences(self, example: Example) -> list[MarkedSequence]:
        """Return what is read of an example: one sequence, or several."""
        return sequences_of(example, self.kind, self.tokens, self.encoder.config.context)

    def lengths(self, examples: Sequence[Example]) -> list[int]:
        """Return the tokens of the longest sequence of each example."""
        return [max(len(s.tokens) for s in self.sequences(example)) for example in examples]

    def _read(self, batch: MarkedBatch) -> Tensor:
        """Return the vectors (P, D) of all spans, of a "word-pair" side by side (R, 3 D)."""
        vectors = last_vectors(self.encoder, batch)
        if isinstance(self.encoder, BERT) and self.kind not in ("tags", "word", "word-pair"):
            return self.encoder.pooled(vectors)
        read = at_spans(self.encoder, vectors, batch)
        return read.view(len(batch.tokens), -1) if self.kind == "word-pair" else read
