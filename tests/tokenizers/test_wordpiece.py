import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlm2bert.tokenizers import wordpiece
from nnlm2bert.tokenizers.wordpiece import (
    MASK_ID,
    PADDING_ID,
    SPECIAL,
    UNKNOWN,
    UNKNOWN_ID,
    WordPiece,
    alphabet,
    basic_tokenize,
    clean,
    is_ideograph,
    is_punctuation,
    learn_pieces,
    lower,
    spell,
    strip_accents,
    written,
)

PAPER = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
"""The words of Sennrich et al. (2016), algorithm 1."""

words = st.text("abc", min_size=1, max_size=8)
texts = st.dictionaries(words, st.integers(1, 5), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc\rd\xa0e\u2028f\u3000g", "a b c d e f g"),
        ("a\x00b\x07c\x0bd\x85e\x7ff", "abcdef"),  # controls that are not kept
        ("so\xadft\u200bzero\ufeff\u202e", "softzero"),
        ("a\ufffdb\ue000c\U0010fffdd\ud800e", "abcde"),
        ("\u0378", "\u0378"),  # not assigned: Unicode says nothing of it
    ],
)
def test_what_cannot_be_seen_is_thrown_away_and_white_space_is_spaces(text, expected):
    assert clean(text) == expected


def test_ideographs_are_told_from_other_letters():
    assert all(map(is_ideograph, "一北鿿㐀𠀀𪜀豈丽"))
    assert not any(map(is_ideograph, "aéのノ한、。ー〇"))


def test_punctuation_is_all_of_unicode_and_the_marks_of_ascii():
    assert all(map(is_punctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¿“”—…、。《》"))
    assert not any(map(is_punctuation, "a0é €£°©😀一 \t"))


def test_accents_are_stripped_from_letters_and_nothing_else():
    assert strip_accents("Ångström Příliš ệ naïve ñ") == "Angstrom Prilis e naive n"
    assert strip_accents("e\u0301\u0302x") == "ex" and strip_accents("øłß") == "øłß"
    assert len(strip_accents("한")) == 3  # Hangul comes apart into its letters


def test_letters_are_lowered_one_by_one():
    assert lower("ΣΟΦΟΣ AßẞÉ") == "σοφοσ aßßé"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop!", "don ' t stop !"),
        ("  1,000.5 \n well-known\t", "1 , 000 . 5 well - known"),
        ("北京is 大", "北 京 is 大"),
        ("すし寿司 초밥", "すし 寿 司 초밥"),
        ("I❤NY 😀😀", "i❤ny 😀😀"),
        ("[MASK] ##a a##b", "[ mask ] # # a a # # b"),
        ("É\u0301cole ĠÉANT", "ecole geant"),
        ("a\u2009b ab", "a b ab"),
        ("\u200b \ufffd\x00", ""),
        ("", ""),
    ],
)
def test_any_text_becomes_words(text, expected):
    plain = strip_accents(expected)  # Hangul in letters
    assert basic_tokenize(text) == plain.split()


@settings(deadline=None)
@given(st.text("aÉ\u0301Σ -'!漢한☺\t\u200b\x00"))
def test_words_are_plain_and_stay_so(text):
    found = basic_tokenize(text)
    assert all(word.split() == [word] for word in found)
    assert all(len(word) == 1 for word in found if any(map(is_punctuation, word)))
    assert basic_tokenize(" ".join(found)) == found


def test_the_begin_of_a_word_is_marked_and_bert_marks_the_rest():
    assert spell("low") == (" l", "o", "w") and spell("a") == (" a",)
    assert [written(token) for token in spell("low")] == ["l", "##o", "##w"]


def test_characters_get_a_second_token_only_if_words_go_on_with_them():
    assert alphabet(["ba", "c", "!"]) == [" !", " a", " b", " c", "a"]


def test_the_words_of_the_bpe_paper_give_these_pieces():
    learnt = WordPiece.learn(PAPER, 30)
    assert learnt.tokens[:5] == SPECIAL and learnt.tokens[5:15] == tuple("deilnorstw")
    assert learnt.tokens[15:22] == ("##d", "##e", "##i", "##o", "##r", "##s", "##t")
    assert " ".join(learnt.tokens[22:]) == "##w ##es ##est lo low ne ##west newest"


def test_of_pairs_seen_equally_often_the_one_of_the_oldest_tokens_is_first():
    learnt = learn_pieces({"cd": 1, "ab": 1, "ac": 1}, 100)
    assert learnt[-3:] == ["ab", "ac", "cd"]
    assert learn_pieces({"xyab": 2, "xya": 1}, 100)[-3:] == ["xy", "xya", "xyab"]


@settings(deadline=None)
@given(texts)
def test_without_a_limit_every_word_becomes_one_piece(text):
    learnt = WordPiece.learn(text, 10_000)
    assert [learnt.cut(word) for word in text] == [[word] for word in text]
    assert len(learnt.ids) == len(learnt.tokens)  # no piece is found in two ways


@settings(deadline=None)
@given(texts, st.integers(0, 40))
def test_the_vocabulary_is_no_larger_than_asked_and_the_order_of_words_does_not_matter(text, more):
    size = len(SPECIAL) + len(alphabet(text)) + more
    learnt = learn_pieces(text, size)
    assert len(learnt) <= size and learn_pieces(dict(sorted(text.items())), size) == learnt


@settings(deadline=None)
@given(texts, st.lists(words, max_size=5), st.integers(0, 20))
def test_decoding_gives_the_words_back(text, sentence, more):
    known = {"abcabc": 1, **text}
    learnt = WordPiece.learn(known, len(SPECIAL) + len(alphabet(known)) + more)
    assert learnt.decode(learnt.encode(" ".join(sentence))) == " ".join(sentence)


@pytest.fixture
def pieces():
    return WordPiece([*SPECIAL, "a", "ab", "##b", "##bc", "##d", "abcd", "##de"])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("abcd", "abcd"),
        ("abd", "ab ##d"),
        ("abcde", "[UNK]"),  # "abcd" is taken, though "a ##bc ##de" would do
        ("ade", "a ##de"),
        ("abb", "ab ##b"),
        ("ba", "[UNK]"),  # "b" begins no piece
        ("abx", "[UNK]"),  # one letter is enough
        ("", ""),
    ],
)
def test_the_longest_piece_is_always_taken(pieces, word, expected):
    assert pieces.cut(word) == expected.split()


def test_a_word_too_long_is_unknown():
    pieces = WordPiece([*SPECIAL, "a", "##a"])
    assert pieces.cut("a" * 100) == ["a", *["##a"] * 99]
    assert pieces.cut("a" * 101) == [UNKNOWN]


def test_text_becomes_ids(pieces):
    assert pieces.encode("ABCD, ábd") == [10, UNKNOWN_ID, 6, 9]
    assert pieces.tokenize("[UNK]") == [UNKNOWN] * 3  # three words, none of them known
    assert pieces.decode([10, 6, 9, 5]) == "abcd abd a"


def test_special_tokens_have_the_first_ids():
    assert SPECIAL == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert (PADDING_ID, UNKNOWN_ID, wordpiece.CLASS_ID, wordpiece.SEPARATOR_ID) == (0, 1, 2, 3)
    assert MASK_ID == 4 and [SPECIAL[1], SPECIAL[4]] == [UNKNOWN, wordpiece.MASK]


def test_the_examples_in_the_text_are_true():
    results = doctest.testmod(wordpiece)
    assert results.attempted and not results.failed
