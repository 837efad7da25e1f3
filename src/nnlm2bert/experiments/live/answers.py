"""What the networks of the page answer, computed by torch, and what the grammar answers, exactly.

The page computes the same in JavaScript; the tests hold the two together. A text is a document of
its own: what a reader types begins after a mark ``</d>``, and whole sentences end before one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.experiments.bert.laboratory_networks import BLANK, CLS, SEP
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.synthetic.pocket_english import SPECIAL_TOKENS

BEFORE = "is good . </d>"
"""What the NNLM, which reads four words whatever they are, sees before the beginning of a text."""
SPECIALS = len(SPECIAL_TOKENS)
Term = tuple[float, str]
Distributions = dict[str, np.ndarray]


@dataclass(frozen=True)
class Meeting:
    """A word in two sentences.

    ``cosines`` (L + 1,) of its two vectors, layer by layer; ``read`` (L + 1, 2, topics): chances of
    what it speaks of in each, as a probe reads them off a layer; ``limit`` (2, topics + 1): the
    same for whoever knows the grammar, and whether it speaks of anything.
    """

    cosines: np.ndarray
    read: np.ndarray
    limit: np.ndarray


class Answers:
    """The networks by name, eval mode, and the language with its limits."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.networks = networks
        self.language = PocketEnglish()
        self.oracle = Oracle(self.language)

    # The next word, and a hidden one.

    def next_word(self, name: str, text: str) -> Distributions:
        """Name -> chances of the next word (V,): ``network``, ``limit``; of the NNLM ``window``."""
        ids = self.language.encode(text)
        limit = self._spelled(self._forward(ids))
        if name == "gpt":
            return {"network": self._gpt(ids), "limit": limit}
        network = self.networks[name]
        read = np.append(self.language.encode(BEFORE), ids)[1 - network.config.order :]
        with torch.no_grad():
            logits = network(torch.from_numpy(read)[None])[0].double()
        asked = np.append(ids, self.language.end_id)  # its last word is not looked at
        window = self.oracle.ngram_distribution(asked, network.config.order)[-1]
        return {"network": logits.softmax(0).numpy(), "window": window, "limit": limit}

    def hidden_word(self, text: str, place: int) -> Distributions:
        """Name -> chances (V,) of the word at a place: ``gpt``, ``network``, ``left``, ``limit``.

        All of them know that it is a word, and no mark.
        """
        ids = self.language.encode(text)
        tokens = torch.tensor([[CLS, *ids, SEP]])
        tokens[0, place + 1] = BLANK
        bert = self.networks["bert"]
        with torch.no_grad():
            logits = bert.logits(bert(tokens))[0, place + 1].double()
        document = np.append(ids, self.language.end_id)
        hidden = np.arange(len(document)) == place
        return {
            "gpt": among_words(self._gpt(ids[:place])),
            "network": among_words(logits.softmax(0).numpy()),
            "left": among_words(self._spelled(self._forward(ids[:place]))),
            "limit": among_words(self.oracle.hidden_distribution(document, hidden)[0]),
        }

    @torch.no_grad()
    def _gpt(self, ids: np.ndarray) -> np.ndarray:
        """Chances (V,) of the word after some (T,)."""
        gpt = self.networks["gpt"]
        vectors = gpt(torch.tensor([[self.language.end_id, *ids]]))
        return gpt.logits(vectors[0, -1]).double().softmax(0).numpy()

    def _forward(self, ids: np.ndarray) -> np.ndarray:
        """Chances (S,) of the state of the word after some (T,), as `Oracle` computes them."""
        known = np.zeros(len(self.oracle.prior))
        known[self.language.grammar.end_state] = 1.0
        for word in ids:
            joint = (self.oracle.moves.T @ known) * self.oracle.says[:, [word]].toarray()[:, 0]
            if not joint.sum():
                raise ValueError(f"{self.language.vocabulary[word]!r} cannot stand there")
            known = joint / joint.sum()
        return self.oracle.moves.T @ known

    def _spelled(self, states: np.ndarray) -> np.ndarray:
        return self.oracle.says.T @ states

    # Vectors.

    @cached_property
    def vectors(self) -> WordVectors:
        """The vectors of word2vec."""
        return WordVectors(self.language.vocabulary, self.networks["word2vec"].vectors().numpy())

    def neighbours(self, terms: Sequence[Term], count: int = 8) -> list[tuple[str, float]]:
        """The words nearest to a sum of words' unit vectors, those of the sum left out."""
        rows = self.vectors.unit
        query = sum(factor * rows[self.vectors.index[word]] for factor, word in terms)
        out = [*SPECIAL_TOKENS, *(word for _, word in terms)]
        return self.vectors.neighbours(query, count, exclude=out)

    @torch.no_grad()
    def meeting(self, first: str, second: str, word: str) -> Meeting:
        """What becomes of a word in two sentences that both have it; its first occurrences."""
        texts = [self.language.encode(text) for text in (first, second)]
        own = self.language.encode(word)[0]
        places = [int(np.flatnonzero(ids == own)[0]) for ids in texts]
        pairs = list(zip(texts, places, strict=True))
        layers = [[layer[0, at + 1] for layer in self.elmo_layers(ids)] for ids, at in pairs]
        cosines = [float(F.cosine_similarity(a, b, dim=0)) for a, b in zip(*layers, strict=True)]
        probes = self.networks["elmo"].topics
        read = [
            [probe(vector).double().softmax(0).numpy() for vector in vectors]
            for probe, *vectors in zip(probes, *layers, strict=True)
        ]
        limit = [self._topics(ids)[at] for ids, at in pairs]
        return Meeting(np.array(cosines), np.array(read), np.stack(limit))

    @torch.no_grad()
    def elmo_layers(self, ids: np.ndarray) -> list[Tensor]:
        """The L + 1 vectors (1, T + 2, 2 P) of the words (T,) of a text and of its two marks."""
        end = self.language.end_id
        words = torch.tensor([[end, *ids, end]])
        spellings = torch.arange(len(self.language)).unsqueeze(1)
        return self.networks["elmo"](spellings, words, torch.tensor([words.shape[1]]))

    def _topics(self, ids: np.ndarray) -> np.ndarray:
        """Chances (T, topics + 1) of the topic of each word, given the whole text (T,)."""
        document = np.append(ids, self.language.end_id)
        labels = self.language.state_labels["topic"]
        return self.oracle.label_posterior(document, labels)[:-1]

    # Attention.

    def attention(self, name: str, text: str, place: int | None = None) -> np.ndarray:
        """Attention (layers, heads, T, T) of GPT or BERT; of BERT with the word at a place hidden.

        T: the words and the mark before them, of BERT the mark after them, too.
        """
        ids = self.language.encode(text)
        tokens = [CLS, *ids, SEP] if name == "bert" else [self.language.end_id, *ids]
        if place is not None:
            tokens[place + 1] = BLANK
        maps = self.networks[name].attention_maps(torch.tensor([tokens]))
        return torch.cat(maps).numpy()


def among_words(chances: np.ndarray) -> np.ndarray:
    """Chances (V,) for whoever knows that it is none of the special tokens."""
    words = np.where(np.arange(len(chances)) < SPECIALS, 0.0, chances)
    return words / words.sum()


def gap(limit: np.ndarray, network: np.ndarray) -> tuple[float, float]:
    """Bits that a word costs at the limit, and how many more by the network, on average there."""
    there = limit > 0
    p, q = limit[there], network[there]
    return float(-(p * np.log2(p)).sum()), float((p * np.log2(p / q)).sum())
