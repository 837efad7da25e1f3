"""Diagrams of what BERT reads and of what stands above it, in the language of `diagrams`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from nnlm2bert.diagrams import Drawing
from nnlm2bert.plots import stage_colour

STEP = 65
SEPARATOR = "[SEP]"
FAMILIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "labels for words": (("[CLS]", "Ada", "lives", "here", "[SEP]"), ("", "PER", "O", "O", "")),
    "one label": (("[CLS]", "a", "good", "film", "[SEP]"), ("positive", "", "", "", "")),
    "a pair": (("[CLS]", "it", "is", "[SEP]", "he", "was", "[SEP]"), ("neutral", *6 * ("",))),
    "a span": (
        ("[CLS]", "who", "?", "[SEP]", "Ada", "Byron", "[SEP]"),
        ("", "", "", "", "start", "end", ""),
    ),
}
"""What each family of tasks reads, and what is said at which place."""


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


def family(kind: str) -> Drawing:
    """One of `FAMILIES`: what is read, the network, and a linear layer where something is said.

    Devlin et al. 2019, figure 4. Raises ``ValueError`` for another kind.
    """
    if kind not in FAMILIES:
        raise ValueError(f"there is no family {kind!r}: choose one of {', '.join(FAMILIES)}")
    tokens, said = FAMILIES[kind]
    colour = stage_colour("BERT")
    width = STEP * len(tokens) + 60
    drawing = Drawing(width, 210, f"BERT: {kind}", _family_description(tokens, said))
    drawing.box(24, 108, width - 48, 44, "BERT", colour)
    for place, (token, label) in enumerate(zip(tokens, said, strict=True)):
        x = 30 + STEP * (place + 0.5)
        drawing.text(x, 196, token)
        drawing.arrow([(x, 182), (x, 154)])
        if label:
            drawing.arrow([(x, 108), (x, 78)])
            drawing.box(x - 26, 46, 52, 30, "linear", colour)
            drawing.arrow([(x, 46), (x, 24)])
            drawing.text(x, 12, label, font_style="italic")
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


def _family_description(tokens: Sequence[str], said: Sequence[str]) -> str:
    heads = ", ".join(
        f"{label} above {token}" for token, label in zip(tokens, said, strict=True) if label
    )
    return (
        f"The tokens {', '.join(tokens)} at the bottom go into one box, BERT. Above it, only where "
        f"something is said, stands a linear layer: {heads}."
    )
