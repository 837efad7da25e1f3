"""Held-out text to the convention of the running text, and none of it in what is trained on."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, running
from nnlm2bert.corpora import running_sets as sets
from nnlm2bert.corpora.running import HELD_OUT_TEXT, load_held_out
from nnlm2bert.corpora.words import split_token

PAGES = [("0", [["<unk>", "The", "dog", ".", "The", "<unk>"], ["Cat", "'s", "dog"]])]


@pytest.fixture
def toy(monkeypatch):
    def documents():
        return ((f"wikitext-2/{key}", blocks) for key, blocks in PAGES)

    toys = {"wikitext-2": sets.RunningSet(documents, split_token)}
    monkeypatch.setattr(running, "HELD_OUT_SETS", MappingProxyType(toys))


def test_words_and_sentences_are_those_of_the_running_text(toy):
    text = load_held_out("wikitext-2", lower=False)
    assert [text.types[i] for i in text.ids] == ["The", "dog", ".", "The", "Cat", "'s", "dog"]
    assert text.sentences.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert "the" in load_held_out("wikitext-2").types


def test_a_set_of_which_nothing_is_held_out_is_refused():
    with pytest.raises(CorpusError, match=r"Nothing of 'brown' is held out; choose from wikitext"):
        load_held_out("brown")


def test_the_splits_of_the_published_sets(monkeypatch, tmp_path):
    use_real_data(monkeypatch, tmp_path, *HELD_OUT_TEXT)
    sizes = {name: len(load_held_out(name)) for name in HELD_OUT_TEXT}
    assert sizes == {"wikitext-2": 194_320, "books": 586_416}
