"""Judges of the claims about the Transformer, from the records of the experiment `transformer`.

Units of resampling: rounds in which all readers were timed by turns, blocks of held-out text,
blocks of puzzles or of items. A seed draws initial weights and the order of what is read, for all
readers alike.

More findings are no claims of the ledger: `waits_for_each_word`, of single sequences; `recall`, by
distance; `nearer_the_limit` and `agreement`, in Pocket English.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, mean_interval
from nnlm2bert.experiments.judges import (
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    numbers,
    points,
    sign_verdict,
)

LENGTHS = (32, 64, 128, 256, 512, 1_024, 2_048)
CLAIMED = LENGTHS[:5]
"""Lengths whose slopes are compared; up to the last of all, crossings are looked for."""
SHOWN = (32, 128, 512, 2_048)
KINDS = ("attention", "lstm", "convolution")
NAMES = {"attention": "attention", "lstm": "LSTM", "convolution": "convolution"}
SIZES = {"100k": 100_000, "300k": 300_000, "1m": 1_000_000, "3m": 3_000_000}
"""Arms "small-text-..." and the tokens they learn from."""
DISTANCES = (4, 8, 16, 32, 64, 128)
PHRASES = (0, 1, 2, 3)
UNITS = {
    "attention": "blocks of held-out text",
    "lstm": "blocks of held-out text",
    "model": "blocks of documents",
    **{str(distance): "blocks of puzzles" for distance in DISTANCES},
    **{f"agreement {n}": "blocks of sentences" for n in PHRASES},
}


def slope(lengths: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of log time on log length, by least squares: 1 if both grow alike."""
    x, y = [math.log(n) for n in lengths], [math.log(t) for t in times]
    middle = fmean(x)
    spread = math.fsum((a - middle) ** 2 for a in x)
    return math.fsum((a - middle) * b for a, b in zip(x, y, strict=True)) / spread


def crossing(
    lengths: Sequence[float], ours: Sequence[float], rival: Sequence[float]
) -> float | None:
    """Return the length from which on ours is the slower; None if it is not the faster and then so.

    Straight between the measured lengths over the logarithm. The last change counts, so that what
    chance does where both are alike is left out.
    """
    gaps = [math.log(a / b) for a, b in zip(ours, rival, strict=True)]
    found = None
    for i in range(1, len(gaps)):
        if gaps[i - 1] < 0 <= gaps[i]:
            part = gaps[i - 1] / (gaps[i - 1] - gaps[i])
            ends = math.log(lengths[i - 1]), math.log(lengths[i])
            found = math.exp(ends[0] + part * (ends[1] - ends[0]))
    return found


def _rounds(evidence: Evidence, kind: str, case: str) -> list[list[float]]:
    """The times of all lengths, by length and round."""
    series = evidence.arms["speed"][0].series
    return [series[f"{kind} {n}, {case}"] for n in LENGTHS]


def _times(evidence: Evidence, kind: str, case: str) -> list[float]:
    """The typical time of each length: e to the mean logarithm."""
    return [math.exp(fmean(map(math.log, each))) for each in _rounds(evidence, kind, case)]


def _slopes(evidence: Evidence, kind: str, case: str, lengths: Sequence[int]) -> list[float]:
    """The slope in each round."""
    chosen = [_rounds(evidence, kind, case)[LENGTHS.index(n)] for n in lengths]
    return [slope(lengths, times) for times in zip(*chosen, strict=True)]


def _slope_difference(evidence: Evidence, case: str) -> Interval:
    """LSTM minus attention, over rounds."""
    ours, theirs = (_slopes(evidence, kind, case, CLAIMED) for kind in ("lstm", "attention"))
    return mean_interval([a - b for a, b in zip(ours, theirs, strict=True)])


def _serial(case: str, evidence: Evidence) -> Finding:
    difference = _slope_difference(evidence, case)
    times = "; ".join(_timed(evidence, kind, case) for kind in KINDS)
    crossings = "; ".join(_overtaken(evidence, rival, case) for rival in KINDS[1:])
    shown = ", ".join(f"{n:,}" for n in SHOWN)
    return Finding(
        ours=f"Milliseconds ({case}) at {shown} words: {times}. {crossings}",
        quantity="difference of the slopes of log time on log length, 32 to 512, LSTM - attention",
        **numbers(difference),
        verdict=sign_verdict([difference], above=True),
    )


def _timed(evidence: Evidence, kind: str, case: str) -> str:
    times = dict(zip(LENGTHS, _times(evidence, kind, case), strict=True))
    rise = fmean(_slopes(evidence, kind, case, CLAIMED))
    shown = ", ".join(f"{times[n]:.3g}" for n in SHOWN)
    return f"{NAMES[kind]} {shown} (slope {rise:.2f})"


def _overtaken(evidence: Evidence, rival: str, case: str) -> str:
    ours, theirs = _times(evidence, "attention", case), _times(evidence, rival, case)
    place = crossing(LENGTHS, ours, theirs)
    if place is not None:
        return f"from about {place:,.0f} words on attention is slower than the {NAMES[rival]}"
    which = "faster" if ours[-1] < theirs[-1] else "slower"
    until = f"at {LENGTHS[-1]:,} words attention is {which} than the {NAMES[rival]}"
    return f"{until}, without being overtaken before"


def _gap(size: str) -> Contrast:
    """LSTM minus Transformer on one size."""
    return Part(1, f"small-text-{size}", "lstm"), Part(-1, f"small-text-{size}", "attention")


def _ahead_on_little(evidence: Evidence) -> Finding:
    gaps = {size: evidence.bootstrap(math.fsum, _gap(size)) for size in SIZES}
    change = evidence.bootstrap(math.fsum, GROWTH)
    told = "; ".join(f"{SIZES[size]:,} tokens {_nats(gap)}" for size, gap in gaps.items())
    return Finding(
        ours=f"LSTM minus Transformer, nats a token: {told}",
        quantity="nats a token, LSTM - Transformer: smallest text - largest",
        **numbers(change),
        verdict=sign_verdict([change]),
    )


def _nats(gap: Interval) -> str:
    return f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"


_FIRST, *_, _LAST = SIZES
GROWTH: Contrast = (
    *_gap(_FIRST),
    *(Part(-part.sign, part.arm, part.group) for part in _gap(_LAST)),
)


def _compared(ours: str, quantity: str, parts: Contrast, evidence: Evidence) -> Finding:
    """What one part has more than another; `ours` takes both scores in percent."""
    gain = evidence.bootstrap(math.fsum, parts)
    scores = (100 * evidence.score(part.arm, part.group) for part in parts)
    return Finding(
        ours=ours.format(*(f"{score:.1f}" for score in scores)) + f": {points(gain)} points",
        quantity=quantity,
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


def _of(arm: str, rival: str, group: str) -> Contrast:
    return Part(1, f"{arm}-attention", group), Part(-1, f"{arm}-{rival}", group)


def _nearer(rival: str, evidence: Evidence) -> Finding:
    parts = _of("laboratory", rival, "model")
    difference = evidence.bootstrap(math.fsum, parts).map(lambda nats: nats / math.log(2))
    above = (100 * fmean(evidence.figures(part.arm, "above the limit")) for part in parts)
    shares = " and ".join(f"{share:.1f}" for share in above)
    return Finding(
        ours=f"Pocket English, above the exact limit: Transformer and {NAMES[rival]} {shares} %",
        quantity=f"bits a word, Transformer - {NAMES[rival]}",
        **numbers(difference),
        verdict=sign_verdict([difference]),
    )


_question: Callable[..., Question] = partial(Question, paired=True, units=UNITS)


def _timing(case: str) -> Question:
    names = tuple(("speed", f"{kind} {n}, {case}") for kind in KINDS for n in LENGTHS)
    return Question(partial(_serial, case), counted=("speed",), series=names)


def _more(ours: str, quantity: str, parts: Contrast) -> Question:
    return _question(partial(_compared, ours, quantity, parts), (parts,))


attention_reads_at_once = _timing("training step")
lstm_ahead_on_little_text = _question(_ahead_on_little, (GROWTH, *map(_gap, SIZES)))

waits_for_each_word = _timing("one sequence")
recall: Mapping[tuple[str, int], Question] = {
    (rival, distance): _more(
        f"Recall at distance {distance}: attention {{}} %, {NAMES[rival]} {{}} %",
        f"difference in the share recalled, attention - {NAMES[rival]}",
        _of("recall", rival, str(distance)),
    )
    for rival in KINDS[1:]
    for distance in DISTANCES
}
agreement: Mapping[tuple[str, int], Question] = {
    (rival, n): _more(
        f"Verbs in the right number, {n} phrases between: attention {{}} %, {NAMES[rival]} {{}} %",
        f"difference in the share right, attention - {NAMES[rival]}",
        _of("laboratory", rival, f"agreement {n}"),
    )
    for rival in KINDS[1:]
    for n in PHRASES
}
nearer_the_limit: Mapping[str, Question] = {
    rival: _question(
        partial(_nearer, rival),
        (_of("laboratory", rival, "model"),),
        figures=tuple((f"laboratory-{kind}", "above the limit") for kind in ("attention", rival)),
    )
    for rival in KINDS[1:]
}
