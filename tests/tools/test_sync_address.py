"""One address, and every chapter's link, set-up cell and the book's buttons follow it."""

from __future__ import annotations

import re
import runpy
import shutil

import pytest
import yaml

from canonical import ROOT, chapter_paths, read_notebook
from new_chapter import create
from sync_address import SETUP, AddressError, read_address, sync

ADDRESS = "https://github.com/someone/some-book"


def set_address(root, address):
    project = root / "pyproject.toml"
    text = re.sub(r'repository = ".*"', f'repository = "{address}"', project.read_text("utf-8"))
    project.write_text(text, encoding="utf-8")


@pytest.fixture
def copy(repository):
    """The real chapters and configuration, if there are any, and a new chapter beside them."""
    for path in chapter_paths():
        shutil.copy(path, repository / "notebooks")
    if (ROOT / "_config.yml").is_file():
        shutil.copy(ROOT / "_config.yml", repository)
    create(repository, "08_sequel", "The sequel")
    return repository


def files(root):
    paths = [*(root / "notebooks").iterdir(), root / "_config.yml"]
    return {path.name: path.read_bytes() for path in paths}


def test_everything_follows_the_address(copy):
    set_address(copy, ADDRESS)
    sync(copy)
    for path in chapter_paths(copy):
        cells = read_notebook(path).cells
        link = f"https://colab.research.google.com/github/someone/some-book/blob/main/notebooks/{path.name}"
        assert f"**[Open in Colab]({link})**" in cells[0].source
        setup = next(cell.source for cell in cells if cell.source.startswith(SETUP))
        assert (
            f'%pip install --quiet --constraint kept.txt "nnlm2bert @ git+{ADDRESS}@main"' in setup
        )
    config = yaml.safe_load((copy / "_config.yml").read_text("utf-8"))
    assert config["repository"] == {"url": ADDRESS, "branch": "main"}
    assert config["launch_buttons"] == {"colab_url": "https://colab.research.google.com"}
    assert sync(copy, write=False) == []


def test_an_empty_address_brings_every_byte_back(copy):
    before = files(copy)
    assert sync(copy, write=False) == []
    set_address(copy, ADDRESS)
    assert set(sync(copy)) == set(before)
    set_address(copy, "https://github.com/another/place.git")
    sync(copy)
    assert ADDRESS.encode() not in b"".join(files(copy).values())
    set_address(copy, "")
    sync(copy)
    assert files(copy) == before


def test_without_an_address_the_setup_cell_says_what_to_do(copy, monkeypatch):
    notebook = read_notebook(copy / "notebooks" / "08_sequel.ipynb")
    setup = copy / "setup.py"
    setup.write_text(notebook.cells[1].source, encoding="utf-8")
    assert notebook.cells[1].source.startswith(SETUP)
    runpy.run_path(str(setup))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="make lab"):
        runpy.run_path(str(setup))


def test_an_address_that_colab_cannot_open_is_refused(repository):
    set_address(repository, "https://example.org/a/b")
    with pytest.raises(AddressError, match=r"https://example\.org/a/b.*github\.com/owner/name"):
        read_address(repository)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([("code", SETUP)], "first cell must be the title"),
        ([("markdown", "# T")], "one cell must begin with"),
        ([("markdown", "# T"), ("code", SETUP), ("code", SETUP)], "not 2"),
    ],
)
def test_a_chapter_without_a_place_for_the_address_is_refused(
    repository, write_notebook, cells, message
):
    write_notebook(repository / "notebooks" / "03_b.ipynb", *cells)
    with pytest.raises(AddressError, match=f"03_b.*{message}"):
        sync(repository)


def test_the_repository_itself_is_in_step():
    assert sync(ROOT, write=False) == []
