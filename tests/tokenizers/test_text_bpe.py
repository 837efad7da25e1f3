"""Tokens of texts that are to be written give the text again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nnlm2bert.tokenizers.text_bpe import (
    END_ID,
    PADDING_ID,
    SPECIAL,
    UNKNOWN_ID,
    train_text_bpe,
)

TEXTS = [
    "Ein Mann läuft über saftig-grünes Gras.",
    "Ein Mann mit „Hut“, der läuft!",
    "Zwei Männer laufen (schnell) über das Gras.",
]
ALPHABET = sorted({character for text in TEXTS for character in text})


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_text_bpe(TEXTS, 80)


def test_tokens_by_hand(tokenizer: Tokenizer) -> None:
    found = tokenizer.encode("Ein Mann läuft.").tokens
    assert found == ["▁Ein", "▁Mann", "▁läuft", "."]
    assert [tokenizer.id_to_token(number) for number in range(4)] == list(SPECIAL)
    assert tokenizer.get_vocab_size() <= 80


@given(st.lists(st.text(ALPHABET, min_size=1).filter(lambda word: " " not in word), max_size=5))
def test_the_text_comes_back(words: list[str]) -> None:
    tokenizer, text = train_text_bpe(TEXTS, 70), " ".join(words)
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_marks_are_left_out_and_unseen_characters_are_unknown(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("Ein Ωann").ids
    assert UNKNOWN_ID in ids
    assert tokenizer.decode([*tokenizer.encode("Ein Hut").ids, END_ID, PADDING_ID]) == "Ein Hut"


def test_training_twice_gives_the_same_tokens(tokenizer: Tokenizer) -> None:
    assert train_text_bpe(TEXTS, 80).to_str() == tokenizer.to_str()


def test_a_vocabulary_must_hold_the_characters() -> None:
    with pytest.raises(ValueError, match="ask for 8 at least"):
        train_text_bpe(["ab c"], 7)
    assert train_text_bpe(["ab c"], 8).get_vocab_size() == 8
