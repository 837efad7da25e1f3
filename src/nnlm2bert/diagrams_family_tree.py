"""The factorial of chapter 8 as a grid, in the language of `diagrams`."""

from __future__ import annotations

from collections.abc import Mapping

from nnlm2bert.diagrams import Drawing
from nnlm2bert.plots import stage_colour

ROWS: Mapping[str, str] = {
    "left-to-right": "from the left",
    "two one-way": "two one-way",
    "masked": "masked",
}
COLUMNS: Mapping[tuple[str, str], str] = {
    ("lstm", "frozen"): "frozen",
    ("lstm", "tuned"): "tuned",
    ("attention", "frozen"): "frozen",
    ("attention", "tuned"): "tuned",
}
BUILT: Mapping[tuple[str, str, str], tuple[str, str]] = {
    ("lstm", "left-to-right", "tuned"): ("ULMFiT", ""),
    ("lstm", "two one-way", "frozen"): ("ELMo", "ELMo"),
    ("attention", "left-to-right", "tuned"): ("GPT", "GPT"),
    ("attention", "masked", "tuned"): ("BERT", "BERT"),
}
"""Who built a cell, by architecture, objective and way, and whose colour it has.

Howard & Ruder (2018); Peters et al. (2018); Radford et al. (2018); Devlin et al. (2018). The three
with a colour are those of `cells.HISTORICAL`.
"""
WIDTH, HEIGHT, LEFT, TOP = 84, 44, 108, 58


def grid() -> Drawing:
    """Three objectives down, two architectures and two ways across; who built a cell."""
    drawing = Drawing(
        LEFT + len(COLUMNS) * WIDTH + 14,
        TOP + len(ROWS) * (HEIGHT + 6) + 4,
        "Twelve ways of pre-training",
        _description(),
    )
    for place, architecture in enumerate(("LSTMs", "attention")):
        drawing.text(LEFT + 10 * place + (2 * place + 1) * WIDTH, 14, architecture)
    for column, ((architecture, way), label) in enumerate(COLUMNS.items()):
        x = LEFT + column * WIDTH + 10 * (column > 1)
        drawing.text(x + WIDTH / 2, 40, label, font_style="italic")
        for row, objective in enumerate(ROWS):
            name, stage = BUILT.get((architecture, objective, way), ("", ""))
            y = TOP + row * (HEIGHT + 6)
            colour = stage_colour(stage) if stage else ""
            drawing.box(x + 2, y, WIDTH - 4, HEIGHT, name, colour)
    for row, label in enumerate(ROWS.values()):
        drawing.text(2, TOP + row * (HEIGHT + 6) + HEIGHT / 2, label, anchor="start")
    return drawing


def _description() -> str:
    cells = (
        f"{name}: {'LSTMs' if architecture == 'lstm' else architecture}, {ROWS[objective]}, {way}"
        for (architecture, objective, way), (name, _) in BUILT.items()
    )
    return (
        "A grid. Down: from the left, two one-way, masked. Across: LSTMs frozen and tuned, "
        f"attention frozen and tuned. Four cells have a name. {'; '.join(cells)}. "
        "The other eight are empty; both cells of masked LSTMs are among them."
    )
