"""Chapter 0: networks for images."""
