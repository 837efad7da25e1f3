"""Attention, recurrence and convolution in Pocket English, beside what can be said exactly.

Three readers with equally many parameters are trained on the same documents, as many steps, and
measured against the exact limit of whoever reads from the left: by place in the document, and by
verbs that must agree with a subject some phrases before. Each document is one sequence between two
marks ``</d>``, as in `elmo.laboratory`; of the rare ones longer than the context the rest is left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.evaluation.attention_heads import (
    SubjectHead,
    SubjectWeights,
    agreement,
    find_subject_head,
    subject_place,
    subject_weights,
)
from nnlm2bert.experiments.elmo.laboratory import LEARN, TEST, Costs, Documents
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.sequence_readers import NextWordModel, ReaderConfig, equal_sizes
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.synthetic.items import AgreementItem, agreement_items
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.length_batches import LengthBatches

ITEMS = 4
"""Seed of the items on agreement."""
PHRASES = (0, 1, 2, 3)
PLACES = (1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513)
"""Where ranges of places in a document begin: 1, 2, 3-4, 5-8 and so on."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "not divided by the root of d": {"divided": False},
    "1 head": {"heads": 1},
    "2 heads": {"heads": 2},
    "sinusoidal positions": {"positions": "sinusoidal"},
    "no positions": {"positions": "none"},
    "post-norm": {"norm": "post"},
}
"""What is changed in the Transformer, by name."""


@dataclass(frozen=True)
class Recipe:
    """How large all is at a scale.

    reader: the Transformer, whose parameters the others match. words: of the text that is learned
    from; batch: words a step, at most; test: words to measure on; items: on agreement, for each
    number of phrases between subject and verb.
    """

    reader: ReaderConfig
    words: int
    batch: int
    steps: int
    learning_rate: float
    test: int
    items: int


_READER = ReaderConfig(width=96, layers=3, inner=384, heads=4, dropout=0.0, context=512, norm="pre")
RECIPES: Mapping[str, Recipe] = {
    "smoke": Recipe(
        replace(_READER, width=32, layers=2, inner=128), 4_000, 512, 12, 3e-3, 2_000, 40
    ),
    "live": Recipe(_READER, 1_200_000, 1_024, 1_000, 6e-3, 20_000, 300),
    "laptop": Recipe(_READER, 2_000_000, 1_024, 2_500, 6e-3, 60_000, 1_000),
}


def recipe(scale: str) -> Recipe:
    """Return the sizes of a scale: ``smoke``, ``live`` (in the chapter), ``laptop`` or ``gpu``."""
    return RECIPES["laptop" if scale == "gpu" else scale]


@dataclass(frozen=True, eq=False)
class Reading:
    """Documents as a model that reads from the left takes them, ``context`` tokens at most."""

    documents: Documents
    context: int

    def pairs(self, rows: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """Return what is read and what is to be predicted of some documents, (B, T) each."""
        words, lengths, _ = self.documents.sequences(rows)
        steps = torch.arange(1, words.shape[1])
        targets = words[:, 1:].masked_fill(steps >= lengths.unsqueeze(1), IGNORED)
        return words[:, : self.context][:, : targets.shape[1]], targets[:, : self.context]

    @property
    def lengths(self) -> np.ndarray:
        """(D,) Words that are predicted of each document."""
        return np.minimum(self.documents.lengths - 1, self.context)

    @property
    def places(self) -> np.ndarray:
        """(N,) The place of each word of the text in its document, from 1."""
        words = self.documents.lengths - 1
        return np.arange(words.sum()) - np.repeat(self.documents.starts, words) + 1


def train_reader(
    language: PocketEnglish,
    scale: str,
    seed: int,
    kind: str = "attention",
    changes: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
) -> tuple[NextWordModel, TrainingResult]:
    """Train a reader from the start by the recipe of a scale; same seed, same weights.

    ``kind``: "attention", "lstm" or "convolution". ``changes``: fields of `ReaderConfig` that
    differ from the recipe's, such as ``heads``.
    """
    chosen = recipe(scale)
    config = replace(equal_sizes(chosen.reader)[kind], **(changes or {}))
    text = Reading(Documents.of(language, chosen.words, LEARN), chosen.reader.context)
    seed_everything(derived_seed(seed, "reader"))
    model = NextWordModel(len(language), config)
    counts = np.bincount(text.documents.sample.ids, minlength=len(language)) + 0.5
    with torch.no_grad():
        model.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    result = train(
        model,
        lambda network, batch: network.loss(*batch),
        LengthBatches(text.lengths, chosen.batch, text.pairs, seed),
        training_config(chosen, seed),
        checkpoint=checkpoint,
    )
    return model, result


def training_config(chosen: Recipe, seed: int) -> TrainingConfig:
    """Return how a recipe trains its readers: all alike."""
    return TrainingConfig(
        steps=chosen.steps,
        batch_size=1,
        learning_rate=chosen.learning_rate,
        warmup_steps=chosen.steps // 10,
        final_fraction=0.02,
        betas=(0.9, 0.98),
        precision="auto",
        seed=seed,
    )


def test_text(language: PocketEnglish, scale: str) -> Reading:
    """Return the text that a scale measures on."""
    chosen = recipe(scale)
    return Reading(Documents.of(language, chosen.test, TEST), chosen.reader.context)


def items(language: PocketEnglish, scale: str) -> dict[int, list[AgreementItem]]:
    """Return items on agreement, by phrases between subject and verb."""
    count = recipe(scale).items
    return {n: agreement_items(count, ITEMS, inserted=n, language=language) for n in PHRASES}


def nouns(language: PocketEnglish) -> frozenset[int]:
    """Return the ids of all nouns."""
    return frozenset(language.encode(language.forms).tolist())


def word_costs(model: NextWordModel, text: Reading) -> np.ndarray:
    """Return -log P of every word of a text, (N,), in nats; nan beyond the context."""
    nats = np.full(len(text.documents.sample), np.nan)
    model.eval()
    for rows in text.documents.parts():
        costs = model.costs(*text.pairs(rows)).numpy()
        columns = text.documents.places(rows)[:, 1 : costs.shape[1] + 1]
        nats[columns[columns >= 0]] = costs[columns >= 0]
    return nats


def against_limit(models: Mapping[str, NextWordModel], text: Reading) -> Costs:
    """Measure models on a text, by name, beside ``limit``, the exact one of the same words."""
    language = text.documents.sample.language
    nats = {name: word_costs(model, text) for name, model in models.items()}
    nats["limit"] = Oracle(language).left_floor(text.documents.sample.ids)
    inside = text.places <= text.context
    owners = text.documents.sample.document_ids[inside]
    return Costs(owners, {name: costs[inside] for name, costs in nats.items()})


def by_place(costs: Costs, text: Reading) -> dict[str, dict[str, list[float]]]:
    """Return the mean nats of each model, and of the limit, by ranges of places in a document.

    By name, then "from" (the first place of each range), "words" and "nats", summed.
    """
    places = text.places[text.places <= text.context]
    ranges = np.searchsorted(PLACES, places, side="right") - 1
    words = np.bincount(ranges)
    shown = np.flatnonzero(words)
    return {
        name: {
            "from": [PLACES[n] for n in shown],
            "words": words[shown].tolist(),
            "nats": np.bincount(ranges, weights=nats)[shown].tolist(),
        }
        for name, nats in costs.nats.items()
    }


def agreement_by_phrases(
    model: NextWordModel, asked: Mapping[int, Sequence[AgreementItem]]
) -> dict[int, float]:
    """Return the share of verbs in the right number, by phrases between subject and verb."""
    model.eval()
    return {n: float(agreement(model, own).mean()) for n, own in asked.items()}


def subject_head(
    model: NextWordModel, asked: Mapping[int, Sequence[AgreementItem]], language: PocketEnglish
) -> SubjectHead:
    """Return the head of a trained Transformer that finds the subject of a verb."""
    model.eval()
    return find_subject_head(model, asked, nouns(language))


def weights_by_number(
    model: NextWordModel, asked: Mapping[int, Sequence[AgreementItem]], language: PocketEnglish
) -> dict[str, dict[int, SubjectWeights]]:
    """Return what all heads give "singular" and "plural" subjects, by phrases in between.

    Two heads may share the work: one that looks for plural subjects, one for the others.
    """
    model.eval()
    named = nouns(language)
    return {
        number: {
            n: subject_weights(model, [i for i in own if number_of(i, language) == number], named)
            for n, own in asked.items()
        }
        for number in ("singular", "plural")
    }


def number_of(item: AgreementItem, language: PocketEnglish) -> str:
    """Return whether the subject of an item is "singular" or "plural"."""
    return language.forms[language.vocabulary[item.context[subject_place(item)]]].number
