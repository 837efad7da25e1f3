"""Ink on paper: short pieces of line become grey values, and the truth about each cell.

A line is a sum of small dots. Each piece of a stroke leaves ink in proportion to its length on the
four pixels around its middle (bilinear weights); the sheet is then blurred by a Gaussian as wide as
the pen, and saturates, so that two lines over each other are hardly brighter than one.

Coordinates are pixels: x from 0 to 32 to the right, y from 0 to 32 down; the pixel in row r and
column c has its centre at x = c + 1/2, y = r + 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIZE = 32
CELL = 4
CELLS = SIZE // CELL
LEAST_INK = 1.0
PIECE = 0.6
_REACH = 2
_DARKNESS = 2.2
# What the bilinear weights blur by themselves, on average over all places in a pixel.
_BILINEAR_VARIANCE = 1 / 6


class Pieces(NamedTuple):
    """Short straight pieces of line, S in each of N pictures.

    ``middles``, ``vectors`` (N, S, 2): where each is, and from where to where it goes, in pixels.
    ``ink`` (N, S): its length in pixels, or 0 if it is not drawn.
    """

    middles: np.ndarray
    vectors: np.ndarray
    ink: np.ndarray


def pieces_between(starts: np.ndarray, ends: np.ndarray, drawn: np.ndarray | None = None) -> Pieces:
    """Pieces from points (N, S, 2) to points; where ``drawn`` (N, S) is given, only those."""
    vectors = ends - starts
    ink = np.sqrt((vectors**2).sum(-1))
    return Pieces((starts + ends) / 2, vectors, ink if drawn is None else ink * drawn)


def rasterise(pieces: Pieces, thickness: np.ndarray) -> np.ndarray:
    """Return (N, 32, 32) float32 grey values in [0, 1); ``thickness`` (N,) of the pen in pixels."""
    sheet = _blurred(_dots(pieces), thickness)
    return 1 - np.exp(-_DARKNESS * thickness[:, None, None] * sheet)


def _dots(pieces: Pieces) -> np.ndarray:
    """Ink per pixel (N, 32 + margins, 32 + margins), before the blur; far strays are dropped."""
    count, wide = len(pieces.ink), SIZE + 2 * _REACH + 2
    places = pieces.middles + np.float32(_REACH + 0.5)
    corner = np.clip(np.floor(places), -1, wide - 1).astype(np.int64)
    share = (places - corner).astype(np.float32)
    inside = ((corner >= 0) & (corner < wide - 1)).all(-1)
    first = (np.arange(count)[:, None] * wide + corner[..., 1]) * wide + corner[..., 0]
    sheet = np.zeros(count * wide * wide, dtype=np.float32)
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - share[..., 0]) * np.abs(1 - down - share[..., 1])
            spots = (first + down * wide + right)[inside]
            ink = (weight * pieces.ink)[inside]
            sheet += np.bincount(spots, ink, minlength=len(sheet)).astype(np.float32)
    return sheet.reshape(count, wide, wide)[:, 1:-1, 1:-1]


def _blurred(sheet: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    """A Gaussian of half the pen's thickness, first down, then across."""
    variance = np.maximum((thickness / 2) ** 2 - _BILINEAR_VARIANCE, 0.02)
    taps = np.exp(-(np.arange(-_REACH, _REACH + 1) ** 2) / (2 * variance[:, None]))
    taps = (taps / taps.sum(1, keepdims=True)).astype(np.float32)[:, :, None, None]
    for axis in (1, 2):
        shifted = (
            np.take(sheet, range(start, start + SIZE), axis=axis) for start in range(2 * _REACH + 1)
        )
        sheet = sum(taps[:, tap] * part for tap, part in enumerate(shifted))
    return sheet


def cell_numbers(pieces: Pieces) -> tuple[np.ndarray, np.ndarray]:
    """Number of the 4x4-pixel cell (N, S) each piece lies in, row by row over all pictures.

    Second: (N, S) its ink, 0 outside the sheet.
    """
    cells = np.floor(pieces.middles / CELL).astype(np.int64)
    inside = ((cells >= 0) & (cells < CELLS)).all(-1)
    cells = np.clip(cells, 0, CELLS - 1)
    pictures = np.arange(len(cells))[:, None]
    return (pictures * CELLS + cells[..., 1]) * CELLS + cells[..., 0], pieces.ink * inside


def stroke_labels(pieces: Pieces) -> np.ndarray:
    """Return (N, 8, 8) the dominant orientation of the lines in each cell, 0 where there are none.

    1 horizontal, 2 rising (/), 3 vertical, 4 falling (\\): the eighth-turn nearest to the axial
    mean, half the angle of the sum of ink * exp(2i * angle) over the pieces (Mardia & Jupp 2000,
    Directional Statistics, section 9.1). A cell with less than one pixel of line counts as empty.
    """
    cells, ink = cell_numbers(pieces)
    count = len(ink) * CELLS * CELLS
    x, y = pieces.vectors[..., 0], -pieces.vectors[..., 1]
    share = ink / np.maximum(x**2 + y**2, np.float32(1e-12))
    sums = [
        np.bincount(cells.ravel(), values.ravel(), minlength=count)
        for values in (ink, share * (x**2 - y**2), share * 2 * x * y)
    ]
    angle = np.arctan2(sums[2], sums[1]) / 2
    label = np.rint(angle / (np.pi / 4)).astype(np.int64) % 4 + 1
    return np.where(sums[0] >= LEAST_INK, label, 0).reshape(-1, CELLS, CELLS)


def part_labels(pieces: Pieces, parts: np.ndarray, kinds: int) -> np.ndarray:
    """Return (N, 8, 8) the part with most line in each cell, 0 where no part has a pixel of it.

    Args:
        pieces: of the drawing.
        parts: (S,) what each piece belongs to: 0 for nothing, or 1 to ``kinds``.
        kinds: how many parts there are.
    """
    cells, ink = cell_numbers(pieces)
    ink = ink * (parts > 0)
    count = len(ink) * CELLS * CELLS
    spots = cells * (kinds + 1) + parts
    table = np.bincount(spots.ravel(), ink.ravel(), minlength=count * (kinds + 1))
    table = table.reshape(count, kinds + 1)
    label = np.where(table.max(1) >= LEAST_INK, table.argmax(1), 0)
    return label.reshape(-1, CELLS, CELLS)


def subdivide(line: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Add points to a line (K, 2) until no two neighbours are further apart than 0.6 pixels.

    ``scale`` (2,) or a number: pixels per unit of the line.
    """
    lengths = np.linalg.norm(np.diff(line, axis=0) * scale, axis=1)
    rows = [
        np.linspace(a, b, max(1, int(np.ceil(length / PIECE))), endpoint=False)
        for a, b, length in zip(line[:-1], line[1:], lengths, strict=True)
    ]
    return np.concatenate([*rows, line[-1:]])


def render(polylines: Sequence[np.ndarray], thickness: float = 1.5) -> np.ndarray:
    """Draw lines, each (K, 2) with x and y in pixels: (32, 32) float32 in [0, 1], white on black.

    Raises ``ValueError`` for a line that is not (K, 2) with K >= 2, or a pen without thickness.
    """
    pieces = pieces_of(polylines)
    if not thickness > 0:
        raise ValueError(f"thickness={thickness}: a pen is wider than 0 pixels")
    return rasterise(pieces, np.array([thickness], dtype=np.float32))[0]


def pieces_of(polylines: Sequence[np.ndarray]) -> Pieces:
    """The pieces (N = 1) of lines given in pixels; ``ValueError`` as :func:`render`."""
    lines = [np.asarray(line, dtype=np.float64) for line in polylines]
    for line in lines:
        if line.ndim != 2 or line.shape[1] != 2 or len(line) < 2:
            raise ValueError(f"a line is an array (K, 2) with K >= 2, not {line.shape}")
    fine = [subdivide(line).astype(np.float32) for line in lines]
    starts = np.concatenate([np.zeros((0, 2), np.float32), *(line[:-1] for line in fine)])
    ends = np.concatenate([np.zeros((0, 2), np.float32), *(line[1:] for line in fine)])
    return pieces_between(starts[None], ends[None])
