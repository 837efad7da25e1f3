"""Judges of the claims about BERT, from the records of the experiment `bert`.

There is one pre-trained network for each objective. On held-out text nothing else is random: units
are blocks of neighbouring pieces of text, or of places asked about. Where a task is learned, a seed
stands for the labels drawn, the start of what begins at random and the order of the examples, the
same for all networks (for claim 25 for the network itself, too); units are blocks of neighbouring
test examples, of which each task has as many: in the mean over tasks, each counting alike, block b
of all of them is drawn at once (`standings.mean_group`).

The criteria, written down before any run:

Claim 22, `both_sides_at_once`. Of a pair of words that what follows decides between, the masked
network prefers the one that stood there by `MUCH` more often than the one from the left, which
cannot know, and more often than the two one-way readers, which can; both intervals lie above that.
Claim 23, `next_sentence`. The head says of more than `KNOWN` of pairs whether the second follows;
on the order of two that do follow, which it was not taught, its interval lies within `CHANCE`; and
what the second task adds to tasks that are learned with 1,000 labels, in the mean, lies within
`LITTLE` of nothing. Claim 24, `schedule_matters_frozen`. What is gained by hiding 80 % of the words
chosen instead of all, in the mean of three tasks with all labels, is more below a head on frozen
vectors than where the network is tuned. Claim 25, `own_text_rivals`. With 1,000 labels, in the mean
of two tasks, a network that was pre-trained on their own text is not behind one that read as much
from outside by more than `BEHIND`, and both are ahead of one from scratch.

More findings are no claims of the ledger: `over`, one objective against another in the mean over
the tasks, by way; `decided_by_left`; `cloze`; `whole`; `layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from nnlm2bert.evaluation.intervals import Interval, bootstrap
from nnlm2bert.experiments.gpt.judges import mean_of
from nnlm2bert.experiments.judges import (
    CANNOT_TELL,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_YET_MEASURED,
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    all_hold,
    numbers,
    points,
    sign_verdict,
)
from nnlm2bert.experiments.records import Record

TASKS = ("part-of-speech", "chunks", "entities", "entailment", "sentiment", "same-sense")
SCHEDULED = ("chunks", "entities", "sentiment")
OWN_TEXT = ("sentiment", "entailment")
LABELLED = "1,000"
NAMES: Mapping[str, str] = {
    "masked": "masked",
    "masked+next": "masked, and next sentences",
    "left-to-right": "from the left",
    "two-one-way": "two one-way readers",
}
MUCH = 0.10
KNOWN = 0.70
CHANCE = (0.45, 0.55)
LITTLE = 0.02
BEHIND = 0.02
EXAMPLES = "blocks of test examples"
PIECES = "blocks of held-out text"
UNITS = {
    LABELLED: EXAMPLES,
    **dict.fromkeys(("next", "order", "cloze", "cloze right", "held-out"), PIECES),
    **dict.fromkeys(("right", "left", "right, whole"), "blocks of places"),
}
CLOZE = tuple(f"cloze-{name}" for name in NAMES)
_question: Callable[..., Question] = partial(
    Question, paired=True, counted=(*CLOZE, "masked+next"), units=UNITS
)


def _rows(tasks: Sequence[str], arms: Sequence[str]) -> tuple[Contrast, ...]:
    """For each task the parts of some arms."""
    return tuple(tuple(Part(1, f"{task}-{arm}", LABELLED) for arm in arms) for task in tasks)


def _mean(
    evidence: Evidence,
    rows: Sequence[Contrast],
    function: Callable[[Sequence[float]], float],
) -> Interval:
    """A function of the mean scores of arms over tasks; rows as `_rows` makes them."""
    systems = [mean_of(evidence, arm) for arm in zip(*rows, strict=True)]
    return bootstrap(systems, function, paired_seeds=True)


def _gap(scores: Sequence[float]) -> float:
    return scores[0] - scores[1]


def _within(interval: Interval, low: float, high: float) -> str:
    """Of a claim that a quantity lies within two bounds."""
    if low < interval.low and interval.high < high:
        return HOLDS
    outside = interval.low > high or interval.high < low
    return DOES_NOT_HOLD if outside else CANNOT_TELL


def _score(evidence: Evidence, arm: str, group: str) -> str:
    return f"{100 * evidence.score(arm, group):.1f} %"


# Claim 22.


def _decided(group: str, other: str) -> Contrast:
    return Part(1, "cloze-masked", group), Part(-1, f"cloze-{other}", group)


def _both_sides(evidence: Evidence) -> Finding:
    gaps = {n: evidence.contrast(*_decided("right", n)) for n in ("left-to-right", "two-one-way")}
    told = ", ".join(
        f"{NAMES[name]} {_score(evidence, f'cloze-{name}', 'right')}" for name in ("masked", *gaps)
    )
    more = [gaps["left-to-right"].map(lambda gap: gap - MUCH), gaps["two-one-way"]]
    return Finding(
        ours=f"Of two words that what follows decides between, the right one: {told}; masked ahead "
        f"of the one from the left by {points(gaps['left-to-right'])} points, of the two by "
        f"{points(gaps['two-one-way'])}",
        quantity="difference in the share right, masked - two one-way readers",
        **numbers(gaps["two-one-way"]),
        verdict=sign_verdict(more, above=True),
    )


both_sides_at_once = _question(
    _both_sides, tuple(_decided("right", name) for name in ("left-to-right", "two-one-way"))
)


# Claim 23.

_NEXT, _ORDER = (Part(1, "masked+next", group) for group in ("next", "order"))


def _topic_not_order(evidence: Evidence) -> Finding:
    known, ordered = (evidence.contrast(part) for part in (_NEXT, _ORDER))
    verdict = all_hold(
        sign_verdict([known.map(lambda share: share - KNOWN)], above=True),
        _within(ordered, *CHANCE),
    )
    return Finding(
        ours=f"Whether a segment follows is told of {points(known)} % of pairs, the order of two "
        f"that do of {points(ordered)} %",
        quantity="share of pairs whose order is told by the head for next sentences",
        **numbers(ordered),
        verdict=verdict,
    )


topic_not_order = _question(_topic_not_order, ((_NEXT,), (_ORDER,)))
_ADDED = _rows(TASKS, ("masked+next-tuned", "masked-tuned"))


def _adds_little(evidence: Evidence) -> Finding:
    added = _mean(evidence, _ADDED, _gap)
    return Finding(
        ours=f"to {len(TASKS)} tasks learned with {LABELLED} labels it adds {points(added)} points "
        "in the mean",
        quantity="difference in the mean score, with next sentences - without",
        **numbers(added),
        verdict=_within(added, -LITTLE, LITTLE),
    )


adds_little = _question(_adds_little, _ADDED)


def next_sentence(records: Sequence[Record]) -> Finding:
    """Both halves of claim 23: what the head learns, and what that is good for."""
    topic, added = topic_not_order(records), adds_little(records)
    for half in (topic, added):
        if half.verdict == NOT_YET_MEASURED:
            return half
    return Finding(
        ours=f"{topic.ours}; {added.ours}",
        quantity=topic.quantity,
        estimate=topic.estimate,
        interval=topic.interval,
        verdict=all_hold(topic.verdict, added.verdict),
        scale=topic.scale,
        record=topic.record,
        note=f"the head: {topic.note}; the tasks: {added.note}",
    )


# Claim 24.

_SCHEDULES = _rows(
    SCHEDULED,
    ("masked-frozen", "always-masked-frozen", "masked-tuned", "always-masked-tuned"),
)


def _schedule(evidence: Evidence) -> Finding:
    frozen = _mean(evidence, [row[:2] for row in _SCHEDULES], _gap)
    tuned = _mean(evidence, [row[2:] for row in _SCHEDULES], _gap)
    more = _mean(evidence, _SCHEDULES, lambda s: s[0] - s[1] - s[2] + s[3])
    return Finding(
        ours=f"Hiding 80 % of the words chosen instead of all gains {points(frozen)} points below "
        f"heads on frozen vectors and {points(tuned)} after tuning, in the mean over "
        f"{len(SCHEDULED)} tasks with {LABELLED} labels",
        quantity="difference of the two gains, frozen - tuned",
        **numbers(more),
        verdict=sign_verdict([more], above=True),
    )


schedule_matters_frozen = _question(_schedule, _SCHEDULES)


# Claim 25.

_OWN = _rows(OWN_TEXT, ("own-text", "outside-text", "scratch"))


def _own_text(evidence: Evidence) -> Finding:
    gap = _mean(evidence, [row[:2] for row in _OWN], _gap)
    own = _mean(evidence, [(row[0], row[2]) for row in _OWN], _gap)
    outside = _mean(evidence, [row[1:] for row in _OWN], _gap)
    return Finding(
        ours=f"Pre-trained on the task's own text, ahead of as much from outside by {points(gap)} "
        f"points, of scratch by {points(own)}, outside text of scratch by {points(outside)}, in "
        f"the mean over {len(OWN_TEXT)} tasks with {LABELLED} labels",
        quantity="difference in the mean score, own text - outside text",
        **numbers(gap),
        verdict=sign_verdict([gap.map(lambda d: d + BEHIND), own, outside], above=True),
    )


own_text_rivals = _question(_own_text, _OWN)


# Findings beside the claims.


def _ahead(one: str, other: str, rows: Sequence[Contrast], evidence: Evidence) -> Finding:
    gap = _mean(evidence, rows, _gap)
    tasks = ", ".join(
        f"{task} {points(evidence.bootstrap(_gap, row))}"
        for task, row in zip(TASKS, rows, strict=True)
    )
    return Finding(
        ours=f"{LABELLED} labels, {one} ahead of {other} by {points(gap)} points in the mean over "
        f"{len(rows)} tasks ({tasks})",
        quantity=f"difference in the mean score, {one} - {other}",
        **numbers(gap),
        verdict=sign_verdict([gap], above=True),
    )


def _over(one: str, other: str, names: tuple[str, str]) -> Question:
    rows = _rows(TASKS, (one, other))
    return _question(partial(_ahead, *names, rows), rows)


over: Mapping[tuple[str, str, str], Question] = {
    (one, other, way): _over(f"{one}-{way}", f"{other}-{way}", (NAMES[one], NAMES[other]))
    for one, other in (
        ("masked", "left-to-right"),
        ("masked", "two-one-way"),
        ("masked+next", "masked"),
    )
    for way in ("tuned", "frozen")
}
"""By objectives and way."""
pretraining_helps = _over("masked-tuned", "scratch", ("masked", "scratch"))
tuning_helps = _over("masked-tuned", "masked-frozen", ("tuned", "frozen"))


def _gain(ours: str, quantity: str, above: bool, parts: Contrast, evidence: Evidence) -> Finding:
    gap = evidence.contrast(*parts)
    return Finding(
        ours=ours.format(*(evidence.score(part.arm, part.group) for part in parts)),
        quantity=quantity,
        **numbers(gap),
        verdict=sign_verdict([gap], above=above),
    )


def _more(ours: str, quantity: str, parts: Contrast, above: bool = True) -> Question:
    return _question(partial(_gain, ours, quantity, above, parts), (parts,))


decided_by_left: Mapping[str, Question] = {
    name: _more(
        "Of two words that what stands before decides between, the right one: masked {:.1%}, "
        f"{NAMES[name]} {{:.1%}}",
        f"difference in the share right, masked - {NAMES[name]}",
        _decided("left", name),
    )
    for name in ("left-to-right", "two-one-way")
}
cloze: Mapping[str, Question] = {
    name: _more(
        f"A word left out anywhere costs the masked network {{:.3f}} nats, {NAMES[name]} {{:.3f}}",
        f"difference in nats, masked - {NAMES[name]}",
        _decided("cloze", name),
        above=False,
    )
    for name in ("left-to-right", "two-one-way")
}
whole = _more(
    "Of two words that what follows decides between, the right one: masked {:.1%}, from the left "
    "and on to the end of both {:.1%}",
    "difference in the share right, masked - from the left, whole",
    (Part(1, "cloze-masked", "right"), Part(-1, "cloze-left-to-right", "right, whole")),
)
LAYERED = "entities"
layers: Mapping[str, Question] = {
    name: _more(
        f"{LAYERED}, {LABELLED} labels: all layers mixed F1 {{:.3f}}, {name.replace('-', ' ')} "
        "{:.3f}",
        f"difference in F1, all layers mixed - {name.replace('-', ' ')}",
        (
            Part(1, f"{LAYERED}-masked-frozen", LABELLED),
            Part(-1, f"{LAYERED}-layers-{name}", LABELLED),
        ),
    )
    for name in ("embeddings", "before-last", "last", "last-four")
}
