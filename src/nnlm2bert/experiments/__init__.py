"""Recipes at three scales, what they measured, and what that says about the claims.

What several stages share stands in this folder, the rest in a folder for each stage; an experiment
is the module ``experiment`` of its stage. Nothing here imports torch or numpy before a recipe runs:
the book is built without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from nnlm2bert.errors import UserError

if TYPE_CHECKING:
    from nnlm2bert.experiments.runner import Experiment

EXPERIMENTS: Mapping[str, str] = {
    "images": "images.experiment",
    "nnlm": "nnlm.experiment",
    "word2vec": "word2vec.experiment",
    "elmo": "elmo.experiment",
    "transformer": "transformer.experiment",
    "gpt": "gpt.experiment",
    "bert": "bert.experiment",
    "bert_laboratory": "bert.laboratory",
    "four_tasks": "four_tasks.experiment",
    "family_tree": "family_tree.experiment",
    "family_tree_laboratory": "family_tree.laboratory",
    "scoreboard": "scoreboard",
}
"""The module of each experiment below this package, by the experiment's name."""


def load(name: str) -> Experiment:
    """The ``EXPERIMENT`` of the module that `EXPERIMENTS` names.

    Raises `UserError` naming those that exist when there is none of that name.
    """
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise UserError(f"There is no experiment '{name}'. Choose one of: {known}.")
    return import_module(f"{__name__}.{EXPERIMENTS[name]}").EXPERIMENT
