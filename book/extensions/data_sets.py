"""The directive `data-sets`: a table of the data sets, made from their registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

REGISTRY = Path(__file__).resolve().parents[2] / "src/nnlm2bert/corpora/registry.json"
HEADINGS = ("Set", "What it is", "MB")


def read_registry() -> list[dict[str, Any]]:
    """Return the entries of the registry, in its order."""
    return json.loads(REGISTRY.read_text(encoding="utf-8"))


def megabytes(size: int) -> str:
    """Say a number of bytes in millions, with one digit where it matters."""
    millions = size / 1e6
    return f"{millions:.1f}" if millions < 10 else f"{millions:.0f}"


def cell(content: nodes.Node, number: bool = False) -> nodes.entry:
    """Return one table cell; numbers stand to the right."""
    paragraph = nodes.paragraph("", "", content)
    return nodes.entry("", paragraph, classes=["text-right"] if number else [])


def row(*cells: nodes.entry) -> nodes.row:
    """Return one table row."""
    return nodes.row("", *cells)


class DataSets(SphinxDirective):
    """List every data set with its size, and the sum."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.env.note_dependency(str(REGISTRY))
        entries = read_registry()
        head = nodes.thead("", row(*(cell(nodes.Text(text), text == "MB") for text in HEADINGS)))
        total = sum(entry["total_bytes"] for entry in entries)
        body = nodes.tbody("", *map(self.row, entries), self.sum(total))
        columns = [nodes.colspec(colwidth=width) for width in (20, 70, 10)]
        group = nodes.tgroup("", *columns, head, body, cols=len(columns))
        return [nodes.table("", group, classes=["nnlm-data"])]

    def row(self, entry: dict[str, Any]) -> nodes.row:
        """Return the row of one data set."""
        name = nodes.literal("", entry["name"])
        size = nodes.Text(megabytes(entry["total_bytes"]))
        return row(cell(name), cell(nodes.Text(entry["description"])), cell(size, number=True))

    def sum(self, total: int) -> nodes.row:
        """Return the closing row."""
        label = nodes.strong("", "all together")
        size = nodes.strong("", megabytes(total))
        return row(cell(label), cell(nodes.Text("")), cell(size, number=True))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("data-sets", DataSets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
