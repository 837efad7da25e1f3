"""The directive `claims-ledger` (written when the ledger is at hand)."""
from docutils import nodes
from sphinx.util.docutils import SphinxDirective
class Ledger(SphinxDirective):
    def run(self):
        return [nodes.paragraph("", "x")]
def setup(app):
    app.add_directive("claims-ledger", Ledger)
    return {}
