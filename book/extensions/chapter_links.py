"""The role `chapter`: a link to a chapter that exists, a note beside one that does not."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole

NOT_WRITTEN = {"zh_CN": "编写中"}  # in other languages: in preparation


class Chapter(ReferenceRole):
    """Link `title <page>` if the page is in the book, else mark it as in preparation."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, or the title with a chip."""
        if self.target in self.env.found_docs:
            return [self.link()], []
        note = NOT_WRITTEN.get(self.config.language, "in preparation")
        chip = nodes.inline("", note, classes=["nnlm-chip", "nnlm-chip--open"])
        return [nodes.Text(f"{self.title} "), chip], []

    def link(self) -> nodes.Node:
        """Return a reference that Sphinx resolves, and warns of when it cannot."""
        title = nodes.inline("", self.title, classes=["std", "std-doc"])
        return addnodes.pending_xref(
            "",
            title,
            refdoc=self.env.docname,
            refdomain="std",
            reftype="doc",
            reftarget=f"/{self.target}",
            refexplicit=True,
            refwarn=True,
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_role("chapter", Chapter())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
