"""A biLM in Pocket English, beside what can be said exactly: limits of each side and of both.

Each document is one sequence: its words between two marks ``</d>``, the one that closes the
document before and its own. What is on one side of a mark says nothing about the other side, so
that a document tells as much as the endless stream does, and the limits of
:class:`nnlm2bert.synthetic.oracle.Oracle` are those of whoever reads documents.

The texts are of different seeds: one to train the biLM on, one to train readouts on, one to be
measured on. Costs are in nats; a place is a token's number in its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.evaluation.perplexity import bits_per_word, by_document
from nnlm2bert.models.elmo import BiLM, ELMoConfig
from nnlm2bert.objectives import both_directions
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.synthetic.pocket_english import Sample
from nnlm2bert.tokenizers.characters import spell
from nnlm2bert.training import (
    ShuffledBatches,
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.length_batches import LengthBatches

VOCABULARY = 602
"""Words that `PocketEnglish` numbers, special ones included."""
LEARN, READ_OUT, TEST = 1, 2, 3
"""Seeds of the texts: to train the biLM on, to train readouts on, to measure on."""
WORDS_AT_ONCE = 8192
ROWS_AT_ONCE = 2048
BLOCKS = 100
"""Units of a record's groups: as many as an interval needs, few enough for a small file."""
DIGITS = 3

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Recipe:
    """How large all is at a scale.

    words: of the text that the biLM learns from; batch: words a step, at most; test: words to
    measure on; readout: words that fusion is learned from.
    """

    config: ELMoConfig
    words: int
    batch: int
    steps: int
    learning_rate: float
    test: int
    readout: int


_SMALL = ELMoConfig(
    VOCABULARY, filters=((1, 8), (2, 8)), highways=1, width=16, states=16, dropout=0.0
)
_LARGE = replace(_SMALL, filters=((1, 16), (2, 32), (3, 32)), width=96, states=96)
RECIPES: Mapping[str, Recipe] = {
    "smoke": Recipe(_SMALL, 6_000, 512, 60, 3e-2, 3_000, 4_000),
    "live": Recipe(_LARGE, 1_200_000, 512, 2_200, 1e-2, 20_000, 25_000),
    "laptop": Recipe(_LARGE, 2_000_000, 512, 9_000, 1e-2, 60_000, 200_000),
}


def recipe(scale: str) -> Recipe:
    """Return the sizes of a scale: ``smoke``, ``live`` (in the chapter), ``laptop`` or ``gpu``."""
    return RECIPES["laptop" if scale == "gpu" else scale]


@dataclass(frozen=True, eq=False)
class Documents:
    """A text of D documents as sequences for a biLM: words between two marks ``</d>``."""

    sample: Sample

    @classmethod
    def of(cls, language: PocketEnglish, words: int, seed: int) -> Documents:
        """Write at least so many words."""
        return cls(language.sample(words, seed))

    @cached_property
    def starts(self) -> np.ndarray:
        """(D,) The place of each document's first word; its first mark is the place before."""
        return np.concatenate([[0], self._ends[:-1] + 1])

    @cached_property
    def lengths(self) -> np.ndarray:
        """(D,) Words of each document and both its marks."""
        return self._ends - self.starts + 2

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.flatnonzero(self.sample.ids == self.sample.language.end_id)

    def sequences(self, rows: np.ndarray | Tensor) -> Batch:
        """Return words and targets, alike (B, T), of some documents, and lengths (B,).

        In the order (words, lengths, targets) that a biLM takes them in. Inputs and outputs are
        numbered alike, by the vocabulary of the language.
        """
        end = self.sample.language.end_id
        rows = np.asarray(rows)  # a tensor of one number would be read as a scalar
        bounds = zip(self.starts[rows], self._ends[rows], strict=True)
        words, lengths = both_directions([self.sample.ids[a:b] for a, b in bounds], end, end)
        return words, lengths, words

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where the words of the sequences stand (B, T): -1 for no place, and for the
        mark that precedes the text."""
        columns, lengths = np.arange(self.lengths[rows].max()), self.lengths[rows][:, None]
        return np.where(columns < lengths, self.starts[rows][:, None] - 1 + columns, -1)

    def parts(self, words: int = WORDS_AT_ONCE) -> Iterator[np.ndarray]:
        """Yield all documents, those of like length together: the numbers (B,) of some."""
        batches = LengthBatches(self.lengths, words, Tensor.numpy, seed=0)
        yield from (batches.batch(number) for number in range(len(batches)))


def spellings(language: PocketEnglish) -> Tensor:
    """Return the characters (V, C) of all words; word w is row w, read and predicted alike."""
    return spell(language.vocabulary)


def train_bilm(
    language: PocketEnglish, scale: str, seed: int, checkpoint: Path | None = None
) -> tuple[BiLM, TrainingResult]:
    """Train a biLM from the start by the recipe of a scale; same seed, same weights."""
    chosen = recipe(scale)
    documents = Documents.of(language, chosen.words, LEARN)
    seed_everything(derived_seed(seed, "biLM"))
    bilm = BiLM(chosen.config)
    counts = np.bincount(documents.sample.ids, minlength=len(language)) + 0.5
    with torch.no_grad():
        bilm.output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    rows = spellings(language)
    result = train(
        bilm,
        lambda model, batch: model.loss(rows, *batch),
        LengthBatches(documents.lengths, chosen.batch, documents.sequences, seed),
        training_config(chosen, seed),
        checkpoint=checkpoint,
    )
    return bilm, result


def training_config(chosen: Recipe, seed: int) -> TrainingConfig:
    """Return how a recipe trains its biLM."""
    return TrainingConfig(
        steps=chosen.steps,
        batch_size=1,
        learning_rate=chosen.learning_rate,
        warmup_steps=min(20, chosen.steps // 4),
        final_fraction=0.02,
        betas=(0.9, 0.99),
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class Costs:
    """What the same N words cost by several measures: ``nats`` of (N,) each.

    ``documents`` (N,) numbers the document that each word belongs to.
    """

    documents: np.ndarray
    nats: Mapping[str, np.ndarray]

    @property
    def bits(self) -> dict[str, float]:
        """The mean bits a word."""
        return {name: bits_per_word(cost.sum(), len(cost)) for name, cost in self.nats.items()}

    def above(self, name: str, limit: str) -> float:
        """The share by which one costs more than another: 0.05 for five in a hundred."""
        return float(self.nats[name].sum() / self.nats[limit].sum() - 1)

    def groups(self, blocks: int = BLOCKS) -> dict[str, dict[str, list[float]]]:
        """Return all as a record's groups: a unit is some documents in a row, ``blocks`` in all.

        Documents are independent of each other, so blocks of them are, too. If there are fewer
        documents than that, each is a unit.
        """
        owners = in_blocks(self.documents, blocks)
        found = {name: by_document(cost, owners) for name, cost in self.nats.items()}
        return {
            name: {"tokens": tokens, "nats": [round(value, DIGITS) for value in sums]}
            for name, (tokens, sums) in found.items()
        }


def in_blocks(documents: np.ndarray, blocks: int = BLOCKS) -> np.ndarray:
    """Return the block (N,) of each word by the number (N,) of its document.

    Documents that have words are dealt out in their order, to ``blocks`` of equal size to within
    one document, or to one each if there are no more.
    """
    numbers = np.unique(documents, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    return numbers * min(blocks, count) // count


def against_floors(bilm: BiLM, documents: Documents) -> Costs:
    """Measure both directions of a biLM on a text, beside the exact limits of the same words.

    ``forward`` and ``backward``; ``left limit`` and ``right limit``. All words and marks but the
    text's last mark, of which there is nothing to the right. A mark is predicted from the left as
    the end of its document and from the right as the begin of the next; it counts with the
    document that it closes.
    """
    forward, backward = word_costs(bilm, documents)
    oracle, ids = Oracle(documents.sample.language), documents.sample.ids
    nats = {
        "forward": forward,
        "backward": backward,
        "left limit": oracle.left_floor(ids),
        "right limit": oracle.right_floor(ids),
    }
    owners = documents.sample.document_ids[:-1]
    return Costs(owners, {name: cost[:-1] for name, cost in nats.items()})


def word_costs(bilm: BiLM, documents: Documents) -> tuple[np.ndarray, np.ndarray]:
    """Return -log P of every word of a text, (N,), from its left and from its right.

    The last mark, which has nothing to its right, costs nan from there.
    """
    rows = spellings(documents.sample.language)
    table = np.full((2, len(documents.sample) + 1), np.nan)  # column 0: the mark before the text
    bilm.eval()
    for numbers in documents.parts():
        words, lengths, targets = documents.sequences(numbers)
        columns = documents.places(numbers) + 1
        steps, last = np.arange(columns.shape[1]), documents.lengths[numbers][:, None] - 1
        known = ((steps > 0) & (steps <= last), steps < last)
        costs = bilm.costs(rows, words, lengths, targets)
        for row, cost, there in zip(table, costs, known, strict=True):
            row[columns[there]] = cost.numpy()[there]
    return table[0, 1:], table[1, 1:]


def layers(bilm: BiLM, documents: Documents) -> Iterator[tuple[np.ndarray, list[Tensor]]]:
    """Read a text and yield places (B, T), -1 for none, and the vectors (B, T, 2P) by layer."""
    rows = spellings(documents.sample.language)
    bilm.eval()
    for numbers in documents.parts():
        words, lengths, _ = documents.sequences(numbers)
        with torch.no_grad():
            vectors = bilm(rows, words, lengths)
        yield documents.places(numbers), vectors


def vectors_at(bilm: BiLM, documents: Documents, places: np.ndarray) -> np.ndarray:
    """Return the vectors (L + 1, M, 2P) float32 of the words at some places (M,), by layer.

    Layer 0 is the word by its characters; each layer above has read the word and what is on
    either side of it. A mark counts as the end of its document.
    """
    order = np.full(len(documents.sample) + 1, -1)  # the last is that of place -1
    order[places] = np.arange(len(places))
    table: np.ndarray | None = None
    for where, vectors in layers(bilm, documents):
        wanted = order[where]
        wanted[:, 0] = -1
        if table is None:
            shape = (len(vectors), len(places), vectors[0].shape[2])
            table = np.empty(shape, dtype=np.float32)
        for layer, vector in enumerate(vectors):
            table[layer, wanted[wanted >= 0]] = vector.numpy()[wanted >= 0]
    return table


# Two sides: what one-way models know together.


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a biLM knows of M words from either side without having read them.

    ``states`` (M, 2P): the forward top layer at the word before, the backward one at the word
    after. ``targets`` (M,) are the words, ``places`` (M,) where they stand.
    """

    states: Tensor
    targets: Tensor
    places: np.ndarray


def surroundings(bilm: BiLM, documents: Documents) -> Surroundings:
    """Return the concatenated states around every word of a text, marks left out."""
    states, found = [], []
    for where, vectors in layers(bilm, documents):
        before, after = vectors[-1].chunk(2, dim=2)
        inside = where[:, 2:] >= 0  # a word and a mark or a word to each side
        around = torch.cat([before[:, :-2], after[:, 2:]], dim=2)
        states.append(around[torch.from_numpy(inside)])
        found.append(where[:, 1:-1][inside])
    places = np.concatenate(found)
    targets = torch.from_numpy(documents.sample.ids[places])
    return Surroundings(torch.cat(states), targets, places)


class Concatenation(nn.Module):
    """A softmax over words that reads the two states of a biLM side by side.

    Without a hidden layer its scores are a sum of what the left says and what the right says,
    W_f f + W_b b + c: it multiplies two one-way predictions. It begins as the product of those of
    the biLM itself, P(w | left) P(w | right) / P(w). With ``hidden`` units it adds a network of one
    hidden layer, which sees both sides at once.

    ``unigram`` (V,): P(w); words with 0 are never predicted.
    """

    def __init__(self, bilm: BiLM, unigram: np.ndarray, hidden: int = 0) -> None:
        super().__init__()
        with np.errstate(divide="ignore"):
            prior = torch.from_numpy(np.log(unigram)).float()
        self.register_buffer("written", prior.isfinite())
        width, size = bilm.output.in_features, bilm.output.out_features
        self.linear = nn.Linear(2 * width, size)
        with torch.no_grad():
            self.linear.weight.copy_(bilm.output.weight.repeat(1, 2))
            self.linear.bias.copy_(2 * bilm.output.bias - prior.masked_fill(~self.written, 0))
        self.hidden: nn.Module | None = None
        if hidden:
            out = nn.Linear(hidden, size, bias=False)
            nn.init.zeros_(out.weight)
            self.hidden = nn.Sequential(nn.Linear(2 * width, hidden), nn.ReLU(), out)

    def forward(self, states: Tensor) -> Tensor:
        """Return the scores (M, V) of all words for states (M, 2P)."""
        scores = self.linear(states)
        if self.hidden is not None:
            scores = scores + self.hidden(states)
        return scores.masked_fill(~self.written, -torch.inf)

    @torch.no_grad()
    def costs(self, states: Tensor, targets: Tensor) -> np.ndarray:
        """Return -log P of each target, (M,)."""
        pairs = zip(states.split(ROWS_AT_ONCE), targets.split(ROWS_AT_ONCE), strict=True)
        parts = [F.cross_entropy(self(rows), words, reduction="none") for rows, words in pairs]
        return torch.cat(parts).double().numpy()


def train_concatenation(
    readout: Concatenation, learn: Surroundings, seed: int, epochs: int = 4
) -> Concatenation:
    """Train a softmax on the states of a text; the biLM stays as it is."""
    size = min(512, len(learn.targets))
    batches = ShuffledBatches([learn.states, learn.targets], size, seed=seed)
    config = TrainingConfig(
        steps=epochs * len(batches), batch_size=size, learning_rate=2e-3, seed=seed
    )
    train(readout, lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]), batches, config)
    return readout


def fusion(
    bilm: BiLM, learn: Documents, test: Documents, seed: int = 0, hidden: int = 256
) -> Costs:
    """Measure what a word costs for whoever reads both sides of it, by all ways to join them.

    Exact limits: ``left``, ``right``, ``product`` (of the two exact one-way predictions) and
    ``both``. Of the biLM: ``forward``, ``backward``, ``product of models``; ``concatenation``, a
    linear softmax trained on the states of both sides, and ``concatenation + hidden layer``. All
    words of ``test``, marks left out; the readouts learn from the text ``learn``.
    """
    oracle = Oracle(test.sample.language)
    known, asked = surroundings(bilm, learn), surroundings(bilm, test)
    limits = oracle.floors(test.sample.ids)
    nats = {name: cost[asked.places] for name, cost in limits.items()}
    forward, backward = word_costs(bilm, test)
    nats |= {"forward": forward[asked.places], "backward": backward[asked.places]}
    product = Concatenation(bilm, oracle.unigram)
    nats["product of models"] = product.costs(asked.states, asked.targets)
    for name, units in (("concatenation", 0), ("concatenation + hidden layer", hidden)):
        seed_everything(derived_seed(seed, name))
        readout = Concatenation(bilm, oracle.unigram, units)
        train_concatenation(readout, known, seed)
        nats[name] = readout.costs(asked.states, asked.targets)
    return Costs(test.sample.document_ids[asked.places], nats)
