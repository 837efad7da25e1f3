"""Chapter 8: the family tree."""
