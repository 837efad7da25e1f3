"""The scoreboard: what each stage of the history brings to the same tasks, labels and heads.

A row is a stage (random, NNLM, word2vec, ...) in one of the three ways of Kim (2014): vectors that
begin at random, are frozen, or are fine-tuned. ELMo's are what a frozen language model says of a
word in its sentence, its layers mixed as the task learns to (Peters et al. 2018, equation 1):
alone, or beside fine-tuned word vectors, [x_k; ELMo_k], as in section 3.3 of the paper. GPT's are
its layers at the last token of each word, BERT's at the first, mixed in the same way; fine-tuned,
the network itself learns the task, with a linear layer for a head (Radford et al. 2018; Devlin et
al. 2018). All rows share tasks, splits, draws of labels and steps, all but those two heads and
recipe, too, and the text that the stages were pre-trained on, once each; a seed of a row is another
draw of labels, another start of the head, another order. Scale ``smoke`` is the laboratory alone.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.evaluation.similarity import similarity_units
from nnlm2bert.evaluation.spans import add_up, count_spans, f1_units, span_f1
from nnlm2bert.experiments.bert import pretraining as pretraining_bert
from nnlm2bert.experiments.elmo import pretraining as pretraining_elmo
from nnlm2bert.experiments.gpt import pretraining as pretraining_gpt
from nnlm2bert.experiments.gpt.pretraining import Pretrained
from nnlm2bert.experiments.pretraining import RECIPES, TEXTS, WORDS, pretrained
from nnlm2bert.experiments.runner import Arm, Experiment, Result, always
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer import (
    TASKS,
    BERTReader,
    CausalReader,
    ContextualEncoder,
    Example,
    Features,
    FineTuning,
    FirstLayer,
    GPTReader,
    MarkedReader,
    Recipe,
    Task,
    WordEncoder,
    draw,
    fine_tune,
    learn,
    load_task,
    predict,
    renewed,
    transferred,
)
from nnlm2bert.transfer.contextual import SentenceReader
from nnlm2bert.transfer.first_layer import spelling
from nnlm2bert.transfer.tasks import CORPORA, LABORATORY

BLOCKS = 50
"""Parts of a test set that records keep apart, in order: the units of resampling."""
PRETRAINING_SEED = 0
ROWS: dict[str, tuple[str | None, str]] = {
    "random": (None, "random"),
    "NNLM-frozen": ("NNLM", "frozen"),
    "NNLM-tuned": ("NNLM", "fine-tuned"),
    "word2vec-frozen": ("skip-gram", "frozen"),
    "word2vec-tuned": ("skip-gram", "fine-tuned"),
    "CBOW-frozen": ("CBOW", "frozen"),
    "CBOW-tuned": ("CBOW", "fine-tuned"),
    "ELMo-frozen": ("ELMo", "frozen"),
    "ELMo-beside": ("ELMo", "frozen"),
    "GPT-frozen": ("GPT", "frozen"),
    "GPT-tuned": ("GPT", "fine-tuned"),
    "BERT-frozen": ("BERT", "frozen"),
    "BERT-tuned": ("BERT", "fine-tuned"),
}
BESIDE = {"ELMo-beside": ("skip-gram", "fine-tuned")}
"""Rows with other word vectors beside their own: the stage of those, and their way."""
LANGUAGE_MODELS = {"ELMo": pretraining_elmo, "GPT": pretraining_gpt}
"""How the stages are trained that read a word in its sentence."""
BERT_OBJECTIVE = "BERT"
"""What BERT is trained for: the two tasks of the paper."""
TUNED_WHOLE: dict[tuple[str | None, str], dict[str, float]] = {
    ("GPT", "fine-tuned"): {},
    ("BERT", "fine-tuned"): {"auxiliary": 0.0},
}
"""The stages and ways whose network learns the task itself, and where each differs from
`FineTuning`; all others stand below heads."""
LABELS: dict[str, dict[str, int | None]] = {
    "smoke": {"30": 30, "all": None},
    "laptop": {"100": 100, "1,000": 1_000, "all": None},
    "gpu": {"100": 100, "1,000": 1_000, "all": None},
}
STEPS = {
    "smoke": {"30": 8, "all": 16},
    "laptop": {"100": 200, "1,000": 400, "all": 1_000},
    "gpu": {"100": 200, "1,000": 400, "all": 1_000},
}
LABORATORY_SIZES = {
    "smoke": {"train": 90, "validation": 30, "test": 60},
    "laptop": {"train": 4_000, "validation": 500, "test": 1_000},
    "gpu": {"train": 4_000, "validation": 500, "test": 1_000},
}


@dataclass(frozen=True)
class Board:
    """The tasks of a scale, read when they are first asked for."""

    scale: str

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """All tasks by name; at scale smoke those of the laboratory."""
        names = LABORATORY if self.scale == "smoke" else tuple(TASKS)
        sizes = LABORATORY_SIZES[self.scale]
        return {name: load_task(name, sizes if name in LABORATORY else None) for name in names}


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the rows: random, then each stage frozen and fine-tuned."""
    return tuple(
        Arm(name, _settings(scale, *row) | _beside(scale, name)) for name, row in ROWS.items()
    )


def _beside(scale: str, row: str) -> dict[str, Any]:
    """The settings of the vectors that stand beside those of a row, if there are any."""
    if row not in BESIDE:
        return {}
    stage, mode = BESIDE[row]
    made = {text: _pretraining(stage, text, scale) for text in TEXTS}
    return {"beside": {"stage": stage, "mode": mode, "pretraining": made}}


def _settings(scale: str, stage: str | None, mode: str) -> dict[str, Any]:
    recipes = {
        labels: dataclasses.asdict(_recipe(stage, mode, steps))
        for labels, steps in STEPS[scale].items()
    }
    common = {"mode": mode, "laboratory": LABORATORY_SIZES[scale], "recipes": recipes}
    if stage is None:
        return common
    pretraining = {
        "seed": PRETRAINING_SEED,
        "words of Pocket English": WORDS[scale],
        **{text: _pretraining(stage, text, scale) for text in TEXTS},
    }
    return {"stage": stage, **common, "pretraining": pretraining}


def _recipe(stage: str | None, mode: str, steps: int) -> FineTuning | Recipe:
    """How a row learns a task in so many steps."""
    if (stage, mode) in TUNED_WHOLE:
        return FineTuning(steps, **TUNED_WHOLE[stage, mode])
    return Recipe(steps)


def _pretraining(stage: str, text: str, scale: str) -> dict[str, Any]:
    """How a stage is trained on a text."""
    if stage == "BERT":
        return pretraining_bert.settings(BERT_OBJECTIVE, text, scale)
    if stage in LANGUAGE_MODELS:
        return LANGUAGE_MODELS[stage].settings(text, scale)
    return RECIPES[text][stage]


def run(arm: Arm, seed: int, data: Board, workspace: Path, device: str = "cpu") -> Result:
    """Learn every task from every number of labels and measure the test part."""
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for task in data.tasks.values():
        vectors = stage_vectors(arm, task, data.scale, device)
        beside = vectors_beside(arm, task, data.scale, device)
        if isinstance(vectors, WordVectors):
            figures[f"{task.name} coverage"] = coverage(task, vectors)
        for labels, size in LABELS[data.scale].items():
            labelled = draw(task, size, seed)
            row = arm.config.get("stage"), arm.config["mode"]
            recipe = _recipe(*row, STEPS[data.scale][labels])
            if isinstance(recipe, FineTuning):
                model = tuned_whole(task, vectors, labelled, recipe, seed, device)
            else:
                make = EncoderMaker(task, labelled, vectors, arm.config["mode"], beside)
                model, _ = learn(task, make, labelled, recipe, measure_for(task), seed, device)
            test = task.splits["test"]
            name = f"{task.name} {labels}"
            groups[name] = units(task, predict(model, task, test), test)
            figures[f"{name} {task.measure}"] = score(groups[name])
            if isinstance(model.encoder, ContextualEncoder):
                learned = model.encoder.learned()
                figures |= {f"{name} {weight}": value for weight, value in learned.items()}
    return Result(figures=figures, groups=groups)


def tuned_whole(
    task: Task,
    trained: Pretrained | pretraining_bert.Pretrained,
    labelled: Sequence[Example],
    tuning: FineTuning,
    seed: int,
    device: str,
) -> GPTReader | BERTReader:
    """Return a GPT or a BERT that learned a task, all of its layers and a linear one."""
    tokens = SubwordEncoder(trained.tokenizer)

    def make() -> GPTReader | BERTReader:
        if isinstance(trained, Pretrained):
            gpt = transferred(trained.gpt, dropout=tuning.dropout)
            return GPTReader(gpt, tokens, task, tuning.dropout)
        bert = renewed(trained.network, dropout=tuning.dropout)
        return BERTReader(bert, tokens, task, tuning.dropout)

    return fine_tune(task, make, labelled, tuning, measure_for(task), seed, device)[0]


def stage_vectors(
    arm: Arm, task: Task, scale: str, device: str
) -> WordVectors | Features | Pretrained | pretraining_bert.Pretrained | None:
    """Return what an arm was pre-trained to, on the text that goes with the task.

    Of ELMo and a frozen GPT or BERT it is what they say of the task's sentences, whichever split
    these stand in, without their labels; of a network that is fine-tuned the network.
    """
    stage = arm.config.get("stage")
    if stage is None:
        return None
    where = PRETRAINING_SEED, scale, cache_folder() / "vectors", text_for(task), device
    if stage == "ELMo":
        return _features(pretraining_elmo.pretrained_bilm(*where), task)
    if stage not in ("GPT", "BERT"):
        return _word_vectors(stage, task, scale, device)
    if stage == "GPT":
        trained = pretraining_gpt.pretrained_gpt(*where)
    else:
        trained = pretraining_bert.pretrained_bert(BERT_OBJECTIVE, *where)
    if (stage, arm.config["mode"]) in TUNED_WHOLE:
        return trained
    return _features(_reader(trained), task)


def _reader(trained: Pretrained | pretraining_bert.Pretrained) -> SentenceReader:
    """A network that reads sentences, frozen."""
    tokens = SubwordEncoder(trained.tokenizer)
    if isinstance(trained, Pretrained):
        return CausalReader(trained.gpt, tokens)
    return MarkedReader(trained.network, tokens)


def _features(reader: SentenceReader, task: Task) -> Features:
    """What a network says of all sentences of a task."""
    examples = [example for split in task.splits.values() for example in split]
    sentences = [sentence for example in examples for sentence in example.sentences]
    return Features(reader, sentences, cache_folder() / "vectors" / "features")


def vectors_beside(arm: Arm, task: Task, scale: str, device: str) -> WordVectors | None:
    """Return the word vectors that stand beside an arm's own, None if there are none."""
    if "beside" not in arm.config:
        return None
    return _word_vectors(arm.config["beside"]["stage"], task, scale, device)


def _word_vectors(stage: str, task: Task, scale: str, device: str) -> WordVectors:
    folder = cache_folder() / "vectors"
    return pretrained(stage, PRETRAINING_SEED, scale, folder, text_for(task), device)


def text_for(task: Task) -> str:
    """Return which text goes with a task: what its stages were pre-trained on."""
    return "Pocket English" if task.name in LABORATORY else "running text"


@dataclass(frozen=True)
class EncoderMaker:
    """Makes the first layer of one run.

    Pre-trained rows are cut down to the words of the task, whichever split they stand in: rows that
    no sentence asks for would cost time and change nothing. Rows that begin at random are those of
    the words in the labelled text. Features of a language model are mixed, all layers; ``beside``
    are word vectors that stand beside the mix and are tuned with the task.
    """

    task: Task
    labelled: Sequence[Example]
    vectors: WordVectors | Features | None
    mode: str
    beside: WordVectors | None = None

    def __call__(self) -> WordEncoder:
        """Return the layer; the rows that begin at random do so from the seed of the moment."""
        if isinstance(self.vectors, Features):
            tuned = None if self.beside is None else self._rows_of(self.beside, "fine-tuned")
            return ContextualEncoder(self.vectors, beside=tuned)
        if self.vectors is not None:
            return self._rows_of(self.vectors, self.mode)
        counts = Counter(spelling(word) for example in self.labelled for word in example.words)
        dimension = RECIPES[text_for(self.task)]["skip-gram"]["dimension"]
        once = [word for word, count in counts.items() if count == 1]
        return FirstLayer(counts, None, self.mode, dimension, once)

    def _rows_of(self, vectors: WordVectors, mode: str) -> FirstLayer:
        examples = [example for split in self.task.splits.values() for example in split]
        return FirstLayer({word for e in examples for word in e.words}, vectors, mode)


def coverage(task: Task, vectors: WordVectors) -> float:
    """Return the share of the test part's words that have a vector."""
    known = [spelling(word) in vectors for e in task.splits["test"] for word in e.words]
    return sum(known) / len(known)


def measure_for(task: Task) -> Callable[[Sequence[Any], Sequence[Example]], float]:
    """Return the function that scores predictions for a task; higher is better."""

    def measure(predicted: Sequence[Any], examples: Sequence[Example]) -> float:
        if task.measure == "F1":
            return span_f1(*_named_tags(task, predicted, examples))
        return score(units(task, predicted, examples))

    return measure


def units(
    task: Task, predicted: Sequence[Any], examples: Sequence[Example]
) -> dict[str, list[float]]:
    """Return a record's group: blocks of examples in order, and how right they are.

    ``score`` of it is the task's measure: accuracy (tokens: words or examples, nats: right ones),
    F1 (see `spans.f1_units`) or Spearman's rho (see `similarity.similarity_units`).
    """
    cuts = _cuts(len(examples))
    if task.measure == "F1":
        counts = count_spans(*_named_tags(task, predicted, examples))
        return f1_units([add_up(counts[cut]) for cut in cuts])
    sizes, values = _items(task, predicted, examples)
    sums = [round(float(values[cut].sum()), 4) for cut in cuts]
    return {"tokens": [int(sizes[cut].sum()) for cut in cuts], "nats": sums}


def score(group: Mapping[str, Sequence[float]]) -> float:
    """Return what a group measures: the sum of ``nats`` by that of ``tokens``."""
    return sum(group["nats"]) / sum(group["tokens"])


def _items(
    task: Task, predicted: Sequence[Any], examples: Sequence[Example]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of each example and what it adds to the sum of the measure."""
    gold = [example.label for example in examples]
    ones = np.ones(len(gold), dtype=np.int64)
    if task.kind == "score":
        if len(set(predicted)) < 2:  # no ranks to compare
            return ones, np.zeros(len(gold))
        return ones, np.array(similarity_units(predicted, gold)["nats"])
    if task.kind != "tags":
        return ones, np.array(predicted) == np.array(gold)
    hits = [np.array(p) == np.array(g) for p, g in zip(predicted, gold, strict=True)]
    return np.array([len(h) for h in hits]), np.array([h.sum() for h in hits])


def _named_tags(
    task: Task, predicted: Sequence[Any], examples: Sequence[Example]
) -> tuple[list[list[str]], list[list[str]]]:
    rows = predicted, [example.label for example in examples]
    return tuple([[task.labels[tag] for tag in tags] for tags in side] for side in rows)


def _cuts(examples: int) -> list[slice]:
    """Return at most `BLOCKS` parts of equal size, to within one example."""
    borders = np.linspace(0, examples, min(BLOCKS, examples) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(borders)]


EXPERIMENT = Experiment(
    name="scoreboard",
    title="The scoreboard",
    arms=arms,
    prepare=Board,
    run=run,
    corpora=CORPORA,
    on_gpu=always,
)
