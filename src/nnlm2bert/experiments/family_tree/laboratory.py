"""The factorial in Pocket English, where the exact limits are known, and the walks through it.

{LSTM, attention} x {left-to-right, two one-way, masked} x {frozen, tuned}: an arm is a network, a
seed another training of it with all that follows. Arms "rates-..." try the same few learning rates
for each of the six networks, then the same few for tuning them, on texts and validation parts that
nothing else is measured on. Beside them the stops of the walks (`cells.WALKS`): BERT with its
second task, and what stands between CBOW and a masked language model. "windows" has no network: it
is what a window is worth, exactly.

CPU minutes of one core at scale ``laptop``: a network and seed 4, two one-way networks of attention
and four layers 6, a bag 3; "rates-..." 2 to 4, "windows" 3. All of it, with 5 seeds of 12 networks,
about 4 hours and a half.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.bert.laboratory_measures import Asked, limit_of
from nnlm2bert.experiments.bert.laboratory_networks import LaboratoryText
from nnlm2bert.experiments.elmo.laboratory import READ_OUT
from nnlm2bert.experiments.family_tree.cells import NETWORKS
from nnlm2bert.experiments.family_tree.laboratory_measures import (
    WINDOWS,
    heading,
    measure_language,
    measure_tasks,
    measure_windows,
    tuning,
    validation_score,
)
from nnlm2bert.experiments.family_tree.laboratory_networks import (
    DESIGNS,
    LIKE,
    TRIED_RATES,
    TRIED_STEPS,
    TRIED_TUNING,
    TUNING,
    known,
    recipe,
    recipe_of,
    settings,
    trained,
)
from nnlm2bert.experiments.runner import Arm, Experiment, OfKinds, Result
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, score
from nnlm2bert.models.other_blocks import parameters
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.transfer import load_task

WINDOWS_ARM = "windows"
RATES_SEED = 100
"""Of the arms "rates-..."; no other arm has it."""
TRIED_ON = "laboratory word-sense"
"""The task that rates of tuning are tried on."""


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale: rates, the factorial, then the other networks."""
    return (
        *(rates_arm(name, scale) for name in NETWORKS),
        *(Arm(name, network_settings(name, scale)) for name in DESIGNS),
        windows_arm(scale),
    )


def network_settings(name: str, scale: str) -> dict[str, Any]:
    """Return all that is done to a network, and what it depends on, but the seed."""
    updates, sizes = recipe(scale).updates, LABORATORY_SIZES[scale]
    tasks = {"head": heading(updates), "tuning": tuning(updates, TUNING.get(name, TUNING[LIKE]))}
    return {
        "kind": "network",
        **settings(name, scale),
        "laboratory": sizes,
        **{way: asdict(how) for way, how in tasks.items()},
    }


def rates_arm(name: str, scale: str) -> Arm:
    """The rates that a network tries: of its training, then of tuning what went best."""
    own = {
        "kind": "rates",
        "network": settings(name, scale),
        "seed": RATES_SEED,
        "steps": TRIED_STEPS[known(scale)],
        "rates": TRIED_RATES[known(scale)],
        "task": TRIED_ON,
        "tuning": TRIED_TUNING[known(scale)],
    }
    own["network"]["recipe"] |= {"learning_rate": None, "steps": None}
    return Arm(f"rates-{name}", own, seeds=False)


def windows_arm(scale: str) -> Arm:
    """What a window is worth, exactly: nothing is learned."""
    chosen = recipe(scale)
    own = {"kind": "windows", "windows": WINDOWS, "test": chosen.test, "singles": chosen.singles}
    return Arm(WINDOWS_ARM, own, seeds=False)


def run(arm: Arm, seed: int, data: str, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm; ``data`` is the scale."""
    kind = arm.config["kind"]
    if kind == "windows":
        groups = measure_windows(recipe(data), arm.config["windows"])
        return Result(figures={name: score(group) for name, group in groups.items()}, groups=groups)
    if kind == "rates":
        return run_rates(arm, data, device)
    return run_network(arm, data, seed, device)


def run_network(arm: Arm, scale: str, seed: int, device: str) -> Result:
    """Train a network, then measure its language and what it brings to tasks."""
    chosen = recipe_of(arm.name, scale)
    found = trained(arm.name, scale, seed, chosen)
    rate = arm.config["tuning"]["encoder_rate"]
    groups = measure_language(found.network, chosen)
    groups |= measure_tasks(found.network, chosen, rate, scale, seed, device)
    speed = chosen.steps * chosen.batch / found.result.training_seconds
    return Result(
        figures={
            **{name: score(group) for name, group in groups.items()},
            "parameters": float(parameters(found.network)),
            "tokens a second, training": speed,
        },
        series={"steps": found.result.history.steps, "losses": found.result.history.losses},
        groups=groups,
    )


def run_rates(arm: Arm, scale: str, device: str) -> Result:
    """Train a network at each rate, then tune the best of them at each rate of tuning.

    Figures "rate r": how far above its limit it ends, as a share of it, on words hidden one at a
    time in a text of their own; "tuning r": right answers on the validation part of a task.
    """
    name, own = arm.name.removeprefix("rates-"), arm.config
    chosen = replace(recipe_of(name, scale), steps=own["steps"])
    text = LaboratoryText.of(PocketEnglish(), chosen.test, READ_OUT)
    words, figures, networks = Asked.of(text, chosen.singles), {}, {}
    for rate in own["rates"]:
        found = trained(name, scale, own["seed"], replace(chosen, learning_rate=rate))
        costs = words.costs(found.network)
        figures[f"rate {rate:g}"] = costs.above("network", f"limit of {limit_of(found.objective)}")
        networks[rate] = found.network
    best = networks[min(own["rates"], key=lambda rate: figures[f"rate {rate:g}"])]
    task = load_task(own["task"], LABORATORY_SIZES[scale])
    for rate in own["tuning"]:
        right = validation_score(best, task, chosen, rate, own["seed"], device)
        figures[f"tuning {rate:g}"] = right
    return Result(figures=figures)


EXPERIMENT = Experiment(
    name="family_tree_laboratory",
    title="The family tree in Pocket English",
    arms=arms,
    prepare=str,
    run=run,
    on_gpu=OfKinds(("network", "rates")),
)
