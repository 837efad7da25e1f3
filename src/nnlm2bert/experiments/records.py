"""Records: what an experiment measured, one JSON file an arm and seed.

`results/<experiment>/<scale>/<arm>/seed-<n>.json` holds the figures, how they came about, and
per-document log-losses, so that every interval in the book can be computed from records alone.
Plain Python: neither torch nor numpy is needed to read them.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nnlm2bert.errors import UserError
from nnlm2bert.files import write_text

SCALES = ("smoke", "laptop", "gpu")
SHIPPED = Path(__file__).resolve().parents[1] / "results"


class RecordError(UserError):
    """A record that cannot be read or written: says which file and field, and what to do."""


@dataclass(frozen=True)
class Record:
    """One arm of an experiment, trained and measured once.

    `figures` are single numbers by name, `series` curves, `groups` sums of log-loss:
    `{"tokens": [tokens of each document], "nats": [log-loss of each document, in nats]}`, or of
    another score over units of another kind, such as right answers of each set of questions,
    `words` lists of single words by word, such as nearest neighbours.
    `seconds` is wall time, `date` the end of the run in UTC, `dirty` whether the code differed
    from `commit` (both `None` outside version control), `data` the SHA-256 of every file read; of
    a set of many files, that of the list that `sha256sum` writes of them, sorted by path.
    """

    experiment: str
    scale: str
    arm: str
    seed: int
    command: str
    config: dict[str, Any]
    data: dict[str, str]
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    device: str
    threads: int
    seconds: float
    date: str
    figures: dict[str, float]
    series: dict[str, list[float]] = field(default_factory=dict)
    groups: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    words: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the record lies below the results folder."""
        return record_path(self.experiment, self.scale, self.arm, self.seed)

    def save(self, root: Path | str) -> Path:
        """Write the record below `root`, whole or not at all, and return its path.

        Raises `RecordError` naming the field that does not have the form of a record, `UserError`
        if the file cannot be written.
        """
        form = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        _check(form, str(self.path))
        path = Path(root) / self.path
        write_text(path, _render(form))
        return path

    @classmethod
    def load(cls, path: Path | str) -> Record:
        """Read one record; raises `RecordError` naming file, field and the way out."""
        path = Path(path)
        try:
            form = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} cannot be read: {error}. {_way_out(path)}") from error
        _check(form, str(path), _way_out(path))
        record = cls(**form)
        if path.parts[-4:] != record.path.parts:
            raise RecordError(f"{path} says it is {record.path}. Move it there or delete it.")
        return record


def record_path(experiment: str, scale: str, arm: str, seed: int) -> Path:
    """`<experiment>/<scale>/<arm>/seed-<n>.json`."""
    return Path(experiment, scale, arm, f"seed-{seed}.json")


def read_records(
    root: Path | str | None = None, experiment: str | None = None, scale: str | None = None
) -> list[Record]:
    """All records below `root`, of one experiment and scale if named, sorted by place and seed.

    Without `root`: those of `results_root()`, and for arms and seeds it does not have, those
    that came with an installed package.
    """
    roots = _reading_roots() if root is None else [Path(root)]
    pattern = f"{experiment or '*'}/{scale or '*'}/*/seed-*.json"
    places = {path.relative_to(top): path for top in roots for path in top.glob(pattern)}
    found = [Record.load(path) for path in places.values()]
    return sorted(found, key=lambda record: (record.path.parent.parts, record.seed))


def results_root() -> Path:
    """Where records are kept.

    `NNLM2BERT_RESULTS`, else `results/` of the clone this code or the working directory lies in,
    else `results/` in the working directory.
    """
    named = os.environ.get("NNLM2BERT_RESULTS")
    return Path(named) if named else (clone_root() or Path.cwd()) / "results"


def clone_root() -> Path | None:
    """The clone this code, else the working directory, lies in."""
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parents[3], here, *here.parents):
        if (folder / "src" / "nnlm2bert" / "__init__.py").is_file():
            return folder
    return None


def _reading_roots() -> list[Path]:
    """Where records may lie, the one that counts last."""
    root = results_root()
    return [root] if os.environ.get("NNLM2BERT_RESULTS") else [SHIPPED, root]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\w[\w.+-]*", value) is not None


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(word) and " " not in word for word in value)


def _is_group(value: object) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"tokens", "nats"}:
        return False
    tokens, nats = value["tokens"], value["nats"]
    counted = _is_numbers(tokens) and all(_is_count(count) and count > 0 for count in tokens)
    return counted and _is_numbers(nats) and len(tokens) == len(nats) > 0


def _by_name(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        return isinstance(value, Mapping) and all(
            _is_text(name) and holds(entry) for name, entry in value.items()
        )

    return check


_FORM: dict[str, tuple[Callable[[object], bool], str]] = {
    "experiment": (_is_name, "a name of letters, digits, '.', '_', '+' and '-'"),
    "scale": (lambda value: value in SCALES, f"one of {', '.join(SCALES)}"),
    "arm": (_is_name, "a name of letters, digits, '.', '_', '+' and '-'"),
    "seed": (_is_count, "a whole number from 0"),
    "command": (_is_text, "the command that measures this again"),
    "config": (_by_name(lambda value: True), "settings by name"),
    "data": (_by_name(_is_text), "SHA-256 by file"),
    "versions": (_by_name(_is_text), "version by package"),
    "commit": (lambda value: value is None or _is_text(value), "a commit or null"),
    "dirty": (lambda value: value is None or isinstance(value, bool), "true, false or null"),
    "device": (_is_text, "the name of the processor"),
    "threads": (_is_count, "a whole number"),
    "seconds": (_is_number, "a number"),
    "date": (_is_text, "a date"),
    "figures": (_by_name(_is_number), "finite numbers by name"),
    "series": (_by_name(_is_numbers), "lists of finite numbers by name"),
    "groups": (_by_name(_is_group), "by name, 'tokens' and 'nats' of equal length"),
    "words": (_by_name(_by_name(_is_words)), "lists of single words by word, by name"),
}


_OPTIONAL = {"series", "groups", "words"}


def _check(form: object, where: str, way_out: str = "") -> None:
    """Raise `RecordError` for the first field of `form` that a record would not have."""
    if not isinstance(form, dict):
        raise RecordError(f"{where} is not a record: expected an object. {way_out}".strip())
    expected = set(_FORM) - (_OPTIONAL - set(form))
    if odd := sorted(expected ^ set(form)):
        kind = "has no field" if odd[0] in _FORM else "has an unknown field"
        raise RecordError(f"{where} {kind} '{odd[0]}'. {way_out}".strip())
    for name, (holds, shape) in _FORM.items():
        if name in form and not holds(form[name]):
            raise RecordError(f"{where}: field '{name}' must be {shape}. {way_out}".strip())


def _way_out(path: Path) -> str:
    experiment, scale, arm, file = ("?", "?", "?", *path.parts)[-4:]
    again = command_for(experiment, scale, arm, Path(file).stem.removeprefix("seed-"))
    return f"Delete it, and measure it again with: {again}"


def command_for(experiment: str, scale: str, arm: str, seed: int | str, device: str = "cpu") -> str:
    """The command that measures one arm and seed."""
    place = "" if device == "cpu" else f" --device {device}"
    return (
        f"python -m nnlm2bert reproduce {experiment} --scale {scale} "
        f"--arms {arm} --seeds {seed}{place}"
    )


def _render(form: Mapping[str, Any]) -> str:
    """JSON with one entry a line and lists in one line, so that differences read well."""
    return "{\n" + ",\n".join(_entries(form, "  ")) + "\n}\n"


def _entries(form: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in form.items():
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if isinstance(value, Mapping) and value:
            inner = ",\n".join(_entries(value, indent + "  "))
            text = "{\n" + inner + f"\n{indent}}}"
        lines.append(f"{indent}{json.dumps(name, ensure_ascii=False)}: {text}")
    return lines
