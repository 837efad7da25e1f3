"""The machine of Pocket English: which state follows which, and what each says.

    sentence  =  (opening)  subject  predicate  "."
    subject   =  determiner (adjective) noun (phrase (phrase (phrase)))
              |  name (surname)  |  pronoun
    phrase    =  preposition determiner noun
    predicate =  verb (adverb | place)  |  verb object (adverb | place)  |  do not verb ...
              |  be (not) (very) good (so we smile)  |  be old  |  be in the park

What a state must remember is written in its name. ``nature/of-2/man`` is the preposition of the
second inserted phrase of a sentence on nature whose subject is one man: so the verb, up to nine
words later, still agrees with him, and *his* does, too. All topics have the same states, with
words of their own; a sentence begins in the topic of the last one or changes it, and after some
full stops the document ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from nnlm2bert.synthetic import lexicon

END = "</d>"
SUBJECTS = ("man", "woman", "people", "thing", "things")
PLURAL = {"people", "things"}
PERSONS = ("man", "woman", "people")
PRONOUNS = {"man": "he", "woman": "she", "people": "they", "thing": "it", "things": "they"}
POSSESSIVES = {"man": "his", "woman": "her", "people": "their"}
INSERTIONS = 3


@dataclass(frozen=True)
class State:
    """What a state is in the eyes of a grammarian; the gold labels are read off it."""

    name: str
    topic: str
    part_of_speech: str
    number: str = "none"
    entity: str = "O"
    negated: bool = False
    role: str = "other"


@dataclass(frozen=True)
class Form:
    """One spelling of a word: its dictionary form and its number."""

    word: str
    lemma: str
    number: str


def plural(entry: str) -> tuple[str, str]:
    """Singular and plural: ``"dog"`` -> (dog, dogs), ``"wolf:wolves"`` -> (wolf, wolves)."""
    single, _, irregular = entry.partition(":")
    return single, irregular or single + "s"


def nouns(entries: str) -> list[tuple[str, str]]:
    """Singular and plural of each entry: ``"dog wolf:wolves"``; verbs are listed alike."""
    return [plural(entry) for entry in entries.split()]


def pairs(entries: str) -> list[tuple[str, str]]:
    """``"rome=italy"`` -> [("rome", "italy")]."""
    return [tuple(entry.split("=")) for entry in entries.split()]


def couples() -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """((man, men), (woman, women)) and so on."""
    return [(plural(he), plural(she)) for he, she in pairs(lexicon.COMMON_PEOPLE)]


def falling(words: Iterable[str], share: int = 1) -> dict[str, int]:
    """Weights that fall with the rank, in the manner of Zipf; ``share`` multiplies them all."""
    return {word: share * (120 // (rank + 2)) for rank, word in enumerate(words)}


def mixed(*tables: dict[str, int]) -> dict[str, int]:
    """Sum of several tables of weights."""
    total: dict[str, int] = defaultdict(int)
    for table in tables:
        for word, weight in table.items():
            total[word] += weight
    return dict(total)


@dataclass
class Machine:
    """The table of states as it grows."""

    states: dict[str, State] = field(default_factory=dict)
    emissions: dict[str, dict[str, int]] = field(default_factory=dict)
    transitions: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(
        self, name: str, part_of_speech: str, words: dict[str, int] | str, **labels: object
    ) -> str:
        """Add the state ``topic/name``; a string of words gets falling weights."""
        topic = name.split("/")[0]
        self.states[name] = State(name, topic, part_of_speech, **labels)
        self.emissions[name] = falling(words.split()) if isinstance(words, str) else words
        return name

    def link(self, origin: str, following: dict[str, int]) -> None:
        """From ``origin`` to the states of ``following``, with their weights."""
        self.transitions.setdefault(origin, {}).update(following)


class Words:
    """What each slot may hold in one topic: the topic's own words and those of all topics."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.tables = lexicon.NOUNS[topic]

    def _forms(self, kind: str, number: int, share: int) -> dict[str, int]:
        return falling([forms[number] for forms in nouns(self.tables[kind])], share)

    def people(self, subject: str) -> dict[str, int]:
        """Words for one man, one woman or several people."""
        number = int(subject in PLURAL)
        sides = {"man": (0,), "woman": (1,), "people": (0, 1)}[subject]
        common: dict[str, int] = {}
        for couple in couples():
            home = lexicon.AT_HOME.get(couple[0][0])
            weight = 8 if home is None else 40 if home == self.topic else 2
            for side in sides:
                common[couple[side][number]] = weight
        return mixed(self._forms("people", number, 2), common)

    def things(self, subject: str) -> dict[str, int]:
        """Words for one thing or several."""
        return self._forms("things", int(subject in PLURAL), 4)

    def subjects(self, subject: str) -> dict[str, int]:
        """Words for a subject, be it people or things."""
        return self.people(subject) if subject in PERSONS else self.things(subject)

    def both_numbers(self, kind: str) -> dict[str, int]:
        """Singular (twice as often) and plural."""
        return mixed(self._forms(kind, 0, 4), self._forms(kind, 1, 2))

    def after_of(self) -> dict[str, int]:
        """What follows *of the* and *with the*: people above all."""
        people = mixed(*(self.people(subject) for subject in PERSONS))
        return mixed(people, self._forms("things", 0, 2), self._forms("things", 1, 1))

    def adjectives(self) -> dict[str, int]:
        """The adjectives of the topic and, less often, those of all topics."""
        own, common = lexicon.ADJECTIVES[self.topic], lexicon.COMMON_ADJECTIVES
        return mixed(falling(own.split(), 3), falling(common.split(), 1))

    def verbs(self, kind: str, number: str) -> dict[str, int]:
        """Third person singular (*runs*) or plural and base form (*run*)."""
        column = int(number == "singular")
        own = [forms[column] for forms in nouns(lexicon.VERBS[self.topic][kind])]
        common = [forms[column] for forms in nouns(lexicon.COMMON_VERBS[kind])]
        return mixed(falling(own, 3), falling(common, 2), self._polar(kind, column))

    def _polar(self, kind: str, column: int) -> dict[str, int]:
        if kind != "people_things":
            return {}
        likes, dislikes = (
            [forms[column] for forms in nouns(lexicon.POLAR_VERBS[side])]
            for side in ("positive", "negative")
        )
        return mixed(falling(likes, 2), falling(dislikes, 2))


class TopicMachine:
    """All states of one topic, added to ``machine``."""

    def __init__(self, machine: Machine, topic: str) -> None:
        self.machine, self.topic, self.words = machine, topic, Words(topic)

    def build(self) -> None:
        """Add the states from the end of a sentence to its beginnings, and link them."""
        self._close()
        self._adverb_and_place()
        self._object()
        self._verdict()
        for subject in SUBJECTS:
            self._predicate(subject)
            self._inserted_phrases(subject)
        self._subjects()
        self._names()
        self._openings()
        if self.topic == "town":
            self._capitals()
        self._kinds()

    def at(self, name: str) -> str:
        """The full name of a state of this topic: ``topic/name``."""
        return f"{self.topic}/{name}"

    def add(
        self, name: str, part_of_speech: str, words: dict[str, int] | str, **labels: object
    ) -> str:
        """Add a state to this topic, as ``Machine.add`` does."""
        return self.machine.add(self.at(name), part_of_speech, words, **labels)

    def link(self, origin: str, following: dict[str, int]) -> None:
        """Link states of this topic, as ``Machine.link`` does."""
        self.machine.link(self.at(origin), {self.at(name): w for name, w in following.items()})

    def plain_beginnings(self) -> dict[str, int]:
        """How a sentence of this topic may begin, openings apart; weights about in percent."""
        names = {f"capital/{city}": 1 for city, _ in pairs(lexicon.CAPITALS)}
        return PLAIN_BEGINNINGS | (names if self.topic == "town" else {})

    def beginnings(self) -> dict[str, int]:
        """How a sentence of this topic may begin, as full names of states."""
        return {self.at(k): w for k, w in (self.plain_beginnings() | OPENINGS).items()}

    def _close(self) -> None:
        self.add("end", "PUNCT", ".", role="end")

    def _adverb_and_place(self) -> None:
        self.add("adverb", "ADV", lexicon.ADVERBS)
        self.link("adverb", {"end": 1})
        self._place_phrase("place")
        self.link("place-noun", {"end": 1})
        self.add("somewhere", "ADP", "in near", role="somewhere")
        self.link("somewhere", {"city": 5, "landmark": 1})
        places = mixed(
            falling(city for city, _ in pairs(lexicon.CAPITALS)),
            falling(country for _, country in pairs(lexicon.CAPITALS)),
            falling(lexicon.OTHER_PLACES.split(), 2),
        )
        self.add("city", "PROPN", places, entity="B-LOC", number="singular")
        self.link("city", {"end": 1})
        first, second = lexicon.LANDMARKS
        self.add("landmark", "PROPN", first, entity="B-LOC", number="singular")
        self.add("landmark-name", "PROPN", second, entity="I-LOC", number="singular")
        self.link("landmark", {"landmark-name": 1})
        self.link("landmark-name", {"end": 1})

    def _place_phrase(self, name: str) -> None:
        """Preposition, determiner, place."""
        self.add(f"{name}-in", "ADP", lexicon.PREPOSITIONS["place"], role=name)
        self.add(f"{name}-the", "DET", lexicon.EITHER_DETERMINER)
        self.add(f"{name}-noun", "NOUN", self.words.both_numbers("places"))
        self.link(f"{name}-in", {f"{name}-the": 1})
        self.link(f"{name}-the", {f"{name}-noun": 1})

    def _object(self) -> None:
        self.add("object-the", "DET", lexicon.EITHER_DETERMINER, role="object")
        self.add("object-adjective", "ADJ", self.words.adjectives(), role="attribute")
        self.add("object-noun", "NOUN", self.words.both_numbers("things"), role="object noun")
        self.link("object-the", {"object-adjective": 1, "object-noun": 3})
        self.link("object-adjective", {"object-noun": 1})
        self.link("object-noun", {"end": 55, "adverb": 15, "place-in": 22, "somewhere": 8})

    def _verdict(self) -> None:
        """*is (not) (very) good*, and sometimes *so we smile*: the net verdict decides."""
        for path, negated in (("", False), ("not-", True)):
            for side, other in (("positive", "negative"), ("negative", "positive")):
                words = lexicon.POLAR_ADJECTIVES[side]
                state = f"{path}{side}"
                self.add(state, "ADJ", words, negated=negated, role="verdict")
                self.link(state, {"end": 3, f"so-{other if negated else side}": 2})
            self.add(f"{path}very", "ADV", "very", negated=negated, role="degree")
            self.link(f"{path}very", {f"{path}positive": 5, f"{path}negative": 4})
        self.add("not", "PART", "not", role="not")
        self.link("not", {"not-very": 2, "not-positive": 3, "not-negative": 2, "trait": 2})
        for side, verbs in lexicon.REACTIONS.items():
            self.add(f"so-{side}", "SCONJ", "so", role="so")
            self.add(f"we-{side}", "PRON", "we they", number="plural")
            self.add(f"react-{side}", "VERB", verbs, number="plural", role="reaction")
            self.link(f"so-{side}", {f"we-{side}": 1})
            self.link(f"we-{side}", {f"react-{side}": 1})
            self.link(f"react-{side}", {"end": 1})
        self.add("trait", "ADJ", self.words.adjectives(), role="trait")
        self.link("trait", {"end": 1})

    def _predicate(self, subject: str) -> None:
        """Verb, negated verb and copula that agree with ``subject``."""
        number = "plural" if subject in PLURAL else "singular"
        kind = "people" if subject in PERSONS else "things"
        after_verb = {"end": 4, "adverb": 3, "place-in": 4, "somewhere": 2}
        for state, form, labels in (
            (f"verb/{subject}", number, {"number": number, "role": "verb"}),
            (f"not-verb/{subject}", "plural", {"negated": True, "role": "verb"}),
        ):
            self.add(state, "VERB", self.words.verbs(kind, form), **labels)
            self.link(state, after_verb)
        be, do = ("are", "do") if number == "plural" else ("is", "does")
        self.add(f"be/{subject}", "AUX", be, number=number, role="be")
        verdict = {
            "not": 25,
            "very": 12,
            "positive": 16,
            "negative": 13,
            "trait": 26,
            "place-in": 8,
        }
        self.link(f"be/{subject}", verdict)
        self.add(f"do/{subject}", "AUX", do, number=number, role="do")
        self.add(f"do-not/{subject}", "PART", "not", role="not")
        self.link(f"do/{subject}", {f"do-not/{subject}": 1})
        if subject in PERSONS:
            self._transitive(subject, number)
            self.link(f"do-not/{subject}", {f"not-verb/{subject}": 2, f"not-act/{subject}": 3})
        else:
            self.link(f"do-not/{subject}", {f"not-verb/{subject}": 1})

    def _transitive(self, subject: str, number: str) -> None:
        self.add(f"own/{subject}", "PRON", POSSESSIVES[subject], role="object")
        self.link(f"own/{subject}", {"object-adjective": 1, "object-noun": 3})
        for state, form, labels in (
            (f"act/{subject}", number, {"number": number, "role": "verb"}),
            (f"not-act/{subject}", "plural", {"negated": True, "role": "verb"}),
        ):
            self.add(state, "VERB", self.words.verbs("people_things", form), **labels)
            self.link(state, {"object-the": 3, f"own/{subject}": 2})

    def predicate(self, subject: str) -> dict[str, int]:
        """How a predicate may begin once the subject is complete."""
        if subject in PERSONS:
            shares = {"verb": 24, "act": 36, "do": 12, "be": 28}
        else:
            shares = {"verb": 46, "do": 12, "be": 42}
        return {f"{state}/{subject}": share for state, share in shares.items()}

    def _inserted_phrases(self, subject: str) -> None:
        """Up to three phrases between subject and verb: *near the river*, *of the king*."""
        kinds = {"in": ("place", self.words.both_numbers("places")),
                 "of": ("other", self.words.after_of())}  # fmt: skip
        for depth in range(1, INSERTIONS + 1):
            for kind, (prepositions, words) in kinds.items():
                preposition, determiner, noun = (
                    f"{kind}{part}-{depth}/{subject}" for part in ("", "-the", "-noun")
                )
                self.add(preposition, "ADP", lexicon.PREPOSITIONS[prepositions], role="insertion")
                self.add(determiner, "DET", lexicon.EITHER_DETERMINER)
                self.add(noun, "NOUN", words)
                self.link(preposition, {determiner: 1})
                self.link(determiner, {noun: 1})
                self.link(noun, self.after_subject(subject, depth))

    def after_subject(self, subject: str, depth: int) -> dict[str, int]:
        """After ``depth`` inserted phrases: another one, or the predicate."""
        following = {state: 2 * weight for state, weight in self.predicate(subject).items()}
        if depth < INSERTIONS:
            following |= {f"in-{depth + 1}/{subject}": 50, f"of-{depth + 1}/{subject}": 50}
        return following

    def _subjects(self) -> None:
        heads = {
            "singular": {"man": 5, "woman": 5, "thing": 9},
            "plural": {"people": 1, "things": 1},
        }
        for number, shares in heads.items():
            the, adjective = f"the/{number}", f"adjective/{number}"
            nouns_after = {f"subject/{subject}": share for subject, share in shares.items()}
            self.add(the, "DET", lexicon.DETERMINERS[number], number=number, role="determiner")
            self.add(adjective, "ADJ", self.words.adjectives(), role="attribute")
            self.link(
                the, {adjective: sum(shares.values())} | {k: 3 * w for k, w in nouns_after.items()}
            )
            self.link(adjective, nouns_after)
            for subject in shares:
                words = self.words.subjects(subject)
                self.add(f"subject/{subject}", "NOUN", words, number=number, role="subject")
                self.link(f"subject/{subject}", self.after_subject(subject, 0))

    def _names(self) -> None:
        for subject, names in (("man", lexicon.MEN), ("woman", lexicon.WOMEN)):
            labels = {"number": "singular"}
            self.add(f"name/{subject}", "PROPN", names, entity="B-PER", role="subject", **labels)
            self.add(f"surname/{subject}", "PROPN", lexicon.SURNAMES, entity="I-PER", **labels)
            self.link(f"name/{subject}", self.predicate(subject) | {f"surname/{subject}": 40})
            self.link(f"surname/{subject}", self.predicate(subject))
        for subject, pronoun in PRONOUNS.items():
            number = "plural" if subject in PLURAL else "singular"
            self.add(f"pronoun/{subject}", "PRON", pronoun, number=number, role="subject")
            self.link(f"pronoun/{subject}", self.predicate(subject))

    def _openings(self) -> None:
        """*today the dogs run*, *in the park the dogs run*."""
        self.add("opening", "ADV", lexicon.OPENINGS)
        self._place_phrase("opening")
        for state in ("opening", "opening-noun"):
            self.link(state, self.plain_beginnings())

    def _capitals(self) -> None:
        """*rome is in italy*, *max waits near rome in italy*: each capital has its country."""
        capitals = falling(city for city, _ in pairs(lexicon.CAPITALS))
        place = {"entity": "B-LOC", "number": "singular"}
        for city, country in pairs(lexicon.CAPITALS):
            for role in ("capital", "stay"):
                self.add(f"{role}/{city}", "PROPN", {city: 1}, role=role, **place)
            self.add(f"lies/{city}", "AUX", "is", number="singular", role="be")
            self.add(f"in/{city}", "ADP", "in")
            self.add(f"country/{city}", "PROPN", {country: 1}, **place)
            self.link(f"capital/{city}", {f"lies/{city}": 3, "be/thing": 1})
            self.link(f"stay/{city}", {f"in/{city}": 1})
            self.link(f"lies/{city}", {f"in/{city}": 1})
            self.link(f"in/{city}", {f"country/{city}": 1})
            self.link(f"country/{city}", {"end": 1})
        self.link("somewhere", {f"stay/{city}": w // 10 for city, w in capitals.items()})

    def _kinds(self) -> None:
        """*every violin is an instrument*."""
        self.add("every", "DET", "every", number="singular")
        for kind, (topic, members) in lexicon.KINDS.items():
            if topic != self.topic:
                continue
            article = "an" if kind[0] in "aeiou" else "a"
            self.add(f"member/{kind}", "NOUN", members, number="singular")
            self.add(f"is/{kind}", "AUX", "is", number="singular", role="be")
            self.add(f"a/{kind}", "DET", article, number="singular")
            self.add(f"kind/{kind}", "NOUN", {kind: 1}, number="singular")
            path = [f"{part}/{kind}" for part in ("member", "is", "a", "kind")]
            self.link("every", {path[0]: len(members.split())})
            for state, following in zip(path, [*path[1:], "end"], strict=True):
                self.link(state, {following: 1})


PLAIN_BEGINNINGS = {
    "the/singular": 34,
    "the/plural": 24,
    "name/man": 7,
    "name/woman": 7,
    "pronoun/man": 4,
    "pronoun/woman": 4,
    "pronoun/people": 3,
    "pronoun/thing": 2,
    "pronoun/things": 2,
    "every": 4,
}
OPENINGS = {"opening": 7, "opening-in": 8}
# After a full stop, of 100: the document ends, the topic changes, or it goes on.
DOCUMENT_ENDS, TOPIC_CHANGES = 12, 10


def build_machine() -> tuple[Machine, dict[str, int]]:
    """The whole table of states, and the weights of the states that may begin a document."""
    machine = Machine()
    topics = [TopicMachine(machine, topic) for topic in lexicon.TOPICS]
    for topic in topics:
        topic.build()
    start = mixed(*(topic.beginnings() for topic in topics))
    for topic in topics:
        stay = 100 - DOCUMENT_ENDS - TOPIC_CHANGES
        machine.link(topic.at("end"), _next_sentence(topics, topic, stay))
    return machine, start


def _next_sentence(topics: list[TopicMachine], topic: TopicMachine, stay: int) -> dict[str, int]:
    """Weights after the full stop of ``topic``: exact shares on a common denominator."""
    total = {other.topic: sum(other.beginnings().values()) for other in topics}
    others = [other for other in topics if other is not topic]
    scale = {topic.topic: stay * len(others)} | {o.topic: TOPIC_CHANGES for o in others}
    common = 10_000
    weights = {END: DOCUMENT_ENDS * len(others) * common}
    for other in topics:
        share = common * scale[other.topic]
        weights |= {s: share * w // total[other.topic] for s, w in other.beginnings().items()}
    return weights
