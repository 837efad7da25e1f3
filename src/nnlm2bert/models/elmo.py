"""ELMo: deep contextualized word representations (Peters et al. 2018).

Characters make a vector of each word, two layers of LSTMs read the sentence from the left and two
from the right, and a task mixes what the layers say. Sequences come with their marks of begin and
end; input words are rows of a table of spellings, output words are numbered by falling frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nnlm2bert.models.sampled_softmax import sampled_cross_entropy
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities

PADDING = 0
FORGET_BIAS = 1.0
CARRY_BIAS = -2.0


@dataclass(frozen=True)
class ELMoConfig:
    """Sizes of the network; the paper's in brackets.

    vocabulary_size: |V|, words that can be predicted (793,471). alphabet: ids of characters (262).
    character_width: length of a character's vector (16). filters: pairs of how many characters a
    filter spans and how many filters there are, (7 pairs, 2,048 filters). highways: layers of them
    (2). width: length of a vector of one direction (512). states: cells of an LSTM, whose output is
    projected to the width (4,096); as many as the width: no projection. layers: L, of LSTMs (2).
    dropout: share of the inputs of a layer set to 0 in training (.1). samples: words drawn for the
    softmax (8,192); None: all of them.
    """

    vocabulary_size: int
    alphabet: int = 262
    character_width: int = 16
    filters: tuple[tuple[int, int], ...] = ((1, 32), (2, 32), (3, 64), (4, 128))
    highways: int = 2
    width: int = 128
    states: int = 512
    layers: int = 2
    dropout: float = 0.1
    samples: int | None = None

    def __post_init__(self) -> None:
        if self.states < self.width:
            raise ValueError(
                f"{self.states} states cannot be projected down to a width of {self.width}: "
                "take at least as many states"
            )


class Highway(nn.Module):
    """y = t * g(x) + (1 - t) * x: a gate t between the new and the old.

    Srivastava, Greff & Schmidhuber (2015), equation 3. The gate begins nearly shut, so that
    the layer begins close to the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.new = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, CARRY_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D) for (N, D)."""
        t = self.gate(x).sigmoid()
        return t * self.new(x).relu() + (1 - t) * x


class CharacterCNN(nn.Module):
    """A word's vector from its characters: filters, the maximum over places, highways, projection.

    Kim, Jernite, Sontag & Rush (2016), section 2.1-2.2; Jozefowicz et al. (2016), section 3.3.
    """

    def __init__(self, config: ELMoConfig) -> None:
        super().__init__()
        self.characters = nn.Embedding(config.alphabet, config.character_width, PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.character_width, count, span, padding=span - 1)
            for span, count in config.filters
        )
        filters = sum(count for _, count in config.filters)
        self.highways = nn.Sequential(*(Highway(filters) for _ in range(config.highways)))
        self.projection = nn.Linear(filters, config.width)

    def forward(self, spellings: Tensor) -> Tensor:
        """Return the vectors (W, P) of words spelled (W, C), with 0 after the end of each."""
        inside = (spellings != PADDING).unsqueeze(1)  # (W, 1, C)
        characters = self.characters(spellings).transpose(1, 2)  # (W, 16, C)
        found = [
            (convolution(characters)[:, :, -inside.shape[2] :].relu() * inside).amax(dim=2)
            for convolution in self.convolutions
        ]
        return self.projection(self.highways(torch.cat(found, dim=1)))


class ProjectedLSTM(nn.Module):
    """An LSTM that hands a projection of its cells' output to the next word and the next layer.

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000); projection: Sak,
    Senior & Beaufays (2014), section 2. `unrolled` says what is computed, word by word; `forward`
    computes the same faster.
    """

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        shorter = width if states > width else 0
        self.lstm = nn.LSTM(width, states, proj_size=shorter, batch_first=True)
        with torch.no_grad():
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_ih_l0.zero_()[states : 2 * states] = FORGET_BIAS

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Read a word x (B, P): from output h (B, P) and cells c (B, H) to the next ones."""
        from_word = x @ self.lstm.weight_ih_l0.T + self.lstm.bias_ih_l0
        from_state = h @ self.lstm.weight_hh_l0.T + self.lstm.bias_hh_l0
        i, f, g, o = (from_word + from_state).chunk(4, dim=1)  # (B, H) each
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h @ self.lstm.weight_hr_l0.T if self.lstm.proj_size else h), c

    def unrolled(self, x: Tensor) -> Tensor:
        """Return the outputs (B, T, P) for x (B, T, P), one step after the other."""
        h, c = torch.zeros_like(x[:, 0]), x.new_zeros(len(x), self.lstm.hidden_size)
        outputs = []
        for word in x.unbind(dim=1):
            h, c = self.step(word, h, c)
            outputs.append(h)
        return torch.stack(outputs, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs (B, T, P) for x (B, T, P)."""
        return self.lstm(x)[0]


class BiLSTMLayer(nn.Module):
    """One layer of the biLM: an LSTM from the left and one from the right that never meet.

    ``residual``: what came in is added to what goes out (section 3.4 of the paper, from the first
    layer to the second).
    """

    def __init__(self, config: ELMoConfig, residual: bool) -> None:
        super().__init__()
        self.left_to_right = ProjectedLSTM(config.width, config.states)
        self.right_to_left = ProjectedLSTM(config.width, config.states)
        self.dropout = nn.Dropout(config.dropout)
        self.residual = residual

    def forward(self, forward: Tensor, backward: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        """Return both directions' outputs (B, T, P) for both directions' inputs (B, T, P).

        ``order`` (B, T): the place of each word when its sequence is read backwards.
        """
        f = self.left_to_right(self.dropout(forward))
        b = reordered(self.right_to_left(reordered(self.dropout(backward), order)), order)
        return (f + forward, b + backward) if self.residual else (f, b)


class BiLM(nn.Module):
    """The bidirectional language model: two one-way models, one softmax (section 3.1)."""

    def __init__(self, config: ELMoConfig) -> None:
        super().__init__()
        self.config = config
        lstms = [BiLSTMLayer(config, residual=layer > 0) for layer in range(config.layers)]
        self.layers = nn.ModuleList([CharacterCNN(config), *lstms])
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, config.vocabulary_size)
        nn.init.normal_(self.output.weight, std=config.width**-0.5)
        nn.init.zeros_(self.output.bias)

    def forward(self, spellings: Tensor, words: Tensor, lengths: Tensor) -> list[Tensor]:
        """Return L + 1 vectors (B, T, 2P) a word: [x; x], then [forward; backward] of each layer.

        Args:
            spellings: (W, C), the characters of all input words.
            words: (B, T), rows of ``spellings``; lengths: (B,). Beyond a length all vectors are 0.
        """
        used, places = torch.unique(words, return_inverse=True)
        x = self.layers[0](spellings[used])[places]  # (B, T, P)
        steps = torch.arange(words.shape[1], device=words.device)
        inside = (steps < lengths.unsqueeze(1)).unsqueeze(2)  # (B, T, 1)
        backwards = lengths.unsqueeze(1) - 1 - steps
        order = torch.where(backwards >= 0, backwards, steps)
        both, vectors = (x, x), []
        for layer in self.layers[1:]:
            vectors.append(torch.cat(both, dim=2) * inside)
            both = layer(*both, order)
        return [*vectors, torch.cat(both, dim=2) * inside]

    def loss(
        self, spellings: Tensor, words: Tensor, lengths: Tensor, targets: Tensor
    ) -> tuple[Tensor, int]:
        """Return the mean of -log P in nats over both directions, and of how many words.

        Equation in section 3.1, with the log likelihoods of both directions averaged. ``targets``
        (B, T) are output words at the same places as ``words``, marks of begin and end included.
        """
        features, predicted, _ = self._predictions(spellings, words, lengths, targets)
        weight, bias = self.output.weight, self.output.bias
        if self.config.samples is None:
            return softmax_cross_entropy(features, weight, bias, predicted), len(predicted)
        draws = self.config.samples
        return sampled_cross_entropy(features, weight, bias, predicted, draws), len(predicted)

    @torch.no_grad()
    def costs(
        self, spellings: Tensor, words: Tensor, lengths: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return -log P of the word at each place, from its left (B, T) and from its right (B, T).

        In nats, by the full softmax. From the left nothing is said of the first place, from the
        right nothing of the last; there and beyond a length it is 0.
        """
        features, predicted, places = self._predictions(spellings, words, lengths, targets)
        weight, bias = self.output.weight, self.output.bias
        nats = features.new_zeros(2, *words.shape)
        nats[places] = -softmax_log_probabilities(features, weight, bias, predicted)
        return nats[0], nats[1]

    def _predictions(
        self, spellings: Tensor, words: Tensor, lengths: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return features (N, P), the words (N,) to predict from them, and where those stand.

        Places are (direction, sequence, position), N each.
        """
        top = self.dropout(self(spellings, words, lengths)[-1])
        inside = torch.arange(words.shape[1], device=words.device) < lengths.unsqueeze(1)
        pair = inside[:, 1:]  # (B, T - 1): both words of a neighbouring pair are there
        forward, backward = top.chunk(2, dim=2)
        features = torch.cat([forward[:, :-1][pair], backward[:, 1:][pair]])
        predicted = torch.cat([targets[:, 1:][pair], targets[:, :-1][pair]])
        rows, columns = pair.nonzero(as_tuple=True)
        direction = torch.arange(2, device=words.device).repeat_interleave(len(rows))
        places = (direction, rows.repeat(2), torch.cat([columns + 1, columns]))
        return features, predicted, places


class ScalarMix(nn.Module):
    """ELMo_k = gamma * sum_j s_j h_k,j with s = softmax(w): equation 1 of the paper.

    All layers weigh alike before training.
    """

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(count))
        self.gamma = nn.Parameter(torch.ones(()))

    @property
    def weights(self) -> Tensor:
        """s (count,): how much each layer weighs; they sum to 1."""
        return self.w.softmax(dim=0)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """Return the mixture (B, T, D) of the layers' vectors, each (B, T, D)."""
        mixed = sum(s * h for s, h in zip(self.weights, vectors, strict=True))
        return self.gamma * mixed


def reordered(vectors: Tensor, order: Tensor) -> Tensor:
    """Return the vectors (B, T, D) of each sequence in another order (B, T)."""
    return vectors.gather(1, order.unsqueeze(2).expand_as(vectors))
