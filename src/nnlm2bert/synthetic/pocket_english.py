"""Pocket English: a small English whose every probability is known.

The words stand in ``lexicon.py``, the states in ``machine.py``. Here they become a language that
writes (:meth:`PocketEnglish.sample`) and a text that knows the truth about itself
(:class:`Sample`).

A text is one stream of tokens. Documents are independent of each other; each ends with ``</d>``,
which is a token to be predicted like any other, and the first begins as if after one. Sentences
end with a full stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnlm2bert.synthetic import lexicon
from nnlm2bert.synthetic.grammar import Grammar
from nnlm2bert.synthetic.machine import END, Form, State, build_machine, couples, nouns

SPECIAL_TOKENS = ("<pad>", "<unk>", "<mask>", "<cls>", "<sep>", END)
PARTS_OF_SPEECH = (
    *("ADJ", "ADP", "ADV", "AUX", "DET", "NOUN", "PART"),
    *("PRON", "PROPN", "PUNCT", "SCONJ", "VERB", "X"),
)
ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
NUMBERS = ("none", "singular", "plural")
SENTIMENTS = ("negative", "neutral", "positive")
NO_SENSE = "-"


def noun_forms() -> dict[str, Form]:
    """Spelling -> dictionary form and number, for every noun."""
    entries = [
        forms
        for tables in lexicon.NOUNS.values()
        for row in tables.values()
        for forms in nouns(row)
    ]
    entries += [forms for couple in couples() for forms in couple]
    forms = {many: Form(many, one, "plural") for one, many in entries}
    return forms | {one: Form(one, one, "singular") for one, _ in entries}


def two_sense_lemmas() -> dict[str, tuple[str, ...]]:
    """Dictionary form -> the topics it has a sense in, where these are several."""
    topics: dict[str, list[str]] = {}
    for topic, tables in lexicon.NOUNS.items():
        for lemma in sorted({one for row in tables.values() for one, _ in nouns(row)}):
            topics.setdefault(lemma, []).append(topic)
    return {lemma: tuple(found) for lemma, found in sorted(topics.items()) if len(found) > 1}


class PocketEnglish:
    """The language: its grammar, its vocabulary, and the gold labels behind it.

    ``vocabulary`` lists the special tokens first (``<pad> <unk> <mask> <cls> <sep> </d>``, ids 0 to
    5), then all words and the full stop in alphabetical order. Only ``</d>``, the end of a
    document, occurs in text.
    """

    def __init__(self) -> None:
        machine, start = build_machine()
        words = sorted({word for row in machine.emissions.values() for word in row})
        self.vocabulary: list[str] = [*SPECIAL_TOKENS, *words]
        self.states: list[State] = [*machine.states.values(), State(END, "none", "X")]
        self.grammar = Grammar(
            list(machine.states),
            machine.transitions,
            machine.emissions,
            start,
            end=END,
            vocabulary=self.vocabulary,
        )

    def __repr__(self) -> str:
        return (
            f"PocketEnglish({self.word_count} words, {len(self.states)} states, "
            f"{len(self.topics)} topics, {len(self.two_sense_words)} words with two senses)"
        )

    def __len__(self) -> int:
        """Size of the vocabulary, special tokens included."""
        return len(self.vocabulary)

    @property
    def word_count(self) -> int:
        """Number of word types, without special tokens and the full stop."""
        return len(self.vocabulary) - len(SPECIAL_TOKENS) - 1

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics; their places are the gold labels."""
        return lexicon.TOPICS

    @property
    def end_id(self) -> int:
        """Id of ``</d>``, the end of a document."""
        return self.grammar.word_index[END]

    @property
    def stop_id(self) -> int:
        """Id of the full stop, which ends a sentence."""
        return self.grammar.word_index["."]

    @cached_property
    def forms(self) -> dict[str, Form]:
        """Spelling of a noun -> its dictionary form and number."""
        return noun_forms()

    @cached_property
    def two_sense_words(self) -> dict[str, tuple[str, ...]]:
        """Noun -> the two topics in which it means different things."""
        return two_sense_lemmas()

    @cached_property
    def senses(self) -> list[str]:
        """``-`` (not ambiguous), then ``bank/money``, ``bank/nature`` and so on."""
        found = [f"{w}/{topic}" for w, topics in self.two_sense_words.items() for topic in topics]
        return [NO_SENSE, *found]

    def encode(self, text: str | Iterable[str]) -> np.ndarray:
        """Words, or text with blanks between them, as ids (int64); ``<unk>`` for others."""
        words = text.split() if isinstance(text, str) else text
        index = self.grammar.word_index
        return np.array([index.get(word, index["<unk>"]) for word in words], dtype=np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """The words of ``ids`` with blanks between them."""
        return " ".join(self.vocabulary[i] for i in ids)

    def sample(self, words: int, seed: int) -> Sample:
        """Whole documents until there are at least ``words`` tokens, ``</d>`` and full stops
        included.

        One seed gives one text on every machine, and a shorter sample is the beginning of a longer
        one. Raises ``ValueError`` if ``words`` is below 1.
        """
        if words < 1:
            raise ValueError(f"words={words}: ask for at least one word")
        return next(self.samples(words, seed))

    def samples(self, words: int, seed: int) -> Iterator[Sample]:
        """The text of ``seed`` without end, cut between documents after every ``words`` or more."""
        ids, states, size = [], [], 0
        for document, path in self.grammar.write(seed):
            ids.append(document)
            states.append(path)
            size += len(document)
            if size >= words:
                yield Sample(self, np.concatenate(ids), np.concatenate(states))
                ids, states, size = [], [], 0

    @cached_property
    def state_labels(self) -> dict[str, np.ndarray]:
        """Label -> its index for every state (S,); the number of a noun is in its word."""
        columns = {
            "topic": (*self.topics, "none"),
            "part_of_speech": PARTS_OF_SPEECH,
            "entity": ENTITIES,
            "number": NUMBERS,
        }
        table = {
            label: np.array([names.index(getattr(state, label)) for state in self.states])
            for label, names in columns.items()
        }
        table["negated"] = np.array([state.negated for state in self.states])
        return table

    @cached_property
    def word_numbers(self) -> np.ndarray:
        """(V,) Number of every word read as a noun: an index into ``NUMBERS``."""
        found = (self.forms.get(word) for word in self.vocabulary)
        return np.array([NUMBERS.index(form.number) if form else 0 for form in found])

    @cached_property
    def sense_table(self) -> np.ndarray:
        """(T + 1, V) Sense of each word as a noun of each topic: index into ``senses``."""
        table = np.zeros((len(self.topics) + 1, len(self)), dtype=np.int64)
        index = {sense: i for i, sense in enumerate(self.senses)}
        for column, word in enumerate(self.vocabulary):
            lemma = self.forms[word].lemma if word in self.forms else word
            for row, topic in enumerate(self.topics):
                table[row, column] = index.get(f"{lemma}/{topic}", 0)
        return table

    @cached_property
    def word_polarity(self) -> np.ndarray:
        """(V,) +1 for words of praise, -1 for words of blame, 0 for all others."""
        values = np.zeros(len(self), dtype=np.int64)
        for value, side in ((1, "positive"), (-1, "negative")):
            verbs = [form for pair in nouns(lexicon.POLAR_VERBS[side]) for form in pair]
            words = [
                *verbs,
                *lexicon.POLAR_ADJECTIVES[side].split(),
                *lexicon.REACTIONS[side].split(),
            ]
            values[self.encode(words)] = value
        return values

    def show(self, sample: Sample, sentences: int = 3) -> str:
        """The first sentences with their labels, one word a line."""
        lines = [f"{'word':<12}{'part of speech':<16}{'number':<10}{'entity':<8}{'topic':<9}sense"]
        for tokens in sample.sentences()[:sentences]:
            lines.append(f"-- {SENTIMENTS[sample.sentiments[sample.sentence_ids[tokens.start]]]}")
            for i in range(tokens.start, tokens.stop):
                lines.append(sample.describe(i))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Sample:
    """A text with the truth about it.

    ``ids`` and ``states`` (N,) are what was written and by which states. Everything else is derived
    when asked for: labels of tokens are (N,) indices into the tuples of this module, labels of
    sentences (M,). ``</d>`` belongs to the document it closes, and to its last sentence.
    """

    language: PocketEnglish
    ids: np.ndarray
    states: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        documents = int((self.ids == self.language.end_id).sum())
        sentences = int((self.ids == self.language.stop_id).sum())
        return f"Sample({len(self)} tokens, {sentences} sentences, {documents} documents)"

    @property
    def text(self) -> str:
        """The words of the sample as one string."""
        return self.language.decode(self.ids)

    @cached_property
    def document_ids(self) -> np.ndarray:
        """(N,) Number of the document each token belongs to."""
        ends = self.ids == self.language.end_id
        return np.cumsum(ends) - ends

    @cached_property
    def sentence_ids(self) -> np.ndarray:
        """(N,) Number of the sentence each token belongs to, counted through the whole sample."""
        stops = self.ids == self.language.stop_id
        following = np.cumsum(stops) - stops
        return following - (self.ids == self.language.end_id)

    def sentences(self) -> list[slice]:
        """Where each sentence stands in ``ids``, full stop included, ``</d>`` not."""
        stops = np.flatnonzero(self.ids == self.language.stop_id) + 1
        starts = np.concatenate([[0], stops[:-1]])
        starts = starts + (self.ids[starts] == self.language.end_id)
        return [slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]

    def _label(self, name: str) -> np.ndarray:
        return self.language.state_labels[name][self.states]

    @cached_property
    def topics(self) -> np.ndarray:
        """(N,) Index into ``language.topics``; for ``</d>`` their number, meaning none."""
        return self._label("topic")

    @cached_property
    def parts_of_speech(self) -> np.ndarray:
        """(N,) Index into ``PARTS_OF_SPEECH``."""
        return self._label("part_of_speech")

    @cached_property
    def entities(self) -> np.ndarray:
        """(N,) Index into ``ENTITIES``."""
        return self._label("entity")

    @cached_property
    def numbers(self) -> np.ndarray:
        """(N,) Index into ``NUMBERS``: of nouns, verbs, pronouns and determiners that show it."""
        return np.where(self._is_noun, self.language.word_numbers[self.ids], self._label("number"))

    @cached_property
    def senses(self) -> np.ndarray:
        """(N,) Index into ``language.senses``; 0 for all words but two-sense nouns."""
        return np.where(self._is_noun, self.language.sense_table[self.topics, self.ids], 0)

    @property
    def _is_noun(self) -> np.ndarray:
        return self.parts_of_speech == PARTS_OF_SPEECH.index("NOUN")

    @cached_property
    def polarities(self) -> np.ndarray:
        """(N,) +1 praise, -1 blame, 0 neither, turned round by *not*."""
        may_judge = np.isin(
            self.parts_of_speech, [PARTS_OF_SPEECH.index(p) for p in ("VERB", "ADJ")]
        )
        values = np.where(may_judge, self.language.word_polarity[self.ids], 0)
        return np.where(self._label("negated"), -values, values)

    @cached_property
    def sentiments(self) -> np.ndarray:
        """(M,) Index into ``SENTIMENTS``, by sentence."""
        return np.sign(np.bincount(self.sentence_ids, weights=self.polarities)).astype(np.int64) + 1

    @cached_property
    def sentence_topics(self) -> np.ndarray:
        """(M,) Index into ``language.topics``, by sentence."""
        return self.topics[self.ids == self.language.stop_id]

    def describe(self, i: int) -> str:
        """Token ``i`` with its labels, as a line of :meth:`PocketEnglish.show`."""
        word = self.language.vocabulary[self.ids[i]]
        labels = (
            f"{PARTS_OF_SPEECH[self.parts_of_speech[i]]:<16}{NUMBERS[self.numbers[i]]:<10}"
            f"{ENTITIES[self.entities[i]]:<8}{(*self.language.topics, '-')[self.topics[i]]:<9}"
        )
        return f"{word:<12}{labels}{self.language.senses[self.senses[i]]}"
