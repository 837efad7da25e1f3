"""The running text: sets made alike, sentences, documents, rare words; its real size."""

from __future__ import annotations

import os
import re
from types import MappingProxyType

import numpy as np
import pytest
from loopback import use_real_data

from nnlm2bert.corpora import RUNNING_TEXT, CorpusError, load_running_text, running
from nnlm2bert.corpora import running_sets as sets
from nnlm2bert.corpora.readers.brown import BrownText
from nnlm2bert.corpora.words import split_token, split_words

BROWN = [("ca01", [["The", "dog", "didn't", "bark"], ["The", "cat", "."]]), ("ca02", [["dog"]])]
PAGES = [("0", [["<unk>", "The", "dog", ".", "The", "<unk>"], ["<unk>"], ["Cat", "'s", "dog"]])]
SMALL = {"state-union": 391_765, "movie-reviews": 1_525_676}
ALL = {
    "brown": 1_173_176,
    "wikitext-2": 1_922_955,
    "movie-reviews": 1_525_676,
    "state-union": 391_765,
    "books": 20_126_225,
}
WHOLE = "NNLM2BERT_WHOLE_TEXT"


@pytest.fixture
def toy(monkeypatch):
    def documents(name, rows):
        return lambda: ((f"{name}/{key}", blocks) for key, blocks in rows)

    toys = {
        "brown": sets.RunningSet(documents("brown", BROWN), split_token, blocks_are_sentences=True),
        "wikitext-2": sets.RunningSet(documents("wikitext-2", PAGES), split_token),
    }
    monkeypatch.setattr(running, "SETS", MappingProxyType(toys))
    return ("brown", "wikitext-2")


def _words(text):
    return [text.types[i] for i in text.ids]


def test_words_in_running_order(toy):
    text = load_running_text(toy)
    assert " ".join(_words(text)) == (
        "the dog did n't bark the cat . dog the dog . the cat 's dog"  # and <unk> is left out
    )
    assert text.ids.dtype == text.sentences.dtype == text.documents.dtype == np.int32
    assert len(text) == 16


def test_sentences_and_documents_are_numbered_through(toy):
    text = load_running_text(toy)
    assert text.sentences.tolist() == [0] * 5 + [1] * 3 + [2] + [3] * 3 + [4] + [6] * 3
    assert text.documents.tolist() == [0] * 8 + [1] + [2] * 7
    assert text.names == ("brown/ca01", "brown/ca02", "wikitext-2/0")
    assert text.words_per_set() == {"brown": 9, "wikitext-2": 7}


def test_types_fall_in_frequency_then_by_alphabet(toy):
    text = load_running_text(toy)
    assert text.types == ["dog", "the", ".", "cat", "'s", "bark", "did", "n't"]
    assert text.counts.tolist() == np.bincount(text.ids).tolist() == [4, 4, 2, 2, 1, 1, 1, 1]


def test_case_is_kept_on_request(toy):
    text = load_running_text(toy, lower=False)
    assert {"The", "Cat", "cat"} <= set(text.types)
    assert "the" not in text.types


def test_limit_takes_rare_words_out_of_the_stream(toy):
    text = load_running_text(toy).limit(2)
    assert " ".join(_words(text)) == "the dog the cat . dog the dog . the cat dog"
    assert text.types == ["dog", "the", ".", "cat"]
    assert text.counts.tolist() == [4, 4, 2, 2]
    assert text.sentences.tolist() == [0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 6, 6]
    assert len(text.documents) == len(text)
    assert len(text.limit(100)) == 0


@pytest.mark.parametrize("names", [(), ("brown", "semcor")])
def test_unknown_sets(names):
    with pytest.raises(CorpusError, match=r"choose from brown, wikitext-2"):
        load_running_text(names)


def test_what_wikitext_cuts_is_put_together():
    cut = "two @-@ day 1 @,@ 000 @,@ 000 3 @.@ 5 didn 't men 's O 'Brien 's <unk> @-@ like"
    whole = "two-day 1,000,000 3.5 didn't men 's O'Brien 's <unk>-like"
    assert sets._whole_words(cut.split()) == whole.split()


def test_what_movie_reviews_cut_is_put_together():
    cut = "mr . x in the u . s . , i . e . 10 , 000 cats &amp dr\x12s \x13 dogs \x14"
    whole = 'mr. x in the u.s. , i.e. 10,000 cats & dr\'s " dogs "'
    assert sets._whole_stops(cut.split()) == whole.split()


def test_spaced_full_stops_are_an_ellipsis():
    assert [
        w for p in sets._raw("so . . . it is.") for w in split_words(p)
    ] == "so ... it is .".split()


def test_brown_paragraphs_become_sentences(monkeypatch):
    from nnlm2bert.corpora.readers import brown

    text = BrownText("ca01", "news", [[[("A", "at"), ("b", "nn")]], [[("c", "nn")]]])
    monkeypatch.setattr(sets, "fetch", lambda name: {})
    monkeypatch.setattr(brown, "read_texts", lambda paths: iter([text]))
    assert list(sets.SETS["brown"].documents()) == [("brown/ca01", [["A", "b"], ["c"]])]


def test_only_training_parts_are_read(monkeypatch):
    from nnlm2bert.corpora.readers import books

    rows = {"article": [0, 0, 1], "level": [1, 0, 0], "tokens": [["=", "T", "="], [], ["a"]]}
    asked = []
    monkeypatch.setattr(sets, "fetch", lambda name: {})
    monkeypatch.setattr(sets, "load", lambda name: {"train": rows})
    monkeypatch.setattr(books, "read_books", lambda paths, split: asked.append(split) or iter(()))
    pages = list(sets.SETS["wikitext-2"].documents())
    assert pages == [("wikitext-2/0", [["T"]]), ("wikitext-2/1", [["a"]])]
    assert list(sets.SETS["books"].documents()) == []
    assert asked == ["train"]


def test_the_real_small_sets(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, *SMALL)
    text = load_running_text(tuple(SMALL))
    assert text.words_per_set() == SMALL
    assert (len(text.types), text.names[0]) == (48_991, "state-union/1945-Truman")
    assert text.types[:6] == ["the", ",", ".", "and", "of", "a"]
    assert not any(re.search(r"\s", word) or word != word.lower() for word in text.types)
    assert (np.diff(text.sentences) >= 0).all() and (np.diff(text.documents) >= 0).all()
    assert (np.diff(text.sentences)[np.diff(text.documents) > 0] > 0).all()


@pytest.mark.skipif(WHOLE not in os.environ, reason=f"half a minute; {WHOLE}=1 runs it")
def test_the_whole_real_text(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, *ALL)
    text = load_running_text()
    assert text.words_per_set() == ALL
    assert (len(text), len(text.types), len(text.names)) == (sum(ALL.values()), 170_652, 3_351)
    assert (len(text.limit(5)), len(text.limit(5).types)) == (24_965_717, 60_940)
    assert np.unique(text.sentences).size == 1_093_770


def test_the_names_of_the_sets():
    assert RUNNING_TEXT == ("brown", "wikitext-2", "movie-reviews", "state-union", "books")
