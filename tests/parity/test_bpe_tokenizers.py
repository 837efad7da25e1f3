"""Our byte-pair encoding against the library `tokenizers`: every merge, every token, every id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from nnlm2bert.corpora import available, load_running_text
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.tokenizers.bpe import BPE, END_OF_WORD
from nnlm2bert.tokenizers.fast_bpe import train_bpe

alphabets = st.sampled_from(["a", "ab", "abc", "abcdef"])
words = alphabets.flatmap(lambda letters: st.text(letters, min_size=1, max_size=10))
texts = st.dictionaries(words, st.integers(1, 9), min_size=1, max_size=20)


def merges_of(tokenizer: Tokenizer) -> tuple[tuple[str, ...], ...]:
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return tuple(tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in pairs)


def library(counts: Mapping[str, int], ours: BPE) -> Tokenizer:
    """A vocabulary of as many tokens as ours, and one for unknown characters."""
    return train_bpe(counts, len(ours.tokens) + 1, special=["<unk>"])


def assert_same(counts: Mapping[str, int], ours: BPE, unseen: list[str]) -> None:
    theirs = library(counts, ours)
    assert ours.merges == merges_of(theirs)
    tokens = [theirs.id_to_token(number) for number in range(theirs.get_vocab_size())]
    assert ["<unk>", *ours.tokens] == tokens
    for word in [*counts, *unseen]:
        cut = ours.encode(word)
        assert cut == [token.value for token in theirs.model.tokenize(word)]
        assert ours.decode(cut) == theirs.decoder.decode(cut)


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(0, 60), st.lists(words | st.text("abcdefgé", min_size=1, max_size=12)))
def test_on_words_of_few_characters_with_many_ties(counts, merges, unseen):
    assert_same(counts, BPE.learn(counts, merges), unseen)


@settings(max_examples=50, deadline=None)
@given(st.lists(words, min_size=1, max_size=200))
def test_on_text_of_words(text):
    counts = Counter(text)
    assert_same(counts, BPE.learn(counts, 10_000), [])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcd", min_size=1, max_size=4), min_size=1, max_size=5, unique=True))
def test_the_library_left_to_itself_where_its_order_of_ends_cannot_matter(chosen):
    """Counts that no two different sums of at most 3 share: of no two ends of a word is a tie."""
    counts = {word: 4**number for number, word in enumerate(chosen)}
    theirs = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(end_of_word_suffix=END_OF_WORD, show_progress=False)
    theirs.train_from_iterator([f"{word} " * count for word, count in counts.items()], trainer)
    assert BPE.learn(counts, 1_000).merges == merges_of(theirs)


def test_on_pocket_english():
    text = PocketEnglish().sample(words=20_000, seed=0).text.split()
    counts = Counter(text)
    ours = BPE.learn(counts, 300)
    assert len(ours.merges) == 300
    assert_same(counts, ours, [word[::-1] for word in counts])


def test_on_the_brown_corpus():
    if not available("brown"):
        pytest.skip("brown: not in NNLM2BERT_DATA nor in the cache")
    text = load_running_text(["brown"]).limit(min_count=3)
    counts = dict(zip(text.types, text.counts.tolist(), strict=True))
    ours = BPE.learn(counts, 2_000)
    assert len(ours.merges) == 2_000
    assert_same(counts, ours, ["unbankable", "transformerlessness", "naïveté"])
