"""Pairs of sentences: what follows from what, and what says the same.

All rules change one sentence of the language in a way whose effect on its truth is known. They
treat *the*, *this*, *my* ... as pointing at one thing: if *the dog runs*, then *the animal runs*,
and if *the dog does not run*, then *the animal does not run*. With *every* before the noun that
would not hold, and *many do* does not contradict *many do not*: such sentences are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from nnlm2bert.synthetic import lexicon
from nnlm2bert.synthetic.machine import State, nouns
from nnlm2bert.synthetic.sentences import BASE_FORM, FINITE, THIRD_PERSON, Sentence

ENTAILMENT = ("entailment", "neutral", "contradiction")
QUANTIFIERS = {"every", "all", "many"}
VAGUE = {"many", "often", "sometimes"}
NOUN_SLOTS = ("subject", "object-noun")
NOT = State("changed/not", "none", "PART", role="not")
DO = State("changed/do", "none", "AUX", role="do")


@dataclass(frozen=True)
class Pair:
    """Two sentences and the index of their label."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    label: int


# What a word can be exchanged for.


@cache
def _forms_of(topic: str) -> dict[str, tuple[str, str]]:
    entries = nouns(lexicon.NOUNS[topic]["things"])
    return {one: (one, many) for one, many in entries}


def _in_number_of(sentence: Sentence, i: int, lemma: str, topic: str) -> str:
    """``lemma`` in the number of word ``i``."""
    plural = sentence.language.forms[sentence.words[i]].number == "plural"
    return _forms_of(topic)[lemma][plural]


@cache
def _kind_of(topic: str, lemma: str) -> str | None:
    """*animal* for *dog*, where the topic is nature."""
    for kind, (where, names) in lexicon.KINDS.items():
        if where == topic and lemma in names.split():
            return kind
    return None


def known_noun(sentence: Sentence) -> int | None:
    """Place of the first subject or object that is of a known kind and points at something."""
    topic = sentence.states[0].topic
    for i, word in enumerate(sentence.words):
        if sentence.slot(i) in NOUN_SLOTS and word in sentence.language.forms:
            before = {sentence.words[i - 1], sentence.words[max(0, i - 2)]}
            if _kind_of(topic, sentence.language.forms[word].lemma) and not before & QUANTIFIERS:
                return i
    return None


def generalise(sentence: Sentence, i: int) -> Sentence:
    """*dogs* -> *animals*."""
    topic = sentence.states[0].topic
    kind = _kind_of(topic, sentence.language.forms[sentence.words[i]].lemma)
    return sentence.put(i, _in_number_of(sentence, i, kind, topic))


def replace_noun(sentence: Sentence, i: int) -> Sentence:
    """Another thing of the topic instead, neither the same kind's name nor the noun itself."""
    topic = sentence.states[0].topic
    lemma = sentence.language.forms[sentence.words[i]].lemma
    others = [name for name in _forms_of(topic) if name not in (lemma, _kind_of(topic, lemma))]
    chosen = others[sum(map(len, sentence.words)) % len(others)]
    return sentence.put(i, _in_number_of(sentence, i, chosen, topic))


# What can be done to a sentence.


def negate(sentence: Sentence) -> Sentence:
    """Put *not* in, or take it out; the verb keeps its number."""
    place = sentence.negation
    if place is None:
        return _deny(sentence)
    if sentence.roles[place - 1] == "be":
        return sentence.edit(place, place + 1, [], [])
    verb, number = sentence.words[place + 1], sentence.states[place - 1].number
    form = THIRD_PERSON[verb] if number == "singular" else verb
    state = replace(sentence.states[place + 1], number=number)
    return sentence.edit(place - 1, place + 2, [form], [state])


def _deny(sentence: Sentence) -> Sentence:
    i = next(i for i, role in enumerate(sentence.roles) if role in FINITE)
    word, state = sentence.words[i], sentence.states[i]
    if state.role == "be":
        return sentence.edit(i, i + 1, [word, "not"], [state, NOT])
    words = ["does", "not", BASE_FORM[word]] if state.number == "singular" else ["do", "not", word]
    return sentence.edit(i, i + 1, words, [replace(DO, number=state.number), NOT, state])


def tail(sentence: Sentence) -> int:
    """How many words at the end only say when or where; 0 if they are the predicate itself."""
    last = sentence.slot(len(sentence.words) - 2)
    if last == "adverb":
        return 1
    said = sentence.states[len(sentence.words) - 5].role if len(sentence.words) > 5 else "be"
    return 3 if last == "place-noun" and said not in ("be", "not") else 0


def shorten(sentence: Sentence) -> Sentence:
    """Without the words at the end that say when or where."""
    end = len(sentence.words) - 1
    return sentence.edit(end - tail(sentence), end, [], [])


def can_shorten(sentence: Sentence) -> bool:
    """Whether ``shorten`` takes words off and what is left still follows: nothing is negated."""
    return bool(tail(sentence)) and sentence.negation is None


def is_clause(sentence: Sentence) -> bool:
    """Has a subject and a verb of its own, and no second clause (*so we smile*)."""
    roles = sentence.roles
    return any(role in FINITE for role in roles) and "so" not in roles and "capital" not in roles


# Entailment.


def _entailed(sentence: Sentence, i: int, turn: int) -> tuple[Sentence, Sentence]:
    if can_shorten(sentence) and turn % 3 == 0:
        return sentence, shorten(sentence)
    general = generalise(sentence, i)
    return sentence, shorten(general) if can_shorten(sentence) and turn % 3 == 1 else general


def _contradicted(sentence: Sentence, i: int, turn: int) -> tuple[Sentence, Sentence]:
    return sentence, negate(sentence if turn % 2 else generalise(sentence, i))


def _undecided(sentence: Sentence, i: int, turn: int) -> tuple[Sentence, Sentence]:
    if can_shorten(sentence) and turn % 4 == 0:
        return shorten(sentence), sentence
    if turn % 4 == 1:
        return generalise(sentence, i), sentence
    other = replace_noun(sentence, i)
    return sentence, negate(other) if turn % 4 == 2 else other


RELATIONS: tuple[Callable[[Sentence, int, int], tuple[Sentence, Sentence]], ...] = (
    _entailed,
    _undecided,
    _contradicted,
)


def entailment_pairs(sentences: Iterator[Sentence]) -> Iterator[Pair]:
    """Premise, hypothesis and relation; each relation as often as the others.

    Half of the premises are negative, so that *not* in the hypothesis tells nothing by itself.
    """
    wanted, waiting = 0, {True: [], False: []}
    for sentence in sentences:
        place = known_noun(sentence)
        if place is None or not is_clause(sentence) or VAGUE.intersection(sentence.words):
            continue
        waiting[sentence.negation is not None].append((sentence, place))
        while waiting[bool(wanted // 3 % 2)]:
            source, i = waiting[bool(wanted // 3 % 2)].pop(0)
            label = wanted % 3
            premise, hypothesis = RELATIONS[label](source, i, wanted // 6)
            yield Pair(premise.words, hypothesis.words, label)
            wanted += 1


# Paraphrase.

SYNONYMS = {a: b for one, other in lexicon.SYNONYMS for a, b in ((one, other), (other, one))}


def _synonym(sentence: Sentence, i: int) -> str | None:
    """The other word for the same, in the same form."""
    word, kind = sentence.words[i], sentence.states[i].part_of_speech
    if kind == "VERB" and word in BASE_FORM and BASE_FORM[word] in SYNONYMS:
        return THIRD_PERSON[SYNONYMS[BASE_FORM[word]]]
    if kind == "NOUN" and word in sentence.language.forms:
        form = sentence.language.forms[word]
        other = SYNONYMS.get(form.lemma)
        return other + "s" * (form.number == "plural") if other else None
    return SYNONYMS.get(word) if kind in ("VERB", "ADJ") else None


def exchange_synonyms(sentence: Sentence) -> Sentence:
    """Every word that has a synonym gives way to it."""
    for i in range(len(sentence.words)):
        other = _synonym(sentence, i)
        sentence = sentence.put(i, other) if other else sentence
    return sentence


def bring_forward(sentence: Sentence) -> Sentence:
    """*the dogs run in the park* -> *in the park the dogs run*; unchanged where that cannot be."""
    end, size = len(sentence.words) - 1, tail(sentence)
    movable = size == 3 or sentence.words[end - 1] in lexicon.OPENINGS.split()
    if not size or not movable or sentence.slot(0).startswith("opening"):
        return sentence
    words = [*sentence.words[end - size : end], *sentence.words[: end - size]]
    states = [*sentence.states[end - size : end], *sentence.states[: end - size]]
    return sentence.edit(0, end, words, states)


def say_otherwise(sentence: Sentence) -> Sentence:
    """All that can be said otherwise without changing what is said."""
    return bring_forward(exchange_synonyms(sentence))


def _distort(sentence: Sentence, turn: int) -> Sentence:
    """Something else is said: the opposite, or the same of another thing."""
    nouns_at = [i for i in range(len(sentence.words)) if sentence.slot(i) in NOUN_SLOTS]
    things = _forms_of(sentence.states[0].topic)
    forms = sentence.language.forms
    known = [i for i in nouns_at if forms[sentence.words[i]].lemma in things]
    return negate(sentence) if turn % 2 or not known else replace_noun(sentence, known[-1])


def paraphrase_pairs(sentences: Iterator[Sentence]) -> Iterator[Pair]:
    """Two sentences and whether they say the same (1) or not (0), half and half.

    Both kinds are worded differently by the same rules, so that counting common words does not do.
    """
    turn = 0
    for sentence in sentences:
        if not is_clause(sentence) or sentence.slot(0).startswith("opening"):
            continue
        if say_otherwise(sentence).words == sentence.words:
            continue
        label = turn % 2
        meaning = sentence if label else _distort(sentence, turn // 2)
        other = say_otherwise(meaning)
        first, second = (sentence, other) if turn // 2 % 2 else (other, sentence)
        yield Pair(first.words, second.words, label)
        turn += 1
