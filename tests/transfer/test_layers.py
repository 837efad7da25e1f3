"""Copying, freezing and counting layers, of every kind of network the book builds."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nnlm2bert.models.convnet import ConvNet, ConvNetConfig
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.transfer import FirstLayer, copy_layers, freeze, frozen_layers, unfreeze


class Stack(nn.Module):
    """Layers one on the other, with a head on the mean over all places."""

    def __init__(self, layers, width, places=1):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.places, self.head = places, nn.Linear(width, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(dim=self.places))


def convnet():
    return ConvNet(ConvNetConfig(3, size=8, widths=(4, 5, 6), pools=(True, False, False)))


def normalised():
    blocks = [nn.Sequential(nn.Conv2d(a, 4, 3), nn.BatchNorm2d(4)) for a in (1, 4, 4)]
    return Stack(blocks, 4, places=(2, 3))


def transformer():
    blocks = [nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True) for _ in "12"]
    return Stack([nn.Embedding(11, 8), *blocks], 8)


def recurrent():
    class Last(nn.LSTM):
        def forward(self, x):
            return super().forward(x)[0]

    return Stack([nn.Embedding(11, 8), Last(8, 8, 2, batch_first=True, dropout=0.5)], 8)


def inputs(make):
    generator = torch.Generator().manual_seed(0)
    if make in (convnet, normalised):
        return torch.randn(6, 1, 8, 8, generator=generator)
    return torch.randint(11, (6, 5), generator=generator)


NETWORKS = (convnet, normalised, transformer, recurrent)
DEPTHS = [(make, n) for make in NETWORKS for n in range(4) if make is not recurrent or n < 3]


def seeded(make, seed):
    torch.manual_seed(seed)
    return make()


def trained(make, seed):
    """A network after a few steps, so that its statistics have moved, too."""
    model = seeded(make, seed)
    learn(model, make)
    return model


def learn(model, make, steps=3):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs(make)), torch.arange(6) % 3)
        loss.backward()
        optimizer.step()


def freeze_all(model):
    for layer in model.layers:
        freeze(layer)
    return model


def states(model):
    """The weights and statistics of each layer, and of what stands on top, at this moment."""
    parts = [*model.layers, model.head]
    return [copy.deepcopy(part.state_dict()) for part in parts]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("make", "count"), DEPTHS)
def test_the_lowest_layers_are_copied_and_no_others(make, count, frozen):
    source, target = trained(make, 1), seeded(make, 2)
    given, before = states(source), states(target)
    assert copy_layers(source, target, count, frozen) is target
    for number, (theirs, old, now) in enumerate(zip(given, before, states(target), strict=True)):
        assert same(now, theirs) == (number < count)
        assert same(now, old) == (number >= count)
    assert all(same(*pair) for pair in zip(given, states(source), strict=True))
    assert frozen_layers(target) == (count if frozen else 0)
    assert frozen_layers(source) == 0


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("make", "count"), DEPTHS)
def test_frozen_layers_stay_in_training_and_all_others_move(make, count, frozen):
    model = copy_layers(trained(make, 1), seeded(make, 2), count, frozen)
    before = states(model)
    learn(model, make)
    stayed = [same(old, now) for old, now in zip(before, states(model), strict=True)]
    assert stayed == [frozen] * count + [False] * (len(stayed) - count)
    assert model.training


@pytest.mark.parametrize("make", [normalised, transformer, recurrent])
def test_frozen_layers_drop_nothing_and_take_no_statistics_in_training(make):
    model = freeze_all(trained(make, 1))
    model.eval()
    quiet = model(inputs(make))
    model.train()
    torch.testing.assert_close(model(inputs(make)), quiet)
    assert model.training and model.head.training


@pytest.mark.parametrize("make", [normalised, transformer, recurrent])
def test_what_was_frozen_trains_again_when_let_go(make):
    model = freeze_all(trained(make, 1))
    for layer in model.layers:
        unfreeze(layer)
    model.train()
    before = states(model)
    assert make is normalised or not torch.equal(model(inputs(make)), model(inputs(make)))
    learn(model, make)
    assert not any(same(*pair) for pair in zip(before, states(model), strict=True))
    assert frozen_layers(model) == 0


def test_parts_of_a_frozen_module_are_frozen_when_used_alone():
    layer = freeze(nn.ModuleDict({"drop": nn.Dropout(0.5)}))
    layer.train()
    assert torch.equal(layer["drop"](torch.ones(50)), torch.ones(50))


def test_copies_of_a_frozen_network_are_frozen_and_names_stay():
    model = trained(transformer, 1)
    names = list(model.state_dict())
    copied = copy.deepcopy(freeze_all(model))
    assert list(copied.state_dict()) == names
    assert frozen_layers(copied) == 3
    before = states(copied)
    learn(copied, transformer)
    assert [same(*pair) for pair in zip(before, states(copied), strict=True)] == [True] * 3 + [
        False
    ]
    unfreeze(copied.layers[1])
    assert frozen_layers(copied) == 1 and frozen_layers(model) == 3


def test_weights_saved_from_a_frozen_network_load_into_a_fresh_one(tmp_path):
    model = freeze_all(trained(normalised, 1))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    fresh = seeded(normalised, 2)
    fresh.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert all(same(*pair) for pair in zip(states(model), states(fresh), strict=True))
    assert frozen_layers(fresh) == 0


def test_freezing_twice_and_letting_go_once_lets_go():
    layer = unfreeze(freeze(freeze(nn.Dropout(0.5))))
    layer.train()
    layer(torch.ones(3))
    assert layer.training


def test_gradients_from_before_do_not_move_what_is_frozen():
    model = trained(convnet, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(inputs(convnet)).sum().backward()
    freeze(model.layers[0])
    before = states(model)
    optimizer.step()
    moved = [not same(*pair) for pair in zip(before, states(model), strict=True)]
    assert moved == [False, True, True, True]


def test_frozen_layers_are_counted_from_the_bottom_to_the_first_that_is_not():
    model = seeded(convnet, 0)
    freeze(model.layers[1])
    assert frozen_layers(model) == 0
    freeze(model.layers[0])
    assert frozen_layers(model) == 2
    model.layers[1].convolution.bias.requires_grad_(True)
    assert frozen_layers(model) == 1


def test_a_layer_without_parameters_is_frozen_only_if_told():
    model = Stack([nn.Dropout(0.5), nn.Linear(4, 4)], 4)
    assert frozen_layers(model) == 0
    freeze(model.layers[0])
    assert frozen_layers(model) == 1


def test_layers_that_were_frozen_are_tuned_after_a_copy_that_says_so():
    model = copy_layers(trained(convnet, 1), seeded(convnet, 2), 2, frozen=True)
    assert frozen_layers(copy_layers(trained(convnet, 1), model, 1, frozen=False)) == 0


def test_copies_are_copies():
    source, target = seeded(convnet, 1), seeded(convnet, 2)
    copy_layers(source, target, 3)
    before = states(source)
    learn(target, convnet)
    assert all(same(*pair) for pair in zip(before, states(source), strict=True))


def test_buffers_that_are_not_saved_are_copied_too():
    source, target = (Stack([nn.Linear(2, 2)], 2) for _ in range(2))
    for model, value in ((source, 1.0), (target, 0.0)):
        model.layers[0].register_buffer("scale", torch.tensor(value), persistent=False)
    copy_layers(source, target, 1)
    assert target.layers[0].scale == 1.0


def test_the_classes_of_the_networks_may_differ():
    source = trained(transformer, 1)
    target = Stack([nn.Embedding(11, 8), nn.Linear(8, 5)], 5)
    copy_layers(source, target, 1)
    assert torch.equal(target.layers[0].weight, source.layers[0].weight)


@pytest.mark.parametrize("count", [-1, 3])
def test_more_layers_than_there_are_are_refused(count):
    target = Stack([nn.Embedding(11, 8), nn.Linear(8, 8)], 8)
    with pytest.raises(ValueError, match=f"{count} layers.* 0 to 2"):
        copy_layers(seeded(transformer, 1), target, count)


def test_shapes_that_differ_are_refused_by_name_and_nothing_is_copied():
    source = seeded(convnet, 1)
    torch.manual_seed(2)
    config = ConvNetConfig(3, size=8, widths=(4, 7, 6), pools=(True, False, False))
    target = ConvNet(config)
    before = states(target)
    wanted = r"layer 2 .*convolution\.weight is \(5, 4, 3, 3\) in the source and \(7, 4, 3, 3\)"
    with pytest.raises(ValueError, match=wanted):
        copy_layers(source, target, 2, frozen=True)
    assert all(same(*pair) for pair in zip(before, states(target), strict=True))
    assert frozen_layers(target) == 0


@pytest.mark.parametrize("biases", [(True, False), (False, True)])
def test_tensors_that_one_side_lacks_are_refused(biases):
    source, target = (Stack([nn.Linear(2, 2, bias=bias)], 2) for bias in biases)
    with pytest.raises(ValueError, match=r"layer 1 .*bias is .*absent"):
        copy_layers(source, target, 1)


class WordStack(nn.Module):
    """Sentences as numbers of words: an embedding, and a head on the mean of its vectors."""

    def __init__(self, vectors, words):
        super().__init__()
        self.layers = nn.ModuleList([nn.Embedding(words, vectors)])
        self.head = nn.Linear(vectors, 2)

    def forward(self, rows):
        return self.head(self.layers[0](rows).mean(dim=1))


def test_one_frozen_layer_of_words_is_the_frozen_first_layer():
    """Word vectors are the case n = 1: same outputs, same gradients, same weights after a step."""
    words, sentences = ("the", "dog", "sleeps"), [("the", "dog"), ("dog", "sleeps")]
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(3, 4)))
    first = FirstLayer(words, vectors, mode="frozen")
    source, target = WordStack(4, 4), WordStack(4, 4)
    source.layers[0].weight.data.copy_(first.rows.weight)
    copy_layers(source, target, 1, frozen=True)
    head = copy.deepcopy(target.head)
    rows = torch.tensor([[first.row(word) for word in sentence] for sentence in sentences])
    for _ in range(3):
        ours, theirs = target.train()(rows), head(first(sentences).mean(dim=1))
        torch.testing.assert_close(ours, theirs)
        for output, module in ((ours, target), (theirs, nn.ModuleList([first, head]))):
            descend(output, module)
    assert trained_names(target) == ["head.weight", "head.bias"] and not trained_names(first)
    torch.testing.assert_close(target.head.weight, head.weight)
    assert torch.equal(target.layers[0].weight, first.rows.weight)


def descend(output, module):
    parameters = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(output.square().sum(), parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= 0.1 * gradient


def trained_names(module):
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad]
