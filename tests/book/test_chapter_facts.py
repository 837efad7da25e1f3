"""The tables for teachers say what the chapters say."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
CELLS = [
    ("markdown", "# NNLM (2003): words\n\n```{exercise}\n:label: a\n```\n### Exercise 2\n"),
    ("code", "notebook.head(\n    'NNLM', question='?', reading=45, running=2, know=['x'])"),
    ("code", "real = notebook.real_text(RUN_ON_REAL_TEXT, minutes_cpu=150)"),
]
QUIZ = '<ol class="nnlm-quiz"><li>a?<details></details></li><li>b?</li></ol>'


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    """The extension that makes the tables."""
    path = ROOT / "book/extensions/chapter_facts.py"
    specification = importlib.util.spec_from_file_location("chapter_facts", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "chapter_facts", module)
        specification.loader.exec_module(module)
    return module


def test_facts_are_read_from_the_cells(extension: ModuleType, tmp_path: Path) -> None:
    cells = [{"cell_type": kind, "source": [text], "outputs": []} for kind, text in CELLS]
    cells.append({"cell_type": "code", "source": "", "outputs": [{"data": {"text/html": QUIZ}}]})
    path = tmp_path / "01_nnlm.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    found = extension.read_chapter(path)
    assert found == extension.Facts("notebooks/01_nnlm", "NNLM (2003)", "?", 45, 2, 150, 2, 2)
    assert [extension.spoken(minutes) for minutes in (1, 90, 240)] == ["1 min", "90 min", "4 h"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("0*.ipynb")), ids=lambda path: path.stem
)
def test_every_chapter_says_what_it_takes(extension: ModuleType, path: Path) -> None:
    facts = extension.read_chapter(path)
    assert 10 <= facts.reading <= 120 and 1 <= facts.running <= 15
    assert facts.exercises >= 5 and facts.questions >= 3


def test_data_of_a_chapter_are_sets_of_the_registry(extension: ModuleType) -> None:
    text = (ROOT / "src/nnlm2bert/corpora/registry.json").read_text(encoding="utf-8")
    known = {entry["name"] for entry in json.loads(text)}
    assert extension.data_of("01_nnlm") == ["brown"]
    named = {n for p in (ROOT / "notebooks").glob("0*.ipynb") for n in extension.data_of(p.stem)}
    assert named <= known
    assert extension.data_of("01_no_such_chapter") == []
