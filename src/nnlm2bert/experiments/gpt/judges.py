"""Judges of the claims about GPT, from the records of the experiment `gpt`.

There is one pre-trained network: a seed stands for what follows it, the labels drawn, the start of
what begins at random, the order of the examples, and it is drawn together for all arms. Units are
blocks of neighbouring test examples, of which each task has as many: in the mean over tasks, each
counting alike, block b of all of them is drawn at once (`standings.mean_group`).

More findings are no claims of the ledger: `gains`, task by task and with all labels; `auxiliary`;
`frozen`; `layers`, task by task; `untaught_by_rank` and `acceptability`, not taught; `choice`; and
of the laboratory, where a seed is another network, `near_its_limit`, `right_side_missing` and
`end_of_sentence`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval, Measured, bootstrap
from nnlm2bert.experiments.judges import (
    ENOUGH_SEEDS,
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    numbers,
    points,
    sign_verdict,
    spearman,
)
from nnlm2bert.experiments.standings import mean_group

TASKS = ("sentiment", "questions", "entailment", "relatedness", "acceptability")
BY_LAYER = ("sentiment", "entailment")
BLOCKS_BELOW = (0, 1, 2, 3)
"""Blocks copied, the others at random; all of them is the arm "tuned"."""
CLAIMED = ("100", "1,000")
LABELLED = (*CLAIMED, "all")
AT_LAYERS = "1,000"
WAY = 9
"""Networks on the way: the untrained one, and eight at steps that double."""
NEAR = 0.05
"""By so much of its limit a network may cost more and still count as near it."""
EXAMPLES = "blocks of test examples"
UNITS = {
    **dict.fromkeys(LABELLED, EXAMPLES),
    **{f"zero-shot {n}": EXAMPLES for n in range(WAY)},
    **{f"zero-shot by rank {n}": EXAMPLES for n in range(WAY)},
    **{f"zero-shot acceptability {n}": EXAMPLES for n in range(WAY)},
    **dict.fromkeys(("GPT", "limit"), "blocks of documents"),
}
_question: Callable[..., Question] = partial(Question, paired=True, units=UNITS)


def _against(task: str, one: str, other: str, labels: str) -> Contrast:
    return Part(1, f"{task}-{one}", labels), Part(-1, f"{task}-{other}", labels)


def _row(task: str) -> Contrast:
    """A task from the embedding copied alone to all layers copied."""
    arms = (*(f"{task}-layers-{k}" for k in BLOCKS_BELOW), f"{task}-tuned")
    return tuple(Part(1, arm, AT_LAYERS) for arm in arms)


def _steps(group: str) -> Contrast:
    return tuple(Part(1, "GPT", f"{group} {n}") for n in range(WAY))


def mean_of(evidence: Evidence, parts: Sequence[Part]) -> Measured:
    """The mean of the scores of several parts, each with units of its own, as one system."""
    rows = zip(*(evidence.arms[part.arm] for part in parts), strict=True)
    groups = [
        mean_group([r.groups[part.group] for r, part in zip(records, parts, strict=True)])
        for records in rows
    ]
    found = Measured.from_groups(groups)
    if evidence.seeds >= ENOUGH_SEEDS:
        return found
    return Measured(found.sizes, (tuple(map(fmean, zip(*found.sums, strict=True))),))


def _mean_gain(evidence: Evidence, contrasts: Sequence[Contrast]) -> Interval:
    """The difference between the two parts of contrasts, in the mean over these."""
    sides = [mean_of(evidence, side) for side in zip(*contrasts, strict=True)]
    return bootstrap(sides, lambda scores: scores[0] - scores[1], paired_seeds=True)


def _mean_row(
    evidence: Evidence, rows: Sequence[Contrast], function: Callable[[Sequence[float]], float]
) -> Interval:
    """A function of the scores along rows, in the mean over these."""
    systems = [mean_of(evidence, place) for place in zip(*rows, strict=True)]
    return bootstrap(systems, function, paired_seeds=True)


def _difference(evidence: Evidence, parts: Contrast) -> Interval:
    """The signed sum of scores, over common seeds."""
    return evidence.bootstrap(math.fsum, parts)


def _rho(scores: Sequence[float]) -> float:
    return spearman(range(len(scores)), scores)


def _rise(scores: Sequence[float]) -> float:
    return scores[-1] - scores[0]


def _by_task(evidence: Evidence, contrasts: Mapping[str, Contrast]) -> str:
    return ", ".join(
        f"{task} {points(_difference(evidence, parts))}" for task, parts in contrasts.items()
    )


# Claim 17.

GAINS: Mapping[str, Mapping[str, Contrast]] = {
    labels: {task: _against(task, "tuned", "scratch", labels) for task in TASKS}
    for labels in LABELLED
}


def _pretraining_helps(evidence: Evidence) -> Finding:
    found = {n: _mean_gain(evidence, tuple(GAINS[n].values())) for n in CLAIMED}
    least = min(found, key=lambda n: found[n].low)
    told = "; ".join(
        f"with {n} labels by {points(found[n])} points ({_by_task(evidence, GAINS[n])})"
        for n in CLAIMED
    )
    return Finding(
        ours=f"Pre-trained ahead of scratch, in the mean over {len(TASKS)} tasks, {told}",
        quantity=f"difference in the mean score, pre-trained - scratch, {least} labels (the less "
        "certain of two)",
        **numbers(found[least]),
        verdict=sign_verdict(list(found.values()), above=True),
    )


pretraining_helps = _question(
    _pretraining_helps, tuple(parts for n in CLAIMED for parts in GAINS[n].values())
)


# Claim 18.


def _layers_help(tasks: Sequence[str], evidence: Evidence) -> Finding:
    rows = [_row(task) for task in tasks]
    rho, rise = (_mean_row(evidence, rows, function) for function in (_rho, _rise))
    told = "; ".join(
        f"{task} {', '.join(f'{100 * evidence.score(p.arm, p.group):.1f}' for p in _row(task))} %"
        for task in tasks
    )
    return Finding(
        ours=f"Accuracy with 0 to {len(BLOCKS_BELOW)} blocks copied, {AT_LAYERS} labels: {told}; "
        f"from none to all {points(rise)} points in the mean",
        quantity="Spearman correlation of the mean accuracy with the number of blocks copied",
        **numbers(rho),
        verdict=sign_verdict([rho, rise], above=True),
    )


layers: Mapping[str, Question] = {
    task: _question(partial(_layers_help, (task,)), (_row(task),)) for task in BY_LAYER
}
every_layer_helps = _question(
    partial(_layers_help, BY_LAYER), tuple(_row(task) for task in BY_LAYER)
)


# Claim 19.


def _rises(what: str, group: str, evidence: Evidence) -> Finding:
    parts = _steps(group)
    rho, rise = (evidence.bootstrap(function, parts) for function in (_rho, _rise))
    steps = evidence.arms["GPT"][0].series["step"]
    told = ", ".join(f"{100 * evidence.score(part.arm, part.group):.1f}" for part in parts)
    return Finding(
        ours=f"{what}, untrained and after {', '.join(f'{step:,.0f}' for step in steps[1:])} "
        f"steps: {told}; from first to last {points(rise)} points",
        quantity="Spearman correlation of the score with the step",
        **numbers(rho),
        verdict=sign_verdict([rho], above=True),
    )


def _zero_shot(what: str, group: str) -> Question:
    return Question(
        partial(_rises, what, group),
        (_steps(group),),
        counted=("GPT",),
        units=UNITS,
        series=(("GPT", "step"),),
    )


untaught_rises = _zero_shot("SST-2, % right without having been taught", "zero-shot")
untaught_by_rank = _zero_shot(
    "SST-2, % right by rank, as many positive as there are", "zero-shot by rank"
)
acceptability = _zero_shot(
    "CoLA, Matthews's correlation x 100 by mean log-probability", "zero-shot acceptability"
)


# Findings beside the claims.


def _mean_finding(
    names: tuple[str, str], labels: str, contrasts: Mapping[str, Contrast], evidence: Evidence
) -> Finding:
    gain = _mean_gain(evidence, tuple(contrasts.values()))
    one, other = names
    return Finding(
        ours=f"{labels} labels, {one} ahead of {other} by {points(gain)} points in the mean over "
        f"{len(contrasts)} tasks ({_by_task(evidence, contrasts)})",
        quantity=f"difference in the mean score, {one} - {other}",
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


def _ways(
    one: str, other: str, names: tuple[str, str], labelled: Sequence[str] = LABELLED
) -> dict[str, Question]:
    """One way of learning against another in the mean over the tasks, by number of labels."""
    found = {}
    for labels in labelled:
        parts = {task: _against(task, one, other, labels) for task in TASKS}
        answer = partial(_mean_finding, names, labels, parts)
        found[labels] = _question(answer, tuple(parts.values()))
    return found


gains = _ways("tuned", "scratch", ("pre-trained", "scratch"))
auxiliary = _ways("tuned", "no-aux", ("with the auxiliary loss", "without"), (AT_LAYERS,))
frozen = _ways("tuned", "frozen", ("fine-tuned", "frozen"))


def _gain(ours: str, quantity: str, parts: Contrast, evidence: Evidence) -> Finding:
    """What one part has more than another; `ours` takes both scores in percent."""
    gain = _difference(evidence, parts)
    scores = (100 * evidence.score(part.arm, part.group) for part in parts)
    return Finding(
        ours=ours.format(*(f"{score:.1f}" for score in scores)),
        quantity=quantity,
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


def _more(ours: str, quantity: str, parts: Contrast, units: str = EXAMPLES) -> Question:
    kinds = {part.group: units for part in parts}
    return _question(partial(_gain, ours, quantity, parts), (parts,), units=kinds)


choice: Mapping[str, Question] = {
    labels: _more(
        f"Which of four sentences follows, {labels} labels: {{}} % pre-trained, {{}} % from "
        "scratch",
        "difference in accuracy, pre-trained - scratch",
        _against("choice", "tuned", "scratch", labels),
    )
    for labels in LABELLED
}


def _nearness(evidence: Evidence) -> Finding:
    parts = (Part(1, "laboratory", "GPT"), Part(1, "laboratory", "limit"))
    above = evidence.bootstrap(lambda scores: scores[0] / scores[1] - 1, parts)
    return Finding(
        ours=f"A word of Pocket English costs GPT {points(above)} % more than the exact limit of "
        "whoever knows the left",
        quantity="cost above the limit, as a share of it",
        **numbers(above),
        verdict=sign_verdict([above.map(lambda share: share - NEAR)]),
    )


near_its_limit = _question(
    _nearness, ((Part(1, "laboratory", "GPT"), Part(-1, "laboratory", "limit")),)
)


def _sense(who: str, cue: str) -> str:
    return f"sense: {who}, cue {cue}"


right_side_missing = _more(
    "Senses told, the cue on the right: {} % by the best reader of both sides, {} % by GPT at the "
    "word",
    "difference in the share right, best reader of both sides - GPT at the word",
    (
        Part(1, "laboratory", _sense("best reader of both", "right")),
        Part(-1, "laboratory", _sense("GPT at the word", "right")),
    ),
    "blocks of words",
)
end_of_sentence = _more(
    "Senses told, the cue on the right: {} % by GPT at the word and at the end of the sentence, "
    "{} % at the word alone",
    "difference in the share right, with the end of the sentence - without",
    (
        Part(1, "laboratory", _sense("GPT and at the end", "right")),
        Part(-1, "laboratory", _sense("GPT at the word", "right")),
    ),
    "blocks of words",
)
