"""BERT in Pocket English, where the exact limits are known: what restoring hidden words teaches.

Arms are networks of about one size, which read the same documents (`bert_laboratory_networks`); a
seed is another training of each. "masked" is also trained by other rows of table 8 of Devlin et al.
(2018): the share of chosen words that is hidden, put at random, and left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.bert_laboratory_measures import (
    Asked,
    measure_hidden,
    measure_pairs,
    measure_senses,
    measure_way,
    measure_words,
)
from nnlm2bert.experiments.bert_laboratory_networks import (
    MASKED,
    OBJECTIVES,
    PAIRS,
    LaboratoryText,
    Schedule,
    Trained,
    recipe,
    train_network,
)
from nnlm2bert.experiments.bert_laboratory_task import measure_task
from nnlm2bert.experiments.elmo_laboratory import READ_OUT, TEST
from nnlm2bert.experiments.gpt_laboratory import Groups, seen_items
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


def arm_name(objective: str) -> str:
    """Return the name of an objective's arm."""
    return objective.replace("+", "-").replace(" ", "-")


def arms(scale: str) -> tuple[Arm, ...]:
    """Return a network for each objective, and for each masking schedule besides BERT's own."""
    named = {arm_name(objective): (objective, Schedule()) for objective in OBJECTIVES}
    named |= {arm_name(name): ("masked", schedule) for name, schedule in SCHEDULES.items()}
    return tuple(Arm(name, settings(scale, *own)) for name, own in named.items())


def settings(scale: str, objective: str, schedule: Schedule) -> dict[str, Any]:
    """Return all that a network depends on, but its seed."""
    hiding = {"schedule": asdict(schedule)} if objective in MASKED else {}
    return {"objective": objective, **hiding, "recipe": asdict(recipe(scale))}


def run(arm: Arm, seed: int, data: str, workspace: Path, device: str = "cpu") -> Result:
    """Train a network and measure it; ``data`` is the scale."""
    own = arm.config
    schedule = Schedule(**own.get("schedule", {}))
    trained = train_network(PocketEnglish(), data, seed, own["objective"], schedule)
    groups = measured(trained, data, seed)
    if arm.name in ON_THE_WAY:
        groups |= on_the_way(trained, data)
    history, chosen = trained.result.history, recipe(data)
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


def measured(trained: Trained, scale: str, seed: int) -> Groups:
    """Return all groups of a trained network, see `bert_laboratory_measures`."""
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
