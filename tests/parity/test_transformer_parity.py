"""The Transformer against torch's own modules, with copied weights, and a loop of the formula."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.models.transformer import (
    Block,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    sinusoids,
)

CONFIG = TransformerConfig(
    vocabulary_size=30,
    context=12,
    width=12,
    heads=3,
    layers=3,
    inner=20,
    dropout=0.0,
    activation="relu",
)
PARTS = {
    "self_attn.out_proj": "attention.output",
    "linear1": "feed_forward.inner",
    "linear2": "feed_forward.output",
    "norm1": "attention_norm",
    "norm2": "feed_forward_norm",
}
LENGTHS = torch.tensor([9, 4, 1, 6])
INSIDE = torch.arange(9) < LENGTHS.unsqueeze(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def scattered(module: nn.Module) -> nn.Module:
    """The module with all its weights, biases too, drawn at random: none is 0 by chance."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


def torchs_names(block: Block) -> dict[str, Tensor]:
    """The weights of a block under the names of `nn.TransformerEncoderLayer`."""
    state = block.state_dict()
    inputs = {
        f"self_attn.in_proj_{kind}": state[f"attention.queries_keys_values.{kind}"]
        for kind in ("weight", "bias")
    }
    return inputs | {
        f"{theirs}.{kind}": state[f"{ours}.{kind}"]
        for theirs, ours in PARTS.items()
        for kind in ("weight", "bias")
    }


def torchs_encoder(model: Transformer) -> nn.TransformerEncoder:
    """Torch's stack with the weights of ours."""
    config = model.config
    layer = nn.TransformerEncoderLayer(
        config.width,
        config.heads,
        config.inner,
        0.0,
        config.activation.removesuffix("-tanh"),
        config.epsilon,
        batch_first=True,
        norm_first=config.norm == "pre",
    )
    norm = nn.LayerNorm(config.width, config.epsilon) if config.norm == "pre" else None
    encoder = nn.TransformerEncoder(layer, config.layers, norm, enable_nested_tensor=False)
    for theirs, block in zip(encoder.layers, model.layers[1:], strict=True):
        theirs.load_state_dict(torchs_names(block))
    if norm is not None:
        encoder.norm.load_state_dict(model.norm.state_dict())
    return encoder


def torchs_vectors(model: Transformer, tokens: Tensor, inside: Tensor | None) -> Tensor:
    length = tokens.shape[1]
    unseen = torch.ones(length, length).triu(1).bool() if model.config.causal else None
    padded = None if inside is None else ~inside
    encoder = torchs_encoder(model)
    return encoder(model.layers[0](tokens), mask=unseen, src_key_padding_mask=padded)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"positions": "sinusoidal"}, {"norm": "pre"}, {"activation": "gelu", "epsilon": 1e-3}],
)
def test_the_stack_is_torchs_encoder(
    options: dict[str, object], causal: bool, padded: bool
) -> None:
    model = scattered(Transformer(replace(CONFIG, causal=causal, **options)))
    tokens, inside = torch.randint(30, (4, 9)), INSIDE if padded else None
    ours, theirs = model(tokens, inside), torchs_vectors(model, tokens, inside)
    read = INSIDE if padded else torch.ones_like(INSIDE)
    torch.testing.assert_close(ours[read], theirs[read], rtol=1e-5, atol=1e-5)


def test_gradients_of_the_vectors_are_those_of_torchs_layer() -> None:
    block = scattered(Block(CONFIG))
    layer = nn.TransformerEncoderLayer(12, 3, 20, 0.0, batch_first=True)
    layer.load_state_dict(torchs_names(block))
    x = torch.randn(4, 9, 12, requires_grad=True)
    unseen = torch.ones(9, 9).triu(1).bool()
    ours = torch.autograd.grad(block(x).square().sum(), x)[0]
    theirs = torch.autograd.grad(layer(x, src_mask=unseen).square().sum(), x)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_torchs_multihead_attention(causal: bool) -> None:
    part = scattered(MultiHeadAttention(replace(CONFIG, causal=causal)))
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight.data.copy_(part.queries_keys_values.weight)
    theirs.in_proj_bias.data.copy_(part.queries_keys_values.bias)
    theirs.out_proj.load_state_dict(part.output.state_dict())
    x = torch.randn(4, 9, 12)
    unseen = torch.ones(9, 9).triu(1).bool() if causal else None
    inside = None if causal else INSIDE
    read, weights = theirs(
        x,
        x,
        x,
        attn_mask=unseen,
        key_padding_mask=None if causal else ~INSIDE,
        average_attn_weights=False,
    )
    torch.testing.assert_close(part(x, inside), read, rtol=1e-5, atol=1e-5)
    ours, maps = part.maps(x, inside)
    torch.testing.assert_close(ours, read, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(maps, weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [8, 512])
def test_sinusoids_are_those_of_section_3_5(width: int) -> None:
    found = sinusoids(60, width)
    for position in (0, 1, 2, 17, 59):
        for i in range(width // 2):
            angle = position / 10_000 ** (2 * i / width)
            assert float(found[position, 2 * i]) == pytest.approx(math.sin(angle), abs=2e-5)
            assert float(found[position, 2 * i + 1]) == pytest.approx(math.cos(angle), abs=2e-5)


def test_a_shift_of_position_is_a_rotation_of_its_sinusoids() -> None:
    found, angle = sinusoids(60, 8).double(), 5 / 10_000 ** (2 / 8)
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    ).double()
    torch.testing.assert_close(found[5:, 2:4], found[:-5, 2:4] @ turn, rtol=0, atol=1e-5)
