"""What reads the vectors: one classifier, one tagger and one reader of pairs for every stage.

All take an encoder, any `WordEncoder`, and never look at what stands after a sentence's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.transfer.first_layer import WordEncoder
from nnlm2bert.transfer.tasks import Example, Task

IGNORED = -100


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of the heads, the same for all stages.

    filters: feature maps of each width of the convolution; widths: words they span; states: of
    the tagger in each direction; capitals: length of the vector of a word's capitals; hidden:
    units between a pair and its label; dropout: share of the inputs of a softmax set to 0 in
    training (Kim 2014, section 2.1); tagger_dropout: the same for what the tagger reads and says.
    """

    filters: int = 50
    widths: tuple[int, ...] = (3, 4, 5)
    states: int = 50
    capitals: int = 5
    hidden: int = 100
    dropout: float = 0.5
    tagger_dropout: float = 0.3


class SentenceCNN(nn.Module):
    """Convolution over words and the maximum over time: a vector a sentence (Kim 2014, section 2).

    Every window that touches the sentence counts, as if zeros stood around it.
    """

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, config.filters, words, padding=words - 1) for words in config.widths
        )
        self.width = config.filters * len(config.widths)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, F) for the vectors (B, T, D) of sentences of `lengths` (B,) words."""
        inside = _inside(lengths, vectors.shape[1])
        columns = (vectors * inside.unsqueeze(2)).transpose(1, 2)  # (B, D, T)
        return torch.cat([self._highest(c, columns, lengths) for c in self.convolutions], dim=1)

    @staticmethod
    def _highest(convolution: nn.Conv1d, columns: Tensor, lengths: Tensor) -> Tensor:
        maps = convolution(columns).relu()  # (B, F, T + words - 1)
        touched = _inside(lengths + convolution.kernel_size[0] - 1, maps.shape[2])
        return (maps * touched.unsqueeze(1)).amax(dim=2)  # maps are never below 0


class BothDirections(nn.Module):
    """An LSTM from the left and one from the right, side by side (Graves & Schmidhuber 2005)."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.left = nn.LSTM(width, states, batch_first=True)
        self.right = nn.LSTM(width, states, batch_first=True)
        self.width = 2 * states

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the states (B, T, 2 S) at each of the words (B, T, D)."""
        order = _reversal(lengths, vectors.shape[1])
        from_right = _reorder(self.right(_reorder(vectors, order))[0], order)
        return torch.cat([self.left(vectors)[0], from_right], dim=2)


class SentenceClassifier(nn.Module):
    """CNN and softmax: the network of Kim (2014) on the vectors of `encoder`."""

    def __init__(self, encoder: WordEncoder, classes: int, config: HeadConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.reader = SentenceCNN(encoder.width, config)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(self.reader.width, classes)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the logits (B, C)."""
        sentences = [example.sentences[0] for example in examples]
        read = self.reader(self.encoder(sentences), _lengths(sentences, self.output))
        return self.output(self.dropout(read))


class Tagger(nn.Module):
    """LSTMs in both directions over the vectors and the capitals, and a softmax for each word.

    Capitals as one more look-up, as in Collobert et al. (2011). The vectors of an
    ``output_encoder``, if there is one, stand beside the states: [h_k; ELMo_k] of Peters et al.
    (2018), section 3.3.
    """

    def __init__(
        self,
        encoder: WordEncoder,
        classes: int,
        config: HeadConfig,
        output_encoder: WordEncoder | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.output_encoder = output_encoder
        self.capitals = nn.Embedding(4, config.capitals)
        self.reader = BothDirections(encoder.width + config.capitals, config.states)
        self.dropout = nn.Dropout(config.tagger_dropout)
        beside = 0 if output_encoder is None else output_encoder.width
        self.output = nn.Linear(self.reader.width + beside, classes)

    def read(self, examples: Sequence[Example]) -> Tensor:
        """Return the state (B, T, 2 S) at each word, or (B, T, 2 S + D) with an output encoder."""
        sentences = [example.sentences[0] for example in examples]
        kinds = pad_sequence([capitals(sentence) for sentence in sentences], batch_first=True)
        kinds = kinds.to(self.output.weight.device)
        vectors = torch.cat([self.encoder(sentences), self.capitals(kinds)], dim=2)
        states = self.reader(self.dropout(vectors), _lengths(sentences, self.output))
        if self.output_encoder is None:
            return states
        return torch.cat([states, self.output_encoder(sentences)], dim=2)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the logits (B, T, C) of each word's tag."""
        return self.output(self.dropout(self.read(examples)))


class WordClassifier(Tagger):
    """The tagger asked about one word of each sentence."""

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the logits (B, C) of the word at each example's position."""
        states = self.read(examples)
        positions = torch.tensor([example.position for example in examples], device=states.device)
        chosen = states[torch.arange(len(examples), device=states.device), positions]
        return self.output(self.dropout(chosen))


class WordPairReader(Tagger):
    """The tagger asked about a word in each of two sentences: whether both mean the same, say.

    Its states u and v there are joined as `PairReader` joins those of sentences.
    """

    def __init__(
        self,
        encoder: WordEncoder,
        classes: int,
        config: HeadConfig,
        output_encoder: WordEncoder | None = None,
    ) -> None:
        super().__init__(encoder, classes, config, output_encoder)
        self.hidden = nn.Linear(4 * self.output.in_features, config.hidden)
        self.output = nn.Linear(config.hidden, classes)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the logits (B, C) of the words at each example's two positions."""
        sides = [example.side(number) for number in (0, 1) for example in examples]
        states = self.read(sides)
        positions = torch.tensor([side.position for side in sides], device=states.device)
        u, v = states[torch.arange(len(sides), device=states.device), positions].chunk(2)
        joined = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        return self.output(self.dropout(self.hidden(self.dropout(joined)).relu()))


class PairReader(nn.Module):
    """Two sentences through the same CNN to u and v; [u, v, |u - v|, u * v] to classes or a score.

    Conneau et al. (2017), figure 1, with Kim's sentence vector.
    """

    def __init__(self, encoder: WordEncoder, outputs: int, config: HeadConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.reader = SentenceCNN(encoder.width, config)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(4 * self.reader.width, config.hidden)
        self.output = nn.Linear(config.hidden, outputs)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the logits (B, C), or scores (B, 1)."""
        sentences = [example.sentences[side] for side in (0, 1) for example in examples]
        read = self.reader(self.encoder(sentences), _lengths(sentences, self.output))
        u, v = read.chunk(2)  # (B, F) each
        joined = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        return self.output(self.dropout(self.hidden(self.dropout(joined)).relu()))


HEADS: dict[str, type[nn.Module]] = {
    "sentence": SentenceClassifier,
    "tags": Tagger,
    "word": WordClassifier,
    "word-pair": WordPairReader,
    "pair": PairReader,
    "score": PairReader,
}


def build_model(
    task: Task,
    encoder: WordEncoder,
    config: HeadConfig | None = None,
    output_encoder: WordEncoder | None = None,
) -> nn.Module:
    """Return the untrained network of a task: the encoder below, the task's kind of head above.

    ``output_encoder``: vectors that stand beside the states of the words, before the softmax.
    Raises ValueError for one where the head has no states of words, but of sentences alone.
    """
    head, settings = HEADS[task.kind], config or HeadConfig()
    outputs = max(1, len(task.labels))
    if output_encoder is None:
        return head(encoder, outputs, settings)
    if not issubclass(head, Tagger):
        raise ValueError(
            f"the head of {task.name!r} has no state of each word that vectors could stand "
            "beside: an output encoder goes with tasks of tags or of a word"
        )
    return head(encoder, outputs, settings, output_encoder)


def loss(task: Task, outputs: Tensor, examples: Sequence[Example]) -> tuple[Tensor, int]:
    """Return the mean loss of a batch, and of how many words or examples it is the mean.

    Cross-entropy in nats; for scores the mean squared error.
    """
    labels = [example.label for example in examples]
    if task.kind == "score":
        gold = torch.tensor(labels, dtype=outputs.dtype, device=outputs.device)
        return F.mse_loss(outputs.squeeze(1), gold), len(examples)
    if task.kind != "tags":
        return F.cross_entropy(outputs, torch.tensor(labels, device=outputs.device)), len(examples)
    rows = [torch.tensor(tags) for tags in labels]
    gold = pad_sequence(rows, batch_first=True, padding_value=IGNORED).to(outputs.device)
    mean = F.cross_entropy(outputs.transpose(1, 2), gold, ignore_index=IGNORED)
    return mean, sum(map(len, labels))


def capitals(sentence: Sequence[str]) -> Tensor:
    """Return (T,): 0 no capital, 1 the first letter alone, 2 all letters, 3 some other one."""
    return torch.tensor([_capitals(word) for word in sentence])


def _capitals(word: str) -> int:
    if word == word.lower():
        return 0
    if word == word.upper() and len(word) > 1:
        return 2
    return 1 if word[1:] == word[1:].lower() else 3


def _lengths(sentences: Sequence[Sequence[str]], beside: nn.Linear) -> Tensor:
    return torch.tensor([len(sentence) for sentence in sentences], device=beside.weight.device)


def _inside(lengths: Tensor, longest: int) -> Tensor:
    """Return (B, T): whether a position lies within its sentence."""
    return torch.arange(longest, device=lengths.device) < lengths.unsqueeze(1)


def _reversal(lengths: Tensor, longest: int) -> Tensor:
    """Return (B, T): the place each word has when its sentence is read backwards."""
    places = torch.arange(longest, device=lengths.device).expand(len(lengths), -1)
    backwards = lengths.unsqueeze(1) - 1 - places
    return torch.where(backwards >= 0, backwards, places)


def _reorder(vectors: Tensor, order: Tensor) -> Tensor:
    return vectors.gather(1, order.unsqueeze(2).expand(-1, -1, vectors.shape[2]))
