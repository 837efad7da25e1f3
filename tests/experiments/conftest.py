"""A small experiment that counts how often it is run, and records without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nnlm2bert.experiments.records import Record
from nnlm2bert.experiments.runner import Arm, Experiment, Result


@dataclass
class Recipe:
    """What a test can set and look at: arms, the one that breaks, and what was called."""

    arms: tuple[Arm, ...] = (
        Arm("count", {"n": 3}, seeds=False),
        Arm("small", {"hidden": (4, 2)}),
        Arm("large", {"hidden": (8, 2)}),
    )
    breaks: dict[str, BaseException] = field(default_factory=dict)
    prepared: list[str] = field(default_factory=list)
    ran: list[tuple[str, int]] = field(default_factory=list)
    workspaces: list[Path] = field(default_factory=list)

    def experiment(self) -> Experiment:
        return Experiment(
            name="toy",
            title="A toy",
            arms=lambda scale: self.arms,
            prepare=self._prepare,
            run=self._run,
        )

    def _prepare(self, scale: str) -> str:
        self.prepared.append(scale)
        return f"data for {scale}"

    def _run(self, arm: Arm, seed: int, data: str, workspace: Path, *, device: str) -> Result:
        assert workspace.is_dir() and data.startswith("data") and device == "cpu"
        self.workspaces.append(workspace)
        (workspace / "checkpoint").write_text("half way", encoding="utf-8")
        if arm.name in self.breaks:
            raise self.breaks[arm.name]
        self.ran.append((arm.name, seed))
        return Result(
            figures={"test perplexity": 10.0 + seed},
            series={"loss": (3, 2, 1.5)},
            groups={"test": {"tokens": (3, 5), "nats": (6.5, 11.25)}},
            words={"neighbours": {"was": ("is", "had")}},
        )


@pytest.fixture
def recipe() -> Recipe:
    return Recipe()


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """Makes a whole record with some fields changed."""
    return _record


def _record(**changes: Any) -> Record:
    form: dict[str, Any] = {
        "experiment": "toy",
        "scale": "laptop",
        "arm": "small",
        "seed": 0,
        "command": "python -m nnlm2bert reproduce toy",
        "config": {"hidden": [4, 2]},
        "data": {"brown/ca01": "ab12"},
        "versions": {"python": "3.11.9"},
        "commit": None,
        "dirty": None,
        "device": "a processor",
        "threads": 2,
        "seconds": 1.5,
        "date": "2026-11-22T12:00:00+00:00",
        "figures": {"test perplexity": 276.0},
        "series": {"loss": [3, 2, 1.5]},
        "groups": {"test": {"tokens": [3, 5], "nats": [6.5, 11.25]}},
        "words": {"neighbours": {"was": ["is", "had"]}},
    }
    return Record(**{**form, **changes})


@pytest.fixture
def a_record() -> Record:
    return _record()
