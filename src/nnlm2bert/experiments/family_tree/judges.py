"""Judges of the family tree, from the records of the experiment `family_tree_laboratory`.

Findings beside the ledger. A seed is another training of each network, the same text, start and
order of batches for all that are compared. What each is judged by was written before anything was
recorded. "The tasks" are the mean of the laboratory's four tasks, learned from 300 labels:

`two_keys`              "BERT's keys are the Transformer and both sides": on the tasks attention
                        gains over LSTMs, and "masked" over "left-to-right", averaged over the rest.
`gpt_with_both_sides`   "GPT with both sides is BERT": on the way from GPT to BERT, tuned, the step
                        from "left-to-right" to "masked" is at least two thirds (`MOST`) of what
                        BERT with its second task is ahead of GPT, which is above 0.
`elmo_with_attention`   "ELMo with a Transformer is BERT": from two one-way LSTMs to BERT, frozen,
                        the step from LSTMs to attention is at least two thirds of the whole way,
                        which is above 0.
`cbow_grown_deep`       "masked words are CBOW grown deep": on the way from a bag of 4 neighbours on
                        each side to 2 layers of attention each of the four steps makes a hidden
                        word cheaper.
`fused_without_attention`  the network nobody built: with LSTMs, too, "masked" tells more senses
                        whose cue stands on the right than "left-to-right" does, by at least 10
                        points (`CLEARLY`), and a hidden word is cheaper than to two one-way LSTMs.
`attention_gains_more`  the gain of "masked" over "left-to-right" on the tasks is not the same
                        for both: attention gains more than LSTMs do (architecture x objective).
`masked_wants_tuning`   ... and it is larger for networks that are tuned than for frozen ones
                        (objective x way).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.family_tree.cells import (
    BERT,
    CELLS,
    NOBODY_BUILT,
    WALKS,
    Cell,
)
from nnlm2bert.experiments.family_tree.effects import (
    Effects,
    Group,
    Outcome,
    Seeds,
    Source,
    Stop,
    combined,
    factorial,
    in_one_arm,
    walk,
)
from nnlm2bert.experiments.judges import (
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
from nnlm2bert.experiments.standings import mean_group

MOST = 2 / 3
CLEARLY = 0.1
TASKS = tuple(f"laboratory {n}" for n in "part-of-speech word-sense sentiment entailment".split())
WORD, RIGHT = "one word: network", "sense: network, cue right"
OWN_LIMIT = {
    "left-to-right": "one word: limit of left",
    "two one-way": "one word: limit of product",
    "masked": "one word: limit of both",
}
OUTCOMES = (
    Outcome("a hidden word", "nats", (WORD,), ways=False, gain=-1),
    Outcome("above the own limit", "nats", (WORD,), ways=False, gain=-1, less=OWN_LIMIT),
    Outcome("sense, cue on the right", "share right", (RIGHT,), ways=False),
    Outcome("sense, cue on the left", "share right", ("sense: network, cue left",), ways=False),
    *(
        Outcome(task.removeprefix("laboratory "), "share right", (f"{task} {{way}}",))
        for task in TASKS
    ),
    Outcome("the four tasks", "share right", tuple(f"{task} {{way}}" for task in TASKS)),
)
"""What the factorial is measured by in Pocket English."""
ALL_TASKS = OUTCOMES[-1]
OF_WALKS = tuple(outcome for outcome in OUTCOMES if outcome.less is None)
"""What is measured at each stop of a walk."""


def laboratory_table(records: Sequence[Record]) -> dict[str, Effects]:
    """Return what the table and the figure of the factorial show, by outcome, at scale laptop.

    Else from a GPU; {} before the six networks are recorded with a seed in common.
    """
    for scale in ("laptop", "gpu"):
        found = factorial([record for record in records if record.scale == scale], OUTCOMES)
        if found:
            return found
    return {}


def laboratory_walks(records: Sequence[Record]) -> dict[str, list[Stop]]:
    """Return what is measured at each stop of the walks, and what each step gains, by walk.

    At scale laptop, else from a GPU; walks with a stop that is not recorded are left out.
    """
    for scale in ("laptop", "gpu"):
        own = [record for record in records if record.scale == scale]
        found = {name: walk(own, steps, OF_WALKS) for name, steps in WALKS.items()}
        if any(found.values()):
            return {name: stops for name, stops in found.items() if stops}
    return {}


# What questions need.


def _task_groups(way: str) -> tuple[str, ...]:
    return tuple(f"{task} {way}" for task in TASKS)


def _contrasts(places: Sequence[tuple[str, str]]) -> tuple[Contrast, ...]:
    """The tasks of arms, each in a way, as what must have been measured on the same examples."""
    return tuple(tuple(Part(1, arm, f"{task} {way}") for arm, way in places) for task in TASKS)


def _units(contrasts: Sequence[Contrast]) -> dict[str, str]:
    kinds = {"one": "blocks of documents", "sense": "blocks of words"}
    names = (part.group for parts in contrasts for part in parts)
    return {name: kinds.get(name.split()[0].rstrip(":"), "blocks of examples") for name in names}


def _seeds(evidence: Evidence, arm: str, groups: Sequence[str]) -> Seeds:
    """The mean of some groups of an arm, one a seed."""
    return {record.seed: _one(record, groups) for record in evidence.arms[arm]}


def _one(record: Record, groups: Sequence[str]) -> Group:
    own = [record.groups[name] for name in groups]
    return own[0] if len(own) == 1 else mean_group(own)


def _sum(evidence: Evidence, terms: Mapping[tuple[str, tuple[str, ...]], float]) -> Interval:
    """The sum of scores of arms with coefficients; keys are arms and groups, of which the mean."""
    return combined([(c, _seeds(evidence, *key)) for key, c in terms.items()])


# The factors.


@dataclass(frozen=True)
class Factors:
    """Questions about the factors' effects on an outcome of tasks, and where its cells are."""

    outcome: Outcome
    contrasts: tuple[Contrast, ...]
    source: Source = in_one_arm

    def asked(self, answer: Callable[[Mapping[str, Interval]], Finding]) -> Question:
        """Return a question whose answer is read off the effects by name."""

        def of_evidence(evidence: Evidence) -> Finding:
            records = [record for own in evidence.arms.values() for record in own]
            return answer(
                factorial(records, [self.outcome], self.source)[self.outcome.name].effects
            )

        return Question(of_evidence, self.contrasts, paired=True, units=_units(self.contrasts))

    def interaction(self, name: str, told: str) -> Question:
        """Return the question whether an interaction is above 0; ``told``: where more is gained."""

        def answer(effects: Mapping[str, Interval]) -> Finding:
            return Finding(
                ours=f"Masked words gain {points(effects[name])} points more over the next word "
                f"{told}",
                quantity="difference of two gains in points on four tasks",
                **numbers(effects[name]),
                verdict=sign_verdict([effects[name]], above=True),
            )

        return self.asked(answer)


def keys(effects: Mapping[str, Interval]) -> Finding:
    """Answer whether both of BERT's keys gain something on their own."""
    attention, masked = effects["LSTM to attention"], effects["left-to-right to masked"]
    return Finding(
        ours=f"Attention gains {points(attention)} points over LSTMs, masked words "
        f"{points(masked)} over the next word",
        quantity="gain in points on four tasks, the smaller of the two keys",
        **numbers(min(attention, masked, key=lambda gain: gain.low)),
        verdict=sign_verdict([attention, masked], above=True),
    )


WITH_ATTENTION, WITH_TUNING = "with attention than with LSTMs", "when tuned than when frozen"
LABORATORY = Factors(ALL_TASKS, _contrasts([(cell.network, cell.way) for cell in CELLS]))
two_keys = LABORATORY.asked(keys)
attention_gains_more = LABORATORY.interaction("architecture x objective", WITH_ATTENTION)
masked_wants_tuning = LABORATORY.interaction("objective x way", WITH_TUNING)


# The ways to BERT.


def _share_of_the_way(first: str, second: str, way: str, told: str) -> Question:
    """Whether the step from one network to the next is most of the way to BERT."""
    contrasts = _contrasts([(arm, way) for arm in (first, second, BERT)])

    def answer(evidence: Evidence) -> Finding:
        begin, after, end = ((arm, _task_groups(way)) for arm in (first, second, BERT))
        whole = _sum(evidence, {end: 1.0, begin: -1.0})
        step = _sum(evidence, {after: 1.0, begin: -1.0})
        beyond = _sum(evidence, {after: 1.0, begin: MOST - 1.0, end: -MOST})
        return Finding(
            ours=f"{told} gains {points(step)} of {points(whole)} points",
            quantity="gain of the step in points on four tasks",
            **numbers(step),
            verdict=all_hold(sign_verdict([whole], above=True), sign_verdict([beyond], above=True)),
        )

    return Question(answer, contrasts, paired=True, units=_units(contrasts))


gpt_with_both_sides = _share_of_the_way(
    "attention-left-to-right", "attention-masked", "tuned", "GPT with both sides"
)
elmo_with_attention = _share_of_the_way(
    "lstm-two-one-way", "attention-two-one-way", "frozen", "ELMo with attention"
)
FROM_CBOW = tuple(step.network for step in WALKS["from CBOW to the masked language model"][:5])
CBOW_PARTS = (tuple(Part(1, arm, WORD) for arm in FROM_CBOW),)


def _cbow(evidence: Evidence) -> Finding:
    saved = [
        _sum(evidence, {(before, (WORD,)): 1.0, (after, (WORD,)): -1.0})
        for before, after in pairwise(FROM_CBOW)
    ]
    told = ", ".join(f"{evidence.score(arm, WORD):.2f}" for arm in FROM_CBOW)
    return Finding(
        ours=f"A hidden word costs {told} nats, from CBOW to the masked language model",
        quantity="nats saved by the step that saves least",
        **numbers(min(saved, key=lambda gain: gain.low)),
        verdict=sign_verdict(saved, above=True),
    )


cbow_grown_deep = Question(_cbow, CBOW_PARTS, paired=True, units=_units(CBOW_PARTS))


# The network nobody built.

ONE_WAY, TWO_WAYS = (Cell("lstm", o, "frozen").network for o in ("left-to-right", "two one-way"))
LSTM_PARTS = (
    (Part(1, NOBODY_BUILT, RIGHT), Part(1, ONE_WAY, RIGHT)),
    (Part(1, NOBODY_BUILT, WORD), Part(1, TWO_WAYS, WORD)),
)


def _fused(evidence: Evidence) -> Finding:
    told = _sum(evidence, {(NOBODY_BUILT, (RIGHT,)): 1.0, (ONE_WAY, (RIGHT,)): -1.0})
    saved = _sum(evidence, {(TWO_WAYS, (WORD,)): 1.0, (NOBODY_BUILT, (WORD,)): -1.0})
    return Finding(
        ours=f"A masked LSTM tells {points(told)} points more senses whose cue stands on the right "
        f"than one from the left; a hidden word costs {saved.estimate:.3f} nats less than two",
        quantity="difference in the share right, masked - left-to-right, both of LSTMs",
        **numbers(told),
        verdict=sign_verdict([told.map(lambda share: share - CLEARLY), saved], above=True),
    )


fused_without_attention = Question(_fused, LSTM_PARTS, paired=True, units=_units(LSTM_PARTS))
QUESTIONS: Mapping[str, Question] = {
    "two keys": two_keys,
    "GPT with both sides is BERT": gpt_with_both_sides,
    "ELMo with a Transformer is BERT": elmo_with_attention,
    "masked words are CBOW grown deep": cbow_grown_deep,
    "masked words need no Transformer": fused_without_attention,
    "attention gains more from masked words": attention_gains_more,
    "masked words want tuning": masked_wants_tuning,
}
"""All of them, by what they ask."""
