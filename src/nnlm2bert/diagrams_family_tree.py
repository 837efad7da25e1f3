"""The factorial of chapter 8 as a grid, in the language of `diagrams`."""

from __future__ import annotations

from nnlm2bert.diagrams import Drawing
from nnlm2bert.experiments.family_tree.cells import (
    ARCHITECTURES,
    HISTORICAL,
    OBJECTIVES,
    WAYS,
    Cell,
)
from nnlm2bert.plots import stage_colour

SHOWN = {"lstm": "LSTMs", "left-to-right": "from the left"}
"""Levels that are called otherwise in the drawing."""
BUILT = {Cell("lstm", "left-to-right", "tuned"): "ULMFiT", **HISTORICAL}
"""Who built a cell; stages of the road have their colour (ULMFiT: Howard & Ruder 2018)."""
WIDTH, HEIGHT, LEFT, TOP = 84, 44, 108, 58


def grid() -> Drawing:
    """Three objectives down, two architectures and two ways across; who built a cell."""
    drawing = Drawing(
        LEFT + len(ARCHITECTURES) * len(WAYS) * WIDTH + 14,
        TOP + len(OBJECTIVES) * (HEIGHT + 6) + 4,
        "Twelve ways of pre-training",
        _description(),
    )
    for place, architecture in enumerate(ARCHITECTURES):
        middle = LEFT + 10 * place + (2 * place + 1) * WIDTH
        drawing.text(middle, 14, SHOWN.get(architecture, architecture))
        for column, way in enumerate(WAYS):
            x = LEFT + (2 * place + column) * WIDTH + 10 * place
            drawing.text(x + WIDTH / 2, 40, way, font_style="italic")
            for row, objective in enumerate(OBJECTIVES):
                cell = Cell(architecture, objective, way)
                colour = stage_colour(HISTORICAL[cell]) if cell in HISTORICAL else ""
                y = TOP + row * (HEIGHT + 6)
                drawing.box(x + 2, y, WIDTH - 4, HEIGHT, BUILT.get(cell, ""), colour)
    for row, objective in enumerate(OBJECTIVES):
        y = TOP + row * (HEIGHT + 6) + HEIGHT / 2
        drawing.text(2, y, SHOWN.get(objective, objective), anchor="start")
    return drawing


def _description() -> str:
    cells = (
        f"{name}: {', '.join(SHOWN.get(level, level) for level in cell)}"
        for cell, name in BUILT.items()
    )
    return (
        "A grid. Down: from the left, two one-way, masked. Across: LSTMs frozen and tuned, "
        f"attention frozen and tuned. Four cells have a name. {'; '.join(cells)}. "
        "The other eight are empty; both cells of masked LSTMs are among them."
    )
