"""Recipes at three scales, what they measured, and what that says about the claims.

Nothing here imports torch or numpy before a recipe runs: the book is built without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nnlm2bert.errors import UserError

if TYPE_CHECKING:
    from nnlm2bert.experiments.runner import Experiment

EXPERIMENTS = (
    *("images", "nnlm", "word2vec", "elmo", "transformer", "gpt"),
    *("bert", "bert_laboratory", "scoreboard"),
)


def load(name: str) -> Experiment:
    """The experiment `nnlm2bert.experiments.<name>.EXPERIMENT`.

    Raises `UserError` naming those that exist when there is none of that name.
    """
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise UserError(f"There is no experiment '{name}'. Choose one of: {known}.")
    return import_module(f"{__name__}.{name}").EXPERIMENT
