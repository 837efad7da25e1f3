"""Blocks of LSTMs and of bags below the same embeddings and softmax: BERT, GPT and two one-way."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT, IGNORED
from nnlm2bert.models.other_blocks import (
    BagBlock,
    BagConfig,
    LSTMBlock,
    LSTMConfig,
    of_kind,
    of_size,
    parameters,
)
from nnlm2bert.models.transformer import Block, TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM

SIZES = bert_config(30, context=12, width=16, heads=2, layers=2, inner=24, dropout=0.0, norm="pre")
LENGTHS = torch.tensor([9, 5, 7])
INSIDE = torch.arange(9) < LENGTHS.unsqueeze(1)
ONE_WAY = {"causal": True, "segments": 0}
NETWORKS = {"BERT": BERT, "GPT": GPT, "TransformerBiLM": TransformerBiLM}
BLOCKS = ("lstm", "bag")
each_network = pytest.mark.parametrize("name", NETWORKS)
each_kind = pytest.mark.parametrize("kind", BLOCKS)


def made(name: str, kind: str, **changes) -> nn.Module:
    torch.manual_seed(0)
    sides = {} if name == "BERT" else ONE_WAY
    network = NETWORKS[name](of_kind(kind, SIZES, **sides, **changes)).eval()
    for parameter in network.parameters():  # far from the small weights of the beginning
        nn.init.normal_(parameter, std=0.3)
    return network


def tokens() -> torch.Tensor:
    drawn = torch.randint(1, 30, (3, 9), generator=torch.Generator().manual_seed(1))
    return drawn.masked_fill(~INSIDE, 0)


def read(network: nn.Module, words: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    return network(words) if isinstance(network, GPT) else network(words, inside)


def loss_of(network: nn.Module, words: torch.Tensor) -> torch.Tensor:
    if isinstance(network, TransformerBiLM):
        return network.loss(words, INSIDE)[0]
    targets = words.roll(-1, dims=1).masked_fill(~INSIDE, IGNORED)
    if isinstance(network, GPT):
        return network.loss(words, targets)[0]
    return network.loss(words, targets, INSIDE, torch.zeros_like(words))[0]


# What they compute.


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_norms_stand_where_they_are_told(norm):
    block = LSTMBlock(of_kind("lstm", SIZES, norm=norm)).eval()
    x = 3 * torch.randn(2, 5, 16) + 1
    with torch.no_grad():
        normed = (block(x).std(dim=2, correction=0) - 1).abs().max() < 1e-4
    assert bool(normed) == (norm == "post")


def test_an_lstm_begins_by_keeping_what_it_knows():
    lstm = LSTMBlock(of_kind("lstm", SIZES)).from_right
    gates = (lstm.bias_ih_l0 + lstm.bias_hh_l0).unflatten(0, (4, -1))
    assert gates.tolist() == [[0.0] * 24, [1.0] * 24, [0.0] * 24, [0.0] * 24]


def test_a_bag_is_the_mean_of_its_neighbours():
    torch.manual_seed(0)
    bag, x = BagBlock(of_kind("bag", SIZES, window=2)).attention, torch.randn(1, 6, 16)
    values = bag.values(x)[0]
    for place, neighbours in ((0, [1, 2]), (3, [1, 2, 4, 5]), (5, [3, 4])):
        wanted = bag.output(values[neighbours].mean(dim=0))
        torch.testing.assert_close(bag(x)[0, place], wanted)


def test_a_bag_without_a_neighbour_is_told_nothing():
    bag, x = BagBlock(of_kind("bag", SIZES)).attention, torch.randn(1, 1, 16)
    torch.testing.assert_close(bag(x)[0, 0], bag.output.bias)


def test_one_bag_knows_no_order_and_nothing_beyond_its_window():
    bert = made("BERT", "bag", window=2, layers=1, positions="none")
    words = tokens()[:1]
    swapped, further = words.clone(), words.clone()
    swapped[0, [2, 3, 5, 6]] = words[0, [6, 5, 3, 2]]
    further[0, 7] = words[0, 7] % 29 + 1
    before = bert(words)[0, 4]
    torch.testing.assert_close(bert(swapped)[0, 4], before)
    torch.testing.assert_close(bert(further)[0, 4], before)
    further[0, 6] = words[0, 6] % 29 + 1
    assert not torch.allclose(bert(further)[0, 4], before)


# What a place sees.


@each_kind
@each_network
def test_padding_changes_nothing(name, kind):
    network, words = made(name, kind), tokens()
    with torch.no_grad():
        together = read(network, words, INSIDE)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = read(network, words[row : row + 1, :length], None)[0]
            torch.testing.assert_close(together[row, :length], alone, atol=1e-5, rtol=1e-5)


@each_kind
def test_one_way_networks_never_see_the_other_side(kind):
    gpt, both, words = made("GPT", kind), made("TransformerBiLM", kind), tokens()
    left, right = words.clone(), words.clone()
    left[:, :3], right[:, 4:] = words[:, :3] % 29 + 1, words[:, 4:] % 29 + 1
    with torch.no_grad():
        torch.testing.assert_close(gpt(right)[:, 3], gpt(words)[:, 3])
        assert not torch.allclose(gpt(left)[:, 3], gpt(words)[:, 3], atol=1e-3)
        forward, backward = both(words)[:, 3].chunk(2, dim=1)
        torch.testing.assert_close(both(right)[:, 3].chunk(2, dim=1)[0], forward)
        torch.testing.assert_close(both(left)[:, 3].chunk(2, dim=1)[1], backward)
        assert not torch.allclose(both(right)[:, 3].chunk(2, dim=1)[1], backward, atol=1e-3)


@each_kind
def test_a_masked_network_sees_both_sides_but_not_the_hidden_word(kind):
    bert, words = made("BERT", kind), tokens()
    hidden = words.index_fill(1, torch.tensor([3]), 2)
    with torch.no_grad():
        before = bert(hidden)[:, 3]
        for place in (2, 4):
            other = hidden.clone()
            other[:, place] = other[:, place] % 29 + 1
            assert not torch.allclose(bert(other)[:, 3], before, atol=1e-3)


def test_the_directions_of_a_masked_lstm_are_joined_in_each_layer():
    """What stands to the right reaches the left-to-right half of the second layer."""
    bert, words = made("BERT", "lstm"), tokens()
    other = words.clone()
    other[:, 4] = words[:, 4] % 29 + 1
    seen = [bert.layers[1](bert.layers[0](text), INSIDE) for text in (words, other)]
    states = [bert.layers[2].from_left(bert.layers[2].norm(x))[0][:, 2] for x in seen]
    assert not torch.allclose(*states, atol=1e-3)


# How they are trained, and how large they are.


@each_kind
@each_network
def test_all_weights_of_a_block_learn(name, kind):
    network = made(name, kind)
    loss_of(network, tokens()).backward()
    blocks = [part for part in network.modules() if isinstance(part, LSTMBlock | BagBlock)]
    assert len(blocks) == (4 if name == "TransformerBiLM" else 2)
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for b in blocks for p in b.parameters()
    )


@each_network
def test_overfits_one_batch(name):
    network, words = made(name, "lstm").train(), tokens()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = loss_of(network, words)
        loss.backward()
        optimizer.step()
    assert loss < 0.3


def test_another_block_is_a_configuration():
    attention, lstm = of_kind("attention", SIZES), of_kind("lstm", SIZES)
    assert attention == SIZES and type(attention) is TransformerConfig
    assert isinstance(lstm, LSTMConfig) and asdict(lstm) == asdict(SIZES)
    bag = of_kind("bag", SIZES, window=3)
    assert isinstance(bag, BagConfig) and replace(bag, layers=1).window == 3
    kinds = [type(BERT(c).layers[1]) for c in (attention, lstm, bag)]
    assert kinds == [Block, LSTMBlock, BagBlock]
    with pytest.raises(ValueError, match="attention, lstm, bag"):
        of_kind("convolution", SIZES)


@pytest.mark.parametrize("kind", BLOCKS)
def test_nothing_is_kept_of_the_past(kind):
    gpt, words = made("GPT", kind), tokens()[:1, :4]
    with pytest.raises(ValueError, match="cache=False"):
        gpt.generate(words, 2, temperature=0)
    assert gpt.generate(words, 2, temperature=0, cache=False).shape == (1, 6)


def test_networks_are_brought_to_a_size():
    sizes = replace(SIZES, width=48, inner=192)
    wanted = parameters(BERT(sizes))
    assert of_size(BERT, sizes, wanted) == sizes
    for name, build in NETWORKS.items():
        for kind in ("attention", "lstm"):
            own = {} if name == "BERT" else {**ONE_WAY, "width": 34 if "Bi" in name else 48}
            found = of_size(build, of_kind(kind, sizes, **own), wanted)
            assert parameters(build(found)) == pytest.approx(wanted, rel=0.02)
