"""Batches of windows of one stream."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training import StreamBatches

STREAM = torch.arange(1_003, dtype=torch.int32)


def batches(length: int = 10, size: int = 7, seed: int = 0) -> StreamBatches:
    return StreamBatches(STREAM, length, size, seed)


def epoch(source: StreamBatches, number: int) -> torch.Tensor:
    """The tokens (N, L) of all windows of an epoch; each is its own place in the stream."""
    steps = range(number * len(source), (number + 1) * len(source))
    return torch.cat([source.batch(step)[0] for step in steps])


def test_a_batch_holds_windows_and_what_follows_each_token() -> None:
    tokens, targets = batches().batch(3)
    assert tokens.shape == targets.shape == (7, 10)
    assert tokens.dtype == targets.dtype == torch.int64
    assert tokens.is_contiguous() and targets.is_contiguous()
    assert torch.equal(targets, tokens + 1)
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(10))


@pytest.mark.parametrize("number", [0, 1, 2, 30])
def test_windows_of_an_epoch_are_cut_side_by_side(number: int) -> None:
    starts = epoch(batches(), number)[:, 0]
    assert len(starts.unique()) == len(starts) == 7 * len(batches())
    assert len((starts % 10).unique()) == 1


def test_epochs_are_cut_at_all_offsets() -> None:
    source = batches()
    offsets = {int(source.batch(n * len(source))[0][0, 0] % 10) for n in range(100)}
    assert offsets == set(range(10))


def test_an_epoch_has_as_many_batches_as_every_offset_allows() -> None:
    for tokens in range(20, 60):
        source = StreamBatches(STREAM[:tokens], 10, 1, 0)
        assert len(source) == (tokens - 10) // 10
        assert all(len(epoch(source, number)) == len(source) for number in range(30))


def test_the_last_token_of_the_stream_is_a_target() -> None:
    source = StreamBatches(STREAM[:20], 10, 1, 0)
    last = {int(source.batch(step)[1].max()) for step in range(60)}
    assert last == set(range(10, 20))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    late = batches()
    late.batch(2 * len(late))
    assert torch.equal(epoch(late, 0), epoch(batches(), 0))
    for other in (epoch(batches(), 1), epoch(batches(seed=1), 0)):
        assert not torch.equal(epoch(batches(), 0), other)
    assert not epoch(batches(), 0)[:, 0].diff().gt(0).all()


def test_the_last_step_asked_for_is_known() -> None:
    source = batches()
    assert source.step is None
    for step in (5, 2, 40):
        source.batch(step)
        assert source.step == step


def test_the_stream_is_not_copied() -> None:
    array = STREAM.numpy()
    source = StreamBatches(array, 10, 7, 0)
    source.batch(0)
    assert np.shares_memory(source.ids.numpy(), array)
    assert source._windows.untyped_storage().data_ptr() == array.ctypes.data


def test_an_array_is_read_like_a_tensor() -> None:
    source = StreamBatches(STREAM.numpy(), 10, 7, 0)
    assert torch.equal(epoch(source, 0), epoch(batches(), 0))
    assert source.identity() == batches().identity()


@pytest.mark.parametrize(
    "other",
    [
        batches(length=11),
        batches(size=8),
        batches(seed=1),
        StreamBatches(STREAM[:-1], 10, 7, 0),
        StreamBatches(STREAM.flip(0), 10, 7, 0),
    ],
)
def test_another_source_has_another_identity(other: StreamBatches) -> None:
    assert other.identity() != batches().identity()
    assert batches().identity() == batches().identity()


def test_a_stream_too_short_is_refused() -> None:
    assert len(StreamBatches(STREAM[:80], 10, 7, 0)) == 1
    with pytest.raises(UserError, match="takes 80 tokens; the stream has 79"):
        StreamBatches(STREAM[:79], 10, 7, 0)
    with pytest.raises(UserError, match="at least one"):
        StreamBatches(STREAM, 0, 7, 0)
