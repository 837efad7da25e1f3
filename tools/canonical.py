"""Notebooks in one canonical form, so that equal notebooks are equal files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
KEPT_CELL_METADATA = ("tags", "mystnb")
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


def chapter_paths(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks, in the order of their numbers."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def read_notebook(path: Path) -> NotebookNode:
    """Read one notebook as format 4; cells without an id get one from their place and text."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    if notebook.nbformat != 4:
        raise ValueError(f"{path}: notebook format {notebook.nbformat}; save it as format 4 first")
    notebook.nbformat_minor = 5
    for place, cell in enumerate(notebook.cells):
        if "id" not in cell:
            cell.id = hashlib.sha256(f"{place}\n{cell.source}".encode()).hexdigest()[:12]
    return notebook


def canonical(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with fixed metadata and with neighbouring stream outputs joined."""
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    return notebook


def join_streams(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring outputs of the same stream: where they were cut is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def render(notebook: NotebookNode) -> str:
    """The file's text: sorted keys, one space of indentation, a newline at the end."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a temporary neighbour takes the place of ``path``."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
