"""Chapter 4: the Transformer."""
