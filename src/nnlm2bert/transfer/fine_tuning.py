"""A pre-trained GPT, and one new linear layer, learn a task.

Radford et al. (2018), sections 3.2, 3.3 and 4.1. The input is brought into the form of
`input_transformations`; the new layer W_y reads the last block's vector at ``<e>`` (equation 3);
the loss is that of the task and, weighted by lambda, that of predicting the next token of its
inputs (equations 4 and 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.softmax import softmax_cross_entropy
from nnlm2bert.models.transformer import INITIAL_SPREAD, initialise
from nnlm2bert.tokenizers.fast_bpe import PADDING_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training import (
    TrainingResult,
    derived_seed,
    seed_everything,
)
from nnlm2bert.transfer.heads import loss
from nnlm2bert.transfer.input_transformations import TRANSFORMATIONS, TokenSequence
from nnlm2bert.transfer.layers import copy_layers, freeze
from nnlm2bert.transfer.tasks import Example, Task
from nnlm2bert.transfer.training_recipe import (
    Measure,
    predict,
    spread,
    train_to_best,
)

AT_ONCE = 64
"""Examples that a frozen network reads together."""


@dataclass(frozen=True)
class FineTuning:
    """How GPT learns a task.

    steps: updates; learning_rate: of the new layer; encoder_rate: what it is multiplied by for the
    network below; warmup: share of the steps in which the rate rises, before it falls to 0 along a
    line; auxiliary: lambda, the weight of the language model's loss (.5 in the paper); dropout: in
    the network and before the new layer; spread: standard deviation of weights of the network that
    begin at random; evaluations: how often the validation part is measured on
    the way, on at most `validation` of its examples, evenly spread; precision: of training, as in
    `TrainingConfig`.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    encoder_rate: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    auxiliary: float = 0.5
    dropout: float = 0.1
    spread: float = INITIAL_SPREAD
    evaluations: int = 8
    validation: int = 500
    precision: str = "auto"


def transferred(
    source: GPT,
    layers: int | None = None,
    dropout: float = 0.1,
    spread: float = INITIAL_SPREAD,
) -> GPT:
    """Return a new GPT of the same sizes whose lowest layers are copies.

    Args:
        source: the trained network; it stays as it is.
        layers: how many are copied, as `copy_layers` counts: 0, none, so that the network is from
            scratch; 1, the embedding of tokens and positions; 1 + k, the first k blocks, too; None,
            all of them. The others begin at random. The bias of the tied softmax, which only the
            language model's loss knows, goes with the embedding.
        dropout: that of the new network.
        spread: standard deviation of the weights that begin at random; GPT's is .02.
    """
    gpt = GPT(replace(source.config, dropout=dropout))
    for parameter in gpt.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(spread / INITIAL_SPREAD)
    count = len(source.layers) if layers is None else layers
    copy_layers(source, gpt, count)
    if count:
        gpt.bias.data.copy_(source.bias.data)
    if count == len(source.layers):
        gpt.norm.load_state_dict(source.norm.state_dict())
    return gpt


class GPTReader(nn.Module):
    """A GPT, ``encoder``, and the linear layer that says what a task asks, ``output``.

    Args:
        gpt: the network; if ``frozen`` it stays as it is, reads each example once, and what it said
            is remembered.
        tokens: how words are cut.
        task: what is asked; only its kind and labels are looked at.
        dropout: before the linear layer.
    """

    def __init__(
        self,
        gpt: GPT,
        tokens: SubwordEncoder,
        task: Task,
        dropout: float = 0.1,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = freeze(gpt) if frozen else gpt
        self.tokens, self.kind, self.frozen = tokens, task.kind, frozen
        self.dropout = nn.Dropout(dropout)
        outputs = 1 if task.kind in ("score", "choice") else len(task.labels)
        self.output = nn.Linear(gpt.config.width, outputs)
        initialise(self.output)
        self.said: dict[Example, Tensor] = {}

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return logits (B, C), of tags (B, T, C), of answers (B, A), or scores (B, 1)."""
        if self.frozen:
            return self._answers(self._remembered(examples), examples)
        sequences = self.sequences(examples)
        return self._answers(self._read(sequences)[0], examples)

    def with_language(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, and the mean nats a token of predicting the inputs, ()."""
        vectors, language = self._read(self.sequences(examples), language=True)
        return self._answers(vectors, examples), language

    def sequences(self, examples: Sequence[Example]) -> list[TokenSequence]:
        """Return what is read of the examples, in their order: one sequence each, or several."""
        transform, context = TRANSFORMATIONS[self.kind], self.encoder.config.context
        return [s for example in examples for s in transform(example, self.tokens, context)]

    def lengths(self, examples: Sequence[Example]) -> list[int]:
        """Return the tokens of the longest sequence of each example."""
        return [max(len(s.tokens) for s in self.sequences([example])) for example in examples]

    def _read(
        self, sequences: Sequence[TokenSequence], language: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the vectors (P, D) at all places, and the language model's loss if asked for."""
        tokens, inside = padded(sequences, self.output.weight.device)
        vectors = self.encoder(tokens)  # (R, T, D)
        counts = torch.tensor([len(s.places) for s in sequences])
        rows = torch.arange(len(sequences)).repeat_interleave(counts)
        columns = torch.tensor([place for s in sequences for place in s.places])
        read = vectors[rows.to(tokens.device), columns.to(tokens.device)]
        return read, self._language(vectors, tokens, inside) if language else None

    def _language(self, vectors: Tensor, tokens: Tensor, inside: Tensor) -> Tensor:
        """Return the mean of -log P of each token after the first, ()."""
        follows = inside[:, 1:]
        weight = self.encoder.layers[0].tokens.weight
        return softmax_cross_entropy(
            vectors[:, :-1][follows], weight, self.encoder.bias, tokens[:, 1:][follows]
        )

    @torch.no_grad()
    def _remembered(self, examples: Sequence[Example]) -> Tensor:
        """Return the vectors (P, D) of a frozen network, each example read once, in float32."""
        new = list(dict.fromkeys(example for example in examples if example not in self.said))
        new.sort(key=lambda example: len(example.words))
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            with torch.autocast(self.output.weight.device.type, enabled=False):
                vectors, _ = self._read(self.sequences(part))
            counts = [sum(len(s.places) for s in self.sequences([example])) for example in part]
            self.said.update(zip(part, vectors.split(counts), strict=True))
        return torch.cat([self.said[example] for example in examples])

    def _answers(self, vectors: Tensor, examples: Sequence[Example]) -> Tensor:
        """Return what `forward` does from the vectors (P, D) of all places in order."""
        if self.kind == "score":
            vectors = vectors.unflatten(0, (-1, 2)).sum(dim=1)  # (B, D)
        scores = self.output(self.dropout(vectors)).float()
        if self.kind == "choice":
            return scores.view(len(examples), -1)
        if self.kind != "tags":
            return scores
        rows = scores.split([len(example.sentences[0]) for example in examples])
        return pad_sequence(rows, batch_first=True)


def padded(
    sequences: Sequence[TokenSequence], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return tokens (R, T), padded on the right, and where they are no padding (R, T)."""
    rows = [torch.tensor(sequence.tokens) for sequence in sequences]
    tokens = pad_sequence(rows, batch_first=True, padding_value=PADDING_ID).to(device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return tokens, torch.arange(tokens.shape[1], device=device) < lengths.unsqueeze(1)


def fine_tune(
    task: Task,
    make_reader: Callable[[], GPTReader],
    labelled: Sequence[Example],
    recipe: FineTuning,
    measure: Measure,
    seed: int,
    device: str = "cpu",
) -> tuple[GPTReader, TrainingResult]:
    """Return the network that learned from the labelled examples, and how it went.

    As `learn` does for heads on word vectors: ``make_reader`` builds the network after the seed is
    set, and the weights are those that ``measure`` found best on the validation part.
    """
    seed_everything(derived_seed("head", seed) % 2**32)
    reader = make_reader()
    validation = spread(task.splits["validation"], recipe.validation)

    def batch_loss(network: GPTReader, batch: Tensor) -> tuple[Tensor, int]:
        examples = [labelled[number] for number in batch.tolist()]
        if not recipe.auxiliary or network.frozen:
            return loss(task, network(examples), examples)
        outputs, language = network.with_language(examples)
        mean, terms = loss(task, outputs, examples)
        return mean + recipe.auxiliary * language, terms

    def score(network: GPTReader) -> float:
        return measure(predict(network, task, validation), validation)

    lengths = reader.lengths(labelled)
    return reader, train_to_best(reader, batch_loss, lengths, recipe, score, seed, device)
