"""GPT in Pocket English: how near its limit it comes, and what reading from the left costs it.

Whole documents are sequences between two marks ``</d>``, as in `elmo.laboratory`. The exact limit
of the next word is that of whoever knows everything to the left. Words with two senses show what
such a reader lacks: they are sorted by which side gives the sense away
(`synthetic.items.sense_items`), and what the network knows of the sense is held against the best
readers of the left and of both sides (`elmo.occurrences.best_readers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import nn

from nnlm2bert.evaluation.probes import TEST as ASKED
from nnlm2bert.evaluation.probes import TRAIN as KNOWN
from nnlm2bert.evaluation.probes import linear_probe
from nnlm2bert.experiments.elmo.laboratory import LEARN, READ_OUT, TEST, VOCABULARY, Documents
from nnlm2bert.experiments.elmo.measures import blocks
from nnlm2bert.experiments.elmo.occurrences import Occurrences, best_readers
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.experiments.transformer.laboratory import (
    Reading,
    against_limit,
    agreement_by_phrases,
    items,
    word_costs,
)
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import INITIAL_SPREAD, TransformerConfig
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.synthetic.items import CUES, SenseItem, sense_items
from nnlm2bert.synthetic.pocket_english import Sample
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.causal_features import layer_vectors

Groups = dict[str, dict[str, list[float]]]
LEAST = 2
"""Items of a cue that are needed to say anything of it: units cannot be drawn from fewer."""


@dataclass(frozen=True)
class Recipe:
    """How large all is at a scale.

    words: of the text that is learned from; batch: words a step, at most; test: words to measure
    on; known, asked: items that senses are read off, to learn from and to be measured on.
    """

    config: TransformerConfig
    words: int
    batch: int
    steps: int
    learning_rate: float
    test: int
    known: int
    asked: int


_GPT = TransformerConfig(
    VOCABULARY, context=512, width=96, heads=4, layers=3, inner=384, dropout=0.0, norm="pre"
)
"""Norms before each part, as in GPT-2: a network as narrow as this learns faster so."""
RECIPES: Mapping[str, Recipe] = {
    "smoke": Recipe(
        replace(_GPT, width=32, heads=2, layers=2, inner=128), 4_000, 512, 30, 6e-3, 2_000, 150, 150
    ),
    "live": Recipe(_GPT, 1_200_000, 1_024, 1_000, 6e-3, 20_000, 2_000, 2_000),
    "laptop": Recipe(_GPT, 2_000_000, 1_024, 3_500, 6e-3, 60_000, 4_000, 4_000),
}


def recipe(scale: str) -> Recipe:
    """Return the sizes of a scale: ``smoke``, ``live`` (in the chapter), ``laptop`` or ``gpu``."""
    return RECIPES["laptop" if scale == "gpu" else scale]


def train_gpt(language: PocketEnglish, scale: str, seed: int) -> tuple[GPT, TrainingResult]:
    """Train a GPT on documents from the start by the recipe of a scale; same seed, same weights."""
    chosen = recipe(scale)
    text = Reading(Documents.of(language, chosen.words, LEARN), chosen.config.context)
    seed_everything(derived_seed(seed, "GPT in the laboratory"))
    gpt = begun(chosen.config)
    counts = np.bincount(text.documents.sample.ids, minlength=VOCABULARY) + 0.5
    with torch.no_grad():
        gpt.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    result = train(
        gpt,
        lambda network, batch: network.loss(*batch),
        LengthBatches(text.lengths, chosen.batch, text.pairs, seed),
        training_config(chosen, seed),
    )
    return gpt, result


def begun(config: TransformerConfig) -> GPT:
    """Return a GPT whose weights begin as torch's own layers do, embeddings from N(0, 1 / width).

    As the readers of chapter 4: the .02 of GPT is made for vectors eight times as wide.
    """
    gpt = GPT(config)
    for part in gpt.modules():
        if isinstance(part, nn.Linear):
            part.reset_parameters()
    for table in (gpt.layers[0].tokens.weight, gpt.layers[0].positions):
        table.data.mul_(config.width**-0.5 / INITIAL_SPREAD)
    return gpt


def training_config(chosen: Recipe, seed: int) -> TrainingConfig:
    """Return how a recipe trains its GPT."""
    return TrainingConfig(
        steps=chosen.steps,
        batch_size=1,
        learning_rate=chosen.learning_rate,
        warmup_steps=chosen.steps // 10,
        final_fraction=0.02,
        betas=(0.9, 0.98),
        seed=seed,
    )


def measure_laboratory(scale: str, seed: int) -> Result:
    """Train a GPT in Pocket English and measure all of it.

    Groups "GPT" and "limit": every word of a text; "word ..." and "sense ...": words with two
    senses by the side of their cue. Figures in bits a word or in shares.
    """
    language, chosen = PocketEnglish(), recipe(scale)
    gpt, training = train_gpt(language, scale, seed)
    text = Reading(Documents.of(language, chosen.test, TEST), chosen.config.context)
    costs = against_limit({"GPT": gpt}, text)
    known = seen_items(language, chosen.known, READ_OUT)
    asked = seen_items(language, chosen.asked, TEST)
    words, senses = measure_words(gpt, asked), measure_senses(gpt, known, asked)
    agreed = agreement_by_phrases(gpt, items(language, scale))
    figures = {
        **{f"{name}, bits": bits for name, bits in costs.bits.items()},
        "GPT above its limit": costs.above("GPT", "limit"),
        **{name: score(group) / np.log(2) for name, group in words.items()},
        **{name: score(group) for name, group in senses.items()},
        **{f"agreement, {n} phrases between": share for n, share in agreed.items()},
        "words a second, training": chosen.steps * chosen.batch / training.training_seconds,
    }
    return Result(
        figures={name: float(value) for name, value in figures.items()},
        series={"steps": training.history.steps, "losses": training.history.losses},
        groups={**costs.groups(), **words, **senses},
    )


@dataclass(frozen=True, eq=False)
class SeenItems:
    """Words with two senses, each in a sentence that is a document by itself.

    ``seen`` says where they stand in the text that the sentences make, ``cues`` (N,) which side
    gives the sense away.
    """

    seen: Occurrences
    cues: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """(N,) The place of the mark that ends each sentence."""
        sample = self.seen.documents.sample
        return np.flatnonzero(sample.ids == sample.language.end_id)

    def groups(self, name: str, values: np.ndarray) -> Groups:
        """Return the sums of values (N,) by cue, in blocks of neighbouring items of a cue."""
        found: Groups = {}
        for cue in CUES:
            own = values[self.cues == cue].astype(np.float64)
            if len(own) >= LEAST:
                owners = blocks(len(own))
                sums = np.bincount(owners, weights=own)
                found[f"{name}, cue {cue}"] = {
                    "tokens": np.bincount(owners).tolist(),
                    "nats": [round(value, 3) for value in sums.tolist()],
                }
        return found


def seen_items(language: PocketEnglish, count: int, seed: int) -> SeenItems:
    """Return ``count`` items, no sentence twice."""
    found = list(islice(sense_items(language, seed), count))
    sample = as_text(language, found)
    ends = np.flatnonzero(sample.ids == language.end_id)
    starts = np.append(0, ends[:-1] + 1)
    places = starts + np.array([item.position for item in found])
    return SeenItems(Occurrences(Documents(sample), places), np.array([i.cue for i in found]))


def as_text(language: PocketEnglish, found: Sequence[SenseItem]) -> Sample:
    """Return the text in which each item's sentence is a document."""
    number = {state.name: n for n, state in enumerate(language.states)}
    end, states, words = len(language.states) - 1, [], []
    for item in found:
        words += [*item.sentence.words, language.grammar.end]
        states += [*(number[state.name] for state in item.sentence.states), end]
    return Sample(language, language.encode(words), np.array(states))


def measure_words(gpt: GPT, asked: SeenItems) -> Groups:
    """Return what the words themselves cost, by cue: GPT, and whoever knows one side or both."""
    documents, places = asked.seen.documents, asked.seen.places
    oracle, ids = Oracle(documents.sample.language), documents.sample.ids
    costs = {
        "GPT": word_costs(gpt, Reading(documents, gpt.config.context)),
        "limit of the left": oracle.left_floor(ids),
        "limit of both sides": oracle.both_floor(ids),
    }
    return {
        name: group
        for who, nats in costs.items()
        for name, group in asked.groups(f"word: {who}", nats[places]).items()
    }


def measure_senses(gpt: GPT, known: SeenItems, asked: SeenItems) -> Groups:
    """Return how often the sense is told, by cue: read off GPT, and by the best readers.

    A linear probe reads all layers at the word, where GPT has read the left and the word; or at the
    word and at the end of the sentence, where it has read everything.
    """
    labels = np.concatenate([part.seen.senses for part in (known, asked)])
    splits = np.repeat([KNOWN, ASKED], [len(part.cues) for part in (known, asked)])
    at_word, at_end = (
        np.concatenate([vectors_at(gpt, part.seen.documents, places) for part, places in where])
        for where in (
            [(part, part.seen.places) for part in (known, asked)],
            [(part, part.ends) for part in (known, asked)],
        )
    )
    features = {"at the word": at_word, "and at the end": np.concatenate([at_word, at_end], axis=1)}
    right = {
        f"GPT {where}": linear_probe(vectors, labels, splits).correct
        for where, vectors in features.items()
    }
    readers = best_readers(asked.seen)
    right |= {f"best reader of {side}": readers[side].correct for side in ("left", "both")}
    return {
        name: group
        for who, correct in right.items()
        for name, group in asked.groups(f"sense: {who}", correct).items()
    }


@torch.no_grad()
def vectors_at(gpt: GPT, documents: Documents, places: np.ndarray) -> np.ndarray:
    """Return the vectors of all layers side by side (M, (L + 1) D) at some places (M,) of a text.

    Raises ValueError for a document that is longer than the context.
    """
    order = np.full(len(documents.sample) + 1, -1)  # the last is that of place -1
    order[places] = np.arange(len(places))
    table = np.empty((len(places), (gpt.config.layers + 1) * gpt.config.width), np.float32)
    gpt.eval()
    for rows in documents.parts():
        words, _, _ = documents.sequences(rows)
        wanted = order[documents.places(rows)]
        wanted[:, 0] = -1  # the mark that ends the document before
        vectors = torch.cat(layer_vectors(gpt, words), dim=2).numpy()
        table[wanted[wanted >= 0]] = vectors[wanted >= 0]
    return table
