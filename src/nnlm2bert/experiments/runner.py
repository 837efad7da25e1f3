"""Running an experiment: arm by arm and seed by seed, each recorded as soon as it ends.

What is recorded with the same settings is not run again, so that a large experiment is
completed over several days; an interrupted arm finds its checkpoints in its work folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.errors import UserError
from nnlm2bert.experiments.provenance import code_state, provenance
from nnlm2bert.experiments.records import (
    SCALES,
    Record,
    command_for,
    read_records,
    record_path,
    results_root,
)

log = logging.getLogger(__name__)

MANY_FILES = 20


@dataclass(frozen=True)
class Arm:
    """One setting of an experiment. `seeds=False`: nothing in it is random, run it once."""

    name: str
    config: Mapping[str, Any]
    seeds: bool = True


@dataclass(frozen=True)
class Result:
    """What a run measured; see `Record` for the four forms.

    `seconds` overrides the wall time of the run, for recipes that add up interrupted parts.
    """

    figures: Mapping[str, float]
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    seconds: float | None = None


def never(arm: Arm) -> bool:
    """No arm computes on a GPU."""
    return False


def always(arm: Arm) -> bool:
    """Every arm computes on a GPU."""
    return True


@dataclass(frozen=True)
class OfKinds:
    """Those arms whose setting "kind" is one of these."""

    kinds: tuple[str, ...]

    def __call__(self, arm: Arm) -> bool:
        return arm.config["kind"] in self.kinds


@dataclass(frozen=True)
class Experiment:
    """A recipe.

    `arms(scale)` lists its settings. `prepare(scale)` makes what all arms share and is called
    once, only if there is something to run. `run(arm, seed, data, workspace, device=device)`
    measures one arm; `workspace` is a folder of its own that survives an interruption, `device`
    is "cpu" or "cuda". `corpora` names the data sets it reads above smoke scale, whose hashes go
    into the records (smoke runs must do without any: they are part of the tests). `on_gpu` says
    whether an arm trains on a GPU, or rests on what was trained there, if one is asked for; any
    other arm is measured on the CPU, and its record says so.
    """

    name: str
    title: str
    arms: Callable[[str], tuple[Arm, ...]]
    prepare: Callable[[str], Any]
    run: Callable[..., Result]
    corpora: tuple[str, ...] = ()
    on_gpu: Callable[[Arm], bool] = never


@dataclass(frozen=True)
class Job:
    """One arm and seed, to be measured at a scale."""

    experiment: Experiment
    scale: str
    arm: Arm
    seed: int

    @property
    def path(self) -> Path:
        """Where its record lies below the results folder."""
        return record_path(self.experiment.name, self.scale, self.arm.name, self.seed)

    @property
    def config(self) -> dict[str, Any]:
        """The settings as JSON gives them back."""
        return json.loads(json.dumps(dict(self.arm.config)))

    @property
    def workspace(self) -> Path:
        """Its work folder below the folder of all runs: another one for other settings."""
        settings = json.dumps(self.config, sort_keys=True).encode()
        return self.path.with_suffix("") / hashlib.sha256(settings).hexdigest()[:12]

    def device(self, asked: str) -> str:
        """Where it is measured: the device asked for, if its arm can use that, else the CPU."""
        return asked if self.experiment.on_gpu(self.arm) else "cpu"

    def __str__(self) -> str:
        return f"{self.arm.name}, seed {self.seed}" if self.arm.seeds else self.arm.name


def run(
    experiment: Experiment,
    scale: str,
    seeds: Iterable[int] = (0,),
    arms: Sequence[str] | None = None,
    force: bool = False,
    results: Path | str | None = None,
    workspace: Path | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> list[Record]:
    """Measure what is not recorded yet and return the new records.

    Seed by seed, so that every arm has one before any has two. `arms` are names (all without),
    `force` measures again what is recorded, `results` and `workspace` are folders (by default
    `default_results(scale)` and `runs` in the cache). `device` is "cpu" or "cuda"; arms that
    cannot use a GPU are measured on the CPU. What ended before an error or an interruption stays
    recorded. Raises `UserError` for an unknown scale, arm or device.
    """
    jobs = plan(experiment, scale, seeds, arms)
    root = Path(results) if results is not None else default_results(scale)
    work = Path(workspace) if workspace is not None else cache_folder() / "runs"
    to_do = jobs if force else [job for job in jobs if not is_recorded(job, root)]
    log.info("%s, %s: %d of %d to run.", experiment.title, scale, len(to_do), len(jobs))
    if not to_do:
        return []
    settle(_needed(to_do, device), threads)
    clock = _Clock(read_records(root, experiment.name, scale), to_do)
    measure = _Measurement(code_state(), experiment.prepare(scale), root, work, device, clock)
    return _run_all(to_do, measure)


def plan(
    experiment: Experiment, scale: str, seeds: Iterable[int], arms: Sequence[str] | None = None
) -> list[Job]:
    """All jobs of an experiment in the order they are run; raises `UserError` for unknown names."""
    if scale not in SCALES:
        raise UserError(f"There is no scale '{scale}'. Choose one of: {', '.join(SCALES)}.")
    by_name = {arm.name: arm for arm in experiment.arms(scale)}
    unknown = [name for name in arms or () if name not in by_name]
    if unknown:
        known = ", ".join(by_name)
        raise UserError(
            f"Experiment '{experiment.name}' has no arm '{unknown[0]}' at scale '{scale}'. "
            f"Choose from: {known}."
        )
    seeds = sorted(set(seeds))
    chosen = [by_name[name] for name in arms or by_name]
    once = [Job(experiment, scale, arm, 0) for arm in chosen if not arm.seeds]
    return once + [
        Job(experiment, scale, arm, seed) for seed in seeds for arm in chosen if arm.seeds
    ]


def is_recorded(job: Job, results: Path) -> bool:
    """Whether `results` holds a record of this arm and seed with the same settings."""
    path = results / job.path
    return path.is_file() and Record.load(path).config == job.config


def default_results(scale: str) -> Path:
    """`results_root()`; for smoke runs, which are no evidence, a folder in the cache."""
    if scale == "smoke" and not os.environ.get("NNLM2BERT_RESULTS"):
        return cache_folder() / "results"
    return results_root()


def settle(device: str, threads: int | None) -> None:
    """Set torch's threads if told so; raises `UserError` for a device that is not there."""
    if device not in ("cpu", "cuda"):
        raise UserError(f"There is no device '{device}'. Choose cpu or cuda.")
    if threads is None and device == "cpu":
        return
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("No CUDA device is at hand. Use --device cpu, or a machine with a GPU.")
    if threads is not None:
        torch.set_num_threads(threads)


def duration(seconds: float) -> str:
    """A length of time as people say it: `43 s`, `12 min`, `1 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Clock:
    """How long jobs take, by the records of the same arm."""

    def __init__(self, records: Iterable[Record], jobs: Sequence[Job]) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.jobs = jobs
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        self.seconds.setdefault(record.arm, []).append(record.seconds)

    def outlook(self, index: int) -> str:
        """What is known of the time that job `index` and all after it take."""
        known = [self._estimate(job) for job in self.jobs[index:]]
        this = f"about {duration(known[0])}" if known[0] else "no earlier run to tell how long"
        rest = [seconds for seconds in known if seconds]
        if len(rest) < 2:
            return this
        bound = "about" if len(rest) == len(known) else "at least"
        return f"{this}; {bound} {duration(sum(rest))} in all"

    def _estimate(self, job: Job) -> float | None:
        return mean(self.seconds[job.arm.name]) if job.arm.name in self.seconds else None


@dataclass(frozen=True)
class _Measurement:
    """Runs one job and records it; `code` is the commit when the code was loaded."""

    code: tuple[str | None, bool | None]
    data: Any
    results: Path
    work: Path
    device: str
    clock: _Clock

    def __call__(self, job: Job) -> Record:
        workspace = self.work / job.workspace
        workspace.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        device = job.device(self.device)
        result = job.experiment.run(job.arm, job.seed, self.data, workspace, device=device)
        record = self._record(job, result, time.perf_counter() - start)
        path = record.save(self.results)
        shutil.rmtree(workspace, ignore_errors=True)
        self.clock.add(record)
        figures = ", ".join(f"{name} {value:.5g}" for name, value in record.figures.items())
        log.info("%s: recorded after %s in %s: %s", job, duration(record.seconds), path, figures)
        return record

    def _record(self, job: Job, result: Result, seconds: float) -> Record:
        name, arm = job.experiment.name, job.arm.name
        device = job.device(self.device)
        command = command_for(name, job.scale, arm, job.seed, device)
        accelerator = _accelerator() if device == "cuda" else None
        data = _hashes(job.experiment.corpora) if job.scale != "smoke" else {}
        return Record(
            experiment=name,
            scale=job.scale,
            arm=arm,
            seed=job.seed,
            config=job.config,
            seconds=round(seconds if result.seconds is None else result.seconds, 1),
            figures=dict(result.figures),
            series={key: list(values) for key, values in result.series.items()},
            groups={
                key: {"tokens": list(group["tokens"]), "nats": list(group["nats"])}
                for key, group in result.groups.items()
            },
            words={
                key: {word: list(listed) for word, listed in lists.items()}
                for key, lists in result.words.items()
            },
            **provenance(command, data, accelerator, code=self.code),
        )


def _run_all(jobs: Sequence[Job], measure: _Measurement) -> list[Record]:
    records: list[Record] = []
    for index, job in enumerate(jobs):
        log.info("%s (%d of %d): %s", job, index + 1, len(jobs), measure.clock.outlook(index))
        try:
            records.append(measure(job))
        except BaseException as error:
            kind = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            log.warning(
                "%s %s. %d of %d recorded; the same command goes on from here.",
                *(job, kind, len(records), len(jobs)),
            )
            raise
    return records


def _needed(jobs: Sequence[Job], device: str) -> str:
    """The device that must be there: the one asked for, unless it is a GPU that no job can use."""
    usable = device != "cuda" or any(job.device(device) == device for job in jobs)
    return device if usable else "cpu"


def _accelerator() -> str:
    import torch

    return torch.cuda.get_device_name()


def _hashes(corpora: Sequence[str]) -> dict[str, str]:
    """SHA-256 of every file of the named corpora; of a set of many files, that of their list."""
    if not corpora:
        return {}
    hashes = import_module("nnlm2bert.corpora").hashes
    found = {name: hashes(name) for name in corpora}
    return {
        path: digest
        for name, files in found.items()
        for path, digest in (files if len(files) <= MANY_FILES else _of_list(name, files)).items()
    }


def _of_list(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """One SHA-256 of the lines that `sha256sum` writes for the files, sorted by path."""
    lines = "".join(f"{files[path]}  {path}\n" for path in sorted(files))
    return {f"{name} ({len(files)} files)": hashlib.sha256(lines.encode()).hexdigest()}
