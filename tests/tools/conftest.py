"""The tools are scripts: their folder is made importable, and a small chapter is at hand."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in small: a module, a configuration, an address left empty, no chapter."""
    source = tmp_path / "src" / "nnlm2bert" / "models"
    source.mkdir(parents=True)
    (source / "small.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").write_text("title: T  # a comment\nhtml:\n  a: 1\n", "utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.nnlm2bert]\nrepository = ""\nbranch = "main"\n', encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def write_notebook():
    """Write a notebook of (kind, source) cells in canonical form and return its path."""
    from canonical import canonical, render, write_text

    kinds = {"markdown": new_markdown_cell, "code": new_code_cell}

    def write(path: Path, *cells: tuple[str, str]) -> Path:
        made = [kinds[kind](source, id=f"c{at}") for at, (kind, source) in enumerate(cells)]
        notebook = new_notebook(cells=made, nbformat=nbformat.v4.nbformat, nbformat_minor=5)
        write_text(path, render(canonical(notebook)))
        return path

    return write


MODULE = '''"""A module."""

import functools

LOW = 1
HIGH: int = 2


# a comment above
@functools.cache
def twice(x):
    """Twice x."""
    return 2 * x  # a comment inside


class Model:
    """A model."""

    @property
    def size(self):
        return HIGH
'''
