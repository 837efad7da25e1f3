"""The models of the history: one paper, one file."""
