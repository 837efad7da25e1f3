"""One BERT for answers and for texts that are written: the families that the scoreboard leaves out.

Answers are spans of a paragraph, of Pocket English or of XQuAD in English: by the vectors of each
stage below one head, and by BERT itself with a linear layer (Devlin et al. 2019, section 4.2),
tuned, frozen, or begun at random; beside it a network that reads the same pieces from the left, and
one from both sides that was trained on as many of them as that one.
Texts are translations, of Pocket English or of Multi30k: by an encoder and a decoder that begin at
random, of which the encoder begins as BERT, or of which both do. The published BERT writes nothing:
that is what Rothe, Narayan & Severyn (2020) made of it. Each stage is trained once; the seeds are
of what follows. At scale ``smoke`` all is Pocket English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.four_tasks import answers, translation
from nnlm2bert.experiments.four_tasks.answers import measure_spans, measure_vectors
from nnlm2bert.experiments.four_tasks.material import (
    LABORATORY,
    STAGES,
    Material,
    name_at,
    pretraining,
    text_for,
)
from nnlm2bert.experiments.four_tasks.translation import measure_translation
from nnlm2bert.experiments.runner import Arm, Experiment, Result, always
from nnlm2bert.experiments.scoreboard import BERT_OBJECTIVE
from nnlm2bert.transfer.translation import TRANSLATIONS

ANSWERS = ("laboratory answers", "answers")
TRANSLATED = ("laboratory translation", "translation")
NETWORKS: Mapping[str, tuple[str, str]] = {
    "tuned": (BERT_OBJECTIVE, "tuned"),
    "frozen": (BERT_OBJECTIVE, "frozen"),
    "scratch": (BERT_OBJECTIVE, "scratch"),
    "both-sides": ("masked+next", "tuned"),
    "left-to-right": ("left-to-right", "tuned"),
}
"""The networks that answer by themselves: what each was trained for, and how it is taught.

"both-sides" is what "left-to-right" is compared with: they read the same part of the running text,
where "tuned" reads all of it (`recipes.PASSES`). In Pocket English "tuned" is that network.
"""
BEGINNINGS: Mapping[str, str] = {
    "scratch": "scratch",
    "encoder": "encoder tuned",
    "both": "both tuned",
}
"""What of a translator begins as BERT; all of it goes on learning."""
FEW: Mapping[str, int] = {"smoke": 30, "laptop": 1_000, "gpu": 1_000}
"""Pairs that a translation is learned from beside all of them."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale."""
    return (
        *(network_arm(task, name, scale) for task in ANSWERS for name in networks(task)),
        *(vectors_arm(task, stage, scale) for task in ANSWERS for stage in STAGES),
        *(
            translation_arm(task, name, pairs, scale)
            for task in TRANSLATED
            for pairs in (None, FEW[scale])
            for name in BEGINNINGS
        ),
    )


def networks(task: str) -> tuple[str, ...]:
    """Return which of `NETWORKS` answer the questions of a task."""
    lab = task.startswith(LABORATORY)
    return tuple(name for name in NETWORKS if not (lab and name == "both-sides"))


def arm_name(task: str, *parts: str) -> str:
    """Return the name of an arm."""
    return "-".join((task.replace(" ", "-"), *parts))


def network_arm(task: str, name: str, scale: str) -> Arm:
    """A network between BERT's marks, with one linear layer above it, answers."""
    objective, way = NETWORKS[name]
    chosen = answers.scale_of(name_at(task, scale), scale)
    recipe = answers.recipe_for(way, chosen)
    own = {"kind": "network", "task": task, "objective": objective, "way": way}
    config = {**own, **_asked(chosen), "recipe": asdict(recipe)}
    return Arm(arm_name(task, name), {**config, **_pretraining(objective, task, scale)})


def vectors_arm(task: str, stage: str, scale: str) -> Arm:
    """A stage's vectors below the head that is the same for all answer."""
    chosen = answers.scale_of(name_at(task, scale), scale)
    own = {"kind": "vectors", "task": task, "stage": stage}
    config = {**own, **_asked(chosen), "recipe": asdict(chosen.head)}
    made = {} if stage == "random" else _pretraining(stage, task, scale)
    return Arm(arm_name(task, "vectors", stage), {**config, **made})


def translation_arm(task: str, name: str, pairs: int | None, scale: str) -> Arm:
    """An encoder and a decoder translate, after learning from so many pairs; None: all."""
    measure = TRANSLATIONS[name_at(task, scale)][0]
    scaled = translation.scale_of(measure, scale)
    chosen = asdict(replace(scaled, recipe=translation.recipe_for(scaled, pairs)))
    own = {"kind": "translation", "task": task, "way": BEGINNINGS[name], "pairs": pairs}
    few = () if pairs is None else ("few",)
    config = {**own, **chosen, **_pretraining(BERT_OBJECTIVE, task, scale)}
    return Arm(arm_name(task, name, *few), config)


def _asked(chosen: answers.Scale) -> dict[str, Any]:
    return {"sizes": dict(chosen.sizes), "test": chosen.test}


def _pretraining(stage: str, task: str, scale: str) -> dict[str, Any]:
    """What a network was trained with, once for all seeds; it gives the sizes from scratch, too."""
    text = text_for(name_at(task, scale))
    return {"pretraining": {stage: pretraining(stage, text, scale)}}


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    data.device = device
    kind, task = arm.config["kind"], arm.config["task"]
    if kind == "vectors":
        asked = data.answers(task)
        make = data.encoder(arm.config["stage"], asked)
        return measure_vectors(asked, make, data.scale, seed, device)
    objective = arm.config.get("objective", BERT_OBJECTIVE)
    text = text_for(name_at(task, data.scale))
    network, read = data.network(objective, text).network, data.read(objective, text)
    way = arm.config["way"]
    if kind == "network":
        return measure_spans(data.answers(task), network, read, way, data.scale, seed, device)
    asked_for = data.translation(task), network, read, way, data.scale, seed
    return measure_translation(*asked_for, pairs=arm.config["pairs"], device=device)


EXPERIMENT = Experiment(
    name="four_tasks",
    title="One BERT for answers and translations",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(*RUNNING_TEXT, "xquad-en", "multi30k"),
    on_gpu=always,
)
