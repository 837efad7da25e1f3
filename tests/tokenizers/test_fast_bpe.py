import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlm2bert.tokenizers.fast_bpe import END, END_ID, SPECIAL, UNKNOWN_ID, train_bpe
from nnlm2bert.tokenizers.subwords import encode_words

COUNTS = {"the": 30, "then": 9, "cat": 12, "hat": 7, "a": 20, "é": 1, "née": 2}
SIZE = 28


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe(COUNTS, vocabulary_size=SIZE)


def vocabulary_of(tokenizer):
    return [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]


def test_ids_are_special_tokens_then_characters_then_merges(tokenizer):
    tokens = vocabulary_of(tokenizer)
    characters = sorted(set("".join(COUNTS)))
    ends = [f"{character}</w>" for character in characters]
    assert tokens[:5] == list(SPECIAL) and tokens[5:19] == [*characters, *ends]
    assert tokens[19:22] == ["th", "the</w>", "at</w>"] and len(tokens) == 28
    assert [SPECIAL[UNKNOWN_ID], SPECIAL[END_ID]] == ["<unk>", END]


def test_two_trainings_agree_whatever_the_order_of_the_words(tokenizer):
    for _ in range(5):
        turned = dict(reversed(COUNTS.items()))
        assert train_bpe(turned, vocabulary_size=SIZE).to_str() == tokenizer.to_str()


def test_all_occurrences_count_however_many():
    trained = train_bpe({"ab": 10_001, "cd": 20_003, "ef": 20_002}, 20)
    assert vocabulary_of(trained)[17:] == ["cd</w>", "ef</w>", "ab</w>"]


def test_a_tokenizer_survives_its_file(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "bpe.json"))
    again = type(tokenizer).from_file(str(tmp_path / "bpe.json"))
    assert again.encode("the hatter é").ids == tokenizer.encode("the hatter é").ids


def test_the_library_reads_and_writes_text(tokenizer):
    encoded = tokenizer.encode("the hat <e>")
    assert encoded.tokens[-1] == END and encoded.ids[-1] == END_ID
    assert tokenizer.decode(encoded.ids) == "the hat"  # special tokens are left out


def test_a_rare_character_is_unknown_and_its_words_teach_nothing():
    rare = train_bpe(COUNTS, vocabulary_size=SIZE, min_character_count=4)
    assert "é" in vocabulary_of(train_bpe(COUNTS, SIZE)) and "é" not in vocabulary_of(rare)
    tokens = [rare.id_to_token(number) for number in encode_words(rare, ["né"])[0]]
    assert tokens == ["n", "<unk>"] and "ne" not in "".join(vocabulary_of(rare))


def test_too_small_a_vocabulary_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match=r"no room for 7 characters.* ask for 19 at least"):
        train_bpe(COUNTS, vocabulary_size=18)
    assert train_bpe(COUNTS, vocabulary_size=19).get_vocab_size() == 19


def test_what_is_no_word_is_refused():
    with pytest.raises(ValueError, match="'a b' is not one word"):
        train_bpe({"a b": 1}, 100)
    with pytest.raises(ValueError, match="lack '<unk>'"):
        train_bpe({"a": 1}, 100, special=["<pad>"])


def test_a_word_is_never_a_special_token(tokenizer):
    e, final = tokenizer.token_to_id("e"), tokenizer.token_to_id("e</w>")
    assert encode_words(tokenizer, [END])[0] == [UNKNOWN_ID, e, UNKNOWN_ID]
    assert encode_words(tokenizer, ["<unk>", "<e"])[0][-2:] == [UNKNOWN_ID, final]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("thenca", min_size=1, max_size=9), max_size=9))
def test_words_are_cut_as_the_library_cuts_text(words):
    trained = train_bpe(COUNTS, vocabulary_size=SIZE)
    assert encode_words(trained, words)[0] == trained.encode(" ".join(words)).ids
