"""The command `export-live`: train the networks of the page, and write what the page needs."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnlm2bert.errors import UserError

LOG = logging.getLogger(__name__)
SMALL = 2_048
"""Matrices of so few weights take two letters a weight: that costs little."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "export-live",
        help="train the networks that answer in the book's pages, and write their files",
        description="Train the networks that answer in the book's pages, each a few minutes on "
        "one core, and write their weights, the language, and a manifest.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; default: all")
    parser.add_argument("--folder", type=Path, help="where; default: where the book keeps them")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--check", action="store_true", help="train nothing; say what no longer fits the code"
    )
    how.add_argument(
        "--keep-weights", action="store_true", help="train nothing; renew examples and manifest"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; with ``--check`` the exit code is 1 if anything is amiss."""
    from nnlm2bert.experiments.live import files
    from nnlm2bert.experiments.live.networks import NETWORKS

    unknown = sorted(set(arguments.names) - set(NETWORKS))
    if unknown:
        raise UserError(f"No network {', '.join(unknown)}. Name some of: {', '.join(NETWORKS)}.")
    folder = arguments.folder or files.default_folder()
    if arguments.check:
        lines = files.misfits(folder) + files.stale(folder)
        print("\n".join(lines) if lines else "All files fit the code.")
        return 1 if lines else 0
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("nnlm2bert").setLevel(logging.INFO)
    export(folder, arguments.names or list(NETWORKS), train=not arguments.keep_weights)
    return 0


def export(folder: Path, names: Sequence[str], train: bool = True) -> None:
    """Write the language, the weights of some networks, and the manifest."""
    from nnlm2bert.experiments.live import files, grammar
    from nnlm2bert.synthetic import PocketEnglish

    language = PocketEnglish()
    title = "Pocket English: its words, and the grammar that writes it."
    manifest = files.read_manifest(folder)
    manifest[files.LANGUAGE] = files.save(folder, files.LANGUAGE, title, grammar.written(language))
    for name in names:
        if train:
            manifest["networks"][name] = trained(folder, name, language)
            files.write_manifest(folder, manifest)
    for name in names:
        manifest["networks"][name] |= told(folder, name)
        files.write_manifest(folder, manifest)
        LOG.info("%s: %s", name, manifest["networks"][name]["figures"])


def trained(folder: Path, name: str, language: Any) -> dict[str, Any]:
    """Train a network and write its weights; return its entry of the manifest but for `told`."""
    from nnlm2bert.experiments.live import files
    from nnlm2bert.experiments.live.letters import Letters
    from nnlm2bert.experiments.live.networks import NETWORKS
    from nnlm2bert.experiments.provenance import versions
    from nnlm2bert.experiments.runner import settle

    settle("cpu", 1)
    chosen, begun = NETWORKS[name], time.process_time()
    LOG.info("%s: %d steps", name, chosen.recipe.training.steps)
    network = chosen.train(language, chosen.recipe)
    seconds = time.process_time() - begun
    tensors = {key: weights.numpy() for key, weights in chosen.tensors(network).items()}
    letters = {
        key: Letters.of(weights, 2 if weights.size <= SMALL else chosen.letters)
        for key, weights in tensors.items()
    }
    recipe = chosen.recipe.written()
    body = {
        "config": recipe["config"],
        "tensors": {key: entry.written() for key, entry in letters.items()},
    }
    return {
        **files.save(folder, name, f"{chosen.title}, in Pocket English.", body),
        "title": chosen.title,
        "weights": sum(weights.size for weights in tensors.values()),
        "letters": chosen.letters,
        "recipe": recipe,
        "sources": files.fingerprints(name),
        "seconds of one core": round(seconds),
        "versions": {key: versions()[key] for key in ("python", "torch", "numpy")},
    }


def told(folder: Path, name: str) -> dict[str, Any]:
    """What the network of a file is worth, and its examples."""
    from nnlm2bert.experiments.live import examples, files, measures
    from nnlm2bert.experiments.live.answers import Answers

    needed = {"bert": ("gpt", "bert")}.get(name, (name,))
    answers = Answers({other: files.load_network(folder, other) for other in needed})
    network = answers.networks[name]
    figures = measures.measure(name, network, answers)
    return {"figures": figures, "examples": examples.example(name, answers)}
