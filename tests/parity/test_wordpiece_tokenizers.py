"""Our WordPiece against the library `tokenizers` and transformers: words, pieces and ids."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from nnlm2bert.corpora import available, load
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.tokenizers.fast_wordpiece import train_wordpiece
from nnlm2bert.tokenizers.subwords import save_tokenizer
from nnlm2bert.tokenizers.wordpiece import SPECIAL, WordPiece, alphabet, basic_tokenize, written

FUZZED = 10_000
TEXTS = (
    "Zoë's naïve café-bar costs 3,50 € — déjà vu? ÀÉÎÕÜ ångström, Příliš žluťoučký kůň!",
    "ΟΔΥΣΣΕΥΣ Σίσυφος; Привет, ёлка. İstanbul ILIK ıssız. Straße, STRAẞE. ﬁne ﬂow Ⅻ ½",
    "北京大学在1898年成立。東京タワーは333メートルです、ね？ 한국어 문장입니다. 𠀀𪜀豈",
    "I❤️NY 😀😃 👩‍👩‍👧 🇨🇳 👍🏽 <3 :-) #bert @google http://a.b/c?d=e&f=g",
    "tab\tnew\nline\rfeed\x0b\x0cbell\x07null\x00del\x7fnel\x85soft\xadhyphen\ufeffbom\ufffd",
    "a\xa0b\u2003c\u2028d\u3000e\u200bf\u200dg\u202eh\ue000i עִבְרִית العَرَبِيَّة हिन्दी ไทย",
    "e\u0301 e\u0323\u0302 \u0301alone a\u20dd \u1e9b\u0323 ﷺ \u2126 \u212a \u2460 x² n°",
    "[CLS] [MASK]ed ##a a##b # ## ### _x_ `q` ^1 $2 ~3 + | = [UNK]",
    f"{'a' * 100} {'b' * 101} {'é' * 100} {'一' * 101} {'x' * 99}!",
)
WIDE_RANGES = ((0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x4E00, 0x9FFF), (0x3040, 0x30FF))
EMOJI = "😀😃🤖👍🏽❤️🇨🇳👩‍👧"
MARKS = "\t\n\r\x00\x07\x0b\x1f\x7f\x85\xa0\xad\u200b\u200d\u2028\u3000\ufeff\ufffd\ue000"


UNCASED = ("Lo", "Lm", "Mn", "Cf")  # letters of other scripts, marks, and what is not seen
UNSAID = ("Cn", "Cs")  # not assigned; halves of a pair


@cache
def long_known() -> list[str]:
    """Characters of which Unicode has said the same since 2002: the library's tables are older
    than Python's, and of later ones the two may think differently. Of private use a few."""
    characters = map(chr, chain(range(0xE010), range(0xF900, 0xF0010)))
    category = unicodedata.category
    return [c for c in characters if category(c) == unicodedata.ucd_3_2_0.category(c) not in UNSAID]


def library(tokens: Iterable[str]) -> Tokenizer:
    """What the library makes of BERT's recipe by itself."""
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def vocabulary_of(tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]


def learnt_from(texts: Iterable[str], size: int) -> WordPiece:
    counts = Counter(word for text in texts for word in basic_tokenize(text))
    return WordPiece(vocabulary_of(train_wordpiece(counts, size)))


def assert_same(ours: WordPiece, texts: list[str]) -> None:
    theirs = library(ours.tokens)
    for text, encoded in zip(texts, theirs.encode_batch(texts), strict=True):
        assert ours.encode(text) == encoded.ids, text


def test_on_texts_of_many_scripts():
    ours = learnt_from(TEXTS, 400)
    assert len(ours.tokens) == 400
    found = [piece for text in TEXTS for piece in ours.tokenize(text)]
    assert found.count("[UNK]") < len(found) / 20 and "北" in found and "##😃" not in found
    assert_same(ours, [*TEXTS, *(text[::-1] for text in TEXTS)])


def test_on_every_character():
    characters = long_known()
    assert len(characters) > 94_000
    theirs = library(SPECIAL)
    texts = ["".join(f"A{c}B " for c in characters[i::100]) for i in range(100)]
    for text in texts:
        plain = theirs.normalizer.normalize_str(text)
        words = [word for word, _ in theirs.pre_tokenizer.pre_tokenize_str(plain)]
        assert basic_tokenize(text) == words


def fuzzed(count: int) -> list[str]:
    """Strings of characters of all kinds, mostly of those that are treated in some way."""
    chance = random.Random(0)
    ranges = ["".join(map(chr, range(first, last + 1))) for first, last in WIDE_RANGES]
    kinds = [*ranges, EMOJI, MARKS, "abc ", "aé ", "#_-' ", "".join(long_known()[::7])]
    return [
        "".join(chance.choice(chance.choice(kinds)) for _ in range(chance.randrange(30)))
        for _ in range(count)
    ]


def test_on_fuzzed_strings():
    texts = fuzzed(FUZZED)
    assert len(set(texts)) > 0.9 * FUZZED
    ours = learnt_from(texts[:2_000], 12_000)
    known = sum(1 not in ours.encode(text) for text in texts)
    assert FUZZED / 10 < known < 0.9 * FUZZED  # of words known and not
    assert_same(ours, texts)


def sentences(name: str, split: str) -> list[str]:
    if not available(name):
        pytest.skip(f"{name}: not in NNLM2BERT_DATA nor in the cache")
    return [" ".join(tokens) for tokens in load(name)[split]["tokens"]]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_on_tweets_with_emoji(split):
    texts = sentences("wnut17", split)
    assert not {"😊", "❤", "\ufe0f"} - set("".join(texts))
    assert_same(learnt_from(texts[::2], 3_000), texts)


def test_on_wikipedia_where_it_leaves_english():
    texts = [text for text in sentences("wikitext-2", "train") if max(text, default="") > "\u024f"]
    assert not set("戦場のヴァルキュリア大กṯíäøμ\ufeff") - set("".join(texts))
    texts = [text for text in texts if any(unicodedata.category(c) in UNCASED for c in text)]
    assert_same(learnt_from(texts[::12], 2_000), texts[::6])


letters = st.sampled_from(["a", "ab", "abc", "abcdef"])
words = letters.flatmap(lambda some: st.text(some, min_size=1, max_size=10))
texts_in_words = st.dictionaries(words, st.integers(1, 9), min_size=1, max_size=20)


def assert_learnt_alike(counts: Mapping[str, int], size: int) -> None:
    learnt = WordPiece.learn(counts, size)
    theirs = train_wordpiece(counts, size)
    assert list(learnt.tokens) == vocabulary_of(theirs)
    for word in counts:
        assert learnt.cut(word) == [token.value for token in theirs.model.tokenize(word)]


@settings(max_examples=150, deadline=None)
@given(texts_in_words, st.integers(0, 60))
def test_learning_from_words_of_few_characters_with_many_ties(counts, more):
    assert_learnt_alike(counts, len(SPECIAL) + len(alphabet(counts)) + more)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcd", min_size=1, max_size=3), min_size=1, max_size=5, unique=True))
def test_the_library_left_to_itself_where_its_order_of_characters_cannot_matter(chosen):
    """Counts that no two different sums of at most 2 share: of no two pairs within is a tie."""
    counts = {word: 4**number for number, word in enumerate(chosen)}
    theirs = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(special_tokens=list(SPECIAL), show_progress=False)
    theirs.train_from_iterator([f"{word} " * count for word, count in counts.items()], trainer)
    ours, first = WordPiece.learn(counts, 1_000).tokens, [*map(written, alphabet(counts))]
    begin = len(SPECIAL) + len(first)
    assert sorted(vocabulary_of(theirs)[len(SPECIAL) : begin]) == sorted(first)
    assert vocabulary_of(theirs)[begin:] == list(ours[begin:])


def test_learning_from_pocket_english():
    text = PocketEnglish().sample(words=20_000, seed=0).text
    assert_learnt_alike(Counter(basic_tokenize(text)), 350)


def test_learning_from_tweets():
    texts = sentences("wnut17", "train")[::3]
    counts = Counter(word for text in texts for word in basic_tokenize(text))
    assert_learnt_alike({word: n for word, n in counts.items() if n > 9}, 800)


def test_transformers_reads_the_tokenizer(tmp_path):
    transformers = pytest.importorskip("transformers")
    counts = Counter(word for text in TEXTS for word in basic_tokenize(text))
    trained = train_wordpiece(counts, 400)
    save_tokenizer(trained, tmp_path / "tokenizer.json")
    theirs = transformers.BertTokenizerFast.from_pretrained(tmp_path)
    assert theirs.all_special_tokens and theirs.mask_token_id == SPECIAL.index("[MASK]")
    for first, second in pairwise(TEXTS):
        encoded, read = trained.encode(first, second), theirs(first, second)
        assert read["input_ids"] == encoded.ids and read["token_type_ids"] == encoded.type_ids
    assert theirs.decode(trained.encode(TEXTS[0]).ids, skip_special_tokens=True).startswith("zoe")
