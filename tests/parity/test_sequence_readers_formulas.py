"""The readers of a sequence against the formulas of their papers, written out place by place."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nnlm2bert.models.sequence_readers import ReaderConfig, build_reader, equal_sizes

SMALL = ReaderConfig(width=32, layers=2, inner=128, heads=4, dropout=0.0, context=20, kernel=3)
READERS = equal_sizes(SMALL)


def given() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 7, SMALL.width, generator=generator, dtype=torch.float64)


def made(kind: str, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = build_reader(replace(READERS[kind], **changes)).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def normed(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    return centred / spread * norm.weight + norm.bias


def test_lstm_is_that_of_the_equations():
    model, x = made("lstm"), given()
    expected = x
    for layer in range(2):
        read = normed(expected, model.norms[layer])
        expected = expected + recurrent(read, model.lstms[layer]) @ model.outputs[layer].weight.T
        expected = expected + model.outputs[layer].bias
    torch.testing.assert_close(model(x), normed(expected, model.norms[2]))


def recurrent(x: Tensor, lstm: torch.nn.LSTM) -> Tensor:
    cells = lstm.hidden_size
    h = c = torch.zeros(len(x), cells, dtype=x.dtype)
    found = []
    for word in x.unbind(1):
        sums = word @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + h @ lstm.weight_hh_l0.T
        i, f, g, o = (sums + lstm.bias_hh_l0).split(cells, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        found.append(h)
    return torch.stack(found, 1)


def test_convolution_is_that_of_equation_1():
    model, x = made("convolution"), given()
    expected = x
    for layer in range(2):
        read = normed(expected, model.norms[layer])
        gated = torch.stack([gate(read, t, model.gates[layer]) for t in range(7)], 1)
        expected = expected + F.linear(
            gated, model.outputs[layer].weight, model.outputs[layer].bias
        )
    torch.testing.assert_close(model(x), normed(expected, model.norms[2]))


def gate(x: Tensor, place: int, convolution: torch.nn.Conv1d) -> Tensor:
    sums = convolution.bias.clone()
    for back in range(SMALL.kernel):
        if place - back >= 0:
            weight = convolution.weight[:, :, SMALL.kernel - 1 - back]
            sums = sums + x[:, place - back] @ weight.T
    linear, gates = sums.chunk(2, dim=1)
    return linear * torch.sigmoid(gates)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_attention_is_that_of_torchs_own_encoder(norm):
    model, x = made("attention", norm=norm, positions="sinusoidal"), given()
    ours = x * math.sqrt(SMALL.width) + waves(7)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64)
    for block in model.blocks:
        theirs = encoder_layer(block, norm)
        ours = theirs(ours, src_mask=mask, is_causal=True)
    expected = normed(ours, model.norm) if norm == "pre" else ours
    torch.testing.assert_close(model(x), expected)


def waves(length: int) -> Tensor:
    rows = [
        [
            (math.sin if i % 2 == 0 else math.cos)(t / 10_000 ** ((i - i % 2) / SMALL.width))
            for i in range(SMALL.width)
        ]
        for t in range(length)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def encoder_layer(block: torch.nn.Module, norm: str) -> torch.nn.TransformerEncoderLayer:
    """Torch's layer with the weights of ours."""
    layer = torch.nn.TransformerEncoderLayer(
        SMALL.width,
        SMALL.heads,
        SMALL.inner,
        dropout=0.0,
        activation=lambda x: F.gelu(x, approximate="tanh"),
        batch_first=True,
        norm_first=norm == "pre",
    ).double()
    pairs = (
        (layer.self_attn.in_proj_weight, block.attention.queries_keys_values.weight),
        (layer.self_attn.in_proj_bias, block.attention.queries_keys_values.bias),
        (layer.self_attn.out_proj.weight, block.attention.output.weight),
        (layer.self_attn.out_proj.bias, block.attention.output.bias),
        (layer.linear1.weight, block.feed_forward.inner.weight),
        (layer.linear1.bias, block.feed_forward.inner.bias),
        (layer.linear2.weight, block.feed_forward.output.weight),
        (layer.linear2.bias, block.feed_forward.output.bias),
        (layer.norm1.weight, block.attention_norm.weight),
        (layer.norm1.bias, block.attention_norm.bias),
        (layer.norm2.weight, block.feed_forward_norm.weight),
        (layer.norm2.bias, block.feed_forward_norm.bias),
    )
    with torch.no_grad():
        for target, source in pairs:
            target.copy_(source)
    return layer.eval()
