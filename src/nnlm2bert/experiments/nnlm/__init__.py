"""Chapter 1: NNLM."""
