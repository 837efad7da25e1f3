"""From text to numbers."""

from nnlm2bert.tokenizers.vocabulary import UNKNOWN, Vocabulary

__all__ = ["UNKNOWN", "Vocabulary"]
