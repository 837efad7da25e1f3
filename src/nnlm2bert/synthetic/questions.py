"""Questions about a few sentences of Pocket English, whose answers stand in them, word for word.

    these loud drummers in my stage are soft .   she does not dislike her flute .   max sleeps .
    who is soft ?                                ->  these loud drummers in my stage

What is asked for is a subject: the words between an opening and the finite verb. The question is
what is left of its clause in the singular, *who* for people, *what* for things, big said for large
and purchase for buy (`pairs.exchange_synonyms`), so that it need not repeat what it is about. No
other clause answers it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnlm2bert.synthetic.machine import PERSONS
from nnlm2bert.synthetic.pairs import SYNONYMS, exchange_synonyms, is_clause
from nnlm2bert.synthetic.pocket_english import PocketEnglish
from nnlm2bert.synthetic.sentences import FINITE, THIRD_PERSON, Sentence, documents

CLAUSES = 4
"""Sentences that a question is asked about."""
BEGINNINGS = ("the", "name")
"""Slots that a subject begins with that is named; a pronoun would be no answer."""
FORMS = {**SYNONYMS, **{f"{a}s": f"{b}s" for a, b in SYNONYMS.items()}}
"""Synonyms in both their forms: *buy*, *buys*; *shop*, *shops*."""


@dataclass(frozen=True)
class Question:
    """What is asked of a paragraph; the answer is ``paragraph[begin:end]``."""

    question: tuple[str, ...]
    paragraph: tuple[str, ...]
    begin: int
    end: int


def questions(language: PocketEnglish, seed: int) -> Iterator[Question]:
    """Questions without end; no sentence stands in two of them, nor twice in one.

    The clause in question is the first, the second ... by turns, as far as all can be asked about.
    """
    used: set[tuple[str, ...]] = set()
    turn = 0
    for document in documents(language, seed):
        new = [sentence for sentence in document if sentence.words not in used]
        new = list({sentence.words: sentence for sentence in new}.values())
        for start in range(0, len(new) - CLAUSES + 1, CLAUSES):
            found = ask(new[start : start + CLAUSES], turn)
            if found is not None:
                used.update(sentence.words for sentence in new[start : start + CLAUSES])
                yield found
                turn += 1


def ask(paragraph: Sequence[Sentence], turn: int) -> Question | None:
    """A question about the first sentence from number ``turn`` on that can be asked about."""
    count = len(paragraph)
    for number in itertools.islice(
        itertools.cycle(range(count)), turn % count, turn % count + count
    ):
        span, others = subject(paragraph[number]), [*paragraph[:number], *paragraph[number + 1 :]]
        if span is not None and not any(answers(other, paragraph[number]) for other in others):
            before = sum(len(sentence.words) for sentence in paragraph[:number])
            words = tuple(word for sentence in paragraph for word in sentence.words)
            begin, end = span
            return Question(
                _question(paragraph[number], begin), words, before + begin, before + end
            )
    return None


def subject(sentence: Sentence) -> tuple[int, int] | None:
    """Where the subject of a clause stands, the words inserted behind it too; None for a pronoun.

    Sentences with a second clause, and those on capitals and kinds, are not asked about.
    """
    slots = [sentence.slot(i) for i in range(len(sentence.words))]
    begin = next((i for i, slot in enumerate(slots) if slot in BEGINNINGS), None)
    if begin is None or not is_clause(sentence):
        return None
    return begin, _verb(sentence)


def predicate(sentence: Sentence) -> list[str]:
    """What is said of the subject, in the singular: *does not see my coin*."""
    verb = _verb(sentence)
    first = sentence.words[verb]
    return [THIRD_PERSON.get(first, first), *sentence.words[verb + 1 : -1]]


def answers(other: Sentence, asked: Sentence) -> bool:
    """Whether another sentence, too, says of its subject what is asked about.

    *max sleeps here* answers *who sleeps*: it does if all words asked are said in their order, with
    *not* or without it as they are asked.
    """
    if not any(role in FINITE for role in other.roles):
        return False
    said, wanted = ([_plain(word) for word in predicate(one)] for one in (other, asked))
    rest = iter(said)
    return ("not" in said) == ("not" in wanted) and all(word in rest for word in wanted)


def _plain(word: str) -> str:
    """One of a word and its synonym, always the same one."""
    return min(word, FORMS.get(word, word))


def _question(sentence: Sentence, begin: int) -> tuple[str, ...]:
    kind = sentence.states[_verb(sentence)].name.rpartition("/")[2]
    word = "who" if kind in PERSONS else "what"
    return (word, *predicate(exchange_synonyms(sentence)), "?")


def _verb(sentence: Sentence) -> int:
    return next(i for i, role in enumerate(sentence.roles) if role in FINITE)
