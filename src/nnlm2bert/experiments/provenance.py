"""Where a record comes from: versions, commit, machine, date."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from nnlm2bert.experiments.records import clone_root

PACKAGES = ("nnlm2bert", "torch", "numpy", "scipy", "numba", "datasets")


def provenance(
    command: str,
    data: dict[str, str] | None = None,
    device: str | None = None,
    threads: int | None = None,
    code: tuple[str | None, bool | None] | None = None,
) -> dict[str, Any]:
    """The fields of a record that say how it came about; taken when the run ends.

    `device` is the name of the accelerator if one was used, else the processor is named;
    `threads` are those of torch unless given, and `code` is what `code_state` said when the code
    was loaded (by default: what it says now).
    """
    commit, dirty = code or code_state()
    return {
        "command": command,
        "data": data or {},
        "versions": versions(),
        "commit": commit,
        "dirty": dirty,
        "device": device or processor(),
        "threads": threads if threads is not None else thread_count(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Version of Python and of each of `PACKAGES` that is installed; imports none of them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_state() -> tuple[str | None, bool | None]:
    """The commit of the running code, and whether `src/` differs from it.

    Of a clone, from git; of a package installed from a git address, as the installer noted it;
    `(None, None)` when neither knows.
    """
    clone = clone_root()
    if clone and Path(__file__).resolve().is_relative_to(clone):
        commit = _git(clone, "rev-parse", "HEAD")
        changes = _git(clone, "status", "--porcelain", "--", "src")
        return commit, (None if commit is None else bool(changes))
    installed = _installed_commit()
    return installed, (False if installed else None)


def processor() -> str:
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, [*names, platform.processor(), platform.machine()]), "unknown")


def thread_count() -> int:
    """Threads torch computes with if it is loaded, else the processors at hand."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _installed_commit() -> str | None:
    try:
        note = metadata.distribution("nnlm2bert").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    return json.loads(note).get("vcs_info", {}).get("commit_id") if note else None
