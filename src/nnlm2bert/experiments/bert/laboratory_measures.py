"""What the experiment `bert_laboratory` measures, each beside its exact limit or best reader.

Groups are sums in blocks of neighbouring documents, items or pairs; costs in nats, else right
answers. The same words, items and pairs are asked of every network, so that records of several
arms are drawn together.

    hidden ...      words of a text, .15 of them hidden at once: masked networks
    one word ...    words that are hidden one at a time: all networks
    word ...        words with two senses, hidden, by the side of the cue: all networks
    sense ...       the sense, read off by a linear probe at the word, which is seen: all networks
    step n ...      one word, and sense, of the network after n steps
    next, order     whether two segments belong together: networks that were asked so
    task ...        a task of the laboratory, the network frozen or tuned
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.evaluation.probes import TEST as ASKED
from nnlm2bert.evaluation.probes import TRAIN as KNOWN
from nnlm2bert.evaluation.probes import linear_probe
from nnlm2bert.experiments.bert.laboratory_networks import (
    SEP,
    LaboratoryText,
    Network,
    Recipe,
    Trained,
)
from nnlm2bert.experiments.bert.laboratory_readings import (
    SHARE,
    hidden_costs,
    hidden_words,
    single_costs,
    vectors_at,
)
from nnlm2bert.experiments.elmo.laboratory import Costs
from nnlm2bert.experiments.elmo.measures import blocks
from nnlm2bert.experiments.elmo.occurrences import best_readers
from nnlm2bert.experiments.gpt.laboratory import Groups, SeenItems
from nnlm2bert.models.bert import BERT
from nnlm2bert.objectives import IS_NEXT
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.training import derived_seed

PAIR_TOKENS = 8_192
LIMITS = ("left", "product", "both")
LIMIT_OF: Mapping[str, str] = {"left-to-right": "left", "two one-way": "product"}
"""The limit of those that are not masked: whoever sees one side, or multiplies two predictions."""


def limit_of(objective: str) -> str:
    """Return the name of the exact limit that a network is held against."""
    return LIMIT_OF.get(objective, "both")


# Words of a text.


def measure_hidden(network: BERT, text: LaboratoryText, seed: int = 0) -> Costs:
    """Return what hidden words cost a masked network, and at least: ``network`` and ``limit``."""
    hidden = hidden_words(text, SHARE, seed)
    nats = {
        "network": hidden_costs(network, text, hidden),
        "limit": Oracle(text.language).hidden_floor(text.documents.sample.ids, hidden),
    }
    owners = text.documents.sample.document_ids[hidden]
    return Costs(owners, {name: costs[hidden] for name, costs in nats.items()})


class Asked(NamedTuple):
    """Words that are asked for one at a time: their ``places`` (M,) and exact limits by name."""

    text: LaboratoryText
    places: np.ndarray
    limits: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, text: LaboratoryText, count: int, seed: int = 0) -> Asked:
        """Draw words of a text, never a mark, in the order of the text."""
        sample = text.documents.sample
        generator = np.random.default_rng(derived_seed(seed, "single words"))
        words = np.flatnonzero(sample.ids != text.language.end_id)
        places = np.sort(generator.choice(words, min(count, len(words)), replace=False))
        floors = Oracle(text.language).word_floors(sample.ids)
        return cls(text, places, {name: floors[name][places] for name in LIMITS})

    def first(self, count: int) -> Asked:
        """Return the first of them."""
        limits = {name: nats[:count] for name, nats in self.limits.items()}
        return Asked(self.text, self.places[:count], limits)

    def costs(self, network: Network) -> Costs:
        """Return what they cost a network, and the limits, ``limit of left`` and so on."""
        limits = {f"limit of {name}": nats for name, nats in self.limits.items()}
        owners = self.text.documents.sample.document_ids[self.places]
        own = single_costs(network, self.text, self.places)
        return Costs(owners, {"network": own, **limits})


# Words with two senses.


def measure_words(network: Network, asked: SeenItems) -> Groups:
    """Return what the words cost, each hidden in its sentence, by cue; and the exact limits."""
    text, places = LaboratoryText(asked.seen.documents), asked.seen.places
    floors = Oracle(text.language).word_floors(text.documents.sample.ids)
    costs = {"network": single_costs(network, text, places)}
    costs |= {f"limit of {name}": floors[name][places] for name in LIMITS}
    return {
        name: group
        for who, nats in costs.items()
        for name, group in asked.groups(f"word: {who}", nats).items()
    }


def senses_told(network: Network, known: SeenItems, asked: SeenItems) -> np.ndarray:
    """Return of which items (N,) a linear probe tells the sense, from all layers at the word."""
    labels = np.concatenate([part.seen.senses for part in (known, asked)])
    splits = np.repeat([KNOWN, ASKED], [len(part.cues) for part in (known, asked)])
    vectors = [
        vectors_at(network, LaboratoryText(part.seen.documents), part.seen.places)
        for part in (known, asked)
    ]
    return linear_probe(np.concatenate(vectors), labels, splits).correct


def measure_senses(network: Network, known: SeenItems, asked: SeenItems) -> Groups:
    """Return how often the sense is told, by cue: read off the network, and by best readers."""
    right = {"network": senses_told(network, known, asked)}
    readers = best_readers(asked.seen)
    right |= {f"best reader of {side}": readers[side].correct for side in ("left", "both")}
    return {
        name: group
        for who, correct in right.items()
        for name, group in asked.groups(f"sense: {who}", correct).items()
    }


class SensePlane(NamedTuple):
    """Occurrences of one word in a plane: ``points`` (N, 2), and the ``senses`` (N,) they have.

    Across: how far a linear probe, taught on other occurrences, takes them for the second sense,
    in units of its score. Up: where they differ most besides. ``correct`` (N,): is the probe right?
    ``cues`` (N,): the side of the sentence that gives the sense away.
    """

    points: np.ndarray
    senses: np.ndarray
    correct: np.ndarray
    cues: np.ndarray


def sense_plane(network: Network, known: SeenItems, asked: SeenItems, lemma: str) -> SensePlane:
    """Show where a network puts the occurrences of a word with two senses.

    ``known`` teaches the probe, the occurrences of ``asked`` are shown.

    Raises:
        ValueError: if the word is not seen in two senses, or not at all in ``asked``.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    learned, shown = senses_of(known, lemma), senses_of(asked, lemma)
    if set(learned[learned >= 0]) != {0, 1} or not (shown >= 0).any():
        raise ValueError(f"{lemma!r} is not seen in two senses, or not at all where it is asked")
    rows = [
        vectors_at(network, LaboratoryText(part.seen.documents), part.seen.places[own >= 0])
        for part, own in ((known, learned), (asked, shown))
    ]
    scale = StandardScaler().fit(rows[0])
    known_rows, shown_rows = (scale.transform(part.astype(np.float64)) for part in rows)
    probe = LogisticRegression(max_iter=1_000).fit(known_rows, learned[learned >= 0])
    across, wanted = probe.decision_function(shown_rows), shown[shown >= 0]
    direction = probe.coef_[0] / np.linalg.norm(probe.coef_[0])
    rest = shown_rows - np.outer(shown_rows @ direction, direction)
    rest -= rest.mean(axis=0)
    up = rest @ np.linalg.svd(rest, full_matrices=False)[2][0]
    right = (across > 0) == (wanted == 1)
    return SensePlane(np.stack([across, up], axis=1), wanted, right, asked.cues[shown >= 0])


def senses_of(items: SeenItems, lemma: str) -> np.ndarray:
    """Return which of a word's two senses each item has (N,), 0 or 1; -1 for other words."""
    language = items.seen.documents.sample.language
    names = [f"{lemma}/{topic}" for topic in language.two_sense_words.get(lemma, ())]
    found = np.full(len(items.cues), -1)
    for number, name in enumerate(names):
        found[items.seen.senses == language.senses.index(name)] = number
    return found


# On the way.


def measure_way(trained: Trained, words: Asked, known: SeenItems, asked: SeenItems) -> Groups:
    """Return groups "step n: network" and "step n: sense" of the network on the way.

    The first in nats, one word hidden at a time; the second in senses told, whatever the cue.
    """
    found: Groups = {}
    for step in trained.on_the_way:
        network = trained.at(step)
        found[f"step {step}: network"] = words.costs(network).groups()["network"]
        found[f"step {step}: sense"] = in_rows(senses_told(network, known, asked))
    limit = words.limits[limit_of(trained.objective)]
    owners = words.text.documents.sample.document_ids[words.places]
    return {**found, "steps: limit": Costs(owners, {"limit": limit}).groups()["limit"]}


def in_rows(values: np.ndarray) -> dict[str, list[float]]:
    """Return sums of values (N,) as a record's group, in blocks of neighbours."""
    owners = blocks(len(values))
    sums = np.bincount(owners, weights=values.astype(np.float64))
    return {
        "tokens": np.bincount(owners).tolist(),
        "nats": [round(value, 3) for value in sums.tolist()],
    }


# Two segments.


class AskedPairs(NamedTuple):
    """N pairs of segments of a text, and what is to be said of them.

    ``batches``: what a network reads, with relations; ``first`` and ``second``: the words of each
    pair's segments; ``relations`` (N,): `IS_NEXT` or not.
    """

    batches: Sequence[Mapping[str, Tensor]]
    first: Sequence[np.ndarray]
    second: Sequence[np.ndarray]
    relations: np.ndarray

    @classmethod
    def of(cls, text: LaboratoryText, context: int, kind: str, seed: int = 0) -> AskedPairs:
        """Cut each document of a text in two, once: "next" or "order", as in training."""
        source = text.pairs(context, PAIR_TOKENS, kind, seed)
        batches = [source.batch(number) for number in range(len(source))]
        rows = [row for batch in batches for row in batch["tokens"].numpy()]
        ends = [np.flatnonzero(row == SEP) for row in rows]
        first = [row[1 : end[0]] for row, end in zip(rows, ends, strict=True)]
        second = [row[end[0] + 1 : end[1]] for row, end in zip(rows, ends, strict=True)]
        relations = torch.cat([batch["relations"] for batch in batches]).numpy()
        return cls(batches, first, second, relations)

    @torch.no_grad()
    def told(self, bert: BERT) -> np.ndarray:
        """Return of which pairs (N,) a network says rightly whether they belong together."""
        bert.eval()
        found = []
        for batch in self.batches:
            vectors = bert(batch["tokens"], batch.get("inside"), batch["segments"])
            found.append(bert.relation_logits(vectors).argmax(dim=1) == batch["relations"])
        return torch.cat(found).numpy()

    def told_by_best(self, language: PocketEnglish, kind: str) -> np.ndarray:
        """Return of which pairs (N,) whoever knows the grammar says it rightly.

        Of the order that is the exact limit: the likelier of P(first second) and P(second first).
        Of the next segment it holds P(second | first) against P(second) at a document's begin; that
        a false segment was chosen by its length, and stands anywhere in its document, it leaves
        out, both of which say next to nothing. One that was cut within a sentence is false.
        """
        oracle = Oracle(language)
        whole = np.array([words[-1] == language.stop_id for words in self.second])
        first, second = (
            [words for words, kept in zip(part, whole, strict=True) if kept]
            for part in (self.first, self.second)
        )
        together = segment_costs(oracle, first, second)
        if kind == "order":
            other = segment_costs(oracle, second, first).sum(axis=0)
            likelier = together.sum(axis=0) < other
        else:
            likelier = together[1] < segment_costs(oracle, second)[0]
        correct = np.ones(len(whole), dtype=bool)
        correct[whole] = likelier == (self.relations[whole] == IS_NEXT)
        return correct


def segment_costs(oracle: Oracle, *segments: Sequence[np.ndarray]) -> np.ndarray:
    """Return -log P (K, N) of K segments of N documents, each after those before it, in nats.

    ``segments``: K times the words of N. Marks are left out.
    """
    end = np.array([oracle.end])
    parts = [part for row in zip(*segments, strict=True) for part in (*row, end)]
    costs = oracle.word_floors(np.concatenate(parts))["left"]
    stops = np.cumsum([len(part) for part in parts])
    sums = np.array([own.sum() for own in np.split(costs, stops[:-1])])
    return sums.reshape(-1, len(segments) + 1).T[:-1]


def measure_pairs(network: BERT, text: LaboratoryText, chosen: Recipe) -> Groups:
    """Return how often the next segment, and the order of two, is told rightly.

    Both are asked of every network that was taught one of them.
    """
    found: Groups = {}
    for kind in ("next", "order"):
        pairs = AskedPairs.of(text, chosen.config.context, kind)
        found[f"{kind}: network"] = in_rows(pairs.told(network))
        found[f"{kind}: best reader"] = in_rows(pairs.told_by_best(text.language, kind))
    return found
