"""The encoder and decoder: what is seen from where, what begins as BERT, and what is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small_networks import loss_after, plain_costs
from torch import Tensor, nn

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.encoder_decoder import (
    IGNORED,
    EncoderDecoder,
    EncoderDecoderConfig,
)
from nnlm2bert.models.transformer import KeysAndValues

READ = bert_config(20, context=12, width=8, heads=2, layers=2, inner=16, dropout=0.0)
CONFIG = EncoderDecoderConfig.like(READ, 15)
LENGTHS, WRITTEN = torch.tensor([7, 4, 6]), torch.tensor([3, 5, 6])
INSIDE = torch.arange(7) < LENGTHS.unsqueeze(1)
BEGIN, END = 1, 2


def network(**options: object) -> EncoderDecoder:
    """A small network with weights so large that each place matters."""
    torch.manual_seed(0)
    both = {"encoder": replace(READ, **options), "decoder": replace(CONFIG.decoder, **options)}
    model = EncoderDecoder(EncoderDecoderConfig(**both))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def batch() -> dict[str, Tensor]:
    """Sources (3, 7), tokens and targets (3, 6) with padding of both kinds."""
    generator = torch.Generator().manual_seed(1)
    sources = torch.randint(5, 20, (3, 7), generator=generator)
    tokens = torch.randint(3, 15, (3, 6), generator=generator)
    targets = tokens.roll(-1, dims=1).masked_fill(torch.arange(6) >= WRITTEN.unsqueeze(1), IGNORED)
    return {"sources": sources, "tokens": tokens, "targets": targets, "inside": INSIDE}


def test_sizes_must_go_together() -> None:
    with pytest.raises(ValueError, match="the decoder is causal"):
        EncoderDecoderConfig(READ, READ)
    with pytest.raises(ValueError, match="width 8 and a decoder of width 16"):
        EncoderDecoderConfig(READ, replace(CONFIG.decoder, width=16))
    assert (CONFIG.decoder.vocabulary_size, CONFIG.decoder.causal) == (15, True)


# What is seen.


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_place_sees_all_of_the_source_and_what_was_written(norm: str) -> None:
    model, given = network(norm=norm), batch()
    sources, tokens = given["sources"], given["tokens"]
    before = model(sources, tokens, INSIDE)
    assert before.shape == (3, 6, 8)
    for place in range(6):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 15
        moved = (model(sources, changed, INSIDE) - before).abs().amax(dim=2) > 1e-5
        assert moved[:, place:].all() and not moved[:, :place].any()
    for place in range(7):
        changed = sources.clone()
        changed[:, place] = (changed[:, place] + 1) % 20
        moved = (model(changed, tokens, INSIDE) - before).abs().amax(dim=(1, 2)) > 1e-5
        assert torch.equal(moved, INSIDE[:, place])


def test_padding_changes_nothing() -> None:
    model, given = network(), batch()
    loss, terms = model.loss(**given)
    assert terms == int(WRITTEN.sum())
    longer = {
        "sources": F.pad(given["sources"], (0, 3), value=9),
        "tokens": F.pad(given["tokens"], (0, 2), value=9),
        "targets": F.pad(given["targets"], (0, 2), value=IGNORED),
        "inside": F.pad(INSIDE, (0, 3)),
    }
    torch.testing.assert_close(model.loss(**longer)[0], loss)
    told = model.write(given["sources"], BEGIN, END, 5, INSIDE)
    assert torch.equal(model.write(longer["sources"], BEGIN, END, 5, longer["inside"]), told)


def test_costs_and_loss_are_those_of_the_softmax() -> None:
    model, given = network(), batch()
    vectors = model(given["sources"], given["tokens"], INSIDE)
    expected = plain_costs(model.decoder.logits(vectors), given["targets"])
    torch.testing.assert_close(model.costs(**given), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model.loss(**given)[0], expected.sum() / WRITTEN.sum())


def test_weights_are_what_the_attention_reads_by() -> None:
    block = network().decoder.layers[1]
    x, source = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(2))
    cross, inside = block.cross_attention, INSIDE[:, :6]
    weights = cross.weights(x, source, inside)
    assert weights.shape == (3, 2, 6, 6)
    assert not weights.transpose(1, 3)[~inside].any()
    torch.testing.assert_close(weights.sum(dim=3), torch.ones(3, 2, 6))
    read = weights @ cross.remembered(source, None)[1]
    expected = cross.output(read.transpose(1, 2).flatten(2))
    torch.testing.assert_close(cross(x, source, inside), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [5, 600])
def test_both_forms_of_attention_agree(length: int) -> None:
    """In bfloat16 short sources are read by the plain form, long ones by torch's kernel."""
    cross = network().decoder.layers[1].cross_attention
    generator = torch.Generator().manual_seed(3)
    x, source = (torch.randn(1, n, 8, generator=generator) * 0.2 for n in (4, length))
    with torch.autocast("cpu", torch.bfloat16):
        low = cross(x, source).float()
    torch.testing.assert_close(low, cross(x, source), rtol=0.1, atol=0.05)


# What begins as BERT.


def bert(**options: object) -> BERT:
    torch.manual_seed(5)
    model = BERT(replace(READ, **options))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_all_but_the_cross_attention_begins_as_bert(norm: str) -> None:
    given, sizes = bert(norm=norm), replace(READ, norm=norm)
    model = EncoderDecoder(EncoderDecoderConfig.like(sizes, 20)).eval()
    crossing = {n: p.clone() for n, p in model.decoder.named_parameters() if "cross" in n}
    model.begin_as(given)
    tokens = batch()["sources"]
    torch.testing.assert_close(model.encoder(tokens, INSIDE), given(tokens, INSIDE))
    after = dict(model.decoder.named_parameters())
    assert len(crossing) == 2 * 8 and all(torch.equal(after[n], p) for n, p in crossing.items())
    for block in model.decoder.layers[1:]:
        nn.init.zeros_(block.cross_attention.output.weight)  # nothing is read of the source
        block.cross_attention_norm = nn.Identity()
    one_place = tokens[:, :1]  # where nothing stands to the right, BERT is causal
    vectors = model(tokens, one_place, INSIDE)
    torch.testing.assert_close(vectors, given(one_place))
    torch.testing.assert_close(model.decoder.logits(vectors), given.logits(given(one_place)))


def test_words_of_both_vocabularies_keep_their_vectors() -> None:
    given, model = bert(), EncoderDecoder(CONFIG)
    before = model.decoder.layers[0].tokens.weight.clone()
    same = torch.tensor([[3, 19], [14, 6]])
    model.begin_as(given, same=same)
    found, table = model.decoder.layers[0].tokens.weight, given.layers[0].tokens.weight
    assert torch.equal(found[[3, 14]], table[[19, 6]])
    assert torch.equal(model.decoder.bias[[3, 14]], given.bias[[19, 6]])
    rest = [number for number in range(15) if number not in (3, 14)]
    assert torch.equal(found[rest], before[rest]) and not model.decoder.bias[rest].any()


def test_the_encoder_alone_may_begin_as_bert() -> None:
    given, model = bert(), EncoderDecoder(CONFIG)
    before = {name: p.clone() for name, p in model.decoder.named_parameters()}
    model.begin_as(given, decoder=False)
    tokens = batch()["sources"]
    torch.testing.assert_close(model.eval().encoder(tokens), given(tokens))
    assert all(torch.equal(p, before[n]) for n, p in model.decoder.named_parameters())


def test_other_sizes_are_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        EncoderDecoder(CONFIG).begin_as(bert(width=16))


# Training and writing.


def test_every_parameter_gets_a_gradient() -> None:
    model, given = network(context=7), batch()
    tokens = torch.cat([given["tokens"], given["tokens"][:, :1]], dim=1)
    targets = tokens.roll(-1, dims=1)
    model.loss(given["sources"], tokens, targets)[0].backward()
    for name, parameter in model.named_parameters():
        grad = parameter.grad
        assert grad is not None and grad.abs().sum() > 0, name


def test_overfits_one_batch_and_writes_it() -> None:
    torch.manual_seed(0)
    sizes = replace(READ, width=32, inner=64)
    model, given = EncoderDecoder(EncoderDecoderConfig.like(sizes, 15)), batch()
    given["tokens"][:, 0] = BEGIN
    given["targets"] = given["tokens"].roll(-1, dims=1)
    given["targets"][torch.arange(3), WRITTEN - 1] = END
    given["targets"][torch.arange(6) >= WRITTEN.unsqueeze(1)] = IGNORED
    assert loss_after(80, model, lambda: model.loss(**given)) < 0.05
    model.eval()
    told = model.write(given["sources"], BEGIN, END, 9, INSIDE)
    assert told.shape == (3, 6)  # until the longest has ended
    expected = given["targets"].masked_fill(given["targets"] == IGNORED, END)
    assert torch.equal(told, expected)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_writing_with_memory_is_writing_without(norm: str) -> None:
    model, given = network(norm=norm).eval(), batch()
    source = model.encoder(given["sources"], INSIDE)
    expected = model.decoder(given["tokens"], source, INSIDE)
    past = [(KeysAndValues(), KeysAndValues()) for _ in range(2)]
    parts = [model.decoder(part, source, INSIDE, past) for part in given["tokens"].split(2, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), expected)
    assert [[len(memory) for memory in block] for block in past] == [[6, 7], [6, 7]]
    slow = model.write(given["sources"], BEGIN, END, 10, INSIDE, cache=False)
    assert slow.shape == (3, 10)
    assert torch.equal(model.write(given["sources"], BEGIN, END, 10, INSIDE), slow)


def test_a_row_that_has_ended_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    model, steps = network().eval(), iter([[4, END, 5], [4, 7, END], [END, 8, 9]])
    monkeypatch.setattr(
        model.decoder, "logits", lambda _: F.one_hot(torch.tensor(next(steps)), 15).float()
    )
    told = model.write(batch()["sources"], BEGIN, END, 10, INSIDE)
    assert told.tolist() == [[4, 4, END], [END, END, END], [5, END, END]]


def test_what_does_not_fit_is_refused() -> None:
    model = network()
    with pytest.raises(ValueError, match="13 tokens do not fit into a context of 12"):
        model(batch()["sources"], torch.ones(3, 13, dtype=torch.long))


def test_dropout_works_in_training_only() -> None:
    model, given = network(dropout=0.5), batch()
    assert model.loss(**given)[0] != model.loss(**given)[0]
    model.eval()
    assert model.loss(**given)[0] == model.loss(**given)[0]
