"""The laboratory: Pocket English, its exact oracles and its tasks."""

from nnlm2bert.synthetic.grammar import Grammar
from nnlm2bert.synthetic.oracle import Oracle
from nnlm2bert.synthetic.pocket_english import PocketEnglish, Sample

__all__ = ["Grammar", "Oracle", "PocketEnglish", "Sample"]
