"""What pocket pictures show: strokes make parts, parts make objects, objects make families.

A part is a few strokes in a frame of its own, from -1 to 1 with x to the right and y down. An
object says which parts there are *and where*: the same circle is a face's outline, a flower's
middle or a snowman's head. Within a family every part belongs to two objects or more, so that no
part alone tells which object it is.

    source   what a network is pre-trained on
    near     other objects, made of the source's parts
    far      other objects, made of parts of their own; the strokes are of the same kinds

The hierarchy edges -> motifs -> parts -> objects is LeCun, Bengio & Hinton's account of what a deep
network learns from pictures (2015, Deep learning, Nature 521, p. 436).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

Stroke = np.ndarray


class Placement(NamedTuple):
    """A part in an object: its centre, half its width and height, in the object's frame.

    The frame spans -1 to 1, y down. A part is first stretched to its size (a negative width or
    height mirrors it), then turned by ``angle`` degrees, anticlockwise.
    """

    part: str
    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0


def _line(*corners: tuple[float, float]) -> Stroke:
    return np.array(corners, dtype=np.float64)


def _arc(
    start: float, end: float, radius: float = 1.0, centre: tuple[float, float] = (0.0, 0.0)
) -> Stroke:
    """Part of a circle, from one angle to another in degrees: 0 is right, 90 is up."""
    steps = max(2, round(abs(end - start) / 15))
    angles = np.radians(np.linspace(start, end, steps + 1))
    return np.stack([np.cos(angles), -np.sin(angles)], 1) * radius + np.array(centre)


def _bow(*controls: tuple[float, float]) -> Stroke:
    """A Bezier curve (de Casteljau's construction)."""
    times = np.linspace(0, 1, 13)[:, None]
    curves = [np.array(point)[None] for point in controls]
    while len(curves) > 1:
        curves = [a + times * (b - a) for a, b in itertools.pairwise(curves)]
    return curves[0]


def _egg() -> Stroke:
    circle = _arc(0, 360)
    wider = 1 + 0.1 * circle[:, 1] * (1 - circle[:, 1])
    return circle * np.stack([wider, np.ones_like(wider)], 1)


def _scallops(lobes: int = 6, depth: float = 0.25) -> Stroke:
    angles = np.linspace(0, 2 * np.pi, lobes * 8 + 1)
    radius = 1 - depth + depth * np.abs(np.sin(angles * lobes / 2))
    return np.stack([np.sin(angles), -np.cos(angles)], 1) * radius[:, None]


_BOX = _line((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))

SHAPES: Mapping[str, tuple[Stroke, ...]] = MappingProxyType(
    {
        "head": (_arc(0, 360),),
        "ear": (_bow((-1, 1), (-0.9, -0.3), (0, -1)), _bow((0, -1), (0.9, -0.3), (1, 1))),
        "eye": (_arc(0, 360),),
        "nose": (_line((-1, -1), (1, -1), (0, 1), (-1, -1)),),
        "mouth": (_arc(180, 360) * [1, 2] - [0, 1],),
        "body": (_egg(),),
        "tail": (
            _bow((-1, 1), (1.2, 1.1), (1, -1)),
            _bow((-1, 1), (0.4, 0.7), (1, -1)),
        ),
        "stick": (_line((0, -1), (0, 1)),),
        "wall": (_BOX,),
        "roof": (_line((-1, 1), (-0.45, -1), (0.45, -1), (1, 1), (-1, 1)),),
        "window": (_BOX, _line((0, -1), (0, 1))),
        "door": (
            _line((-1, 1), (-1, -0.4)),
            _arc(180, 0) * [1, 0.6] - [0, 0.4],
            _line((1, -0.4), (1, 1)),
        ),
        "post": (_BOX,),
        "wheel": (_arc(0, 360), _arc(0, 360, 0.35)),
        "cloud": (_scallops(),),
        "loop": (_arc(-60, 240) * [1, 0.8] - [0, 0.2], _line((-0.5, 0.5), (0, 1), (0.5, 0.5))),
        "comb": (
            _line((-1, -1), (-1, 1)),
            *(_line((-1, tooth / 6), (1, tooth / 6)) for tooth in (1, 3, 5)),
        ),
        "cross": (_line((0, -1), (0, 1)), _line((-1, -0.4), (1, -0.4))),
        "hook": (_line((1, -1), (1, 0.4)), _arc(0, -180) * [1, 0.6] + [0, 0.4]),
        "bowl": (_line((1, -1), (-1, -1)), _arc(180, 360) * [1, 2] - [0, 1]),
        "sail": (_line((-1, -1), (-1, 1), (1, 1), (-1, -1)),),
        "zigzag": (_line(*((step / 2.5 - 1, 1 - 2 * (step % 2)) for step in range(6))),),
        "blade": (_bow((0, -1), (-2, 0), (0, 1)), _bow((0, -1), (2, 0), (0, 1))),
    }
)
PARTS: tuple[str, ...] = tuple(SHAPES)


def _pair(part: str, x: float, y: float, w: float, h: float, a: float = 0.0) -> list[Placement]:
    """The same part to the right and, mirrored, to the left."""
    return [Placement(part, x, y, w, h, a), Placement(part, -x, y, -w, h, -a)]


def _row(part: str, xs: tuple[float, ...], y: float, w: float, h: float) -> list[Placement]:
    return [Placement(part, x, y, w, h) for x in xs]


OBJECTS: Mapping[str, tuple[Placement, ...]] = MappingProxyType(
    {
        "face": (
            Placement("head", 0, 0, 0.8, 1),
            *_pair("ear", 0.92, 0, 0.25, 0.16, -90),
            *_pair("eye", 0.34, -0.25, 0.16, 0.14),
            Placement("nose", 0, 0.12, 0.12, -0.16),
            Placement("mouth", 0, 0.5, 0.42, 0.16),
        ),
        "cat": (
            Placement("head", 0, -0.27, 0.65, 0.5),
            *_pair("ear", 0.42, -0.8, 0.2, 0.22, -15),
            *_pair("eye", 0.26, -0.38, 0.12, 0.12),
            Placement("nose", 0, -0.15, 0.1, 0.07),
            Placement("mouth", 0, 0.03, 0.18, 0.06),
            *_pair("stick", 0.76, -0.08, 0.1, 0.22, -80),
            Placement("body", 0, 0.63, 0.42, 0.37),
            Placement("tail", 0.66, 0.52, 0.26, 0.42),
        ),
        "bird": (
            Placement("body", -0.1, 0.15, 0.42, 0.6, 110),
            Placement("head", 0.5, -0.45, 0.3, 0.29),
            Placement("eye", 0.55, -0.5, 0.08, 0.08),
            Placement("nose", 0.92, -0.42, 0.11, 0.16, 90),
            Placement("tail", -0.82, -0.12, 0.2, 0.26, 70),
            *_row("stick", (-0.18, 0.12), 0.8, 0.1, 0.2),
        ),
        "car": (
            Placement("wall", 0, 0.2, 1, 0.28),
            Placement("roof", -0.05, -0.4, 0.68, 0.32),
            Placement("window", -0.05, -0.33, 0.24, 0.17),
            *_row("wheel", (-0.55, 0.55), 0.52, 0.26, 0.26),
        ),
        "train": (
            Placement("wall", 0.3, 0.2, 0.6, 0.28),
            Placement("wall", -0.6, 0, 0.36, 0.5),
            Placement("roof", -0.6, -0.62, 0.45, 0.12),
            Placement("window", -0.6, -0.15, 0.2, 0.2),
            Placement("post", 0.6, -0.25, 0.11, 0.18),
            Placement("cloud", 0.62, -0.72, 0.35, 0.25),
            *_row("wheel", (-0.6, 0, 0.6), 0.65, 0.23, 0.23),
        ),
        "house": (
            Placement("wall", 0, 0.45, 0.75, 0.52),
            Placement("roof", 0, -0.42, 0.98, 0.35),
            Placement("post", 0.5, -0.75, 0.1, 0.22),
            Placement("window", -0.35, 0.35, 0.22, 0.22),
            Placement("door", 0.33, 0.6, 0.18, 0.36),
        ),
        "tree": (
            Placement("post", 0, 0.65, 0.15, 0.36),
            Placement("cloud", 0, -0.3, 0.8, 0.68),
        ),
        "castle": (
            Placement("wall", 0, 0.5, 0.42, 0.42),
            *_pair("wall", 0.68, 0.3, 0.26, 0.62),
            *_pair("roof", 0.68, -0.62, 0.36, 0.28),
            *_pair("window", 0.68, 0.1, 0.14, 0.17),
            Placement("door", 0, 0.62, 0.2, 0.3),
        ),
        "owl": (
            Placement("body", 0, 0.2, 0.68, 0.75),
            *_pair("ear", 0.42, -0.62, 0.18, 0.25, -20),
            *_pair("eye", 0.3, -0.17, 0.27, 0.25),
            Placement("nose", 0, 0.2, 0.12, 0.17),
            *_pair("stick", 0.22, 1, 0.1, 0.12),
        ),
        "rabbit": (
            Placement("head", 0, 0.35, 0.6, 0.55),
            *_pair("ear", 0.28, -0.55, 0.18, 0.45, -8),
            *_pair("eye", 0.24, 0.2, 0.1, 0.12),
            Placement("nose", 0, 0.42, 0.1, 0.08),
            Placement("mouth", 0, 0.65, 0.24, 0.09),
            *_pair("stick", 0.7, 0.5, 0.1, 0.24, -80),
        ),
        "snowman": (
            Placement("body", 0, 0.52, 0.58, 0.48),
            Placement("head", 0, -0.3, 0.42, 0.38),
            Placement("roof", 0, -0.84, 0.38, 0.18),
            *_pair("eye", 0.17, -0.4, 0.07, 0.07),
            Placement("mouth", 0, -0.15, 0.2, 0.08),
            *_pair("stick", 0.78, 0.2, 0.1, 0.32, -55),
            *(Placement("eye", 0, y, 0.06, 0.06) for y in (0.35, 0.65)),
        ),
        "robot": (
            Placement("wall", 0, -0.45, 0.42, 0.32),
            Placement("wall", 0, 0.3, 0.5, 0.38),
            *_pair("eye", 0.18, -0.52, 0.1, 0.1),
            Placement("mouth", 0, -0.28, 0.2, 0.06),
            *_pair("wheel", 0.29, 0.85, 0.2, 0.2),
            *_pair("stick", 0.72, 0.2, 0.1, 0.3, 30),
            Placement("stick", 0, -0.9, 0.1, 0.12),
        ),
        "bus": (
            Placement("wall", 0, -0.05, 1, 0.55),
            *_row("window", (-0.58, 0.08), -0.2, 0.24, 0.2),
            Placement("door", 0.68, 0.08, 0.19, 0.42),
            *_row("wheel", (-0.58, 0.4), 0.56, 0.26, 0.26),
        ),
        "church": (
            Placement("wall", 0.35, 0.55, 0.62, 0.4),
            Placement("roof", 0.35, -0.08, 0.65, 0.23),
            Placement("wall", -0.52, 0.35, 0.3, 0.6),
            Placement("roof", -0.52, -0.45, 0.32, 0.2),
            Placement("stick", -0.52, -0.85, 0.1, 0.2),
            Placement("stick", -0.52, -0.88, 0.1, 0.14, 90),
            Placement("door", -0.52, 0.65, 0.14, 0.28),
            Placement("window", 0.42, 0.5, 0.22, 0.19),
        ),
        "flower": (
            Placement("cloud", 0, -0.4, 0.62, 0.6),
            Placement("head", 0, -0.4, 0.22, 0.22),
            Placement("stick", 0, 0.58, 0.1, 0.42),
            *_pair("ear", 0.3, 0.55, 0.14, 0.28, -50),
        ),
        "sheep": (
            Placement("cloud", -0.2, 0.02, 0.75, 0.55),
            Placement("head", 0.68, -0.25, 0.28, 0.34, 15),
            Placement("eye", 0.74, -0.35, 0.07, 0.07),
            Placement("ear", 0.42, -0.55, 0.1, 0.22, 60),
            *_row("stick", (-0.55, -0.3, 0.05, 0.3), 0.74, 0.1, 0.26),
        ),
        "key": (
            Placement("loop", 0, -0.6, 0.4, 0.4),
            Placement("comb", 0.17, 0.4, 0.17, 0.6),
        ),
        "anchor": (
            Placement("loop", 0, -0.82, 0.16, -0.18),
            Placement("cross", 0, 0.15, 0.5, 0.8),
            *_pair("hook", -0.4, 0.35, 0.4, 0.6),
        ),
        "umbrella": (
            Placement("bowl", 0, -0.5, 1, -0.48),
            Placement("hook", -0.2, 0.45, 0.2, 0.5),
        ),
        "boat": (
            Placement("bowl", 0, 0.5, 0.9, 0.26),
            Placement("sail", 0.37, -0.35, 0.35, 0.6),
            Placement("sail", -0.33, -0.25, -0.3, 0.5),
            Placement("zigzag", 0, 0.9, 1, 0.08),
        ),
        "kite": (
            Placement("sail", 0.35, -0.72, 0.35, 0.28),
            Placement("sail", -0.35, -0.72, -0.35, 0.28),
            Placement("sail", 0.35, -0.04, 0.35, -0.4),
            Placement("sail", -0.35, -0.04, -0.35, -0.4),
            Placement("zigzag", 0.05, 0.68, 0.33, 0.14, -80),
        ),
        "fish": (
            Placement("blade", 0.2, 0, 0.45, 0.78, 90),
            Placement("sail", -0.75, -0.2, 0.25, 0.2),
            Placement("sail", -0.75, 0.2, 0.25, -0.2),
            Placement("sail", 0.15, -0.42, -0.3, 0.18),
        ),
        "sword": (
            Placement("blade", 0, -0.3, 0.16, 0.7),
            Placement("cross", 0, 0.65, 0.42, 0.35),
        ),
        "ladder": (
            Placement("comb", 0, 0, 0.36, 1),
            Placement("comb", 0, 0, 0.36, 1, 180),
        ),
    }
)
_NAMES = tuple(OBJECTS)
FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"source": _NAMES[:8], "near": _NAMES[8:16], "far": _NAMES[16:]}
)
PARTS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: frozenset(place.part for place in places) for name, places in OBJECTS.items()}
)
