"""The networks of the factorial in Pocket English, and those on the way from CBOW.

All are configurations of `BERT`, `GPT` and `TransformerBiLM`, read the same documents in the same
batches, take as many steps and begin alike (`bert.laboratory_networks`). The six of the factorial
have as many parameters, to within 3 %: width and number of layers are one for all (of two one-way
networks each is narrower), and the units within a layer are as many as make up the rest. Positions
have learned vectors in all six, though an LSTM could do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from nnlm2bert.experiments.bert.beginnings import PLAIN
from nnlm2bert.experiments.bert.laboratory_networks import (
    RECIPES as OF_BERT,
)
from nnlm2bert.experiments.bert.laboratory_networks import (
    Recipe,
    Trained,
    built,
    train_network,
)
from nnlm2bert.experiments.family_tree.cells import BERT, NETWORKS
from nnlm2bert.models.other_blocks import of_kind, of_size, parameters
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.synthetic import PocketEnglish

RECIPES: Mapping[str, Recipe] = {
    "smoke": replace(OF_BERT["smoke"], steps=6, labels=30, updates=2, beginning=PLAIN),
    "laptop": replace(
        OF_BERT["laptop"],
        config=replace(OF_BERT["laptop"].config, width=64, layers=2, inner=256),
        steps=4_096,
        test=40_000,
        singles=3_000,
        known=3_000,
        asked=3_000,
        labels=300,
        updates=300,
    ),
}
"""The sizes are those of the masked Transformer."""
TRIED_RATES: Mapping[str, tuple[float, ...]] = {
    "smoke": (4e-3,),
    "laptop": (4e-3, 8e-3, 16e-3),
}
"""Learning rates that each of the six tries."""
TRIED_STEPS: Mapping[str, int] = {"smoke": 4, "laptop": 1_024}
TRIED_TUNING: Mapping[str, tuple[float, ...]] = {"smoke": (0.3,), "laptop": (1.0, 3.0, 10.0)}
"""What the rate of a new layer is multiplied by for a network that is tuned."""
RATES: Mapping[str, float] = {
    **dict.fromkeys(NETWORKS, 8e-3),
    "lstm-left-to-right": 16e-3,
    "attention-two-one-way": 16e-3,
}
"""The learning rate of each of the six: the best of those tried (arms "rates-...")."""
TUNING: Mapping[str, float] = {
    "lstm-left-to-right": 10.0,
    "lstm-two-one-way": 1.0,
    "lstm-masked": 3.0,
    "attention-left-to-right": 3.0,
    "attention-two-one-way": 3.0,
    "attention-masked": 10.0,
}
"""The same for tuning. Networks beside the six take what the masked Transformer takes."""
LIKE = "attention-masked"


@dataclass(frozen=True)
class Design:
    """What tells a network from the masked Transformer.

    kind: of `other_blocks.KINDS`; objective: of `bert.laboratory_networks.OBJECTIVES`; changes: of
    its sizes; equal: whether it is brought to the size of the masked Transformer.
    """

    kind: str
    objective: str = "masked"
    changes: Mapping[str, Any] = field(default_factory=dict)
    equal: bool = False


_FLAT = {"layers": 1, "positions": "none"}
DESIGNS: Mapping[str, Design] = {
    **{name: Design(*pair, equal=True) for name, pair in NETWORKS.items()},
    BERT: Design("attention", "masked+next"),
    "bag-of-4": Design("bag", changes={**_FLAT, "window": 4}),
    "bag-of-all": Design("bag", changes=_FLAT),
    "weighed-bag": Design("attention", changes=_FLAT),
    "one-layer": Design("attention", changes={"layers": 1}),
    "four-layers": Design("attention", changes={"layers": 4}),
}
"""All networks by the name of their arm, those of the factorial first."""


def recipe(scale: str) -> Recipe:
    """Return the sizes of a scale: ``smoke``, ``laptop`` or ``gpu``."""
    return RECIPES[known(scale)]


def known(scale: str) -> str:
    """Return the scale whose sizes are taken: ``gpu`` has those of ``laptop``."""
    return "laptop" if scale == "gpu" else scale


def recipe_of(name: str, scale: str) -> Recipe:
    """Return how the network of an arm is trained."""
    rate = RATES.get(name, RATES[LIKE])
    return replace(recipe(scale), config=config_of(name, known(scale)), learning_rate=rate)


@cache
def config_of(name: str, scale: str) -> TransformerConfig:
    """Return the sizes of a network by its name."""
    design, base = DESIGNS[name], RECIPES[scale].config
    found = of_kind(design.kind, base, **design.changes)
    if not design.equal:
        return found
    wanted = parameters(built("masked", base))
    return of_size(lambda config: built(design.objective, config), found, wanted)


def trained(name: str, scale: str, seed: int, chosen: Recipe) -> Trained:
    """Return the network of an arm after its training by a recipe."""
    return train_network(PocketEnglish(), scale, seed, DESIGNS[name].objective, chosen=chosen)


def settings(name: str, scale: str) -> dict[str, Any]:
    """Return all that the network of an arm depends on, but its seed."""
    design = DESIGNS[name]
    own = {"block": design.kind, "objective": design.objective}
    return {**own, "recipe": asdict(recipe_of(name, scale))}
