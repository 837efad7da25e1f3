"""Vaswani et al. (2017) at reduced scale: what attention has over recurrence and convolution.

Three readers of equal form and number of parameters: how long they take for n words; what they
recall at a distance; how near they come to the exact limit in Pocket English, by place and by
agreement, and what the parts of the Transformer contribute; and, as later work asked, whether an
LSTM holds its own on little real text. At scale ``smoke`` all text is Pocket English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments import transformer_laboratory as laboratory
from nnlm2bert.experiments import transformer_recall as recall
from nnlm2bert.experiments import transformer_speed as speed
from nnlm2bert.experiments import transformer_text as text
from nnlm2bert.experiments.runner import Arm, Experiment, Result
from nnlm2bert.experiments.transformer_measures import measure_laboratory
from nnlm2bert.models.sequence_readers import KINDS

SETTINGS: Mapping[str, Mapping[str, Sequence[float]]] = {
    size: {kind: text.CANDIDATES[0] for kind in text.COMPARED}
    for size in ("100k", "300k", "1m", "3m")
}
"""Learning rate and dropout, by size of the text and kind: the best of each arm "tuning"."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    sizes = text.RECIPES[scale].sizes
    return (
        Arm("speed", {"kind": "speed", **asdict(speed.RECIPES[scale])}, seeds=False),
        *(Arm(f"tuning-{size}", tuning_settings(scale, size), seeds=False) for size in sizes),
        *(Arm(f"small-text-{size}", text_settings(scale, size)) for size in sizes),
        *(laboratory_arm(f"laboratory-{kind}", scale, kind, {}) for kind in KINDS),
        *(
            Arm(f"recall-{kind}", {"kind": "recall", "reader": kind, "recipe": _recall(scale)})
            for kind in KINDS
        ),
        *(
            laboratory_arm(f"variant-{name.replace(' ', '-')}", scale, "attention", changes)
            for name, changes in laboratory.VARIANTS.items()
        ),
    )


def laboratory_arm(name: str, scale: str, kind: str, changes: Mapping[str, Any]) -> Arm:
    """A reader in Pocket English, with some of its settings changed."""
    own = {"kind": "laboratory", "reader": kind, "changes": dict(changes)}
    return Arm(name, {**own, "recipe": asdict(laboratory.recipe(scale))})


def _recall(scale: str) -> dict[str, Any]:
    return asdict(recall.recipe(scale))


def text_settings(scale: str, size: str) -> dict[str, Any]:
    """The settings of the comparison on a text of a size."""
    chosen = text.RECIPES[scale]
    sizes = {"tokens": chosen.sizes[size], "steps": chosen.steps[size]}
    shared = {"vocabulary": text.VOCABULARY_SIZE, **sizes, "recipe": text.settings_of(scale)}
    return {"kind": "small text", "size": size, "settings": SETTINGS[size], **shared}


def tuning_settings(scale: str, size: str) -> dict[str, Any]:
    """The settings of the choice of a learning rate and a dropout on a text of a size."""
    plain = {
        name: value for name, value in text_settings(scale, size).items() if name != "settings"
    }
    return {**plain, "kind": "tuning", "candidates": text.CANDIDATES, "shorter": text.SHORT}


def run(arm: Arm, seed: int, data: text.Texts, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    own = arm.config
    runs: dict[str, Callable[[], Result]] = {
        "speed": lambda: speed.measure_speed(speed.RECIPES[data.scale], device),
        "tuning": lambda: text.tune(data, own["size"]),
        "small text": lambda: text.measure_small_text(data, own["size"], own["settings"], seed),
        "laboratory": lambda: measure_laboratory(data.scale, seed, own["reader"], own["changes"]),
        "recall": lambda: recall.measure_recall(own["reader"], data.scale, seed),
    }
    return runs[own["kind"]]()


EXPERIMENT = Experiment(
    name="transformer",
    title="Attention, recurrence and convolution",
    arms=arms,
    prepare=text.Texts,
    run=run,
    corpora=RUNNING_TEXT,
)
