"""Judges of the family tree on real text, from the records of the experiment `family_tree`.

Findings beside the ledger. A seed is another draw of labels and start of what learns from them; the
networks are trained once. What each is judged by was written before anything was recorded, and is
what `judges` asks of Pocket English, of the mean of chunks, entities, sentiment and entailment:

`two_keys`, `attention_gains_more`, `masked_wants_tuning`    as there
`fused_without_attention`   the network nobody built: with LSTMs, too, "masked" finds a word left
                            out cheaper than two one-way LSTMs do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnlm2bert.experiments.family_tree.cells import CELLS, NOBODY_BUILT, Cell, Step
from nnlm2bert.experiments.family_tree.effects import Effects, Outcome, Seeds, factorial
from nnlm2bert.experiments.family_tree.judges import (
    WITH_ATTENTION,
    WITH_TUNING,
    Factors,
    keys,
)
from nnlm2bert.experiments.judges import (
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    numbers,
    sign_verdict,
)
from nnlm2bert.experiments.records import Record

LABELS = "1,000"
TASKS = ("chunks", "entities", "sentiment", "entailment")
OUTCOMES = (
    Outcome("a word left out", "nats", ("cloze",), ways=False, gain=-1),
    Outcome("decided by the right", "share right", ("right",), ways=False),
    Outcome("decided by the left", "share right", ("left",), ways=False),
    *(Outcome(task, "share right", (f"{task}-{{network}}-{{way}}",)) for task in TASKS),
    Outcome("the four tasks", "share right", tuple(f"{t}-{{network}}-{{way}}" for t in TASKS)),
)
"""What the factorial is measured by on real text; of chunks and entities it is F1."""
ALL_TASKS = OUTCOMES[-1]


def in_task_arms(records: Sequence[Record], cell: Cell | Step, group: str) -> Seeds:
    """Return what an arm of a task holds, or a group of the arm of the cell's network.

    What is measured of a network was measured once, and counts for each seed there is of tasks.
    """
    arm = group.format(network=cell.network, way=cell.way)
    if arm != group:
        own = (record for record in records if record.arm == arm)
        return {record.seed: record.groups[LABELS] for record in own if LABELS in record.groups}
    own = (record for record in records if record.arm == cell.network)
    return {record.seed: record.groups[group] for record in own if group in record.groups}


def running_table(records: Sequence[Record]) -> dict[str, Effects]:
    """Return what the table and the figure of the factorial show, by outcome, at scale laptop.

    Else from a GPU; {} before anything is recorded of all six networks.
    """
    for scale in ("laptop", "gpu"):
        own = [record for record in records if record.scale == scale]
        if found := factorial(own, OUTCOMES, in_task_arms):
            return found
    return {}


def _contrasts() -> tuple[Contrast, ...]:
    return tuple(
        tuple(Part(1, f"{task}-{cell.network}-{cell.way}", LABELS) for cell in CELLS)
        for task in TASKS
    )


FACTORS = Factors(ALL_TASKS, _contrasts(), in_task_arms)
two_keys = FACTORS.asked(keys)
attention_gains_more = FACTORS.interaction("architecture x objective", WITH_ATTENTION)
masked_wants_tuning = FACTORS.interaction("objective x way", WITH_TUNING)
WORD = (Part(1, "lstm-two-one-way", "cloze"), Part(-1, NOBODY_BUILT, "cloze"))


def _fused(evidence: Evidence) -> Finding:
    saved = evidence.contrast(*WORD)
    costs = (evidence.score(part.arm, part.group) for part in WORD)
    two, masked = (f"{cost:.2f}" for cost in costs)
    return Finding(
        ours=f"A word left out costs two one-way LSTMs {two} nats, a masked one {masked}",
        quantity="nats saved by a masked LSTM over two one-way ones",
        **numbers(saved),
        verdict=sign_verdict([saved], above=True),
    )


fused_without_attention = Question(
    _fused,
    (WORD,),
    counted=tuple(part.arm for part in WORD),
    units={"cloze": "blocks of text"},
)
QUESTIONS: Mapping[str, Question] = {
    "two keys": two_keys,
    "attention gains more from masked words": attention_gains_more,
    "masked words want tuning": masked_wants_tuning,
    "masked words need no Transformer": fused_without_attention,
}
"""All of them, by what they ask."""
