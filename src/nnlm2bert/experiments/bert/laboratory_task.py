"""A network of the laboratory is taught a task: the senses of words, frozen or tuned.

What feature-based and fine-tuning are in table 8 of Devlin et al. (2018): a linear layer reads the
last layer's vector of the word in question, and the network below it stays as it is, or learns too.
Words are seen, never hidden: whoever learned from blanks alone has not met what it is read at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.experiments.bert.laboratory_networks import CLS, PADDING, SEP, Recipe
from nnlm2bert.experiments.gpt.laboratory import Groups
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, units
from nnlm2bert.models.bert import BERT
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.training import (
    TrainingConfig,
    adamw,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.transfer import Example, Task, draw, freeze, load_task
from nnlm2bert.transfer.training_recipe import SimilarLengths, at_own_rate

TASK = "laboratory word-sense"
BATCH = 32
WAYS: Mapping[str, Mapping[str, float]] = {
    "frozen": {"learning_rate": 2e-2, "network_rate": 1.0},
    "tuned": {"learning_rate": 5e-3, "network_rate": 0.1},
}
"""Learning rate of the linear layer, and what it is multiplied by for the network below."""
AT_ONCE = 256


class WordReader(nn.Module):
    """A BERT, ``network``, and the linear layer that says the sense of a word in its sentence."""

    def __init__(self, bert: BERT, language: PocketEnglish, task: Task, frozen: bool) -> None:
        super().__init__()
        self.network = freeze(bert) if frozen else bert
        self.language, self.frozen = language, frozen
        self.output = nn.Linear(bert.config.width, len(task.labels))

    def forward(self, examples: Sequence[Example]) -> Tensor:
        """Return the scores (B, C) of all senses for the words in question."""
        tokens, inside = self._tokens(examples)
        with torch.set_grad_enabled(self.training and not self.frozen):
            vectors = self.network(tokens, inside)
        places = torch.tensor([example.position + 1 for example in examples])
        return self.output(vectors[torch.arange(len(places)), places])

    def _tokens(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        rows = [self.language.encode(example.sentences[0]) for example in examples]
        tokens = torch.full((len(rows), max(map(len, rows)) + 2), PADDING)
        for row, words in zip(tokens, rows, strict=True):
            row[0], row[len(words) + 1] = CLS, SEP
            row[1 : len(words) + 1] = torch.from_numpy(words)
        return tokens, tokens != PADDING

    @torch.no_grad()
    def answers(self, examples: Sequence[Example]) -> list[int]:
        """Return the likeliest sense of each."""
        self.eval()
        parts = [examples[i : i + AT_ONCE] for i in range(0, len(examples), AT_ONCE)]
        return [number for part in parts for number in self(part).argmax(dim=1).tolist()]


def taught(
    bert: BERT, language: PocketEnglish, task: Task, chosen: Recipe, way: str, seed: int
) -> WordReader:
    """Return a reader with a copy of a network, after it learned the task in one of `WAYS`."""
    labelled = draw(task, chosen.labels, seed)
    seed_everything(derived_seed(seed, "head"))
    reader = WordReader(deepcopy(bert), language, task, way == "frozen")
    rates = WAYS[way]
    config = TrainingConfig(
        steps=chosen.updates,
        batch_size=BATCH,
        learning_rate=rates["learning_rate"],
        warmup_steps=chosen.updates // 10,
        decay="linear",
        seed=seed,
    )

    def batch_loss(network: WordReader, numbers: Tensor) -> Tensor:
        examples = [labelled[number] for number in numbers.tolist()]
        return F.cross_entropy(network(examples), torch.tensor([e.label for e in examples]))

    def optimizer(network: WordReader, config: TrainingConfig) -> torch.optim.Optimizer:
        found = adamw(network, config)
        at_own_rate(found, network.network.parameters(), rates["network_rate"])
        return found

    lengths = [len(example.words) for example in labelled]
    batches = SimilarLengths(lengths, min(BATCH, len(labelled)), seed)
    train(reader, batch_loss, batches, config, optimizer=optimizer, progress=False)
    return reader


def measure_task(
    bert: BERT, language: PocketEnglish, chosen: Recipe, scale: str, seed: int
) -> Groups:
    """Return right answers on the test part, "task frozen" and "task tuned"."""
    task = load_task(TASK, LABORATORY_SIZES[scale])
    test = task.splits["test"]
    readers = {way: taught(bert, language, task, chosen, way, seed) for way in WAYS}
    return {
        f"task {way}": units(task, np.array(reader.answers(test)), test)
        for way, reader in readers.items()
    }
