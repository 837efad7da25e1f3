"""Blocks that stand in the place of attention, so that all else of a network stays as it is.

`BERT`, `GPT` and `TransformerBiLM` are built of what their configuration says: blocks of attention
(`TransformerConfig`), of LSTMs (`LSTMConfig`), or of bags (`BagConfig`). Embeddings, tied softmax,
objectives and heads are the same, and so is what a place may see. With LSTMs a `TransformerBiLM` is
the language model of ELMo on tokens (Peters et al. 2018), and a `BERT` is a masked LSTM; with one
bag a `BERT` is CBOW (Mikolov et al. 2013), which predicts a word from the mean of its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nnlm2bert.models.elmo import FORGET_BIAS, reordered
from nnlm2bert.models.transformer import INITIAL_SPREAD, Block, KeysAndValues, TransformerConfig
from nnlm2bert.models.transformer_bilm import reading_order


class LSTMBlock(nn.Module):
    """x + Dropout(W LSTM(LayerNorm(x))), as a layer of `sequence_readers.LSTMReader`.

    Not causal: an LSTM from the left and one from the right side by side (Graves & Schmidhuber
    2005), which W joins, so that the next block reads both. ``config.inner``: cells of each. The
    one from the right begins at each sequence's own end.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, cells = config.width, config.inner
        self.from_left = nn.LSTM(width, cells, batch_first=True)
        self.from_right = None if config.causal else nn.LSTM(width, cells, batch_first=True)
        self.output = nn.Linear(cells if config.causal else 2 * cells, width)
        self.norm = nn.LayerNorm(width, config.epsilon)
        self.dropout = nn.Dropout(config.dropout)
        self.pre = config.norm == "pre"
        for lstm in self.lstms:
            nn.init.zeros_(lstm.bias_hh_l0)
            nn.init.zeros_(lstm.bias_ih_l0)
            nn.init.constant_(lstm.bias_ih_l0[cells : 2 * cells], FORGET_BIAS)

    @property
    def lstms(self) -> list[nn.LSTM]:
        """The one from the left, and the one from the right if there is one."""
        return [lstm for lstm in (self.from_left, self.from_right) if lstm is not None]

    def forward(
        self, x: Tensor, inside: Tensor | None = None, past: KeysAndValues | None = None
    ) -> Tensor:
        """Return (B, T, D) for (B, T, D); ``inside`` (B, T): False at padding, on the right.

        Raises:
            ValueError: if there is a ``past``: an LSTM keeps no keys and values.
        """
        if past is not None:
            raise ValueError("blocks of LSTMs keep no keys and values: generate with cache=False")
        if self.pre:
            return x + self.dropout(self.read(self.norm(x), inside))
        return self.norm(x + self.dropout(self.read(x, inside)))

    def read(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """Return what the LSTMs know at each place, joined, (B, T, D)."""
        known = [self.from_left(x)[0]]  # (B, T, M)
        if self.from_right is not None:
            order = reading_order(x[..., 0], inside)
            known.append(reordered(self.from_right(reordered(x, order))[0], order))
        return self.output(torch.cat(known, dim=2))


class Bag(nn.Module):
    """What a place is told by others, all weighed alike: W_o (mean of W_v x_s over s != t) + b.

    ``window``: how far to either side they stand at most; None: anywhere. A causal one is told by
    those to its left alone.
    """

    def __init__(self, config: TransformerConfig, window: int | None) -> None:
        super().__init__()
        self.window, self.causal = window, config.causal
        self.values = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(
        self, x: Tensor, inside: Tensor | None = None, past: KeysAndValues | None = None
    ) -> Tensor:
        """Return (B, T, D) for (B, T, D); ``inside`` and ``past`` as in `LSTMBlock`."""
        if past is not None:
            raise ValueError("bags keep no keys and values: generate with cache=False")
        seen = self.seen(x.shape[1], inside, x.device).to(x.dtype)
        weights = seen / seen.sum(dim=2, keepdim=True).clamp(min=1)
        return self.output(weights @ self.values(x))

    def seen(self, length: int, inside: Tensor | None, device: torch.device) -> Tensor:
        """Return which places each is told by, (1, T, T) or (B, T, T)."""
        places = torch.arange(length, device=device)
        distance = places.unsqueeze(1) - places  # above 0: to the left
        seen = distance > 0 if self.causal else distance != 0
        if self.window is not None:
            seen = seen & (distance.abs() <= self.window)
        return seen.unsqueeze(0) if inside is None else seen & inside.unsqueeze(1)


class BagBlock(Block):
    """A block of `transformer` whose attention weighs all places alike: a `Bag`."""

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.attention = Bag(config, config.window)


@dataclass(frozen=True)
class LSTMConfig(TransformerConfig):
    """Sizes of a network of `LSTMBlock`; ``inner``: cells of an LSTM. ``heads`` mean nothing."""

    block: ClassVar[type[nn.Module]] = LSTMBlock


@dataclass(frozen=True)
class BagConfig(TransformerConfig):
    """Sizes of a network of `BagBlock`; ``window``: places to either side that a bag holds."""

    block: ClassVar[type[nn.Module]] = BagBlock
    window: int | None = None


KINDS: Mapping[str, type[TransformerConfig]] = {
    "attention": TransformerConfig,
    "lstm": LSTMConfig,
    "bag": BagConfig,
}
"""What a network is built of, by name."""


def of_kind(kind: str, config: TransformerConfig, **changes: Any) -> TransformerConfig:
    """Return the same sizes for a network that is built of other blocks, with some changes.

    Raises:
        ValueError: for a kind that is not among `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"a block is one of {', '.join(KINDS)}, not {kind!r}")
    sizes = {field.name: getattr(config, field.name) for field in fields(TransformerConfig)}
    return KINDS[kind](**{**sizes, **changes})


def rescale(network: nn.Module, spread: float) -> None:
    """Give the weights that `transformer.initialise` drew another standard deviation.

    The weights of LSTMs were not drawn by it, and stay as they are.
    """
    lstms = [part for part in network.modules() if isinstance(part, nn.LSTM)]
    others = {id(parameter) for lstm in lstms for parameter in lstm.parameters()}
    for parameter in network.parameters():
        if parameter.ndim > 1 and id(parameter) not in others:
            parameter.data.mul_(spread / INITIAL_SPREAD)


def parameters(network: nn.Module) -> int:
    """Return how many numbers training changes, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())


def of_size(
    build: Callable[[TransformerConfig], nn.Module], config: TransformerConfig, wanted: int
) -> TransformerConfig:
    """Return the sizes with that ``inner`` which brings a network nearest to so many parameters.

    ``build``: makes the network; it is called with no memory behind its weights.
    """

    def size(inner: int) -> int:
        with torch.device("meta"):
            return parameters(build(replace(config, inner=inner)))

    below, above = 1, 2
    while size(above) < wanted:
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if size(middle) < wanted else (below, middle)
    return replace(config, inner=min((below, above), key=lambda inner: abs(size(inner) - wanted)))
