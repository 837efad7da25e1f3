"""What a frozen GPT says of words: at their last token, from what stands before them alone."""

import pytest
import torch

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.tokenizers.fast_bpe import END_ID, SPECIAL, train_bpe
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training import seed_everything
from nnlm2bert.transfer import CausalReader, ContextualEncoder, Features
from nnlm2bert.transfer.causal_features import layer_vectors

SENTENCES = [("the", "river", "bank"), ("a", "bank"), ("The", "river", "runs", "here")]


@pytest.fixture(scope="module")
def reader():
    words = sorted({word.lower() for sentence in SENTENCES for word in sentence})
    tokenizer = train_bpe(dict.fromkeys(words, 1), len(SPECIAL) + 2 * 26)
    seed_everything(4)
    config = TransformerConfig(
        tokenizer.get_vocab_size(), context=24, width=16, heads=2, layers=2, inner=32, dropout=0.5
    )
    return CausalReader(GPT(config), SubwordEncoder(tokenizer))


def test_each_word_has_its_layers_at_its_last_token(reader):
    found = reader.extract(SENTENCES)
    assert [tuple(layers.shape) for layers in found] == [(3, 3, 16), (2, 3, 16), (4, 3, 16)]
    assert all(layers.dtype == torch.float16 for layers in found)
    ids, borders = reader.encoder.encode(["the", "river", "bank"])
    reader.gpt.eval()
    with torch.no_grad():
        layers = layer_vectors(reader.gpt, torch.tensor([[END_ID, *ids]]))
        assert torch.equal(layers[-1], reader.gpt(torch.tensor([[END_ID, *ids]])))
    for word, border in enumerate(borders[1:]):
        wanted = torch.stack([layer[0, border] for layer in layers])
        torch.testing.assert_close(found[0][word].float(), wanted, rtol=2e-3, atol=2e-3)


def test_what_follows_a_word_changes_nothing(reader):
    one, other = reader.extract([("the", "river", "bank"), ("the", "river", "runs")])
    torch.testing.assert_close(one[:2].float(), other[:2].float(), rtol=5e-3, atol=5e-3)
    assert not torch.allclose(one[2].float(), other[2].float(), atol=1e-2)


def test_a_sentence_longer_than_the_context_has_all_its_words(reader):
    long = ("river", "bank") * 9
    (found,) = reader.extract([long])
    assert len(found) == len(long)
    (first,) = reader.extract([long[:2]])
    torch.testing.assert_close(found[:2].float(), first.float(), rtol=5e-3, atol=5e-3)


def test_the_network_goes_back_to_what_it_was_doing(reader):
    reader.gpt.train()
    first, second = (reader.extract(SENTENCES)[0] for _ in range(2))
    assert reader.gpt.training and torch.equal(first, second)


def test_the_name_tells_networks_apart(reader):
    name = reader.digest()
    assert name == CausalReader(reader.gpt, SubwordEncoder(reader.encoder.tokenizer)).digest()
    weight = reader.gpt.layers[1].feed_forward.output.bias
    weight.data[0] += 1
    changed = reader.digest()
    weight.data[0] -= 1
    assert changed != name == reader.digest()


def test_heads_mix_the_layers_as_they_do_those_of_elmo(reader, tmp_path):
    features = Features(reader, SENTENCES, tmp_path)
    again = Features(reader, SENTENCES, tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 1
    assert torch.equal(features[SENTENCES[0]], again[SENTENCES[0]])
    encoder = ContextualEncoder(features)
    assert encoder(SENTENCES).shape == (3, 4, 16) and len(encoder.learned()) == 4
