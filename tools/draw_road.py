"""Write the picture of the introduction, ``book/assets/road.svg``, from ``nnlm2bert.diagrams``."""

from __future__ import annotations

import sys

from canonical import ROOT, write_text
from nnlm2bert.diagrams import road

PICTURE = ROOT / "book" / "assets" / "road.svg"


def main() -> int:
    """Run from the command line."""
    write_text(PICTURE, road().svg() + "\n")
    print(f"{PICTURE.relative_to(ROOT)}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
