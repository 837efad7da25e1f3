"""The compiled steps of word2vec against the readable classes and plain gradient descent."""

import numpy as np
import pytest
import torch

from nnlm2bert.models.word2vec import (
    HierarchicalSoftmax,
    NegativeSampling,
    Word2Vec,
    Word2VecConfig,
)

pytest.importorskip("numba", reason="the compiled loops need numba")

from nnlm2bert.models.word2vec_compiled import CompiledSettings, build_tables
from nnlm2bert.models.word2vec_steps import train_windows

WORDS, DIMENSION, WINDOWS, RATE = 12, 10, 60, 0.3
COUNTS = np.arange(WORDS, 0, -1)


def readable(architecture: str, output: type) -> Word2Vec:
    """A model in float64 none of whose vectors is 0."""
    torch.manual_seed(0)
    config = Word2VecConfig(WORDS, DIMENSION, architecture)
    model = Word2Vec(config, output(COUNTS, DIMENSION)).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def draws(contexts: int, negatives: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Windows (N, C) of 1 ... C words; the centre and its noise (N, 1 + k); many words twice."""
    rng = np.random.default_rng(1)
    windows = rng.integers(WORDS, size=(WINDOWS, contexts))
    windows[np.arange(contexts) >= rng.integers(1, contexts + 1, size=(WINDOWS, 1))] = -1
    return windows, rng.integers(WORDS, size=(WINDOWS, 1 + negatives))


def descend(model: Word2Vec, windows: np.ndarray, targets: np.ndarray, noise: np.ndarray | None):
    """One step of plain gradient descent a window on the sum of its losses."""
    skip_gram = model.config.architecture == "skip-gram"
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    for n, window in enumerate(windows):
        contexts = torch.from_numpy(window)
        hidden = model.hidden(contexts[contexts >= 0] if skip_gram else contexts[None])
        given = {} if noise is None else {"noise": torch.from_numpy(noise[n])}
        wanted = torch.full((len(hidden),), int(targets[n]))
        optimiser.zero_grad()
        (len(hidden) * model.output.loss(hidden, wanted, **given)).backward()
        optimiser.step()


def agree(model: Word2Vec, windows, targets, noise, rows, labels) -> None:
    """Train both from the same start and hold their matrices together."""
    inputs, outputs = (p.detach().numpy().copy() for p in (model.v.weight, model.output.v.weight))
    start = inputs.copy()
    cbow = model.config.architecture == "cbow"
    train_windows(inputs, outputs, windows, rows, labels.astype(float), RATE, cbow)
    descend(model, windows, targets, noise)
    assert np.abs(inputs - start).max() > 0.5
    np.testing.assert_allclose(inputs, model.vectors().numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(outputs, model.output.v.weight.detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("contexts", [1, 6])
def test_negative_sampling(architecture, contexts):
    """With one context word a step is that of the C code; with more they share their noise."""
    windows, rows = draws(contexts)
    labels = np.tile(np.arange(rows.shape[1]) == 0, (WINDOWS, 1))
    model = readable(architecture, NegativeSampling)
    model.output.negatives = rows.shape[1] - 1
    agree(model, windows, rows[:, 0], rows[:, 1:], rows, labels)


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("contexts", [1, 6])
def test_hierarchical_softmax(architecture, contexts):
    windows, rows = draws(contexts)
    tables = build_tables(COUNTS, CompiledSettings(output="hierarchical"))
    targets = rows[:, 0]
    model = readable(architecture, HierarchicalSoftmax)
    agree(model, windows, targets, None, tables.points[targets], 1 - tables.codes[targets])
