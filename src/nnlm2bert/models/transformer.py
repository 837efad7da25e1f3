"""The Transformer (Vaswani et al. 2017): attention, positions, and blocks of them.

One stack serves the book from here on. A decoder that reads from the left (GPT) and an encoder
that reads both sides (BERT) are the same blocks; `TransformerConfig.causal` tells them apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INITIAL_SPREAD = 0.02
ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu-tanh": partial(F.gelu, approximate="tanh"),
}
POSITIONS, NORMS = ("learned", "sinusoidal", "none"), ("post", "pre")
LONGEST_PLAIN = 512
"""Up to so many places plain attention is faster on a CPU in bfloat16; of 128 three times so."""


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes and kind of the network; those of the base model of 2017, of GPT in brackets.

    vocabulary_size: V, tokens. context: longest sequence, T (512). width: D, length of a vector
    (512, 768). heads: H, each of D / H numbers (8, 12). layers: blocks (6, 12). inner: units of
    the feed-forward layer (2,048, 3,072). dropout: share set to 0 in training (.1). causal: whether
    a place sees only itself and what stands left of it. positions: "learned" as in GPT and BERT,
    "sinusoidal" as in 2017, or "none". activation: "relu" in 2017, "gelu-tanh" in GPT, "gelu" in
    BERT. norm: "post", after the sum, as in all three, or "pre", before each part. segments: kinds
    of sentence that have a vector of their own (BERT: 2). embedding_norm: normalise the sum of the
    embeddings (BERT). epsilon: added to the variance by the norms.
    """

    vocabulary_size: int
    context: int = 128
    width: int = 256
    heads: int = 4
    layers: int = 4
    inner: int = 1024
    dropout: float = 0.1
    causal: bool = True
    positions: str = "learned"
    activation: str = "gelu-tanh"
    norm: str = "post"
    segments: int = 0
    embedding_norm: bool = False
    epsilon: float = 1e-5
    block: ClassVar[type[nn.Module] | None] = None  # built of something else: `other_blocks`

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be shared by {self.heads} heads")
        choices = (("positions", POSITIONS), ("activation", ACTIVATIONS), ("norm", NORMS))
        for name, known in choices:
            given = getattr(self, name)
            if given not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not {given!r}")


@dataclass
class KeysAndValues:
    """What one layer of a causal network remembers of the places it has read: (B, H, S, d) each."""

    keys: Tensor | None = None
    values: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new places, and return all of them."""
        if self.keys is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]


def attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    allowed: Tensor | None = None,
    dropout: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V: equation 1 of the paper.

    Args:
        queries: (..., T, d), what each place looks for.
        keys: (..., S, d), what each place offers to be found by; values: (..., S, d), what it says.
        allowed: (..., T, S), which places may be seen; None: all of them.
        dropout: share of the weights that is set to 0 (in the published code, not in the paper).

    Returns:
        what each place read, (..., T, d), and the weights (..., T, S) it gave to what it saw.
    """
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-2, -1)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    weights = scores.softmax(dim=-1)
    weights = F.dropout(weights, dropout) if dropout else weights
    return weights @ values, weights


def fused_attention(
    queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None, dropout: float
) -> Tensor:
    """Return what `attention` reads, by torch's kernel, which never stores the weights."""
    return F.scaled_dot_product_attention(queries, keys, values, allowed, dropout)


def fused_is_faster(queries: Tensor, keys: Tensor) -> bool:
    """Whether torch's kernel beats the plain form: everywhere but on a CPU in short bfloat16."""
    short = keys.shape[-2] <= LONGEST_PLAIN
    return queries.device.type != "cpu" or queries.dtype == torch.float32 or not short


def sinusoids(length: int, width: int) -> Tensor:
    """Return the vectors (T, D) of positions of 2017 (section 3.5).

    PE(pos, 2i) = sin(pos / 10000^(2i / D)) and PE(pos, 2i + 1) = cos of the same.
    """
    rates = 10_000 ** (-torch.arange(0, width, 2) / width)  # (D / 2,)
    angles = torch.arange(length).unsqueeze(1) * rates  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own part of the vectors (section 3.2.2).

    `forward` takes the faster of `attention` and `fused_attention`; `maps` shows the weights.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = config.heads, config.causal, config.dropout
        self.queries_keys_values = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(
        self, x: Tensor, inside: Tensor | None = None, past: KeysAndValues | None = None
    ) -> Tensor:
        """Return what each place read (B, T, D) from x (B, T, D).

        Args:
            inside: (B, T), whether a place holds a token and not padding.
            past: keys and values of the places before x, to which those of x are added.
        """
        queries, keys, values = self.split(x)
        if past is not None:
            keys, values = past.extend(keys, values)
        allowed = self.allowed(x.shape[1], keys.shape[2], inside, x.device)
        dropout = self.dropout if self.training else 0.0
        if fused_is_faster(queries, keys):
            read = fused_attention(queries, keys, values, allowed, dropout)
        else:
            read, _ = attention(queries, keys, values, allowed, dropout)
        return self.output(read.transpose(1, 2).flatten(2))

    def maps(self, x: Tensor, inside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what `forward` does without dropout, (B, T, D), and the weights (B, H, T, T)."""
        allowed = self.allowed(x.shape[1], x.shape[1], inside, x.device)
        read, weights = attention(*self.split(x), allowed)
        return self.output(read.transpose(1, 2).flatten(2)), weights

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of x (B, T, D), (B, H, T, d) each."""
        parts = self.queries_keys_values(x).unflatten(2, (3, self.heads, -1))  # (B, T, 3, H, d)
        return parts.permute(2, 0, 3, 1, 4).unbind(0)

    def allowed(
        self, queries: int, keys: int, inside: Tensor | None, device: torch.device
    ) -> Tensor | None:
        """Return what the last places may see of all, (T, S) or (B, 1, 1, S); None: everything.

        Causal: what stands at or left of a place. Padding stands on the right, where a causal
        network never looks.
        """
        if not self.causal:
            return None if inside is None else inside[:, None, None, :]
        if queries == 1:
            return None
        return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


class FeedForward(nn.Module):
    """FFN(x) = activation(x W1 + b1) W2 + b2, at each place by itself: equation 2."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.inner)
        self.output = nn.Linear(config.inner, config.width)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, D) for (B, T, D)."""
        return self.output(self.activation(self.inner(x)))


class Block(nn.Module):
    """Places exchange what they know, then each thinks by itself; both are added to what was there.

    "post": x = LayerNorm(x + Part(x)), section 3.1 of the paper, GPT and BERT. "pre":
    x = x + Part(LayerNorm(x)), GPT-2.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config)
        self.attention_norm = nn.LayerNorm(config.width, config.epsilon)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.width, config.epsilon)
        self.dropout = nn.Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def forward(
        self, x: Tensor, inside: Tensor | None = None, past: KeysAndValues | None = None
    ) -> Tensor:
        """Return (B, T, D) for (B, T, D); ``inside`` and ``past`` as in `MultiHeadAttention`."""
        if self.pre:
            x = x + self.dropout(self.attention(self.attention_norm(x), inside, past))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, inside, past)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class Embedding(nn.Module):
    """A vector of the token, one of its position, and maybe one of its segment, added up."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary_size, config.width)
        self.scale = math.sqrt(config.width) if config.positions == "sinusoidal" else 1.0
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.empty(config.context, config.width))
        elif config.positions == "sinusoidal":
            waves = sinusoids(config.context, config.width)
            self.register_buffer("positions", waves, persistent=False)
        else:
            self.positions = None
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        self.norm = (
            nn.LayerNorm(config.width, config.epsilon) if config.embedding_norm else nn.Identity()
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, segments: Tensor | None = None, before: int = 0) -> Tensor:
        """Return (B, T, D) for tokens (B, T) of segments (B, T), after ``before`` other places."""
        x = self.tokens(tokens) * self.scale
        if self.positions is not None:
            x = x + self.positions[before : before + tokens.shape[1]]
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(tokens) if segments is None else segments)
        return self.dropout(self.norm(x))


class Transformer(nn.Module):
    """An embedding and blocks: tokens in, a vector for each place out.

    ``layers[0]`` is the embedding, ``layers[1:]`` are the blocks.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        blocks = [(config.block or Block)(config) for _ in range(config.layers)]
        self.layers = nn.ModuleList([Embedding(config), *blocks])
        self.norm = (
            nn.LayerNorm(config.width, config.epsilon) if config.norm == "pre" else nn.Identity()
        )
        self.apply(initialise)

    def forward(
        self,
        tokens: Tensor,
        inside: Tensor | None = None,
        segments: Tensor | None = None,
        past: list[KeysAndValues] | None = None,
    ) -> Tensor:
        """Return the vectors (B, T, D) of the last layer.

        Args:
            tokens: (B, T), padded on the right. inside: (B, T), False at padding.
            segments: (B, T), numbers of kinds of sentence.
            past: one entry a block, of the places that were read before; it grows by T.

        Raises:
            ValueError: if the places would be more than the context.
        """
        before = len(past[0]) if past else 0
        if before + tokens.shape[1] > self.config.context:
            raise ValueError(
                f"{before + tokens.shape[1]} tokens do not fit into a context of "
                f"{self.config.context}: cut the text, or build the network with a longer one"
            )
        x = self.layers[0](tokens, segments, before)
        for number, block in enumerate(self.layers[1:]):
            x = block(x, inside, past[number] if past else None)
        return self.norm(x)

    @torch.no_grad()
    def attention_maps(
        self, tokens: Tensor, inside: Tensor | None = None, segments: Tensor | None = None
    ) -> list[Tensor]:
        """Return the attention weights (B, H, T, T) of each block on tokens (B, T)."""
        x, maps = self.layers[0](tokens, segments), []
        for block in self.layers[1:]:
            given = block.attention_norm(x) if block.pre else x
            maps.append(block.attention.maps(given, inside)[1])
            x = block(x, inside)
        return maps


def initialise(module: nn.Module) -> None:
    """Draw weights from N(0, .02), as GPT and BERT do; biases are 0, norms start as they are."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_SPREAD)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Embedding) and isinstance(module.positions, nn.Parameter):
        nn.init.normal_(module.positions, std=INITIAL_SPREAD)
