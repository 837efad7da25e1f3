"""From records to verdicts: pure functions that no hand can lean on.

A judge takes the records of one experiment and says what they show. It looks at the laptop
records if they are complete, because a reader can repeat those, else at those from a GPU; a
smoke record is no evidence. Intervals are paired by unit (a document, a pair of words): the same
units are drawn for every arm, and seeds are drawn where there are at least three: arm by arm, or,
if a seed means the same in all of them, for all arms together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, Measured, bootstrap, contrast
from nnlm2bert.experiments.records import Record

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
CANNOT_TELL = "cannot tell at this scale"
NOT_YET_MEASURED = "not yet measured"
VERDICTS = (HOLDS, DOES_NOT_HOLD, CANNOT_TELL, NOT_YET_MEASURED)
SCALES = ("laptop", "gpu")
ENOUGH_SEEDS = 3


@dataclass(frozen=True)
class Finding:
    """What records say about a claim; without arguments, that nothing was measured."""

    ours: str = ""
    quantity: str = ""
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    verdict: str = NOT_YET_MEASURED
    scale: str | None = None
    record: str | None = None
    note: str = ""


Judge = Callable[[Sequence[Record]], Finding]


@dataclass(frozen=True)
class Part:
    """One term of a contrast: an arm, a group of its sums, and the sign it enters with."""

    sign: int
    arm: str
    group: str = "test"


Contrast = tuple[Part, ...]


@dataclass(frozen=True)
class Evidence:
    """The records of one scale that a claim rests on, by arm."""

    scale: str
    arms: Mapping[str, tuple[Record, ...]]
    seeds: int

    def score(self, arm: str, group: str = "test") -> float:
        """Of an arm: the sum over the group's units by the sum of their sizes, over all seeds."""
        return self._measured(arm, [Part(1, arm, group)]).score

    def contrast(self, *parts: Part) -> Interval:
        """The signed sum of scores; parts of one arm share its seeds."""
        arms = dict.fromkeys(part.arm for part in parts)
        return contrast([self._measured(arm, parts) for arm in arms], [1.0] * len(arms))

    def bootstrap(
        self, function: Callable[[Sequence[float]], float], parts: Sequence[Part]
    ) -> Interval:
        """A function of the scores of the parts, which share their seeds whatever their arms."""
        systems = [self._measured(part.arm, [part]) for part in parts]
        return bootstrap(systems, function, paired_seeds=True)

    def units(self, part: Part) -> int:
        """How many units the group of a part has."""
        return len(self.arms[part.arm][0].groups[part.group]["tokens"])

    def figures(self, arm: str, name: str) -> list[float]:
        """One figure of an arm for every seed."""
        return [record.figures[name] for record in self.arms[arm]]

    def _measured(self, arm: str, parts: Sequence[Part]) -> Measured:
        """The parts of one arm by seed; averaged where there are too few seeds to draw from."""
        own = [part for part in parts if part.arm == arm]
        sums = [_signed(record, own) for record in self.arms[arm]]
        if self.seeds < ENOUGH_SEEDS:
            sums = [tuple(map(fmean, zip(*sums, strict=True)))]
        return Measured(tuple(self.arms[arm][0].groups[own[0].group]["tokens"]), tuple(sums))


@dataclass(frozen=True)
class Question:
    """A judge: what its verdict needs, and the `answer` it gives once all that is there.

    `contrasts` name the arms and groups to be compared; within each, all parts must have been
    measured on the same units, whose kind `units` names by group. `counted` are the arms in which
    nothing is random; `figures` and `series` are what else the records of some arms must hold.
    `paired`: a seed stands for the same data or initial weights in all arms, and only seeds that
    all of them have are looked at.
    """

    answer: Callable[[Evidence], Finding]
    contrasts: tuple[Contrast, ...] = ()
    counted: tuple[str, ...] = ()
    paired: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    figures: tuple[tuple[str, str], ...] = ()
    series: tuple[tuple[str, str], ...] = ()

    def __call__(self, records: Sequence[Record]) -> Finding:
        """The finding at the first scale at which nothing is missing, else what is missing."""
        reasons = []
        for scale in SCALES:
            if all(record.scale != scale for record in records):
                continue
            evidence = self._evidence([record for record in records if record.scale == scale])
            reason = self._missing(evidence)
            if not reason:
                return replace(self.answer(evidence), **self._source(evidence))
            reasons.append(f"{scale}: {reason}")
        return Finding(note="; ".join(reasons) or "nothing is recorded yet")

    def _evidence(self, records: Sequence[Record]) -> Evidence:
        compared = [part.arm for parts in self.contrasts for part in parts]
        others = [arm for arm, _ in (*self.figures, *self.series)]
        arms = {
            name: tuple(entry for entry in records if entry.arm == name)
            for name in dict.fromkeys((*compared, *others))
        }
        if self.paired:
            arms = _of_common_seeds(arms)
        trained = [len(entries) for name, entries in arms.items() if name not in self.counted]
        return Evidence(records[0].scale, arms, min(trained, default=1))

    def _missing(self, evidence: Evidence) -> str:
        """Why these records cannot be compared; empty if they can."""
        return next(self._faults(evidence), "")

    def _faults(self, evidence: Evidence) -> Iterator[str]:
        for arm, records in evidence.arms.items():
            if not records:
                yield f"{arm} is not recorded"
            if any(record.config != records[0].config for record in records):
                yield f"the seeds of {arm} were run with different settings, run them again"
        seeds = {tuple(r.seed for r in records) for records in evidence.arms.values()}
        if self.paired and len(seeds) > 1:
            yield "no seed is recorded of all of " + ", ".join(evidence.arms)
        for parts in self.contrasts:
            yield from self._unpaired(parts, evidence)
        for kind, wanted in (("figure", self.figures), ("series", self.series)):
            for arm, name in wanted:
                for record in evidence.arms[arm]:
                    held = record.figures if kind == "figure" else record.series
                    if name not in held:
                        yield f"{arm}, seed {record.seed} has no {kind} '{name}'"

    def _unpaired(self, parts: Contrast, evidence: Evidence) -> Iterator[str]:
        """The records that a contrast cannot draw the same units of."""
        first, kind = parts[0], self._kind(parts[0])
        expected = evidence.arms[first.arm][0].groups.get(first.group, {}).get("tokens")
        for part in parts:
            for record in evidence.arms[part.arm]:
                own = record.groups.get(part.group, {}).get("tokens")
                if own is None or own != expected:
                    where = f"{part.arm}, seed {record.seed}"
                    yield f"{where} has no group '{part.group}' of the same {kind}"
        if len(expected or ()) < 2:
            yield f"there are too few {kind} to draw from"

    def _kind(self, part: Part) -> str:
        return self.units.get(part.group, "documents")

    def _source(self, evidence: Evidence) -> dict[str, str]:
        """What the finding rests on."""
        first = [parts[0] for parts in self.contrasts]
        numbers = {f"{evidence.units(part):,} {self._kind(part)}": None for part in first}
        seeds = "1 seed" if evidence.seeds == 1 else f"{evidence.seeds} seeds"
        note = ", ".join((seeds, *numbers))
        if first and evidence.seeds < ENOUGH_SEEDS:
            kinds = dict.fromkeys(map(self._kind, first))
            note += f"; the interval covers {' and '.join(kinds)} only"
        folder = next(iter(evidence.arms.values()))[0].path.parents[1]
        return {"scale": evidence.scale, "record": f"results/{folder.as_posix()}", "note": note}


def _of_common_seeds(
    arms: Mapping[str, tuple[Record, ...]],
) -> dict[str, tuple[Record, ...]]:
    """The records of seeds that every arm with records has."""
    seeds = [{record.seed for record in records} for records in arms.values() if records]
    common = set.intersection(*seeds) if seeds else set()
    if not common:
        return dict(arms)
    return {
        name: tuple(record for record in records if record.seed in common)
        for name, records in arms.items()
    }


def sign_verdict(quantities: Sequence[Interval], above: bool = False) -> str:
    """Of a claim that all quantities lie below 0, or `above` it."""
    bounds = [(-q.high, -q.low) if above else (q.low, q.high) for q in quantities]
    if all(high < 0 for _, high in bounds):
        return HOLDS
    return DOES_NOT_HOLD if any(low > 0 for low, _ in bounds) else CANNOT_TELL


def all_hold(*verdicts: str) -> str:
    """The verdict on several conditions: it does not hold if one does not."""
    if DOES_NOT_HOLD in verdicts:
        return DOES_NOT_HOLD
    return HOLDS if set(verdicts) == {HOLDS} else CANNOT_TELL


def numbers(interval: Interval) -> dict[str, float | tuple[float, float]]:
    """The fields of a finding that an interval fills."""
    return {"estimate": interval.estimate, "interval": (interval.low, interval.high)}


def points(difference: Interval) -> str:
    """A difference of shares in points of a hundred, with its interval."""
    middle, low, high = (100 * x for x in (difference.estimate, difference.low, difference.high))
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """The rank correlation of two rows of numbers; equal numbers share their mean rank.

    Spearman 1904. 0 if all numbers of a row are equal.
    """
    ranks = [_ranks(row) for row in (one, other)]
    deviations = [[rank - fmean(row) for rank in row] for row in ranks]
    squares = [math.fsum(d * d for d in row) for row in deviations]
    product = math.fsum(a * b for a, b in zip(*deviations, strict=True))
    return product / math.sqrt(math.prod(squares)) if all(squares) else 0.0


def _ranks(row: Sequence[float]) -> list[float]:
    ordered = sorted(row)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in row]


def _signed(record: Record, parts: Sequence[Part]) -> tuple[float, ...]:
    """Of each unit, the sum of the record's sums with the signs they enter with."""
    columns = [[part.sign * value for value in record.groups[part.group]["nats"]] for part in parts]
    return tuple(map(sum, zip(*columns, strict=True)))
