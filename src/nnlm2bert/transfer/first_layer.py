"""Word vectors as the first layer of another network: random, frozen or fine-tuned.

The three ways of Kim (2014), section 3.3: CNN-rand, CNN-static, CNN-non-static.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.corpora.words import split_token
from nnlm2bert.models.word_vectors import WordVectors

MODES = ("random", "frozen", "fine-tuned")
UNKNOWN = "<unk>"
SPREAD = 0.3
"""Standard deviation of all entries of the layer, the same for every stage.

Turian, Ratinov & Bengio (2010) scale vectors so: the best size of the entries is a matter of the
network that reads them and not of what the vectors know.
"""


class WordEncoder(Protocol):
    """What turns sentences into one vector a word; the heads ask for nothing else.

    Any `nn.Module` with ``width``, the length D of a vector, and a ``forward`` from B sentences of
    word tokens, as they were published, to vectors (B, T, D), where T is the length of the longest
    sentence. What stands after the end of a sentence is never read.
    """

    width: int

    def __call__(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Return the vectors (B, T, D) of B sentences."""


class FirstLayer(nn.Module):
    """A look-up of words as `spelling` writes them; the same vector wherever a word stands.

    Args:
        words: which words get a row of their own; the rest share that of ``<unk>``.
        vectors: pre-trained vectors; words without one share ``<unk>``, too. It is the stage's own
            if it has one, else the mean of all its vectors. None: rows begin at random.
        mode: "random" (trained, needs ``vectors=None``), "frozen" or "fine-tuned".
        dimension: D of random rows.
        singletons: words seen once in the labelled text. Rows that begin at random read them as
            ``<unk>`` every other time in training, so that it is trained as well (as by Lample
            et al. 2016); pre-trained rows need no such thing.

    Raises:
        ValueError: if the mode is unknown or does not go with ``vectors``.
    """

    def __init__(
        self,
        words: Iterable[str],
        vectors: WordVectors | None = None,
        mode: str = "random",
        dimension: int = 100,
        singletons: Iterable[str] = (),
    ) -> None:
        super().__init__()
        if mode not in MODES or (mode == "random") != (vectors is None):
            raise ValueError(
                f"mode {mode!r} with{'out' if vectors is None else ''} vectors: take 'random' "
                "without, or 'frozen' or 'fine-tuned' with vectors"
            )
        known = sorted(set(map(spelling, words)) - {UNKNOWN})
        self.words = [UNKNOWN, *(w for w in known if vectors is None or w in vectors)]
        self.index = {word: row for row, word in enumerate(self.words)}
        self.rows_found: dict[str, int] = {}
        self.mode = mode
        self.width = dimension if vectors is None else vectors.matrix.shape[1]
        self.rows = nn.Embedding(len(self.words), self.width)
        self.rows.weight.requires_grad_(mode != "frozen")
        if vectors is None:
            nn.init.normal_(self.rows.weight, std=SPREAD)
        else:
            self.rows.weight.data.copy_(torch.from_numpy(self._pretrained(vectors)))
        rare = set(map(spelling, singletons)) if mode == "random" else set()
        is_rare = torch.tensor([word in rare for word in self.words])
        self.register_buffer("is_rare", is_rare, persistent=False)

    def _pretrained(self, vectors: WordVectors) -> np.ndarray:
        """Return the rows (words, D), all divided by one number."""
        matrix = vectors.matrix
        unknown = vectors[UNKNOWN] if UNKNOWN in vectors else matrix.mean(axis=0)
        rows = [unknown, *(vectors[word] for word in self.words[1:])]
        return np.stack(rows) * np.float32(SPREAD / matrix.std())

    def row(self, word: str) -> int:
        """Return the row of a word; 0, that of ``<unk>``, if it has none."""
        if word not in self.rows_found:
            self.rows_found[word] = self.index.get(spelling(word), 0)
        return self.rows_found[word]

    def encode(self, sentence: Sequence[str]) -> Tensor:
        """Return the rows (T,) of a sentence's words."""
        return torch.tensor([self.row(word) for word in sentence])

    def forward(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Return the vectors (B, T, D) of B sentences."""
        ids = pad_sequence([self.encode(sentence) for sentence in sentences], batch_first=True)
        ids = ids.to(self.rows.weight.device)  # (B, T)
        if self.training and self.mode == "random":
            kept = F.dropout(torch.ones(ids.shape, device=ids.device), 0.5) > 0
            ids = torch.where(self.is_rare[ids] & ~kept, 0, ids)
        return self.rows(ids)


def spelling(word: str) -> str:
    """Return a word of a task as the running text spells it: lower case, plain quotes and dashes.

    A token that the running text would cut in several stays whole.
    """
    return case_spelling(word).lower()


def case_spelling(word: str) -> str:
    """Return a word of a task as `spelling` does, its capitals kept."""
    parts = split_token(word)
    return parts[0] if len(parts) == 1 else word
