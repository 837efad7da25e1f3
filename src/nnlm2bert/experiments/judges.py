"""From records to verdicts: pure functions that no hand can lean on.

A judge takes the records of one experiment and says what they show. It looks at the laptop
records if they are complete, because a reader can repeat those, else at those from a GPU; a
smoke record is no evidence. Intervals are paired by document: the same documents are drawn for
every arm, and seeds are drawn arm by arm where there are at least three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, Measured, contrast
from nnlm2bert.experiments.records import Record

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
CANNOT_TELL = "cannot tell at this scale"
NOT_YET_MEASURED = "not yet measured"
VERDICTS = (HOLDS, DOES_NOT_HOLD, CANNOT_TELL, NOT_YET_MEASURED)
SCALES = ("laptop", "gpu")
ENOUGH_SEEDS = 3
MIXED = "test mixed"


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
    """One term of a contrast: an arm, a group of its log-losses, and the sign it enters with."""

    sign: int
    arm: str
    group: str = "test"


@dataclass(frozen=True)
class Evidence:
    """The records of one scale that a claim rests on, by arm; all hold the same documents."""

    scale: str
    arms: Mapping[str, tuple[Record, ...]]
    networks: tuple[str, ...]

    @property
    def seeds(self) -> int:
        """Seeds that every network has."""
        return min(len(self.arms[name]) for name in self.networks)

    @property
    def tokens(self) -> Sequence[float]:
        """Tokens of each document."""
        return next(iter(self.arms.values()))[0].groups.get("test", {}).get("tokens", [])

    def perplexity(self, arm: str, group: str = "test") -> float:
        """Of an arm: exp of the log-loss a word, in the mean over its seeds."""
        return math.exp(self._measured(arm, [Part(1, arm, group)]).score)

    def contrast(self, *parts: Part) -> Interval:
        """The signed sum of log-losses, in nats a word; parts of one arm share its seeds."""
        arms = dict.fromkeys(part.arm for part in parts)
        return contrast([self._measured(arm, parts) for arm in arms], [1.0] * len(arms))

    def _measured(self, arm: str, parts: Sequence[Part]) -> Measured:
        """The parts of one arm by seed; averaged where there are too few seeds to draw from."""
        own = [part for part in parts if part.arm == arm]
        sums = [_signed(record, own) for record in self.arms[arm]]
        if self.seeds < ENOUGH_SEEDS:
            sums = [tuple(map(fmean, zip(*sums, strict=True)))]
        return Measured(tuple(self.tokens), tuple(sums))


@dataclass(frozen=True)
class Question:
    """A judge: what its verdict needs, and the `answer` it gives once all that is there.

    `networks` are arms trained with several seeds, `counted` arms without; `groups` are the
    log-losses that the networks must have (the others: "test").
    """

    networks: tuple[str, ...]
    counted: tuple[str, ...]
    answer: Callable[[Evidence], Finding]
    groups: tuple[str, ...] = ("test",)

    def __call__(self, records: Sequence[Record]) -> Finding:
        """The finding at the first scale at which nothing is missing, else what is missing."""
        reasons = []
        for scale in SCALES:
            if all(record.scale != scale for record in records):
                continue
            evidence = self._evidence(scale, records)
            reason = self._missing(evidence)
            if not reason:
                return replace(self.answer(evidence), **self._source(evidence))
            reasons.append(f"{scale}: {reason}")
        return Finding(note="; ".join(reasons) or "nothing is recorded yet")

    def _evidence(self, scale: str, records: Sequence[Record]) -> Evidence:
        own = [record for record in records if record.scale == scale]
        names = (*self.networks, *self.counted)
        arms = {name: tuple(entry for entry in own if entry.arm == name) for name in names}
        return Evidence(scale, arms, self.networks)

    def _missing(self, evidence: Evidence) -> str:
        """Why these records cannot be compared; empty if they can."""
        for arm, records in evidence.arms.items():
            if not records:
                return f"{arm} is not recorded"
            if any(record.config != records[0].config for record in records):
                return f"the seeds of {arm} were run with different settings, run them again"
            groups = self.groups if arm in self.networks else ("test",)
            for record, group in product(records, groups):
                if record.groups.get(group, {}).get("tokens") != evidence.tokens:
                    return f"{arm}, seed {record.seed} has no group '{group}' of the same documents"
        return "" if len(evidence.tokens) > 1 else "there is one document only, none to draw from"

    def _source(self, evidence: Evidence) -> dict[str, str]:
        """What the finding rests on."""
        seeds = "1 seed" if evidence.seeds == 1 else f"{evidence.seeds} seeds"
        note = f"{seeds}, {len(evidence.tokens)} documents"
        if evidence.seeds < ENOUGH_SEEDS:
            note += "; the interval covers documents only"
        folder = evidence.arms[self.networks[0]][0].path.parents[1]
        return {"scale": evidence.scale, "record": f"results/{folder.as_posix()}", "note": note}


def _network_against_kneser_ney(evidence: Evidence) -> Finding:
    difference = evidence.contrast(Part(1, "MLP9"), Part(-1, "KN5"))
    network, rival = evidence.perplexity("MLP9"), evidence.perplexity("KN5")
    return Finding(
        ours=f"Brown, test perplexity {network:.0f} against {rival:.0f}",
        quantity="ratio, network / Kneser-Ney 5",
        estimate=math.exp(difference.estimate),
        interval=_as_ratio(difference),
        verdict=_verdict([difference]),
    )


def _mixture_against_both(evidence: Evidence) -> Finding:
    mixed = Part(1, "MLP9", MIXED)
    to_network = evidence.contrast(mixed, Part(-1, "MLP9"))
    to_trigram = evidence.contrast(mixed, Part(-1, "trigram"))
    closer = max(to_network, to_trigram, key=lambda interval: interval.high)
    rival = "network" if closer is to_network else "interpolated trigram"
    return Finding(
        ours=f"Brown, test perplexity {evidence.perplexity('MLP9'):.0f} alone, "
        f"{evidence.perplexity('MLP9', MIXED):.0f} with the trigram "
        f"({evidence.perplexity('trigram'):.0f} alone)",
        quantity=f"ratio, mixture / {rival} (the closer of the two)",
        estimate=math.exp(closer.estimate),
        interval=_as_ratio(closer),
        verdict=_verdict([to_network, to_trigram]),
    )


def _context_in_both(evidence: Evidence) -> Finding:
    gain = evidence.contrast(Part(1, "MLP7"), Part(-1, "MLP5"), Part(-1, "KN3"), Part(1, "KN5"))
    perplexities = {arm: f"{evidence.perplexity(arm):.0f}" for arm in evidence.arms}
    return Finding(
        ours="Brown, test perplexity from n = 3 to n = 5: network {MLP7} to {MLP5}, "
        "Kneser-Ney {KN3} to {KN5}".format(**perplexities),
        quantity="gain of the network minus gain of Kneser-Ney, nats a word",
        estimate=gain.estimate,
        interval=(gain.low, gain.high),
        verdict=_verdict([gain], above=True),
    )


def _signed(record: Record, parts: Sequence[Part]) -> tuple[float, ...]:
    """Of each document, the sum of the record's log-losses with the signs they enter with."""
    columns = [[part.sign * nats for nats in record.groups[part.group]["nats"]] for part in parts]
    return tuple(map(sum, zip(*columns, strict=True)))


def _verdict(quantities: Sequence[Interval], above: bool = False) -> str:
    """Of a claim that all quantities lie below 0, or `above` it."""
    bounds = [(-q.high, -q.low) if above else (q.low, q.high) for q in quantities]
    if all(high < 0 for _, high in bounds):
        return HOLDS
    return DOES_NOT_HOLD if any(low > 0 for low, _ in bounds) else CANNOT_TELL


def _as_ratio(difference: Interval) -> tuple[float, float]:
    return math.exp(difference.low), math.exp(difference.high)


network_beats_kneser_ney = Question(("MLP9",), ("KN5",), _network_against_kneser_ney)
mixture_beats_both = Question(("MLP9",), ("trigram",), _mixture_against_both, ("test", MIXED))
context_helps_the_network_more = Question(("MLP7", "MLP5"), ("KN3", "KN5"), _context_in_both)
