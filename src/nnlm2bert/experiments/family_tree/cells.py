"""The factorial of chapter 8 and the walks through it, by name: plain Python.

Three factors. What a network is built of: LSTMs or attention. What it learns to say: the next word
from the left; the next word from the left and, by a second network that never meets the first, from
the right; hidden words from both sides. What a task does with it: it stays as it is below a head,
or it goes on learning. Six networks, twelve cells, of which history built three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

ARCHITECTURES = ("lstm", "attention")
OBJECTIVES = ("left-to-right", "two one-way", "masked")
WAYS = ("frozen", "tuned")
BERT = "attention-masked-next"
"""The network with BERT's second task, too: whether one segment follows another."""


class Cell(NamedTuple):
    """A cell of the factorial."""

    architecture: str
    objective: str
    way: str

    @property
    def network(self) -> str:
        """The name of its network."""
        return network_name(self.architecture, self.objective)


def network_name(architecture: str, objective: str) -> str:
    """Return the name of a network, which its arm has, too."""
    return f"{architecture}-{objective}".replace(" ", "-").replace("+", "-")


CELLS = tuple(Cell(*levels) for levels in product(ARCHITECTURES, OBJECTIVES, WAYS))
NETWORKS: Mapping[str, tuple[str, str]] = {
    network_name(*pair): pair for pair in product(ARCHITECTURES, OBJECTIVES)
}
"""Architecture and objective of the six networks by name."""
HISTORICAL: Mapping[Cell, str] = {
    Cell("lstm", "two one-way", "frozen"): "ELMo",
    Cell("attention", "left-to-right", "tuned"): "GPT",
    Cell("attention", "masked", "tuned"): "BERT",
}
"""The cells that history built. ULMFiT is the left-to-right LSTM that is tuned."""
NOBODY_BUILT = "lstm-masked"
"""The network that BERT's authors could have built from ELMo's parts."""


@dataclass(frozen=True)
class Step:
    """A stop of a walk: its network by name, its way, and the one argument that changed before."""

    network: str
    way: str
    changed: str


WALKS: Mapping[str, tuple[Step, ...]] = {
    "from ELMo to BERT": (
        Step("lstm-two-one-way", "frozen", "ELMo on words"),
        Step("attention-two-one-way", "frozen", "block: LSTM to attention"),
        Step("attention-masked", "frozen", "objective: two one-way to masked"),
        Step("attention-masked", "tuned", "way: frozen to tuned"),
        Step(BERT, "tuned", "second task: none to next segment"),
    ),
    "from GPT to BERT": (
        Step("attention-left-to-right", "tuned", "GPT"),
        Step("attention-masked", "tuned", "objective: left-to-right to masked"),
        Step(BERT, "tuned", "second task: none to next segment"),
    ),
    "from CBOW to the masked language model": (
        Step("bag-of-4", "frozen", "CBOW: the mean of 4 neighbours on each side"),
        Step("bag-of-all", "frozen", "window: 4 to the whole text"),
        Step("weighed-bag", "frozen", "block: equal weights to attention"),
        Step("one-layer", "frozen", "positions: none to learned"),
        Step("attention-masked", "frozen", "layers: 1 to 2"),
        Step("four-layers", "frozen", "layers: 2 to 4"),
    ),
}
"""From each stop to the next one argument of a configuration changes."""
