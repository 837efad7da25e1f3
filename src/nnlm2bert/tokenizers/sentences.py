"""Sentences of a stream of tokens, and pieces of whole sentences that fit into a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sentences:
    """Where the S sentences of a stream stand: sentence s is ``ids[begins[s]:ends[s]]``.

    ``begins``, ``ends`` and ``documents``, the number of the document, are (S,), int64, in the
    order of the text.
    """

    begins: Tensor
    ends: Tensor
    documents: Tensor

    def __len__(self) -> int:
        return len(self.begins)

    def pack(self, room: int, sentences: int = 1) -> Tensor:
        """Return pieces (N, 2) of the text: first sentence and the one after the last of each.

        Each holds as many whole sentences of one document as fit into ``room`` tokens, in the order
        of the text. Those of fewer than ``sentences`` sentences are left out.

        Raises:
            ValueError: if a sentence is longer than ``room``.
        """
        longest = int((self.ends - self.begins).max()) if len(self) else 0
        if longest > room:
            raise ValueError(
                f"a sentence of {longest} tokens does not fit into {room}: find the sentences with "
                f"longest={room}"
            )
        reach = torch.searchsorted(self.ends, self.begins + room, right=True)
        stop = torch.searchsorted(self.documents, self.documents, right=True)
        after = torch.minimum(reach, stop).tolist()
        borders = [0]
        while borders[-1] < len(self):
            borders.append(after[borders[-1]])
        pieces = torch.tensor(borders).unfold(0, 2, 1)
        return pieces[pieces[:, 1] - pieces[:, 0] >= sentences]

    def lengths(self, pieces: Tensor) -> Tensor:
        """Return the tokens (N,) of pieces (N, 2)."""
        return self.ends[pieces[:, 1] - 1] - self.begins[pieces[:, 0]]


def find_sentences(
    ids: np.ndarray,
    documents: np.ndarray,
    sentences: np.ndarray,
    end: int | None = None,
    longest: int | None = None,
) -> Sentences:
    """Return the sentences of a stream of tokens (T,).

    Args:
        documents: (D,), the place of the first token of each document, ascending from 0.
        sentences: (S,), the place of the first token of each sentence; a document's first token
            begins one in any case.
        end: id of the token that ends a document, which then belongs to no sentence.
        longest: a sentence of more tokens is cut into as few equal parts as that allows.

    Raises:
        ValueError: if the documents do not begin at 0, or for a ``longest`` below 1.
    """
    if not len(documents) or documents[0] or (longest is not None and longest < 1):
        raise ValueError(f"the first document begins at 0, and longest={longest} is at least 1")
    begins = np.union1d(documents, sentences).astype(np.int64)
    ends = np.append(begins[1:], len(ids))
    if end is not None:
        ends = ends - (ids[ends - 1] == end)
        begins, ends = begins[ends > begins], ends[ends > begins]
    if longest is not None:
        begins, ends = _cut(begins, ends, longest)
    numbers = np.searchsorted(documents, begins, side="right") - 1
    return Sentences(*(torch.from_numpy(part) for part in (begins, ends, numbers)))


def after_stops(ids: np.ndarray, stops: Sequence[int]) -> np.ndarray:
    """Return the places (S,) after tokens that end a sentence, of several in a row the last."""
    stopped = np.isin(ids, stops)
    return np.flatnonzero(stopped[:-1] & ~stopped[1:]) + 1


def _cut(begins: np.ndarray, ends: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut what is longer into equal parts, but for rounding."""
    lengths = ends - begins
    parts = -(-lengths // longest)
    first = parts.cumsum() - parts
    number = np.arange(parts.sum()) - first.repeat(parts)
    lengths, parts, begins = (x.repeat(parts) for x in (lengths, parts, begins))
    return begins + lengths * number // parts, begins + lengths * (number + 1) // parts
