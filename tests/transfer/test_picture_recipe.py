"""The recipe for pictures: what it learns, what freezing saves, what depends on the seed."""

import copy
from dataclasses import replace

import pytest
import torch

from nnlm2bert.models.convnet import ConvNet, ConvNetConfig
from nnlm2bert.transfer import PictureRecipe, classify, copy_layers, extract, fit, freeze
from nnlm2bert.transfer.layers import frozen_layers

CONFIG = ConvNetConfig(2, size=8, widths=(4, 6, 6), pools=(True, True, False), dropout=0.5)
FLOAT32 = PictureRecipe(steps=25, batch_size=8, learning_rate=0.01, precision="float32")


def network(seed=0, config=CONFIG):
    torch.manual_seed(seed)
    return ConvNet(config)


def stripes(count=60, seed=0):
    """Pictures of stripes that lie (class 0) or stand (1), with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    waves = torch.linspace(0, 12, 8).sin().expand(8, 8)
    clean = torch.stack([waves if label else waves.T for label in labels]).unsqueeze(1)
    return clean + 0.3 * torch.randn(count, 1, 8, 8, generator=generator), labels


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_simple_task_is_learned(precision):
    images, labels = stripes()
    model = network()
    recipe = PictureRecipe(steps=60, batch_size=8, learning_rate=0.01, precision=precision)
    result = fit(model, images, labels, recipe)
    test, wanted = stripes(seed=1)
    assert (classify(model, test) == wanted).float().mean() > 0.95
    assert (result.step, result.examples, result.precision) == (60, 480, precision)
    assert result.history.losses[-1] < result.history.losses[0] and not model.training


@pytest.mark.parametrize("count", [1, 2, 3])
def test_training_on_what_frozen_layers_made_once_changes_nothing(count):
    """The same weights as when every step goes through the frozen layers."""
    start = copy_layers(network(1), network(2), count, frozen=True)
    stepwise = copy.deepcopy(start)
    for layer in stepwise.layers[:count]:
        thaw_but_keep(layer)
    for model in (start, stepwise):
        fit(model, *stripes(), FLOAT32)
    assert frozen_layers(stepwise) == 0
    torch.testing.assert_close(weights(start), weights(stepwise), rtol=1e-4, atol=1e-5)
    assert not torch.equal(start.head.weight, network(2).head.weight)


def thaw_but_keep(layer):
    """Make a layer one that `fit` does not take for frozen, though its weights get no gradient."""
    layer._forward_pre_hooks.clear()
    assert not any(parameter.requires_grad for parameter in layer.parameters())


@pytest.mark.parametrize("count", [1, 3])
def test_frozen_layers_see_each_picture_once(count):
    model = copy_layers(network(1), network(2), count, frozen=True)
    seen = []
    model.layers[0].register_forward_hook(lambda module, given, made: seen.append(len(made)))
    fit(model, *stripes(), FLOAT32)
    assert sum(seen) == 60


def test_a_layer_frozen_above_one_that_is_not_is_kept_and_run_each_step():
    model = network()
    freeze(model.layers[1])
    before = copy.deepcopy(model.state_dict())
    fit(model, *stripes(), FLOAT32)
    same = [
        name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])
    ]
    assert same == ["layers.1.convolution.weight", "layers.1.convolution.bias"]


def trained(seed, noise=0, dropout=0.0, count=60, batch_size=8):
    model = network(config=replace(CONFIG, dropout=dropout))
    torch.manual_seed(noise)
    fit(model, *stripes(count), replace(FLOAT32, batch_size=batch_size), seed=seed)
    return weights(model)


@pytest.mark.parametrize("chance", [{}, {"dropout": 0.5, "count": 1}], ids=["order", "dropout"])
def test_the_seed_decides_order_and_dropout_and_nothing_else_does(chance):
    torch.testing.assert_close(trained(0, noise=1, **chance), trained(0, noise=2, **chance))
    assert not torch.allclose(trained(0, **chance), trained(1, **chance), atol=1e-3)


def test_without_dropout_the_order_of_one_batch_of_all_does_not_matter():
    one, other = (trained(seed, batch_size=60) for seed in (0, 1))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_fewer_pictures_than_a_batch_are_all_taken_each_step():
    images, labels = stripes(count=4)
    result = fit(network(), images, labels, PictureRecipe(steps=5, precision="float32"))
    assert result.examples == 20


def test_rate_and_decay_are_those_of_the_recipe():
    recipe = PictureRecipe(steps=10, batch_size=8, learning_rate=0.02, precision="float32")
    rates = fit(network(), *stripes(), recipe).history.learning_rates
    assert rates[0] == 0.02 and rates[5] == pytest.approx(0.01) and rates[-1] < 0.001
    model = network()
    strong = PictureRecipe(steps=20, learning_rate=0.01, weight_decay=50.0, precision="float32")
    fit(model, *stripes(), strong)
    assert (
        model.layers[0].convolution.weight.norm()
        < 0.05 * network().layers[0].convolution.weight.norm()
    )


def test_what_is_measured_on_the_way_is_in_the_result():
    images, labels = stripes()
    right = lambda model: {"right": (classify(model, images) == labels).sum()}  # noqa: E731
    result = fit(network(), images, labels, FLOAT32, evaluate=right, evaluate_every=10)
    assert result.history.evaluated == [10, 20, 25]
    assert len(result.history.measures["right"]) == 3


@pytest.mark.parametrize("training", [False, True])
def test_answers_are_those_of_the_whole_network_without_dropout(training):
    images, _ = stripes(count=11)
    model = network().train(training)
    classes = classify(model, images, batch=4)
    assert classes.dtype == torch.int64 and classes.shape == (11,)
    maps = extract(model, images, 2, batch=4)
    assert model.training is training and not maps.requires_grad
    model.eval()
    assert torch.equal(classes, model(images).argmax(dim=1))
    torch.testing.assert_close(maps, model.features(images, 2))


def test_layer_0_is_the_pictures_themselves():
    images, _ = stripes(count=3)
    assert extract(network(), images, 0) is images
