"""What the units of a convnet like: patches of pictures, pictures made for them, classes.

Three ways of asking: the patches that move a unit most (Zeiler & Fergus 2014, figure 2), a picture
that moves it more than any (Erhan et al. 2009; Simonyan, Vedaldi & Zisserman 2014; Yosinski et al.
2015), and how well it tells a class on its own (Lee et al. 2009, section 4.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Patches:
    """For each of W units the P patches that move it most, best first.

    pixels: (W, P, C, s, s), with zeros where a patch leaves its picture, as the convolutions read
    them. pictures: (W, P), the pictures they come from. corners: (W, P, 2), row and column of their
    upper left pixel; negative outside. activations: (W, P), what the unit says; 0 if it is silent.
    """

    pixels: Tensor
    pictures: Tensor
    corners: Tensor
    activations: Tensor


def top_patches(maps: Tensor, images: Tensor, field: Sequence[int], count: int = 9) -> Patches:
    """Return what each unit saw where it was most active, at most one patch a picture.

    Args:
        maps: (N, W, h, w), the output of a layer for N pictures.
        images: (N, C, S, S), these pictures.
        field: the receptive field of the layer's units, in pixels: (size, stride, offset), so that
            unit i of a row sees ``size`` of them from stride * i + offset.
        count: P, at most N.

    Raises:
        ValueError: if there are not as many maps as pictures, or fewer than ``count``.
    """
    if not len(maps) == len(images) >= count:
        raise ValueError(
            f"{len(maps)} maps, {len(images)} pictures and {count} patches: there must be as many "
            "maps as pictures, and no more patches"
        )
    size, stride, offset = field
    strongest, places = maps.flatten(start_dim=2).max(dim=2)  # both (N, W)
    activations, pictures = strongest.sort(dim=0, descending=True, stable=True)
    activations, pictures = activations[:count].T, pictures[:count].T
    places = places.gather(0, pictures.T).T
    rows_columns = torch.stack([places // maps.shape[3], places % maps.shape[3]], dim=2)
    corners = stride * rows_columns + offset
    found = zip(pictures.flatten().tolist(), corners.flatten(end_dim=1).tolist(), strict=True)
    pixels = torch.stack([_cut(images[picture], corner, size) for picture, corner in found])
    return Patches(pixels.unflatten(0, pictures.shape), pictures, corners, activations)


def _cut(image: Tensor, corner: Sequence[int], size: int) -> Tensor:
    """Return the (C, size, size) pixels of a picture (C, S, S) from a corner on."""
    top, left = corner
    height, width = image.shape[1:]
    # Negative padding crops.
    return F.pad(image, (-left, left + size - width, -top, top + size - height))


@dataclass(frozen=True)
class Ascent:
    """How a picture climbs, by the operators of Yosinski et al. (2015), section 3.

    rate: how far the pixel that matters most moves in a step; decay: the share that every pixel
    loses in a step (the L2 penalty of Simonyan et al. 2014); blur: standard deviation, in pixels,
    of the Gaussian that smooths the picture every `blur_every` steps; shift: by how many pixels at
    most it is moved before each step, so that no single pixel matters; start: standard deviation of
    the noise that it begins as, which has spots of up to about `spots` pixels, as some units wake
    for large ones only; low, high: the darkest and the brightest pixel there can be.
    """

    rate: float = 0.2
    decay: float = 0.02
    blur: float = 0.5
    blur_every: int = 4
    shift: int = 1
    start: float = 0.3
    spots: float = 2.0
    low: float = 0.0
    high: float = 1.0


def maximise(
    activation: Callable[[Tensor], Tensor],
    shape: Sequence[int],
    steps: int = 200,
    seed: int = 0,
    ascent: Ascent | None = None,
) -> Tensor:
    """Return pictures that move units most, found by gradient ascent on the pixels.

    Args:
        activation: from pictures (B, C, S, S) on the CPU to the activations (B,) of B units:
            picture b climbs for unit b. For ``units`` (B,) at one place of a layer that is
            ``lambda images: model.features(images, layer)[torch.arange(B), units, row, column]``.
            The network must be in evaluation mode.
        shape: (B, C, S, S).
        steps: how often the pictures change.
        seed: of the noise that they begin as, and of the shifts.
        ascent: how they climb; None: as `Ascent` says.

    Returns:
        The pictures, float32 (B, C, S, S), on the CPU. That of a unit which no noise woke, so that
        it had no slope to climb, is dark: all ``ascent.low``.
    """
    settings = ascent or Ascent()
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(tuple(shape))
    awake = torch.zeros(len(images), dtype=torch.bool)
    for step in range(steps):
        images[~awake] = _noise(shape, settings, generator)[~awake]
        slope = _slope(activation, images, settings.shift, generator)
        largest = slope.abs().amax(dim=(1, 2, 3), keepdim=True)
        awake |= largest.flatten() > 0
        moved = (1 - settings.decay) * images + settings.rate * slope / largest.clamp_min(1e-12)
        if step % settings.blur_every == settings.blur_every - 1:
            moved = _blurred(moved, settings.blur)
        images = moved.clamp(settings.low, settings.high)
    images[~awake] = settings.low
    return images


def _noise(shape: Sequence[int], settings: Ascent, generator: torch.Generator) -> Tensor:
    """Return noise (B, C, S, S) of pixels or of spots, as wide as chance has it."""
    width = settings.spots * float(torch.rand((), generator=generator))
    noise = _blurred(torch.randn(tuple(shape), generator=generator), width)
    return (settings.start * noise / noise.std()).clamp(settings.low, settings.high)


def _slope(
    activation: Callable[[Tensor], Tensor], images: Tensor, shift: int, generator: torch.Generator
) -> Tensor:
    """Return the gradient (B, C, S, S) of the activations, seen a few pixels off at random."""
    offsets = torch.randint(-shift, shift + 1, (2,), generator=generator).tolist()
    images = images.detach().requires_grad_()
    (slope,) = torch.autograd.grad(activation(images.roll(offsets, dims=(2, 3))).sum(), images)
    return slope


def _blurred(images: Tensor, deviation: float) -> Tensor:
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(images.numpy(), sigma=(0, 0, deviation, deviation))
    return torch.from_numpy(blurred)


def average_precision(maps: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Return how well each unit alone tells each class: (W, K), from its share of pictures to 1.

    A unit's largest activation in a picture is taken as its score for the class; the measure is the
    area under its precision-recall curve (Lee et al. 2009, section 4.4), as average precision.

    Args:
        maps: (N, W, h, w), the output of a layer for N pictures.
        labels: (N,), numbers of classes.
        classes: K. Each must have a picture.

    Raises:
        ValueError: if lengths differ, or a class has no picture.
    """
    import numpy as np
    from sklearn.metrics import average_precision_score

    scores = maps.detach().flatten(start_dim=2).amax(dim=2).cpu().numpy()
    wanted = labels.cpu().numpy()[:, None] == np.arange(classes)
    if len(scores) != len(wanted) or not wanted.any(axis=0).all():
        raise ValueError(
            f"{len(scores)} maps, {len(wanted)} labels, {wanted.any(axis=0).sum()} of {classes} "
            "classes with pictures: give a label for each map, and pictures of each class"
        )
    return np.array([[average_precision_score(of, unit) for of in wanted.T] for unit in scores.T])
