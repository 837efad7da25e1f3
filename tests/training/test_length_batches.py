"""Batches of sequences of about one length."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.training.length_batches import LengthBatches

LENGTHS = [3, 9, 4, 4, 7, 3, 12, 5, 4, 6, 3, 30]


def batches(words: int = 16, seed: int = 0) -> LengthBatches:
    return LengthBatches(LENGTHS, words, lambda numbers: numbers, seed)


def epoch(source: LengthBatches, number: int) -> list[list[int]]:
    steps = range(number * len(source), (number + 1) * len(source))
    return [source.batch(step).tolist() for step in steps]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_sequence_comes_once_an_epoch(number: int) -> None:
    found = [one for batch in epoch(batches(), number) for one in batch]
    assert sorted(found) == list(range(len(LENGTHS)))


def test_no_batch_is_larger_than_asked_for_but_one_of_a_long_sequence() -> None:
    for batch in epoch(batches(), 0):
        longest = max(LENGTHS[n] for n in batch)
        assert len(batch) * longest <= 16 or len(batch) == 1


def test_sequences_of_a_batch_are_of_about_one_length() -> None:
    spans = [[LENGTHS[n] for n in batch] for batch in epoch(batches(24), 0)]
    ordered = sorted(spans, key=min)
    assert all(max(one) <= min(two) for one, two in pairwise(ordered))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch(batches(), 1) == epoch(batches(), 1)
    late = batches()
    late.batch(2 * len(late))
    assert epoch(late, 0) == epoch(batches(), 0)
    assert epoch(batches(), 0) != epoch(batches(), 1)
    assert epoch(batches(), 0) != epoch(batches(seed=1), 0)


def test_other_lengths_are_another_source() -> None:
    other = LengthBatches([*LENGTHS[:-1], 29], 16, torch.clone, 0)
    assert other.identity() != batches().identity()
    assert batches(words=15).identity() != batches().identity()


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(UserError, match="0 sequences"):
        LengthBatches([], 16, torch.clone, 0)
    with pytest.raises(UserError, match="batches of 0 words"):
        LengthBatches(LENGTHS, 0, torch.clone, 0)
