"""The files of the page: written, read back as networks, and held against the code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.live.letters import Letters, content, script
from nnlm2bert.experiments.live.networks import COMMON_SOURCES, NETWORKS
from nnlm2bert.experiments.records import clone_root
from nnlm2bert.files import write_text
from nnlm2bert.models.bert import BERT
from nnlm2bert.models.elmo import BiLM
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.nnlm import NNLM
from nnlm2bert.models.word2vec import FullSoftmax, Word2Vec

FOLDER = "book/assets/live"
MANIFEST = "manifest.json"
LANGUAGE = "language"
PACKAGE = Path(__file__).resolve().parents[2]


def default_folder() -> Path:
    """Where the book keeps them; UserError outside a clone of the book."""
    root = clone_root()
    if root is None:
        raise UserError("The book's files lie in a clone of the book. Name a folder: --folder DIR.")
    return root / FOLDER


def file_name(name: str) -> str:
    """The script of a network, or of the language."""
    return f"data-{name}.js"


def save(folder: Path, name: str, title: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Write a script; return its name, its bytes and its SHA-256."""
    text = script(name, title, body)
    write_text(folder / file_name(name), text)
    return described(folder, name)


def described(folder: Path, name: str) -> dict[str, Any]:
    """Name, bytes and SHA-256 of a script that is there."""
    data = (folder / file_name(name)).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return {"file": file_name(name), "bytes": len(data), "sha256": digest}


def read(folder: Path, name: str) -> dict[str, Any]:
    """What a script hands to its page; UserError if there is none."""
    path = folder / file_name(name)
    if not path.is_file():
        raise UserError(f"{path} is not there. Make it: python -m nnlm2bert export-live {name}")
    return content(path.read_text(encoding="utf-8"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest; an empty one if there is none."""
    path = folder / MANIFEST
    if not path.is_file():
        return {"networks": {}}
    return json.loads(path.read_text(encoding="utf-8"))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, its networks in the order of the book."""
    found = manifest["networks"]
    ordered = {name: found[name] for name in NETWORKS if name in found}
    text = json.dumps({**manifest, "networks": ordered}, indent=1, ensure_ascii=False)
    write_text(folder / MANIFEST, text + "\n")


# Networks from files.


class WordTable(nn.Module):
    """In the place of a character CNN: the vectors (V, P) that it makes of all words."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the vectors (W, P) of words (W, 1)."""
        return self.table[rows[:, 0]]


def load_network(folder: Path, name: str) -> nn.Module:
    """The network whose weights are what a script says, in eval mode."""
    entries = read(folder, name)["tensors"]
    return with_weights(name, {key: Letters.read(entry) for key, entry in entries.items()})


def with_weights(name: str, letters: Mapping[str, Letters]) -> nn.Module:
    """A network of the page with the weights that letters stand for."""
    tensors = {key: torch.from_numpy(entry.weights.copy()) for key, entry in letters.items()}
    config = NETWORKS[name].recipe.config
    if name == "elmo":
        network: nn.Module = BiLM(config)
        network.layers[0] = WordTable(tensors.pop("words"))
        topics = tensors["topics.0.bias"].shape[0]
        readouts = [nn.Linear(2 * config.width, topics) for _ in network.layers]
        network.topics = nn.ModuleList(readouts)
        for key in [key for key in tensors if key.endswith("bias_ih_l0")]:
            tensors[key.replace("_ih_", "_hh_")] = torch.zeros_like(tensors[key])
    elif name == "word2vec":
        network = Word2Vec(config, FullSoftmax(config.vocabulary_size, config.dimension))
    else:
        network = {"nnlm": NNLM, "gpt": GPT, "bert": BERT}[name](config)
    network.load_state_dict(tensors, strict=False)
    return network.eval()


# The code behind a file.


def fingerprints(name: str) -> dict[str, str]:
    """Source -> the first letters of a hash of its code; notes and docstrings do not count."""
    return {source: fingerprint(source) for source in sorted(sources(name))}


def sources(name: str) -> Iterable[str]:
    """The code that a network's weights depend on, below the package."""
    return {*COMMON_SOURCES, *NETWORKS[name].sources}


@cache
def fingerprint(source: str) -> str:
    """The same for one file."""
    return code_hash((PACKAGE / source).read_text(encoding="utf-8"))


def code_hash(text: str) -> str:
    """Twelve letters that change with the code, not with its notes, docstrings or empty lines."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            own = range(node.lineno - 1, node.end_lineno or node.lineno)
            lines = ["" if at in own else line for at, line in enumerate(lines)]
    kept = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:12]


def misfits(folder: Path) -> list[str]:
    """Where the manifest and the files differ, or a recipe is no longer the code's."""
    lines = []
    manifest = read_manifest(folder)
    for name, entry in [(LANGUAGE, manifest.get(LANGUAGE)), *manifest["networks"].items()]:
        if entry is None or not (folder / file_name(name)).is_file():
            lines.append(f"{name}: not exported")
        elif {key: entry[key] for key in ("file", "bytes", "sha256")} != described(folder, name):
            lines.append(f"{file_name(name)} is not the file that the manifest describes")
    return lines + [
        f"{name}: the recipe has changed since the network was trained"
        for name, entry in manifest["networks"].items()
        if entry["recipe"] != json.loads(json.dumps(NETWORKS[name].recipe.written()))
    ]


def stale(folder: Path) -> list[str]:
    """Networks whose code has changed since they were trained: a line each, with the sources."""
    lines = []
    for name, entry in read_manifest(folder)["networks"].items():
        now = fingerprints(name)
        both = sorted({*now, *entry["sources"]})
        changed = [key for key in both if now.get(key) != entry["sources"].get(key)]
        if changed:
            lines.append(f"{name}: changed since it was trained: {', '.join(changed)}")
    return lines
