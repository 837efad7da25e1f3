"""Readers follow the format of the files; on the real files they give the published counts."""

from __future__ import annotations

import re
import socket
import zipfile

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, available, find, load, readers
from nnlm2bert.corpora.readers import brown, wikitext2

GENRES = "cb01 editorial\nca01 news\n"
NEWS = "\n\n\tOf/in 1/2/cd said/vbd\nIt/pps //in is/bez\n\n\n\nFine/jj-hl \n\n"
EDITORIAL = "Still/rb\n \nStill/rb\n"
PAGES = " \n = Bank = \n \n The <unk> bank \n \n = = On = = \n \n River @-@ bank \n"
TABLE = " = one = \n = two = \n"


@pytest.fixture
def brown_paths(tmp_path):
    path = tmp_path / "brown.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("brown/cb01", EDITORIAL)
        archive.writestr("brown/ca01", NEWS)
        archive.writestr("brown/cats.txt", GENRES)
        archive.writestr("brown/README", "about/nn the/at corpus/nn")
    return {"brown/brown.zip": path}


@pytest.fixture
def wikitext_paths(tmp_path):
    texts = {"train": PAGES + PAGES + TABLE, "valid": PAGES, "test": PAGES}
    for stem, text in texts.items():
        (tmp_path / f"{stem}.txt").write_bytes(text.encode())
    return {f"wikitext-2/{stem}.txt": tmp_path / f"{stem}.txt" for stem in texts}


def test_brown_rows(brown_paths):
    news, editorial = brown.read(brown_paths)
    assert (news["name"], news["genre"]) == ("ca01", "news")
    assert (editorial["name"], editorial["genre"]) == ("cb01", "editorial")
    assert news["sentences"] == [["Of", "1/2", "said"], ["It", "/", "is"], ["Fine"]]
    assert news["tags"] == [["in", "cd", "vbd"], ["pps", "in", "bez"], ["jj-hl"]]
    assert news["paragraphs"] == [0, 0, 1]
    assert editorial["paragraphs"] == [0, 1]


def test_wikitext_rows(wikitext_paths):
    pages = wikitext2.read(wikitext_paths)["validation"]
    assert pages["tokens"][1:4] == [["=", "Bank", "="], [], ["The", "<unk>", "bank"]]
    assert pages["tokens"][7] == ["River", "@-@", "bank"]
    assert pages["level"] == [0, 1, 0, 0, 0, 2, 0, 0]
    assert len(pages) == PAGES.count("\n")


def test_wikitext_articles(wikitext_paths):
    train = wikitext2.read(wikitext_paths)["train"]
    assert train["article"] == [0] * 9 + [1] * 9
    assert train["level"][-2:] == [0, 0]  # rows of a table stand side by side: no headings


def test_reading_leaves_no_file_behind(brown_paths, tmp_path):
    dataset = brown.read(brown_paths)
    assert dataset.cache_files == []
    assert [path.name for path in tmp_path.rglob("*")] == ["brown.zip"]


def test_without_a_reader(folders):
    with pytest.raises(CorpusError, match=r"mrpc has no reader; load reads brown, wikitext-2, "):
        load("mrpc")


def test_every_reader_belongs_to_a_set():
    assert len(readers()) == 23
    assert all(find(name).name == name for name in readers())


def test_unknown_set():
    with pytest.raises(CorpusError, match="Did you mean 'brown'"):
        load("Brown")


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """The real data, and every attempt to reach a network is an error."""

    def refuse(*_):
        raise AssertionError("loading from disk must not look for a network")

    with pytest.MonkeyPatch.context() as patch:
        use_real_data(patch, tmp_path_factory.mktemp("cache"), "brown", "wikitext-2")
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


def _numbers(name):
    """The numbers in the registry's description of the size, commas taken out."""
    return {int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", find(name).size_info)}


@pytest.fixture(scope="module")
def real_brown(offline):
    assert available("brown")
    return load("brown")


def test_counts_of_brown(real_brown):
    tokens = sum(len(s) for text in real_brown["sentences"] for s in text)
    tags = {tag for text in real_brown["tags"] for sentence in text for tag in sentence}
    sentences = sum(map(len, real_brown["sentences"]))
    counted = {len(real_brown), len(set(real_brown["genre"])), sentences, tokens, len(tags)}
    assert counted == {500, 15, 57_340, 1_161_192, 472} <= _numbers("brown")
    assert sum(text[-1] + 1 for text in real_brown["paragraphs"]) == 15_667
    assert real_brown["name"] == sorted(real_brown["name"])
    assert (real_brown["name"][0], real_brown["name"][-1]) == ("ca01", "cr09")


def test_counts_of_wikitext(offline):
    counts = {
        split: (len(rows), sum(map(len, rows["tokens"])), rows["article"][-1] + 1)
        for split, rows in load("wikitext-2").items()
    }
    assert counts == {
        "train": (36_718, 2_051_910, 600),
        "validation": (3_760, 213_886, 60),
        "test": (4_358, 241_211, 60),
    }
    assert {n for lines, tokens, _ in counts.values() for n in (lines, tokens)} <= _numbers(
        "wikitext-2"
    )
