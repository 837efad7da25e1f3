"""The grid of chapter 8 says what the experiment says of its cells."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from nnlm2bert import diagrams_family_tree as diagrams
from nnlm2bert.experiments.family_tree import cells
from nnlm2bert.plots import stage_colour

SVG = "{http://www.w3.org/2000/svg}"


def test_every_cell_of_the_factorial_has_its_box():
    root = ET.fromstring(diagrams.grid().svg())
    assert len(list(root.iter(f"{SVG}rect"))) == len(cells.CELLS)


def test_the_historical_systems_stand_in_their_cells_and_colours():
    root = ET.fromstring(diagrams.grid().svg())
    boxes = [box.attrib for box in root.iter(f"{SVG}rect")]
    places = {
        text.text or "".join(text.itertext()): text.attrib for text in root.iter(f"{SVG}text")
    }
    for name in cells.HISTORICAL.values():
        x, y = (float(places[name][key]) for key in "xy")
        (box,) = [
            b
            for b in boxes
            if 0 < x - float(b["x"]) < float(b["width"])
            and 0 < y - float(b["y"]) < float(b["height"])
        ]
        assert box["fill"] == stage_colour(name)


def test_nothing_stands_in_the_cells_that_nobody_built():
    architecture, _, objective = cells.NOBODY_BUILT.partition("-")
    assert not [place for place in diagrams.BUILT if place[:2] == (architecture, objective)]
