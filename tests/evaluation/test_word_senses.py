"""The nearest sense against loops, its baseline and control, and what counts as right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.evaluation.word_senses import (
    Occurrences,
    SenseInventory,
    disambiguate,
    part_of_speech,
)

RIVER, MONEY, TILT = "bank%1:17:01::", "bank%1:14:00::", "bank%2:38:00::"
OLD, PAST = "old%3:00:02::", "old%5:00:00:past:00"
NOUN, VERB = ("bank", "NOUN"), ("bank", "VERB")


def occurrences(*rows: tuple[list[float], tuple[str, str], list[str]]) -> Occurrences:
    """Rows of vector, entry and senses, each a group of its own."""
    vectors, entries, senses = zip(*rows, strict=True)
    lemmas, pos = zip(*entries, strict=True)
    return Occurrences(np.array(vectors, float), lemmas, pos, senses, range(len(rows)))


@pytest.fixture
def train() -> Occurrences:
    return occurrences(
        ([9, 0], NOUN, [RIVER]),
        ([0, 1], NOUN, [MONEY]),
        ([0, 1], NOUN, [MONEY]),
        ([1, 0.2], NOUN, [RIVER]),
        ([0.3, 1], NOUN, [MONEY]),
        ([1, 1], VERB, [TILT]),
    )


def lottery(count: int, seed: int = 0, dtype: type = np.float32) -> Occurrences:
    """Occurrences of 8 words of 1 to 8 senses, some with two, with vectors by lot."""
    random = np.random.default_rng(seed)
    words = random.integers(8, size=count)
    senses = [random.integers(w + 1, size=random.integers(1, 3)).tolist() for w in words]
    keys = [[f"w{w}%1:{s}::" for s in own] for w, own in zip(words, senses, strict=True)]
    vectors = random.normal(size=(count, 5)).astype(dtype)
    return Occurrences(vectors, [f"w{w}" for w in words], ["NOUN"] * count, keys, words // 2)


def nearest_by_loops(train: Occurrences, vector: np.ndarray, entry: tuple[str, str]) -> str:
    """The sense whose mean vector has the largest cosine."""
    cosines = {}
    for sense in {s for e, keys in zip(train.entries, train.senses, strict=True) for s in keys}:
        own = [i for i, keys in enumerate(train.senses) if sense in keys]
        if train.entries[own[0]] == entry:
            mean = train.vectors[own].astype(float).mean(axis=0)
            cosines[sense] = mean @ vector / np.linalg.norm(mean)
    return max(cosines, key=cosines.get)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_each_has_the_sense_of_the_nearest_mean(dtype: type) -> None:
    train, test = lottery(300, dtype=dtype), lottery(60, seed=1, dtype=dtype)
    found = disambiguate(train, test)
    pairs = zip(test.vectors, test.entries, strict=True)
    assert found.answers == [nearest_by_loops(train, vector, entry) for vector, entry in pairs]


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = lottery(300), lottery(60, seed=1)
    answers = disambiguate(train, test).answers
    monkeypatch.setattr("nnlm2bert.evaluation.word_senses.ROWS_AT_ONCE", 7)
    assert disambiguate(train, test).answers == answers


def test_direction_counts_and_length_does_not(train: Occurrences) -> None:
    test = occurrences(([0.1, 0.001], NOUN, [RIVER]), ([50, 90], NOUN, [MONEY]))
    assert disambiguate(train, test).answers == [RIVER, MONEY]


def test_senses_of_another_part_of_speech_are_no_candidates(train: Occurrences) -> None:
    test = occurrences(([1, 1], NOUN, [TILT]), ([9, 0], VERB, [TILT]))
    assert disambiguate(train, test).answers == [MONEY, TILT]


def test_the_first_sense_is_the_most_frequent_and_of_equal_ones_the_first_seen() -> None:
    noun, adjective = ("bank", "NOUN"), ("old", "ADJ")
    rows = [(noun, [RIVER]), (adjective, [PAST]), (noun, [MONEY, RIVER]), (adjective, [OLD])]
    counted = SenseInventory.of(occurrences(*(([0.0], *row) for row in rows)))
    assert counted.senses == {noun: (RIVER, MONEY), adjective: (PAST, OLD)}


def test_an_occurrence_counts_once_for_a_sense_named_twice() -> None:
    rows = [([1.0], NOUN, [RIVER, RIVER]), ([1.0], NOUN, [MONEY]), ([1.0], NOUN, [MONEY])]
    assert SenseInventory.of(occurrences(*rows)).senses[NOUN] == (MONEY, RIVER)


@pytest.mark.parametrize("scale", [0, 0.1, 1e6])
def test_a_static_vector_answers_as_the_first_sense(scale: float) -> None:
    train, test = lottery(5_000), lottery(500, seed=1)
    table = scale * np.random.default_rng(2).normal(size=(8, 40)).astype(np.float32)
    train, test = (
        replace(side, vectors=table[[int(lemma[1:]) for lemma in side.lemmas]])
        for side in (train, test)
    )
    found = disambiguate(train, test)
    assert found.answers == list(found.first_senses)


def test_words_without_an_entry_have_no_answer_and_count_as_wrong(train: Occurrences) -> None:
    test = occurrences(
        ([1, 0], NOUN, [RIVER]),
        ([0, 1], NOUN, [RIVER]),
        ([0, 1], ("old", "ADJ"), [OLD]),
        ([0, 1], NOUN, [TILT, MONEY]),
    )
    found = disambiguate(train, test)
    assert found.answers == [RIVER, MONEY, None, MONEY]
    assert found.first_senses == [MONEY, MONEY, None, MONEY]
    assert found.correct.tolist() == [True, False, False, True]
    assert found.not_first.tolist() == [True, True, False, False]
    assert (found.accuracy, found.first_accuracy, found.not_first_accuracy) == (0.5, 0.25, 0.5)
    precision, recall = 2 / 3, 2 / 4
    assert found.answered == 0.75
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_an_inventory_of_the_whole_gives_first_senses_to_words_not_drawn(
    train: Occurrences,
) -> None:
    drawn = train.among([0, 3, 4])
    test = occurrences(([0, 1], NOUN, [MONEY]), ([1, 0], VERB, [TILT]))
    alone = disambiguate(drawn, test)
    assert (alone.answers, alone.first_senses) == ([MONEY, None], [RIVER, None])
    found = disambiguate(drawn, test, SenseInventory.of(train))
    assert (found.answers, found.first_senses) == ([MONEY, TILT], [MONEY, TILT])


def test_where_every_first_sense_is_right_the_rest_has_no_accuracy(train: Occurrences) -> None:
    found = disambiguate(train, occurrences(([1, 0], NOUN, [MONEY])))
    assert not found.not_first.any() and np.isnan(found.not_first_accuracy)


def test_units_are_groups_and_their_score_is_the_accuracy() -> None:
    test = lottery(90, seed=1)
    found = disambiguate(lottery(300), test)
    units = Measured.from_groups([found.units()])
    assert sorted(units.sizes) == sorted(Counter(test.groups.tolist()).values())
    assert units.score == pytest.approx(found.accuracy)
    firsts = Measured.from_groups([found.first_units()])
    assert firsts.score == pytest.approx(found.first_accuracy)
    hard = Measured.from_groups([found.units(found.not_first)])
    assert hard.score == pytest.approx(found.not_first_accuracy)
    assert sum(hard.sizes) == found.not_first.sum() > 0


def test_dealt_senses_stay_with_their_words_but_not_with_their_contexts() -> None:
    before = lottery(400)
    after = before.shuffled(np.random.default_rng(0))

    def per_word(rows: Occurrences) -> Counter:
        return Counter(zip(rows.entries, map(tuple, rows.senses), strict=True))

    assert per_word(after) == per_word(before)
    assert after.vectors is before.vectors and after.senses != before.senses
    again = before.shuffled(np.random.default_rng(0))
    assert again.senses == after.senses


def test_dealt_senses_leave_nothing_to_read_off_the_vectors() -> None:
    random = np.random.default_rng(0)
    senses = random.random(600) < 0.3
    vectors = np.where(senses[:, None], [1, 0], [0, 1]) + 0.1 * random.normal(size=(600, 2))
    rows = [(v, NOUN, [RIVER if s else MONEY]) for v, s in zip(vectors, senses, strict=True)]
    train, test = occurrences(*rows[:400]), occurrences(*rows[400:])
    assert disambiguate(train, test).accuracy == 1
    dealt = disambiguate(train.shuffled(random), test.shuffled(random))
    assert dealt.not_first_accuracy < 0.7


def test_among_takes_numbers_and_masks(train: Occurrences) -> None:
    one, other = train.among([1, 5]), train.among(np.array([0, 1, 0, 0, 0, 1], bool))
    for part in (one, other):
        assert part.entries == [NOUN, VERB] and part.senses == [[MONEY], [TILT]]
        assert part.vectors.tolist() == [[0, 1], [1, 1]] and part.groups == [1, 5]


@pytest.mark.parametrize(
    ("sense", "part"),
    [(RIVER, "NOUN"), (TILT, "VERB"), (OLD, "ADJ"), (PAST, "ADJ"), ("now%4:02:00::", "ADV")],
)
def test_parts_of_speech_of_keys(sense: str, part: str) -> None:
    assert part_of_speech(sense) == part


def test_what_cannot_be_is_refused(train: Occurrences) -> None:
    with pytest.raises(ValueError, match="'bank' is no WordNet sense key"):
        part_of_speech("bank")
    with pytest.raises(ValueError, match="one entry for each occurrence, got 1, 1, 1, 1, 2"):
        Occurrences(np.ones((1, 2)), ["a"], ["NOUN"], [["s"]], [0, 1])
    with pytest.raises(ValueError, match="an occurrence has no sense"):
        occurrences(([1.0], NOUN, []))
    with pytest.raises(ValueError, match=r"vectors \(6, 2\) of training and \(1, 1\) of test"):
        disambiguate(train, occurrences(([1.0], NOUN, [RIVER])))
    with pytest.raises(ValueError, match="both need an occurrence"):
        disambiguate(train.among(np.zeros(6, bool)), train)
