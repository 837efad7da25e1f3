"""Questions about a few sentences: true answers, one each, and no sentence twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.synthetic.questions import (
    CLAUSES,
    FORMS,
    Question,
    answers,
    predicate,
    questions,
    subject,
)
from nnlm2bert.synthetic.sentences import THIRD_PERSON, Sentence, sentences
from nnlm2bert.synthetic.tasks import load_task


@pytest.fixture(scope="module")
def found(language: PocketEnglish) -> list[Question]:
    return list(itertools.islice(questions(language, seed=4), 300))


@pytest.fixture(scope="module")
def text(language: PocketEnglish) -> list[Sentence]:
    return list(itertools.islice(sentences(language, seed=11), 3_000))


def clauses(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The sentences of a paragraph, each without its full stop."""
    parts = " ".join(words).removesuffix(" .").split(" . ")
    return [tuple(part.split()) for part in parts]


def test_the_answer_is_what_stands_before_what_was_said(found: list[Question]) -> None:
    for one in found:
        after = one.paragraph[one.end]
        singular = THIRD_PERSON.get(after, after)
        assert one.question[1] in (singular, FORMS.get(singular))
        assert one.begin < one.end <= len(one.paragraph)
        rest = one.paragraph[one.end :][: len(one.question) - 1]
        assert rest[-1] == "." and len(rest) == len(one.question) - 1


def test_a_question_has_its_words_and_its_mark(found: list[Question]) -> None:
    firsts = [one.question[0] for one in found]
    assert set(firsts) == {"who", "what"} and min(map(firsts.count, set(firsts))) > 50
    assert {one.question[-1] for one in found} == {"?"}
    same = [" ".join(one.question[1:-1]) in " ".join(one.paragraph) for one in found]
    assert 0.4 < np.mean(same) < 0.8  # the others are said otherwise


def test_the_clause_in_question_stands_anywhere(found: list[Question]) -> None:
    before = [one.paragraph[: one.begin].count(".") for one in found]
    assert np.bincount(before).min() > 0.15 * len(found) and max(before) == CLAUSES - 1


def test_no_sentence_stands_in_two_questions(found: list[Question]) -> None:
    used = [clause for one in found for clause in clauses(one.paragraph)]
    assert len(used) == len(set(used)) == CLAUSES * len(found)


def sentence(text: list[Sentence], words: str) -> Sentence:
    return next(one for one in text if words in " ".join(one.words))


def test_subjects_are_named(text: list[Sentence]) -> None:
    one = sentence(text, "not very")
    place = subject(sentence(text, " are not "))
    assert place is not None and one.words[subject(one)[1]] in ("is", "are")
    spans = {one.words: subject(one) for one in text}
    assert all(spans[w] is None for w in spans if "so" in w)
    for words, span in spans.items():
        if span is not None:
            assert words[span[0]] not in ("he", "she", "it", "they", "we")
    opened = next(one for one in text if one.slot(0) == "opening" and spans[one.words])
    assert spans[opened.words][0] == 1


def test_predicates_are_in_the_singular(text: list[Sentence]) -> None:
    plural = sentence(text, " do not ")
    assert predicate(plural)[:2] == ["does", "not"]
    assert predicate(sentence(text, " are "))[0] == "is"
    assert "." not in predicate(plural)


def test_what_says_more_answers_too(text: list[Sentence]) -> None:
    asked = next(one for one in text if one.words[-2:] == ("sleeps", "."))
    more = next(one for one in text if "sleeps" in one.words[:-2])
    other = next(one for one in text if "waits" in one.words)
    denied = next(one for one in text if " not sleep " in " ".join(one.words))
    assert answers(asked, asked) and answers(more, asked)
    assert not answers(asked, more) and not answers(other, asked) and not answers(denied, asked)
    big = next(one for one in text if one.words[-2:] == ("big", ".") and "not" not in one.words)
    large = next(one for one in text if one.words[-2:] == ("large", ".") and "not" not in one.words)
    not_big = next(one for one in text if one.words[-3:] == ("not", "big", "."))
    assert answers(big, large) and not answers(not_big, large)


def test_the_task_is_made_of_them(language: PocketEnglish) -> None:
    task = load_task("question", train=6, validation=2, test=3, seed=4, language=language)
    first = next(questions(language, seed=4))
    assert task["test"][0] == {
        "question": list(first.question),
        "tokens": list(first.paragraph),
        "begin": first.begin,
        "end": first.end,
    }
