"""The layout of the repository: what has tests, and which files it holds."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from design_rules import PACKAGE, Module, networks

OTHER_TESTS = {"book", "notebooks", "parity", "tools"}
UNTESTED = {"__init__", "errors"}
# The largest file of each kind in KiB; a kind that is not here, such as .csv or .pt, is no part
# of the book. Corpora are fetched, never kept.
LARGEST = {
    ".ipynb": 3000,
    ".json": 300,
    ".png": 300,
    ".svg": 100,
    ".md": 100,
    ".po": 100,
    ".bib": 60,
    ".css": 40,
    ".js": 40,
    ".lock": 40,
    ".py": 40,
    ".txt": 20,
    **dict.fromkeys((".cff", ".cfg", ".ico", ".toml", ".yaml", ".yml", ""), 40),
}
LARGEST_RECORD = 60
LIVE_DATA, LARGEST_LIVE_DATA = "book/assets/live/data-", 200
"""Weights and grammar that pages compute with: scripts, so that they are read without a server."""
LONGEST_ENTRY = 60
BINARY = {".png", ".ico"}
# What a test of a network does, and the signs of it.
NETWORK_TESTS = {
    "shapes": r"\.shape\b",
    "gradients": r"\.grad\b",
    "learning one batch by heart": r"def test_overfits",
}
PADDING = re.compile(r"(?<![a-z])pad(s|ded|ding)?(?![a-z])", re.IGNORECASE)


def modules(folder: Path) -> dict[str, Module]:
    """All Python files below a folder where imports begin, by their dotted name."""
    read = (Module.read(path, folder) for path in sorted(folder.rglob("*.py")))
    return {module.name: module for module in read}


def parts_without_tests(root: Path) -> list[str]:
    """Parts of ``src`` without a counterpart in ``tests``, and folders of tests for nothing."""
    source, tests = root / "src" / PACKAGE, root / "tests"
    folders = {path.parent.name for path in source.glob("*/__init__.py")}
    tested = {path.parent.name for path in tests.glob("*/**/test_*.py")}
    files = {path.stem for path in source.glob("*.py")} - UNTESTED
    lines = [f"tests/{name}/ has no test" for name in sorted(folders - tested)]
    lines += [
        f"tests/test_{name.strip('_')}.py is missing"
        for name in sorted(files)
        if not (tests / f"test_{name.strip('_')}.py").is_file()
    ]
    return lines + [
        f"tests/{name}/ mirrors nothing" for name in sorted(tested - folders - OTHER_TESTS)
    ]


def models_without_tests(root: Path) -> list[str]:
    """Models without their file of tests, or that no test of parity reaches.

    A file that is a part of another, like ngram_counts of ngram, is tested with it.
    """
    code = modules(root / "src")
    compared = reached(tested_for_parity(root / "tests"), code)
    lines = []
    for name in sorted(name for name, m in code.items() if m.part == "models" and not m.package):
        own = name.rpartition(".")[2]
        tests = [root / f"tests/models/test_{part}.py" for part in (own, own.split("_")[0])]
        if not any(path.is_file() for path in tests):
            lines.append(f"tests/models/test_{own}.py is missing")
        if name not in compared:
            lines.append(f"no test in tests/parity compares {name} with anything")
    return lines


def tested_for_parity(tests: Path) -> set[str]:
    """What the tests of parity import."""
    read = (Module.read(path, tests) for path in (tests / "parity").glob("test_*.py"))
    return {name for module in read for _, name in module.imports()}


def reached(names: Iterable[str], code: Mapping[str, Module]) -> set[str]:
    """The modules that names lie in, and all that these import."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        for module in {name, name.rpartition(".")[0]} & set(code) - found:
            found.add(module)
            waiting += [imported for _, imported in code[module].imports()]
    return found


def network_tests_missing(module: Module, tests: str) -> list[str]:
    """What the tests (their text) of a file with networks do not look at."""
    wanted = NETWORK_TESTS if networks(module) else {}
    lines = [f"no test of {what}" for what, sign in wanted.items() if not re.search(sign, tests)]
    pads = bool(wanted and PADDING.search(module.text) and not PADDING.search(tests))
    return lines + ["no test that padding changes nothing"] * pads


def unlisted_experiments(code: Mapping[str, Module], listed: Iterable[str]) -> list[str]:
    """Modules with an ``EXPERIMENT`` that the command line does not know, and the reverse."""
    prefix = f"{PACKAGE}.experiments."
    recipes = {
        name.removeprefix(prefix)
        for name, module in code.items()
        if name.startswith(prefix) and "EXPERIMENT" in _top_names(module.tree)
    }
    return [f"{name} is either not listed or not there" for name in sorted(recipes ^ set(listed))]


def _top_names(tree: ast.Module) -> set[str]:
    targets = [
        target
        for node in tree.body
        for target in getattr(node, "targets", [getattr(node, "target", None)])
    ]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def tracked_files(root: Path) -> list[str] | None:
    """Names of the files under version control and about to be; None outside a clone."""
    command = "git ls-files -z --cached --others --exclude-standard"
    listed = subprocess.run(shlex.split(command), cwd=root, capture_output=True)
    names = listed.stdout.decode("utf-8").split("\0")
    return None if listed.returncode else [name for name in names if (root / name).is_file()]


def file_misfits(name: str, data: bytes) -> list[str]:
    """Why a file should not be in the repository: its kind, its size, or binary data."""
    suffix = Path(name).suffix
    if suffix not in LARGEST:
        return [f"{name}: the book keeps no files {suffix}; data are fetched"]
    record = name.startswith("results/")
    if record and suffix != ".json":
        return [f"{name}: results are JSON"]
    most = LARGEST_RECORD if record else LARGEST[suffix]
    most = LARGEST_LIVE_DATA if name.startswith(LIVE_DATA) else most
    lines = [f"{name}: {len(data) >> 10:,} KiB, at most {most:,}"] * (len(data) > most << 10)
    return lines + [f"{name}: is not text"] * (suffix not in BINARY and not _is_text(data))


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def passages(record: str) -> list[str]:
    """Texts in a record, its command apart, that are more than a few words."""
    form = {key: value for key, value in json.loads(record).items() if key != "command"}
    return [f"{text[:20]!r}... is long" for text in _texts(form) if len(text) > LONGEST_ENTRY]


def _texts(value: Any) -> Iterator[str]:
    """The texts in a piece of JSON; hashes are no texts."""
    if isinstance(value, str) and not re.fullmatch("[0-9a-f]{40,}", value):
        yield value
    elif isinstance(value, dict):
        yield from (text for key in value for text in (*_texts(key), *_texts(value[key])))
    elif isinstance(value, list):
        yield from (text for entry in value for text in _texts(entry))
