"""Test items: agreement across inserted phrases, analogies, senses with the cue on one side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnlm2bert.synthetic import lexicon
from nnlm2bert.synthetic.machine import couples, nouns, pairs
from nnlm2bert.synthetic.oracle import Oracle
from nnlm2bert.synthetic.pocket_english import PocketEnglish, two_sense_lemmas
from nnlm2bert.synthetic.sentences import (
    BASE_FORM,
    FINITE,
    THIRD_PERSON,
    Sentence,
    sentences,
)

SURE, UNSURE = 0.9, 0.6
CUES = ("left", "right", "either", "both")


@dataclass(frozen=True)
class AgreementItem:
    """A sentence up to its verb, which must agree with a subject before ``distance`` words.

    ``context`` (T,) holds the ids of ``</d>`` and of all words before the verb; ``right`` and
    ``wrong`` are the ids of the verb in the right and in the wrong number; ``distance`` counts the
    words between subject and verb; ``attractors`` those inserted nouns that are of the other
    number. An :class:`Oracle` supplies the first ``</d>`` itself: give it ``context[1:]``.
    """

    context: np.ndarray
    right: int
    wrong: int
    distance: int
    attractors: int


def agreement_items(
    n: int, seed: int, inserted: int = 0, language: PocketEnglish | None = None
) -> list[AgreementItem]:
    """``n`` items with exactly ``inserted`` (0 to 3) phrases between subject and verb.

    Every other subject is plural, so that guessing scores one half. No sentence comes twice.
    Raises ``ValueError`` for other values of ``inserted``.
    """
    if inserted not in range(4):
        raise ValueError(f"inserted={inserted}: between 0 and 3 phrases can be inserted")
    found: dict[bool, list[AgreementItem]] = {False: [], True: []}
    limits = {False: n - n // 2, True: n // 2}
    for sentence in sentences(language or PocketEnglish(), seed):
        place = _agreement(sentence, inserted)
        if place is not None:
            item, plural = place
            if len(found[plural]) < limits[plural]:
                found[plural].append(item)
            if len(found[False]) + len(found[True]) >= n:
                break
    order = itertools.zip_longest(found[False], found[True])
    return [item for couple in order for item in couple if item is not None]


def _agreement(sentence: Sentence, inserted: int) -> tuple[AgreementItem, bool] | None:
    slots = [sentence.slot(i) for i in range(len(sentence.words))]
    if "subject" not in slots or sentence.roles.count("insertion") != inserted:
        return None
    subject, verb = slots.index("subject"), _finite_verb(sentence)
    word, plural = sentence.words[verb], sentence.states[subject].number == "plural"
    wrong = THIRD_PERSON[word] if plural else BASE_FORM[word]
    ids = sentence.language.encode([sentence.language.grammar.end, *sentence.words])
    forms, between = sentence.language.forms, range(subject + 1, verb)
    numbers = [forms[sentence.words[i]].number for i in between if "noun" in slots[i]]
    attractors = sum((number == "plural") != plural for number in numbers)
    other = sentence.language.grammar.word_index[wrong]
    item = AgreementItem(ids[: verb + 1], int(ids[verb + 1]), other, len(between), attractors)
    return item, plural


def _finite_verb(sentence: Sentence) -> int:
    return next(i for i, role in enumerate(sentence.roles) if role in FINITE)


def analogies() -> dict[str, list[tuple[str, str, str, str]]]:
    """Relation -> quadruples (a, b, c, d): a is to b as c is to d.

    ``plural`` (*dog dogs car cars*), ``feminine`` (*king queen waiter waitress*) and ``capital``
    (*paris france rome italy*); all ordered pairs of couples, in a fixed order. For ``plural`` only
    nouns with one sense.
    """
    ambiguous = two_sense_lemmas()
    entries = [pair for tables in lexicon.NOUNS.values() for pair in nouns(tables["things"])]
    relations = {
        "plural": [pair for pair in entries if pair[0] not in ambiguous][::3],
        "feminine": [(he[0], she[0]) for he, she in couples()],
        "capital": pairs(lexicon.CAPITALS),
    }
    return {
        name: [(*one, *other) for one, other in itertools.permutations(couples_, 2)]
        for name, couples_ in relations.items()
    }


@dataclass(frozen=True)
class SenseItem:
    """A sentence, where its two-sense word stands, its sense, and which side gives the sense away.

    ``cue`` is ``left`` or ``right`` (that side makes the best reader at least 90 % sure, the other
    leaves it below 60 %), ``either`` (both sides do), or ``both`` (only the two together do, or one
    of them half-way).
    """

    sentence: Sentence
    position: int
    sense: str
    cue: str


def sense_items(
    language: PocketEnglish, seed: int, oracle: Oracle | None = None
) -> Iterator[SenseItem]:
    """Sentences without end, each with a two-sense word whose sense it tells (90 % sure)."""
    oracle = oracle or Oracle(language)
    candidates = (s for s in sentences(language, seed) if any(s.senses))
    while True:
        batch = list(itertools.islice(candidates, 200))
        yield from _with_cues(batch, language, oracle)


def _with_cues(
    batch: list[Sentence], language: PocketEnglish, oracle: Oracle
) -> Iterator[SenseItem]:
    """Every sentence is judged alone, as if it were a whole document."""
    ids = language.encode(w for sentence in batch for w in (*sentence.words, language.grammar.end))
    topics = language.state_labels["topic"]
    known = {side: oracle.label_posterior(ids, topics, side) for side in ("left", "right", "both")}
    begin = 0
    for sentence in batch:
        position = next(i for i, sense in enumerate(sentence.senses) if sense)
        left, right, both = (float(p[begin + position, sentence.topic]) for p in known.values())
        if both >= SURE:
            sense = language.senses[sentence.senses[position]]
            yield SenseItem(sentence, position, sense, _cue(left, right))
        begin += len(sentence.words) + 1


def _cue(left: float, right: float) -> str:
    if left >= SURE and right >= SURE:
        return "either"
    if left >= SURE and right < UNSURE:
        return "left"
    if right >= SURE and left < UNSURE:
        return "right"
    return "both"
