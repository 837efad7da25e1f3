import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running_texts import running

from nnlm2bert.tokenizers.fast_wordpiece import bert_tokenizer, encode_text, train_wordpiece
from nnlm2bert.tokenizers.subwords import encode_words
from nnlm2bert.tokenizers.wordpiece import MASK_ID, SEPARATOR_ID, SPECIAL, UNKNOWN_ID

COUNTS = {"the": 30, "then": 9, "cat": 12, "hat": 7, "a": 20, "x": 1, "née": 2}
SIZE = 28


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece(COUNTS, vocabulary_size=SIZE)


def vocabulary_of(tokenizer):
    return [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]


def test_ids_are_special_tokens_then_characters_then_merges(tokenizer):
    tokens = vocabulary_of(tokenizer)
    assert tokens[:5] == list(SPECIAL) and tokens[5:12] == list("acehntx")
    assert tokens[12:17] == ["##a", "##e", "##h", "##n", "##t"]  # nothing goes on with c or x
    assert tokens[17:20] == ["th", "the", "##at"] and len(tokens) == 25  # all that there is


def test_two_trainings_agree_whatever_the_order_of_the_words(tokenizer):
    for _ in range(5):
        turned = dict(reversed(COUNTS.items()))
        assert train_wordpiece(turned, vocabulary_size=SIZE).to_str() == tokenizer.to_str()


def test_words_are_taken_apart_before_they_are_counted():
    parted = train_wordpiece({"Don't": 4, "DON-éd": 3, "\u200b": 9}, 40)
    assert {"don", "'", "t", "-", "##d"} <= set(vocabulary_of(parted))
    assert "##t" not in vocabulary_of(parted) and "##'" not in vocabulary_of(parted)
    same = train_wordpiece({"don": 7, "'": 4, "t": 4, "-": 3, "ed": 3}, 40)
    assert same.to_str() == parted.to_str()


def test_all_occurrences_count_however_many():
    trained = train_wordpiece({"ab": 10_001, "cd": 20_003, "ef": 20_002}, 17)
    assert vocabulary_of(trained)[14:] == ["cd", "ef", "ab"]


def test_a_rare_character_is_unknown_and_its_words_teach_nothing():
    rare = train_wordpiece({**COUNTS, "naß": 3}, SIZE, min_character_count=4)
    assert not {"ß", "##ß", "na", "x"} & set(vocabulary_of(rare))
    assert encode_words(rare, ["naß", "x", "ca"])[0][:2] == [UNKNOWN_ID, UNKNOWN_ID]


def test_too_small_a_vocabulary_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match=r"no room for 12 characters.* ask for 17 at least"):
        train_wordpiece(COUNTS, vocabulary_size=16)
    assert train_wordpiece(COUNTS, vocabulary_size=17).get_vocab_size() == 17


def test_the_library_reads_and_writes_text_as_bert(tokenizer):
    encoded = tokenizer.encode("The [MASK] hat", "a CÁT")
    assert encoded.tokens == "[CLS] the [MASK] hat [SEP] a cat [SEP]".split()
    assert encoded.type_ids == [0] * 5 + [1] * 3 and encoded.ids[2] == MASK_ID
    ids = tokenizer.encode("That, hat").ids
    assert len(ids) == 6 and tokenizer.decode(ids) == "that hat"  # what is unknown is left out


def test_a_word_too_long_is_unknown(tokenizer):
    assert len(encode_words(tokenizer, ["a" * 100])[0]) == 100
    assert encode_words(tokenizer, ["a" * 101])[0] == [UNKNOWN_ID]


def test_a_word_is_never_a_special_token(tokenizer):
    assert MASK_ID not in encode_words(tokenizer, ["[MASK]"])[0]
    assert encode_words(tokenizer, ["[SEP]", "a"]) == ([UNKNOWN_ID] * 3 + [5], [0, 3, 4])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("thencaÉ-'?", min_size=1, max_size=9), max_size=9))
def test_words_are_cut_as_the_library_cuts_text(tokenizer, words):
    cut = encode_words(tokenizer, words)[0]
    assert cut == tokenizer.encode(" ".join(words), add_special_tokens=False).ids


def test_a_vocabulary_makes_a_tokenizer_even_if_its_special_tokens_stand_elsewhere():
    published = ["[PAD]", "cat", "##s", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = bert_tokenizer({token: number for number, token in enumerate(published)})
    assert tokenizer.encode("Cats! [MASK]").ids == [4, 1, 2, 3, 6, 5]
    assert encode_words(tokenizer, ["cats", "dog", ""]) == ([1, 2, 3, 3], [0, 2, 3, 4])


def test_running_text_has_a_separator_after_each_document(tokenizer):
    stream = encode_text(tokenizer, running("the cat's", "then"))
    tokens = [stream.vocabulary[number] for number in stream.ids]
    assert tokens == ["the", "cat", "[UNK]", "[UNK]", "[SEP]", "then", "[SEP]"]
    assert (stream.ids[stream.starts[1:] - 1] == SEPARATOR_ID).all() and stream.words == 3
