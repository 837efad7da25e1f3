"""Execute chapters in place, so that equal results give equal bytes.

Each notebook runs from top to bottom in a fresh kernel with fixed threads, hash seed and metadata,
without timestamps, widget state or progress bars. It is written only if every cell succeeds.

``python tools/run_notebooks.py [notebooks]`` writes; ``--check`` runs, compares, and exits 1
where a file would change.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from canonical import ROOT, canonical, chapter_paths, read_notebook, render, write_text

ENVIRONMENT = {
    "NNLM2BERT_PROGRESS": "off",
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "TZ": "UTC",
}


class RunError(Exception):
    """A cell that does not run through; says which, and how it failed."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 1 if a notebook fails or, with ``--check``, would change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    parser.add_argument("--check", action="store_true", help="run and compare, write nothing")
    parser.add_argument("--timeout", type=int, default=600, help="seconds a cell may take")
    options = parser.parse_args(arguments)
    results = [
        run(path, options.timeout, write=not options.check)
        for path in options.notebooks or chapter_paths()
    ]
    return 0 if all(results) else 1


def run(path: Path, timeout: int, write: bool) -> bool:
    """Execute one notebook; true if it succeeded and, unless ``write``, came out as it stood."""
    began = time.monotonic()
    try:
        text = execute(path, timeout)
    except RunError as error:
        print(f"{error}\n{path} is unchanged", file=sys.stderr)
        return False
    changed = text != path.read_text(encoding="utf-8")
    if changed and write:
        write_text(path, text)
    state = ("rewritten" if write else "differs") if changed else "unchanged"
    print(f"{path.name}: {state}, {time.monotonic() - began:.0f} s", flush=True)
    return write or not changed


def execute(path: Path, timeout: int) -> str:
    """The canonical text of the notebook after a run from top to bottom.

    Raises :class:`RunError` if a cell raises, takes longer than ``timeout`` seconds, or kills its
    kernel.
    """
    notebook = read_notebook(path)
    begun: list[str] = []
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
        on_cell_start=lambda cell, cell_index: begun.append(f"cell {cell_index + 1} ({cell.id})"),
    )
    try:
        client.execute(env={**os.environ, **ENVIRONMENT, "PYTHONPATH": import_path()})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise RunError(f"{path.name}, {begun[-1]}: {error}") from None
    return render(canonical(notebook))


def import_path() -> str:
    """This repository's ``src`` first, so that chapters never run on another copy."""
    return os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))


if __name__ == "__main__":
    sys.exit(main())
