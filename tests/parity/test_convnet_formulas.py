"""The convnet against convolution written out in numpy, and against a stack of torch's modules."""

import numpy as np
import pytest
import torch
from torch import nn

from nnlm2bert.models.convnet import ConvNet, ConvNetConfig

WIDTHS, POOLS = (5, 6, 7), (True, False, True)


def network(channels=2):
    torch.manual_seed(0)
    model = ConvNet(ConvNetConfig(4, channels, size=8, widths=WIDTHS, pools=POOLS)).eval()
    for layer in model.layers:
        nn.init.normal_(layer.convolution.bias, std=0.3)
    return model


def convolution(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return y[o, r, c] = b[o] + sum of w[o, i, u, v] x[i, r + u - 1, c + v - 1], zeros around."""
    height, width = maps.shape[1:]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    result = np.empty((len(weight), height, width))
    for o, row, column in np.ndindex(*result.shape):
        window = padded[:, row : row + 3, column : column + 3]
        result[o, row, column] = bias[o] + (weight[o] * window).sum()
    return result


def logits(model: ConvNet, image: np.ndarray) -> np.ndarray:
    """Return the logits (K,) of one image (C, S, S), in float64."""
    parameters = {k: v.detach().double().numpy() for k, v in model.named_parameters()}
    maps = image
    for number, pool in enumerate(POOLS):
        name = f"layers.{number}.convolution"
        maps = convolution(maps, parameters[f"{name}.weight"], parameters[f"{name}.bias"])
        maps = np.maximum(maps, 0)
        if pool:
            units, height, width = maps.shape
            maps = maps.reshape(units, height // 2, 2, width // 2, 2).max(axis=(2, 4))
    return parameters["head.weight"] @ maps.ravel() + parameters["head.bias"]


@pytest.mark.parametrize("channels", [1, 2])
def test_logits_are_those_of_the_formulas(channels):
    model = network(channels)
    images = np.random.default_rng(0).normal(size=(6, channels, 8, 8))
    ours = model(torch.from_numpy(images).float()).detach().numpy()
    np.testing.assert_allclose(ours, [logits(model, image) for image in images], rtol=1e-4)


def test_outputs_and_gradients_are_those_of_torchs_own_modules():
    ours, stack = network(), []
    for layer, pool in zip(ours.layers, POOLS, strict=True):
        units, channels = layer.convolution.weight.shape[:2]
        same = nn.Conv2d(channels, units, kernel_size=3, padding="same")
        stack += [same, nn.ReLU(), nn.MaxPool2d(2) if pool else nn.Identity()]
    theirs = nn.Sequential(*stack, nn.Flatten(), nn.Linear(WIDTHS[-1] * 2 * 2, 4))
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    for mine, other in pairs:
        other.data.copy_(mine)
    images = torch.randn(6, 2, 8, 8)
    torch.testing.assert_close(ours(images), theirs(images))
    ours(images).square().sum().backward()
    theirs(images).square().sum().backward()
    for mine, other in pairs:
        torch.testing.assert_close(mine.grad, other.grad)
