"""Two one-way Transformers against torch's encoder that is shown the future instead of the past."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import Block, TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM

CONFIG = TransformerConfig(30, 12, 12, 3, 3, inner=20, dropout=0.0, activation="relu")
LENGTHS = torch.tensor([9, 4, 2, 6])
INSIDE = torch.arange(9) < LENGTHS.unsqueeze(1)
PARTS = {
    "self_attn.out_proj": "attention.output",
    "linear1": "feed_forward.inner",
    "linear2": "feed_forward.output",
    "norm1": "attention_norm",
    "norm2": "feed_forward_norm",
}


def torchs_layer(block: Block) -> nn.TransformerEncoderLayer:
    """Torch's layer with the weights of a block."""
    layer = nn.TransformerEncoderLayer(12, 3, 20, 0.0, batch_first=True)
    state = block.state_dict()
    for kind in ("weight", "bias"):
        state[f"self_attn.in_proj_{kind}"] = state.pop(f"attention.queries_keys_values.{kind}")
        for theirs, ours in PARTS.items():
            state[f"{theirs}.{kind}"] = state.pop(f"{ours}.{kind}")
    layer.load_state_dict(state)
    return layer


def torchs_vectors(side: GPT, tokens: Tensor, places: Tensor, unseen: Tensor) -> Tensor:
    """What torch's layers make of tokens (B, T) at given places (B, T), padding unseen."""
    embedding = side.layers[0]
    x = embedding.tokens(tokens) + embedding.positions[places]
    for block in side.layers[1:]:
        x = torchs_layer(block)(x, src_mask=unseen, src_key_padding_mask=~INSIDE)
    return x


def test_both_sides_are_torchs_encoder_with_the_masks_of_past_and_future() -> None:
    torch.manual_seed(0)
    model = TransformerBiLM(CONFIG)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    tokens = torch.randint(30, (4, 9))
    places = torch.arange(9).expand(4, 9)
    from_end = (LENGTHS.unsqueeze(1) - 1 - places).clamp(min=0)
    future = torch.ones(9, 9).triu(1).bool()
    found = model(tokens, INSIDE).chunk(2, dim=2)
    expected = (
        torchs_vectors(model.left_to_right, tokens, places, future),
        torchs_vectors(model.right_to_left, tokens, from_end, future.T),
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours[INSIDE], theirs[INSIDE], rtol=1e-5, atol=1e-5)
