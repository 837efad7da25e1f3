import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlm2bert.tokenizers import bpe
from nnlm2bert.tokenizers.bpe import BPE, END_OF_WORD, alphabet, learn_by_recounting, merge, spell

PAPER = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
"""The words of Sennrich et al. (2016), algorithm 1."""

words = st.text("abc", min_size=1, max_size=8)
texts = st.dictionaries(words, st.integers(1, 5), min_size=1, max_size=12)


def test_the_papers_example_is_merged_in_this_order():
    merged = " ".join(map("".join, BPE.learn(PAPER, 8).merges))
    assert merged == "es est</w> lo ew new newest</w> low</w> dest</w>"


def test_of_pairs_seen_equally_often_the_one_of_the_oldest_tokens_is_first():
    assert BPE.learn({"cd": 1, "ab": 1, "ac": 1}, 3).merges == (
        ("a", "b</w>"),
        ("a", "c</w>"),
        ("c", "d</w>"),
    )
    assert BPE.learn({"xab": 2, "yc": 2}, 2).merges == (("a", "b</w>"), ("x", "ab</w>"))


@given(texts, st.integers(0, 30))
def test_what_is_kept_up_to_date_is_what_a_recount_finds(text, merges):
    assert list(BPE.learn(text, merges).merges) == learn_by_recounting(text, merges)


@given(texts)
def test_without_a_limit_every_word_becomes_one_token(text):
    learnt = BPE.learn(text, merges=1_000)
    assert [learnt.encode(word) for word in text] == [[word + END_OF_WORD] for word in text]
    assert len(set(learnt.tokens)) == len(learnt.tokens)  # no token is found in two ways


@given(texts)
def test_the_order_of_the_words_does_not_matter(text):
    assert BPE.learn(text, 9).merges == BPE.learn(dict(sorted(text.items())), 9).merges


@given(texts, st.lists(words, max_size=5), st.integers(0, 20))
def test_decoding_gives_the_words_back(text, sentence, merges):
    learnt = BPE.learn({"abc": 1, **text}, merges)
    pieces = [token for word in sentence for token in learnt.encode(word)]
    assert learnt.decode(pieces) == " ".join(sentence)
    assert set(pieces) <= set(learnt.tokens)


def test_an_unseen_word_is_merged_in_the_order_learnt():
    learnt = BPE.learn({"bcx": 9, "abx": 3}, 3)
    assert learnt.merges == (("b", "c"), ("bc", "x</w>"), ("a", "b"))
    assert learnt.encode("abcx") == ["a", "bcx</w>"]  # from the left it were "ab" first


def test_a_character_never_seen_is_unknown_and_its_neighbours_are_not():
    learnt = BPE.learn(PAPER, 2)
    assert learnt.encode("w?est") == ["w", "<unk>", "est</w>"]
    assert learnt.encode("low?")[-1] == "<unk>" and learnt.encode("") == ["<unk>"]


def test_a_character_is_known_within_a_word_and_at_its_end():
    learnt = BPE.learn({"ab": 1}, 0)
    assert learnt.encode("ba") == ["b", "a</w>"]
    assert list(learnt.tokens) == alphabet(["ab"]) == ["a", "b", "a</w>", "b</w>"]
    assert learnt.ids["b</w>"] == 3


@pytest.mark.parametrize(
    ("word", "expected"),
    [("aaa", "aa a"), ("aaaa", "aa aa"), ("baab", "b aa b"), ("ab", "a b"), ("a", "a")],
)
def test_pairs_are_merged_from_the_left(word, expected):
    assert merge(tuple(word), ("a", "a")) == tuple(expected.split())


def test_only_the_last_character_bears_the_end_of_the_word():
    assert spell("a") == ("a</w>",) and spell("aa") == ("a", "a</w>")


def test_the_examples_in_the_text_are_true():
    results = doctest.testmod(bpe)
    assert results.attempted and not results.failed
