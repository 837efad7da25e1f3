"""Checkpoints: written whole or not at all, read with care."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.files import whole_file
from nnlm2bert.training.config import TrainingConfig

FORMAT = "nnlm2bert checkpoint 1"
FREE_TO_CHANGE = {"checkpoint_every"}
RESUME = (
    "Make room or choose another place, then start the same command again: it resumes from the "
    "last whole checkpoint."
)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``path``, which holds the old content or the new, at every moment.

    Processes that write the same file at once do not disturb each other: the last one stands.
    Raises UserError if the file cannot be written; the old one then stands.
    """
    problem = f"The checkpoint {path} could not be written"
    with whole_file(path, problem, RESUME) as file:
        try:
            torch.save({"format": FORMAT, **state}, file)
        except RuntimeError as error:  # torch reports a full disk as one
            raise OSError(str(error)) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what :func:`write_checkpoint` wrote, its tensors on the CPU.

    Nothing but tensors and plain values is ever unpickled (``weights_only``).
    Raises UserError for a file that is damaged or no checkpoint of ours.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            f"The checkpoint {path} is damaged ({error}). Delete it to begin anew, "
            "or put a sound copy in its place."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(
            f"{path} is no checkpoint of this version's training (expected {FORMAT!r}). "
            "Name another file, or delete this one to begin anew."
        )
    return state


def shapes(model: nn.Module) -> dict[str, str]:
    """Return the shape and type of every parameter and buffer, as text."""
    return {
        name: f"{tuple(tensor.shape)} {tensor.dtype}" for name, tensor in model.state_dict().items()
    }


def check_same_run(path: Path, saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Raise UserError unless the checkpoint's run is the current one, naming what differs.

    Both are dicts of dicts; ``checkpoint_every`` alone may differ, as it changes no weight.
    """
    differences = [
        f"{part}.{name} is {saved[part].get(name, 'absent')} there, "
        f"{current[part].get(name, 'absent')} here"
        for part in current
        for name in sorted({*saved[part], *current[part]} - FREE_TO_CHANGE)
        if saved[part].get(name, "absent") != current[part].get(name, "absent")
    ]
    if not differences:
        return
    shown = "; ".join(differences[:5]) + (" ..." if len(differences) > 5 else "")
    raise UserError(
        f"The checkpoint {path} belongs to another run: {shown}. To go on with that run, restore "
        "its settings; to begin a new one, name another file or delete this one."
    )


def plain_config(config: TrainingConfig) -> dict[str, Any]:
    """Return the config as plain values that survive JSON and ``weights_only`` alike."""
    values = {name: getattr(config, name) for name in config.__dataclass_fields__}
    return {**values, "betas": list(config.betas)}
