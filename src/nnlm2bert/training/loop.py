"""One training loop for every model of the book.

A run's result depends on the model's weights, the batches, the config and the number of processes,
and not on random numbers drawn before; those of the caller go on undisturbed. Resumed from its
checkpoint on the same machine and number of threads, an interrupted run ends with the very weights
of one that never was.

Under torchrun each process takes its share of every batch and gradients are averaged before each
step, so that the weights are those of one process up to rounding (dropout apart, which each draws
for itself; and batch normalisation, which sees its process's share alone).

A loss that is no finite number is found at once on a CPU; elsewhere when the loss is next recorded,
measured or saved, so as not to wait for the device at each step.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.training.batches import Batches, size
from nnlm2bert.training.checkpoint import (
    check_same_run,
    plain_config,
    read_checkpoint,
    shapes,
    write_checkpoint,
)
from nnlm2bert.training.config import TrainingConfig
from nnlm2bert.training.devices import Processes, choose_device, resolve_precision
from nnlm2bert.training.gradient import Backward, LossFunction
from nnlm2bert.training.history import TrainingResult
from nnlm2bert.training.optimiser import adamw
from nnlm2bert.training.progress import progress_bar
from nnlm2bert.training.randomness import (
    derived_seed,
    isolated_randomness,
    random_state,
    restore_random_state,
)

Evaluation = Callable[[nn.Module], dict[str, float]]
MakeOptimizer = Callable[[nn.Module, TrainingConfig], torch.optim.Optimizer]


class TrainingDiverged(UserError):
    """The loss or its gradient stopped being a finite number."""


def train(
    model: nn.Module,
    loss_function: LossFunction,
    batches: Batches,
    config: TrainingConfig,
    *,
    evaluate: Evaluation | None = None,
    checkpoint: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    optimizer: MakeOptimizer = adamw,
    progress: bool | None = None,
) -> TrainingResult:
    """Train ``model`` in place and return what happened; the model comes back in eval mode.

    ``loss_function(model, batch)`` returns the mean loss () of a batch, or a pair of it and the
    number of terms it is the mean of, which is needed where that is not the number of examples
    (masked words, padding): parts of a batch are then weighted rightly.

    ``evaluate(model)`` returns named measures; it runs without gradients, in eval mode, in float32
    and with random numbers of its own, so that measuring does not change the training.

    ``checkpoint`` names a file, written every ``config.checkpoint_every`` steps and at the end. If
    it exists the run resumes from it; a run that was complete is not repeated.

    ``device``: where to train ("cpu", "cuda", ...); None: where the model lies.
    ``optimizer(model, config)`` builds another optimiser; a parameter group may have a
    ``rate_factor`` by which its learning rate differs from the schedule's.
    ``progress``: whether to show a bar; None: yes, unless TQDM_DISABLE or CI is set.

    Raises TrainingDiverged when the loss is no finite number, and UserError for a checkpoint that
    is damaged or of another run.
    """
    place = _place(model, device)
    processes = Processes.join(place)
    model.to(place)
    seed = derived_seed(config.seed, "process", processes.rank)
    with isolated_randomness(seed, place):
        run = _Run(model, loss_function, batches, config, evaluate, checkpoint, place, processes)
        run.prepare(optimizer)
        run.resume()
        run.train(progress)
    return run.result


def _place(model: nn.Module, device: str | torch.device | None) -> torch.device:
    if device is None:
        return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return choose_device(str(device))


def _reads_at_once(device: torch.device) -> bool:
    """Whether to look at every step's loss: elsewhere than on a CPU each look waits."""
    return device.type == "cpu"


def _fetch(scalars: list[torch.Tensor]) -> list[float]:
    """Empty a list of scalars on a device and return their values, waiting for it once."""
    values = torch.stack(scalars).tolist() if scalars else []
    scalars.clear()
    return values


class _Run:
    """One call of :func:`train`: its parts, and its state between two steps."""

    def __init__(
        self,
        model: nn.Module,
        loss_function: LossFunction,
        batches: Batches,
        config: TrainingConfig,
        evaluate: Evaluation | None,
        checkpoint: str | os.PathLike | None,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.model, self.loss_function, self.batches = model, loss_function, batches
        self.config, self.evaluate = config, evaluate
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.device, self.processes = device, processes
        self.precision = resolve_precision(config.precision, device)
        self.result = TrainingResult(
            precision=self.precision, device=device.type, processes=processes.count
        )
        self.unread: list[torch.Tensor] = []  # losses still on the device
        self.unread_norms: list[torch.Tensor] = []  # and norms of gradients
        self.read = 0  # steps of which both were fetched
        self.losses: list[float] = []  # losses since the last recorded mean
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.complete = False
        self.same: dict[str, dict[str, Any]] = {}

    def prepare(self, make_optimizer: MakeOptimizer) -> None:
        """Check that the parts fit together; make the optimiser; start from equal weights."""
        batch_size = getattr(self.batches, "batch_size", self.config.batch_size)
        if batch_size != self.config.batch_size:
            raise UserError(
                f"The batches have {batch_size} examples, the config says batch_size="
                f"{self.config.batch_size}: build the batches with config.batch_size."
            )
        if self.evaluate is None and self.config.keep_best is not None:
            raise UserError("keep_best needs evaluate=, a function that returns that measure.")
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise UserError("The model has nothing to train: no parameter requires a gradient.")
        self.optimizer = make_optimizer(self.model, self.config)
        self.processes.copy_from_first(self.model)
        self.backward = Backward(
            self.model,
            self.loss_function,
            self.parameters,
            self.processes,
            self.device,
            self.precision,
            self.config.accumulate,
        )

    # ---- the loop ----

    def train(self, progress: bool | None) -> None:
        """Run the steps that are left, then hand over the weights that were asked for."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        shown = progress_bar(self.config.steps, self.result.step, progress, self.processes.first)
        with shown as bar:
            while not self.complete:
                self.advance()
                bar.update(1)
                if self.result.history.losses and not self.losses:
                    bar.set_postfix(loss=f"{self.result.history.losses[-1]:.3f}", refresh=False)
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)
        self.processes.copy_from_first(self.model)
        self.model.eval()

    def advance(self) -> None:
        """Make one step and whatever is due after it."""
        begin = time.perf_counter()
        self.update(self.result.step)
        self.result.step += 1
        last = self.result.step == self.config.steps
        measure = self.evaluate is not None and (last or self.due(self.config.evaluate_every))
        save = self.checkpoint is not None and (last or self.due(self.config.checkpoint_every))
        record = last or self.due(self.config.interval)
        if record or measure or save:
            self.read_losses()
        if record:
            self.record_loss()
        trained = time.perf_counter()
        if measure:
            self.measure()
        self.complete = last or self.result.stopped_early
        if self.complete and self.losses:
            self.record_loss()
        self.result.training_seconds += trained - begin
        self.result.seconds += time.perf_counter() - begin
        if save or (self.checkpoint is not None and self.complete):
            self.save()

    def due(self, every: int | None) -> bool:
        """Whether something that happens ``every`` so many steps happens now."""
        return every is not None and self.result.step % every == 0

    def update(self, step: int) -> None:
        """Make update ``step`` (from 0) of the weights."""
        rate = self.config.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate_factor", 1.0)
        batch = self.batches.batch(step)
        self.result.examples += size(batch)
        self.unread.append(self.backward(batch))
        if self.config.clip is not None:
            self.unread_norms.append(
                nn.utils.clip_grad_norm_(self.parameters, self.config.clip).detach()
            )
        if _reads_at_once(self.device):
            self.read_losses()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    # ---- what is seen on the way ----

    def read_losses(self) -> None:
        """Fetch losses and norms from the device; stop if one is no finite number."""
        losses = _fetch(self.unread)
        norms = _fetch(self.unread_norms) or [0.0] * len(losses)
        for loss, norm in zip(losses, norms, strict=True):
            if not math.isfinite(loss):
                raise self.diverged("the loss", loss, self.read)
            self.losses.append(loss)
            if not math.isfinite(norm):
                raise self.diverged("the norm of the gradient", norm, self.read)
            self.read += 1

    def record_loss(self) -> None:
        """Write the mean loss since the last record into the history."""
        history, step = self.result.history, self.result.step
        history.steps.append(step)
        history.losses.append(math.fsum(self.losses) / len(self.losses))
        history.learning_rates.append(self.config.learning_rate_at(step - 1))
        self.losses.clear()

    def measure(self) -> None:
        """Evaluate the model as it is; keep its weights if they are the best so far."""
        self.model.eval()
        measures = None
        if self.processes.first:
            seed = derived_seed(self.config.seed, "evaluate")
            with isolated_randomness(seed, self.device), torch.no_grad():
                measures = {name: float(value) for name, value in self.evaluate(self.model).items()}
        measures = self.processes.share(measures)
        self.model.train()
        history = self.result.history
        if history.evaluated and set(measures) != set(history.measures):
            raise UserError(
                f"evaluate returned {sorted(measures)} now and {sorted(history.measures)} before: "
                "let it return the same measures each time."
            )
        history.evaluated.append(self.result.step)
        for name, value in measures.items():
            history.measures.setdefault(name, []).append(value)
        if self.config.keep_best is not None:
            self.compare(measures)

    def compare(self, measures: dict[str, float]) -> None:
        """Keep the weights if the watched measure is lower than ever; else count its patience."""
        name, result = self.config.keep_best, self.result
        if name not in measures:
            raise UserError(f"keep_best is {name!r}; evaluate returns {sorted(measures)}.")
        if measures[name] < (math.inf if result.best is None else result.best):
            result.best, result.best_step = measures[name], result.step
            self.best_weights = {
                key: tensor.detach().clone() for key, tensor in self.model.state_dict().items()
            }
            return
        vain = sum(step > (result.best_step or 0) for step in result.history.evaluated)
        patience = self.config.patience
        result.stopped_early = patience is not None and vain >= patience

    def diverged(self, what: str, value: float, step: int) -> TrainingDiverged:
        """Return the error for a ``value`` that is no finite number at update ``step``."""
        known = self.losses[-1:] or self.result.history.losses[-1:]
        last = f"{known[0]:.4g}" if known else "none"
        again = f" Delete {self.checkpoint} before you do." if self.checkpoint else ""
        return TrainingDiverged(
            f"Training diverged: at step {step + 1} of {self.config.steps} {what} is {value} "
            f"(last finite loss: {last}; learning rate: {self.config.learning_rate_at(step):.3g}; "
            f"precision: {self.precision}). Start again with a lower learning_rate, more "
            "warmup_steps, a smaller clip or precision='float32'; if it happens at the same step "
            f"again, look at batches.batch({step}).{again}"
        )

    # ---- checkpoints ----

    def identity(self) -> dict[str, dict[str, Any]]:
        """Return what must be equal for a checkpoint to be of this run."""
        describe = getattr(self.batches, "identity", dict)
        return {
            "config": plain_config(self.config),
            "model": shapes(self.model),
            "batches": {"length": len(self.batches), **describe()},
            "run": {
                "precision": self.precision,
                "processes": self.processes.count,
                "optimizer": type(self.optimizer).__name__,
            },
        }

    def save(self) -> None:
        """Write everything that the next step depends on; one process does it for all."""
        random = self.processes.collect(random_state(self.device))
        if self.processes.first:
            state = {
                "identity": self.same,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "random": random,
                "result": self.result.as_dict(),
                "losses": self.losses,
                "best_weights": self.best_weights,
                "complete": self.complete,
            }
            write_checkpoint(self.checkpoint, state)

    def resume(self) -> None:
        """Go back to where the checkpoint stands, if there is one."""
        if self.checkpoint is None:
            return
        self.same = self.identity()
        if not self.processes.share(self.checkpoint.exists()):
            return
        state = read_checkpoint(self.checkpoint)
        check_same_run(self.checkpoint, state["identity"], self.same)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        restore_random_state(state["random"][self.processes.rank], self.device)
        self.result = TrainingResult.from_dict(state["result"])
        self.result.device = self.device.type
        self.losses, self.read = state["losses"], self.result.step
        self.best_weights, self.complete = state["best_weights"], state["complete"]
