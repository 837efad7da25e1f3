"""Give every page a description for search engines and link previews.

A page written in MyST brings its own. That of a chapter is its title and the question at its head;
a page that has neither gets the book's.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from chapter_facts import ROOT, Facts, read_chapter

DESCRIPTION = (
    "From NNLM to BERT: the history of pre-training in language, every model built in PyTorch "
    "and every claim measured again."
)


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Add a description to a page that brings none."""
    path = ROOT / f"{page}.ipynb"
    told = of_chapter(read_chapter(path)) if path.is_file() else DESCRIPTION
    if 'name="description"' not in context.get("metatags", ""):
        context["metatags"] = (
            context.get("metatags", "") + f'<meta name="description" content="{escape(told)}" />\n'
        )


def of_chapter(facts: Facts) -> str:
    """Return the title of a chapter and its question, without the marks of emphasis."""
    return f"{facts.title}: {facts.question}".replace("*", "").replace("`", "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
