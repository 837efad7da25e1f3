"""BERT in Pocket English, where the exact limits are known: what restoring hidden words teaches.

Arms are networks of about one size, which read the same documents (`laboratory_networks`); a
seed is another training of each. "masked" is also trained by other rows of table 8 of Devlin et al.
(2018): the share of chosen words that is hidden, put at random, and left as it is. Arms "recipes"
try how to train, the same recipes for each kind of network, and measure on a text of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.bert.beginnings import HELPED, PLAIN
from nnlm2bert.experiments.bert.laboratory_measures import (
    Asked,
    limit_of,
    measure_hidden,
    measure_pairs,
    measure_senses,
    measure_way,
    measure_words,
)
from nnlm2bert.experiments.bert.laboratory_networks import (
    MASKED,
    OBJECTIVES,
    PAIRS,
    SHORT_FIRST,
    WHOLE,
    LaboratoryText,
    Recipe,
    Schedule,
    Trained,
    recipe,
    train_network,
)
from nnlm2bert.experiments.bert.laboratory_task import measure_task
from nnlm2bert.experiments.elmo.laboratory import READ_OUT, TEST
from nnlm2bert.experiments.gpt.laboratory import Groups, seen_items
from nnlm2bert.experiments.runner import Arm, Experiment, Result
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.synthetic import PocketEnglish

SCHEDULES: Mapping[str, Schedule] = {
    "always hidden": Schedule(1.0, 0.0),
    "no word kept": Schedule(0.8, 0.2),
}
"""Beside BERT's own, 80 % hidden, 10 % at random, 10 % kept: 100-0-0 and 80-20-0."""
ON_THE_WAY = ("masked", "left-to-right")
"""Arms whose networks are measured at steps that double, too."""

LONG = "masked-long"
"""The arm of a network that restores words and learns for eight times as many steps."""
LESS_HIDDEN = "15 % hidden"
TRIED: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "rate 3e-3": {"learning_rate": 3e-3},
    "rate 1e-2": {"learning_rate": 1e-2},
    "vectors at random": {"beginning": replace(HELPED, vectors="random")},
    "positions at random": {"beginning": replace(HELPED, waves=0.0)},
    "attention almost even": {"beginning": replace(HELPED, sharper=1.0)},
    "documents only": {"stages": WHOLE},
    LESS_HIDDEN: {"stages": tuple(replace(stage, hidden=0.15) for stage in SHORT_FIRST)},
    "none of these": {
        "beginning": PLAIN,
        "stages": tuple(replace(stage, hidden=0.15) for stage in WHOLE),
    },
    "norms behind": {"norm": "post"},
}
"""What each recipe tried changes in that of the scale: its fields, or those of its network."""
SEARCHED = ("masked", "left-to-right", "two one-way")
TRIED_STEPS: Mapping[str, int] = {"smoke": 2, "laptop": 1_536, "gpu": 1_536}
"""Fewer than at scale "live"."""


def arm_name(objective: str) -> str:
    """Return the name of an objective's arm."""
    return objective.replace("+", "-").replace(" ", "-")


def arms(scale: str) -> tuple[Arm, ...]:
    """Return a network for each objective, and for each masking schedule besides BERT's own."""
    named = {arm_name(objective): (objective, Schedule()) for objective in OBJECTIVES}
    named |= {arm_name(name): ("masked", schedule) for name, schedule in SCHEDULES.items()}
    named[LONG] = "masked", Schedule()
    trained = tuple(Arm(name, settings(name, scale, *own)) for name, own in named.items())
    return (*trained, *(recipes_arm(objective, scale) for objective in SEARCHED))


def recipes_arm(objective: str, scale: str) -> Arm:
    """The recipes that an objective tries; another share of hidden words where some are hidden."""
    tried = {
        name: asdict(changed(scale, changes))
        for name, changes in TRIED.items()
        if objective in MASKED or name != LESS_HIDDEN
    }
    own = {"objective": objective, "recipes": tried}
    return Arm(f"recipes-{arm_name(objective)}", own, seeds=False)


def changed(scale: str, changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a scale with some changes, shortened to what is tried."""
    chosen = recipe(scale)
    own = {name: value for name, value in changes.items() if hasattr(chosen, name)}
    other = {name: value for name, value in changes.items() if name not in own}
    config = replace(chosen.config, **other)
    return replace(chosen, config=config, steps=TRIED_STEPS[scale], **own)


def settings(name: str, scale: str, objective: str, schedule: Schedule) -> dict[str, Any]:
    """Return all that the network of an arm depends on, but its seed."""
    hiding = {"schedule": asdict(schedule)} if objective in MASKED else {}
    return {"objective": objective, **hiding, "recipe": asdict(recipe_of(name, scale))}


def recipe_of(name: str, scale: str) -> Recipe:
    """Return the recipe of an arm: that of the scale, but for the long one."""
    return recipe("long" if name == LONG and scale != "smoke" else scale)


def run(arm: Arm, seed: int, data: str, workspace: Path, device: str = "cpu") -> Result:
    """Train a network and measure it, or try recipes; ``data`` is the scale."""
    own = arm.config
    if "recipes" in own:
        return run_recipes(own["objective"], tuple(own["recipes"]), data, seed)
    schedule = Schedule(**own.get("schedule", {}))
    chosen = recipe_of(arm.name, data)
    trained = train_network(PocketEnglish(), data, seed, own["objective"], schedule, chosen)
    groups = measured(trained, data, seed)
    if arm.name in ON_THE_WAY:
        groups |= on_the_way(trained, data)
    history = trained.result.history
    speed = chosen.steps * chosen.batch / trained.result.training_seconds
    return Result(
        figures={
            **{name: score(group) for name, group in groups.items()},
            "tokens a second, training": speed,
            "parameters": sum(p.numel() for p in trained.network.parameters()),
        },
        series={
            "steps": history.steps,
            "losses": history.losses,
            "on the way": list(trained.on_the_way) if arm.name in ON_THE_WAY else [],
        },
        groups=groups,
    )


def run_recipes(objective: str, names: Sequence[str], scale: str, seed: int) -> Result:
    """Train a network by each recipe and measure how far above its limit it ends, as a share of it.

    One word is hidden at a time, in a text that nothing else is measured on.
    """
    language = PocketEnglish()
    text = LaboratoryText.of(language, recipe(scale).test, READ_OUT)
    words = Asked.of(text, recipe(scale).singles)
    figures, limit = {}, f"limit of {limit_of(objective)}"
    for name in names:
        chosen = changed(scale, TRIED[name])
        trained = train_network(language, scale, seed, objective, chosen=chosen)
        figures[name] = words.costs(trained.network).above("network", limit)
        figures[f"{name}, seconds"] = trained.result.training_seconds
    return Result(figures=figures)


def measured(trained: Trained, scale: str, seed: int) -> Groups:
    """Return all groups of a trained network, see `laboratory_measures`."""
    language, chosen, network = PocketEnglish(), recipe(scale), trained.network
    text = LaboratoryText.of(language, chosen.test, TEST)
    known, asked = (
        seen_items(language, count, part)
        for count, part in ((chosen.known, READ_OUT), (chosen.asked, TEST))
    )
    words = Asked.of(text, chosen.singles)
    groups = {f"one word: {name}": group for name, group in words.costs(network).groups().items()}
    groups |= {**measure_words(network, asked), **measure_senses(network, known, asked)}
    if trained.objective == "masked":
        hidden = measure_hidden(network, text).groups()
        groups |= {f"hidden: {name}": group for name, group in hidden.items()}
        groups |= measure_task(network, language, chosen, scale, seed)
    if PAIRS[trained.objective]:
        groups |= measure_pairs(network, text, chosen)
    return groups


def on_the_way(trained: Trained, scale: str) -> Groups:
    """Return the groups of a network after steps that double, on fewer words and items."""
    language, chosen = PocketEnglish(), recipe(scale)
    text = LaboratoryText.of(language, chosen.test, TEST)
    words = Asked.of(text, chosen.singles).first(chosen.on_the_way)
    items = (seen_items(language, chosen.on_the_way, part) for part in (READ_OUT, TEST))
    return measure_way(trained, words, *items)


EXPERIMENT = Experiment(
    name="bert_laboratory",
    title="BERT in Pocket English",
    arms=arms,
    prepare=str,
    run=run,
)
