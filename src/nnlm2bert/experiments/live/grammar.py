"""The grammar of Pocket English as a small file: enough to compute every limit exactly.

Chances are whole multiples of 1 / 65,536 and are written as such. Many states emit the same words
with the same chances, and most that lead to different states do so with chances that others have,
too: such rows are written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnlm2bert.experiments.live.letters import spelled
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.synthetic.grammar import RESOLUTION, Chances

Row = tuple[tuple[int, ...], tuple[int, ...]]


def written(language: PocketEnglish) -> dict[str, Any]:
    """The language as JSON.

    ``words`` (V,); ``moves`` and ``says``: rows as in :func:`table`; ``row`` (S,), two letters:
    which row of ``says`` a state emits from; ``topic`` (S,), one letter: its place among
    ``topics``, their number for none. The last state is the end of a document.
    """
    grammar = language.grammar
    rows, which = distinct(entries(grammar.words))
    return {
        "words": " ".join(language.vocabulary),
        "resolution": RESOLUTION,
        "moves": table(entries(grammar.moves)),
        "says": table(rows),
        "row": spelled(np.array(which), 2),
        "topics": list(language.topics),
        "topic": spelled(language.state_labels["topic"], 1),
    }


def entries(chances: Chances) -> list[Row]:
    """Columns and counts of each row."""
    cuts = chances.offsets[1:-1]
    columns, counts = np.split(chances.columns, cuts), np.split(chances.counts, cuts)
    return [(tuple(a.tolist()), tuple(b.tolist())) for a, b in zip(columns, counts, strict=True)]


def distinct(rows: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The different ones, in the order of their first use, and which of them each is."""
    found: dict[Any, int] = {}
    which = [found.setdefault(row, len(found)) for row in rows]
    return list(found), which


def table(rows: list[Row]) -> dict[str, str]:
    """Rows of chances as letters.

    ``shares``: the different lists of counts one after the other, three letters a count, and
    ``lengths``, two letters for each list; ``which``, two letters: the list that a row has;
    ``columns``, two letters: those of its entries.
    """
    shares, which = distinct([counts for _, counts in rows])
    return {
        "lengths": spelled(np.array([len(counts) for counts in shares]), 2),
        "shares": spelled(np.concatenate(shares), 3),
        "which": spelled(np.array(which), 2),
        "columns": spelled(np.concatenate([columns for columns, _ in rows]), 2),
    }
