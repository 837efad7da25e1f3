"""Three networks that read a sequence from the left, of one form: (B, T, D) in, (B, T, D) out.

Attention (Vaswani et al. 2017), recurrence (the LSTM of Hochreiter & Schmidhuber 1997, in layers
with residuals between them) and convolution (the gated one of Dauphin et al. 2017, section 2).
With equal width and as many layers, `equal_sizes` gives them equally many parameters, and
`NextWordModel` puts the same embedding and the same tied softmax around each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities
from nnlm2bert.models.transformer import (
    POSITIONS,
    Block,
    MultiHeadAttention,
    TransformerConfig,
    sinusoids,
)

KINDS = ("attention", "lstm", "convolution")
FORGET_BIAS = 1.0
"""At the start an LSTM keeps what it knows (Jozefowicz et al. 2015)."""


@dataclass(frozen=True)
class ReaderConfig:
    """Kind and sizes of a reader.

    kind: "attention", "lstm" or "convolution". width: D. layers: L. inner: units within a layer,
    of the feed-forward part (attention), of the cells (lstm), of the gates (convolution).
    dropout: share set to 0 in training. context: longest sequence that attention with learned
    positions reads. heads, positions ("learned", "sinusoidal", "none"), norm ("post", "pre"):
    attention's; ``divided``: whether its scores are divided by the root of d. kernel: places that
    a convolution sees, its own among them.
    """

    kind: str = "attention"
    width: int = 128
    layers: int = 2
    inner: int = 512
    dropout: float = 0.1
    context: int = 512
    heads: int = 4
    positions: str = "learned"
    norm: str = "post"
    divided: bool = True
    kernel: int = 7

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a reader is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.positions not in POSITIONS:
            raise ValueError(f"positions is one of {', '.join(POSITIONS)}, not {self.positions!r}")

    @property
    def field(self) -> int | None:
        """Places that the last layer sees, its own among them; None: all to its left."""
        return 1 + self.layers * (self.kernel - 1) if self.kind == "convolution" else None

    @property
    def sequential_steps(self) -> str:
        """How many steps of a layer must wait for each other on n words: "n" or "1"."""
        return "n" if self.kind == "lstm" else "1"

    @property
    def parameters(self) -> int:
        """Parameters of the reader, positions apart, which belong to the embedding."""
        d, m = self.width, self.inner
        layer = {
            "attention": 4 * d * d + 4 * d + 2 * d * m + m + d + 4 * d,
            "lstm": 4 * m * (d + m) + 8 * m + m * d + d + 2 * d,
            "convolution": 2 * m * d * self.kernel + 2 * m + m * d + d + 2 * d,
        }[self.kind]
        last_norm = 0 if self.kind == "attention" and self.norm == "post" else 2 * d
        return self.layers * layer + last_norm


def equal_sizes(attention: ReaderConfig, tolerance: float = 0.02) -> dict[str, ReaderConfig]:
    """Return a reader of each kind with as many parameters as a Transformer, by kind.

    Width and number of layers are the same; ``inner`` is the number of units that comes nearest.

    Raises:
        ValueError: if one differs by more than the share ``tolerance``.
    """
    found = {"attention": attention}
    for kind in KINDS[1:]:
        made = _nearest(kind, attention)
        if abs(made.parameters / attention.parameters - 1) > tolerance:
            raise ValueError(
                f"no {kind} of width {attention.width} has {attention.parameters:,} parameters, "
                f"the nearest {made.parameters:,}: choose a larger width"
            )
        found[kind] = made
    return found


def _nearest(kind: str, attention: ReaderConfig) -> ReaderConfig:
    """Return the reader of a kind whose number of parameters comes nearest."""
    most = attention.inner + 4 * attention.width
    made = (replace(attention, kind=kind, inner=units) for units in range(1, most))
    return min(made, key=lambda config: abs(config.parameters - attention.parameters))


class UndividedAttention(MultiHeadAttention):
    """Attention whose scores are not divided by the root of d (section 3.2.1 of the 2017 paper)."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries times the root of d, keys and values of x (B, T, D), (B, H, T, d) each."""
        queries, keys, values = super().split(x)
        return queries * math.sqrt(queries.shape[-1]), keys, values


class AttentionReader(nn.Module):
    """Blocks of a causal Transformer (2017); positions are added to what comes in.

    Layers begin as torch begins them, like those of the other readers: the .02 of GPT is made for
    vectors eight times as wide.
    """

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.config = config
        sizes = _transformer(config)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(config.layers))
        if not config.divided:
            for block in self.blocks:
                block.attention = UndividedAttention(sizes)
        pre = config.norm == "pre"
        self.norm = nn.LayerNorm(config.width) if pre else nn.Identity()
        self.scale = math.sqrt(config.width) if config.positions == "sinusoidal" else 1.0
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.empty(config.context, config.width))
            nn.init.normal_(self.positions, std=config.width**-0.5)
        elif config.positions == "sinusoidal":
            waves = sinusoids(config.context, config.width)
            self.register_buffer("positions", waves, persistent=False)
        else:
            self.positions = None

    def forward(self, x: Tensor) -> Tensor:
        """Return what each place knows (B, T, D) of the vectors x (B, T, D) up to it."""
        x = self.placed(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def placed(self, x: Tensor) -> Tensor:
        """Return x (B, T, D) with the vector of its position added to each place.

        Raises:
            ValueError: if there are more places than the context has.
        """
        if x.shape[1] > self.config.context:
            raise ValueError(
                f"{x.shape[1]} places do not fit into a context of {self.config.context}: cut the "
                "text, or build the network with a longer one"
            )
        x = x * self.scale
        return x if self.positions is None else x + self.positions[: x.shape[1]]

    @torch.no_grad()
    def attention_maps(self, x: Tensor) -> list[Tensor]:
        """Return the attention weights (B, H, T, T) of each block on vectors x (B, T, D)."""
        x, maps = self.placed(x), []
        for block in self.blocks:
            given = block.attention_norm(x) if block.pre else x
            maps.append(block.attention.maps(given)[1])
            x = block(x)
        return maps


def _transformer(config: ReaderConfig) -> TransformerConfig:
    return TransformerConfig(
        vocabulary_size=1,
        context=config.context,
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        inner=config.inner,
        dropout=config.dropout,
        positions=config.positions,
        norm=config.norm,
    )


class LSTMReader(nn.Module):
    """LSTMs on top of each other: x + Dropout(W LSTM(LayerNorm(x))) (Hochreiter 1997).

    The M cells of a layer are projected back to D numbers, so that layers can be added up.
    """

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        d, m = config.width, config.inner
        self.config = config
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(config.layers + 1))
        self.lstms = nn.ModuleList(nn.LSTM(d, m, batch_first=True) for _ in range(config.layers))
        self.outputs = nn.ModuleList(nn.Linear(m, d) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        for lstm in self.lstms:
            nn.init.zeros_(lstm.bias_hh_l0)
            nn.init.zeros_(lstm.bias_ih_l0)
            nn.init.constant_(lstm.bias_ih_l0[m : 2 * m], FORGET_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each place knows (B, T, D) of the vectors x (B, T, D) up to it."""
        *norms, last = self.norms
        for norm, lstm, output in zip(norms, self.lstms, self.outputs, strict=True):
            x = x + self.dropout(output(lstm(norm(x))[0]))
        return last(x)


class ConvolutionReader(nn.Module):
    """Gated convolutions: x + Dropout(W ((X * U + b) sigmoid(X * V + c))), X = LayerNorm(x).

    Equation 1 of Dauphin et al. (2017), with layer norm in the place of weight normalisation. A
    place sees itself and the k - 1 places before it; before the first place stand zeros.
    """

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        d, m, k = config.width, config.inner, config.kernel
        self.config = config
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(config.layers + 1))
        self.gates = nn.ModuleList(nn.Conv1d(d, 2 * m, k) for _ in range(config.layers))
        self.outputs = nn.ModuleList(nn.Linear(m, d) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each place knows (B, T, D) of the vectors x (B, T, D) in its field."""
        *norms, last = self.norms
        before = self.config.kernel - 1
        for norm, gate, output in zip(norms, self.gates, self.outputs, strict=True):
            columns = F.pad(norm(x).transpose(1, 2), (before, 0))  # (B, D, k - 1 + T)
            x = x + self.dropout(output(F.glu(gate(columns), dim=1).transpose(1, 2)))
        return last(x)


READERS = {
    "attention": AttentionReader,
    "lstm": LSTMReader,
    "convolution": ConvolutionReader,
}


def build_reader(config: ReaderConfig) -> nn.Module:
    """Return an untrained reader of a kind."""
    return READERS[config.kind](config)


class NextWordModel(nn.Module):
    """A language model around a reader: token vectors in, a softmax over the same vectors out.

    P(w_t | w_1 .. w_t-1) = softmax(h_t-1 E^T + b), E the table of token vectors used twice (Press &
    Wolf 2017).
    """

    def __init__(self, vocabulary_size: int, reader: ReaderConfig) -> None:
        super().__init__()
        self.config = reader
        self.tokens = nn.Embedding(vocabulary_size, reader.width)
        nn.init.normal_(self.tokens.weight, std=reader.width**-0.5)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = nn.Dropout(reader.dropout)
        self.reader = build_reader(reader)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vectors (B, T, D) of the last layer for tokens (B, T), padded on the right."""
        return self.reader(self.dropout(self.tokens(tokens)))

    def logits(self, vectors: Tensor) -> Tensor:
        """Return the scores (..., V) of all tokens for vectors (..., D)."""
        return F.linear(vectors, self.tokens.weight, self.bias)

    def loss(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, int]:
        """Return the mean of -log P(target | tokens up to its place) in nats, and of how many.

        ``targets`` (B, T): what follows each of ``tokens`` (B, T), or `IGNORED`.
        """
        wanted = targets != IGNORED
        features, predicted = self(tokens)[wanted], targets[wanted]
        features = F.dropout(features, self.config.dropout, self.training)
        weight = self.tokens.weight
        return softmax_cross_entropy(features, weight, self.bias, predicted), len(predicted)

    @torch.no_grad()
    def costs(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return -log P of each target (B, T) in nats, 0 where it is `IGNORED`."""
        wanted = targets != IGNORED
        features, predicted = self(tokens)[wanted], targets[wanted]
        nats = features.new_zeros(targets.shape, dtype=torch.float32)
        weight = self.tokens.weight
        nats[wanted] = -softmax_log_probabilities(features, weight, self.bias, predicted)
        return nats

    def attention_maps(self, tokens: Tensor) -> list[Tensor]:
        """Return the attention weights (B, H, T, T) of each block on tokens (B, T).

        Raises:
            ValueError: if the reader is none of attention.
        """
        if self.config.kind != "attention":
            raise ValueError(f"a reader of kind {self.config.kind!r} has no attention to show")
        return self.reader.attention_maps(self.tokens(tokens))
