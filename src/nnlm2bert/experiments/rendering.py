"""The ledger of claims as text for a terminal, as JSON and as Markdown."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby

from nnlm2bert.experiments.claims import CHAPTERS, Row


def as_json(rows: Sequence[Row]) -> str:
    """A list of objects, one a claim; what was not measured is null or empty."""
    return json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=2)


def as_text(rows: Sequence[Row]) -> str:
    """One paragraph a claim, as wide as the terminal but at most 100 columns."""
    width = min(100, shutil.get_terminal_size().columns)
    return "\n\n".join(_paragraph(row, width) for row in rows)


def as_markdown(rows: Sequence[Row]) -> str:
    """A heading and a table a chapter, in the order of the chapters."""
    sections = []
    in_order = sorted(rows, key=lambda row: (row.chapter, row.id))
    for chapter, members in groupby(in_order, key=lambda row: row.chapter):
        lines = [f"## {CHAPTERS[chapter]}", "", "| | claim | paper | ours | verdict |"]
        lines += ["|--:|---|---|---|---|", *map(_line, members)]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
}


def measured(row: Row) -> str:
    """What we measured, with the interval and what it rests on; empty if nothing."""
    if row.estimate is None or row.interval is None:
        return row.ours
    low, high = row.interval
    return (
        f"{row.ours}; {row.quantity}: {row.estimate:.3f}, 95 % interval {low:.3f} to {high:.3f} "
        f"({row.scale}: {row.note})"
    )


def _paragraph(row: Row, width: int) -> str:
    facts = {
        "paper": f"{row.paper} [{', '.join(row.citations)}]",
        "criterion": row.criterion,
        "ours": measured(row),
        "record": row.record or "",
        "note": "" if row.ours else row.note,
    }
    lines = [
        f"{row.id:>2}  {row.verdict.upper()}  ({row.chapter})",
        _wrap(row.statement, "", width),
    ]
    lines += [_wrap(fact, name, width) for name, fact in facts.items() if fact]
    return "\n".join(lines)


def _wrap(text: str, name: str, width: int) -> str:
    indent = " " * 4
    first = f"{indent}{name:<11}" if name else indent
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )


def _line(row: Row) -> str:
    cells = (str(row.id), row.statement, row.paper, measured(row), row.verdict)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
