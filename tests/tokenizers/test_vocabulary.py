import numpy as np
import pytest

from nnlm2bert.tokenizers import Vocabulary

TOKENS = "the cat saw the dog and the cat".split()


def test_words_are_sorted_and_rare_ones_merged():
    vocabulary = Vocabulary.from_tokens(TOKENS, min_count=2)
    assert vocabulary.words == ("<unk>", "cat", "the")
    assert vocabulary.encode(TOKENS).tolist() == [2, 1, 0, 2, 0, 0, 2, 1]


def test_order_of_the_text_does_not_matter():
    assert Vocabulary.from_tokens(TOKENS).words == Vocabulary.from_tokens(reversed(TOKENS)).words


def test_encoding_and_decoding_are_inverse_without_rare_words():
    vocabulary = Vocabulary.from_tokens(TOKENS, unknown=None)
    assert vocabulary.decode(vocabulary.encode(TOKENS)) == TOKENS
    assert vocabulary.encode([]).dtype == np.int64


def test_unknown_symbol_in_the_text_stays_word_zero():
    vocabulary = Vocabulary.from_tokens(["<unk>", "a", "<unk>"])
    assert vocabulary.words == ("<unk>", "a")


def test_a_word_not_known_is_named():
    vocabulary = Vocabulary(["a"], unknown=None)
    with pytest.raises(KeyError, match="'b' is not among the 1 words"):
        vocabulary.encode(["b"])


@pytest.mark.parametrize(
    ("words", "message"), [(["a", "a"], "'a' is there twice"), (["a"], "'<unk>', is not in")]
)
def test_impossible_vocabularies_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(words)
