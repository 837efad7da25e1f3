"""One convention of words for raw text and for text published in tokens; sentences by its rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlm2bert.corpora.words import (
    UNKNOWN,
    sentence_starts,
    split_token,
    split_words,
    word_places,
)

SPLIT = [
    ("The man's dogs' bones.", "The man 's dogs ' bones ."),
    ("I don't, can't, won't; didn't you?", "I do n't , ca n't , wo n't ; did n't you ?"),
    ("We'll say it's what they've got, I'm sure he'd", "We 'll say it 's what they 've got , "),
    ("DON'T! It’s", "DO N'T ! It 's"),
    ("a well-known mother-in-law's o'clock", "a well-known mother-in-law 's o'clock"),
    ("“Yes,” ``no'' \"so\"", '" Yes , " " no " " so "'),
    ("world--Professor—now – then", "world -- Professor -- now -- then"),
    ("Well... what… so", "Well ... what ... so"),
    ("Mr. and Mrs. J. St. John of the U.S. left.", "Mr. and Mrs. J. St. John of the U.S. left ."),
    ("It was I. At 9:30 a.m. precisely", "It was I . At 9:30 a.m. precisely"),
    ("$1,000.50 (5%), 3.5, 1/2; the 20th and 1920s.", "$ 1,000.50 ( 5 % ) , 3.5 , 1/2 ; the 20th "),
    ("'Tis for 'em, 'twas said, O'Brien", "'Tis for 'em , 'twas said , O'Brien"),
    ("the 1,000th at 9:30pm", "the 1,000th at 9:30pm"),
    ("goin' 'home'", "goin ' ' home '"),
    ("café Ångström naïve", "café Ångström naïve"),
    ("so\xadft\ufeff co‑op", "soft co-op"),
]


@pytest.mark.parametrize(("text", "words"), SPLIT)
def test_raw_text(text, words):
    assert " ".join(split_words(text)).startswith(words)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("Ala.", ["Ala."]),
        (".", ["."]),
        ("man's", ["man", "'s"]),
        ("didn't", ["did", "n't"]),
        ("``", ['"']),
        ("''", ['"']),
        ("$5", ["$", "5"]),
        ("over-all", ["over-all"]),
        ("<unk>", [UNKNOWN]),
        ("<unk>-based", [UNKNOWN]),
    ],
)
def test_published_tokens(token, words):
    assert split_token(token) == words


@given(st.text(alphabet="aB1.,-'’\"! \nn'tsé$", max_size=40))
def test_pieces_between_white_space_split_like_the_whole(text):
    """As the running text relies on: each type of piece is split once."""
    assert split_words(text) == [word for piece in text.split() for word in split_words(piece)]


@given(st.text(alphabet="aB1.,-'\"!n'ts$ ", max_size=40))
def test_words_are_split_no_further(text):
    once = split_words(text)
    again = split_words(" ".join(once).replace(" . ", " .\n"))
    assert "".join(once) == "".join(again)


@given(st.text(alphabet="aB1.,-\"\xad\u2019–n'ts$ ", max_size=40))
def test_places_are_those_of_the_words(text):
    places = word_places(text)
    assert [split_words(text[first:after]) for first, after in places] == [
        [word] for word in split_words(text)
    ]
    assert sorted(places) == places and all(first < after for first, after in places)


def _sentences(*blocks):
    words = [split_words(block) for block in blocks]
    flat = [word for block in words for word in block]
    types = sorted(set(flat))
    ids = np.array([types.index(word) for word in flat])
    numbers = np.repeat(np.arange(len(blocks)), [len(block) for block in words])
    starts = sentence_starts(ids, types, numbers)
    cut = np.split(np.array(flat), np.flatnonzero(starts)[1:])
    return [" ".join(sentence) for sentence in cut]


def test_full_stops_end_sentences_and_abbreviations_do_not():
    assert _sentences("Mr. Hyde left. Nobody saw him!? Who was he? He was.") == [
        "Mr. Hyde left .",
        "Nobody saw him ! ?",
        "Who was he ?",
        "He was .",
    ]


def test_a_lower_case_word_goes_on():
    assert _sentences('"Go!" he said. "Now?" -- She went.') == [
        '" Go ! " he said .',
        '" Now ? " -- She went .',
    ]


def test_closing_marks_belong_to_what_they_close():
    assert _sentences('He said: "Go." "No," (she laughed.) "I stay."') == [
        'He said : " Go . "',
        '" No , " ( she laughed . )',
        '" I stay . "',
    ]


def test_every_block_begins_a_sentence_and_counts_its_own_quotation_marks():
    assert _sentences('"One. "Two.', "and three", 'Four." "Five."') == [
        '" One . "',
        "Two .",
        "and three",
        "Four .",
        '" " Five . "',
    ]
