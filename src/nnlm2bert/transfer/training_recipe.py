"""Training a head, and the encoder below it if it is not frozen, on the labels of one task.

One recipe for all stages: the same steps, learning rate and dropout for each number of labels, and
the weights that were best on the validation part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    adamw,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.transfer.first_layer import WordEncoder
from nnlm2bert.transfer.heads import HeadConfig, build_model, loss
from nnlm2bert.transfer.tasks import Example, Task

Measure = Callable[[Sequence[Any], Sequence[Example]], float]
"""From predictions and the examples they are for to a score; higher is better."""
POOL = 20
"""Batches whose examples are sorted by length together."""


@dataclass(frozen=True)
class Recipe:
    """How a task is learned.

    steps: updates; evaluations: how often the validation part is measured on the way, on at most
    `validation` of its examples, evenly spread; encoder_rate: what the learning rate of the encoder
    is multiplied by, for encoders that break at the rate of a fresh head.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = 5e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    evaluations: int = 8
    validation: int = 500
    encoder_rate: float = 1.0
    head: HeadConfig = field(default_factory=HeadConfig)
    precision: ClassVar[str] = "float32"


class LearningSettings(Protocol):
    """What all ways of learning from examples are told, as `Recipe` says."""

    steps: int
    batch_size: int
    learning_rate: float
    encoder_rate: float
    warmup: float
    weight_decay: float
    evaluations: int
    precision: str


class SimilarLengths:
    """Batches of numbers of examples (B,), of about one length each, so that little is padding.

    Each epoch is shuffled, cut into pools of 20 batches, and each pool sorted by length; its
    batches then come in another order. Depends on (seed, epoch) alone. The last examples of a pool
    make a smaller batch, so that none is left out.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = torch.tensor(lengths)
        self.batch_size, self.seed = batch_size, seed
        self._epoch, self._batches = -1, ()

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        return -(-len(self.lengths) // self.batch_size)

    def batch(self, step: int) -> Tensor:
        """Return the numbers of the examples of update `step`."""
        epoch, position = divmod(step, len(self))
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._order(epoch)
        return self._batches[position]

    def _order(self, epoch: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "epoch", epoch))
        shuffled = torch.randperm(len(self.lengths), generator=generator)
        pools = shuffled.split(POOL * self.batch_size)
        ordered = (pool[self.lengths[pool].argsort(stable=True)] for pool in pools)
        batches = [batch for pool in ordered for batch in pool.split(self.batch_size)]
        return tuple(batches[i] for i in torch.randperm(len(batches), generator=generator).tolist())


def learn(
    task: Task,
    make_encoder: Callable[[], WordEncoder],
    labelled: Sequence[Example],
    recipe: Recipe,
    measure: Measure,
    seed: int,
    device: str = "cpu",
    make_output_encoder: Callable[[], WordEncoder] | None = None,
) -> tuple[nn.Module, TrainingResult]:
    """Return the network that learned from the labelled examples, and how it went.

    `make_encoder` builds the encoder after the seed is set, `make_output_encoder` the one at the
    output, if there is to be one (`build_model`). The weights are those that `measure` found best
    on the validation part. What an encoder returns from `penalty()`, if it has that, is added to
    the loss in training.
    """
    seed_everything(derived_seed("head", seed) % 2**32)
    encoder = make_encoder()
    above = make_output_encoder() if make_output_encoder else None
    model = build_model(task, encoder, recipe.head, above)
    validation = spread(task.splits["validation"], recipe.validation)

    def batch_loss(network: nn.Module, batch: Tensor) -> tuple[Tensor, int]:
        examples = [labelled[number] for number in batch.tolist()]
        mean, terms = loss(task, network(examples), examples)
        return sum(_penalties(network), start=mean), terms

    lengths = [len(example.words) for example in labelled]
    scored = partial(_score, task, validation, measure)
    return model, train_to_best(model, batch_loss, lengths, recipe, scored, seed, device)


def train_to_best(
    model: nn.Module,
    batch_loss: Callable[[Any, Tensor], tuple[Tensor, int]],
    lengths: Sequence[int],
    recipe: LearningSettings,
    score: Callable[[Any], float],
    seed: int,
    device: str = "cpu",
) -> TrainingResult:
    """Train a network on examples of these lengths; it ends with the weights of the best score.

    ``batch_loss`` takes the network and the numbers of some examples (B,) and returns the mean loss
    and of how many terms it is the mean; ``score`` is of the validation part, higher is better.
    """
    batch_size = min(recipe.batch_size, len(lengths))
    config = TrainingConfig(
        steps=recipe.steps,
        batch_size=batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=int(recipe.warmup * recipe.steps),
        decay="linear",
        weight_decay=recipe.weight_decay,
        evaluate_every=max(1, recipe.steps // recipe.evaluations),
        keep_best="error",
        precision=recipe.precision,
        seed=seed,
    )
    return train(
        model,
        batch_loss,
        SimilarLengths(lengths, batch_size, seed),
        config,
        evaluate=lambda net: {"error": -score(net)},
        device=device,
        optimizer=lambda net, config: encoder_optimizer(net, config, recipe.encoder_rate),
        progress=False,
    )


def _score(task: Task, validation: Sequence[Example], measure: Measure, model: nn.Module) -> float:
    return measure(predict(model, task, validation), validation)


@torch.no_grad()
def predict(model: nn.Module, task: Task, examples: Sequence[Example], batch: int = 64) -> list:
    """Return what the network says of each example: a class, a tuple of tags, or a score."""
    was_training = model.training
    model.eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].words))
    answers: list[Any] = [None] * len(examples)
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch]
        chosen = [examples[i] for i in numbers]
        for i, answer in zip(numbers, _answers(task, model(chosen), chosen), strict=True):
            answers[i] = answer
    model.train(was_training)
    return answers


def spread(examples: Sequence[Example], count: int) -> list[Example]:
    """Return at most `count` examples, evenly spread over all."""
    kept = min(count, len(examples))
    return [examples[i * len(examples) // kept] for i in range(kept)]


def _penalties(network: nn.Module) -> list[Tensor]:
    """What the encoders ask to be added to the loss; none for most."""
    return [part.penalty() for part in network.modules() if hasattr(part, "penalty")]


def _answers(task: Task, outputs: Tensor, examples: Sequence[Example]) -> list[Any]:
    if task.kind == "score":
        return outputs.squeeze(1).tolist()
    classes = outputs.argmax(dim=-1).tolist()
    if task.kind != "tags":
        return classes
    rows = zip(classes, examples, strict=True)
    return [tuple(row[: len(example.sentences[0])]) for row, example in rows]


def encoder_optimizer(
    model: nn.Module, config: TrainingConfig, encoder_rate: float
) -> torch.optim.Optimizer:
    """Return AdamW, in which the encoders of a network learn at a rate of their own."""
    optimizer = adamw(model, config)
    for encoder in (model.encoder, getattr(model, "output_encoder", None)):
        if encoder is not None:
            at_own_rate(optimizer, encoder.parameters(), encoder_rate)
    return optimizer


def at_own_rate(
    optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], factor: float
) -> None:
    """Let some of an optimiser's parameters learn at `factor` times the rate of the others."""
    chosen = {id(parameter) for parameter in parameters}
    for group in list(optimizer.param_groups):
        own = [p for p in group["params"] if id(p) in chosen]
        if own and factor != 1.0:
            group["params"] = [p for p in group["params"] if id(p) not in chosen]
            settings = {name: value for name, value in group.items() if name != "params"}
            optimizer.add_param_group({**settings, "params": own, "rate_factor": factor})
