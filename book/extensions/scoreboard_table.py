"""The directive `scoreboard`: the standings of all stages, from the records, at build time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnlm2bert.experiments.records import read_records
from nnlm2bert.experiments.standings import LABORATORY, by_arm, mean_table, task_tables

if TYPE_CHECKING:
    from nnlm2bert.experiments.records import Record
    from nnlm2bert.experiments.standings import Cell, Table

SCALE = "laptop"
NOTHING = "Nothing is recorded yet. `python -m nnlm2bert reproduce scoreboard` measures it."
MEASURES = {
    "accuracy": "accuracy, %",
    "F1": "F1 of spans, %",
    "Spearman": "Spearman's rank correlation, times 100",
    "mean": "times 100",
}
MINUS = "\N{MINUS SIGN}"


def name_of(arm: str) -> str:
    """Return how a row is called: its stage and what is done with the vectors."""
    stage, _, way = arm.partition("-")
    return f"{stage}, {way}" if way else "random start"


def points(value: float, signed: bool = False) -> str:
    """Return a share of 1 in points with one digit, with a true minus sign."""
    rounded = round(100 * value, 1) + 0.0  # no -0.0
    return f"{rounded:{'+' if signed else ''}.1f}".replace("-", MINUS)


def gain_of(cell: Cell) -> str:
    """Return the gain over the random start and its interval; empty where there is none."""
    if cell.gain is None:
        return ""
    low, high = (points(end, signed=True) for end in (cell.gain.low, cell.gain.high))
    return f"{points(cell.gain.estimate, signed=True)} ({low} to {high})"


def tally(records: list[Record]) -> str:
    """Return one sentence that says which rows rest on how many seeds."""
    told = (
        f"{name_of(arm)} ({len(found)} {'seed' if len(found) == 1 else 'seeds'})"
        for arm, found in by_arm(records).items()
    )
    return f"Recorded at scale {SCALE}: {'; '.join(told)}."


def title_of(table: Table) -> str:
    """Return a task's name without the place it belongs to, and how it is measured."""
    task = table.task.removeprefix(LABORATORY)
    return f"{task[0].upper()}{task[1:]} ({MEASURES[table.measure]})"


def number(cell: Cell | None) -> nodes.entry:
    """Return a cell: the score, and below it the gain."""
    entry = nodes.entry("", classes=["text-right"])
    if cell is not None:
        entry += nodes.paragraph("", points(cell.score))
        if gain := gain_of(cell):
            entry += nodes.paragraph("", "", nodes.emphasis("", gain))
    return entry


def rendered(table: Table) -> nodes.table:
    """Return a table of four columns: the row's name, then a column a number of labels."""
    head = nodes.row("", nodes.entry("", nodes.paragraph("", "Stage")))
    head += [
        nodes.entry("", nodes.paragraph("", f"{labels} labels"), classes=["text-right"])
        for labels in table.labels
    ]
    lines = [
        nodes.row(
            "",
            nodes.entry("", nodes.paragraph("", name_of(arm))),
            *(number(cells.get(labels)) for labels in table.labels),
        )
        for arm, cells in table.rows.items()
    ]
    columns = [nodes.colspec(colwidth=width) for width in (22, *(26 for _ in table.labels))]
    group = nodes.tgroup(
        "", *columns, nodes.thead("", head), nodes.tbody("", *lines), cols=len(columns)
    )
    return nodes.table("", nodes.title("", title_of(table)), group, classes=["nnlm-scoreboard"])


class Scoreboard(SphinxDirective):
    """Set the means, then a table for each task."""

    def run(self) -> list[nodes.Node]:
        """Return the tables in three sections, or a sentence where nothing is recorded."""
        records = read_records(experiment="scoreboard", scale=SCALE)
        if not records:
            return self.parse_text_to_nodes(NOTHING)
        tasks = task_tables(records)
        means = [mean_table(records, laboratory) for laboratory in (True, False)]
        return [
            *self.parse_text_to_nodes(tally(records)),
            section("On the whole", [table for table in means if table]),
            section("Laboratory", [t for t in tasks if t.task.startswith(LABORATORY)]),
            section("Real text", [t for t in tasks if not t.task.startswith(LABORATORY)]),
        ]


def section(title: str, tables: list[Table]) -> nodes.section:
    """Return some tables under a title."""
    name = f"scoreboard-{title.lower().replace(' ', '-')}"
    found = nodes.section(ids=[name], names=[name])
    found += nodes.title("", title)
    found += [rendered(table) for table in tables]
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("scoreboard", Scoreboard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
