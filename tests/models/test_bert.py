"""BERT: its two losses, what they depend on, and the blanks it fills."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small_networks import loss_after, plain_costs, sure_network
from torch import Tensor

from nnlm2bert.models.bert import BERT, IGNORED, IS_NEXT, NOT_NEXT, bert_config
from nnlm2bert.models.transformer import TransformerConfig

SMALL = bert_config(20, context=12, width=8, heads=2, layers=2, inner=16, dropout=0.0)
LENGTHS = torch.tensor([8, 5, 7, 6])
INSIDE = torch.arange(8) < LENGTHS.unsqueeze(1)
SEGMENTS = (torch.arange(8) >= LENGTHS.unsqueeze(1) // 2).long()
RELATIONS = torch.tensor([IS_NEXT, NOT_NEXT, NOT_NEXT, IS_NEXT])


def network(**options: object) -> BERT:
    """A small network with large weights."""
    return sure_network(BERT, replace(SMALL, **options))


def batch() -> tuple[Tensor, Tensor]:
    """Tokens and, at some places within the lengths, what was hidden there: (B, T) both."""
    generator = torch.Generator().manual_seed(1)
    tokens, hidden = torch.randint(20, (2, 4, 8), generator=generator)
    chosen = (torch.rand(4, 8, generator=generator) < 0.4) & INSIDE
    return tokens, hidden.masked_fill(~chosen, IGNORED)


# The kind of network.


def test_the_config_is_that_of_the_paper_but_for_its_sizes() -> None:
    config = bert_config(30_522, context=512, width=768, heads=12, layers=12, inner=3072)
    assert (config.causal, config.segments, config.embedding_norm) == (False, 2, True)
    assert (config.activation, config.norm, config.positions) == ("gelu", "post", "learned")
    with torch.device("meta"):
        model = BERT(config)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert numbers == 110_106_428  # with both heads
    assert bert_config(10, epsilon=1e-5, segments=3).segments == 3


def test_a_network_that_reads_from_the_left_is_refused() -> None:
    with pytest.raises(ValueError, match="causal=False"):
        BERT(TransformerConfig(20))


def test_the_table_is_shared_and_the_heads_begin_small() -> None:
    torch.manual_seed(0)
    model = BERT(replace(SMALL, width=64))
    heads = {n: p for n, p in model.named_parameters() if not n.startswith("layers.")}
    assert {name.partition(".")[0] for name in heads} == {
        *("bias", "transform", "transform_norm", "pooler", "relation")
    }
    assert not any(p.any() for name, p in heads.items() if name.endswith("bias"))
    for name in ("transform.weight", "pooler.weight"):
        assert 0.015 < heads[name].std() < 0.025


# Masked words.


def test_logits_come_from_the_table_of_token_vectors() -> None:
    model, (tokens, _) = network(), batch()
    vectors = model(tokens)
    logits = model.logits(vectors)
    assert logits.shape == (4, 8, 20)
    inner = F.gelu(F.linear(vectors[2, 3], model.transform.weight, model.transform.bias))
    norm = model.transform_norm
    inner = F.layer_norm(inner, (8,), norm.weight, norm.bias, 1e-12)
    expected = inner @ model.layers[0].tokens.weight[7] + model.bias[7]
    torch.testing.assert_close(logits[2, 3, 7], expected)


def test_costs_are_those_of_the_softmax() -> None:
    model, (tokens, targets) = network(), batch()
    expected = plain_costs(model.logits(model(tokens, INSIDE, SEGMENTS)), targets)
    costs = model.costs(tokens, targets, INSIDE, SEGMENTS)
    torch.testing.assert_close(costs, expected, rtol=1e-5, atol=1e-5)


def test_loss_is_the_mean_of_the_costs() -> None:
    model, (tokens, targets) = network(), batch()
    loss, terms = model.loss(tokens, targets, INSIDE, SEGMENTS)
    assert terms == int((targets != IGNORED).sum())
    costs = model.costs(tokens, targets, INSIDE, SEGMENTS)
    torch.testing.assert_close(loss, costs.sum() / terms)


def test_gradients_are_those_of_the_plain_losses() -> None:
    model, (tokens, targets) = network(), batch()
    parameters = list(model.parameters())
    loss, _ = model.loss(tokens, targets, INSIDE, SEGMENTS, RELATIONS)
    vectors = model(tokens, INSIDE, SEGMENTS)
    plain = F.cross_entropy(model.logits(vectors).flatten(0, 1), targets.flatten())
    plain = plain + F.cross_entropy(model.relation_logits(vectors), RELATIONS)
    torch.testing.assert_close(loss, plain)
    pairs = zip(*(torch.autograd.grad(one, parameters) for one in (loss, plain)), strict=True)
    for ours, expected in pairs:
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_loss_is_of_the_chosen_places_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (tokens, targets) = network(), batch()
    vectors = model(tokens, INSIDE, SEGMENTS).detach()
    changed = vectors + (targets == IGNORED).unsqueeze(2) * torch.linspace(-9, 9, 8)
    losses = []
    for read in (vectors, changed, vectors + 0.1 * torch.linspace(-1, 1, 8)):
        monkeypatch.setattr(model, "forward", lambda *_, read=read: read)
        losses.append(model.loss(tokens, targets, INSIDE, SEGMENTS)[0].item())
    assert losses[0] == losses[1] != losses[2]


def test_a_blank_is_read_from_both_sides() -> None:
    model, (tokens, targets) = network(), batch()
    targets = targets.masked_fill(torch.arange(8) != 3, IGNORED)
    targets[:, 3] = 7
    before = model.costs(tokens, targets)[:, 3]
    for place in (0, 1, 2, 4, 5, 6, 7):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 20
        assert (model.costs(changed, targets)[:, 3] - before).abs().max() > 1e-3


def test_padding_changes_nothing() -> None:
    model, (tokens, targets) = network(), batch()
    given = {"inside": INSIDE, "segments": SEGMENTS, "relations": RELATIONS}
    loss, _ = model.loss(tokens, targets, **given)
    other = torch.where(INSIDE, tokens, (tokens + 5) % 20)
    torch.testing.assert_close(model.loss(other, targets, **given)[0], loss)
    longer = {name: F.pad(given[name], (0, 4)) for name in ("inside", "segments")}
    padded = model.loss(
        F.pad(tokens, (0, 4), value=9),
        F.pad(targets, (0, 4), value=IGNORED),
        **longer,
        relations=RELATIONS,
    )
    torch.testing.assert_close(padded[0], loss)
    assert abs(model.loss(tokens, targets, None, SEGMENTS)[0] - loss) > 1e-2


def test_nothing_hidden_costs_nothing() -> None:
    tokens, targets = batch()
    loss, terms = network().loss(tokens, torch.full_like(targets, IGNORED))
    assert terms == 0 and loss == 0


# Pairs.


def test_the_relation_is_read_from_the_first_vector_alone() -> None:
    model, (tokens, _) = network(), batch()
    vectors = model(tokens, INSIDE, SEGMENTS)
    scores = model.relation_logits(vectors)
    assert scores.shape == (4, 2) and model.pooled(vectors).shape == (4, 8)
    first = F.linear(vectors[:, 0], model.pooler.weight, model.pooler.bias).tanh()
    torch.testing.assert_close(scores, F.linear(first, model.relation.weight, model.relation.bias))
    assert torch.equal(model.relation_logits(vectors[:, :1]), scores)


def test_the_loss_of_pairs_is_added_and_segments_matter() -> None:
    model, (tokens, targets) = network(), batch()
    alone, terms = model.loss(tokens, targets, INSIDE, SEGMENTS)
    both, same = model.loss(tokens, targets, INSIDE, SEGMENTS, RELATIONS)
    logs = model.relation_logits(model(tokens, INSIDE, SEGMENTS)).log_softmax(dim=1)
    expected = -sum(logs[row, label] for row, label in enumerate(RELATIONS.tolist())) / 4
    torch.testing.assert_close(both - alone, expected, rtol=1e-4, atol=1e-5)
    assert terms == same
    assert abs(model.loss(tokens, targets, INSIDE, None)[0] - alone) > 1e-3


# Training.


def test_every_parameter_gets_a_gradient() -> None:
    model, (tokens, targets) = network(context=8), batch()
    model.loss(tokens, targets, None, SEGMENTS, RELATIONS)[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_overfits_one_batch_and_fills_its_blanks() -> None:
    torch.manual_seed(0)
    model, (tokens, targets) = BERT(replace(SMALL, width=32, inner=64)), batch()
    given = (tokens, targets, INSIDE, SEGMENTS, RELATIONS)
    assert loss_after(100, model, lambda: model.loss(*given)) < 0.05
    blanks = targets != IGNORED
    found, shares = model.fill(tokens, blanks, 3, INSIDE, SEGMENTS)
    assert torch.equal(found[:, 0], targets[blanks]) and (shares[:, 0] > 0.9).all()
    vectors = model(tokens, INSIDE, SEGMENTS)
    assert torch.equal(model.relation_logits(vectors).argmax(dim=1), RELATIONS)


def test_blanks_are_filled_by_their_probabilities() -> None:
    model, (tokens, targets) = network(), batch()
    blanks = targets != IGNORED
    found, shares = model.fill(tokens, blanks, 4, INSIDE, SEGMENTS)
    assert found.shape == shares.shape == (int(blanks.sum()), 4)
    wanted = model.logits(model(tokens, INSIDE, SEGMENTS)).softmax(dim=2)[blanks]
    torch.testing.assert_close(shares, wanted.sort(dim=1, descending=True).values[:, :4])
    torch.testing.assert_close(shares, wanted.gather(1, found))


def test_dropout_works_in_training_only() -> None:
    model = network(dropout=0.5)
    assert model.loss(*batch())[0] != model.loss(*batch())[0]
    model.eval()
    assert model.loss(*batch())[0] == model.loss(*batch())[0]


def test_maps_of_attention_see_the_segments() -> None:
    model, (tokens, _) = network(), batch()
    plain = model.attention_maps(tokens, INSIDE)
    assert all(weights.shape == (4, 2, 8, 8) for weights in plain)
    told = model.attention_maps(tokens, INSIDE, SEGMENTS)
    assert (told[0] - plain[0]).abs().max() > 1e-3
