"""Tasks as sequences of tokens: what stands where, where the network is read, what is cut."""

import pytest
from tokenizers import Tokenizer, models

from nnlm2bert.tokenizers.fast_bpe import (
    DELIMITER_ID,
    END_ID,
    SPECIAL,
    START_ID,
    UNKNOWN,
    train_bpe,
)
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer import Example
from nnlm2bert.transfer.input_transformations import (
    TRANSFORMATIONS,
    TokenSequence,
    shortened,
    word_by_word,
)

S, E, D = START_ID, END_ID, DELIMITER_ID
WORDS = "the bank pays a river runs".split()
THE, BANK, PAYS, A, RIVER, RUNS = range(len(SPECIAL), len(SPECIAL) + len(WORDS))


@pytest.fixture(scope="module")
def whole():
    """Each word is a token."""
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    return SubwordEncoder(Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN)))


@pytest.fixture(scope="module")
def letters():
    """Each letter is a token."""
    size = len(SPECIAL) + 2 * len({letter for word in WORDS for letter in word})
    return SubwordEncoder(train_bpe(dict.fromkeys(WORDS, 1), size))


def transformed(kind, encoder, *sentences, context=20, **fields):
    example = Example(tuple(tuple(s.split()) for s in sentences), 0, **fields)
    return TRANSFORMATIONS[kind](example, encoder, context)


def test_a_sentence_stands_between_its_marks_and_is_read_at_the_last(whole):
    (found,) = transformed("sentence", whole, "The bank pays")
    assert found == TokenSequence((S, THE, BANK, PAYS, E), (4,))


def test_a_pair_is_parted_by_the_delimiter(whole):
    (found,) = transformed("pair", whole, "the bank pays", "a river runs")
    assert found == TokenSequence((S, THE, BANK, PAYS, D, A, RIVER, RUNS, E), (8,))


def test_a_score_is_read_of_both_orders(whole):
    one, other = transformed("score", whole, "the bank", "a river runs")
    assert one == TokenSequence((S, THE, BANK, D, A, RIVER, RUNS, E), (7,))
    assert other == TokenSequence((S, A, RIVER, RUNS, D, THE, BANK, E), (7,))


def test_each_answer_has_a_sequence_of_its_own(whole):
    found = transformed("choice", whole, "the bank", "pays", "a river", "runs")
    assert [s.tokens for s in found] == [
        (S, THE, BANK, D, PAYS, E),
        (S, THE, BANK, D, A, RIVER, E),
        (S, THE, BANK, D, RUNS, E),
    ]
    assert [s.places for s in found] == [(5,), (6,), (5,)]


def test_a_word_in_question_is_said_again(whole):
    (found,) = transformed("word", whole, "the bank pays", position=1)
    assert found == TokenSequence((S, THE, BANK, PAYS, D, BANK, E), (6,))


def test_tags_are_read_at_the_last_token_of_each_word(whole, letters):
    (found,) = transformed("tags", whole, "the bank pays")
    assert found == TokenSequence((S, THE, BANK, PAYS), (1, 2, 3))
    (found,) = transformed("tags", letters, "the a bank")
    assert len(found.tokens) == 1 + 3 + 1 + 4 and found.places == (3, 4, 8)


def test_words_that_do_not_fit_go_on_in_another_sequence(letters):
    found = transformed("tags", letters, "the bank pays a river", context=9)
    assert [s.places for s in found] == [(3, 7), (4, 5), (5,)]
    assert all(s.tokens[0] == S and len(s.tokens) <= 9 for s in found)
    tokens = [t for s in found for t in s.tokens[1:]]
    assert tokens == [t for w in ("the", "bank", "pays", "a", "river") for t in letters.word(w)]


def test_a_word_longer_than_the_context_is_cut(letters):
    (found,) = word_by_word(["river"], letters, 4, first=E)
    assert found.tokens == (E, *letters.word("river")[:3]) and found.places == (3,)


@pytest.mark.parametrize("kind", ["sentence", "pair", "score", "choice", "word"])
@pytest.mark.parametrize("context", [5, 6, 8])
def test_what_is_too_long_is_cut_and_keeps_its_marks(whole, kind, context):
    sentences = ["the bank pays a river"] if kind in ("sentence", "word") else ["the bank pays"] * 2
    for found in transformed(kind, whole, *sentences, context=context, position=2):
        assert len(found.tokens) == min(context, len(found.tokens)) and found.tokens[0] == S
        assert found.tokens[-1] == E and found.places == (len(found.tokens) - 1,)
        assert found.tokens.count(D) == (kind != "sentence")
    if kind == "word":
        assert PAYS in found.tokens[found.tokens.index(D) :]


def test_the_longest_part_is_cut_first_at_its_end():
    assert shortened([[1, 2, 3, 4, 5], [6, 7]], 5) == [[1, 2, 3], [6, 7]]
    assert shortened([[1, 2, 3], [4, 5, 6]], 5) == [[1, 2, 3], [4, 5]]
    assert shortened([[1], [2, 3]], 9) == [[1], [2, 3]]


def test_a_context_without_room_for_all_parts_is_refused():
    with pytest.raises(ValueError, match="2 parts"):
        shortened([[1, 2], [3]], 1)
