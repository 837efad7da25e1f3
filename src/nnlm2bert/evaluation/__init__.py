"""Measures: perplexity, accuracy, intervals."""
