"""A small convolutional network, plain as those before 2015, with layers that go by number.

What Krizhevsky, Sutskever & Hinton (2012) made famous at large: convolutions, rectified linear
units, pooling, dropout below the softmax. Zeiler & Fergus (2014) looked at what its layers see;
Yosinski, Clune, Bengio & Lipson (2014) moved them from one network to another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ConvNetConfig:
    """Sizes of the network.

    classes: K; channels: C, 1 for grey pictures and 3 for colours; size: S, height and width of a
    picture in pixels; widths: units (output channels) of each layer, from the bottom; pools: which
    layers halve height and width; dropout: share of the softmax's inputs that is set to 0 in
    training (Krizhevsky et al. 2012, section 4.2).
    """

    classes: int
    channels: int = 1
    size: int = 32
    widths: tuple[int, ...] = (16, 32, 48, 64, 64)
    pools: tuple[bool, ...] = (True, True, True, False, False)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.pools):
            raise ValueError(f"{len(self.widths)} widths, {len(self.pools)} pools: one a layer")
        if self.size % 2 ** sum(self.pools):
            raise ValueError(
                f"size {self.size} cannot be halved {sum(self.pools)} times: pad the pictures to a "
                f"multiple of {2 ** sum(self.pools)} pixels, or pool less often"
            )

    @property
    def features(self) -> int:
        """Numbers in the output of the last layer, which the softmax reads."""
        return self.widths[-1] * (self.size // 2 ** sum(self.pools)) ** 2


class ReceptiveField(NamedTuple):
    """The pixels that a unit sees: unit i of a row sees ``size`` of them from stride * i + offset.

    They may lie outside the picture, where the convolutions read zeros.
    """

    size: int
    stride: int
    offset: int

    @classmethod
    def above(cls, pools: Iterable[bool]) -> ReceptiveField:
        """Return what a unit of the last of some layers sees; each, from below, pools or not."""
        size, stride, offset = 1, 1, 0
        for pool in pools:
            size, offset = size + 2 * stride, offset - stride  # 3 x 3: a step to each side
            if pool:
                size, stride = size + stride, 2 * stride
        return cls(size, stride, offset)


class ConvLayer(nn.Module):
    """3 x 3 convolution, rectified linear units, and 2 x 2 max-pooling where wanted.

    Small filters: Simonyan & Zisserman (2015), section 2.1; initial weights: He, Zhang, Ren & Sun
    (2015), equation 10.
    """

    def __init__(self, channels: int, width: int, pool: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, kernel_size=3, padding=1)
        self.pool = pool
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        nn.init.zeros_(self.convolution.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B, C, h, w) into (B, W, h, w), or half as high and wide if it pools."""
        maps = F.relu(self.convolution(maps))
        return F.max_pool2d(maps, kernel_size=2) if self.pool else maps


class ConvNet(nn.Module):
    """Convolutional layers, one on the other, and a softmax on top (Krizhevsky et al. 2012).

    Layer n (Yosinski et al. 2014 count from 1, at the bottom) is ``layers[n - 1]``.
    """

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        self.config = config
        inputs = (config.channels, *config.widths[:-1])
        sizes = zip(inputs, config.widths, config.pools, strict=True)
        self.layers = nn.ModuleList([ConvLayer(*size) for size in sizes])
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.features, config.classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)  # the same numbers, read faster

    def features(self, images: Tensor, layer: int | None = None, after: int = 0) -> Tensor:
        """Return what layer n, by default the last, makes of images (B, C, S, S): (B, W, h, h).

        With ``after``, a lower layer, the input is what that layer made of them.
        """
        layer = len(self.layers) if layer is None else layer
        if not 0 <= after <= layer <= len(self.layers):
            raise ValueError(f"no layer {layer} after {after}: there are 0 to {len(self.layers)}")
        maps = images.contiguous(memory_format=torch.channels_last)
        for convolve in self.layers[after:layer]:
            maps = convolve(maps)
        return maps

    def forward(self, images: Tensor, after: int = 0) -> Tensor:
        """Return the logits (B, K) of images (B, C, S, S), or of what layer ``after`` made."""
        maps = self.features(images, after=after)
        return self.head(self.dropout(maps.flatten(start_dim=1)))

    def receptive_field(self, layer: int) -> ReceptiveField:
        """Return what a unit of layer n sees; of layer 0, the picture, one pixel."""
        return ReceptiveField.above(self.config.pools[:layer])
