"""Vaswani et al. (2017) at reduced scale: what attention has over recurrence and convolution.

Three readers of equal form and number of parameters: how long they take for n words; what they
recall at a distance; how near they come to the exact limit in Pocket English, by place and by
agreement, and what the parts of the Transformer contribute; and, as later work asked, whether an
LSTM holds its own on little real text. At scale ``smoke`` all text is Pocket English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.runner import Arm, Experiment, OfKinds, Result
from nnlm2bert.experiments.transformer import laboratory, recall, speed, text
from nnlm2bert.experiments.transformer.measures import measure_laboratory
from nnlm2bert.models.sequence_readers import KINDS


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    sizes = text.RECIPES[scale].sizes
    return (
        Arm("speed", {"kind": "speed", **asdict(speed.RECIPES[scale])}, seeds=False),
        *(Arm(f"small-text-{size}", text_arm(scale, size)) for size in sizes),
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


def text_arm(scale: str, size: str) -> dict[str, Any]:
    """The settings of the comparison on a text of a size."""
    own = {"kind": "small text", "size": size, "tried": text.CANDIDATES, "shorter": text.SHORT}
    return {**own, **text.text_settings(scale, size)}


def run(arm: Arm, seed: int, data: text.Texts, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    own = arm.config
    runs: dict[str, Callable[[], Result]] = {
        "speed": lambda: speed.measure_speed(speed.RECIPES[data.scale], device),
        "small text": lambda: text.measure_small_text(data, own["size"], seed, device),
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
    on_gpu=OfKinds(("speed", "small text")),
)
