"""Write the source cells of the chapters from ``src/``.

A source cell's first line names what it shows::

    # src: nnlm2bert/models/nnlm.py::NNLMConfig, NNLM

Everything below that line is a copy of these objects: classes, functions or constants at the top
of the file, or ``Class.method``. Ids, metadata and outputs of the cells stay as they are.

``python tools/sync_cells.py`` rewrites, ``--check`` only compares and exits 1 if a cell is stale.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sys
import textwrap
from pathlib import Path

from nbformat import NotebookNode

from canonical import ROOT, chapter_paths, read_notebook, render, write_text

HEADER = re.compile(r"# src: (?P<file>[\w./-]+\.py)::(?P<names>[\w., ]+)")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class SyncError(Exception):
    """A source cell names something that ``src/`` does not have."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is 1 where ``--check`` finds a stale cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    try:
        stale = sync(options.notebooks or chapter_paths(), write=not options.check)
    except SyncError as error:
        print(error, file=sys.stderr)
        return 1
    for line in stale:
        print(f"{line}: {'stale; run tools/sync.py' if options.check else 'rewritten'}")
    return 1 if stale and options.check else 0


def sync(notebooks: list[Path], write: bool, root: Path = ROOT) -> list[str]:
    """Compare the source cells of ``notebooks`` with ``root/src``; rewrite them if ``write``.

    Returns one line for each cell that was stale. Raises :class:`SyncError` if an object is gone.
    """
    stale = []
    for path in notebooks:
        notebook = read_notebook(path)
        found = [
            f"{path.name}, cell {cell.id} ({cell.source.splitlines()[0]})"
            for cell in notebook.cells
            if is_source_cell(cell) and refresh(cell, path, root)
        ]
        if found and write:
            write_text(path, render(notebook))
        stale += found
    return stale


def is_source_cell(cell: NotebookNode) -> bool:
    """Whether the first line says that the cell is a copy from ``src/``."""
    return cell.cell_type == "code" and cell.source.startswith("# src:")


def refresh(cell: NotebookNode, path: Path, root: Path) -> bool:
    """Bring one source cell up to date; true if it was stale."""
    header = cell.source.splitlines()[0].rstrip()
    try:
        current = f"{header}\n{shown(header, root / 'src')}"
    except SyncError as error:
        raise SyncError(f"{path.name}, cell {cell.id}: {error}") from None
    stale = cell.source != current
    cell.source = current
    return stale


def shown(header: str, source_folder: Path) -> str:
    """The code that a header line stands for."""
    match = HEADER.fullmatch(header)
    if match is None:
        raise SyncError(f"'{header}' is not of the form '# src: package/file.py::Name, Name'")
    file = source_folder / match["file"]
    if not file.is_file():
        raise SyncError(f"there is no file src/{match['file']}; correct the cell's first line")
    text = file.read_text(encoding="utf-8")
    names = [name.strip() for name in match["names"].split(",")]
    return join([extract(text, name, match["file"]) for name in names])


def join(parts: list[str]) -> str:
    """Definitions two blank lines apart, constants in a block."""
    text = parts[0]
    for before, part in itertools.pairwise(parts):
        block = before.count("\n") == part.count("\n") == 0
        text += ("\n" if block else "\n\n\n") + part
    return text


def extract(text: str, name: str, file: str) -> str:
    """The lines of one object, with its decorators and the comments inside it."""
    body = ast.parse(text).body
    for part in name.split("."):
        node = next((node for node in body if part in names_of(node)), None)
        if node is None:
            known = ", ".join(sorted(known for node in body for known in names_of(node)))
            raise SyncError(f"src/{file} has no '{name}'; it has {known or 'nothing'}")
        body = getattr(node, "body", [])
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def names_of(node: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    if isinstance(node, DEFINITIONS):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    assigns = isinstance(node, ast.Assign | ast.AnnAssign)
    return [target.id for target in targets if assigns and isinstance(target, ast.Name)]


if __name__ == "__main__":
    sys.exit(main())
