"""Weights as letters say what they should, and little is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlm2bert.experiments.live.letters import Letters, content, script, spelled, unspelled


@given(st.lists(st.integers(0, 64**3 - 1), min_size=1, max_size=20))
def test_numbers_come_back(values: list[int]) -> None:
    text = spelled(np.array(values), 3)
    assert len(text) == 3 * len(values)
    assert unspelled(text, 3).tolist() == values


def test_numbers_are_spelled_in_the_letters_of_base64() -> None:
    assert spelled(np.array([0, 26, 52, 62, 63]), 1) == "Aa0+/"
    assert spelled(np.array([64]), 2) == "BA"


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into 1 letters"):
        spelled(np.array([64]), 1)


@pytest.mark.parametrize(("letters", "lost"), [(1, 0.04), (2, 6e-4)])
def test_little_of_a_matrix_is_lost(letters: int, lost: float) -> None:
    weights = np.random.default_rng(0).normal(size=(30, 64)).astype(np.float32)
    weights *= np.linspace(0.2, 3, 30, dtype=np.float32)[:, None]
    rounded = Letters.of(weights, letters).weights
    assert rounded.shape == weights.shape and rounded.dtype == np.float32
    errors = np.sqrt(((rounded - weights) ** 2).mean(axis=1) / (weights**2).mean(axis=1))
    assert errors.max() < lost


def test_a_matrix_comes_back_from_its_file() -> None:
    weights = np.random.default_rng(1).normal(size=(5, 7))
    letters = Letters.of(weights, 1)
    told = content(script("gpt", "Weights.", {"weights": letters.written()}))
    assert np.array_equal(Letters.read(told["weights"]).weights, letters.weights)


def test_a_vector_takes_two_letters_a_number() -> None:
    bias = Letters.of(np.linspace(-12, -3, 50), 1)
    assert bias.letters == 2 and bias.shape == (50,)
    assert np.abs(bias.weights - np.linspace(-12, -3, 50)).max() < 4e-3


def test_a_matrix_of_zeros_stays_one() -> None:
    assert not Letters.of(np.zeros((3, 4)), 1).weights.any()


@pytest.mark.parametrize(("shape", "letters"), [((2, 3, 4), 1), ((2, 3), 3)])
def test_other_forms_are_refused(shape: tuple[int, ...], letters: int) -> None:
    with pytest.raises(ValueError, match="give 1 or 2 of both"):
        Letters.of(np.zeros(shape), letters)
