from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from nnlm2bert.models.convnet import ConvNet, ConvNetConfig


def network(**options):
    torch.manual_seed(0)
    return ConvNet(
        ConvNetConfig(**{"classes": 4, "size": 16, "widths": (4, 6, 8, 8, 8), **options})
    )


def images(count=12, channels=1, size=16):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("channels", [1, 3])
def test_logits_for_every_class(channels):
    assert network(channels=channels)(images(channels=channels)).shape == (12, 4)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(0, (1, 16)), (1, (4, 8)), (2, (6, 4)), (3, (8, 2)), (4, (8, 2)), (5, (8, 2)), (None, (8, 2))],
)
def test_each_layer_has_its_width_and_size(layer, shape):
    width, side = shape
    assert network().features(images(), layer).shape == (12, width, side, side)


def test_what_a_layer_made_can_be_handed_to_the_rest():
    model = network().eval()
    whole = model(images())
    for layer in range(6):
        maps = model.features(images(), layer)
        torch.testing.assert_close(model(maps, after=layer), whole)
        torch.testing.assert_close(model.features(maps, after=layer), model.features(images()))


def test_layers_go_by_number_from_the_bottom():
    model = network()
    first = F.max_pool2d(F.relu(model.layers[0].convolution(images())), 2)
    torch.testing.assert_close(model.features(images(), 1), first)


@pytest.mark.parametrize(("layer", "after"), [(6, 0), (-1, 0), (None, 6), (5, -1), (2, 3)])
def test_layers_that_are_not_there_are_refused(layer, after):
    with pytest.raises(ValueError, match=f"after {after}: there are 0 to 5"):
        network().features(images(), layer, after)


def test_number_of_parameters():
    """9 weights for each pair of units and a bias each; then the softmax."""
    widths = (1, 16, 32, 48, 64, 64)
    layers = sum(9 * a * b + b for a, b in pairwise(widths))
    model = ConvNet(ConvNetConfig(classes=8))
    assert sum(p.numel() for p in model.parameters()) == layers + (64 * 4 * 4 + 1) * 8


def test_every_parameter_gets_a_gradient():
    model = network()
    F.cross_entropy(model(images()), torch.arange(12) % 4).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_overfits_one_batch():
    model = network(dropout=0.0)
    labels = torch.arange(12) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images()), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_signal_keeps_its_size_from_layer_to_layer():
    """The aim of the initial weights (He et al. 2015, section 2.2): sums of equal variance."""
    model = network(widths=(64,) * 5, pools=(False,) * 5, channels=64)
    sums = model.layers[0].convolution(images(channels=64))
    for layer in model.layers[1:]:
        sums = layer.convolution(F.relu(sums))
        assert 0.5 < sums[:, :, 5:-5, 5:-5].var() / 2 < 2  # the first sees inputs of variance 1


def test_all_classes_are_equally_likely_at_first():
    probabilities = network().eval()(images()).softmax(dim=1)
    assert (probabilities - 0.25).abs().max() < 0.1
    assert all((layer.convolution.bias == 0).all() for layer in network().layers)


def test_dropout_works_in_training_only():
    model = network()
    assert not torch.equal(model(images()), model(images()))
    model.eval()
    assert torch.equal(model(images()), model(images()))


def test_pictures_do_not_see_each_other():
    model = network().eval()
    torch.testing.assert_close(model(images())[3:5], model(images()[3:5]))


def test_padding_reads_zeros_around_the_picture():
    """A first layer finds in a picture what it finds in one with more zeros around it."""
    padded = F.pad(images(), (4, 4, 4, 4))
    inside = network(size=24).features(padded, 1)[:, :, 2:-2, 2:-2]
    torch.testing.assert_close(network().features(images(), 1), inside)


def seen_by(model, layer, row, column):
    """Return the pixels (64, 64) that the units of a layer at one place ever depend on.

    Pooling passes the gradient to the largest only; with other noise that is another.
    """
    pixels = torch.zeros(64, 64, dtype=torch.bool)
    for shift in range(40):
        noise = images(1, size=64).abs().roll((7 * shift, 3 * shift), dims=(2, 3))
        noise.requires_grad_()
        model.features(noise, layer)[0, :, row, column].sum().backward()
        pixels |= noise.grad[0, 0] != 0
    return pixels


@pytest.mark.parametrize(
    "pools", [(True, True, True, False, False), (False, True, False, True, False)]
)
@pytest.mark.parametrize("layer", range(6))
def test_a_unit_sees_its_receptive_field_and_nothing_else(layer, pools):
    model = network(size=64, pools=pools)
    for each in model.layers:
        each.convolution.weight.data.abs_()
    side = model.features(images(1, size=64), layer).shape[-1]
    row, column = side // 2, side // 2 - 1
    size, stride, offset = model.receptive_field(layer)
    top, left = row * stride + offset, column * stride + offset
    field = torch.zeros(64, 64, dtype=torch.bool)
    field[max(0, top) : top + size, max(0, left) : left + size] = True
    assert torch.equal(seen_by(model, layer, row, column), field)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pools": (True, False)}, "5 widths, 2 pools"),
        ({"size": 28, "pools": (True,) * 5}, "multiple of 32"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConvNetConfig(4, **options)
