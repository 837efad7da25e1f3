"""From NNLM to BERT: every stage of the history of pre-training, built and measured."""

__version__ = "0.1.0"
