"""Batches: a pure function of the seed and the step."""

import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training import ShuffledBatches
from nnlm2bert.training.batches import move, size, split


def make(seed: int = 0, **options) -> ShuffledBatches:
    return ShuffledBatches((torch.arange(10), torch.arange(10) * 2), 3, seed, **options)


def test_an_epoch_shows_every_example_once_and_keeps_rows_together():
    batches = make(drop_last=False)
    assert len(batches) == 4
    for epoch in (0, 1):
        parts = [batches.batch(epoch * 4 + i) for i in range(4)]
        seen = torch.cat([first for first, _ in parts])
        assert sorted(seen.tolist()) == list(range(10))
        assert all(torch.equal(second, 2 * first) for first, second in parts)
    assert [len(first) for first, _ in parts] == [3, 3, 3, 1]


def test_whole_batches_only_by_default():
    batches = make()
    assert len(batches) == 3
    seen = torch.cat([batches.batch(i)[0] for i in range(3)])
    assert len(set(seen.tolist())) == 9


def test_a_step_has_its_batch_whatever_was_asked_before():
    one, other = make(seed=4), make(seed=4)
    forward = [one.batch(step)[0].tolist() for step in range(12)]
    backward = [other.batch(step)[0].tolist() for step in reversed(range(12))]
    assert forward == backward[::-1]
    assert forward[:3] != forward[3:6], "epochs have orders of their own"
    assert forward[:3] != [make(seed=5).batch(step)[0].tolist() for step in range(3)]


def test_global_random_numbers_are_neither_used_nor_drawn():
    torch.manual_seed(0)
    first = make().batch(0)[0].tolist()
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert make().batch(0)[0].tolist() == first
    torch.manual_seed(0)
    make().batch(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_one_tensor_may_come_alone():
    (rows,) = ShuffledBatches(torch.arange(6).view(3, 2), 2).batch(0)
    assert rows.shape == (2, 2)


def test_what_cannot_be_a_source_is_refused():
    with pytest.raises(UserError, match=r"as many rows.*\[3, 4\]"):
        ShuffledBatches((torch.zeros(3), torch.zeros(4)), 1)
    with pytest.raises(UserError, match="choose batch_size from 1 to 3"):
        ShuffledBatches(torch.zeros(3), 4)


def test_identity_knows_settings_and_data():
    assert make().identity() == make().identity()
    assert make(seed=1).identity() != make().identity()
    changed = ShuffledBatches((torch.arange(10), torch.arange(10) * 2), 3)
    changed.tensors[1][7] = 0
    assert changed.identity() != make().identity()


def test_batches_of_any_form_are_split_and_moved():
    batch = {"words": torch.arange(5), "pair": (torch.arange(10).view(5, 2), torch.arange(5))}
    parts = split(batch, 3)
    assert [size(part) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part["pair"][0] for part in parts]), batch["pair"][0])
    assert [size(part) for part in split(torch.arange(1), 2)] == [1, 0]
    assert move(batch, torch.device("meta"))["pair"][0].device.type == "meta"
