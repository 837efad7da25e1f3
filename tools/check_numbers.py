"""Hold the numbers in the prose against the records they come from.

A number that a recorded experiment measured carries a comment right behind it, which readers do
not see::

    The network reaches 262<!-- record: nnlm/laptop/MLP9 test perplexity .0f -->, a ratio of
    .86<!-- claim: 5 estimate .2f --> that **holds**<!-- claim: 5 verdict -->.

``record: EXPERIMENT/SCALE/ARM FIGURE [STATISTIC] FORMAT`` is a figure of the records, over their
seeds: ``mean`` (the default), ``min``, ``max`` or ``sd``. ``ARM:OTHER`` is the ratio of two arms.
Beside the figures there are ``seconds``, ``minutes`` and ``hours`` of a run, and ``seeds``, how
many there are. ``claim: ID FIELD FORMAT`` is ``estimate``, ``low`` or ``high`` of the ledger, and
``claim: ID verdict`` the verdict. FORMAT is Python's. ``.86`` and ``0.86`` are the same, and so
are ``1,177`` and ``1177``, ``14 %`` and ``14%``.

``python tools/check_numbers.py`` exits 1 if a number differs; ``--fix`` writes the right ones.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from canonical import ROOT, write_text
from nnlm2bert.experiments.claims import Row, ledger
from nnlm2bert.experiments.records import Record, read_records

MARKER = re.compile(r"<!--\s*(?P<kind>record|claim):\s*(?P<body>[^>]*?)\s*-->")
RECORD = re.compile(r"([\w.+-]+)/(\w+)/([\w.+:-]+) (\S.*?)(?: (mean|min|max|sd))? (\S+)")
CLAIM = re.compile(r"(\d+) (?:(verdict)|(estimate|low|high) (\S+))")
SIGN = r"(?:(?<![\w.,)])[-−])?"
DIGITS = r"(?:(?<![\d.,])\d[\d,]*(?:\.\d+)?|(?<![\d.,])\.\d+)"
CLOSING = r"[\s*_$]*%?[\s*_$]*"
NUMBER = re.compile(f"(?P<number>{SIGN}{DIGITS}){CLOSING}$")
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "min": min,
    "max": max,
    "sd": stdev,
}
FILES = ("README.md", "book/**/*.md", "notebooks/*.ipynb")


class MarkerError(Exception):
    """A comment that cannot be read, or names what is not recorded."""


@dataclass(frozen=True)
class Problem:
    """A number that differs from its record: `start` to `end` of the text should be `right`."""

    line: int
    message: str
    start: int = 0
    end: int = 0
    right: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What numbers are held against."""

    records: Sequence[Record]
    rows: Sequence[Row]

    def value(self, kind: str, body: str) -> str:
        """The text that has to stand before a comment; raises `MarkerError`."""
        return self._claimed(body) if kind == "claim" else self._recorded(body)

    def _recorded(self, body: str) -> str:
        found = RECORD.fullmatch(body)
        if not found:
            raise MarkerError("write: record: EXPERIMENT/SCALE/ARM FIGURE [STATISTIC] FORMAT")
        experiment, scale, arms, figure, statistic, spec = found.groups()
        first, *others = (
            self._statistic((experiment, scale, arm), figure, statistic or "mean")
            for arm in arms.split(":")
        )
        return _format(first / others[0] if others else first, spec)

    def _statistic(self, place: tuple[str, str, str], figure: str, statistic: str) -> float:
        own = [r for r in self.records if (r.experiment, r.scale, r.arm) == place]
        if not own:
            raise MarkerError(f"nothing is recorded for {'/'.join(place)}")
        figures = [_figures(record, len(own)) for record in own]
        if any(figure not in known for known in figures):
            raise MarkerError(f"no figure '{figure}'; there are: {', '.join(figures[0])}")
        if statistic == "sd" and len(own) < 2:
            raise MarkerError("one seed has no standard deviation")
        return STATISTICS[statistic]([known[figure] for known in figures])

    def _claimed(self, body: str) -> str:
        found = CLAIM.fullmatch(body)
        row = next((row for row in self.rows if found and row.id == int(found[1])), None)
        if row is None:
            raise MarkerError("write: claim: ID estimate|low|high FORMAT, or: claim: ID verdict")
        if found[2]:
            return row.verdict
        low, high = row.interval or (None, None)
        value = {"estimate": row.estimate, "low": low, "high": high}[found[3]]
        if value is None:
            raise MarkerError(f"claim {row.id} has no {found[3]}: {row.verdict}")
        return _format(value, found[4])


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is 1 where a number is wrong and stays so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: README, book and chapters")
    parser.add_argument("--fix", action="store_true", help="write the right numbers")
    options = parser.parse_args(arguments)
    evidence = Evidence(read_records(), ledger())
    problems = []
    for path in options.files or prose_files():
        text = path.read_text(encoding="utf-8")
        found = check(text, evidence)
        if options.fix and any(problem.right for problem in found):
            write_text(path, fixed(text, found))
            found = [problem for problem in found if problem.right is None]
        problems += [f"{path}:{problem.line}: {problem.message}" for problem in found]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


def prose_files(root: Path = ROOT) -> list[Path]:
    """Everything that is read as prose."""
    return [path for pattern in FILES for path in sorted(root.glob(pattern))]


def check(text: str, evidence: Evidence) -> list[Problem]:
    """Hold every marked number of a text, Markdown or a stored notebook, to `evidence`."""
    found = (_compare(text, marker, evidence) for marker in MARKER.finditer(text))
    return [problem for problem in found if problem]


def fixed(text: str, problems: Sequence[Problem]) -> str:
    """The text with the right numbers, for those problems that have one."""
    for problem in sorted(problems, key=lambda problem: problem.start, reverse=True):
        if problem.right is not None:
            text = text[: problem.start] + problem.right + text[problem.end :]
    return text


def _compare(text: str, marker: re.Match[str], evidence: Evidence) -> Problem | None:
    line = text.count("\n", 0, marker.start()) + 1
    try:
        right = evidence.value(marker["kind"], marker["body"])
    except MarkerError as error:
        return Problem(line, f"{marker[0]}: {error}")
    begin = max(0, marker.start() - 60)
    before = text[begin : marker.start()]
    if marker["body"].endswith("verdict"):
        written = before.rstrip(" *_`")
        return None if written.endswith(right) else Problem(line, f"{marker[0]}: {right}")
    number = NUMBER.search(before)
    if number is None:
        return Problem(line, f"{marker[0]}: no number right before it")
    if _plain(number["number"]) == _plain(right):
        return None
    start, end = (begin + place for place in number.span("number"))
    return Problem(line, f"{marker[0]}: {number['number']} should be {right}", start, end, right)


def _figures(record: Record, seeds: int) -> dict[str, float]:
    hours = record.seconds / 3600
    times = {"seconds": record.seconds, "minutes": 60 * hours, "hours": hours, "seeds": seeds}
    return times | record.figures


def _format(value: float, spec: str) -> str:
    try:
        return format(value, spec).removesuffix("%")
    except ValueError as error:
        raise MarkerError(f"'{spec}' is no format: {error}") from error


def _plain(number: str) -> str:
    """A number without what may be written or not: `0` before the point, commas, long minus."""
    return re.sub(r"^(-?)0(?=\.)", r"\1", number.replace(",", "").replace("−", "-"))


if __name__ == "__main__":
    sys.exit(main())
