"""What the layers of a biLM tell of a word in Pocket English: its sense, its part of speech.

The measures of chapter 2 (:mod:`nnlm2bert.evaluation.senses`) for vectors of occurrences, with two
things beside: a control, in which there is nothing to be told (Hewitt & Liang 2019), and the best
reader there can be, who knows the grammar (:meth:`nnlm2bert.synthetic.Oracle.label_posterior`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nnlm2bert.evaluation.probes import TEST, TRAIN, Probe, control_labels, linear_probe
from nnlm2bert.evaluation.senses import SenseProbe, SensePurity, sense_probe, sense_purity
from nnlm2bert.experiments.elmo.laboratory import Documents
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.synthetic import Oracle
from nnlm2bert.synthetic.pocket_english import PARTS_OF_SPEECH
from nnlm2bert.training import derived_seed

NEAREST = 10
LEAST = 20
NOUN = PARTS_OF_SPEECH.index("NOUN")


@dataclass(frozen=True, eq=False)
class Occurrences:
    """N words of a text: their ``places`` (N,) in it, and all that is known of them.

    ``splits`` (N,): "train" for words of every other document, "test" for the others.
    """

    documents: Documents
    places: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """(N,) Their numbers in the vocabulary."""
        return self.documents.sample.ids[self.places]

    @property
    def senses(self) -> np.ndarray:
        """(N,) Index into the senses of the language; 0 for words with one sense."""
        return self.documents.sample.senses[self.places]

    @property
    def parts_of_speech(self) -> np.ndarray:
        """(N,) Index into ``PARTS_OF_SPEECH``."""
        return self.documents.sample.parts_of_speech[self.places]

    @property
    def owners(self) -> np.ndarray:
        """(N,) The number of the document of each."""
        return self.documents.sample.document_ids[self.places]

    @property
    def splits(self) -> np.ndarray:
        """(N,) "train" or "test", by document."""
        return np.where(self.owners % 2 == 0, TRAIN, TEST)

    def snippet(self, number: int, reach: int = 2) -> str:
        """Return occurrence ``number`` with ``reach`` words to each side, in its document."""
        sample, place = self.documents.sample, int(self.places[number])
        near = np.arange(max(0, place - reach), min(len(sample), place + reach + 1))
        own = near[sample.document_ids[near] == self.owners[number]]
        own = own[sample.ids[own] != sample.language.end_id]
        return sample.language.decode(sample.ids[own])


def two_sense_words(documents: Documents, least: int = LEAST) -> Occurrences:
    """Return the words with two senses, in forms that occur at least ``least`` times.

    A form counts once a document, where it stands first: a document keeps to its topics, so that
    two of its occurrences would vouch for each other.
    """
    sample = documents.sample
    places = np.flatnonzero(sample.senses > 0)
    pairs = np.stack([sample.ids[places], sample.document_ids[places]])
    places = places[np.sort(np.unique(pairs, axis=1, return_index=True)[1])]
    often = np.bincount(sample.ids[places], minlength=len(sample.language)) >= least
    return Occurrences(documents, places[often[sample.ids[places]]])


def tagged_words(documents: Documents, most: int) -> Occurrences:
    """Return all words of the first documents, at most ``most``, without marks."""
    sample = documents.sample
    places = np.flatnonzero(sample.ids != sample.language.end_id)
    owners = sample.document_ids[places]
    cut = owners[most] if most < len(places) else owners[-1] + 1
    return Occurrences(documents, places[owners < cut])


def static_vectors(vectors: WordVectors, seen: Occurrences) -> np.ndarray:
    """Return the vector (N, D) of each word, the same wherever it stands; zeros for unknown."""
    language = seen.documents.sample.language
    table = np.zeros((len(language), vectors.matrix.shape[1]), dtype=np.float32)
    known = [(row, word) for row, word in enumerate(language.vocabulary) if word in vectors]
    for row, word in known:
        table[row] = vectors[word]
    return table[seen.words]


# Senses.


@dataclass(frozen=True, eq=False)
class SenseReading:
    """How far vectors of occurrences tell senses.

    ``purity`` among the ten nearest; ``probe`` of each form's sense and the same with its senses
    shuffled (``control``); ``silhouette`` by cosine (Rousseeuw 1987), the mean over forms.
    """

    purity: SensePurity
    probe: SenseProbe
    control: SenseProbe
    silhouette: float

    @property
    def figures(self) -> dict[str, float]:
        """The means as shares of 1, the silhouette between -1 and 1."""
        return {
            "purity": self.purity.mean,
            "probe": self.probe.accuracy,
            "control": self.control.accuracy,
            "selectivity": self.probe.accuracy - self.control.accuracy,
            "silhouette": self.silhouette,
        }


def read_senses(vectors: np.ndarray, seen: Occurrences, seed: int = 0) -> SenseReading:
    """Measure vectors (N, D) of occurrences by their senses.

    The control shuffles the senses of each form among its occurrences, in both splits: what
    remains to be learned is how frequent a sense is. So the control is about the majority's
    accuracy, or below it where a probe learns by heart.
    """
    words, senses, splits = seen.words, seen.senses, seen.splits
    generator = np.random.default_rng(derived_seed(seed, "shuffled senses"))
    shuffled = shuffled_within(senses, words, generator)
    return SenseReading(
        sense_purity(vectors, senses, words, NEAREST),
        sense_probe(vectors, senses, words, splits),
        sense_probe(vectors, shuffled, words, splits),
        silhouette(vectors, senses, words),
    )


def shuffled_within(
    labels: np.ndarray, groups: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return the labels (N,) shuffled among the items of each group (N,)."""
    mixed = labels.copy()
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        mixed[rows] = generator.permutation(labels[rows])
    return mixed


def silhouette(vectors: np.ndarray, senses: np.ndarray, words: np.ndarray) -> float:
    """Return the mean over words of the silhouette of their senses, by cosine distance.

    1: all occurrences lie with their own sense, far from the other; 0: no two groups, as with
    static vectors; below: nearer to the other sense. Words seen in one sense are left out.
    """
    from sklearn.metrics import silhouette_score

    found = []
    for word in np.unique(words):
        own = words == word
        if 1 < len(np.unique(senses[own])) < own.sum():
            rows = vectors[own].astype(np.float64)
            score = silhouette_score(rows, senses[own], metric="cosine")
            found.append(0.0 if (rows == rows[0]).all() else score)
    return float(np.mean(found))


class BestReader(NamedTuple):
    """Who knows the grammar: ``chances`` (N, S) of every sense, and who is right, ``correct``."""

    chances: np.ndarray
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of right answers: no reader of the same words has more on average."""
        return float(self.correct.mean())


def best_readers(seen: Occurrences) -> dict[str, BestReader]:
    """Return the best readers of the senses of words, who see their left, their right, or both.

    All see the word itself, and know that it is a noun with two senses. They answer with the
    likelier sense.
    """
    sample = seen.documents.sample
    language, oracle = sample.language, Oracle(sample.language)
    topics = language.state_labels["topic"]
    nouns = language.state_labels["part_of_speech"] == NOUN
    labels = np.where(nouns, topics, len(language.topics))
    senses_of = language.sense_table[: len(language.topics), seen.words].T  # (N, topics)
    readers = {}
    for side, table in oracle.label_posteriors(sample.ids, labels).items():
        posterior = table[seen.places]
        chances = np.zeros((len(seen.places), len(language.senses)))
        rows = np.broadcast_to(np.arange(len(chances))[:, None], senses_of.shape)
        np.add.at(chances, (rows, senses_of), posterior[:, : senses_of.shape[1]])
        chances[:, 0] = 0  # topics in which the word has no sense of its own
        chances /= chances.sum(axis=1, keepdims=True)
        readers[side] = BestReader(chances, chances.argmax(axis=1) == seen.senses)
    return readers


class Neighbour(NamedTuple):
    """An occurrence near another: its cosine, its sense, and a few words around it."""

    cosine: float
    sense: str
    snippet: str


def nearest(vectors: np.ndarray, seen: Occurrences, number: int, count: int = 5) -> list[Neighbour]:
    """Return the ``count`` occurrences nearest to occurrence ``number``, of any word.

    Those of its own document are left out. ``vectors``: (N, D).
    """
    lengths = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    cosines = unit @ unit[number]
    others = np.flatnonzero(seen.owners != seen.owners[number])
    order = others[np.argsort(-cosines[others], kind="stable")][:count]
    names = seen.documents.sample.language.senses
    return [
        Neighbour(float(cosines[row]), names[seen.senses[row]], seen.snippet(row))
        for row in order.tolist()
    ]


# Parts of speech.


@dataclass(frozen=True, eq=False)
class TagReading:
    """How far vectors tell parts of speech: a linear ``probe``, and its ``control`` task.

    ``ambiguous`` (M,): which test words have several parts of speech in the text.
    """

    probe: Probe
    control: Probe
    ambiguous: np.ndarray

    @property
    def figures(self) -> dict[str, float]:
        """Shares of right answers."""
        return {
            "probe": self.probe.accuracy,
            "majority": self.probe.majority_accuracy,
            "control": self.control.accuracy,
            "selectivity": self.probe.accuracy - self.control.accuracy,
            "probe, ambiguous words": float(self.probe.correct[self.ambiguous].mean()),
        }


def read_tags(vectors: np.ndarray, seen: Occurrences, seed: int = 0) -> TagReading:
    """Probe vectors (N, D) for parts of speech, and for a label drawn by lot for each word."""
    generator = np.random.default_rng(derived_seed(seed, "control labels"))
    control = control_labels(seen.words, seen.parts_of_speech, generator)
    tested = seen.splits == TEST
    return TagReading(
        linear_probe(vectors, seen.parts_of_speech, seen.splits),
        linear_probe(vectors, control, seen.splits),
        ambiguous_words(seen.documents)[seen.words[tested]],
    )


def ambiguous_words(documents: Documents) -> np.ndarray:
    """Return which words (V,) have several parts of speech in a text."""
    sample = documents.sample
    pairs = np.unique(np.stack([sample.ids, sample.parts_of_speech]), axis=1)
    return np.bincount(pairs[0], minlength=len(sample.language)) > 1


def read_layers(
    named: Mapping[str, np.ndarray], seen: Occurrences, seed: int = 0
) -> dict[str, SenseReading]:
    """Return `read_senses` of several vectors of the same occurrences, by name."""
    return {name: read_senses(vectors, seen, seed) for name, vectors in named.items()}
