"""What a frozen BERT says of words, as features for heads."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.wordpiece import SPECIAL
from nnlm2bert.transfer import Concatenated, ContextualEncoder, Features, MarkedReader
from nnlm2bert.transfer.bert_inputs import MarkedBatch, layer_vectors, word_by_word
from nnlm2bert.transfer.marked_words import MarkedWords

WORDS = ("the", "film", "##s", "was", "good")
SENTENCES = [("the", "films"), ("good",), ("the", "film", "was", "good") * 4]


@pytest.fixture(scope="module")
def reader() -> MarkedReader:
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    tokens = SubwordEncoder(Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")))
    torch.manual_seed(0)
    sizes = {"context": 14, "width": 8, "heads": 2, "layers": 2, "inner": 16}
    return MarkedReader(BERT(bert_config(len(vocabulary), **sizes)), tokens)


def test_a_words_vectors_are_those_at_its_first_piece(reader: MarkedReader) -> None:
    found = reader.extract(SENTENCES)
    assert [tuple(vectors.shape) for vectors in found] == [(2, 3, 8), (1, 3, 8), (16, 3, 8)]
    batch = MarkedBatch.of(word_by_word(SENTENCES[0], MarkedWords.of(reader.encoder), 14))
    reader.network.eval()
    with torch.no_grad():
        wanted = layer_vectors(reader.network, batch)[0, 1:3]  # films is film ##s
    torch.testing.assert_close(found[0].float(), wanted, rtol=1e-2, atol=1e-2)


def test_the_mode_of_the_network_is_left_as_it_was(reader: MarkedReader) -> None:
    reader.network.train()
    one, other = reader.extract(SENTENCES), reader.extract(SENTENCES, tokens_a_batch=1)
    assert reader.network.training
    for pair in zip(one, other, strict=True):
        torch.testing.assert_close(*pair, rtol=1e-2, atol=1e-2)


def test_another_network_has_another_name(reader: MarkedReader) -> None:
    before = reader.digest()
    assert before == reader.digest()
    reader.network.transform.weight.data += 1
    assert reader.digest() != before


def test_layers_stand_side_by_side(reader: MarkedReader) -> None:
    plain, beside = reader.extract(SENTENCES), Concatenated(reader, (2, 0)).extract(SENTENCES)
    for layers, found in zip(plain, beside, strict=True):
        assert torch.equal(found, torch.cat([layers[:, 2], layers[:, 0]], dim=1).unsqueeze(1))
    names = {Concatenated(reader, chosen).digest() for chosen in ((2, 0), (0, 2), (2,))}
    assert len({*names, reader.digest()}) == 4


def test_both_stand_below_heads(reader: MarkedReader) -> None:
    mixed = ContextualEncoder(Features(reader, SENTENCES))
    assert mixed(SENTENCES).shape == (3, 16, 8)
    beside = ContextualEncoder(Features(Concatenated(reader, (1, 2)), SENTENCES), layers=0)
    assert beside(SENTENCES).shape == (3, 16, 16)
