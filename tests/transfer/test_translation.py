"""Translation: tokens of both languages, what begins as BERT, and pairs learned by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.encoder_decoder import IGNORED, EncoderDecoder
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.text_bpe import BEGIN_ID, END_ID, SPECIAL, UNKNOWN_ID, train_text_bpe
from nnlm2bert.tokenizers.wordpiece import CLASS_ID, SEPARATOR_ID, UNKNOWN
from nnlm2bert.tokenizers.wordpiece import SPECIAL as MARKS
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.translation import (
    WAYS,
    Pairs,
    Translated,
    TranslationRecipe,
    Written,
    held_out_nats,
    learn_translation,
    load_translation,
    translate,
    translator,
)

SIZES = {"train": 30, "validation": 6, "test": 4}
RECIPE = TranslationRecipe(steps=90, batch_tokens=200, learning_rate=1e-2, dropout=0.0)
PIECES = ("a", "man", "##s", "hotel", ".", "##n")


@pytest.fixture(scope="module")
def splits() -> dict[str, Sequence[Translated]]:
    return dict(load_translation("laboratory translation", SIZES).splits)


@pytest.fixture(scope="module")
def read() -> MarkedWords:
    return MarkedWords.of_laboratory(PocketEnglish())


@pytest.fixture(scope="module")
def written(splits: dict[str, Sequence[Translated]]) -> Written:
    return Written.of_words([example.target for example in splits["train"]])


@pytest.fixture(scope="module")
def pairs(splits: dict[str, Sequence[Translated]], read: MarkedWords, written: Written) -> Pairs:
    return Pairs.of(splits["train"], read, written, context=32)


def wordpiece() -> MarkedWords:
    vocabulary = {token: number for number, token in enumerate((*MARKS, *PIECES))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    return MarkedWords.of_pieces(SubwordEncoder(tokenizer))


def bert(norm: str = "pre") -> BERT:
    torch.manual_seed(1)
    sizes = {"width": 32, "heads": 2, "layers": 1, "inner": 64, "dropout": 0.3}
    return BERT(bert_config(602, context=32, norm=norm, **sizes))


def built(way: str, pairs: Pairs, read: MarkedWords, written: Written) -> EncoderDecoder:
    torch.manual_seed(2)
    return translator(bert(), way, pairs, written.same_as(read), len(written), RECIPE)


# Tokens.


def test_words_are_read_between_marks(read: MarkedWords) -> None:
    language = PocketEnglish()
    assert [language.vocabulary[n] for n in (read.cls, read.sep)] == ["<cls>", "<sep>"]
    ids = read.encode(["who", "sees", "dogs", "?"])
    assert language.decode(ids) == "<unk> sees dogs <unk>"
    pieces = wordpiece()
    assert (pieces.cls, pieces.sep) == (CLASS_ID, SEPARATOR_ID)
    assert pieces.encode(["Mans", "."]) == [len(MARKS) + n for n in (1, 2, 4)]


def test_marks_are_no_padding() -> None:
    with pytest.raises(ValueError, match="is that of padding"):
        MarkedWords(lambda _: [1], {}, 0, 2)


def test_words_are_written_and_joined(written: Written, splits: dict[str, object]) -> None:
    for example in splits["train"]:
        assert written.join(written.cut(example.target)) == example.target
    assert written.tokens[: len(SPECIAL)] == list(SPECIAL)
    assert written.cut("nonsense .")[0] == UNKNOWN_ID and len(written) == len(written.tokens)


def test_tokens_that_both_vocabularies_have() -> None:
    read = wordpiece()
    written = Written.of_pieces(train_text_bpe(["Mann Hotel Hotels. a"] * 9, 40))
    names = {number: token for token, number in read.vocabulary.items()}
    found = [
        (written.tokens[ours], names[number]) for ours, number in written.same_as(read)[2:].tolist()
    ]
    assert ("▁Hotel", "hotel") in found and ("s", "##s") in found and (".", ".") in found
    assert ("n", "##n") in found and ("▁a", "a") in found and ("a", "a") not in found
    assert written.same_as(read)[:2].tolist() == [[BEGIN_ID, CLASS_ID], [END_ID, SEPARATOR_ID]]


def test_names_are_the_same_in_the_laboratory(read: MarkedWords) -> None:
    written = Written.of_words(["max na paris .", "tulopa"])
    language = PocketEnglish()
    same = {
        written.tokens[ours]: language.vocabulary[n] for ours, n in written.same_as(read).tolist()
    }
    assert same == {"<begin>": "<cls>", "<end>": "<sep>", "max": "max", "paris": "paris", ".": "."}


def test_a_batch_says_what_follows(pairs: Pairs, read: MarkedWords) -> None:
    batch = pairs.collate(torch.tensor([3, 0, 5]))
    for row, number in enumerate((3, 0, 5)):
        source, target = pairs.sources[number], pairs.targets[number]
        assert (source[0], source[-1]) == (read.cls, read.sep)
        assert batch["sources"][row, : len(source)].tolist() == list(source)
        assert batch["inside"][row].sum() == len(source)
        length = len(target) + 1
        assert batch["tokens"][row, :length].tolist() == [BEGIN_ID, *target]
        assert batch["targets"][row, :length].tolist() == [*target, END_ID]
        assert (batch["targets"][row, length:] == IGNORED).all()


def test_what_is_too_long_is_cut(read: MarkedWords, written: Written) -> None:
    example = Translated(("dogs",) * 20, "x " * 20)
    cut = Pairs.of([example], read, written, context=8)
    assert len(cut.sources[0]) == 8 and len(cut.targets[0]) == 7


# Networks.


def test_what_begins_as_bert(pairs: Pairs, read: MarkedWords, written: Written) -> None:
    networks = {way: built(way, pairs, read, written) for way in WAYS}
    source = bert()
    block = source.layers[1].feed_forward.inner.weight
    for way, network in networks.items():
        encoder = network.encoder.layers[1].feed_forward.inner.weight
        decoder = network.decoder.layers[1].feed_forward.inner.weight
        assert torch.equal(encoder, block) is (way != "scratch")
        assert torch.equal(decoder, block) is (way == "both tuned")
        assert encoder.requires_grad is (way != "encoder frozen")
        torch.testing.assert_close(network.decoder.bias.exp().sum(), torch.tensor(1.0))
        assert network.encoder.config.dropout == 0
    stop = written.tokens.index("."), read.vocabulary["."]
    tables = networks["both tuned"].decoder.layers[0].tokens.weight, source.layers[0].tokens.weight
    assert torch.equal(tables[0][stop[0]], tables[1][stop[1]])


def test_weights_at_random_have_the_spread_asked_for(
    pairs: Pairs, read: MarkedWords, written: Written
) -> None:
    wide = replace(RECIPE, spread=0.2)
    same = written.same_as(read)
    for way in WAYS:
        network = translator(bert(), way, pairs, same, len(written), wide)
        crossing = network.decoder.layers[1].cross_attention.queries.weight
        assert 0.18 < crossing.std() < 0.22
    with pytest.raises(ValueError, match="choose one of scratch, encoder frozen"):
        translator(bert(), "frozen", pairs, same, len(written), wide)


def test_pairs_are_learned_by_heart(pairs: Pairs, read: MarkedWords, written: Written) -> None:
    few = pairs.first(6)
    network, result = learn_translation(
        lambda: built("both tuned", few, read, written), few, few, RECIPE, seed=0
    )
    assert result.best == pytest.approx(held_out_nats(network, few), rel=1e-3) and result.best < 0.1
    told = translate(network, few.sources, longest=20, tokens=40)
    assert told == [list(target) for target in few.targets]


def test_a_frozen_encoder_stays(pairs: Pairs, read: MarkedWords, written: Written) -> None:
    few = pairs.first(4)
    recipe = replace(RECIPE, steps=2, evaluations=1)
    network, _ = learn_translation(
        lambda: built("encoder frozen", few, read, written), few, few, recipe, seed=0
    )
    expected = bert().layers.state_dict()
    found = network.encoder.layers.state_dict()
    assert all(torch.equal(found[name], weights) for name, weights in expected.items())
    start = built("encoder frozen", few, read, written).decoder
    moved = [
        not torch.equal(one, other)
        for one, other in zip(network.decoder.parameters(), start.parameters(), strict=True)
    ]
    assert all(moved)


def test_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="take laboratory translation or translation"):
        load_translation("voro")
