"""What the chapters show beside figures: cards, tables, claims, quizzes.

Every function returns a :class:`Fragment`: HTML that needs no style sheet and no script, and the
same in plain text. The styles it brings weigh nothing, so that the book's own always win.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlm2bert.diagrams import STAGES
from nnlm2bert.plots import on, stage_colour

if TYPE_CHECKING:
    from nnlm2bert.experiments.claims import Row
    from nnlm2bert.experiments.records import Record

VERDICT_CLASSES = {
    "holds": "holds",
    "does not hold": "fails",
    "cannot tell at this scale": "unclear",
    "not yet measured": "open",
}
Best = Callable[[Iterable[float]], float]
LINE = "1px solid rgba(127, 127, 127, 0.45)"
STYLES = {
    "nnlm-head": f"border: {LINE}; border-radius: 6px; padding: 0.75rem 1rem; margin: 0.5rem 0",
    "nnlm-strip": "display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 0.4rem; "
    "list-style: none; margin: 0 0 0.75rem; padding: 0; font-size: 0.75rem; line-height: 1.3",
    "nnlm-strip li": "border-top: 3px solid rgba(127, 127, 127, 0.45); padding-top: 0.2rem; "
    "margin: 0; flex: 1 1 auto",
    "nnlm-strip li[aria-current]": "font-weight: 700",
    "nnlm-question": "font-size: 1.15rem; font-weight: 600; margin: 0 0 0.6rem",
    "nnlm-facts": "display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; "
    "margin: 0",
    "nnlm-facts dt": "font-weight: 600; margin: 0",
    "nnlm-facts dd": "margin: 0",
    "nnlm-claim": f"border: {LINE}; border-radius: 6px; padding: 0.75rem 1rem; margin: 0.75rem 0",
    "nnlm-claim > p": "margin: 0 0 0.5rem",
    "nnlm-claim-number": "font-weight: 700; margin-right: 0.25rem",
    "nnlm-claim a": "color: inherit; text-decoration: underline",
    "nnlm-chip": "display: inline-block; border: 1px solid transparent; border-radius: 1em; "
    "padding: 0 0.6em; font-size: 0.85em; font-weight: 600; white-space: nowrap",
    "nnlm-chip--holds": "background: #00664b; color: #fff",
    "nnlm-chip--fails": "background: #a34700; color: #fff",
    "nnlm-chip--unclear": "background: #5a6270; color: #fff",
    "nnlm-chip--open": "border-color: currentColor",
    "nnlm-table": "border-collapse: collapse; margin: 0.5rem 0",
    "nnlm-table caption": "text-align: left; font-weight: 600; padding-bottom: 0.3rem",
    "nnlm-table :is(th, td)": f"border-bottom: {LINE}; padding: 0.25rem 0.75rem 0.25rem 0; "
    "text-align: left; vertical-align: top",
    "nnlm-table .nnlm-number": "text-align: right; font-variant-numeric: tabular-nums",
    "nnlm-table tbody th": "font-weight: 400",
    "nnlm-table .nnlm-best": "font-weight: 700",
    "nnlm-bar": "display: inline-block; height: 0.6em; margin-right: 0.4em; "
    "background: currentColor; opacity: 0.45",
    "nnlm-quiz": "padding-left: 1.5rem",
    "nnlm-quiz > li": "margin-bottom: 1rem",
    "nnlm-quiz details": f"border: {LINE}; border-radius: 6px; padding: 0.3rem 0.75rem; "
    "margin: 0.3rem 0",
    "nnlm-quiz summary": "cursor: pointer",
    "nnlm-note": "border-left: 3px solid rgba(127, 127, 127, 0.6); padding: 0.1rem 0 0.1rem "
    "0.75rem; margin: 0.5rem 0; font-size: 0.9rem",
}
"""Declarations for the classes below, for where the book's style sheet is not at hand."""


@dataclass(frozen=True)
class Fragment:
    """A piece of a page, as HTML and as plain text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f"{_style_of(self.html)}{self.html}"

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Switch(Fragment):
    """A fragment that is true where the reader asked for the long run."""

    enabled: bool

    __repr__ = Fragment.__repr__

    def __bool__(self) -> bool:
        return self.enabled


@dataclass(frozen=True)
class Choice:
    """One answer of a quiz, whether it is right, and why."""

    answer: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question of a quiz with its choices."""

    text: str
    choices: Sequence[Choice]


def head(
    stage: str, question: str, reading: int, running: int, know: Sequence[str], year: str = ""
) -> Fragment:
    """The card that opens a chapter: the road with its stage lit, and what the reader should know.

    ``reading`` and ``running`` are minutes, the latter on two cores; ``year`` is the stage's unless
    given. The empty stage is the whole road, and needs a ``year``. Raises ``KeyError`` for an
    unknown stage.
    """
    if stage or not year:
        stage_colour(stage)
    facts = {
        "Year": year or next(s.year.replace("-", "\u2013") for s in STAGES if s.name == stage),
        "Reading": minutes(reading),
        "Running": f"{minutes(running)} on two cores, no download, no GPU",
        "You should know": "; ".join(know),
    }
    road = strip(stage)
    html = (
        f'<div class="nnlm-head">{road.html}<p class="nnlm-question">{inline(question)}</p>'
        f"{_facts_html(facts)}</div>"
    )
    return Fragment(html, "\n".join([road.text, question, *_facts_text(facts)]))


def strip(stage: str = "") -> Fragment:
    """A slim strip of the road, 2003 to 2018 in the order of the book, with one stage lit.

    Without a stage all are lit.
    """
    items = []
    for stop in STAGES:
        lit = stage in ("", stop.name)
        colour = f' style="border-top-color: {stage_colour(stop.name)}"' if lit else ""
        current = ' aria-current="true"' if stage and lit else ""
        year = stop.year.replace("-", "\u2013")
        items.append(f"<li{current}{colour}>{stop.name}<br>{year}</li>")
    names = [f"[{stop.name}]" if stop.name == stage else stop.name for stop in STAGES]
    label = "The road from NNLM to BERT"
    html = f'<ol class="nnlm-strip" aria-label="{label}">{"".join(items)}</ol>'
    return Fragment(html, " - ".join(names))


def claim_box(
    *numbers: int, evidence: Mapping[int, str] | None = None, results: Path | None = None
) -> Fragment:
    """The claims with these numbers: the sentence, the paper's figure, ours, and the verdict.

    Read from the ledger, and so from the records below ``results`` or where they are kept.
    ``evidence`` maps a number to the anchor of the cell or section that shows it. Raises
    ``KeyError`` for a number that the ledger does not have.
    """
    from nnlm2bert.experiments.claims import CLAIMS, ledger

    known = [claim.id for claim in CLAIMS]
    unknown = [number for number in numbers if number not in known]
    if unknown or not numbers:
        raise KeyError(f"the ledger has claims {known[0]} to {known[-1]}, not {unknown or 'none'}")
    rows = {row.id: row for row in ledger(results, numbers)}
    anchors = evidence or {}
    boxes = [_claim(rows[number], anchors.get(number, "")) for number in numbers]
    return Fragment("".join(b.html for b in boxes), "\n\n".join(b.text for b in boxes))


def verdict_chip(verdict: str) -> Fragment:
    """A verdict as a small label; raises ``KeyError`` for anything but the four verdicts."""
    kind = VERDICT_CLASSES[verdict]
    return Fragment(f'<span class="nnlm-chip nnlm-chip--{kind}">{verdict}</span>', f"[{verdict}]")


def stage_chip(stage: str, label: str = "") -> Fragment:
    """A label on a stage's colour, for tables; it says the stage's name unless given a label."""
    colour = stage_colour(stage)
    style = f"background: {colour}; color: {on(colour)}"
    name = label or stage
    return Fragment(f'<span class="nnlm-chip" style="{style}">{escape(name)}</span>', name)


def table(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    caption: str,
    digits: int = 2,
    best: Mapping[str, Best] | None = None,
) -> Fragment:
    """A small table whose first column names the rows.

    Numbers stand flush right, floats with ``digits`` decimals; fragments such as chips may stand
    in any cell; ``None`` is a dash. ``best`` maps a column to ``min`` or ``max``: the row that has
    it is bold. Raises ``ValueError`` where a row and the columns differ in number.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {tuple(row)!r} does not have {len(columns)} columns")
    marked = _best_cells(rows, columns, best or {})
    flush = [any(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    header = "".join(
        f'<th scope="col"{_classes(flush[place], False)}>{inline(name)}</th>'
        for place, name in enumerate(columns)
    )
    body = "".join(
        _row(row, flush, digits, [(at, place) in marked for place in range(len(columns))])
        for at, row in enumerate(rows)
    )
    html = (
        f'<table class="nnlm-table"><caption>{inline(caption)}</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
    )
    return Fragment(html, _table_text(rows, columns, caption, digits, flush))


def letters(rows: Sequence[tuple[str, str, str]], caption: str = "The paper's letters") -> Fragment:
    """The paper's letters beside the names in the code: rows of (letter, name in code, meaning)."""
    shown = [
        (
            Fragment(f"<i>{escape(letter)}</i>", letter),
            Fragment(f"<code>{escape(code)}</code>", code),
            meaning,
        )
        for letter, code, meaning in rows
    ]
    return table(shown, ("Letter", "In the code", "Meaning"), caption)


def next_words(
    context: str, predictions: Mapping[str, Sequence[tuple[str, float]]], digits: int = 3
) -> Fragment:
    """What models expect after ``context``: for each, its likeliest (word, probability) pairs.

    ``predictions`` maps the models' names to pairs, the likeliest first.
    """
    ranks = max(len(pairs) for pairs in predictions.values())
    rows = [
        [rank + 1, *(_guess(pairs, rank, digits) for pairs in predictions.values())]
        for rank in range(ranks)
    ]
    return table(rows, ("Rank", *predictions), f"After \u201c{context}\u201d")


def quiz(questions: Sequence[Question]) -> Fragment:
    """Questions whose every choice opens to say whether it is right, and why.

    Works without a script. Raises ``ValueError`` for a question without exactly one right choice,
    or with a choice that is not explained.
    """
    for question in questions:
        if len(question.choices) < 2 or sum(choice.right for choice in question.choices) != 1:
            raise ValueError(f"{question.text!r} needs one right choice and at least one wrong one")
        if not all(choice.why.strip() for choice in question.choices):
            raise ValueError(f"{question.text!r} has a choice that is not explained")
    html = f'<ol class="nnlm-quiz">{"".join(map(_question_html, questions))}</ol>'
    text = "\n\n".join(_question_text(place, q) for place, q in enumerate(questions, 1))
    return Fragment(html, text)


def record_note(records: Record | Sequence[Record]) -> Fragment:
    """Says that figures were not computed here but recorded: command, date, device, time, commit.

    Raises ``ValueError`` without records.
    """
    runs = list(records) if isinstance(records, Sequence) else [records]
    if not runs:
        raise ValueError("there is no record; make one with: python -m nnlm2bert reproduce")
    dates = sorted({run.date[:10] for run in runs})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    devices = " and ".join(sorted({f"{run.device} ({_threads(run.threads)})" for run in runs}))
    commits = ", ".join(sorted({run.commit[:7] for run in runs if run.commit})) or "unknown"
    count = f"{len(runs)} records" if len(runs) > 1 else "a record"
    text = (
        f"Not computed here: read from {count} (scale {_together(run.scale for run in runs)}) made "
        f"on {span} by `{_command(runs)}` in "
        f"{duration(sum(run.seconds for run in runs))} on {devices}; commit {commits}."
    )
    return _note(text)


def real_text(
    enabled: bool, minutes_cpu: int, minutes_t4: int | None = None, what: str = "text"
) -> Switch:
    """Says what the switch ``RUN_ON_REAL_TEXT`` does, and what it costs; true if it is on.

    ``minutes_cpu`` is on two cores, ``minutes_t4`` on the GPU that Colab lends; None if nobody has
    measured that. ``what`` is real, and the switch is named after it: "text" or "pictures".
    """
    cost = f"{minutes(minutes_cpu)} on two cores"
    if minutes_t4 is not None:
        cost += f", {minutes(minutes_t4)} on a Colab T4"
    text = (
        f"Running on real {what}, here and now: about {cost}; where there is a GPU, the next cell "
        "says whether it is used."
        if enabled
        else "What follows shows the record of this experiment. Set "
        f"`RUN_ON_REAL_{what.upper()} = True` to run it here: about {cost}, after a download."
    )
    note = _note(text)
    return Switch(note.html, note.text, enabled)


def minutes(count: int) -> str:
    """``1 minute``, ``40 minutes``, ``2 h 10 min``."""
    if count >= 120:
        return duration(60 * count)
    return f"{count} minute{'s' * (count != 1)}"


def duration(seconds: float) -> str:
    """Wall time as a reader says it: ``42 s``, ``7 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 120 else f"{whole // 60} h {whole % 60:02d} min"


def inline(text: str) -> str:
    """Plain text as HTML; `` `code` `` and ``*emphasis*`` are the only marks."""
    html = escape(text, quote=False)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html)


def _style_of(html: str) -> str:
    """The styles of the classes that occur, with no weight against those of a style sheet."""
    classes = {word for names in re.findall(r'class="([^"]+)"', html) for word in names.split()}
    used = [name for name in STYLES if set(re.findall(r"nnlm-[\w-]+", name)) <= classes]
    rules = " ".join(f":where(.{name}) {{ {STYLES[name]} }}" for name in used)
    return f"<style>{rules}</style>" if rules else ""


def _note(text: str) -> Fragment:
    return Fragment(f'<div class="nnlm-note">{inline(text)}</div>', text)


def _facts_html(facts: Mapping[str, str]) -> str:
    pairs = "".join(f"<dt>{name}</dt><dd>{inline(fact)}</dd>" for name, fact in facts.items())
    return f'<dl class="nnlm-facts">{pairs}</dl>'


def _facts_text(facts: Mapping[str, str]) -> list[str]:
    return [f"{name}: {fact}" for name, fact in facts.items()]


def _claim(row: Row, anchor: str) -> Fragment:
    """One claim as a quiet box."""
    chip = verdict_chip(row.verdict)
    facts = {"Paper": row.paper, "Criterion": row.criterion}
    if row.ours:
        facts["Ours"] = _measured(row)
    if row.note:
        facts["Note"] = row.note
    if row.record:
        facts["Record"] = f"`{row.record}`, scale {row.scale}"
    link = f' <a href="{escape(anchor)}">evidence</a>' if anchor else ""
    html = (
        f'<div class="nnlm-claim"><p><span class="nnlm-claim-number">{row.id}</span> '
        f"{inline(row.statement)} {chip.html}{link}</p>{_facts_html(facts)}</div>"
    )
    text = [f"Claim {row.id} {chip.text}: {row.statement}", *_facts_text(facts)]
    return Fragment(html, "\n".join(text))


def _measured(row: Row) -> str:
    """What was found, with its interval."""
    if row.interval is None or row.estimate is None:
        return row.ours
    low, high = row.interval
    ours = row.ours.rstrip(".")
    return f"{ours}; {row.quantity}: {row.estimate:.3f}, 95 % interval {low:.3f} to {high:.3f}"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _plain(value: Any, digits: int) -> str:
    """A cell's value as text."""
    if value is None:
        return "\u2013"
    if not _is_number(value):
        return str(value)
    return f"{value:,}" if isinstance(value, Integral) else f"{value:,.{digits}f}"


def _row(row: Sequence[Any], flush: Sequence[bool], digits: int, bold: Sequence[bool]) -> str:
    """One row of a table as HTML; its first cell is the row's header."""
    cells = []
    for place, value in enumerate(row):
        shown = value.html if isinstance(value, Fragment) else inline(_plain(value, digits))
        tag, scope = ("td", "") if place else ("th", ' scope="row"')
        cells.append(f"<{tag}{scope}{_classes(flush[place], bold[place])}>{shown}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _classes(flush: bool, bold: bool) -> str:
    names = " ".join(["nnlm-number"] * flush + ["nnlm-best"] * bold)
    return f' class="{names}"' if names else ""


def _best_cells(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    best: Mapping[str, Best],
) -> set[tuple[int, int]]:
    """The places (row, column) that hold the best number of their column."""
    cells = set()
    for name, choose in best.items():
        place = list(columns).index(name)
        numbers = {at: row[place] for at, row in enumerate(rows) if _is_number(row[place])}
        goal = choose(numbers.values())
        cells |= {(at, place) for at, number in numbers.items() if number == goal}
    return cells


def _table_text(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    caption: str,
    digits: int,
    flush: Sequence[bool],
) -> str:
    """The table in columns of characters, numbers flush right."""
    lines = [list(columns), *([_plain(value, digits) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, flush, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([caption, *texts])


def _guess(pairs: Sequence[tuple[str, float]], rank: int, digits: int) -> Fragment | None:
    """One guess: a bar as long as its probability, the word, the number."""
    if rank >= len(pairs):
        return None
    word, probability = pairs[rank]
    bar = f'<span class="nnlm-bar" style="width: {4 * probability:.2f}em"></span>'
    text = f"{word} {probability:.{digits}f}"
    return Fragment(f"{bar}{escape(word)} {probability:.{digits}f}", text)


def _question_html(question: Question) -> str:
    choices = "".join(
        f"<details><summary>{inline(choice.answer)}</summary>"
        f"<p><strong>{_mark(choice)}</strong> {inline(choice.why)}</p></details>"
        for choice in question.choices
    )
    return f"<li>{inline(question.text)}{choices}</li>"


def _question_text(place: int, question: Question) -> str:
    choices = [f"   - {c.answer} -> {_mark(c)} {c.why}" for c in question.choices]
    return "\n".join([f"{place}. {question.text}", *choices])


def _mark(choice: Choice) -> str:
    return "Right." if choice.right else "No."


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"


def _command(runs: Sequence[Record]) -> str:
    """The command that makes all of these records: their own if they share it, else a wider one."""
    if len({run.command for run in runs}) == 1:
        return runs[0].command
    seeds = " ".join(str(seed) for seed in sorted({run.seed for run in runs}))
    places = dict.fromkeys((run.experiment, run.scale) for run in runs)
    return ", ".join(
        f"python -m nnlm2bert reproduce {experiment} --scale {scale} --seeds {seeds}"
        for experiment, scale in places
    )


def _together(values: Iterable[str]) -> str:
    """The different values, in their order."""
    return ", ".join(dict.fromkeys(values))
