"""The scoreboard's tables, from records alone: neither torch nor numpy is needed.

Every row is held against the one that begins at random. The gain comes with its interval, paired
by block of test examples and by seed, as a seed's labels are the same for all rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, Measured, contrast
from nnlm2bert.experiments.records import Record

BASELINE = "random"
RESAMPLES = 500
LABORATORY = "laboratory "
"""What the names of the laboratory's tasks begin with."""

Group = Mapping[str, Sequence[float]]
Seeds = Mapping[int, Group]


@dataclass(frozen=True)
class Cell:
    """A score from 0 to 1, and what it gains over the row that begins at random (None there)."""

    score: float
    gain: Interval | None


@dataclass(frozen=True)
class Table:
    """One task, or the mean of several: a row a stage and way, a column a number of labels."""

    task: str
    measure: str
    labels: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]


def task_tables(records: Sequence[Record]) -> list[Table]:
    """Return a table for each task, in the order of the records' groups."""
    arms = by_arm(records)
    names = list(dict.fromkeys(name for record in records for name in record.groups))
    columns = defaultdict(dict)
    for name in names:
        task, _, labels = name.rpartition(" ")
        columns[task][labels] = {
            arm: {record.seed: record.groups[name] for record in found if name in record.groups}
            for arm, found in arms.items()
        }
    return [_table(task, measure_of(records, task), column) for task, column in columns.items()]


def mean_table(records: Sequence[Record], laboratory: bool) -> Table | None:
    """Return the mean over the tasks of the laboratory, or of real text; None without any.

    Every task counts alike, whatever it is measured by. Only rows with all of the tasks are there.
    """
    arms = by_arm(records)
    names = dict.fromkeys(name for record in records for name in record.groups)
    chosen = [name for name in names if name.startswith(LABORATORY) == laboratory]
    sizes = dict.fromkeys(name.rpartition(" ")[2] for name in chosen)
    columns = {}
    for size in sizes:
        wanted = [name for name in chosen if name.rpartition(" ")[2] == size]
        columns[size] = {
            arm: {r.seed: mean_group([r.groups[name] for name in wanted]) for r in found}
            for arm, found in arms.items()
            if all(name in record.groups for record in found for name in wanted)
        }
    where = "the laboratory" if laboratory else "real text"
    return _table(f"Mean over the tasks of {where}", "mean", columns) if columns else None


def by_arm(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of each row: first the one that begins at random, then by name."""
    found = defaultdict(list)
    for record in sorted(records, key=lambda r: (r.arm != BASELINE, *place(r.arm), r.seed)):
        found[record.arm].append(record)
    return dict(found)


STAGES = ("random", "NNLM", "CBOW", "word2vec", "ELMo", "Transformer", "GPT", "BERT")
WAYS = ("frozen", "beside", "tuned")


def up_to(records: Iterable[Record], last: str) -> list[Record]:
    """Return the records of the rows that stand on the road up to a stage, that one included.

    A chapter shows these: rows that later chapters add never change it. Raises ValueError if there
    is no such stage.
    """
    if last not in STAGES:
        raise ValueError(f"{last!r} is not a stage: take one of {', '.join(STAGES)}")
    return [record for record in records if place(record.arm)[0] <= STAGES.index(last)]


def place(arm: str) -> tuple[int, int, str]:
    """Return where a row stands: stages in the order of the road, frozen first."""
    stage, _, way = arm.partition("-")
    return (
        STAGES.index(stage) if stage in STAGES else len(STAGES),
        WAYS.index(way) if way in WAYS else len(WAYS),
        arm,
    )


def measure_of(records: Sequence[Record], task: str) -> str:
    """Return what a task is measured by, from the names of the figures."""
    groups = [name for record in records for name in record.groups if _task(name) == task]
    figures = (name for record in records for name in record.figures)
    return next(f.removeprefix(f"{groups[0]} ") for f in figures if f.startswith(f"{groups[0]} "))


def mean_group(groups: Sequence[Group]) -> dict[str, list[float]]:
    """Return the mean of several tasks as a group: block b of all of them is one unit.

    A task's score is a ratio of sums; to first order in the blocks it is the mean of

        score + (nats_b - score * tokens_b) / mean of tokens,

    and exactly so over all of them (the delta method: Efron & Tibshirani 1993, section 21.5).
    Raises ValueError if the tasks have different numbers of blocks.
    """
    parts = list(zip(*map(_linear, groups), strict=True))
    return {"tokens": [1] * len(parts), "nats": [fmean(part) for part in parts]}


def _linear(group: Group) -> list[float]:
    tokens, nats = group["tokens"], group["nats"]
    size, score = fmean(tokens), math.fsum(nats) / math.fsum(tokens)
    return [score + (n - score * t) / size for t, n in zip(tokens, nats, strict=True)]


def gain_over(ours: Seeds, rival: Seeds) -> Interval | None:
    """Return what one row scores above another, over the seeds that both have; None without any.

    Blocks of the test part are resampled, the same for both, and seeds, each with its rival's: a
    seed of both rows learned from the same labels. Raises ValueError if the blocks differ.
    """
    shared = sorted(set(ours) & set(rival))
    if not shared:
        return None
    pair = [Measured.from_groups([groups[seed] for seed in shared]) for groups in (ours, rival)]
    if pair[0].sizes != pair[1].sizes:
        raise ValueError("The rows were measured on different examples: nothing is paired.")
    rows = zip(*(system.sums for system in pair), strict=True)
    sums = tuple(tuple(a - b for a, b in zip(*row, strict=True)) for row in rows)
    return contrast([Measured(pair[0].sizes, sums)], [1.0], resamples=RESAMPLES)


def _table(task: str, measure: str, columns: Mapping[str, Mapping[str, Seeds]]) -> Table:
    rows: dict[str, dict[str, Cell]] = defaultdict(dict)
    for labels, arms in columns.items():
        for arm, seeds in arms.items():
            if seeds:
                score = Measured.from_groups(seeds.values()).score
                rival = {} if arm == BASELINE else arms.get(BASELINE, {})
                rows[arm][labels] = Cell(score, gain_over(seeds, rival))
    return Table(task, measure, tuple(columns), rows)


def _task(name: str) -> str:
    return name.rpartition(" ")[0]
