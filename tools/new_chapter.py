"""Start a chapter: ``python tools/new_chapter.py 02_word2vec --title "word2vec (2013)"``.

The notebook has the sections every chapter has, in their order, each with the question it answers;
the tests accept the chapter when all are written and executed.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from canonical import ROOT, canonical, render, write_text
from sync_address import read_address

SECTIONS = {
    "What was missing": "What could the model before not do? Take up its last measurement.",
    "The idea": "One idea, in a sentence and a drawing.",
    "The maths": "In the paper's letters, with the table letter = name in code.",
    "Build it": "Piece by piece, each piece tried at once.",
    "The laboratory": "On Pocket English, against the limit.",
    "Real text": "The paper's experiment at reduced scale, beside the paper's numbers.",
    "Claims": "What the history says, and what we found.",
    "What it cannot do": "Measured; it is why the next chapter exists.",
    "Exercises": "At least five, each with a hidden, executed solution.",
    "Quiz": "Short; every choice is explained.",
    "Sources": "The papers, and what was later refuted.",
}
STAGES = ("images", "NNLM", "word2vec", "ELMo", "Transformer", "GPT", "BERT", "BERT", "BERT")
HEAD = """from nnlm2bert import notebook, plots

plots.use_style()
notebook.head(
    "{stage}",
    question="{title}?",
    reading=45,
    running=2,
    know=["Python and a little PyTorch"],
)"""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; an existing chapter is never overwritten."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="number and name, such as 02_word2vec")
    parser.add_argument("--title", required=True)
    options = parser.parse_args(arguments)
    try:
        path = create(ROOT, options.name, options.title)
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path.relative_to(ROOT)}: write it, then run tools/run_notebooks.py")
    return 0


def create(root: Path, name: str, title: str) -> Path:
    """Write the frame of a chapter below ``root`` and return its path.

    Raises ``ValueError`` for a name without a chapter's number, ``FileExistsError`` for one taken.
    """
    if not re.fullmatch(r"0[0-8]_[a-z0-9_]+", name):
        raise ValueError(f"'{name}' is not a number from 00 to 08, an underscore and a name")
    path = root / "notebooks" / f"{name}.ipynb"
    if path.exists():
        raise FileExistsError(f"{path} exists; edit it, or remove it first")
    path.parent.mkdir(exist_ok=True)
    write_text(path, render(canonical(frame(root, path, title))))
    return path


def frame(root: Path, path: Path, title: str) -> NotebookNode:
    """Title, set-up, head card, sections."""
    address = read_address(root)
    stage = STAGES[int(path.name[:2])]
    cells = [
        new_markdown_cell(f"# {title}{address.badge(path.name)}"),
        new_code_cell(address.setup_cell(), metadata={"tags": ["hide-input"]}),
        new_code_cell(HEAD.format(stage=stage, title=title), metadata={"tags": ["remove-input"]}),
        *(new_markdown_cell(f"## {name}\n\n{ask}") for name, ask in SECTIONS.items()),
    ]
    for place, cell in enumerate(cells):
        cell.id = f"{path.stem}-{place:02d}"
    return new_notebook(cells=cells, nbformat=nbformat.v4.nbformat, nbformat_minor=5)


if __name__ == "__main__":
    sys.exit(main())
