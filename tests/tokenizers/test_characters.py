import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnlm2bert.tokenizers.characters import ALPHABET, BEGIN, END, PADDING, spell

LONGEST = 6


def spelled_by_loops(word: str, longest: int) -> list[int]:
    """As bilm-tf spells one word: numbers of its source, its Batcher's shift by 1, padding 0."""
    row = [-1] * (longest + 2)
    row[0] = 258
    codes = {"<s>": [256], "</s>": [257]}.get(word)
    codes = codes or list(word.encode("utf-8", "ignore")[:longest])
    for place, code in enumerate([*codes, 259], start=1):
        row[place] = code
    return [code + 1 for code in row]


@given(st.lists(st.text(max_size=8) | st.sampled_from([BEGIN, END, "a\0", " b "]), max_size=5))
def test_words_are_spelled_as_the_authors_program_spells_them(words):
    expected = [spelled_by_loops(word, LONGEST) for word in words]
    assert spell(words, LONGEST).tolist() == expected


def test_shape_and_type_hold_for_no_words_too():
    for words in ([], ["a", "bc"]):
        rows = spell(words)
        assert rows.shape == (len(words), 18) and rows.dtype == torch.int64


def test_marks_of_a_sentence_stand_alone():
    begin, end = spell([BEGIN, END], LONGEST).tolist()
    assert begin == [259, 257, 260] + 5 * [PADDING]
    assert end == [259, 258, 260] + 5 * [PADDING]


def test_a_word_cut_off_still_ends_and_case_is_kept():
    (long, cut), (upper, lower) = spell(["abcdefg", "abcdef"], LONGEST), spell(["A", "a"])
    assert torch.equal(long, cut) and PADDING not in long
    assert upper[1] == ord("A") + 1 and lower[1] == ord("a") + 1


def test_ids_of_words_lie_between_padding_and_that_of_bilm_tf():
    rows = spell([chr(code) for code in range(0x250)] + [BEGIN, END])
    assert ALPHABET == 262 and rows.min() == PADDING == 0 and rows.max() == 260


def test_one_row_does_not_depend_on_the_other_words():
    together = spell(["a", "incomprehensibility"])
    assert torch.equal(together[:1], spell(["a"]))


def test_a_word_keeps_a_byte_at_least():
    with pytest.raises(ValueError, match="longest=0: keep at least one byte"):
        spell(["a"], longest=0)
