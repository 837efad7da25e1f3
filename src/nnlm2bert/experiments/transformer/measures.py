"""The laboratory's part of the experiment `transformer`: a reader in figures, groups and series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnlm2bert.evaluation.attention_heads import SubjectHead, agreement
from nnlm2bert.experiments.elmo.laboratory import Costs
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.transformer.laboratory import (
    Reading,
    against_limit,
    by_place,
    items,
    recipe,
    subject_head,
    test_text,
    train_reader,
)
from nnlm2bert.models.sequence_readers import NextWordModel
from nnlm2bert.synthetic import PocketEnglish

BLOCKS = 50
"""Units of the groups on agreement."""


def measure_laboratory(scale: str, seed: int, kind: str, changes: Mapping[str, Any]) -> Result:
    """Train a reader in Pocket English and measure all of it.

    Groups "model" and "limit" in nats, "agreement 0" ... in right answers; series by place in the
    document; of a Transformer what its heads give the subject, and what they are worth.
    """
    language = PocketEnglish()
    model, training = train_reader(language, scale, seed, kind, changes)
    text, asked = test_text(language, scale), items(language, scale)
    costs = against_limit({"model": model}, text)
    right = {n: agreement(model, own) for n, own in asked.items()}
    found = heads(subject_head(model, asked, language)) if kind == "attention" else Result({})
    return Result(
        figures={
            **{f"{name}, bits": float(bits) for name, bits in costs.bits.items()},
            "above the limit": costs.above("model", "limit"),
            **{f"agreement, {n} phrases": float(each.mean()) for n, each in right.items()},
            **sizes(model),
            "words a second": recipe(scale).batch * training.step / training.training_seconds,
            **found.figures,
        },
        series={
            "steps": training.history.steps,
            "losses": training.history.losses,
            **places(costs, text),
            **found.series,
        },
        groups={**costs.groups(), **agreement_groups(right)},
    )


def sizes(model: NextWordModel) -> dict[str, float]:
    """Return the parameters of a reader, and the places that it sees (0: all)."""
    return {"parameters": model.config.parameters, "field": model.config.field or 0}


def places(costs: Costs, text: Reading) -> dict[str, list[float]]:
    """Return series by place in the document: where ranges begin, words, and summed nats."""
    found = by_place(costs, text)
    shared = {"places from": found["limit"]["from"], "words by place": found["limit"]["words"]}
    nats = {
        f"nats by place, {name}": [round(value, 3) for value in rows["nats"]]
        for name, rows in found.items()
    }
    return {**shared, **nats}


def agreement_groups(right: Mapping[int, np.ndarray]) -> dict[str, dict[str, list[float]]]:
    """Return right answers by block of items, by phrases between subject and verb."""
    parts = {n: np.array_split(each, BLOCKS) for n, each in right.items()}
    return {
        f"agreement {n}": {
            "tokens": [len(block) for block in blocks if len(block)],
            "nats": [int(block.sum()) for block in blocks if len(block)],
        }
        for n, blocks in parts.items()
    }


def heads(found: SubjectHead) -> Result:
    """Return what is known of the head that finds the subject, and of each head's worth.

    Series "weight on the subject, 1 phrases" and "agreement without, 1 phrases" go through all
    heads, block by block.
    """
    numbered = list(found.by_phrases)
    series: dict[str, Sequence[float]] = {}
    figures: dict[str, float] = {"head, layer": found.head.layer, "head, number": found.head.number}
    for n in numbered:
        rows = found.by_phrases[n].mean.flatten()
        series[f"weight on the subject, {n} phrases"] = [round(float(w), 4) for w in rows]
        series[f"agreement without, {n} phrases"] = [own[n] for own in found.without.values()]
        figures |= {
            f"head, weight on the subject, {n} phrases": found.weight[n],
            f"head, subject has most, {n} phrases": found.largest[n],
            f"head, weight on a place by lot, {n} phrases": found.uniform[n],
            f"agreement with all heads, {n} phrases": found.agreed[n],
            f"agreement without the head, {n} phrases": found.without[found.head][n],
        }
        if np.isfinite(found.other_nouns[n]):
            figures[f"head, weight on another noun, {n} phrases"] = found.other_nouns[n]
    return Result(figures=figures, series=series)
