"""Readers of running prose: what is taken off the files, and how much is left of the real ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, File, fetch, find, load
from nnlm2bert.corpora.readers import books, movie_reviews, state_union
from nnlm2bert.corpora.registry import Book

HEADER = "# Title: T\r\n\r\n## Author: A\r\n\r\n## Year: 1900\r\n\r\n-------\r\n"
BOOK = (
    HEADER + "\r\n### Chapter _I_\r\n\r\nIt was _very_ **late** &amp; dark. \r\n\r\n* * *\r\n \n"
    "> Roses are red,\nviolets\ufeff blue.\n\n1\\. First--then\n\n**THE END.**\n"
)


def test_paragraphs_of_a_book():
    assert books.split_paragraphs(BOOK) == [
        "It was very late & dark.",
        "Roses are red, violets blue.",
        "1. First--then",
    ]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A book a split, in another order."""
    files, paths = [], {}
    for split in ("test", "validation", "train"):
        path = tmp_path / f"{split}.md"
        path.write_bytes(f"{HEADER}\r\nOf {split}.".encode())
        book = Book(f"The {split}", "A. B.", 1900, "fiction", split, 2)
        files.append(File(f"books/{split}.md", "", "", 0, book))
        paths[f"books/{split}.md"] = path
    corpus = type("Corpus", (), {"files": tuple(files)})
    monkeypatch.setattr(books, "find", lambda name: corpus)
    return paths


def test_books_by_split(shelf):
    (book,) = books.read_books(shelf, "test")
    assert (book.name, book.book.author, book.paragraphs) == ("test", "A. B.", ["Of test."])
    with pytest.raises(CorpusError, match="no split 'dev'; it has train, validation, test"):
        list(books.read_books(shelf, "dev"))


def test_rows_of_books(shelf):
    splits = books.read(shelf)
    assert {split: len(rows) for split, rows in splits.items()} == {
        "train": 1,
        "validation": 1,
        "test": 1,
    }
    assert splits["train"][0] == {
        "name": "train",
        "title": "The train",
        "author": "A. B.",
        "year": 1900,
        "kind": "fiction",
        "paragraphs": ["Of train."],
    }


def test_movie_reviews(tmp_path):
    path = tmp_path / "reviews.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("movie_reviews/pos/cv000_1.txt", "good ! \n\nvery good\n")
        archive.writestr("movie_reviews/neg/cv001_2.txt", "bad .\n")
        archive.writestr("movie_reviews/README", "read")
    rows = movie_reviews.read({"movie-reviews/movie_reviews.zip": path})
    assert rows["name"][:] == ["neg/cv001_2", "pos/cv000_1"]
    assert rows["label"][:] == [0, 1]
    assert rows["sentences"][1] == [["good", "!"], ["very", "good"]]


def test_state_union(tmp_path):
    path = tmp_path / "addresses.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "state_union/1991-Bush-2.txt", b"TITLE\r\n \r\nOur age\xa1Xand America\xa1\xa6s"
        )
        archive.writestr(
            "state_union/1945-Truman.txt", b"My friends. (Applause.) A \xbd more [Laughter]"
        )
    first, second = state_union.read({"state-union/state_union.zip": path})
    assert first == {
        "name": "1945-Truman",
        "year": 1945,
        "president": "Truman",
        "paragraphs": ["My friends. A ½ more"],
    }
    assert (second["name"], second["president"]) == ("1991-Bush-2", "Bush")
    assert second["paragraphs"] == ["TITLE", "Our age—and America’s"]


def test_counts_of_movie_reviews_and_addresses(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, "movie-reviews", "state-union")
    reviews = load("movie-reviews")
    assert (len(reviews), sum(reviews["label"])) == (2_000, 1_000)
    assert sum(len(line) for review in reviews["sentences"] for line in review) == 1_492_681
    addresses = load("state-union")
    assert (len(addresses), min(addresses["year"]), max(addresses["year"])) == (65, 1945, 2006)
    assert not any("\xa1" in text for paragraphs in addresses["paragraphs"] for text in paragraphs)


def test_held_out_books_have_the_words_of_the_registry(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, "books")
    paths = fetch("books")
    counts = {
        split: sum(
            sum(len(text.split()) for text in book.paragraphs) - book.book.words
            for book in books.read_books(paths, split)
        )
        for split in ("validation", "test")
    }
    assert counts == {"validation": 0, "test": 0}
    splits = [file.book.split for file in find("books").files]
    assert [splits.count(split) for split in books.SPLITS] == [186, 9, 7]
    assert len({Path(file.path).stem for file in find("books").files}) == len(splits)
