"""Diagrams of attention, of a block, and of stacks of blocks, in the language of `diagrams`."""

from __future__ import annotations

from collections.abc import Sequence

from nnlm2bert.diagrams import Drawing
from nnlm2bert.plots import stage_colour

WIDTH = 520
SHARES = (0.08, 0.62, 0.22, 0.08)
"""Weights of the four places in the drawing of attention."""


def attention(words: Sequence[str] = ("the", "keys", "by", "doors")) -> Drawing:
    """One query beside the keys of four words, the weights that come of it, and the mixed values.

    Vaswani et al. 2017, figure 2, left. Raises ``ValueError`` for another number of words.
    """
    if len(words) != len(SHARES):
        raise ValueError(f"{len(words)} words: the drawing has room for {len(SHARES)}")
    colour = stage_colour("Transformer")
    drawing = Drawing(WIDTH, 396, "Attention", _attention_description(words))
    columns = [180 + 96 * place for place in range(len(words))]
    drawing.cells(16, 268, 72, 4, colour)
    drawing.text(52, 312, "query *q*")
    for x, word, share in zip(columns, words, SHARES, strict=True):
        drawing.text(x, 380, word, font_style="italic")
        drawing.cells(x - 36, 326, 72, 4, colour)
        drawing.cells(x - 36, 268, 72, 4, colour)
        drawing.box(x - 10, 228 - 90 * share, 20, 90 * share, "", colour)
        drawing.text(x, 244, f"{share:.2f}")
        drawing.line([(x, 222 - 90 * share), (x, 112), (324, 84)])
    drawing.text(512, 277, "*k*")
    drawing.text(512, 335, "*v*")
    drawing.arrow([(94, 277), (138, 277)])
    drawing.text(80, 190, "softmax of")
    drawing.text(80, 210, "*q* \u00b7 *k* / \u221a*d*")
    drawing.arrow([(324, 84), (324, 48)])
    drawing.cells(288, 28, 72, 4, colour)
    drawing.text(324, 12, "the sum of all *v*, so weighted")
    return drawing


def block(norm: str = "post") -> Drawing:
    """A block: attention and a feed-forward layer, each with a residual and a norm.

    ``norm``: "post", after the sum, or "pre", before each part. Raises ``ValueError`` for another.
    """
    if norm not in ("post", "pre"):
        raise ValueError(f"the norms stand 'post' or 'pre', not {norm!r}")
    colour = stage_colour("Transformer")
    drawing = Drawing(300, 452, f"A block, {norm}-norm", _block_description(norm))
    drawing.text(150, 440, "vectors of all places")
    bottom = 424.0
    for part in ("attention", "feed forward"):
        bottom = _part(drawing, part, norm, bottom, colour)
    drawing.arrow([(150, bottom), (150, 26)])
    drawing.text(150, 12, "new vectors of all places")
    return drawing


def stack(
    words: Sequence[str] = ("the", "bank", "opens", "at"),
    causal: bool = True,
    stage: str = "Transformer",
    said: Sequence[str] = (),
) -> Drawing:
    """Two blocks over four words, with a line from each place to every place that it sees.

    ``said`` stands above the places: what the network predicts there, if anything.
    """
    colour = stage_colour(stage)
    drawing = Drawing(WIDTH, 440, stage, _stack_description(words, causal, said))
    columns = [80 + 120 * place for place in range(len(words))]
    for row, label in enumerate(("E + P", "block 1", "block 2")):
        top = 336 - 130 * row
        for place, x in enumerate(columns):
            if row:
                seen = columns[: place + 1] if causal else columns
                for source in seen:
                    drawing.line([(source, top + 130), (x, top + 40)], colour)
            drawing.box(x - 50, top, 100, 40, "", colour)
            drawing.text(x, top + 20, label)
    for place, (x, word) in enumerate(zip(columns, words, strict=True)):
        drawing.text(x, 426, word)
        drawing.arrow([(x, 412), (x, 376)])
        drawing.arrow([(x, 76), (x, 44)])
        if place < len(said):
            drawing.text(x, 26, said[place], font_style="italic")
    return drawing


def _part(drawing: Drawing, name: str, norm: str, bottom: float, colour: str) -> float:
    """One part with its residual and its norm; returns where the next one begins."""
    first, second = ("norm", name) if norm == "pre" else (name, "norm")
    drawing.line([(150, bottom), (150, bottom - 14), (250, bottom - 14)])
    if norm == "pre":
        drawing.arrow([(150, bottom - 14), (150, bottom - 32)])
        drawing.box(90, bottom - 66, 120, 34, first, colour)
        drawing.arrow([(150, bottom - 66), (150, bottom - 84)])
        drawing.box(90, bottom - 118, 120, 34, second, colour)
        drawing.arrow([(250, bottom - 14), (250, bottom - 146), (160, bottom - 146)])
        drawing.arrow([(150, bottom - 118), (150, bottom - 137)])
        drawing.text(150, bottom - 146, "+", 20)
        drawing.line([(150, bottom - 156), (150, bottom - 186)])
    else:
        drawing.arrow([(150, bottom - 14), (150, bottom - 32)])
        drawing.box(90, bottom - 66, 120, 34, first, colour)
        drawing.arrow([(150, bottom - 66), (150, bottom - 85)])
        drawing.arrow([(250, bottom - 14), (250, bottom - 94), (160, bottom - 94)])
        drawing.text(150, bottom - 94, "+", 20)
        drawing.arrow([(150, bottom - 104), (150, bottom - 122)])
        drawing.box(90, bottom - 156, 120, 34, second, colour)
        drawing.line([(150, bottom - 156), (150, bottom - 186)])
    return bottom - 186


def _attention_description(words: Sequence[str]) -> str:
    shares = ", ".join(f"{w} {share:.2f}" for w, share in zip(words, SHARES, strict=True))
    return (
        "A query vector at the left is compared with the keys of four words. A softmax of the "
        f"products gives each word a weight: {shares}. The values of the words, so weighted, are "
        "added up to one vector."
    )


def _block_description(norm: str) -> str:
    if norm == "pre":
        return (
            "From the bottom: a norm, attention, and a plus where what came in is added; then a "
            "norm, a feed-forward layer, and again a plus. The way around the parts has no norm."
        )
    return (
        "From the bottom: attention, a plus where what came in is added, a norm; then a "
        "feed-forward layer, a plus and a norm."
    )


def _stack_description(words: Sequence[str], causal: bool, said: Sequence[str]) -> str:
    sees = "itself and all places left of it" if causal else "all places"
    above = f" Above the places stands what is predicted: {', '.join(said)}." if said else ""
    return (
        f"The words {', '.join(words)} at the bottom, each with a box for token plus position and "
        f"two boxes for blocks above it. In each block a place is joined to {sees} of the row "
        f"below.{above}"
    )
