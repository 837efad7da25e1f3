"""Files of published networks: found in a folder or on the hub, read, checked and written.

What is wrong with them is told as a `UserError` that says what to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.files import write_text

CONFIG, WEIGHTS, OLD_WEIGHTS = "config.json", "model.safetensors", "pytorch_model.bin"

Read = TypeVar("Read")


@dataclass(frozen=True)
class Published:
    """A published network: what it is called, there and on the hub, and what is wanted of it.

    Attributes:
        network: its kind, as "GPT".
        name: its name on the hub.
        tokens: the files of its tokenizer; those besides `CONFIG` and `WEIGHTS`.
    """

    network: str
    name: str
    tokens: tuple[str, ...]

    def folder(self, source: str | Path) -> Path:
        """Return the folder of the files: ``source`` itself, or where those of the hub were put.

        Files that were fetched before are found without a network. Raises `UserError` if there is
        neither such a folder nor a way to the hub.
        """
        if Path(source).is_dir():
            return Path(source)
        if isinstance(source, Path) or source.count("/") != 1:
            raise UserError(
                f"There is no folder {source}. Name one that holds {CONFIG} and {WEIGHTS}, or a "
                f"model of the hub such as {self.name}."
            )
        from huggingface_hub import snapshot_download

        files = [CONFIG, WEIGHTS, *self.tokens]
        try:
            return Path(snapshot_download(source, allow_patterns=files))
        except Exception as error:  # which ones, each version of the library decides anew
            raise UserError(
                f"{source} could not be had from the hub: {error} ({type(error).__name__}). Check "
                f"the network; or put its {', '.join(files[:-1])} and {files[-1]} into a folder "
                "and name that folder instead."
            ) from error

    def state(self, folder: Path) -> dict[str, Tensor]:
        """Return the weights of a folder by their published names."""
        if (folder / WEIGHTS).is_file():
            return self.read(folder / WEIGHTS, load_file)
        return self.read(folder / OLD_WEIGHTS, unpickled, f"{WEIGHTS} or {OLD_WEIGHTS}")

    def read(self, path: Path, how: Callable[[Path], Read], name: str | None = None) -> Read:
        """Return what ``how`` finds in a file, which is called ``name`` if it is missing."""
        if not path.is_file():
            raise UserError(
                f"There is no {name or path.name} in {path.parent}. Copy it there from {self.name} "
                "on the hub, or name the folder that holds it."
            )
        try:
            return how(path)
        except Exception as error:  # each format has kinds of its own
            raise UserError(
                f"{path} cannot be read ({error}). Delete it and fetch it again."
            ) from error

    def wrong_config(self, setting: KeyError) -> UserError:
        """Return the error to raise if a config lacks a setting, or its value is unknown."""
        return UserError(
            f"{CONFIG} is not one of {self.network}: {setting} is missing or unknown. Take the "
            f"file of {self.name}."
        )

    def wrong_weight(self, name: str) -> UserError:
        """Return the error to raise if a weight has a name that the network knows nothing of."""
        return UserError(
            f"{name!r} is no part of {self.network}: these are the weights of another network. "
            f"Take those of {self.name}."
        )


def check_weights(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse weights that are not those of the network of the config."""
    misfits = [f"{name} is missing" for name in wanted if name not in found]
    misfits += [f"{name} is one too many" for name in found if name not in wanted]
    misfits += [
        f"{name} is {tuple(found[name].shape)} and not {tuple(values.shape)}"
        for name, values in wanted.items()
        if name in found and found[name].shape != values.shape
    ]
    if misfits:
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise UserError(
            f"The weights in {folder} do not fit its {CONFIG}: {misfits[0]}{more}. Take both files "
            "from the same model."
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return what a file of JSON holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def unpickled(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file that torch wrote; no code in it is run."""
    return torch.load(path, map_location="cpu", weights_only=True)
