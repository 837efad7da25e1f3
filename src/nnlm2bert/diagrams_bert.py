"""Diagrams of what BERT reads, in the language of `diagrams`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from nnlm2bert.diagrams import Drawing
from nnlm2bert.plots import stage_colour

STEP = 65
SEPARATOR = "[SEP]"


def inputs(
    tokens: Sequence[str] = ("[CLS]", "the", "[MASK]", "[SEP]", "it", "opens", "[SEP]"),
) -> Drawing:
    """Three vectors added up at each place: of the token, of its segment, of the place.

    Devlin et al. 2019, figure 2. A segment ends with its ``[SEP]``.
    """
    colour = stage_colour("BERT")
    segments = segments_of(tokens)
    drawing = Drawing(
        71 + STEP * len(tokens), 264, "What BERT reads", _description(tokens, segments)
    )
    rows = ("place", "segment", "token")
    for row, name in enumerate(rows):
        drawing.text(2, 62 + 56 * row, name, anchor="start")
    for place, (token, segment) in enumerate(zip(tokens, segments, strict=True)):
        x = 70 + STEP * place
        for row, label in enumerate((str(place), segment, token)):
            drawing.box(x, 46 + 56 * row, STEP - 5, 32, label, colour)
            if row:
                drawing.text(x + STEP / 2 - 2.5, 34 + 56 * row, "+", 18)
        drawing.text(x + STEP / 2 - 2.5, 246, token)
        drawing.arrow([(x + STEP / 2 - 2.5, 230), (x + STEP / 2 - 2.5, 196)])
        drawing.arrow([(x + STEP / 2 - 2.5, 42), (x + STEP / 2 - 2.5, 12)])
    return drawing


def segments_of(tokens: Sequence[str]) -> list[str]:
    """Return the segment of each token: A up to the first ``[SEP]``, then B."""
    ended = accumulate((token == SEPARATOR for token in tokens), initial=0)
    return ["AB"[min(1, count)] for count in list(ended)[:-1]]


def _description(tokens: Sequence[str], segments: Sequence[str]) -> str:
    return (
        f"The tokens {', '.join(tokens)} at the bottom. Above each of them stand three boxes with "
        "a plus between them: the vector of the token itself, the vector of its segment "
        f"({', '.join(segments)}), and the vector of its place, from 0 to {len(tokens) - 1}. An "
        "arrow leads from their sum up into the network."
    )
