"""The directives `chapter-times` and `chapter-data`: what a chapter takes, read from the chapter.

Minutes come from the calls of `notebook.head` and `notebook.real_text` in its cells, exercises and
questions from its text, data sets from the records of its experiment. So a plan for a course cannot
say other times than the chapters do.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = ROOT / "src/nnlm2bert/corpora/registry.json"
EXERCISE = re.compile(r"^(?:#{3,4} Exercise\b|[`:]{3,}\{exercise(?:-start)?\})", re.MULTILINE)
TIMES = ("Chapter", "Reading", "Running", "Real text", "Exercises", "Questions")
DATA = ("Chapter", "Sets that its records were made from", "MB")


@dataclass(frozen=True)
class Facts:
    """What one chapter takes; times in minutes, on two cores."""

    page: str
    title: str
    question: str
    reading: int
    running: int
    real_text: int
    exercises: int
    questions: int


def read_chapter(path: Path) -> Facts:
    """Return the facts of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = [c for c in cells if c["cell_type"] == "code"]
    calls = dict(called for cell in code for called in calls_in("".join(cell["source"])))
    return Facts(
        page=f"notebooks/{path.stem}",
        title=prose.splitlines()[0].removeprefix("# ").split(":")[0],
        question=calls["head"]["question"],
        reading=calls["head"]["reading"],
        running=calls["head"]["running"],
        real_text=calls.get("real_text", {}).get("minutes_cpu", 0),
        exercises=len(EXERCISE.findall(prose)),
        questions=sum(questions_in(output) for c in code for output in c["outputs"]),
    )


def calls_in(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the calls of `notebook.head` and `notebook.real_text` with their literal arguments."""
    if "notebook.head(" not in source and "notebook.real_text(" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"head", "real_text"}:
            given = [word for word in node.keywords if isinstance(word.value, ast.Constant)]
            yield node.func.attr, {str(word.arg): word.value.value for word in given}


def questions_in(output: dict[str, Any]) -> int:
    """Return how many questions a cell's output asks."""
    html = "".join(output.get("data", {}).get("text/html", ""))
    return len(re.findall(r"<li>", html)) if 'class="nnlm-quiz"' in html else 0


def data_of(chapter: str) -> list[str]:
    """Return the data sets that the records of a chapter's experiment name, sorted."""
    folder = ROOT / "results" / chapter.partition("_")[2]
    records = (json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*/*/*.json"))
    return sorted({re.split(r"[/ ]", name)[0] for record in records for name in record["data"]})


def spoken(minutes: int) -> str:
    """Say a time of some minutes or hours."""
    hours = minutes / 60
    return f"{minutes} min" if minutes < 120 else f"{hours:.0f} h"


class ChapterTable(SphinxDirective):
    """A table with a row for each chapter that the book has."""

    headings: tuple[str, ...]

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        chapters = sorted(name for name in self.env.found_docs if name.startswith("notebooks/"))
        paths = [ROOT / f"{name}.ipynb" for name in chapters]
        for path in paths:
            self.env.note_dependency(str(path))
        facts = [read_chapter(path) for path in paths]
        lines = [row([self.link(one), *self.cells(one)]) for one in facts]
        head = nodes.thead("", row([nodes.Text(name) for name in self.headings]))
        body = nodes.tbody("", *lines, *self.closing(facts))
        columns = [nodes.colspec(colwidth=1) for _ in self.headings]
        group = nodes.tgroup("", *columns, head, body, cols=len(columns))
        return [nodes.table("", group, classes=["nnlm-chapters"])]

    def link(self, facts: Facts) -> nodes.Node:
        """Return a reference to the chapter under its short title."""
        parsed = self.parse_text_to_nodes(f"{{doc}}`{facts.title} </{facts.page}>`")
        return parsed[0].children[0]

    def cells(self, facts: Facts) -> list[nodes.Node]:
        """Return what stands behind the title."""
        raise NotImplementedError

    def closing(self, facts: list[Facts]) -> list[nodes.row]:
        """Return the rows that close the table."""
        return []


class ChapterTimes(ChapterTable):
    """Minutes to read and to run, and what there is to do."""

    headings = TIMES

    def cells(self, facts: Facts) -> list[nodes.Node]:
        """Return times and counts."""
        real = spoken(facts.real_text) if facts.real_text else ""
        texts = (spoken(facts.reading), spoken(facts.running), real)
        return [nodes.Text(text) for text in (*texts, str(facts.exercises), str(facts.questions))]


class ChapterData(ChapterTable):
    """The data sets of each chapter's experiment on real text, and how much that is."""

    headings = DATA

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.env.note_dependency(str(REGISTRY))
        return super().run()

    def cells(self, facts: Facts) -> list[nodes.Node]:
        """Return the names of the sets and their size together."""
        sizes = {
            entry["name"]: entry["total_bytes"]
            for entry in json.loads(REGISTRY.read_text(encoding="utf-8"))
        }
        names = data_of(Path(facts.page).name)
        listed = nodes.inline()
        for place, name in enumerate(names):
            listed += [nodes.Text(", ")] * (place > 0) + [nodes.literal("", name)]
        return [listed, nodes.Text(f"{sum(sizes[name] for name in names) / 1e6:.0f}")]


def row(contents: list[nodes.Node]) -> nodes.row:
    """Return one table row."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in contents))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("chapter-times", ChapterTimes)
    app.add_directive("chapter-data", ChapterData)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
