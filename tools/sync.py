"""Bring the chapters in step with ``src/`` and with the repository's address.

``python tools/sync.py`` rewrites source cells, Colab links, set-up cells and launch buttons;
``--check`` only compares, and exits 1 if something is stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import sync_address
import sync_cells
from canonical import ROOT, chapter_paths


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    try:
        stale = sync(ROOT, write=not options.check)
    except (sync_cells.SyncError, sync_address.AddressError) as error:
        print(error, file=sys.stderr)
        return 1
    for place in stale:
        print(f"{place}: {'stale; run tools/sync.py' if options.check else 'rewritten'}")
    return 1 if stale and options.check else 0


def sync(root: Path, write: bool) -> list[str]:
    """What was stale: source cells, then files that name the address."""
    cells = sync_cells.sync(chapter_paths(root), write, root)
    return cells + sync_address.sync(root, write)


if __name__ == "__main__":
    sys.exit(main())
