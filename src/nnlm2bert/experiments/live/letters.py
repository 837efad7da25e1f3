"""Weights as letters: numbers in a script, which a page can read without asking a server.

The letters are those of base64 and stand for 0 to 63. A row of a matrix is its scale times whole
numbers; a whole number is one letter, -31 to 31, or two letters, -2047 to 2047. A file of one
letter a weight is a quarter smaller than one of a byte a weight in base64.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
RECEIVER = "nnlm2bertLive.receive"
CLIPPED = np.linspace(0.5, 1.0, 26)
"""Shares of the largest weight of a row that are tried as its largest number."""
FINEST = 64**2 - 1
"""A row's scale is a whole number of so many parts of the largest scale of its matrix."""


@dataclass(frozen=True, eq=False)
class Letters:
    """A matrix (R, C): ``codes`` (R, C) times ``steps`` (R,) times ``unit``, all but it whole.

    ``letters``: how many stand for a number, 1 or 2. ``shape``: of the weights, (R, C) or (C,).
    """

    codes: np.ndarray
    steps: np.ndarray
    unit: float
    letters: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, weights: np.ndarray, letters: int) -> Letters:
        """Round weights (R, C) or (C,) to so many letters; of scales the one that errs least.

        A vector is one row and always takes two letters. Raises ValueError for more than two
        dimensions, or another number of letters than 1 or 2.
        """
        if weights.ndim not in (1, 2) or letters not in (1, 2):
            raise ValueError(f"{weights.ndim} dimensions in {letters} letters: give 1 or 2 of both")
        letters = 2 if weights.ndim == 1 else letters
        rows, top = np.atleast_2d(weights).astype(np.float64), largest(letters)
        highest = np.abs(rows).max(axis=1)  # (R,)
        unit = float(f"{max(highest.max(), 1e-9) / top / FINEST:.6g}")
        tried = np.clip(np.rint(highest * CLIPPED[:, None] / top / unit), 1, FINEST)  # (26, R)
        errors = [
            ((fitted(rows, s * unit, top) * s[:, None] * unit - rows) ** 2).sum(1) for s in tried
        ]
        steps = tried[np.argmin(errors, axis=0), np.arange(len(rows))].astype(np.int64)
        return cls(fitted(rows, steps * unit, top), steps, unit, letters, weights.shape)

    @property
    def weights(self) -> np.ndarray:
        """The numbers that the letters stand for, float32, in the shape of the weights."""
        rows = self.codes * (self.steps[:, None] * self.unit)
        return rows.astype(np.float32).reshape(self.shape)

    def written(self) -> dict[str, Any]:
        """The same for a file."""
        codes = spelled(self.codes + largest(self.letters), self.letters)
        steps = spelled(self.steps, 2)
        shape, unit = list(self.shape), self.unit
        return {
            "shape": shape,
            "letters": self.letters,
            "unit": unit,
            "rows": steps,
            "codes": codes,
        }

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Letters:
        """Read what :meth:`written` wrote."""
        letters, shape = entry["letters"], tuple(entry["shape"])
        codes = unspelled(entry["codes"], letters) - largest(letters)
        steps = unspelled(entry["rows"], 2)
        return cls(codes.reshape(-1, shape[-1]), steps, entry["unit"], letters, shape)


def largest(letters: int) -> int:
    """The largest whole number of so many letters."""
    return 64**letters // 2 - 1


def fitted(rows: np.ndarray, scales: np.ndarray, top: int) -> np.ndarray:
    """Rows (R, C) in whole numbers of their scales (R,), none beyond ``top``."""
    return np.clip(np.rint(rows / scales[:, None]), -top, top).astype(np.int64)


def spelled(values: np.ndarray, letters: int) -> str:
    """Whole numbers from 0 on, so many letters each, the highest place first.

    Raises ValueError for numbers that do not fit.
    """
    if values.min() < 0 or values.max() >= 64**letters:
        raise ValueError(f"{values.min()} to {values.max()} do not fit into {letters} letters")
    signs = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)
    places = [values.ravel() >> 6 * place & 63 for place in reversed(range(letters))]
    return signs[np.stack(places, axis=1).ravel()].tobytes().decode("ascii")


def unspelled(text: str, letters: int) -> np.ndarray:
    """The numbers of :func:`spelled`, one after the other."""
    signs = np.zeros(128, dtype=np.int64)
    signs[np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)] = np.arange(64)
    digits = signs[np.frombuffer(text.encode("ascii"), dtype=np.uint8)].reshape(-1, letters)
    return digits @ 64 ** np.arange(letters)[::-1]


def script(name: str, title: str, content: Mapping[str, Any]) -> str:
    """A script that hands a piece of JSON to the page it stands in."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return (
        f"// {title}\n// Made by: python -m nnlm2bert export-live {name}\n"
        f'"use strict";\n{RECEIVER}("{name}", {body});\n'
    )


def content(text: str) -> dict[str, Any]:
    """The piece of JSON that a script of :func:`script` hands over."""
    _, _, arguments = text.partition(f"{RECEIVER}(")
    _, body = json.loads(f"[{arguments.rstrip().removesuffix(');')}]")
    return body
