"""Main effects and interactions of the factorial, with intervals: plain Python, from records alone.

An effect is a sum of cells, each with a coefficient: the difference that a factor makes, averaged
over the levels of the others, or how much more it makes at one level of another (Fisher 1935; Box,
Hunter & Hunter 2005, chapter 5). All is counted so that more is better: nats are nats saved.
Intervals by bootstrap over seeds and blocks of the test text, the same blocks for all cells, and
the same seeds, as a seed is one start and one order of batches for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, Measured, contrast
from nnlm2bert.experiments.family_tree.cells import (
    ARCHITECTURES,
    CELLS,
    OBJECTIVES,
    WAYS,
    Cell,
    Step,
)
from nnlm2bert.experiments.judges import ENOUGH_SEEDS
from nnlm2bert.experiments.records import Record
from nnlm2bert.experiments.standings import mean_group

RESAMPLES = 1_000
Group = Mapping[str, Sequence[float]]
Seeds = Mapping[int, Group]
Coefficients = Mapping[str, float]


def _mean(levels: Sequence[str]) -> Coefficients:
    return dict.fromkeys(levels, 1 / len(levels))


def _step(one: str, other: str) -> Coefficients:
    return {one: -1.0, other: 1.0}


ARCHITECTURE, WAY = _step(*ARCHITECTURES), _step(*WAYS)
BOTH_SIDES, FUSED = _step(*OBJECTIVES[:2]), _step(*OBJECTIVES[1:])
MASKED = _step("left-to-right", "masked")
_ANY = tuple(map(_mean, (ARCHITECTURES, OBJECTIVES, WAYS)))
EFFECTS: Mapping[str, tuple[Coefficients, Coefficients, Coefficients]] = {
    "LSTM to attention": (ARCHITECTURE, _ANY[1], _ANY[2]),
    "left-to-right to two one-way": (_ANY[0], BOTH_SIDES, _ANY[2]),
    "two one-way to masked": (_ANY[0], FUSED, _ANY[2]),
    "left-to-right to masked": (_ANY[0], MASKED, _ANY[2]),
    "frozen to tuned": (_ANY[0], _ANY[1], WAY),
    "architecture x objective": (ARCHITECTURE, MASKED, _ANY[2]),
    "objective x way": (_ANY[0], MASKED, WAY),
    "architecture x way": (ARCHITECTURE, _ANY[1], WAY),
}
"""The coefficients of architecture, objective and way; that of a cell is their product.

An interaction is how much more a factor makes at the second level of the other: "architecture x
objective" is what attention gains over LSTMs under "masked", less what it gains left-to-right.
"""
OF_THE_WAY = ("frozen to tuned", "objective x way", "architecture x way")
"""Effects that there are not where nothing is learned from labels."""


@dataclass(frozen=True)
class Outcome:
    """Something measured of each cell.

    ``groups``: the names of the groups of a record that hold it, their scores averaged; ``less``:
    those taken off, by objective, as the limit is. ``gain``: 1 if more is better, -1 if less is.
    ``ways``: whether it is of a task, frozen and tuned. In ``groups`` "{way}" stands for the way.
    """

    name: str
    unit: str
    groups: tuple[str, ...]
    ways: bool = True
    gain: int = 1
    less: Mapping[str, str] | None = None


Source = Callable[[Sequence[Record], Cell | Step, str], Seeds]
"""Where the groups of a cell are: from records and a group's name to one a seed."""


def in_one_arm(records: Sequence[Record], cell: Cell | Step, group: str) -> Seeds:
    """Return a group of the arm of a cell's network, which holds all that was measured of it."""
    name = group.format(way=cell.way)
    own = (record for record in records if record.arm == cell.network)
    return {record.seed: record.groups[name] for record in own if name in record.groups}


@dataclass(frozen=True)
class Effects:
    """What the table and the figure of the factorial show of an outcome.

    ``cells``: score of each cell, in the outcome's own unit; ``effects``: gains by name.
    """

    outcome: Outcome
    seeds: int
    blocks: int
    cells: Mapping[Cell, float]
    effects: Mapping[str, Interval]


def factorial(
    records: Sequence[Record],
    outcomes: Sequence[Outcome],
    source: Source = in_one_arm,
    resamples: int = RESAMPLES,
) -> dict[str, Effects]:
    """Return the effects on each outcome by its name; outcomes with a cell missing are left out.

    Of the records of one scale. Only seeds that all cells have are looked at.
    """
    found = {outcome.name: _of_outcome(records, outcome, source, resamples) for outcome in outcomes}
    return {name: effects for name, effects in found.items() if effects is not None}


def _of_outcome(
    records: Sequence[Record], outcome: Outcome, source: Source, resamples: int
) -> Effects | None:
    cells = [cell for cell in CELLS if outcome.ways or cell.way == WAYS[0]]
    measured = {cell: measure(records, cell, outcome, source) for cell in cells}
    seeds = common_seeds(list(measured.values()))
    if not seeds:
        return None
    scores = {
        cell: Measured.from_groups([own[seed] for seed in seeds]).score
        for cell, own in measured.items()
    }
    names = [name for name in EFFECTS if outcome.ways or name not in OF_THE_WAY]
    terms = {
        name: [(outcome.gain * c, measured[cell]) for cell, c in shares(name, cells).items()]
        for name in names
    }
    effects = {name: combined(own, resamples) for name, own in terms.items()}
    blocks = len(measured[cells[0]][seeds[0]]["tokens"])
    return Effects(outcome, len(seeds), blocks, scores, effects)


def shares(effect: str, cells: Sequence[Cell]) -> dict[Cell, float]:
    """Return the coefficient of each cell in an effect; where there is one way it has all."""
    architecture, objective, way = EFFECTS[effect]
    ways = {cell.way for cell in cells}
    found = {
        cell: architecture.get(cell.architecture, 0.0)
        * objective.get(cell.objective, 0.0)
        * (way.get(cell.way, 0.0) if len(ways) > 1 else 1.0)
        for cell in cells
    }
    return {cell: coefficient for cell, coefficient in found.items() if coefficient}


@dataclass(frozen=True)
class Stop:
    """A stop of a walk: scores by outcome, and what they gain over the stop before, if any."""

    step: Step
    scores: Mapping[str, float]
    gains: Mapping[str, Interval]


def walk(
    records: Sequence[Record],
    steps: Sequence[Step],
    outcomes: Sequence[Outcome],
    source: Source = in_one_arm,
    resamples: int = RESAMPLES,
) -> list[Stop]:
    """Return the stops of a walk, from records of one scale; [] if one of them is not recorded.

    Outcomes have nothing taken off. Only seeds that all stops have are looked at.
    """
    measured = {
        outcome.name: [measure(records, step, outcome, source) for step in steps]
        for outcome in outcomes
    }
    seeds = common_seeds([own for row in measured.values() for own in row])
    if not seeds:
        return []
    kept = {
        name: [{seed: own[seed] for seed in seeds} for own in row] for name, row in measured.items()
    }
    stops = []
    for number, step in enumerate(steps):
        scores = {n: Measured.from_groups(row[number].values()).score for n, row in kept.items()}
        pairs = {o.name: (o.gain, kept[o.name]) for o in outcomes if number}
        gains = {
            name: combined([(gain, row[number]), (-gain, row[number - 1])], resamples)
            for name, (gain, row) in pairs.items()
        }
        stops.append(Stop(step, scores, gains))
    return stops


def measure(
    records: Sequence[Record], cell: Cell | Step, outcome: Outcome, source: Source
) -> Seeds:
    """Return the group of an outcome for each seed that has all of it; {} if there is none."""
    parts = [source(records, cell, group) for group in outcome.groups]
    taken = outcome.less and source(records, cell, outcome.less[cell.objective])
    seeds = common_seeds([*parts, *([taken] if taken is not None else [])])
    found = {}
    for seed in seeds:
        groups = [part[seed] for part in parts]
        group = groups[0] if len(groups) == 1 else mean_group(groups)
        found[seed] = group if taken is None else _less(group, taken[seed])
    return found


def _less(group: Group, taken: Group) -> Group:
    if group["tokens"] != taken["tokens"]:
        raise ValueError("what is taken off was measured on other words")
    nats = [a - b for a, b in zip(group["nats"], taken["nats"], strict=True)]
    return {"tokens": group["tokens"], "nats": nats}


def common_seeds(parts: Sequence[Seeds]) -> list[int]:
    """Return the seeds that all parts have, in order."""
    return sorted(set.intersection(*(set(part) for part in parts))) if parts else []


def combined(
    terms: Sequence[tuple[float, Seeds]], resamples: int = RESAMPLES, level: float = 0.95
) -> Interval:
    """Return the interval of a sum of scores with coefficients, seeds and blocks drawn together.

    Over the seeds that all terms have; fewer than `ENOUGH_SEEDS` are averaged, and the interval is
    of these very networks. Raises ValueError if they were measured on different blocks.
    """
    seeds = common_seeds([own for _, own in terms])
    if not seeds:
        raise ValueError("no seed is recorded of all that is compared")
    systems = [(c, Measured.from_groups([own[seed] for seed in seeds])) for c, own in terms]
    sizes = systems[0][1].sizes
    if any(system.sizes != sizes for _, system in systems):
        raise ValueError("what is compared was measured on different blocks")
    sums = [
        tuple(
            sum(c * value for (c, _), value in zip(systems, column, strict=True))
            for column in zip(*(system.sums[row] for _, system in systems), strict=True)
        )
        for row in range(len(seeds))
    ]
    if len(seeds) < ENOUGH_SEEDS:
        sums = [tuple(map(fmean, zip(*sums, strict=True)))]
    whole = Measured(sizes, tuple(sums))
    return contrast([whole], [1.0], level=level, resamples=resamples)
