"""Translation with BERT: how an encoder and a decoder do that begin as it, or at random.

The laboratory's pairs (Pocket English to Voro) can be right to the last word; those of Multi30k are
measured by BLEU. Every way gets the same pairs, tokens, steps, rates and sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnlm2bert.evaluation.bleu import bleu, bleu_units
from nnlm2bert.evaluation.translations import right_units
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.scoreboard import BLOCKS, score
from nnlm2bert.models.bert import BERT
from nnlm2bert.models.encoder_decoder import EncoderDecoder
from nnlm2bert.tokenizers.text_bpe import train_text_bpe
from nnlm2bert.training import derived_seed
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.translation import (
    BLEU,
    SENTENCES,
    Pairs,
    Translated,
    TranslationRecipe,
    TranslationTask,
    Written,
    held_out_nats,
    learn_translation,
    translate,
    translator,
)


@dataclass(frozen=True)
class Scale:
    """How a translation is learned and measured at a scale.

    sizes: pairs of each split of the laboratory; context: tokens of a sentence at most, in either
    language; vocabulary_size: tokens that are written, where texts are cut in pieces; test: pairs
    that are translated at most; few_steps: updates where only some of the pairs are learned from.
    """

    recipe: TranslationRecipe
    sizes: Mapping[str, int]
    few_steps: int
    context: int = 64
    vocabulary_size: int = 6_000
    test: int = 1_000


_LABORATORY = TranslationRecipe(
    steps=450, batch_tokens=1_024, learning_rate=3e-3, dropout=0.0, spread=0.06
)
_CAPTIONS = TranslationRecipe(
    steps=800,
    batch_tokens=2_048,
    learning_rate=1e-3,
    spread=0.05,
    evaluations=10,
    precision="bfloat16",
)
_SMALL = replace(_LABORATORY, steps=6, batch_tokens=256, evaluations=2, validation=10)
SCALES: Mapping[str, Mapping[str, Scale]] = {
    SENTENCES: {
        "smoke": Scale(_SMALL, {"train": 60, "validation": 10, "test": 12}, 4, context=48, test=12),
        "live": Scale(_LABORATORY, {"train": 2_000, "validation": 300, "test": 500}, 450),
        "laptop": Scale(
            replace(_LABORATORY, steps=1_500),
            {"train": 4_000, "validation": 500, "test": 1_000},
            few_steps=500,
        ),
    },
    BLEU: {
        "smoke": Scale(_SMALL, {}, 4, context=24, vocabulary_size=300, test=8),
        "live": Scale(replace(_CAPTIONS, steps=300), {}, 300, test=200),
        "laptop": Scale(_CAPTIONS, {}, few_steps=300),
    },
}
"""By measure and scale; ``gpu`` is as ``laptop``."""


def scale_of(measure: str, scale: str) -> Scale:
    """Return how a translation with such a measure is learned at a scale."""
    return SCALES[measure]["laptop" if scale == "gpu" else scale]


def recipe_for(chosen: Scale, pairs: int | None) -> TranslationRecipe:
    """Return how a translation is learned from so many pairs; None: all."""
    return chosen.recipe if pairs is None else replace(chosen.recipe, steps=chosen.few_steps)


def drawn(task: TranslationTask, pairs: int | None, seed: int) -> list[Translated]:
    """Return so many training pairs by lot, a smaller draw part of a larger one; None: all."""
    import random

    train = list(task.splits["train"])
    random.Random(derived_seed("pairs", task.name, seed)).shuffle(train)
    return train if pairs is None else train[:pairs]


def written_by(task: TranslationTask, learned: list[Translated], chosen: Scale) -> Written:
    """Return the tokens that are written, known from the pairs that are learned from alone."""
    texts = [example.target for example in learned]
    if task.measure == SENTENCES:
        return Written.of_words(texts)
    return Written.of_pieces(train_text_bpe(texts, chosen.vocabulary_size))


def measure_translation(
    task: TranslationTask,
    bert: BERT,
    read: MarkedWords,
    way: str,
    scale: str,
    seed: int,
    pairs: int | None = None,
    device: str = "cpu",
) -> Result:
    """Learn to translate in one of `translation.WAYS`, and translate the test part.

    Args:
        task: its splits; bert: the network that may be begun from, and whose sizes all have.
        read: how words become the tokens of ``bert``.
        pairs: how many are learned from; None: all.

    Groups "sentences" and "words", shares that are right, or "BLEU: ..." for each of `bleu.COUNTS`.
    Figures of these, "nats" a token of the test part, and "tokens a second, training".
    """
    chosen = scale_of(task.measure, scale)
    learned = drawn(task, pairs, seed)
    written = written_by(task, learned, chosen)
    context = min(chosen.context, bert.config.context)
    validation, test = task.splits["validation"], task.splits["test"][: chosen.test]
    own, held_out, asked = (
        Pairs.of(examples, read, written, context) for examples in (learned, validation, test)
    )
    own_rate = {"encoder_rate": 1.0} if way == "scratch" else {}
    recipe = replace(recipe_for(chosen, pairs), **own_rate)
    network, training = learn_translation(
        lambda: translator(bert, way, own, written.same_as(read), len(written), recipe),
        *(own, held_out, recipe, seed),
        device=device,
    )
    said = [written.join(ids) for ids in translate(network, asked.sources, longest=context)]
    groups = translation_groups(task.measure, said, [example.target for example in test])
    speed = training.step * recipe.batch_tokens / training.training_seconds
    figures = {
        **translation_figures(groups),
        "nats": held_out_nats(network, asked),
        "weights": float(weights_that_learn(network)),
        "steps to the best": float(training.best_step or training.step),
        "tokens a second, training": speed,
    }
    series = {
        "steps": training.history.evaluated,
        "held-out nats": training.history.measures["nats"],
    }
    return Result(figures=figures, series=series, groups=groups)


def weights_that_learn(network: EncoderDecoder) -> int:
    """Return how many numbers training changes."""
    return sum(part.numel() for part in network.parameters() if part.requires_grad)


def translation_groups(
    measure: str, said: list[str], right: list[str]
) -> dict[str, dict[str, list[float]]]:
    """Return the groups of a record by name, for translations and what they should be."""
    if measure == SENTENCES:
        return dict(zip(("sentences", "words"), right_units(said, right, BLOCKS), strict=True))
    return {f"BLEU: {name}": group for name, group in bleu_units(said, right, BLOCKS).items()}


def translation_figures(groups: Mapping[str, Mapping[str, list[float]]]) -> dict[str, float]:
    """Return the scores of the groups of `translation_groups`: two shares, or BLEU."""
    if "sentences" in groups:
        return {name: score(group) for name, group in groups.items()}
    found = bleu([math.fsum(group["nats"]) for group in groups.values()])
    return {"BLEU": found}
