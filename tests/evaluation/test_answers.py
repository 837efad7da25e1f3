"""Exact match and F1 of answers: the published program's rules, by hand and as units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlm2bert.evaluation.answers import answer_units, exact_match, plain_words, word_f1
from nnlm2bert.evaluation.intervals import Measured, bootstrap

WORDS = st.lists(st.sampled_from("the a Dog dog. cat's an theme ,".split()), max_size=6)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("The U.S. Army's", "us armys"),
        ("an  apple, a day", "apple day"),
        ("theatre another A-Team", "theatre another ateam"),
        ("the", ""),
        ("Île-de-France", "îledefrance"),
    ],
)
def test_what_counts_of_an_answer(answer: str, words: str) -> None:
    assert plain_words(answer) == words.split()


def test_scores_by_hand() -> None:
    assert exact_match("the Old dogs!", "old dogs") and not exact_match("dogs old", "old dogs")
    assert word_f1("old dogs of Rome", "the old dogs") == pytest.approx(2 * 2 / (4 + 2))
    assert word_f1("dog dog", "dog") == pytest.approx(2 / 3)  # a bag: one of the two is right
    assert word_f1("the", "a") == 1 and word_f1("the", "dog") == 0 == word_f1("cat", "dog")


@given(WORDS, WORDS)
def test_f1_is_one_where_the_words_are_the_same(one: list[str], other: list[str]) -> None:
    ours, theirs = " ".join(one), " ".join(other)
    score = word_f1(ours, theirs)
    assert 0 <= score <= 1 and score == word_f1(theirs, ours)
    assert (score == 1) == (sorted(plain_words(ours)) == sorted(plain_words(theirs)))
    assert score == 1 or not exact_match(ours, theirs)


def test_a_unit_is_a_paragraph() -> None:
    said, right = ["a dog", "old cat", "red"], ["dog", "cat", "blue"]
    exact, partly = answer_units(said, right, [7, 3, 3])
    assert exact == {"tokens": [1, 2], "nats": [1.0, 0.0]}
    assert partly == {"tokens": [1, 2], "nats": [1.0, round(2 / 3, 6)]}
    measured = Measured.from_groups([partly])
    assert measured.score == pytest.approx((1 + 2 / 3) / 3, abs=1e-6)
    found = bootstrap([measured], lambda scores: scores[0], resamples=200)
    assert found.low == pytest.approx(1 / 3, abs=1e-6) and found.high == 1
    with pytest.raises(ValueError):
        answer_units(said, right[:2], [7, 3, 3])
