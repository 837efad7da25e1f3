"""Mixtures of senses, purity of neighbours under ties, and probes of senses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.evaluation.senses import (
    align,
    mixture,
    neighbour_purity,
    sense_probe,
    sense_purity,
)

WORDS = np.repeat(["bank", "bat", "seal"], [40, 30, 20])
SENSES = np.concatenate([np.arange(40) % 4 == 0, np.arange(30) % 2, np.arange(20) % 3]).astype(int)


@pytest.fixture(scope="module")
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def static(random: np.random.Generator) -> np.ndarray:
    """Each word's one vector, for all its occurrences."""
    table = random.normal(size=(3, 50)).astype(np.float32)
    return np.repeat(table, [40, 30, 20], axis=0)


def mean_over_orders(cosines: list[float], alike: list[bool], k: int) -> float:
    """The share of the first k that are alike, averaged over every order that ties allow."""
    orders = [
        order
        for order in itertools.permutations(range(len(cosines)))
        if all(cosines[a] >= cosines[b] for a, b in itertools.pairwise(order))
    ]
    return float(np.mean([[alike[i] for i in order[:k]] for order in orders]))


# Mixtures.


def test_a_mixture_is_found_again(random: np.random.Generator) -> None:
    senses = random.normal(size=(2, 30))
    found = mixture(0.9 * senses[0] + 0.3 * senses[1], senses)
    np.testing.assert_allclose(found.weights, [0.9, 0.3])
    np.testing.assert_allclose(found.shares, [0.75, 0.25])
    assert found.r2 == pytest.approx(1)


def test_r2_is_the_squared_length_that_is_told() -> None:
    found = mixture([3, 4, 0], [[1, 0, 0], [0, 0, 2]])
    np.testing.assert_allclose(found.weights, [3, 0], atol=1e-12)
    assert found.r2 == pytest.approx(9 / 25)
    assert mixture([0, 4, 0], [[1, 0, 0]]).r2 == pytest.approx(0)


def test_weights_may_be_kept_from_being_negative() -> None:
    senses = [[1.0, 0.0], [1.0, 1.0]]
    np.testing.assert_allclose(mixture([2, -1], senses).weights, [3, -1])
    bounded = mixture([2, -1], senses, nonnegative=True)
    np.testing.assert_allclose(bounded.weights, [2, 0])
    assert bounded.r2 == pytest.approx(4 / 5)


def test_shapes_of_a_mixture_must_fit() -> None:
    with pytest.raises(ValueError, match=r"word \(3,\) must be \(D,\) and senses \(2, 2\)"):
        mixture([1, 2, 3], [[1, 2], [3, 4]])


def test_spaces_turned_against_each_other_are_aligned(random: np.random.Generator) -> None:
    target = random.normal(size=(60, 8))
    turn = np.linalg.qr(random.normal(size=(8, 8)))[0]
    rotation = align(target @ turn, target)
    np.testing.assert_allclose(target @ turn @ rotation, target, atol=1e-10)
    crooked = align(target @ turn + random.normal(size=(60, 8)), target)
    np.testing.assert_allclose(crooked @ crooked.T, np.eye(8), atol=1e-10)


# Purity among occurrences of the same word.


@pytest.mark.parametrize("k", [1, 7, 19])
def test_static_vectors_score_chance(static: np.ndarray, k: int) -> None:
    found = sense_purity(static, SENSES, WORDS, k)
    np.testing.assert_allclose(found.purity, found.chance, rtol=1e-13)
    assert found.mean == pytest.approx(found.mean_chance, rel=1e-13)
    assert found.words.tolist() == ["bank", "bat", "seal"]
    assert found.occurrences.tolist() == [40, 30, 20]


def test_vectors_of_one_direction_are_equal(static: np.ndarray) -> None:
    """Their cosines differ by rounding, which must not order them."""
    lengths = np.random.default_rng(6).uniform(0.1, 10, size=(90, 1))
    found = sense_purity(static.astype(float) * lengths, SENSES, WORDS, 6)
    np.testing.assert_allclose(found.purity, found.chance, rtol=1e-13)


def test_chance_is_that_of_other_occurrences(static: np.ndarray) -> None:
    """30 and 10 of bank, 15 and 15 of bat, 7, 7 and 6 of seal."""
    chance = sense_purity(static, SENSES, WORDS, 5).chance
    expected = [(30 * 29 + 10 * 9) / (40 * 39), 14 / 29, (7 * 6 + 7 * 6 + 6 * 5) / (20 * 19)]
    np.testing.assert_allclose(chance, expected)


def test_order_plays_no_part(static: np.ndarray) -> None:
    vectors = static + np.round(np.random.default_rng(4).normal(size=(90, 1)))
    order = np.random.default_rng(5).permutation(90)
    found = sense_purity(vectors, SENSES, WORDS, 6)
    shuffled = sense_purity(vectors[order], SENSES[order], WORDS[order], 6)
    np.testing.assert_allclose(shuffled.purity, found.purity, rtol=1e-13)
    np.testing.assert_allclose(shuffled.by_occurrence, found.by_occurrence[order], rtol=1e-13)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_ties_equal_the_mean_over_all_orders(k: int) -> None:
    corners = np.array([[1, 0], [0, 1], [1, 1]])
    senses = np.array([0, 0, 1, 1, 0, 1])
    for chosen in itertools.combinations_with_replacement(range(3), 6):
        vectors = corners[list(chosen)]
        found = sense_purity(vectors, senses, np.zeros(6), k).by_occurrence
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = np.round(units @ units.T, 12)
        for i in range(6):
            others = [j for j in range(6) if j != i]
            alike = [bool(senses[j] == senses[i]) for j in others]
            expected = mean_over_orders([cosines[i, j] for j in others], alike, k)
            assert found[i] == pytest.approx(expected, abs=1e-12)


def test_vectors_that_part_the_senses_are_pure(random: np.random.Generator, static) -> None:
    places = 10 * np.eye(50)[SENSES] + random.normal(size=(90, 50)) * 0.1
    found = sense_purity(static + places, SENSES, WORDS, 5)
    assert (found.purity == 1).all() and found.mean_chance < 0.7
    assert (found.by_occurrence == 1).all()


def test_vectors_that_know_nothing_stay_near_chance(random: np.random.Generator) -> None:
    senses = random.integers(0, 2, 2000)
    found = sense_purity(random.normal(size=(2000, 10)), senses, np.zeros(2000), 10)
    assert abs(found.mean - found.mean_chance) < 0.01


def test_rows_at_once_change_nothing(monkeypatch, random: np.random.Generator) -> None:
    vectors = random.normal(size=(90, 6))
    whole = sense_purity(vectors, SENSES, WORDS, 4).by_occurrence
    monkeypatch.setattr("nnlm2bert.evaluation.senses.ROWS_AT_ONCE", 7)
    parts = sense_purity(vectors, SENSES, WORDS, 4).by_occurrence
    np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_units_of_purity_are_words(random: np.random.Generator) -> None:
    found = sense_purity(random.normal(size=(90, 6)), SENSES, WORDS, 4)
    assert Measured.from_groups([found.units()]).score == pytest.approx(found.mean)
    assert Measured.from_groups([found.chance_units()]).score == pytest.approx(found.mean_chance)
    assert found.units()["tokens"] == found.chance_units()["tokens"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("k", "words"), [(0, "at least one neighbour"), (20, "k=20 occurrences: seal"), (30, "bat")]
)
def test_too_few_occurrences_are_refused(static: np.ndarray, k: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sense_purity(static, SENSES, WORDS, k)


def test_lengths_of_occurrences_must_agree(static: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"senses \(90,\) and words \(89,\)"):
        sense_purity(static, SENSES, WORDS[1:])


# Purity among other vectors.


def test_neighbours_of_one_vector_divide_by_its_senses() -> None:
    """Of the four nearest, three are of money and one of nature."""
    known = [[1, 0.1], [1, 0.2], [1, 0.3], [0.9, -0.3], [0, 1], [-1, 0]]
    labels = ["money", "money", "money", "nature", "money", "nature"]
    bank = [[1.0, 0], [1.0, 0]]
    shares = neighbour_purity(bank, ["money", "nature"], known, labels, k=4)
    np.testing.assert_allclose(shares, [0.75, 0.25])


def test_ties_among_neighbours_are_shared() -> None:
    """The second place goes to one of three equal vectors."""
    known = [[1, 0], [1, 1], [2, 2], [3, 3], [0, -1]]
    shares = neighbour_purity([[1, 0]] * 2, [0, 1], known, [0, 1, 1, 0, 1], k=2)
    np.testing.assert_allclose(shares, [(1 + 1 / 3) / 2, (2 / 3) / 2])


def test_impossible_neighbours_are_refused() -> None:
    for k in (0, 3):
        with pytest.raises(ValueError, match=f"k={k}: there are 2 known vectors"):
            neighbour_purity([[1, 0]], [0], [[1, 0], [0, 1]], [0, 1], k=k)


# Probes.


@pytest.fixture(scope="module")
def splits() -> np.ndarray:
    return np.where(np.random.default_rng(8).random(90) < 0.3, "test", "train")


def test_a_static_vector_is_no_better_than_the_majority(static, splits) -> None:
    probe = sense_probe(static, SENSES, WORDS, splits)
    np.testing.assert_array_equal(probe.correct, probe.majority_correct)
    assert probe.words.tolist() == ["bank", "bat", "seal"]
    assert probe.occurrences.sum() == (splits == "test").sum()
    assert 0 < probe.accuracy == probe.majority_accuracy < 1


def test_the_majority_is_each_words_own(static, splits) -> None:
    probe = sense_probe(static, SENSES, WORDS, splits)
    for word, correct in zip(probe.words, probe.majority_correct, strict=True):
        own = word == WORDS
        most = np.bincount(SENSES[own & (splits == "train")]).argmax()
        assert correct == (SENSES[own & (splits == "test")] == most).sum()


def test_a_vector_for_each_occurrence_tells_the_sense(static, splits) -> None:
    turned = SENSES + 3 * (WORDS == "bat") * (1 - 2 * SENSES)
    features = static + np.eye(50)[turned]
    probe = sense_probe(features, SENSES, WORDS, splits)
    assert probe.accuracy == 1 > probe.majority_accuracy
    units, majority = probe.units(), probe.majority_units()
    assert units["nats"] == units["tokens"] == majority["tokens"]
    assert Measured.from_groups([majority]).score == pytest.approx(probe.majority_accuracy)


def test_a_word_without_test_is_refused(static, splits) -> None:
    only = np.where(WORDS == "bat", "train", splits)
    with pytest.raises(ValueError, match=r"bat: 30 items are marked 'train' and 0 'test'"):
        sense_probe(static, SENSES, WORDS, only)
    left_out = np.where(WORDS == "bat", "none", splits)
    assert sense_probe(static, SENSES, WORDS, left_out).words.tolist() == ["bank", "seal"]


def test_lengths_of_a_probe_must_agree(static, splits) -> None:
    with pytest.raises(ValueError, match="89 senses"):
        sense_probe(static, SENSES[1:], WORDS, splits)
