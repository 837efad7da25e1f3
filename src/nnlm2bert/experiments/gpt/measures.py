"""What the experiment `gpt` measures of a network: held-out text, tasks, and tasks not taught.

Units of resampling are blocks of neighbouring test examples, or of neighbouring tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.experiments import scoreboard
from nnlm2bert.experiments.elmo.measures import blocks
from nnlm2bert.experiments.gpt.material import MATTHEWS, Prompt
from nnlm2bert.models.gpt import GPT
from nnlm2bert.tokenizers.fast_bpe import END_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder, TokenStream
from nnlm2bert.training.checkpoint import read_checkpoint
from nnlm2bert.transfer import Example, Task
from nnlm2bert.transfer.training_recipe import Measure
from nnlm2bert.transfer.zero_shot import choose, mean_log_likelihood

WINDOWS_AT_ONCE = 32
Group = dict[str, list[float]]


# Tasks.


def units(task: Task, predicted: Sequence[Any], examples: Sequence[Example]) -> Group:
    """Return a record's group, as `scoreboard.units`; of acceptability Matthews's correlation.

    Matthews (1975) correlates two rows of 0 and 1; their ranks are the same rows, stretched, so
    that it is their rank correlation. 0 if all answers are alike.
    """
    asked = replace(task, kind="score") if task.measure == MATTHEWS else task
    return scoreboard.units(asked, predicted, examples)


def measure_for(task: Task) -> Measure:
    """Return the function that scores predictions for a task; higher is better."""
    return lambda predicted, examples: scoreboard.score(units(task, predicted, examples))


# Held-out text.


@torch.no_grad()
def stream_costs(gpt: GPT, ids: np.ndarray) -> Tensor:
    """Return -log P (N - 1,) in nats of each token (N,) of a stream after the first.

    Read in windows of the context's length, each begun half a window after the one before and
    counted in its second half: a token is predicted from half a context at least, where there is
    one to its left.
    """
    half, stream = gpt.config.context // 2, torch.from_numpy(ids.astype(np.int64))
    nats = torch.zeros(len(stream) - 1)
    was_training = gpt.training
    gpt.eval()
    for starts in _window_starts(len(stream) - 1, half):
        rows = starts.unsqueeze(1) + torch.arange(2 * half)
        inside = rows < len(nats)
        rows = rows.clamp(max=len(nats) - 1)
        counted = inside & ((torch.arange(2 * half) >= half) | (starts.unsqueeze(1) == 0))
        place = gpt.bias.device
        costs = gpt.costs(stream[rows].to(place), stream[rows + 1].to(place)).cpu()
        nats[rows[counted]] = costs[counted]
    gpt.train(was_training)
    return nats


def _window_starts(targets: int, half: int) -> Iterator[Tensor]:
    """Yield where windows begin, (B,) at a time."""
    count = max(1, -(-(targets - half) // half))
    yield from (torch.arange(count) * half).split(WINDOWS_AT_ONCE)


def perplexity_by_word(stream: TokenStream, nats: Tensor) -> float:
    """Return e to the nats a word, as if all of the text cost what its first tokens do.

    The nats of a token times the tokens of a word, in the whole text and its marks: that does not
    depend on how words are cut up.
    """
    return math.exp(float(nats.mean()) * len(stream) / stream.words)


def in_blocks(values: Tensor) -> Group:
    """Return values (N,) as a group of blocks of neighbours."""
    owners = blocks(len(values))
    sums = np.bincount(owners, weights=values.double().numpy())
    return {
        "tokens": np.bincount(owners).tolist(),
        "nats": [round(value, 2) for value in sums.tolist()],
    }


# What was not taught.


def untaught_sentiment(
    gpt: GPT, encoder: SubwordEncoder, task: Task, prompt: Prompt, begin: int = END_ID
) -> tuple[Group, Group, float]:
    """Return how often the likelier word is right, the same by rank, and the area under the ROC.

    ``begin`` is the token that stands before each sentence.

    By rank: a small network may hold one of the words likelier everywhere; so as many sentences as
    in the training part have the second word, those for which it is likeliest beside the first.
    """
    asked, learned = (
        [example for example in task.splits[split] if example.label in prompt.classes]
        for split in ("test", "train")
    )
    sentences = [
        [word for word in example.words if word not in prompt.dropped] for example in asked
    ]
    chances = choose(gpt, encoder, sentences, prompt.words, prompt.hint, begin)  # (N, 2)
    gold = torch.tensor([example.label == prompt.classes[1] for example in asked])
    share = float(np.mean([example.label == prompt.classes[1] for example in learned]))
    leaning = chances[:, 1] - chances[:, 0]
    right = ((leaning > 0) == gold, highest(leaning, share) == gold)
    return *(in_blocks(each.float()) for each in right), area(gold, leaning)


def untaught_acceptability(
    gpt: GPT, encoder: SubwordEncoder, task: Task, begin: int = END_ID
) -> tuple[Group, float, float]:
    """Return Matthews's correlation as a group and a number, and the area under the ROC curve.

    ``begin`` is the token that stands before each sentence.

    A sentence is accepted if its mean log-probability a token is among the highest, as many as the
    training part accepts (section 5 of Radford et al. 2018 sets a threshold, too).
    """
    test = task.splits["test"]
    scores = mean_log_likelihood(gpt, encoder, [example.words for example in test], begin)
    share = float(np.mean([example.label for example in task.splits["train"]]))
    group = units(task, highest(scores, share).int().tolist(), test)
    gold = torch.tensor([example.label for example in test])
    return group, scoreboard.score(group), area(gold, scores)


def highest(scores: Tensor, share: float) -> Tensor:
    """Return which of scores (N,) are among the highest, ``share`` of all."""
    ranks = scores.argsort(stable=True).argsort(stable=True)
    return ranks >= len(scores) - round(share * len(scores))


def area(gold: Tensor, scores: Tensor) -> float:
    """Return the area under the ROC curve: how often a 1 scores above a 0."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(gold.numpy(), scores.numpy()))


# The way to a trained network.


def networks_on_the_way(untrained: GPT, kept: Mapping[int, Path]) -> Iterator[tuple[int, GPT]]:
    """Yield the step and the network: untrained, 0, then what was kept on the way.

    The network is one, whose weights change.
    """
    yield 0, untrained
    for step, path in kept.items():
        untrained.load_state_dict(read_checkpoint(path)["weights"])
        yield step, untrained


Measured = Callable[[GPT], Mapping[str, tuple[Group | None, float]]]


def on_the_way(
    networks: Iterator[tuple[int, GPT]], measure: Measured
) -> tuple[dict[str, list[float]], dict[str, Group]]:
    """Return series of what ``measure`` finds by name, "step" among them, and the groups.

    The group of network n is called after its measure and n: "zero-shot 0".
    """
    series: dict[str, list[float]] = {"step": []}
    groups: dict[str, Group] = {}
    for number, (step, gpt) in enumerate(networks):
        series["step"].append(step)
        for name, (group, value) in measure(gpt).items():
            series.setdefault(name, []).append(value)
            if group is not None:
                groups[f"{name} {number}"] = group
    return series, groups


@dataclass(frozen=True)
class Untaught:
    """What is measured of a network on the way: tasks that were not taught, and held-out text.

    ``tokens``: of each text, at most.
    """

    encoder: SubwordEncoder
    prompt: Prompt
    sentiment: Task
    acceptability: Task
    held_out: Mapping[str, TokenStream]
    tokens: int

    def __call__(self, gpt: GPT) -> dict[str, tuple[Group | None, float]]:
        """Return the group, if there is one, and the value of each measure by name."""
        likelier, by_rank, sentiment_area = untaught_sentiment(
            gpt, self.encoder, self.sentiment, self.prompt
        )
        judged, matthews, judged_area = untaught_acceptability(
            gpt, self.encoder, self.acceptability
        )
        return {
            "zero-shot": (likelier, scoreboard.score(likelier)),
            "zero-shot by rank": (by_rank, scoreboard.score(by_rank)),
            "zero-shot area": (None, sentiment_area),
            "zero-shot acceptability": (judged, matthews),
            "zero-shot acceptability area": (None, judged_area),
            **self.texts(gpt),
        }

    def texts(self, gpt: GPT) -> dict[str, tuple[Group, float]]:
        """Return nats a token as groups, and the perplexity a word, by text."""
        found = {}
        for name, stream in self.held_out.items():
            nats = stream_costs(gpt, stream.ids[: self.tokens])
            found[name] = in_blocks(nats), perplexity_by_word(stream, nats)
        return found
