"""The laboratory's networks as files that a reader's browser computes with.

`networks` trains them, `letters` writes weights as letters, `grammar` writes the language itself,
`answers` says what network and grammar answer, and `export` does all of it for the book.
"""
