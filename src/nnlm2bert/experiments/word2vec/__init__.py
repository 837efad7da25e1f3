"""Chapter 2: word2vec."""
