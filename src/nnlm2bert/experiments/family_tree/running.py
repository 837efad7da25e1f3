"""The six networks of the factorial on the running text: how they are trained, and where kept.

The text, the pieces it is cut into, the stages and the beginning are those of `bert.recipes`; so is
the network, two layers of 128, but for what it is built of. All six have as many parameters, to
within 3 %, and read as many tokens in the same batches. Each is trained once, by seed
`PRETRAINING_SEED`; the seeds of records are of what follows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.bert.beginnings import HELPED, Beginning
from nnlm2bert.experiments.bert.material import Material
from nnlm2bert.experiments.bert.pretraining import (
    Pretrained,
    TrainingTask,
    keep,
    read,
    restored,
    training_task,
)
from nnlm2bert.experiments.bert.recipes import (
    MORE_HIDDEN,
    OBJECTIVES,
    SMALL,
    BERTRecipe,
    Objective,
    Stage,
)
from nnlm2bert.experiments.bert.recipes import NETWORKS as KINDS
from nnlm2bert.experiments.family_tree.cells import NETWORKS
from nnlm2bert.experiments.pretraining import digest, text_settings
from nnlm2bert.experiments.scoreboard import PRETRAINING_SEED
from nnlm2bert.experiments.token_streams import VOCABULARY_SIZE
from nnlm2bert.models.other_blocks import of_kind, of_size, parameters
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.tokenizers.subwords import TokenStream

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FamilyRecipe(BERTRecipe):
    """How a network of the factorial is trained.

    block: what it is built of, see `other_blocks.KINDS`; tokens: that it reads, in place of
    ``passes``. Its sizes are those of a `BERTRecipe`, and the units within a layer as many as bring
    it to the size of the masked Transformer.
    """

    block: str = "attention"
    tokens: int = 3_000_000

    def config(self, vocabulary_size: int, network: str = "BERT") -> TransformerConfig:
        """Return the sizes of one of `bert.recipes.NETWORKS`."""
        own = super().config(vocabulary_size, network)
        return equal(network, of_kind(self.block, own), super().config(vocabulary_size))

    @property
    def steps(self) -> int:
        """Steps of the training: at least one a stage."""
        return max(len(self.stages), self.tokens // self.batch_tokens)


@cache
def equal(network: str, config: TransformerConfig, bert: TransformerConfig) -> TransformerConfig:
    """Return the sizes of a network that has as many parameters as a BERT."""
    return of_size(KINDS[network], config, parameters(KINDS["BERT"](bert)))


RECIPES: Mapping[str, FamilyRecipe] = {
    "smoke": FamilyRecipe(**{**vars(SMALL), "tokens": 3_000}),
    "laptop": FamilyRecipe(
        MORE_HIDDEN,
        width=128,
        layers=2,
        one_way_width=112,
        norm="pre",
        spread=0.05,
        beginning=HELPED,
    ),
}
TRIED_RATES: Mapping[str, tuple[float, ...]] = {"smoke": (5e-3,), "laptop": (5e-4, 1e-3, 2e-3)}
"""Learning rates that each of the six tries."""
TRIED_TOKENS: Mapping[str, int] = {"smoke": 1_500, "laptop": 500_000}
RATES: Mapping[str, float] = dict.fromkeys(NETWORKS, 1e-3)
"""The learning rate of each of the six: the best of those tried (arms "rates-...")."""
TRIED_TUNING: Mapping[str, tuple[float, ...]] = {"smoke": (0.3,), "laptop": (0.1, 0.3, 1.0)}
"""What the rate of a new layer is multiplied by for a network that is tuned."""
TUNING: Mapping[str, float] = dict.fromkeys(NETWORKS, 0.3)
"""The same, of each of the six: the best of those tried (arms "tuning-...")."""


def known(scale: str) -> str:
    """Return the scale whose sizes are taken: ``gpu`` has those of ``laptop``."""
    return "laptop" if scale == "gpu" else scale


def objective_of(name: str) -> Objective:
    """Return what a network is trained to say, by its name."""
    return OBJECTIVES[NETWORKS[name][1]]


def recipe(name: str, scale: str) -> FamilyRecipe:
    """Return how a network is trained, by its name."""
    chosen = replace(RECIPES[known(scale)], block=NETWORKS[name][0])
    return chosen if scale == "smoke" else replace(chosen, learning_rate=RATES[name])


def as_recipe(settings: Mapping[str, Any]) -> FamilyRecipe:
    """Return the recipe that a record's settings are of."""
    stages = tuple(Stage(**stage) for stage in settings["stages"])
    beginning = Beginning(**settings["beginning"])
    return FamilyRecipe(**{**settings, "stages": stages, "beginning": beginning})


def settings(name: str, text: str, scale: str) -> dict[str, Any]:
    """Return all that a network depends on, its seed among it."""
    return {
        "text": text,
        "seed": PRETRAINING_SEED,
        "objective": asdict(objective_of(name)),
        "recipe": asdict(recipe(name, scale)),
        "tokens": VOCABULARY_SIZE if text == "running text" else "words",
    }


def task_of(stream: TokenStream, name: str, scale: str) -> TrainingTask:
    """Return what is to be trained: a network as it begins, and its batches."""
    chosen = recipe(name, scale)
    return training_task(stream, objective_of(name), chosen, PRETRAINING_SEED, chosen.steps)


def place(name: str, text: str, scale: str, cache_folder: Path) -> Path:
    """Return the file that a network is kept in."""
    what = digest({**settings(name, text, scale), "of": text_settings(text, scale)})
    return cache_folder / f"family-{name}-{text.replace(' ', '-')}-{what}.pt"


def pretrained(name: str, text: str, scale: str, folder: Path, device: str = "cpu") -> Pretrained:
    """Return a network of the factorial, from ``folder`` or trained for it.

    An interrupted training goes on from its checkpoint there.
    """
    path = place(name, text, scale, folder)
    if not path.is_file():
        log.info("Training %s on %s.", name, text)
        folder.mkdir(parents=True, exist_ok=True)
        stream, chosen = read(text, scale, folder), recipe(name, scale)
        keep(path, task_of(stream, name, scale), stream.tokenizer, chosen.batch_tokens, device)
    return restored(path, name, objective_of(name), recipe(name, scale))


class FamilyMaterial(Material):
    """What the arms share: that of the experiment `bert`, with the networks of the factorial."""

    def pretrained(self, objective: str, text: str | None = None) -> Pretrained:
        """Return the network of a name, trained once."""
        key = objective, text or self.text
        if key not in self._pretrained:
            self._pretrained[key] = pretrained(*key, self.scale, self.folder, self.device)
        return self._pretrained[key]

    def place(self, objective: str, text: str) -> Path:
        """Return the file of the network of a name and a text."""
        return place(objective, text, self.scale, self.folder)
