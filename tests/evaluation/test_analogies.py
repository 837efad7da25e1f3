"""Analogies: the nearest word, what is covered, sections, and units for resampling."""

from __future__ import annotations

import numpy as np
import pytest

from nnlm2bert.evaluation.analogies import (
    QUERIES,
    Tally,
    analogy_units,
    answer,
    covered,
    encode_questions,
    google_syntactic,
    score_analogies,
)
from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.models.word_vectors import WordVectors

SECTIONS = ["capital", "capital", "capital", "gram8-plural", "gram8-plural", "capital"]
QUESTIONS = np.array(
    [[0, 1, 2, 3], [0, 1, 4, 5], [2, 3, 0, 1], [6, 7, 8, 9], [6, 7, 8, -1], [2, -1, 4, 5]]
)
ANSWERS = [3, 4, 1, 9, -1, 5]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 6))


@pytest.fixture(scope="module")
def questions() -> np.ndarray:
    random = np.random.default_rng(1)
    return np.stack([random.permutation(40)[:4] for _ in range(60)])


def slowly(vectors: np.ndarray, question: np.ndarray, query: str, banned: set[int]) -> dict:
    """Word -> its score in one question, by one loop over words."""
    units = [v / np.sqrt(v @ v) for v in vectors]
    target = sum(w * units[i] for w, i in zip(QUERIES[query], question, strict=False))
    return {w: units[w] @ target for w in range(len(units)) if w not in banned}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("restrict", [None, 25])
@pytest.mark.parametrize("exclude", [True, False])
def test_answers_equal_a_plain_loop(
    vectors: np.ndarray, questions: np.ndarray, query: str, restrict: int | None, exclude: bool
) -> None:
    found = answer(vectors, questions, query, exclude_inputs=exclude, restrict=restrict, batch=7)
    rare = set() if restrict is None else set(range(restrict, 40))
    for question, word in zip(questions, found, strict=True):
        banned = rare | set(question[:3].tolist()) if exclude else rare
        scores = slowly(vectors, question[:3], query, banned)
        assert scores[word] == pytest.approx(max(scores.values()), abs=1e-12)


def test_word_vectors_answer_alike(vectors: np.ndarray, questions: np.ndarray) -> None:
    theirs = WordVectors([f"word{i}" for i in range(40)], vectors)
    for options in ({}, {"restrict": 25}, {"exclude_inputs": False}):
        found = answer(theirs.matrix, questions, **options)
        np.testing.assert_array_equal(found, theirs.analogies(questions, **options))


def test_words_that_form_a_grid_are_found() -> None:
    man, royal, female = np.array([[1.0, 1, 0], [1.0, 0, 2], [0, 1.0, 1]])
    vectors = np.stack([man, man + royal, man + female, man + royal + female, 9 * royal - man])
    question = np.array([[0, 1, 2, 3]])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.argmax(units @ (units[1] - units[0] + units[2])) == 3
    assert answer(vectors, question).tolist() == [3]
    assert answer(vectors.astype(np.float32), question).tolist() == [3]


def test_length_of_vectors_plays_no_part(vectors: np.ndarray, questions: np.ndarray) -> None:
    lengths = np.random.default_rng(2).uniform(0.1, 9, size=(40, 1))
    assert (answer(vectors * lengths, questions) == answer(vectors, questions)).all()


def test_inputs_are_answers_if_they_are_allowed(vectors: np.ndarray, questions: np.ndarray) -> None:
    """The nearest word to c is c itself."""
    free = answer(vectors, questions, "only-b", exclude_inputs=False)
    assert (free == questions[:, 2]).all()
    assert not (answer(vectors, questions)[:, None] == questions[:, :3]).any()


def test_questions_with_unknown_words_are_not_answered(vectors: np.ndarray) -> None:
    unknown = np.array([[0, 1, 2, 3], [-1, 1, 2, 3], [0, 1, 2, -1]])
    found = answer(vectors, unknown)
    assert found[0] >= 0 and found[1:].tolist() == [-1, -1]
    assert covered(unknown).tolist() == [True, False, False]


def test_a_zero_vector_breaks_nothing(vectors: np.ndarray, questions: np.ndarray) -> None:
    with np.errstate(all="raise"):
        found = answer(np.vstack([vectors, np.zeros(6)]), questions)
    assert (found < 40).all()


def test_an_unknown_query_is_refused(vectors: np.ndarray, questions: np.ndarray) -> None:
    with pytest.raises(ValueError, match="choose one of 3CosAdd, ignore-a, only-b"):
        answer(vectors, questions, "3CosMul")


def test_questions_become_numbers() -> None:
    index = {"paris": 0, "france": 1, "rome": 2, "italy": 3}
    words = [("paris", "france", "rome", "italy"), ("rome", "italy", "oslo", "norway")]
    assert encode_questions(words, index).tolist() == [[0, 1, 2, 3], [2, 3, -1, -1]]
    assert encode_questions(words, index, restrict=3)[0].tolist() == [0, 1, 2, -1]
    assert encode_questions([], index).shape == (0, 4)


def test_sections_and_groups_are_tallied() -> None:
    table = score_analogies(ANSWERS, QUESTIONS, SECTIONS)
    assert list(table) == ["capital", "gram8-plural", "semantic", "syntactic", "total"]
    assert table["capital"] == table["semantic"] == Tally(2, 3, 4)
    assert table["gram8-plural"] == table["syntactic"] == Tally(1, 1, 2)
    assert table["total"] == Tally(3, 4, 6)
    assert (table["total"].accuracy, table["semantic"].coverage) == (0.75, 0.75)


def test_the_reader_says_what_is_syntactic() -> None:
    sections = ["feminine", "plural"]
    table = score_analogies([3, 9], QUESTIONS[[0, 3]], sections, lambda name: name == "plural")
    assert table["semantic"] == table["feminine"] and table["syntactic"] == table["plural"]
    assert "syntactic" not in score_analogies([3, 9], QUESTIONS[[0, 3]], sections)
    assert google_syntactic("gram1-adjective-to-adverb") and not google_syntactic("family")


def test_no_covered_question_has_no_accuracy() -> None:
    table = score_analogies([-1], QUESTIONS[4:5], SECTIONS[4:5])
    assert table["total"].coverage == 0 and np.isnan(table["total"].accuracy)
    assert analogy_units([-1], QUESTIONS[4:5], SECTIONS[4:5]) == {"tokens": [], "nats": []}


def test_units_are_first_pairs() -> None:
    units = analogy_units(ANSWERS, QUESTIONS, SECTIONS)
    assert units == {"tokens": [2, 1, 1], "nats": [1, 1, 1]}
    total = score_analogies(ANSWERS, QUESTIONS, SECTIONS)["total"]
    assert Measured.from_groups([units]).score == total.accuracy
    assert all(type(count) is int for count in units["tokens"] + units["nats"])


def test_one_pair_in_two_sections_is_two_units() -> None:
    questions = np.array([[0, 1, 2, 3], [0, 1, 2, 3]])
    assert analogy_units([3, 3], questions, ["one", "other"])["tokens"] == [1, 1]


def test_lengths_must_agree() -> None:
    for function in (score_analogies, analogy_units):
        with pytest.raises(ValueError, match="5 answers, 6 questions, 6 sections"):
            function(ANSWERS[:5], QUESTIONS, SECTIONS)
        with pytest.raises(ValueError, match="a question at least"):
            function([], QUESTIONS[:0], [])
