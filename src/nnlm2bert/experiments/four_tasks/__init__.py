"""Chapter 7: four families of tasks."""
