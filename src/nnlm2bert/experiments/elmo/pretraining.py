"""The bidirectional language model of ELMo, trained once on each of the book's texts.

Text is read sentence by sentence, with its capitals; what is predicted is the word in lower case.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.pretraining import (
    RARE,
    WORDS,
    digest,
    pocket_english,
    text_settings,
)
from nnlm2bert.models.elmo import BiLM, ELMoConfig
from nnlm2bert.objectives import both_directions
from nnlm2bert.tokenizers.characters import BEGIN, END, spell
from nnlm2bert.tokenizers.vocabulary import UNKNOWN
from nnlm2bert.training import TrainingConfig, TrainingResult, derived_seed, seed_everything, train
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.contextual import Contextual

log = logging.getLogger(__name__)

TEXTS = ("running text", "Pocket English")
LONGEST = 64
"""Words of a sequence of running text; longer sentences are cut."""
MARKS = (END, BEGIN)


@dataclass(frozen=True)
class BiLMRecipe:
    """How a biLM is trained: its sizes, and passes over the text in batches of so many words."""

    width: int
    states: int
    samples: int | None
    dropout: float
    epochs: int
    batch_words: int
    learning_rate: float
    precision: str

    def model(self, vocabulary_size: int) -> BiLM:
        """Return the untrained network."""
        names = ("width", "states", "samples", "dropout")
        return BiLM(ELMoConfig(vocabulary_size, **{name: getattr(self, name) for name in names}))


RECIPES: dict[str, BiLMRecipe] = {
    "running text": BiLMRecipe(128, 256, 1024, 0.1, 1, 2_816, 4e-3, "bfloat16"),
    "Pocket English": BiLMRecipe(96, 96, None, 0.0, 3, 512, 1e-2, "float32"),
}


@dataclass(frozen=True, eq=False)
class Sequences:
    """A text as a biLM reads it.

    ``words`` are the input words, spelled as they stand, first the marks; ``ids`` (T,) index them.
    ``starts`` (N + 1,) are the borders of the sequences in ``ids``. ``vocabulary`` are the words
    that can be predicted, marks and `<unk>` first, then by falling frequency; ``targets`` (W,) has
    the place of each input word in it.
    """

    words: list[str]
    ids: np.ndarray
    starts: np.ndarray
    vocabulary: list[str]
    targets: Tensor

    @cached_property
    def spellings(self) -> Tensor:
        """The characters (W, C) of each input word."""
        return spell(self.words)

    @property
    def lengths(self) -> np.ndarray:
        """Words (N,) of each sequence, its two marks included."""
        return np.diff(self.starts) + 2

    def collate(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return words (B, T), lengths (B,) and targets (B, T) of some sequences."""
        parts = [self.ids[self.starts[n] : self.starts[n + 1]] for n in numbers.tolist()]
        words, lengths = both_directions(parts, MARKS.index(BEGIN), MARKS.index(END))
        return words, lengths, self.targets[words]


def sequences(
    words: Sequence[str], ids: np.ndarray, borders: np.ndarray, counts: np.ndarray
) -> Sequences:
    """Return a text as a biLM reads it.

    Args:
        words: (W,), the text's types as they are spelled; ids: (T,), the text, indices of them.
        borders: (T,), the number of the sequence that each word stands in, never falling.
        counts: (W,), how often each type occurs.
    """
    lowered = [word.lower() for word in words]
    totals: dict[str, int] = {}
    for word, count in zip(lowered, counts.tolist(), strict=True):
        totals[word] = totals.get(word, 0) + count
    common = sorted((w for w in totals if totals[w] > RARE), key=lambda w: (-totals[w], w))
    vocabulary = [*MARKS, UNKNOWN, *(word for word in common if word != UNKNOWN)]
    place = {word: number for number, word in enumerate(vocabulary)}
    inputs = [*MARKS, *lowered]
    targets = torch.tensor([place.get(word, place[UNKNOWN]) for word in inputs])
    edges = np.flatnonzero(np.diff(borders)) + 1
    starts = _cut(np.concatenate([[0], edges, [len(ids)]]))
    return Sequences([*MARKS, *words], ids + len(MARKS), starts, vocabulary, targets)


def _cut(starts: np.ndarray) -> np.ndarray:
    """Return the borders with more between them where a sequence has more than `LONGEST` words."""
    pieces = [np.arange(a, b, LONGEST) for a, b in pairwise(starts)]
    return np.concatenate([*pieces, starts[-1:]])


def read(text: str, scale: str) -> Sequences:
    """Return one of `TEXTS` as a biLM reads it, sentence by sentence."""
    if text == "Pocket English":
        found = pocket_english(WORDS[scale])
    else:
        from nnlm2bert.corpora.running import load_running_text

        found = load_running_text(lower=False)
    return sequences(found.types, found.ids, found.sentences, found.counts)


def settings(text: str, scale: str) -> dict[str, Any]:
    """Return all that a biLM depends on, but the seed."""
    if text not in TEXTS:
        raise UserError(f"There is no biLM of '{text}'. Choose one of: {', '.join(TEXTS)}.")
    return {"stage": "ELMo", **asdict(recipe(text, scale)), "rare": RARE, "longest": LONGEST}


def recipe(text: str, scale: str) -> BiLMRecipe:
    """Return how the biLM of a text is trained; at scale smoke a small one, once."""
    if scale == "smoke":
        return BiLMRecipe(16, 32, None, 0.0, 1, 1_024, 1e-2, "float32")
    return RECIPES[text]


def pretrained_bilm(
    seed: int,
    scale: str,
    cache: Path,
    text: str = "running text",
    device: str = "cpu",
) -> Contextual:
    """Return the biLM of a text, read from the folder `cache` or trained and put there.

    An interrupted training goes on from its checkpoint in `cache`. Raises `UserError` for an
    unknown text.
    """
    path = place(seed, scale, cache, text)
    if not path.is_file():
        log.info("Training the biLM on %s: %s.", text, settings(text, scale))
        train_and_keep(path, seed, scale, text, device)
    kept = read_checkpoint(path)
    bilm = recipe(text, scale).model(len(kept["vocabulary"]))
    bilm.load_state_dict(kept["weights"])
    return Contextual(bilm.eval(), kept["vocabulary"])


def place(seed: int, scale: str, cache: Path, text: str) -> Path:
    """Return the file that a biLM is kept in."""
    source = text_settings(text, scale)
    name = digest({**settings(text, scale), "text": source})
    return cache / f"ELMo-{text.replace(' ', '-')}-{name}-seed-{seed}.pt"


def train_and_keep(path: Path, seed: int, scale: str, text: str, device: str) -> None:
    """Train the biLM of a text and write it, the words it predicts and how it went, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".checkpoint.pt")
    material = read(text, scale)
    bilm, result = train_bilm(material, recipe(text, scale), seed, checkpoint, device)
    kept = {
        "weights": {name: tensor.cpu() for name, tensor in bilm.state_dict().items()},
        "vocabulary": material.vocabulary,
        "words a second": len(material.ids) * recipe(text, scale).epochs / result.training_seconds,
        "steps": result.history.steps,
        "losses": result.history.losses,
    }
    write_checkpoint(path, kept)
    checkpoint.unlink(missing_ok=True)


def train_bilm(
    material: Sequences,
    config: BiLMRecipe,
    seed: int,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> tuple[BiLM, TrainingResult]:
    """Train a biLM on a text; the softmax begins with how often each word occurs."""
    seed_everything(derived_seed("biLM", seed) % 2**32)
    bilm = config.model(len(material.vocabulary))
    counts = torch.bincount(
        material.targets[torch.from_numpy(material.ids)], minlength=len(material.vocabulary)
    )
    counts[: len(MARKS)] = len(material.starts) - 1
    with torch.no_grad():
        bilm.output.bias.copy_(((counts + 0.5) / (counts + 0.5).sum()).log())
    batches = LengthBatches(material.lengths, config.batch_words, material.collate, seed)
    spellings = material.spellings
    result = train(
        bilm,
        lambda network, batch: network.loss(spellings.to(batch[0].device), *batch),
        batches,
        _training_config(config, config.epochs * len(batches), seed),
        checkpoint=checkpoint,
        device=device,
    )
    return bilm, result


def _training_config(config: BiLMRecipe, steps: int, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=steps,
        batch_size=config.batch_words,
        learning_rate=config.learning_rate,
        warmup_steps=min(300, steps // 10),
        final_fraction=0.02,
        betas=(0.9, 0.99),
        precision=config.precision,
        checkpoint_every=500,
        log_every=max(1, steps // 60),
        seed=seed,
    )
