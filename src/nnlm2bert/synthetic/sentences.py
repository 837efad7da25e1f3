"""Sentences of Pocket English with all that is known about them, and small changes to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnlm2bert.synthetic import lexicon
from nnlm2bert.synthetic.machine import State, nouns
from nnlm2bert.synthetic.pocket_english import PocketEnglish, Sample

PIECE = 20_000


@dataclass(frozen=True)
class Sentence:
    """Words, the states that wrote them, and gold labels as indices (see :class:`Sample`)."""

    language: PocketEnglish
    words: tuple[str, ...]
    states: tuple[State, ...]
    parts_of_speech: tuple[int, ...]
    entities: tuple[int, ...]
    senses: tuple[int, ...]
    topic: int
    sentiment: int
    document: int

    @property
    def roles(self) -> list[str]:
        """What each word does in the sentence, by the state that wrote it."""
        return [state.role for state in self.states]

    @property
    def negation(self) -> int | None:
        """Where *not* stands."""
        return next((i for i, role in enumerate(self.roles) if role == "not"), None)

    def slot(self, i: int) -> str:
        """The part of the state's name that says where in the sentence word ``i`` stands."""
        return self.states[i].name.split("/")[1]

    def edit(self, low: int, high: int, words: list[str], states: list[State]) -> Sentence:
        """The same with words ``low`` to ``high`` replaced; gold labels stay the original's."""
        return replace(
            self,
            words=(*self.words[:low], *words, *self.words[high:]),
            states=(*self.states[:low], *states, *self.states[high:]),
        )

    def put(self, i: int, word: str) -> Sentence:
        """The same sentence with another word at place ``i``."""
        return self.edit(i, i + 1, [word], [self.states[i]])


def _cut(sample: Sample, part: slice) -> Sentence:
    language = sample.language
    return Sentence(
        language,
        tuple(language.vocabulary[i] for i in sample.ids[part]),
        tuple(language.states[i] for i in sample.states[part]),
        tuple(sample.parts_of_speech[part].tolist()),
        tuple(sample.entities[part].tolist()),
        tuple(sample.senses[part].tolist()),
        int(sample.topics[part.start]),
        int(sample.sentiments[sample.sentence_ids[part.start]]),
        int(sample.document_ids[part.start]),
    )


def documents(language: PocketEnglish, seed: int) -> Iterator[list[Sentence]]:
    """Documents without end, each a list of its sentences."""
    for sample in language.samples(PIECE, seed):
        document: list[Sentence] = []
        for part in sample.sentences():
            sentence = _cut(sample, part)
            if document and sentence.document != document[0].document:
                yield document
                document = []
            document.append(sentence)
        yield document


def sentences(language: PocketEnglish, seed: int) -> Iterator[Sentence]:
    """Sentences without end, none of them twice."""
    seen: set[tuple[str, ...]] = set()
    for document in documents(language, seed):
        for sentence in document:
            if sentence.words not in seen:
                seen.add(sentence.words)
                yield sentence


def verb_forms() -> dict[str, str]:
    """*runs* -> *run* for every verb, auxiliaries included."""
    tables = [*lexicon.VERBS.values(), lexicon.COMMON_VERBS, lexicon.POLAR_VERBS]
    entries = [pair for table in tables for row in table.values() for pair in nouns(row)]
    return {third: base for base, third in entries} | {"is": "are", "does": "do"}


BASE_FORM = verb_forms()
THIRD_PERSON = {base: third for third, base in BASE_FORM.items()}
FINITE = ("verb", "be", "do")
