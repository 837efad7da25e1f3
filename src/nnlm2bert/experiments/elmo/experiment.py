"""Peters et al. (2018) at reduced scale: what a bidirectional language model's layers are good for.

One language model, trained once on the running text; the seeds are of what follows it: labels and
documents drawn, the start of a head, the order of its examples. What each layer knows of part of
speech and of sense; chunks, entities, parts of speech and sentiment from few and from all labels,
with the heads and recipes of the scoreboard; the vectors at the input and at the output of a head;
occurrences of words with several senses; the language model tuned on the text of a task, as in
ULMFiT (Howard & Ruder 2018); and the laboratory. At scale ``smoke`` all is Pocket English.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnlm2bert.corpora.running import RUNNING_TEXT
from nnlm2bert.experiments.elmo.bench import bench
from nnlm2bert.experiments.elmo.laboratory import recipe as laboratory_recipe
from nnlm2bert.experiments.elmo.laboratory_record import LEAST, SENSED, TAGGED, measure_laboratory
from nnlm2bert.experiments.elmo.material import Material, sentences
from nnlm2bert.experiments.elmo.measures import (
    blocks,
    disambiguate_layers,
    measure_homographs,
    measure_sense_purity,
    probe_parts_of_speech,
)
from nnlm2bert.experiments.elmo.pretraining import place
from nnlm2bert.experiments.elmo.pretraining import settings as pretraining_settings
from nnlm2bert.experiments.pretraining import RECIPES, WORDS
from nnlm2bert.experiments.runner import Arm, Experiment, OfKinds, Result
from nnlm2bert.experiments.scoreboard import (
    LABELS,
    PRETRAINING_SEED,
    STEPS,
    EncoderMaker,
    measure_for,
    score,
    units,
)
from nnlm2bert.training.checkpoint import read_checkpoint
from nnlm2bert.transfer import Example, Recipe, Task, WordEncoder, draw, learn, predict
from nnlm2bert.transfer.contextual import (
    Contextual,
    ContextualEncoder,
    Features,
    Tuning,
    tune_language_model,
)

TASKS = ("chunks", "entities", "part-of-speech", "sentiment")
SPAN_TASKS = ("chunks", "entities")
TUNED_ON = ("sentiment", "questions")
ROWS: Mapping[str, Mapping[str, Any]] = {
    "word2vec-tuned": {"words": "fine-tuned"},
    "mix": {"layers": "mix"},
    "last": {"layers": 2},
    "input": {"layers": 0},
    "word2vec-frozen": {"words": "frozen"},
    "random": {"words": "random"},
    "mix-beside": {"words": "fine-tuned", "layers": "mix"},
    "mix-output": {"words": "fine-tuned", "output": "mix"},
    "mix-both": {"words": "fine-tuned", "layers": "mix", "output": "mix"},
}
"""What a head reads: word vectors of chapter 2, layers of the language model or both side by side,
and at its output. The last three are the paper's table 3, whose networks all read word vectors."""
BY_SHARE = ("word2vec-tuned", "mix", "random")
"""The rows that are measured at every share of the labels, not at all labels alone."""
OF_SPANS = ("mix-beside", "mix-output", "mix-both")
SHARES: Mapping[str, Mapping[int, int]] = {
    "smoke": {1: 2, 3: 2, 10: 2, 30: 4, 100: 8},
    "laptop": {1: 200, 3: 300, 10: 400, 30: 700, 100: 1_000},
    "gpu": {1: 200, 3: 300, 10: 400, 30: 700, 100: 1_000},
}
"""Updates for each share of the labels, in percent; at 100 as on the scoreboard."""
EVALUATIONS: Mapping[str, int] = {"smoke": 1, "laptop": 8, "gpu": 8}
PROBED: Mapping[str, int] = {"smoke": 300, "laptop": 20_000, "gpu": 20_000}
"""Words that a probe of parts of speech learns from."""
HOMOGRAPHS: Mapping[str, Mapping[str, int]] = {
    "smoke": {"form": 8, "part of speech": 2},
    "laptop": {"form": 20, "part of speech": 5},
    "gpu": {"form": 20, "part of speech": 5},
}
"""How often a form must occur, and as a noun and as a verb, to be looked at."""
TUNING: Mapping[str, Tuning] = {
    "smoke": Tuning(passes=1),
    "laptop": Tuning(passes=3),
    "gpu": Tuning(passes=3),
}
TURNS = 9
"""Turns of the race of an update of the language model against its LSTMs alone."""
TIMED = 200
"""Sentences that extraction is timed on, one by one and in batches."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    return (
        Arm("biLM", {"kind": "biLM", **pretraining(scale)}, seeds=False),
        *speed_arms(scale),
        Arm("senses", {"kind": "senses", **pretraining(scale)}, seeds=False),
        Arm(
            "homographs",
            {"kind": "homographs", "least": HOMOGRAPHS[scale], **pretraining(scale)},
            seeds=False,
        ),
        Arm("layers", {"kind": "layers", "words": PROBED[scale], **pretraining(scale)}),
        *(task_arm(task, row, scale) for task in SPAN_TASKS for row in ROWS if row not in OF_SPANS),
        *(task_arm(task, row, scale) for task in SPAN_TASKS for row in OF_SPANS),
        *(tuning_arm(task, scale) for task in TUNED_ON),
        laboratory_arm(scale),
        *(
            task_arm(task, row, scale)
            for task in TASKS
            if task not in SPAN_TASKS
            for row in ROWS
            if row not in OF_SPANS
        ),
    )


def speed_arms(scale: str) -> tuple[Arm, ...]:
    """The race of an update against its LSTMs alone; none at scale smoke: it would say nothing."""
    race = Arm("speed", {"kind": "speed", "repeats": TURNS}, seeds=False)
    return () if scale == "smoke" else (race,)


def pretraining(scale: str) -> dict[str, Any]:
    """What the language model of a scale was trained with, once for all seeds."""
    text = Material(scale).text
    own = {"text": text, "seed": PRETRAINING_SEED, **pretraining_settings(text, scale)}
    return {"pretraining": {"ELMo": own}}


def task_arm(task: str, row: str, scale: str) -> Arm:
    """One task by one kind of vectors, by share of the labels."""
    shares = SHARES[scale]
    chosen = shares if row in BY_SHARE else {100: shares[100]}
    made = pretraining(scale)["pretraining"] if {"layers", "output"} & set(ROWS[row]) else {}
    if ROWS[row].get("words") in ("frozen", "fine-tuned"):
        made["skip-gram"] = {"seed": PRETRAINING_SEED, **RECIPES[Material(scale).text]["skip-gram"]}
    return Arm(
        f"{task}-{row}",
        {
            "kind": "task",
            "task": task,
            **ROWS[row],
            "recipes": {f"{share} %": _recipe(chosen[share], scale) for share in chosen},
            "pretraining": made,
        },
    )


def _recipe(steps: int, scale: str) -> dict[str, Any]:
    return asdict(Recipe(steps, evaluations=EVALUATIONS[scale]))


def tuning_arm(task: str, scale: str) -> Arm:
    """One task with the language model as it is, and tuned on the sentences of the task."""
    recipes = {labels: _recipe(steps, scale) for labels, steps in STEPS[scale].items()}
    own = {"kind": "self-tuned", "task": task, "tuning": asdict(TUNING[scale]), "recipes": recipes}
    return Arm(f"self-tuned-{task}", {**own, **pretraining(scale)})


def laboratory_arm(scale: str) -> Arm:
    """A biLM in Pocket English, another one for each seed, beside the exact limits."""
    vectors = {"seed": PRETRAINING_SEED, **RECIPES["Pocket English"]["skip-gram"]}
    sizes = {"words": SENSED[scale], "tagged": TAGGED[scale], "least": LEAST[scale]}
    sizes["words of the word vectors"] = WORDS[scale]
    own = {"recipe": asdict(laboratory_recipe(scale)), **sizes, "skip-gram": vectors}
    return Arm("laboratory", {"kind": "laboratory", **own})


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm."""
    data.device = device
    runs: dict[str, Callable[[], Result]] = {
        "biLM": lambda: run_bilm(data),
        "speed": lambda: run_speed(arm.config["repeats"]),
        "senses": lambda: measure_sense_purity(data),
        "homographs": lambda: measure_homographs(data, arm.config["least"]),
        "layers": lambda: run_layers(arm, seed, data),
        "task": lambda: run_task(arm, seed, data, device),
        "self-tuned": lambda: run_tuning(arm, seed, data, device),
        "laboratory": lambda: measure_laboratory(data.scale, seed, data.laboratory_vectors),
    }
    return runs[arm.config["kind"]]()


def run_bilm(data: Material) -> Result:
    """Measure the language model on held-out text, by the full softmax, and how fast it reads.

    A sentence counts its words and one mark. Groups: "WikiText-2 forward" ... by block.
    """
    contextual, texts = data.contextual, data.held_out()
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for name, rows in texts.items():
        nats, owners = contextual.costs(rows), torch.from_numpy(blocks(len(rows)))
        terms = torch.tensor([len(row) + 1 for row in rows])
        tokens = torch.bincount(owners, weights=terms).long().tolist()
        for side, own in (
            ("forward", nats[:, 0]),
            ("backward", nats[:, 1]),
            ("average", nats.mean(1)),
        ):
            sums = torch.bincount(owners, weights=own).tolist()
            groups[f"{name} {side}"] = {"tokens": tokens, "nats": [round(x, 3) for x in sums]}
            figures[f"{name}, perplexity {side}"] = math.exp(float(own.sum()) / int(terms.sum()))
    kept = read_checkpoint(place(PRETRAINING_SEED, data.scale, data.folder, data.text))
    sizes = {
        "words a second, training": kept["words a second"],
        "output words": len(contextual.words),
        "parameters": sum(p.numel() for p in contextual.bilm.parameters()),
    }
    read = speeds(contextual, next(iter(texts.values()))[:TIMED])
    series = {"steps": kept["steps"], "losses": kept["losses"]}
    return Result(figures={**figures, **sizes, **read}, groups=groups, series=series)


def speeds(contextual: Contextual, rows: Sequence[Sequence[str]]) -> dict[str, float]:
    """Words a second that are read in batches of one length, and sentence by sentence."""
    words = sum(map(len, rows))
    ways: dict[str, Callable[[], object]] = {
        "in batches": lambda: contextual.extract(rows),
        "one by one": lambda: [contextual.extract([row]) for row in rows],
    }
    found = {}
    for name, way in ways.items():
        start = time.perf_counter()
        way()
        found[f"words a second, extracting {name}"] = words / (time.perf_counter() - start)
    return found


def run_speed(repeats: int) -> Result:
    """Time an update of the language model, and torch's own LSTMs of its sizes without the rest."""
    report = bench(repeats)
    return Result(
        figures={
            "words a second, an update": report.ours,
            "words a second, its LSTMs alone": report.rival,
            "speed as a share of its LSTMs'": report.ratio,
        }
    )


def run_layers(arm: Arm, seed: int, data: Material) -> Result:
    """Measure what each layer knows of part of speech and of sense."""
    name = "part-of-speech"
    tagged = probe_parts_of_speech(data.task(name), data.features(name), arm.config["words"], seed)
    senses = disambiguate_layers(data, seed)
    return Result(
        figures={**tagged.figures, **senses.figures}, groups={**tagged.groups, **senses.groups}
    )


@dataclass(frozen=True)
class Maker:
    """Makes what a head reads, at its input and at its output, by the settings of an arm."""

    config: Mapping[str, Any]
    task: Task
    labelled: Sequence[Example]
    data: Material

    @property
    def features(self) -> Features:
        """What the language model says of the task's sentences."""
        return self.data.features(self.config["task"])

    def input(self) -> WordEncoder:
        """The encoder at the input."""
        words, layers = self.config.get("words"), self.config.get("layers")
        beside = self._words(words) if words else None
        return beside if layers is None else ContextualEncoder(self.features, layers, beside=beside)

    def output(self) -> WordEncoder:
        """The encoder at the output."""
        return ContextualEncoder(self.features, self.config["output"])

    def _words(self, mode: str) -> WordEncoder:
        vectors = None if mode == "random" else self.data.vectors
        return EncoderMaker(self.task, self.labelled, vectors, mode)()


def run_task(arm: Arm, seed: int, data: Material, device: str) -> Result:
    """Learn a task from each share of the labels, the draws nested, and measure the test part."""
    task = data.task(arm.config["task"])
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for name, recipe in arm.config["recipes"].items():
        labelled = draw(task, share_of(task, name), seed)
        maker = Maker(arm.config, task, labelled, data)
        above = maker.output if "output" in arm.config else None
        groups[name], learned = learned_units(
            task, labelled, as_recipe(recipe), maker.input, above, seed, device
        )
        figures[f"{name} {task.measure}"] = score(groups[name])
        figures |= {f"{name} {weight}": value for weight, value in learned.items()}
        figures[f"{name} examples"] = len(labelled)
    return Result(figures=figures, groups=groups)


def share_of(task: Task, name: str) -> int | None:
    """How many training examples "10 %" are; None, which is all, for "100 %"."""
    percent = int(name.split()[0])
    count = len(task.splits["train"])
    return None if percent == 100 else max(1, round(percent * count / 100))


def as_recipe(settings: Mapping[str, Any]) -> Recipe:
    """A recipe from its settings in an arm."""
    plain = Recipe(settings["steps"])
    head = dataclasses.replace(plain.head, **settings["head"])
    return dataclasses.replace(plain, **{**settings, "head": head})


def learned_units(
    task: Task,
    labelled: Sequence[Example],
    recipe: Recipe,
    make_input: Callable[[], WordEncoder],
    make_output: Callable[[], WordEncoder] | None,
    seed: int,
    device: str,
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Learn a task; return the group of its test part, and how layers were mixed, by name."""
    model, _ = learn(
        task, make_input, labelled, recipe, measure_for(task), seed, device, make_output
    )
    test = task.splits["test"]
    return units(task, predict(model, task, test), test), mixed(model)


def mixed(model: nn.Module) -> dict[str, float]:
    """The learned s_j and gamma at the input and at the output of a head, where there are any."""
    places = {"": model.encoder, "output ": getattr(model, "output_encoder", None)}
    return {
        f"{place}{name}": value
        for place, encoder in places.items()
        if isinstance(encoder, ContextualEncoder)
        for name, value in encoder.learned().items()
    }


def run_tuning(arm: Arm, seed: int, data: Material, device: str) -> Result:
    """Tune the language model on the training sentences, and learn with it and without.

    Groups "tuned 100" ..., "plain 100" ...
    """
    task, plain = data.task(arm.config["task"]), data.contextual
    unlabelled = [sentence for e in task.splits["train"] for sentence in e.sentences]
    tuned, _ = tune_language_model(plain, unlabelled, Tuning(**arm.config["tuning"]), seed)
    held_out = [sentence for e in task.splits["validation"] for sentence in e.sentences]
    figures = {
        f"perplexity {when}": model.perplexity(held_out)["average"]
        for when, model in (("before", plain), ("after", tuned))
    }
    groups: dict[str, dict[str, list[float]]] = {}
    read = {"plain": data.features(arm.config["task"]), "tuned": Features(tuned, sentences(task))}
    for labels, recipe in arm.config["recipes"].items():
        labelled = draw(task, LABELS[data.scale][labels], seed)
        for way, features in read.items():
            name = f"{way} {labels}"
            groups[name], learned = learned_units(
                task,
                labelled,
                as_recipe(recipe),
                lambda known=features: ContextualEncoder(known),
                None,
                seed,
                device,
            )
            figures[f"{name} {task.measure}"] = score(groups[name])
            figures |= {f"{name} {weight}": value for weight, value in learned.items()}
    return Result(figures=figures, groups=groups)


EXPERIMENT = Experiment(
    name="elmo",
    title="ELMo on running text",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(
        *RUNNING_TEXT,
        *("ud-english-ewt", "conll2000", "wnut17", "sst2-sentences", "trec-qc"),
        *("semcor", "wsd-eval"),
    ),
    on_gpu=OfKinds(("biLM", "senses", "homographs", "layers", "task", "self-tuned")),
)
