"""A new chapter has every section; the road's picture is the one that the code draws."""

from __future__ import annotations

import pytest

from canonical import ROOT, read_notebook
from chapter_rules import LAST_SECTIONS, headings, last_sections, set_up_first
from new_chapter import SECTIONS, create
from nnlm2bert.diagrams import road
from sync import sync


def test_a_new_chapter_has_the_sections_in_order(repository):
    path = create(repository, "02_word2vec", "word2vec (2013)")
    notebook = read_notebook(path)
    text = "\n".join(cell.source for cell in notebook.cells)
    places = [text.index(f"## {name}") for name in SECTIONS]
    assert places == sorted(places)
    assert headings(notebook) == last_sections(notebook) == set_up_first(notebook) == []
    assert all(any(word in name.lower() for name in SECTIONS) for word in LAST_SECTIONS)
    assert sync(repository, write=False) == []


@pytest.mark.parametrize("name", ["word2vec", "9_x", "09_x", "01_A b"])
def test_a_name_without_a_chapters_number_is_refused(repository, name):
    with pytest.raises(ValueError, match="00 to 08"):
        create(repository, name, "T")


def test_a_chapter_is_never_overwritten(repository):
    create(repository, "01_a", "T")
    with pytest.raises(FileExistsError, match="exists"):
        create(repository, "01_a", "T")


def test_the_road_in_the_book_is_the_one_drawn():
    picture = (ROOT / "book" / "assets" / "road.svg").read_text(encoding="utf-8")
    assert picture == road().svg() + "\n", "run tools/draw_road.py"
