"""Chapter 5: GPT."""
