"""The laboratory's part of the experiment `elmo`: a biLM in Pocket English in figures and groups.

One record holds how far both directions are from their exact limits, what two one-way models know
together, and what the layers tell of senses and of parts of speech, beside word vectors and the
best reader there can be. Here a seed is another training of the biLM.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnlm2bert.evaluation.probes import TEST as TEST_SPLIT
from nnlm2bert.experiments.elmo.laboratory import (
    READ_OUT,
    TEST,
    Documents,
    Recipe,
    against_floors,
    fusion,
    in_blocks,
    recipe,
    train_bilm,
    vectors_at,
)
from nnlm2bert.experiments.elmo.occurrences import (
    Occurrences,
    best_readers,
    read_layers,
    read_tags,
    static_vectors,
    tagged_words,
    two_sense_words,
)
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.scoreboard import BLOCKS
from nnlm2bert.experiments.word2vec.measures import rounded
from nnlm2bert.models.elmo import BiLM
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.synthetic import PocketEnglish

TAGGED: Mapping[str, int] = {"smoke": 1_000, "laptop": 20_000, "gpu": 20_000}
"""Words whose part of speech is read off; half of them to learn from."""
LEAST: Mapping[str, int] = {"smoke": 15, "laptop": 20, "gpu": 20}
"""How often a form with two senses must occur, in as many documents."""
SENSED: Mapping[str, int] = {"smoke": 9_000, "laptop": 100_000, "gpu": 100_000}
"""Words of the text whose senses and parts of speech are read off."""


def measure_laboratory(scale: str, seed: int, static: WordVectors) -> Result:
    """Train a biLM in Pocket English and measure all of it.

    ``static``: word vectors of the language, which stand beside the layers. Figures in bits a word
    or in shares; units of the groups are blocks of documents, of senses words.
    """
    language, chosen = PocketEnglish(), recipe(scale)
    bilm, training = train_bilm(language, scale, seed)
    test = Documents.of(language, chosen.test, TEST)
    labelled = Documents.of(language, SENSED[scale], TEST)
    parts = (
        measure_limits(bilm, test, Documents.of(language, chosen.readout, READ_OUT), seed),
        measure_senses(bilm, labelled, static, LEAST[scale], seed),
        measure_tags(bilm, labelled, static, TAGGED[scale], seed),
    )
    figures = {name: value for part in parts for name, value in part.figures.items()}
    groups = {name: group for part in parts for name, group in part.groups.items()}
    speed = learned_words(chosen) / training.training_seconds
    return Result(
        figures={**figures, "words a second, training": speed},
        series={"steps": training.history.steps, "losses": training.history.losses},
        groups=groups,
    )


def learned_words(chosen: Recipe) -> int:
    """How many words a training reads at most, those read again counted again."""
    return chosen.steps * chosen.batch


def measure_limits(bilm: BiLM, test: Documents, learn: Documents, seed: int) -> Result:
    """Both directions beside their limits; both sides together, by all ways to join them.

    Groups "forward" ..., and "around: product" ... of words alone, without marks.
    """
    sides, around = against_floors(bilm, test), fusion(bilm, learn, test, seed)
    figures = {
        **{f"{name}, bits": bits for name, bits in sides.bits.items()},
        **{f"around: {name}, bits": bits for name, bits in around.bits.items()},
        "forward above its limit": sides.above("forward", "left limit"),
        "backward above its limit": sides.above("backward", "right limit"),
        "around: concatenation above both": around.above("concatenation", "both"),
    }
    groups = sides.groups(BLOCKS)
    groups |= {f"around: {name}": group for name, group in around.groups(BLOCKS).items()}
    return Result(figures=figures, groups=groups)


def measure_senses(
    bilm: BiLM, text: Documents, static: WordVectors, least: int, seed: int
) -> Result:
    """What word vectors, each layer, and the best readers tell of words with two senses."""
    seen = two_sense_words(text, least)
    named = spaces(bilm, seen, static)
    found = read_layers(named, seen, seed)
    figures = {
        f"sense {what}, {name}": value
        for name, reading in found.items()
        for what, value in reading.figures.items()
    }
    limits = {
        f"sense, best reader of {side}": reader.accuracy
        for side, reader in best_readers(seen).items()
    }
    purity = next(iter(found.values())).purity
    sizes = {"sense purity, by lot": purity.mean_chance, "words with two senses": len(purity.words)}
    groups = {f"sense purity {name}": rounded(r.purity.units()) for name, r in found.items()}
    return Result(figures={**figures, **limits, **sizes}, groups=groups)


def measure_tags(bilm: BiLM, text: Documents, static: WordVectors, words: int, seed: int) -> Result:
    """What word vectors and each layer tell of parts of speech."""
    seen = tagged_words(text, words)
    named = spaces(bilm, seen, static)
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    units = in_blocks(seen.owners[seen.splits == TEST_SPLIT], BLOCKS)
    for name, vectors in named.items():
        found = read_tags(vectors, seen, seed)
        figures |= {f"tag {what}, {name}": value for what, value in found.figures.items()}
        for what, probe in (("tag", found.probe), ("tag control", found.control)):
            groups[f"{what} {name}"] = probe.units(units)
    return Result(figures=figures, groups=groups)


def spaces(bilm: BiLM, seen: Occurrences, static: WordVectors) -> dict[str, np.ndarray]:
    """The vectors (N, D) of some words of a text: their word vectors, and each layer's."""
    layers = vectors_at(bilm, seen.documents, seen.places)
    by_layer = {f"layer {n}": rows for n, rows in enumerate(layers)}
    return {"word vectors": static_vectors(static, seen), **by_layer}
