"""The directive `claims-ledger`: every claim with its verdict, from the records, at build time."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nnlm2bert.experiments.claims import CHAPTERS, ledger

if TYPE_CHECKING:
    from nnlm2bert.experiments.claims import Row

CHIPS = {
    "holds": "holds",
    "does not hold": "fails",
    "cannot tell at this scale": "unclear",
    "not yet measured": "open",
}


def chip(verdict: str) -> str:
    """Return a verdict as the small coloured label that all pages use."""
    return f"[{verdict}]{{.nnlm-chip .nnlm-chip--{CHIPS[verdict]}}}"


def tally(rows: list[Row]) -> str:
    """Return one sentence that counts the verdicts."""
    counts = Counter(row.verdict for row in rows)
    told = [f"{counts[verdict]} {chip(verdict)}" for verdict in CHIPS if counts[verdict]]
    return f"Of {len(rows)} claims: " + ", ".join(told) + "."


def measured(row: Row) -> list[str]:
    """Return the fields that say what was found; none if nothing was measured."""
    if not row.ours:
        return []
    interval = ""
    if row.interval is not None and row.estimate is not None:
        low, high = row.interval
        interval = f"; {row.quantity}: {row.estimate:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    fields = [f":Ours: {sentence(row.ours.rstrip('.') + interval)}"]
    if row.note:
        fields.append(f":Note: {sentence(row.note)}")
    if row.record:
        fields.append(f":Record: `{row.record}`, scale {row.scale}")
    return fields


def sentence(text: str) -> str:
    """Return a text that ends as a sentence does."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def card(row: Row) -> str:
    """Return one claim as MyST text: the sentence, the verdict, the facts."""
    sources = ",".join(row.citations)
    return "\n".join(
        [
            f"(claim-{row.id})=",
            ":::{container} nnlm-claim",
            f"[{row.id}]{{.nnlm-claim-number}} {row.statement} {chip(row.verdict)}",
            "",
            f":Paper: {sentence(row.paper)} {{cite:p}}`{sources}`",
            f":Criterion: {sentence(row.criterion)}",
            *measured(row),
            ":::",
            "",
        ]
    )


class ClaimsLedger(SphinxDirective):
    """Set the whole ledger, chapter by chapter."""

    def run(self) -> list[nodes.Node]:
        """Return a sentence that counts the verdicts, and a section for each chapter."""
        order = list(CHAPTERS)
        rows = sorted(ledger(), key=lambda row: (order.index(row.chapter), row.id))
        groups = groupby(rows, key=lambda row: row.chapter)
        sections = [self.section(chapter, list(claims)) for chapter, claims in groups]
        return [*self.parse_text_to_nodes(tally(rows)), *sections]

    def section(self, chapter: str, claims: list[Row]) -> nodes.section:
        """Return the claims that one chapter has to settle, under its title."""
        section = nodes.section(ids=[f"claims-{chapter}"], names=[f"claims-{chapter}"])
        section += nodes.title("", "", nodes.Text(CHAPTERS[chapter]))
        if f"notebooks/{chapter}" in self.env.found_docs:
            link = f"Settled in {{doc}}`/notebooks/{chapter}`."
            section += self.parse_text_to_nodes(link)
        section += self.parse_text_to_nodes("\n".join(map(card, claims)))
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("claims-ledger", ClaimsLedger)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
