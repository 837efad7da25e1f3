"""The page of the scoreboard: what a cell says, and what stands there before there are records."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.standings import Cell, Table

PATH = Path(__file__).resolve().parents[2] / "book/extensions/scoreboard_table.py"


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    """The extension that sets the scoreboard."""
    specification = importlib.util.spec_from_file_location("scoreboard_table", PATH)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_cell_gives_score_gain_and_interval(extension: ModuleType) -> None:
    cell = Cell(0.81234, Interval(0.031, -0.0049, 0.0671))
    assert extension.number(cell).astext().split("\n\n") == ["81.2", "+3.1 (−0.5 to +6.7)"]
    assert extension.number(Cell(0.5, None)).astext() == "50.0"
    assert extension.number(None).astext() == ""


def test_nothing_is_less_than_nothing(extension: ModuleType) -> None:
    assert extension.points(-0.0002, signed=True) == "+0.0"
    assert extension.points(-0.0008, signed=True) == "−0.1"
    assert extension.points(0.99996) == "100.0"


def test_a_table_has_a_row_a_stage_and_a_column_a_number_of_labels(extension: ModuleType) -> None:
    rows = {
        "random": {"100": Cell(0.5, None)},
        "word2vec-frozen": {"100": Cell(0.6, Interval(0.1, 0.05, 0.15)), "all": Cell(0.9, None)},
    }
    found = extension.rendered(Table("laboratory word-sense", "accuracy", ("100", "all"), rows))
    lines = [
        [entry.astext() for entry in row.children]
        for row in found.findall(lambda node: node.tagname == "row")
    ]
    assert lines[0] == ["Stage", "100 labels", "all labels"]
    assert lines[1] == ["random start", "50.0", ""]
    assert lines[2] == ["word2vec, frozen", "60.0\n\n+10.0 (+5.0 to +15.0)", "90.0"]
    assert found.children[0].astext() == "Word-sense (accuracy, %)"


def test_every_measure_has_its_unit(extension: ModuleType) -> None:
    scoreboard = pytest.importorskip("nnlm2bert.transfer")
    used = {form.measure for form in scoreboard.TASKS.values()}
    assert used | {"mean"} == set(extension.MEASURES)
