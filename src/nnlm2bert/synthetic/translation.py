"""A rule-governed translation of Pocket English into Voro, a language that does not exist.

Voro puts the verb last, and adjective, determiner and preposition behind their noun::

    the old dogs   do not see   my coin      near the river   .
    dogs old       my-coin      river near   not-see          .

* *the* and *do* have no counterpart. Nouns, adjectives and verbs end in ``mi`` in the plural.
* The object ends in ``k`` (after ``mi``). *not* becomes ``za`` in front of the verb or of *be*.
* The two senses of *bank* are two words, and so are *guard* the noun and *guard* the verb.
* Names of people and places stay as they are. So does the order of clauses (*so we smile*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from nnlm2bert.synthetic.machine import State, build_machine
from nnlm2bert.synthetic.pocket_english import noun_forms, two_sense_lemmas
from nnlm2bert.synthetic.sentences import BASE_FORM, Sentence

PLURAL_SUFFIX, OBJECT_SUFFIX, NOT_PREFIX = "mi", "k", "za"
CONSONANTS, VOWELS = "ptkbdgvlnr", "aeiou"
AGREEING = {"NOUN", "VERB", "AUX", "ADJ"}
KEPT = {"PROPN", "PUNCT"}
SILENT = {"the"}
VERBAL = {"verb", "be", "do", "not"}
# A phrase goes on after these parts of speech if one of those follows.
GOES_ON = {
    "ADP": {"DET", "PROPN"},
    "DET": {"ADJ", "NOUN"},
    "ADJ": {"NOUN"},
    "PRON": {"ADJ", "NOUN"},
    "PROPN": {"PROPN"},
    "ADV": {"ADJ"},
}
NOUN_FORMS, TWO_SENSES = noun_forms(), two_sense_lemmas()


@dataclass(frozen=True)
class Token:
    """A word, the state that wrote it, and whether it is plural."""

    word: str
    state: State
    plural: bool

    @property
    def kind(self) -> str:
        """Its part of speech."""
        return self.state.part_of_speech

    @property
    def slot(self) -> str:
        """The part of the state's name that says where in the sentence the word stands."""
        return self.state.name.split("/")[1]


def entry(word: str, state: State) -> str:
    """Where the dictionary has a word: ``bank/money``, ``guard/NOUN``, ``see/VERB``, ``near``."""
    kind = state.part_of_speech
    if kind == "NOUN":
        lemma = NOUN_FORMS[word].lemma
        return f"{lemma}/{state.topic}" if lemma in TWO_SENSES else f"{lemma}/NOUN"
    return f"{BASE_FORM.get(word, word)}/VERB" if kind in ("VERB", "AUX") else word


@cache
def dictionary() -> dict[str, str]:
    """Entry -> its invented stem: three syllables, no two stems alike."""
    machine, _ = build_machine()
    said = [(w, machine.states[name]) for name, row in machine.emissions.items() for w in row]
    entries = {entry(word, state) for word, state in said if state.part_of_speech not in KEPT}
    return {name: _syllables(i) for i, name in enumerate(sorted(entries))}


def _syllables(number: int) -> str:
    """A number below 125,000 as three of 50 syllables; neighbours are made to look unlike.

    Every number has its own word, because 6007 and 125,000 have no common factor.
    """
    scattered = (number * 6007 + 11) % 125_000
    digits = (scattered // 2500, scattered // 50 % 50, scattered % 50)
    return "".join(CONSONANTS[digit // 5] + VOWELS[digit % 5] for digit in digits)


def _token(word: str, state: State) -> Token:
    number = NOUN_FORMS[word].number if state.part_of_speech == "NOUN" else state.number
    return Token(word, state, number == "plural")


def _spell(token: Token, plural: bool) -> str:
    if token.kind in KEPT:
        return token.word
    ending = PLURAL_SUFFIX if plural and token.kind in AGREEING else ""
    return dictionary()[entry(token.word, token.state)] + ending


def _phrases(tokens: Sequence[Token]) -> list[list[Token]]:
    """Cut into phrases, each ending with the word the others belong to."""
    phrases: list[list[Token]] = []
    goes_on = False
    for i, token in enumerate(tokens):
        if not goes_on:
            phrases.append([])
        phrases[-1].append(token)
        goes_on = i + 1 < len(tokens) and tokens[i + 1].kind in GOES_ON.get(token.kind, ())
    return phrases


def _nominal(tokens: Sequence[Token], plural_subject: bool) -> list[str]:
    """Phrases in their order, the words of each turned round."""
    words = []
    for phrase in _phrases(tokens):
        head = phrase[-1]
        plural = plural_subject if head.kind == "ADJ" else head.plural
        names = [token for token in phrase if token.kind == "PROPN"]
        others = [token for token in reversed(phrase) if token not in names]
        turned = [_spell(t, plural) for t in [*names, *others] if t.word not in SILENT]
        if head.slot == "object-noun":
            turned[0] += OBJECT_SUFFIX
        words += turned
    return words


def _verbal(tokens: Sequence[Token]) -> list[str]:
    """One word for *do not see*: negation, verb, number of the subject."""
    main = next(token for token in tokens if token.state.role in ("verb", "be"))
    negated = any(token.word == "not" for token in tokens)
    plural = any(token.plural for token in tokens)
    return [NOT_PREFIX * negated + _spell(main, plural)]


def translate(sentence: Sentence) -> list[str]:
    """The words of the sentence in Voro."""
    tokens = [_token(w, s) for w, s in zip(sentence.words, sentence.states, strict=True)]
    second = next((i for i, t in enumerate(tokens) if t.state.role == "so"), len(tokens) - 1)
    clause, rest = tokens[:second], tokens[second:]
    verb = [token for token in clause if token.state.role in VERBAL]
    others = [token for token in clause if token.state.role not in VERBAL]
    plural = any(token.plural for token in verb)
    reaction = [_spell(token, token.plural) for token in rest]
    return [*_nominal(others, plural), *_verbal(verb), *reaction]
