"""Lay the MathJax that a pinned package carries into the built book, so that no host is asked."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PACKAGE = "sphinx-mathjax-offline"
PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts")
LICENCE = Path(__file__).resolve().with_name("mathjax-licence.txt")


def packaged_mathjax() -> Path:
    """Return the folder of MathJax 3.2.2 in the installed package."""
    specification = importlib.util.find_spec(PACKAGE)
    if specification is None or specification.origin is None:
        raise ExtensionError(f"{PACKAGE} is not installed. Run: make book")
    return Path(specification.origin).parent / "static" / "mathjax"


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy what the pages can ask for (2.2 of the package's 24 MB) beside the static files."""
    if error or app.builder.format != "html":
        return
    source = packaged_mathjax()
    target = Path(app.outdir) / "_static" / Path(app.config.mathjax_path).parent
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(source / part, target / part)
    shutil.copy2(LICENCE, target / "LICENSE.txt")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    packaged_mathjax()
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
