"""Judges of BERT in Pocket English, from the records of the experiment `bert_laboratory`.

Findings beside the claims about BERT, whose ledger is that of running text. A seed is another
training of each network, with the same text and batches for all of them. Units are blocks of
neighbouring documents, items, pairs or test examples, the same for all networks. What each finding
is judged by was written before anything was recorded:

`near_its_limit`        hidden words cost "masked-long" at most 3 % more than the exact limit.
`both_sides_at_once`    of words whose cue stands on the right, hidden: "masked" cheaper than "two
                        one-way", these cheaper than "left-to-right", each by at least half of what
                        their exact limits differ by (`ENOUGH`).
`sense_at_the_word`     the same words, seen: "masked" tells more senses than "left-to-right", by at
                        least 10 points (`CLEARLY`).
`slower`                after a quarter of the steps "masked" is further above its limit than
                        "left-to-right" is above its own, as a share of the limit.
`ahead_all_the_same`    after as many steps it tells more senses.
`next_is_topic`         "masked-next" tells the next segment better than chance by 10 points, and
                        the order of two, which it was not taught, within 5 points of chance
                        (`AT_CHANCE`); that says nothing if even whoever knows the grammar tells
                        the order less than 10 points better than chance.
`frozen_needs_the_mix`  a task taught to a frozen network goes better after 80-10-10 than after
                        blanks alone, and the tuned one differs by less than the frozen one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.judges import (
    CANNOT_TELL,
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

NEAR = 0.03
ENOUGH = 0.5
CLEARLY = 0.1
AT_CHANCE = 0.05
CHANCE = 0.5
ROW = ("masked", "two-one-way", "left-to-right")
"""Arms, from the one that sees most at once."""
LIMIT_OF = {"masked": "both", "two-one-way": "product", "left-to-right": "left"}
RIGHT = "cue right"


def _part(arm: str, group: str) -> Part:
    return Part(1, arm, group)


def _ratio(evidence: Evidence, parts: Contrast) -> Interval:
    return evidence.bootstrap(lambda scores: scores[0] / scores[1] - 1, parts)


def _difference(evidence: Evidence, parts: Contrast) -> Interval:
    """The first score less the second."""
    return evidence.bootstrap(lambda scores: scores[0] - scores[1], parts)


def _percent(evidence: Evidence, parts: Sequence[Part]) -> list[str]:
    return [f"{100 * evidence.score(part.arm, part.group):.1f}" for part in parts]


# The limit.

HIDDEN = (_part("masked-long", "hidden: network"), _part("masked-long", "hidden: limit"))


def _near(evidence: Evidence) -> Finding:
    above = _ratio(evidence, HIDDEN)
    return Finding(
        ours=f"Hidden words of Pocket English cost BERT {points(above)} % more than they must",
        quantity="cost above the limit, as a share of it",
        **numbers(above),
        verdict=sign_verdict([above.map(lambda share: share - NEAR)]),
    )


near_its_limit = Question(
    _near, (HIDDEN,), paired=True, units={"hidden: network": "blocks of documents"}
)


# Both sides at once.


def _costs(arm: str) -> Contrast:
    limit = f"word: limit of {LIMIT_OF[arm]}, {RIGHT}"
    return _part(arm, f"word: network, {RIGHT}"), _part(arm, limit)


STEPS_UP = tuple((*_costs(other), *_costs(one)) for one, other in pairwise(ROW))
"""Of each pair of neighbours: the dearer network and its limit, the cheaper one and its limit."""


def _both_sides(evidence: Evidence) -> Finding:
    gains = [_difference(evidence, (parts[0], parts[2])) for parts in STEPS_UP]
    beyond = [
        evidence.bootstrap(lambda s: s[0] - s[2] - ENOUGH * (s[1] - s[3]), parts)
        for parts in STEPS_UP
    ]
    least = min(gains, key=lambda gain: gain.low)
    told = ", ".join(f"{arm} {evidence.score(arm, _costs(arm)[0].group):.2f}" for arm in ROW)
    limits = ", ".join(f"{evidence.score(arm, _costs(arm)[1].group):.2f}" for arm in ROW)
    return Finding(
        ours=f"A hidden word with its cue on the right costs {told} nats; at least {limits}",
        quantity="nats saved by seeing more at once, the less certain of two steps",
        **numbers(least),
        verdict=sign_verdict(beyond, above=True),
    )


both_sides_at_once = Question(
    _both_sides,
    STEPS_UP,
    paired=True,
    units={part.group: "blocks of words" for parts in STEPS_UP for part in parts},
)
SENSES = tuple(_part(arm, f"sense: network, {RIGHT}") for arm in ("masked", "left-to-right"))


def _senses(evidence: Evidence) -> Finding:
    gain = _difference(evidence, SENSES)
    one, other = _percent(evidence, SENSES)
    return Finding(
        ours=f"Senses told at the word, the cue on the right: {one} % by BERT, {other} % by GPT",
        quantity="difference in the share right, BERT - GPT",
        **numbers(gain),
        verdict=sign_verdict([gain.map(lambda share: share - CLEARLY)], above=True),
    )


sense_at_the_word = Question(
    _senses, (SENSES,), paired=True, units={SENSES[0].group: "blocks of words"}
)


# On the way.

AT = 2_048
"""A quarter of the steps at scale laptop, the only one that is judged."""
WAY = tuple(
    (_part(arm, f"step {AT}: network"), _part(arm, "steps: limit"))
    for arm in ("masked", "left-to-right")
)
AHEAD = tuple(_part(arm, f"step {AT}: sense") for arm in ("masked", "left-to-right"))


def _slower(evidence: Evidence) -> Finding:
    parts = (*WAY[0], *WAY[1])
    more = evidence.bootstrap(lambda s: s[0] / s[1] - s[2] / s[3], parts)
    above = [points(_ratio(evidence, own)) for own in WAY]
    return Finding(
        ours=f"After {AT:,} steps BERT costs {above[0]} % more than its limit, GPT {above[1]} % "
        "more than its own",
        quantity="difference in the cost above the limit, as shares of it, BERT - GPT",
        **numbers(more),
        verdict=sign_verdict([more], above=True),
    )


slower = Question(
    _slower,
    ((*WAY[0], *WAY[1]),),
    paired=True,
    units={WAY[0][0].group: "blocks of documents"},
)


def _ahead(evidence: Evidence) -> Finding:
    gain = _difference(evidence, AHEAD)
    one, other = _percent(evidence, AHEAD)
    return Finding(
        ours=f"After {AT:,} steps {one} % of senses are told at the word by BERT, {other} % by GPT",
        quantity="difference in the share right, BERT - GPT",
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


ahead_all_the_same = Question(
    _ahead, (AHEAD,), paired=True, units={AHEAD[0].group: "blocks of words"}
)


# Two segments.

PAIRS = tuple(
    _part("masked-next", f"{kind}: {who}")
    for kind in ("next", "order")
    for who in ("network", "best reader")
)


def _topic(evidence: Evidence) -> Finding:
    told, _, order, best_order = (
        evidence.bootstrap(lambda scores: scores[0] - CHANCE, (part,)) for part in PAIRS
    )
    verdict = all_hold(
        sign_verdict([told.map(lambda share: share - CLEARLY)], above=True),
        sign_verdict([order.map(lambda share: share - AT_CHANCE)]),
        sign_verdict([order.map(lambda share: share + AT_CHANCE)], above=True),
    )
    tellable = best_order.low > CLEARLY
    shares = _percent(evidence, PAIRS)
    known = "" if tellable else ": the order is hardly to be told in this language"
    return Finding(
        ours=f"Taught the next segment, BERT tells it in {shares[0]} % of pairs and the order in "
        f"{shares[2]} %; whoever knows the grammar in {shares[1]} % and {shares[3]} %{known}",
        quantity="share right of pairs in or out of order, less 1/2",
        **numbers(order),
        verdict=verdict if tellable else CANNOT_TELL,
    )


next_is_topic = Question(
    _topic, (PAIRS[:2], PAIRS[2:]), paired=True, units={p.group: "blocks of pairs" for p in PAIRS}
)


# What becomes of the words chosen.

MIXED = {
    way: (_part("masked", f"task {way}"), _part("always-hidden", f"task {way}"))
    for way in ("frozen", "tuned")
}


def _mix(evidence: Evidence) -> Finding:
    frozen, tuned = (_difference(evidence, MIXED[way]) for way in ("frozen", "tuned"))
    parts = (*MIXED["frozen"], *MIXED["tuned"])
    more = evidence.bootstrap(lambda s: (s[0] - s[1]) - abs(s[2] - s[3]), parts)
    return Finding(
        ours=f"80-10-10 ahead of blanks alone by {points(frozen)} points frozen, {points(tuned)} "
        "tuned",
        quantity="difference in the share right, frozen, 80-10-10 - blanks alone",
        **numbers(frozen),
        verdict=sign_verdict([frozen, more], above=True),
    )


frozen_needs_the_mix = Question(
    _mix,
    tuple(MIXED.values()),
    paired=True,
    units={f"task {way}": "blocks of test examples" for way in MIXED},
)
