"""How good the networks of the page are, on a text they have not seen; costs in bits a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nnlm2bert.experiments.bert.laboratory_networks import BLANK, CLS, SEP
from nnlm2bert.experiments.elmo.laboratory import TEST, Documents
from nnlm2bert.experiments.live.answers import Answers
from nnlm2bert.experiments.transformer.laboratory import Reading, word_costs
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.objectives import next_word
from nnlm2bert.synthetic.items import analogies

WORDS = 12_000
HIDDEN_EACH = 6
"""Words of a document that are hidden, one at a time."""
MEETINGS_EACH = 60
"""Occurrences of a word with two senses that are compared with each other."""
Figures = dict[str, float]


def measure(name: str, network: nn.Module, answers: Answers) -> Figures:
    """The figures of a network."""
    measures: Mapping[str, Callable[[nn.Module, Answers], Figures]] = {
        "nnlm": measure_nnlm,
        "gpt": measure_gpt,
        "bert": measure_bert,
        "word2vec": measure_word2vec,
        "elmo": measure_elmo,
    }
    return {key: round(float(value), 4) for key, value in measures[name](network, answers).items()}


def bits(nats: np.ndarray) -> float:
    """The mean of costs in nats, in bits."""
    return float(np.mean(nats) / np.log(2))


def measure_nnlm(network: nn.Module, answers: Answers) -> Figures:
    """The next word from four words, beside the limits of four words and of all."""
    ids = answers.language.sample(WORDS, TEST).ids
    order = network.config.order
    nats = -network.log_probabilities(*next_word(ids, order)).numpy()
    return {
        "network": bits(nats),
        "limit of four words": bits(answers.oracle.ngram_floor(ids, order)[order - 1 :]),
        "limit": bits(answers.oracle.left_floor(ids)[order - 1 :]),
    }


def measure_gpt(network: nn.Module, answers: Answers) -> Figures:
    """The next word at all places of a document that fit into the context."""
    text = Reading(Documents.of(answers.language, WORDS, TEST), network.config.context)
    nats = word_costs(network, text)
    read = ~np.isnan(nats)
    limit = answers.oracle.left_floor(text.documents.sample.ids)[read]
    return {"network": bits(nats[read]), "limit": bits(limit)}


def measure_bert(network: nn.Module, answers: Answers) -> Figures:
    """Words hidden one at a time, in documents that fit into the context."""
    ids = answers.language.sample(WORDS, TEST).ids
    ends = np.flatnonzero(ids == answers.language.end_id)
    starts = np.append(0, ends[:-1] + 1)
    generator = np.random.default_rng(0)
    nats, places = [], []
    for start, end in zip(starts, ends, strict=True):
        if end - start + 2 > network.config.context:
            continue
        hidden = generator.choice(end - start, min(HIDDEN_EACH, end - start), replace=False)
        nats.append(hidden_costs(network, ids[start:end], hidden))
        places.append(start + hidden)
    floors = answers.oracle.word_floors(ids)
    asked = np.concatenate(places)
    return {
        "network": bits(np.concatenate(nats)),
        "limit of the left": bits(floors["left"][asked]),
        "limit": bits(floors["both"][asked]),
    }


def hidden_costs(network: nn.Module, ids: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Cost in nats of each hidden word (M,) of a document (T,), one hidden at a time."""
    rows = torch.arange(len(hidden))
    tokens = torch.tensor([CLS, *ids, SEP]).repeat(len(hidden), 1)
    targets = torch.full_like(tokens, IGNORED)
    columns = torch.from_numpy(hidden) + 1
    targets[rows, columns] = tokens[rows, columns]
    tokens[rows, columns] = BLANK
    return network.costs(tokens, targets)[rows, columns].numpy()


def measure_word2vec(network: nn.Module, answers: Answers) -> Figures:
    """Right answers to analogies, in percent."""
    vectors = WordVectors(answers.language.vocabulary, network.vectors().numpy())
    shares = {}
    for relation, questions in analogies().items():
        asked = np.array([[vectors.index[word] for word in question] for question in questions])
        shares[relation] = 100 * float((vectors.analogies(asked) == asked[:, 3]).mean())
    return shares


def measure_elmo(network: nn.Module, answers: Answers) -> Figures:
    """Mean cosines of a noun with two senses in two places, by layer and by whether it means the
    same there; and how often a layer's probe reads off what it speaks of, in percent."""
    reader = Answers({"elmo": network})
    sample = answers.language.sample(WORDS, TEST)
    ends = np.flatnonzero(sample.ids == answers.language.end_id)
    starts = np.append(0, ends[:-1] + 1)
    places, layers = [], []
    for start, end in zip(starts, ends, strict=True):
        own = np.flatnonzero(sample.senses[start:end])
        places += (start + own).tolist()
        if len(own):
            layers.append(torch.cat(reader.elmo_layers(sample.ids[start:end]))[:, own + 1])
    vectors = torch.cat(layers, dim=1)  # (L + 1, N, 2 P)
    right = {
        f"layer {layer}, topic": 100
        * float((probe(x).argmax(dim=1).numpy() == sample.topics[places]).mean())
        for layer, (probe, x) in enumerate(zip(network.topics, vectors, strict=True))
    }
    found = sense_cosines(vectors, sample.ids[places], sample.senses[places])
    return right | found


def sense_cosines(vectors: torch.Tensor, words: np.ndarray, senses: np.ndarray) -> Figures:
    """Mean cosine of two occurrences of a word by layer: of the same sense, and of two senses.

    ``vectors`` (L + 1, N, D), ``words`` and ``senses`` (N,).
    """
    unit = F.normalize(vectors, dim=2).numpy()
    cosines: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for word in np.unique(words):
        for a, b in combinations(np.flatnonzero(words == word)[:MEETINGS_EACH], 2):
            cosines[senses[a] == senses[b]].append((unit[:, a] * unit[:, b]).sum(axis=1))
    return {
        f"layer {layer}, {name}": value
        for same, name in ((True, "same sense"), (False, "other sense"))
        for layer, value in enumerate(np.mean(cosines[same], axis=0))
    }
