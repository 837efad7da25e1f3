"""Pocket pictures: 32x32 line drawings, with the truth about strokes, parts and objects known.

Every drawing of an object differs: its parts are shifted, stretched and turned a little, each for
itself; the whole is turned, sheared, scaled, shifted and sometimes mirrored; the pen is thin or
thick, stray strokes lie about, and every pixel is noisy. What is drawn is known exactly, so each of
the 64 cells of 4x4 pixels has gold labels for the stroke and for the part that is seen there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from nnlm2bert.synthetic.drawing_ink import (
    CELL,
    CELLS,
    SIZE,
    Pieces,
    part_labels,
    pieces_between,
    rasterise,
    render,
    stroke_labels,
    subdivide,
)
from nnlm2bert.synthetic.drawing_parts import (
    FAMILIES,
    OBJECTS,
    PARTS,
    PARTS_OF,
    SHAPES,
    Placement,
)

__all__ = [
    "CELL",
    "CELLS",
    "FAMILIES",
    "ORIENTATIONS",
    "PARTS",
    "PARTS_OF",
    "SIZE",
    "Drawing",
    "DrawnPart",
    "Pictures",
    "Style",
    "draw",
    "render",
    "sample",
]

ORIENTATIONS = ("horizontal", "rising", "vertical", "falling")
_CHUNK = 500
_CLUTTER_PIECES = 12


@dataclass(frozen=True)
class Style:
    """How much the drawings of one object differ.

    Args:
        size: half the side of an object's frame in pixels, at its largest.
        shrink: each drawing is smaller than that by up to this share.
        shift: the largest shift of the whole, in pixels, both ways and along both axes.
        rotation: the largest turn of the whole, in degrees, both ways.
        shear: the largest slant of the whole, both ways.
        mirror: the chance that left and right are swapped.
        jitter: standard deviation of each part's own shift, in units of the object's frame.
        stretch: standard deviation of the logarithm of each part's own width and height.
        tilt: standard deviation of each part's own turn, in degrees.
        thinnest, thickest: width of the pen in pixels.
        clutter: at most so many stray strokes; every number from 0 on is as likely.
        noise: standard deviation of each pixel's noise, before values are cut to [0, 1].
    """

    size: float = 13.5
    shrink: float = 0.35
    shift: float = 4.0
    rotation: float = 25.0
    shear: float = 0.2
    mirror: float = 0.5
    jitter: float = 0.04
    stretch: float = 0.12
    tilt: float = 8.0
    thinnest: float = 0.8
    thickest: float = 1.3
    clutter: int = 7
    noise: float = 0.22

    def __post_init__(self) -> None:
        wrong = [name for name, value in vars(self).items() if value < 0]
        if wrong or not 0 < self.thinnest <= self.thickest or self.shrink >= 1 or self.mirror > 1:
            raise ValueError(
                f"{self}: nothing below 0, 0 < thinnest <= thickest, shrink below 1, mirror <= 1"
            )


@dataclass(frozen=True, eq=False)
class Pictures:
    """Labelled drawings.

    Args:
        images: (N, 1, 32, 32) float32 in [0, 1], white on black.
        labels: (N,) int64, into ``objects``.
        objects: names of the classes.
        strokes: (N, 8, 8) int64 for each cell of 4x4 pixels: 0 for less than one pixel of line,
            else 1 + index into ``ORIENTATIONS``. Stray strokes count: they are strokes, too.
        parts: (N, 8, 8) int64: 0 for less than one pixel of any part, else 1 + index into
            ``PARTS`` of the part with the most line there. Stray strokes belong to no part.
    """

    images: np.ndarray
    labels: np.ndarray
    objects: tuple[str, ...]
    strokes: np.ndarray
    parts: np.ndarray

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)


class DrawnPart(NamedTuple):
    """One part of a drawing: its lines, each (K, 2) x and y in pixels, and its box.

    ``box``: left, top, right, bottom in pixels.
    """

    name: str
    lines: tuple[np.ndarray, ...]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Drawing:
    """One drawing taken apart.

    Args:
        object: its name.
        image: (32, 32) float32 in [0, 1].
        drawn: its parts, in the order in which they are drawn.
        clutter: the stray strokes, each (K, 2) in pixels.
        strokes, parts: (8, 8) int64, as in :class:`Pictures`.
    """

    object: str
    image: np.ndarray
    drawn: tuple[DrawnPart, ...]
    clutter: tuple[np.ndarray, ...]
    strokes: np.ndarray
    parts: np.ndarray


def sample(objects: Sequence[str], count: int, seed: int, style: Style = Style()) -> Pictures:
    """Return ``count`` drawings of ``objects``, equally many of each (or one more), shuffled.

    An object's drawings depend on its name, the seed and the style only.

    Raises:
        ValueError: for an unknown object, one named twice, none at all, or a count below 1.
    """
    names = _checked(objects, count)
    labels = np.random.default_rng(seed).permutation(np.arange(count) % len(names))
    images = np.empty((count, 1, SIZE, SIZE), dtype=np.float32)
    strokes, parts = (np.empty((count, CELLS, CELLS), dtype=np.int64) for _ in range(2))
    for label, name in enumerate(names):
        places, chance = np.flatnonzero(labels == label), _chance(name, seed)
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            sheets = _sheets(name, len(chunk), chance, style)
            images[chunk, 0], strokes[chunk], parts[chunk] = sheets.images, *sheets.labels
    return Pictures(images, labels, names, strokes, parts)


def draw(object: str, seed: int, style: Style = Style()) -> Drawing:
    """Return one drawing of an object with all its strokes and parts, for a closer look.

    Raises:
        ValueError: for an unknown object.
    """
    _checked([object], 1)
    sheets = _sheets(object, 1, _chance(object, seed), style)
    strokes, parts = (labels[0] for labels in sheets.labels)
    drawn = _taken_apart(object, sheets.points[0], style)
    clutter = tuple(sheets.clutter[0, : sheets.scattered[0]])
    return Drawing(object, sheets.images[0], drawn, clutter, strokes, parts)


def _checked(objects: Sequence[str], count: int) -> tuple[str, ...]:
    unknown = [name for name in objects if name not in OBJECTS]
    if unknown or not objects or len(set(objects)) < len(objects):
        raise ValueError(f"objects={list(objects)}: name each once, of {', '.join(OBJECTS)}")
    if count < 1:
        raise ValueError(f"count={count}: draw at least one picture")
    return tuple(objects)


def _chance(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 1 + list(OBJECTS).index(name)])


class _Template(NamedTuple):
    """An object before it is drawn: points on its lines, each in the frame of its part.

    ``points`` (P, 2); ``places`` (P,) the placement each belongs to; ``ends`` (L,) where each line
    ends; ``starts`` (S,) the points from which a piece leads to the next point.
    """

    points: np.ndarray
    places: np.ndarray
    ends: np.ndarray
    starts: np.ndarray


@cache
def _template(name: str, size: float) -> _Template:
    lines, places = [], []
    for number, place in enumerate(OBJECTS[name]):
        scale = np.array([place.width, place.height]) * size
        new = [subdivide(stroke, scale) for stroke in SHAPES[place.part]]
        lines += new
        places += [number] * sum(map(len, new))
    ends = np.cumsum([len(line) for line in lines])
    points = np.concatenate(lines).astype(np.float32)
    starts = np.setdiff1d(np.arange(len(points)), ends - 1)
    return _Template(points, np.array(places), ends, starts)


class _Sheets(NamedTuple):
    """Drawings of one object: ``points`` (N, P, 2) and stray ``clutter`` (N, K, 13, 2) in pixels.

    ``scattered`` (N,): how many of the K stray strokes are there. ``labels``: of strokes, of parts.
    """

    images: np.ndarray
    points: np.ndarray
    clutter: np.ndarray
    scattered: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]


def _sheets(name: str, count: int, chance: np.random.Generator, style: Style) -> _Sheets:
    template = _template(name, style.size)
    points = _posed(_arranged(name, template, count, chance, style), chance, style)
    clutter = _stray(count, chance, style)
    scattered = chance.integers(0, style.clutter + 1, count)
    pieces = _all_pieces(points, template, clutter, scattered)
    thickness = _between(chance, style.thinnest, style.thickest, count)
    images = rasterise(pieces, thickness)
    images += style.noise * chance.standard_normal(images.shape, dtype=np.float32)
    kinds = np.zeros(pieces.ink.shape[1], dtype=np.int64)
    numbers = np.array([1 + PARTS.index(place.part) for place in OBJECTS[name]])
    kinds[: len(template.starts)] = numbers[template.places[template.starts]]
    labels = stroke_labels(pieces), part_labels(pieces, kinds, len(PARTS))
    return _Sheets(np.clip(images, 0, 1), points, clutter, scattered, labels)


def _all_pieces(
    points: np.ndarray, template: _Template, clutter: np.ndarray, scattered: np.ndarray
) -> Pieces:
    count, most = clutter.shape[:2]
    starts = [points[:, template.starts], clutter[:, :, :-1].reshape(count, -1, 2)]
    ends = [points[:, template.starts + 1], clutter[:, :, 1:].reshape(count, -1, 2)]
    drawn = np.arange(most) < scattered[:, None]
    drawn = np.repeat(drawn, _CLUTTER_PIECES, axis=1)
    known = np.ones((count, len(template.starts)), dtype=bool)
    pieces = [np.concatenate(sides, axis=1) for sides in (starts, ends, [known, drawn])]
    return pieces_between(*pieces)


def _between(chance: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    return (low + (high - low) * chance.random(count, dtype=np.float32)).astype(np.float32)


def _arranged(
    name: str, template: _Template, count: int, chance: np.random.Generator, style: Style
) -> np.ndarray:
    """Points (N, P, 2) in the object's frame, each part moved a little for itself."""
    places = OBJECTS[name]
    shape = (count, len(places), 2)
    centres, sizes, angles = _frames(places)
    centres = centres + style.jitter * chance.standard_normal(shape, dtype=np.float32)
    sizes = sizes * np.exp(style.stretch * chance.standard_normal(shape, dtype=np.float32))
    tilts = style.tilt * chance.standard_normal(shape[:2], dtype=np.float32)
    turn = _turns(np.radians(angles + tilts)) * sizes[..., None, :]
    return _mapped(template.points, turn[:, template.places], centres[:, template.places])


def _frames(places: Sequence[Placement]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (M, 2), sizes (M, 2) and angles (M,) of placements."""
    table = np.array([place[1:] for place in places], dtype=np.float32)
    return table[:, :2], table[:, 2:4], table[:, 4]


def _turns(angles: np.ndarray) -> np.ndarray:
    """Matrices (..., 2, 2) that turn anticlockwise where y points down."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)


def _mapped(points: np.ndarray, matrices: np.ndarray, centres: np.ndarray) -> np.ndarray:
    x, y = points[..., 0, None], points[..., 1, None]
    return x * matrices[..., 0] + y * matrices[..., 1] + centres


def _posed(points: np.ndarray, chance: np.random.Generator, style: Style) -> np.ndarray:
    """Points in pixels: the whole mirrored, sheared, turned, scaled and shifted."""
    count = len(points)
    flip = np.where(chance.random(count) < style.mirror, -1, 1).astype(np.float32)
    scale = style.size * _between(chance, 1 - style.shrink, 1, count)
    slant = _between(chance, -style.shear, style.shear, count)
    turn = np.radians(_between(chance, -style.rotation, style.rotation, count))
    shift = _between(chance, -style.shift, style.shift, 2 * count).reshape(count, 1, 2)
    form = np.stack([np.stack([flip, slant], -1), np.stack([0 * flip, 1 + 0 * flip], -1)], -2)
    matrices = (_turns(turn) @ form) * scale[:, None, None]
    return _mapped(points, matrices[:, None], shift + np.float32(SIZE / 2))


def _stray(count: int, chance: np.random.Generator, style: Style) -> np.ndarray:
    """Stray strokes (N, K, 13, 2) in pixels: 4 to 9 long, bent by up to a quarter turn."""
    total = count * style.clutter
    start = _between(chance, 0, SIZE, 2 * total).reshape(total, 1, 2)
    heading = _between(chance, 0, 2 * np.pi, total)
    bend = _between(chance, -np.pi / 2, np.pi / 2, total)
    step = _between(chance, 4, 9, total) / _CLUTTER_PIECES
    angles = heading[:, None] + bend[:, None] * np.linspace(0, 1, _CLUTTER_PIECES)
    steps = np.stack([np.cos(angles), np.sin(angles)], -1) * step[:, None, None]
    lines = np.concatenate([np.zeros_like(start), np.cumsum(steps, 1)], 1) + start
    return lines.reshape(count, style.clutter, _CLUTTER_PIECES + 1, 2).astype(np.float32)


def _taken_apart(name: str, points: np.ndarray, style: Style) -> tuple[DrawnPart, ...]:
    """The parts of one drawing from its points (P, 2)."""
    lines = iter(np.split(points, _template(name, style.size).ends[:-1]))
    drawn = []
    for place in OBJECTS[name]:
        own = tuple(next(lines) for _ in SHAPES[place.part])
        low, high = (limit(np.concatenate(own), axis=0) for limit in (np.min, np.max))
        drawn.append(DrawnPart(place.part, own, tuple(map(float, [*low, *high]))))
    return tuple(drawn)
