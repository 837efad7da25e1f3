"""Linear probes, the majority beside them, and control tasks."""

from __future__ import annotations

import numpy as np
import pytest

from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.evaluation.probes import control_labels, linear_probe

N = 400


@pytest.fixture(scope="module")
def splits() -> np.ndarray:
    return np.where(np.arange(N) % 4 == 0, "test", "train")


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 5))


def test_a_label_on_one_side_of_a_plane_is_read_off(features, splits) -> None:
    labels = np.where(features @ [3, -1, 0, 0, 0.5] > 1, "noun", "verb")
    probe = linear_probe(1000 * features + 7, labels, splits)
    assert probe.accuracy > 0.95 > 0.75 > probe.majority_accuracy
    assert probe.correct.shape == probe.majority.shape == (N // 4,)
    assert probe.majority_accuracy == np.mean(labels[::4] == "verb")


def test_noise_tells_no_more_than_the_majority(features, splits) -> None:
    labels = np.random.default_rng(1).choice([0, 1], p=[0.2, 0.8], size=N)
    probe = linear_probe(features, labels, splits)
    assert abs(probe.accuracy - probe.majority_accuracy) < 0.05


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.1, 0.9]])
def test_equal_features_answer_as_the_majority(splits, shares: list[float]) -> None:
    labels = np.random.default_rng(2).choice(len(shares), p=shares, size=N)
    equal = np.tile(np.random.default_rng(3).normal(size=7).astype(np.float32), (N, 1))
    probe = linear_probe(equal, labels, splits)
    np.testing.assert_array_equal(probe.correct, probe.majority)
    assert 0 < probe.accuracy < 1


def test_senses_equally_frequent_are_guessed_alike() -> None:
    labels = np.array([1, 0, 1, 0, 0, 1])
    probe = linear_probe(np.ones((6, 2)), labels, ["train"] * 4 + ["test"] * 2)
    assert probe.correct.tolist() == probe.majority.tolist() == [True, False]


def test_nearly_equal_features_are_left_to_the_regression(splits) -> None:
    """One coordinate that differs on one item: the answers are the regression's, still the same."""
    labels = np.random.default_rng(2).choice(3, p=[0.5, 0.3, 0.2], size=N)
    features = np.ones((N, 7))
    features[np.flatnonzero(splits == "train")[0], 3] = 1.5
    probe = linear_probe(features, labels, splits)
    np.testing.assert_array_equal(probe.correct, probe.majority)


def test_one_label_in_training_is_always_the_answer(features) -> None:
    probe = linear_probe(features[:4], [1, 1, 1, 2], ["train", "train", "test", "test"])
    assert probe.correct.tolist() == probe.majority.tolist() == [True, False]


def test_items_marked_otherwise_are_left_out(features, splits) -> None:
    labels = (features[:, 0] > 0).astype(int)
    marked, wrong = splits.copy(), labels.copy()
    marked[:60], wrong[:60] = "validation", 5
    probe = linear_probe(features, wrong, marked)
    alone = linear_probe(features[60:], labels[60:], splits[60:])
    np.testing.assert_array_equal(probe.correct, alone.correct)


def test_units_gather_what_belongs_together(features, splits) -> None:
    labels = (features[:, 0] > 0).astype(int)
    probe = linear_probe(features, labels, splits)
    groups = np.arange(N // 4) // 10
    units, majority = probe.units(groups), probe.majority_units(groups)
    assert units["tokens"] == majority["tokens"] == [10] * 10
    assert Measured.from_groups([units]).score == pytest.approx(probe.accuracy)
    assert Measured.from_groups([majority]).score == pytest.approx(probe.majority_accuracy)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], [0, 1], ["train", "test"]), r"features \(2,\) must be \(N, D\)"),
        (([[1.0], [2.0]], [0], ["train", "test"]), r"labels \(1,\)"),
        (([[1.0], [2.0]], [0, 1], ["train", "dev"]), "1 items are marked 'train' and 0 'test'"),
    ],
)
def test_what_cannot_be_learnt_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        linear_probe(*arguments)


def test_control_labels_are_words_learnt_by_heart() -> None:
    random = np.random.default_rng(0)
    words = random.integers(0, 3000, 20_000)
    labels = random.choice(["a", "b"], p=[0.9, 0.1], size=20_000)
    control = control_labels(words, labels, np.random.default_rng(5))
    again = control_labels(words, labels, np.random.default_rng(5))
    np.testing.assert_array_equal(control, again)
    assert len(set(zip(words, control, strict=True))) == len(set(words))
    assert 0.87 < np.mean(control == "a") < 0.93
    assert np.mean(control == labels) < 0.9
    with pytest.raises(ValueError, match=r"words \(3,\) and labels \(2,\)"):
        control_labels([1, 2, 3], [0, 1], random)
