"""Words as rows of character ids, so that a network can read words it has never seen.

The alphabet of Peters et al. (2018), as their program bilm-tf writes it (UnicodeCharsVocabulary and
Batcher, after Kim et al., 2016, and Jozefowicz et al., 2016). 262 ids:

- 0: `PADDING`, from the end of a word to the end of its row.
- 1 to 256: the bytes 0 to 255 of the word in UTF-8, each plus 1.
- 257, 258: the begin and the end of a sentence, `BEGIN_SENTENCE` and `END_SENTENCE`.
- 259, 260: the begin and the end of a word, `BEGIN_WORD` and `END_WORD`.
- 261: never written. bilm-tf pads words with it, by a vector that is learnt, and keeps 0 for places
  of a batch without a word; with 0 in both, a network can leave out what is beyond the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BEGIN, END = "<s>", "</s>"
"""The two words that stand for the begin and the end of a sentence."""
PADDING = 0
SHIFT = 1
"""The id of byte 0."""
BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD = range(256 + SHIFT, 260 + SHIFT)
ALPHABET = 262


def spell(words: Sequence[str], longest: int = 16) -> Tensor:
    """Return the ids (W, L) int64 of W words, a row each; L = ``longest`` + 2.

    A row is the begin of a word, its bytes, the end of a word, and padding. All rows are of one
    length, whatever the words are, so that a network sees a word alike in every list. The words
    `BEGIN` and `END` are spelled by their one mark of a sentence instead of bytes; the word "" has
    no bytes.

    Args:
        words: any strings; what UTF-8 cannot write (a lone surrogate) is left out.
        longest: bytes of a word that are kept; the rest is cut off, as in bilm-tf, even within a
            character of several bytes. bilm-tf keeps 48; 16 leave all but one word of running
            English in 2,000 whole.

    Raises:
        ValueError: if ``longest`` is below 1.

    >>> spell(["cat", "<s>"], longest=4).tolist()
    [[259, 100, 98, 117, 260, 0], [259, 257, 260, 0, 0, 0]]
    """
    if longest < 1:
        raise ValueError(f"longest={longest}: keep at least one byte of a word")
    pieces = [word.encode("utf-8", "ignore")[:longest] for word in words]
    marks = np.array([_mark(word) for word in words], dtype=np.int64)
    sizes = np.where(marks > 0, 1, np.array([len(piece) for piece in pieces], dtype=np.int64))
    text = b"".join(piece.ljust(longest) for piece in pieces)
    inside = np.frombuffer(text, dtype=np.uint8).reshape(-1, longest).astype(np.int64) + SHIFT
    inside[:, 0] = np.where(marks > 0, marks, inside[:, 0])
    rows = np.pad(inside, ((0, 0), (1, 1)), constant_values=BEGIN_WORD)
    end, places = sizes[:, None] + 1, np.arange(longest + 2)
    rows = np.where(places < end, rows, np.where(places == end, END_WORD, PADDING))
    return torch.from_numpy(rows)


def _mark(word: str) -> int:
    """Return the id of the mark that spells the word, 0 for a word of bytes."""
    return {BEGIN: BEGIN_SENTENCE, END: END_SENTENCE}.get(word, 0)
