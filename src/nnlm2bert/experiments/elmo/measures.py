"""What the layers of a language model know of real words: part of speech, sense, homographs.

Units of resampling are blocks of neighbouring test sentences, or words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from nnlm2bert.evaluation.probes import TEST, TRAIN, Probe, control_labels, linear_probe
from nnlm2bert.evaluation.senses import SensePurity, sense_purity
from nnlm2bert.evaluation.word_senses import (
    Disambiguation,
    Occurrences,
    SenseInventory,
    disambiguate,
)
from nnlm2bert.experiments.elmo.material import Material, SenseText, SenseWord
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.scoreboard import BLOCKS
from nnlm2bert.experiments.word2vec.material import Occurrence, two_senses
from nnlm2bert.experiments.word2vec.measures import context_vector, extremes, rounded, usable
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.training import derived_seed
from nnlm2bert.transfer import Example, Task, draw
from nnlm2bert.transfer.contextual import Features

NEAREST = 5
WINDOW = 5
"""Words to each side whose vectors make the context vector of chapter 2."""
KINDS = ("NOUN", "VERB")
FOUR_FIFTHS = 0.8

Groups = dict[str, dict[str, list[float]]]


def probe_parts_of_speech(task: Task, features: Features, words: int, seed: int) -> Result:
    """Read part of speech, and a control task, off each layer with a linear probe.

    Training sentences are drawn until they have ``words`` words; all test sentences are asked.
    Groups and figures "POS layer 0", "POS control layer 0" ...
    """
    learned, tested = (
        first_words(draw(task, len(task.splits["train"]), seed), words),
        task.splits["test"],
    )
    examples = [*learned, *tested]
    read = torch.cat(features.of([example.sentences[0] for example in examples])).numpy()
    spelled = np.array([word for example in examples for word in example.words])
    gold = np.array([tag for example in examples for tag in example.label])
    control = control_labels(spelled, gold, generator("control", seed))
    marks = np.array([TRAIN] * words_of(learned) + [TEST] * words_of(tested))
    units = np.repeat(blocks(len(tested)), [len(example.words) for example in tested])
    found = {
        f"{name} layer {layer}": linear_probe(read[:, layer], labels, marks)
        for layer in range(read.shape[1])
        for name, labels in (("POS", gold), ("POS control", control))
    }
    return Result(
        figures={**_accuracies(found), "POS words learned from": words_of(learned)},
        groups={name: probe.units(units) for name, probe in found.items()},
    )


def _accuracies(probes: Mapping[str, Probe]) -> dict[str, float]:
    most = {
        f"{name}, most frequent": probes[f"{name} layer 0"].majority_accuracy
        for name in ("POS", "POS control")
    }
    return {**{name: probe.accuracy for name, probe in probes.items()}, **most}


def first_words(examples: Sequence[Example], words: int) -> list[Example]:
    """The first examples that together have so many words, or all."""
    totals = np.cumsum([len(example.words) for example in examples])
    return list(examples[: int(np.searchsorted(totals, words)) + 1])


def words_of(examples: Sequence[Example]) -> int:
    """How many words examples have."""
    return sum(len(example.words) for example in examples)


def blocks(sentences: int) -> np.ndarray:
    """The block (N,) that each of N sentences is in, of at most `BLOCKS` of one size."""
    return np.arange(sentences) * min(BLOCKS, sentences) // sentences


def generator(name: str, seed: int) -> np.random.Generator:
    """Numbers by lot for one purpose and seed."""
    return np.random.default_rng(derived_seed("elmo", name, seed))


def disambiguate_layers(material: Material, seed: int) -> Result:
    """Give each word of the test sets its nearest sense, by each layer, and by a control task.

    Four fifths of the training documents are drawn; first senses are those of all of them.
    Groups "WSD layer 0" ..., "WSD control layer 0" ..., "WSD first sense", and the part whose sense
    is another, "WSD not first layer 0" ...
    """
    train, *tests = material.senses
    inventory = SenseInventory.of(occurrences(material, [train], 0))
    chosen = drawn(material.senses[train], seed)
    figures: dict[str, float] = {}
    groups: Groups = {}
    for layer in range(material.sense_vectors(train).shape[1]):
        known = occurrences(material, [train], layer).among(chosen)
        asked = occurrences(material, tests, layer)
        found = disambiguate(known, asked, inventory)
        control = disambiguate(known.shuffled(generator("senses", seed)), asked, inventory)
        groups |= {
            f"WSD layer {layer}": found.units(),
            f"WSD control layer {layer}": control.units(),
            f"WSD not first layer {layer}": found.units(found.not_first),
            "WSD first sense": found.first_units(),
        }
        figures |= _senses_figures(found, control, layer, _sets(material, tests))
    return Result(figures=figures, groups=groups)


def drawn(text: SenseText, seed: int) -> np.ndarray:
    """Which words (N,) of a text are in the four fifths of its documents that a seed draws."""
    names = sorted(set(text.documents))
    lots = generator("documents", seed).permutation(len(names))
    kept = {names[i] for i in lots[: round(FOUR_FIFTHS * len(names))]}
    return np.array([text.documents[word.sentence] in kept for word in text.words])


def occurrences(material: Material, names: Sequence[str], layer: int) -> Occurrences:
    """One layer's vectors of the words with senses of some texts; units are blocks of sentences."""
    words = [word for name in names for word in material.senses[name].words]
    total = sum(len(material.senses[name].sentences) for name in names)
    units, offset = [], 0
    for name in names:
        units += [offset + word.sentence for word in material.senses[name].words]
        offset += len(material.senses[name].sentences)
    return Occurrences(
        np.concatenate([material.sense_vectors(name)[:, layer] for name in names]),
        [word.lemma for word in words],
        [word.pos for word in words],
        [word.senses for word in words],
        blocks(total)[units].tolist(),
    )


def _sets(material: Material, names: Sequence[str]) -> np.ndarray:
    """The set (M,) of each test word."""
    return np.repeat(list(names), [len(material.senses[name].words) for name in names])


def _senses_figures(
    found: Disambiguation, control: Disambiguation, layer: int, sets: np.ndarray
) -> dict[str, float]:
    """Accuracies of one layer, over all and by set, and what needs no layer."""
    own = {f"WSD layer {layer}": found.accuracy, f"WSD control layer {layer}": control.accuracy}
    by_set = {
        f"{name}, {part}": float(right[sets == part].mean())
        for part in dict.fromkeys(sets.tolist())
        for name, right in (
            (f"WSD layer {layer}", found.correct),
            ("WSD first sense", found.first_correct),
        )
    }
    return {
        **own,
        f"WSD not first layer {layer}": found.not_first_accuracy,
        f"WSD F1 layer {layer}": found.f1,
        "WSD first sense": found.first_accuracy,
        "WSD answered": found.answered,
        **by_set,
    }


def measure_sense_purity(material: Material) -> Result:
    """Whether the nearest occurrences of a word with two senses have the sense of each.

    Words, and their occurrences, as in chapter 2: common nouns and verbs of one word and one sense,
    two senses at least ten times each. By word vectors, the mean of those around, and the layers.
    """
    text, layers = material.senses["train"], material.sense_vectors("train")
    places = two_sense_places(text, material.vectors)
    chosen = [chapter_two(text, text.words[place]) for place in places]
    vectors = material.vectors
    spaces = {
        "word vectors": np.array([vectors[each.words[each.place]] for each in chosen]),
        "context vectors": np.array([context_vector(vectors, each, WINDOW) for each in chosen]),
        **{f"layer {n}": layers[places, n] for n in range(layers.shape[1])},
    }
    lemmas, senses = [each.lemma for each in chosen], [each.sense for each in chosen]
    found = {name: sense_purity(rows, senses, lemmas, NEAREST) for name, rows in spaces.items()}
    return Result(
        figures={
            **{f"sense purity, {name}": purity.mean for name, purity in found.items()},
            "sense purity, by lot": found["word vectors"].mean_chance,
            "words with two senses": len(found["word vectors"].words),
            "occurrences": len(chosen),
        },
        groups={name: rounded(purity.units()) for name, purity in found.items()},
        words={"by gain of the last layer": extremes(*_ends(found))},
    )


def _ends(found: Mapping[str, SensePurity]) -> tuple[SensePurity, SensePurity]:
    """What the word vectors, and what the last layer, made of the words."""
    return found["word vectors"], list(found.values())[-1]


def chapter_two(text: SenseText, word: SenseWord) -> Occurrence:
    """An occurrence as chapter 2 has it, in lower case."""
    words = tuple(w.lower() for w in text.sentences[word.sentence])
    return Occurrence(words, word.start, f"{word.lemma}/{word.tag[:2]}", word.senses[0])


def two_sense_places(text: SenseText, vectors: WordVectors) -> list[int]:
    """Which words of a text are those of chapter 2 that have vectors, more than 5 of each lemma."""
    made = {p: chapter_two(text, word) for p, word in enumerate(text.words) if is_plain(word)}
    places = {id(each): place for place, each in made.items()}
    kept = [each for each in two_senses(made.values()) if usable(vectors, each, WINDOW)]
    counts = Counter(each.lemma for each in kept)
    return sorted(places[id(each)] for each in kept if counts[each.lemma] > NEAREST)


def is_plain(word: SenseWord) -> bool:
    """Whether an occurrence is a common noun or a verb, of one word and one sense."""
    common = word.tag[:2] in ("NN", "VB") and word.tag[:3] != "NNP"
    return common and word.length == len(word.senses) == 1


def measure_homographs(material: Material, least: Mapping[str, int]) -> Result:
    """Whether the nearest occurrences of a form, noun or verb, share part of speech and sense.

    Only the first occurrence of a form in a sentence counts, so that neighbours are of others.
    ``least``: how often a "form" must occur, and as each "part of speech", to be looked at.
    Groups "part of speech layer 0" ..., "sense layer 0" ..., a form a unit.
    """
    text, layers = material.senses["train"], material.sense_vectors("train")
    places = homographs(text, least)
    forms = [text.form(text.words[place]) for place in places]
    asked: dict[str, Callable[[SenseWord], str]] = {
        "part of speech": lambda word: word.pos,
        "sense": lambda word: word.senses[0],
    }
    figures: dict[str, float] = {"forms": len(set(forms)), "occurrences": len(places)}
    groups: Groups = {}
    by_name: dict[str, SensePurity] = {}
    for what, label in asked.items():
        labels = [label(text.words[place]) for place in places]
        for n in range(layers.shape[1]):
            found = by_name[f"{what} layer {n}"] = sense_purity(
                layers[places, n], labels, forms, NEAREST
            )
            figures |= {f"{what} layer {n}": found.mean, f"{what}, by lot": found.mean_chance}
            groups[f"{what} layer {n}"] = rounded(found.units())
    last = layers.shape[1] - 1
    ends = by_name["sense layer 0"], by_name[f"sense layer {last}"]
    return Result(figures=figures, groups=groups, words={"by gain in sense": extremes(*ends)})


def homographs(text: SenseText, least: Mapping[str, int]) -> list[int]:
    """Which words of a text are of forms that are often a noun and often a verb.

    One word, one sense; the first of a form in its sentence; ``least`` as `measure_homographs`.
    """
    first: dict[tuple[int, str], int] = {}
    for place, word in enumerate(text.words):
        if is_plain(word):
            first.setdefault((word.sentence, text.form(word)), place)
    by_form: defaultdict[str, list[int]] = defaultdict(list)
    for (_, form), place in first.items():
        by_form[form].append(place)
    return sorted(p for own in by_form.values() if _often(text, own, least) for p in own)


def _often(text: SenseText, places: Sequence[int], least: Mapping[str, int]) -> bool:
    counts = Counter(text.words[place].pos for place in places)
    as_each = min(counts[kind] for kind in KINDS)
    return len(places) >= least["form"] and as_each >= least["part of speech"]
