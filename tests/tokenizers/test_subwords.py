"""Sentences and running text in pieces, whichever way words are cut; and files of tokenizers."""

from itertools import accumulate, chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running_texts import running
from tokenizers import Tokenizer, models

from nnlm2bert.errors import UserError
from nnlm2bert.tokenizers import fast_bpe, fast_wordpiece
from nnlm2bert.tokenizers.subwords import (
    SubwordEncoder,
    basic_words,
    encode_text,
    encode_words,
    load_tokenizer,
    save_tokenizer,
    spellable,
)

COUNTS = {"the": 30, "then": 9, "cat": 12, "hat": 7, "a": 20, "née": 2}
BPE = fast_bpe.train_bpe(COUNTS, 28)
PIECES = fast_wordpiece.train_wordpiece(COUNTS, 28)
KINDS = [
    pytest.param(BPE, "<e>", "the</w> th at</w> a</w>", id="bpe"),
    pytest.param(PIECES, "[SEP]", "the th ##at a", id="wordpiece"),
]
sentences = st.lists(st.sampled_from(["the", "that", "cat's", "née"]), min_size=1)


def tokens_of(tokenizer, ids):
    return [tokenizer.id_to_token(number) for number in ids]


def test_borders_say_where_words_begin_and_end():
    ids, borders = SubwordEncoder(BPE).encode(["the", "that", "a"])
    assert tokens_of(BPE, ids) == ["the</w>", "th", "at</w>", "a</w>"] and borders == [0, 1, 3, 4]
    ids, borders = SubwordEncoder(PIECES).encode(["The", "that-cat", "a"])
    assert tokens_of(PIECES, ids) == ["the", "th", "##at", "[UNK]", "cat", "a"]
    assert borders == [0, 1, 5, 6]


@pytest.mark.parametrize("tokenizer", [BPE, PIECES])
def test_no_words_have_no_tokens_and_every_word_has_one(tokenizer):
    unknown = tokenizer.token_to_id(tokenizer.model.unk_token)
    encoder = SubwordEncoder(tokenizer)
    assert encoder.encode([]) == ([], [0])
    assert encoder.encode(["", "?"]) == ([unknown, unknown], [0, 1, 2]) and unknown == 1


def test_a_word_that_cannot_be_seen_is_unknown():
    assert tokens_of(PIECES, encode_words(PIECES, ["\u200b", "ca\xadt"])[0]) == ["[UNK]", "cat"]


def test_a_word_is_split_once():
    calls = []

    class Counting:
        normalizer, model = None, models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>")

    encoder = SubwordEncoder(Counting())
    assert encoder.encode(["a", "b", "a"]) == ([0, 1, 0], [0, 1, 2, 3])
    encoder.tokenizer = calls  # whatever was read is known
    assert encoder.encode(["b", "a"]) == ([1, 0], [0, 1, 2])


def test_basic_words_are_the_word_unless_the_tokenizer_changes_text():
    assert basic_words(BPE, "Don't") == ["Don't"] and basic_words(BPE, "") == [""]
    assert basic_words(PIECES, "Née't") == ["nee", "'", "t"] and basic_words(PIECES, "\u200b") == []


def test_words_with_rare_characters_are_not_spellable():
    characters, words = spellable({"ab": 3, "bc": 2, "ad": 1}, min_count=2)
    assert characters == ["a", "b", "c"] and words == {"ab": 3, "bc": 2}
    with pytest.raises(ValueError, match="'a b' is not one word"):
        spellable({"a b": 1}, 1)


@pytest.mark.parametrize(("tokenizer", "end", "cut"), KINDS)
def test_documents_end_with_the_end_and_words_are_counted(tokenizer, end, cut):
    stream = encode_text(tokenizer, running("the that, a", "", "a", "the,the"), end)
    tokens = tokens_of(tokenizer, stream.ids)
    the, *_, a = cut.split()
    assert tokens == [*cut.split(), end, a, end, the, the, end]
    assert stream.words == 6 and len(stream) == len(stream.ids) == len(tokens)
    one = len(cut.split())
    assert stream.starts.tolist() == [0, one + 1, one + 3]
    assert stream.sentences.tolist() == [0, one - 1, one + 1, one + 3, one + 4]
    assert stream.ids.dtype == np.int32 and stream.vocabulary[1] == tokenizer.model.unk_token


@pytest.mark.parametrize(("tokenizer", "end", "cut"), KINDS)
@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.lists(st.sampled_from(["the", "that", "cat's", "née"]), min_size=1), min_size=1
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_stream_is_its_documents_one_after_the_other(tokenizer, end, cut, documents):
    text = running(*(",".join(map(" ".join, sentences)) for sentences in documents))
    stream = encode_text(tokenizer, text, end)
    last = [tokenizer.token_to_id(end)]
    cuts = [[encode_words(tokenizer, words)[0] for words in each] for each in documents]
    pieces = [[*chain(*each), *last] for each in cuts]
    assert stream.ids.tolist() == [*chain(*pieces)]
    assert stream.starts.tolist() == [0, *accumulate(map(len, pieces[:-1]))]
    begins = [
        start + offset
        for start, each in zip(stream.starts.tolist(), cuts, strict=True)
        for offset in [0, *accumulate(map(len, each[:-1]))]
    ]
    assert stream.sentences.tolist() == begins and stream.words == len(text)


def test_a_stream_needs_a_token_for_the_end():
    with pytest.raises(ValueError, match="no token '<e>'"):
        encode_text(PIECES, running("a"), "<e>")


def test_a_tokenizer_survives_its_file(tmp_path):
    path = tmp_path / "model" / "tokenizer.json"
    save_tokenizer(PIECES, path)
    assert load_tokenizer(path).to_str() == PIECES.to_str()
    assert [each.name for each in path.parent.iterdir()] == ["tokenizer.json"]


@pytest.mark.parametrize("content", [None, "", "{}", "cut off"])
def test_what_is_no_tokenizer_is_named_with_what_to_do(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"No tokenizer can be read from .*Save it there"):
        load_tokenizer(path)


def test_a_folder_that_takes_no_file_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"could not be kept in .*Make room there"):
        save_tokenizer(Tokenizer(models.BPE()), tmp_path / "file" / "tokenizer.json")
