"""How the arms of the experiment `bert` are measured; `bert` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nnlm2bert.experiments.bert.beginnings import Beginning
from nnlm2bert.experiments.bert.cloze import (
    PAIRS,
    by_block,
    by_pair,
    cloze,
    decided,
    decided_by_whole,
    places,
)
from nnlm2bert.experiments.bert.material import Material
from nnlm2bert.experiments.bert.measures import (
    held_out,
    in_blocks,
    perplexity,
    relation_answers,
)
from nnlm2bert.experiments.bert.own_text import (
    SelfTraining,
    self_trained,
    sentences_of,
    sentences_outside,
)
from nnlm2bert.experiments.bert.pretraining import Pieces, begun, training_task
from nnlm2bert.experiments.bert.recipes import OBJECTIVES, BERTRecipe, Objective, Stage, recipe
from nnlm2bert.experiments.gpt.pretraining import snapshots
from nnlm2bert.experiments.runner import Arm, Result
from nnlm2bert.experiments.scoreboard import (
    LABELS,
    PRETRAINING_SEED,
    EncoderMaker,
    measure_for,
    score,
    units,
)
from nnlm2bert.models.bert import BERT
from nnlm2bert.models.gpt import GPT
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training.checkpoint import read_checkpoint
from nnlm2bert.transfer import (
    BERTReader,
    ContextualEncoder,
    Example,
    FineTuning,
    HeadConfig,
    MarkedWords,
    Recipe,
    Task,
    draw,
    fine_tune,
    learn,
    predict,
    renewed,
)
from nnlm2bert.transfer.bert_inputs import Network
from nnlm2bert.transfer.training_recipe import spread

Groups = dict[str, dict[str, list[float]]]


def as_recipe(settings: Mapping[str, Any]) -> BERTRecipe:
    """Return the recipe that a record's settings are of."""
    stages = tuple(Stage(**stage) for stage in settings["stages"])
    beginning = Beginning(**settings["beginning"])
    return BERTRecipe(**{**settings, "stages": stages, "beginning": beginning})


def as_head(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a head that a record's settings are of."""
    sizes = {**settings["head"], "widths": tuple(settings["head"]["widths"])}
    return Recipe(**{**settings, "head": HeadConfig(**sizes)})


def run_recipes(
    arm: Arm,
    data: Material,
    workspace: Path,
    device: str,
    read: Callable[[Mapping[str, Any]], BERTRecipe] = as_recipe,
) -> Result:
    """Train an objective's network by each recipe, and measure it on held-out text.

    ``read``: makes a recipe of its settings in the arm.

    Figures "<recipe>, nats": a token that is to be predicted costs so much; series "<recipe>,
    losses" and ", steps" of the training. An interrupted search goes on from its checkpoints.
    """
    config = arm.config
    objective, text = Objective(**config["objective"]), config["text"]
    figures: dict[str, float] = {}
    series: dict[str, Sequence[float]] = {}
    for number, (name, settings) in enumerate(config["recipes"].items()):
        chosen = read(settings)
        steps = max(len(chosen.stages), config["tokens"] // chosen.batch_tokens)
        task = training_task(data.stream(text), objective, chosen, config["seed"], steps)
        result = task.train(workspace / f"{number}.pt", device=device)
        asked = data.held_out_pieces(text, chosen.context, config["held-out tokens"])
        found = held_out(task.network, objective, asked)
        speed = result.step * chosen.batch_tokens / result.training_seconds
        figures |= {f"{name}, nats": score(found), f"{name}, tokens a second": speed}
        series[f"{name}, steps"] = result.history.steps
        series[f"{name}, losses"] = result.history.losses
    return Result(figures=figures, series=series)


def run_way(arm: Arm, data: Material) -> Result:
    """Measure a network, and what it was on the way, on held-out text.

    Series "step" and "nats", the untrained network first; group "held-out" of the last. Of BERT
    with a second task the share right of both kinds of pairs, "next" and "order", too: one of them
    it was never asked for.
    """
    name = arm.config["objective"]
    trained, objective = data.pretrained(name), OBJECTIVES[name]
    texts = data.held_out_pieces(data.text, trained.network.config.context, arm.config["tokens"])
    kept = {0: None, **snapshots(data.place(name, data.text))}
    series: dict[str, list[float]] = {"step": list(kept), "nats": []}
    network = untrained(data, name)
    for path in kept.values():
        if path is not None:
            network.load_state_dict(read_checkpoint(path)["weights"])
        measured = measure_way(network, objective, texts)
        for what, group in measured.items():
            series.setdefault("nats" if what == "held-out" else what, []).append(score(group))
    last = measure_way(trained.network, objective, texts)
    figures = {
        "perplexity": perplexity(last["held-out"]),
        **{f"{what}, share right": score(last[what]) for what in last if what != "held-out"},
        "tokens a second, training": trained.tokens_per_second,
        "parameters": sum(p.numel() for p in trained.network.parameters()),
    }
    series |= {"training steps": list(trained.steps), "losses": list(trained.losses)}
    return Result(figures=figures, series=series, groups=last)


def untrained(data: Material, name: str) -> Network:
    """Return the network of an objective as its training began."""
    chosen = recipe(name, data.text, data.scale)
    return begun(data.stream(data.text), OBJECTIVES[name], chosen, PRETRAINING_SEED)


def measure_way(
    network: Network, objective: Objective, texts: Sequence[Pieces]
) -> dict[str, dict[str, list[float]]]:
    """Return the group "held-out", and of BERT with a second task "next" and "order"."""
    found = {"held-out": held_out(network, objective, texts)}
    if objective.pairs == "following" or not isinstance(network, BERT):
        return found
    return found | {
        pairs: relation_answers(network, in_blocks(texts, pairs)) for pairs in ("next", "order")
    }


def run_cloze(arm: Arm, data: Material) -> Result:
    """Ask for words left out of held-out text.

    Groups "cloze" (nats) and "cloze right" of a word anywhere in each piece; "right" and "left": of
    two words the one that stood there was preferred, by the side that decides, and for a network
    from the left ", whole": by reading on to the end.
    """
    network = data.pretrained(arm.config["objective"]).network
    texts = data.held_out_pieces(data.text, network.config.context, arm.config["tokens"])
    frequencies = data.frequencies()
    nats, right = cloze(network, frequencies, texts)
    groups: Groups = {"cloze": nats, "cloze right": right}
    figures = {"cloze, nats": score(nats), "cloze, share right": score(right)}
    for side in PAIRS:
        asked = places(texts, data.pairs(side))
        found = {side: decided(network, frequencies, asked)}
        if isinstance(network, GPT):
            found[f"{side}, whole"] = decided_by_whole(network, frequencies, asked)
        for name, answers in found.items():
            groups[name] = by_block(answers)
            figures[f"{name}, share right"] = score(groups[name])
            pairs = by_pair(answers, asked)
            figures |= {f"{name}: {pair}": share for pair, share in pairs.items()}
    return Result(figures=figures, groups=groups)


def run_task(arm: Arm, seed: int, data: Material, device: str) -> Result:
    """Learn a task from each number of labels, the draws nested, and measure the test part."""
    task, way = data.task(arm.config["task"]), arm.config["way"]

    def learned(labelled: Sequence[Example], settings: Mapping[str, Any]) -> nn.Module:
        if way == "frozen":
            return headed(arm, task, labelled, as_head(settings), seed, data, device)
        trained = data.pretrained(arm.config["objective"])
        start = Start(trained.network, SubwordEncoder(trained.tokenizer), way == "scratch")
        return tuned(start, task, labelled, FineTuning(**settings), seed, device)

    return by_labels(arm, task, seed, data.scale, learned)


def by_labels(
    arm: Arm,
    task: Task,
    seed: int,
    scale: str,
    learned: Callable[[Sequence[Example], Mapping[str, Any]], nn.Module],
) -> Result:
    """Measure what was learned from each number of labels on the test part."""
    figures: dict[str, float] = {}
    groups: Groups = {}
    for labels, settings in arm.config["recipes"].items():
        labelled = draw(task, LABELS[scale][labels], seed)
        model, test = learned(labelled, settings), task.splits["test"]
        groups[labels] = units(task, predict(model, task, test), test)
        figures[f"{labels} {task.measure}"] = score(groups[labels])
        if isinstance(getattr(model, "encoder", None), ContextualEncoder):
            weights = model.encoder.learned()
            figures |= {f"{labels} {name}": value for name, value in weights.items()}
        figures[f"{labels} examples"] = len(labelled)
    return Result(figures=figures, groups=groups)


def headed(
    arm: Arm,
    task: Task,
    labelled: Sequence[Example],
    how: Recipe,
    seed: int,
    data: Material,
    device: str,
) -> nn.Module:
    """Return a head of the scoreboard on what a frozen network says of words."""
    features = data.features(arm.config["objective"], task, arm.config.get("layers", ()))
    make = EncoderMaker(task, labelled, features, "frozen")
    return learn(task, make, labelled, how, measure_for(task), seed, device)[0]


@dataclass(frozen=True, eq=False)
class Start:
    """What a task begins with: a network, how words are cut, and whether nothing is copied."""

    network: Network
    tokens: SubwordEncoder | MarkedWords
    scratch: bool = False


def tuned(
    start: Start,
    task: Task,
    labelled: Sequence[Example],
    how: FineTuning,
    seed: int,
    device: str,
) -> BERTReader:
    """Return a network that learned a task, all of its layers and a linear one."""

    def make() -> BERTReader:
        network = renewed(start.network, start.scratch, how.dropout, how.spread)
        return BERTReader(network, start.tokens, task, how.dropout)

    return fine_tune(task, make, labelled, how, measure_for(task), seed, device)[0]


def run_self(arm: Arm, seed: int, data: Material, workspace: Path, device: str) -> Result:
    """Pre-train a BERT on a task's own text or on as much from outside, then learn the task."""
    config, stream = arm.config, data.stream(data.text)
    task, encoder = data.task(config["task"]), SubwordEncoder(stream.tokenizer)
    own = sentences_of(task, encoder)
    text = own if config["text"] == "own" else sentences_outside(stream, len(own), seed)
    how = SelfTraining(config["steps"], config["batch_tokens"])
    checkpoint = workspace / "network.pt"
    network = self_trained(text, as_recipe(config["recipe"]), how, seed, checkpoint, device)
    start = Start(network, encoder)

    def learned(labelled: Sequence[Example], settings: Mapping[str, Any]) -> nn.Module:
        return tuned(start, task, labelled, FineTuning(**settings), seed, device)

    found = by_labels(arm, task, seed, data.scale, learned)
    figures = {**found.figures, "tokens read": len(text)}
    return Result(figures=figures, groups=found.groups)


def run_rates(arm: Arm, data: Material, device: str) -> Result:
    """Score each network's tried rates on the validation part; nothing of the test part is seen."""
    task, seed = data.task(arm.config["task"]), arm.config["seed"]
    labelled = draw(task, LABELS[data.scale][arm.config["labels"]], seed)
    validation = spread(task.splits["validation"], FineTuning(1).validation)
    figures = {}
    for name, recipes in arm.config["recipes"].items():
        trained = data.pretrained("masked" if name == "scratch" else name)
        start = Start(trained.network, SubwordEncoder(trained.tokenizer), name == "scratch")
        for number, settings in enumerate(recipes):
            reader = tuned(start, task, labelled, FineTuning(**settings), seed, device)
            found = measure_for(task)(predict(reader, task, validation), validation)
            figures[f"{name} {number}"] = found
    return Result(figures=figures)
