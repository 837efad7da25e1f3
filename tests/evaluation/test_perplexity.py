"""Perplexity, bits, documents and mixtures."""

import math

import numpy as np
import pytest
import torch

from nnlm2bert.evaluation.perplexity import (
    bits_per_word,
    by_document,
    gap_to_floor,
    mix,
    mixture_weights,
    perplexity,
)


def test_a_uniform_choice_of_words_has_their_number_as_perplexity():
    nats = 7 * math.log(276)
    assert perplexity(nats, 7) == pytest.approx(276)
    assert bits_per_word(7 * math.log(8), 7) == pytest.approx(3)
    assert gap_to_floor(7 * math.log(8), 7 * math.log(2), 7) == pytest.approx(2)
    assert perplexity(1e6, 1) == math.inf
    assert perplexity(math.inf, 1) == math.inf


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
def test_documents_come_in_the_order_they_appear(kind):
    tokens, nats = by_document(kind([1.0, 2.0, 0.5, 4.0, 8.0]), kind([7, 7, 3, 7, 3]))
    assert (tokens, nats) == ([3, 2], [7.0, 8.5])
    assert all(type(count) is int for count in tokens)


def test_sums_of_float32_are_exact_enough():
    losses = torch.full((200_000,), 0.1, dtype=torch.float32)
    _, (nats,) = by_document(losses, torch.zeros(200_000, dtype=torch.int64))
    assert nats == pytest.approx(200_000 * float(np.float32(0.1)), rel=1e-12)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"nats \(2,\) and documents \(3,\)"):
        by_document([1.0, 2.0], [0, 0, 1])
    with pytest.raises(ValueError, match="same tokens for each model"):
        mix([[1.0], [1.0, 2.0]])


def test_a_mixture_mixes_probabilities():
    one, other = np.array([0.5, 0.001, 0.0]), np.array([0.1, 0.9, 0.5])
    with np.errstate(divide="ignore"):
        components = [-np.log(one), -np.log(other)]
    assert np.exp(-mix(components)) == pytest.approx((one + other) / 2)
    assert np.exp(-mix(components, [0.3, 0.7])) == pytest.approx(0.3 * one + 0.7 * other)
    assert np.array_equal(mix(components, [1.0, 0.0]), components[0])


def test_a_mixture_stays_in_log_space():
    assert mix([[2000.0], [2001.0]])[0] == pytest.approx(2000 - math.log((1 + math.exp(-1)) / 2))


@pytest.mark.parametrize("weights", [[0.5], [0.6, 0.6], [1.5, -0.5]])
def test_weights_must_be_a_distribution(weights):
    with pytest.raises(ValueError, match="one for each component"):
        mix([[1.0], [1.0]], weights)


def test_em_finds_the_optimum_of_a_grid():
    generator = np.random.default_rng(0)
    components = generator.exponential(2.0, (2, 500))
    weights = mixture_weights(components, tolerance=1e-9)
    grid = np.linspace(0.001, 0.999, 999)
    losses = [mix(components, [weight, 1 - weight]).sum() for weight in grid]
    assert weights[0] == pytest.approx(grid[int(np.argmin(losses))], abs=0.001)
    assert sum(weights) == pytest.approx(1)
    assert mix(components, weights).sum() <= min(losses) + 1e-6


def test_em_recovers_the_weights_of_a_true_mixture():
    generator = np.random.default_rng(1)
    sources = generator.dirichlet(np.ones(20), 3)
    truth = np.array([0.2, 0.5, 0.3])
    words = generator.choice(20, 200_000, p=truth @ sources)
    weights = mixture_weights(-np.log(sources[:, words]))
    assert weights == pytest.approx(truth, abs=0.03)


def test_em_survives_impossible_tokens_of_one_model_only():
    inf = math.inf
    assert mixture_weights([[0.0, 0.0, inf], [inf, inf, 0.0]]) == pytest.approx([2 / 3, 1 / 3])
    with pytest.raises(ValueError, match="probability 0 in all components"):
        mixture_weights([[inf, 0.0], [inf, 1.0]])
