"""Chapter 6: BERT."""
