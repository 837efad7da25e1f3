"""The registry is complete, pinned and consistent, and agrees with the files where they are."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, find, hashes, locate, registry, verify

SETS = list(registry().values())
FILES = [file for corpus in SETS for file in corpus.files]
SMALL = [corpus.name for corpus in SETS if corpus.total_bytes < 5e6]


def test_holds_thirty_sets():
    assert len(SETS) == 30
    assert (len(find("books").files), len(find("semcor").files)) == (202, 188)


@pytest.mark.parametrize("corpus", SETS, ids=lambda corpus: corpus.name)
def test_every_set_is_described(corpus):
    for text in (corpus.description, corpus.licence, corpus.licence_short, corpus.size_info):
        assert text.strip()
    assert corpus.format_notes and corpus.chapters and corpus.files


@pytest.mark.parametrize("corpus", SETS, ids=lambda corpus: corpus.name)
def test_every_url_is_pinned_to_a_commit_of_the_sources(corpus):
    for source in corpus.sources:
        assert re.fullmatch(r"[0-9a-f]{40}", source.commit)
    pinned = tuple(
        f"https://raw.githubusercontent.com/{source.repository}/{source.commit}/"
        for source in corpus.sources
    )
    assert all(file.url.startswith(pinned) for file in corpus.files)


@pytest.mark.parametrize("corpus", SETS, ids=lambda corpus: corpus.name)
def test_bytes_add_up(corpus):
    assert sum(file.bytes for file in corpus.files) == corpus.total_bytes > 0


@pytest.mark.parametrize("corpus", SETS, ids=lambda corpus: corpus.name)
def test_paths_stay_in_the_folder_of_the_set(corpus):
    for file in corpus.files:
        path = PurePosixPath(file.path)
        assert not path.is_absolute() and ".." not in path.parts and "\\" not in file.path
        assert path.parts[0] == corpus.name


def test_paths_are_unique_and_hashes_are_sha256():
    assert len({file.path.lower() for file in FILES}) == len(FILES)
    assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in FILES)


def test_books_carry_title_author_and_split():
    books = [file.book for file in find("books").files]
    assert Counter(book.split for book in books) == {"train": 186, "validation": 9, "test": 7}
    assert sum(book.words for book in books) == 17_813_726
    assert all(book.title and book.author and book.kind for book in books)
    assert all(1790 < book.year < 1924 for book in books)
    splits = defaultdict(set)
    for book in books:
        splits[book.author].add(book.split)
    assert all(len(of_author) == 1 for of_author in splits.values())


def test_only_books_carry_books():
    assert all(file.book is None for file in FILES if not file.path.startswith("books/"))


def test_unknown_name_names_its_neighbours():
    with pytest.raises(CorpusError, match=r"'Wikitext2'.*'wikitext-2'.*data list"):
        find("Wikitext2")


def test_unknown_name_without_neighbours():
    with pytest.raises(CorpusError, match=r"'zzz'\. `python -m nnlm2bert data list`"):
        find("zzz")


def test_hashes_by_path():
    (file,) = find("brown").files
    assert hashes("brown") == {"brown/brown.zip": file.sha256}


@pytest.mark.parametrize("corpus", SETS, ids=lambda corpus: corpus.name)
def test_sizes_of_the_files_at_hand(corpus, tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, corpus.name)
    for copy in locate(corpus):
        assert copy.path.stat().st_size == copy.file.bytes


@pytest.mark.parametrize("name", SMALL)
def test_hashes_of_the_small_sets_at_hand(name, tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, name)
    assert verify(name) == []
