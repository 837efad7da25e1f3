"""Let the builder `singlehtml`, from which the PDF is printed, know every node that `html` knows.

Where one extension registers a node for `singlehtml` by name, as sphinx-exercise does, Sphinx asks
no longer how `html` would write the nodes of all the others.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def merge_handlers(app: Sphinx) -> None:
    """Add the handlers of `html` to those of `singlehtml`, which stay first."""
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = {**handlers.get("html", {}), **handlers.get("singlehtml", {})}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", merge_handlers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
