"""The directive `editions`: the way from one language of the book to the other.

Where both are built (`make chinese`), the English pages lie at the root, the Chinese ones below
`zh/`, and the environment variable `NNLM2BERT_EDITIONS` is set. Else the directive says nothing,
because the link would lead nowhere. A page of the Chinese edition that has no catalogue is English,
and says so to those who hear it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CATALOGUES = Path(__file__).resolve().parents[1] / "locale"
VARIABLE = "NNLM2BERT_EDITIONS"


class Editions(SphinxDirective):
    """A link to the same page in the other language."""

    def run(self) -> list[nodes.Node]:
        """Return the link, or nothing where only one language is built."""
        if not os.environ.get(VARIABLE) or self.env.app.builder.name == "singlehtml":
            return []
        page, up = self.env.docname, "../" * self.env.docname.count("/")
        if self.config.language == "en":
            address, lang, name = f"{up}zh/{page}.html", "zh-CN", "中文版"
        else:
            address, lang, name = f"{up}../{page}.html", "en", "English"
        link = f'<a lang="{lang}" hreflang="{lang}" href="{address}">{name}</a>'
        return [nodes.raw("", f'<p class="nnlm-editions">{link}</p>', format="html")]


def name_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Call a page English that the edition has in English only."""
    if tree is not None and not is_translated(app.config.language, page):
        context["language"] = "en"


def is_translated(language: str, page: str) -> bool:
    """Return whether there is a catalogue of the page in the language."""
    return (CATALOGUES / language / "LC_MESSAGES" / f"{page}.po").is_file()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("editions", Editions)
    app.connect("html-page-context", name_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
