"""A small training run, for tests: imported by them and started by them as processes of its own.

``python programme.py kill CHECKPOINT STEP`` stands still in a step until it is killed;
``python programme.py torchrun FOLDER`` runs under torchrun and leaves weights in FOLDER.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from nnlm2bert.training import ShuffledBatches, TrainingConfig, train

CONFIG = TrainingConfig(
    steps=24,
    batch_size=7,
    learning_rate=0.01,
    warmup_steps=4,
    evaluate_every=5,
    keep_best="random",
    checkpoint_every=5,
    log_every=3,
    seed=5,
)


class Net(nn.Module):
    """A bag of words with an unused and a frozen layer."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(8)
        self.output = nn.Linear(8, 5)
        self.unused = nn.Linear(3, 3)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 5) for words (B, 4)."""
        return self.output(self.dropout(self.norm(self.frozen(self.embedding(words).mean(1)))))


def net(dropout: float = 0.3) -> Net:
    """Return the same net each time."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Net(dropout)


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return words (100, 4) and labels (100), of which -100 does not count."""
    generator = torch.Generator().manual_seed(2)
    words = torch.randint(30, (100, 4), generator=generator)
    labels = words.sum(1) % 5
    labels[torch.rand(100, generator=generator) < 0.3] = -100
    return words, labels


def batches(config: TrainingConfig = CONFIG) -> ShuffledBatches:
    """Return the data in the order of ``config``."""
    return ShuffledBatches(data(), config.batch_size, seed=config.seed)


def masked_loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, int]:
    """Return the mean loss over the labels that count, and how many they are."""
    words, labels = batch
    count = (labels != -100).sum()
    total = nn.functional.cross_entropy(model(words), labels, reduction="sum")
    return total / count.clamp(min=1), count


def evaluate(model: nn.Module) -> dict[str, float]:
    """Return a measure that draws random numbers."""
    words = data()[0].to(model.output.weight.device)
    return {"random": float(model(words).mean()) * float(torch.rand(())), "mode": model.training}


class Stop(Exception):
    """What a run was interrupted by."""


def interrupted(at: int):
    """Return the loss function, failing at call ``at``."""
    calls = iter(range(at))

    def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, int]:
        if next(calls, None) is None:
            raise Stop
        return masked_loss(model, batch)

    return loss


def stand_still(checkpoint: str, step: int) -> None:
    """Train until ``step``, report it and wait there."""
    try:
        train(net(), interrupted(step), batches(), CONFIG, evaluate=evaluate, checkpoint=checkpoint)
    except Stop:
        print("waiting", flush=True)
        time.sleep(600)


def in_two_processes(folder: Path) -> None:
    """Train without dropout; with it; and with it again, interrupted and resumed."""
    plain = net(dropout=0.0)
    config = replace(CONFIG, evaluate_every=None, keep_best=None)
    seeds = set()

    def observed(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, int]:
        seeds.add(torch.initial_seed())
        return masked_loss(model, batch)

    train(plain, observed, batches(), config)
    whole, resumed, checkpoint = net(), net(), folder / "run.pt"
    result = train(whole, masked_loss, batches(), CONFIG, evaluate=evaluate)
    try:
        train(resumed, interrupted(13), batches(), CONFIG, evaluate=evaluate, checkpoint=checkpoint)
    except Stop:
        resumed = net()
    train(resumed, masked_loss, batches(), CONFIG, evaluate=evaluate, checkpoint=checkpoint)
    rank = torch.distributed.get_rank()
    states = [model.state_dict() for model in (plain, whole, resumed)]
    torch.save([*states, result.as_dict(), seeds.pop()], folder / f"rank-{rank}.pt")


if __name__ == "__main__":
    if sys.argv[1] == "kill":
        stand_still(sys.argv[2], int(sys.argv[3]))
    else:
        in_two_processes(Path(sys.argv[2]))
