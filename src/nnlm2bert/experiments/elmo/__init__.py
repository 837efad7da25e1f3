"""Chapter 3: ELMo."""
