"""Give every page a description for search engines and link previews, its own or the book's."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DESCRIPTION = (
    "From NNLM to BERT: the history of pre-training in language, every model built in PyTorch "
    "and every claim measured again."
)


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Add the book's description to a page that brings none."""
    if 'name="description"' not in context.get("metatags", ""):
        context["metatags"] = (
            context.get("metatags", "")
            + f'<meta name="description" content="{escape(DESCRIPTION)}" />\n'
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
