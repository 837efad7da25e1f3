"""Blocks of LSTMs against torch's own bidirectional LSTM, with copied weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnlm2bert.models.other_blocks import LSTMBlock, LSTMConfig

SIZES = {"vocabulary_size": 30, "width": 16, "inner": 24, "dropout": 0.0, "norm": "pre"}
LENGTHS = torch.tensor([9, 5, 7])
INSIDE = torch.arange(9) < LENGTHS.unsqueeze(1)


@pytest.mark.parametrize("padded", [False, True])
def test_both_directions_are_those_of_torch(padded):
    torch.manual_seed(0)
    config = LSTMConfig(**SIZES, causal=False)
    block, theirs = LSTMBlock(config), nn.LSTM(16, 24, batch_first=True, bidirectional=True)
    for own, end in ((block.from_left, ""), (block.from_right, "_reverse")):
        for name, weight in own.named_parameters():
            nn.init.normal_(weight)
            getattr(theirs, f"{name}{end}").data.copy_(weight)
    x, inside = torch.randn(3, 9, 16), INSIDE if padded else None
    if padded:
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(theirs(packed)[0], batch_first=True)[0]
    else:
        states = theirs(x)[0]
    wanted, kept = block.output(states), INSIDE if padded else torch.ones_like(INSIDE)
    torch.testing.assert_close(block.read(x, inside)[kept], wanted[kept])


def test_one_direction_is_that_of_torch():
    torch.manual_seed(0)
    block, theirs = (
        LSTMBlock(LSTMConfig(**SIZES)),
        nn.LSTM(16, 24, batch_first=True),
    )
    theirs.load_state_dict(block.from_left.state_dict())
    x = torch.randn(3, 9, 16)
    torch.testing.assert_close(block(x), x + block.output(theirs(block.norm(x))[0]))
