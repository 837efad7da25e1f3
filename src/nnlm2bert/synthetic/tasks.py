"""Tasks of all four families, and of answers in a text, from Pocket English, with gold labels.

    tagging         part-of-speech, entities, word-sense
    classification  sentiment, topic
    pairs           entailment, paraphrase, next-sentence, same-sense
    answers         question
    generation      translation

No leak: no sentence stands in two examples, on whichever side of a pair, and so in no two splits.
Examples are taken from one text in order, for test, then validation, then training: a larger
training set leaves the test set as it is.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from nnlm2bert.synthetic import lexicon
from nnlm2bert.synthetic.items import (
    CUES,
    AgreementItem,
    SenseItem,
    agreement_items,
    analogies,
    sense_items,
)
from nnlm2bert.synthetic.pairs import ENTAILMENT, Pair, entailment_pairs, paraphrase_pairs
from nnlm2bert.synthetic.pocket_english import (
    ENTITIES,
    PARTS_OF_SPEECH,
    SENTIMENTS,
    PocketEnglish,
)
from nnlm2bert.synthetic.questions import questions
from nnlm2bert.synthetic.sentences import Sentence, documents, sentences
from nnlm2bert.synthetic.translation import translate

Example = dict[str, object]
WORDS = Sequence(Value("string"))
YES_NO = ("no", "yes")


def _tags(language: PocketEnglish, seed: int, label: str) -> Iterator[Example]:
    for sentence in sentences(language, seed):
        yield {"tokens": list(sentence.words), "labels": list(getattr(sentence, label))}


def _word_senses(language: PocketEnglish, seed: int) -> Iterator[Example]:
    for item in sense_items(language, seed):
        sentence, position = item.sentence, item.position
        yield {
            "tokens": list(sentence.words),
            "position": position,
            "lemma": language.forms[sentence.words[position]].lemma,
            "cue": item.cue,
            "label": item.sense,
        }


def _sentiments(language: PocketEnglish, seed: int) -> Iterator[Example]:
    """Each sentiment as often as the others; no sentence with a reaction, which would tell."""
    waiting: list[list[Sentence]] = [[] for _ in SENTIMENTS]
    turn = 0
    for sentence in sentences(language, seed):
        if "so" not in sentence.roles:
            waiting[sentence.sentiment].append(sentence)
        while waiting[turn % 3]:
            chosen = waiting[turn % 3].pop(0)
            yield {
                "tokens": list(chosen.words),
                "negated": chosen.negation is not None,
                "label": chosen.sentiment,
            }
            turn += 1


def _topics(language: PocketEnglish, seed: int) -> Iterator[Example]:
    for sentence in sentences(language, seed):
        yield {"tokens": list(sentence.words), "label": sentence.topic}


def _as_examples(pairs: Iterator[Pair], first: str, second: str) -> Iterator[Example]:
    used: set[tuple[str, ...]] = set()
    for pair in pairs:
        if used & {pair.first, pair.second}:
            continue
        used |= {pair.first, pair.second}
        yield {first: list(pair.first), second: list(pair.second), "label": pair.label}


def _next_sentences(language: PocketEnglish, seed: int) -> Iterator[Example]:
    """Two sentences that follow each other, or two from different documents, by turns."""
    used: set[tuple[str, ...]] = set()
    label, left_over = 1, None
    for document in documents(language, seed):
        couples = zip(document[::2], document[1::2], strict=False)
        for first, second in couples:
            if used & {first.words, second.words} or first.words == second.words:
                continue
            used |= {first.words, second.words}
            if label:
                yield _couple(first, second, 1)
                label = 0
            elif left_over is None or left_over[0].document == first.document:
                left_over = left_over or (first, second)
            else:
                yield _couple(left_over[0], second, 0)
                label, left_over = 1, None


def _couple(first: Sentence, second: Sentence, label: int) -> Example:
    return {"first": list(first.words), "second": list(second.words), "label": label}


def _same_senses(language: PocketEnglish, seed: int) -> Iterator[Example]:
    """Two sentences with one word, for each word by turns in one sense and in two."""
    waiting: dict[str, list[SenseItem]] = defaultdict(list)
    turns: dict[str, int] = defaultdict(int)
    for item in sense_items(language, seed):
        lemma = language.forms[item.sentence.words[item.position]].lemma
        label = turns[lemma] % 2
        found = [n for n, w in enumerate(waiting[lemma]) if (w.sense == item.sense) == label]
        if not found:
            waiting[lemma].append(item)
            continue
        other = waiting[lemma].pop(found[0])
        turns[lemma] += 1
        couple = _couple(other.sentence, item.sentence, label)
        places = {"first_position": other.position, "second_position": item.position}
        yield {**couple, **places, "lemma": lemma}


def _translations(language: PocketEnglish, seed: int) -> Iterator[Example]:
    for sentence in sentences(language, seed):
        yield {"source": list(sentence.words), "target": translate(sentence)}


def _answers(language: PocketEnglish, seed: int) -> Iterator[Example]:
    for found in questions(language, seed):
        yield {
            "question": list(found.question),
            "tokens": list(found.paragraph),
            "begin": found.begin,
            "end": found.end,
        }


def _pair_features(first: str, second: str, names: tuple[str, ...]) -> Features:
    return Features({first: WORDS, second: WORDS, "label": ClassLabel(names=list(names))})


def _tag_features(names: tuple[str, ...]) -> Features:
    return Features({"tokens": WORDS, "labels": Sequence(ClassLabel(names=list(names)))})


def _sense_features(language: PocketEnglish) -> Features:
    return Features(
        {
            "tokens": WORDS,
            "position": Value("int64"),
            "lemma": Value("string"),
            "cue": ClassLabel(names=list(CUES)),
            "label": ClassLabel(names=language.senses[1:]),
        }
    )


def _class_features(names: tuple[str, ...], **more: object) -> Features:
    return Features({"tokens": WORDS, **more, "label": ClassLabel(names=list(names))})


def _tagging(name: str, language: PocketEnglish, seed: int) -> tuple[Iterator[Example], Features]:
    if name == "part-of-speech":
        features = _tag_features(PARTS_OF_SPEECH)
        return _tags(language, seed, "parts_of_speech"), features
    if name == "entities":
        return _tags(language, seed, "entities"), _tag_features(ENTITIES)
    return _word_senses(language, seed), _sense_features(language)


def _classes(name: str, language: PocketEnglish, seed: int) -> tuple[Iterator[Example], Features]:
    if name == "topic":
        return _topics(language, seed), _class_features(lexicon.TOPICS)
    features = _class_features(SENTIMENTS, negated=Value("bool"))
    return _sentiments(language, seed), features


def _pairs(name: str, language: PocketEnglish, seed: int) -> tuple[Iterator[Example], Features]:
    if name == "next-sentence":
        return _next_sentences(language, seed), _pair_features("first", "second", YES_NO)
    if name == "same-sense":
        more = {"first_position": Value("int64"), "second_position": Value("int64")}
        features = _pair_features("first", "second", YES_NO)
        features.update({**more, "lemma": Value("string")})
        return _same_senses(language, seed), features
    source = sentences(language, seed)
    if name == "paraphrase":
        examples = _as_examples(paraphrase_pairs(source), "first", "second")
        return examples, _pair_features("first", "second", YES_NO)
    examples = _as_examples(entailment_pairs(source), "premise", "hypothesis")
    return examples, _pair_features("premise", "hypothesis", ENTAILMENT)


def _spans(name: str, language: PocketEnglish, seed: int) -> tuple[Iterator[Example], Features]:
    place = Value("int32")
    features = Features({"question": WORDS, "tokens": WORDS, "begin": place, "end": place})
    return _answers(language, seed), features


def _generation(
    name: str, language: PocketEnglish, seed: int
) -> tuple[Iterator[Example], Features]:
    return _translations(language, seed), Features({"source": WORDS, "target": WORDS})


TASKS = {
    "part-of-speech": _tagging,
    "entities": _tagging,
    "word-sense": _tagging,
    "sentiment": _classes,
    "topic": _classes,
    "entailment": _pairs,
    "paraphrase": _pairs,
    "next-sentence": _pairs,
    "same-sense": _pairs,
    "question": _spans,
    "translation": _generation,
}


def load_task(
    name: str,
    train: int = 4000,
    validation: int = 500,
    test: int = 1000,
    seed: int = 0,
    language: PocketEnglish | None = None,
) -> DatasetDict:
    """A task by name, with splits ``train``, ``validation`` and ``test`` of the sizes asked for.

    Columns: ``tokens`` and ``labels`` (one a token) or ``label`` for tagging and classification,
    word-sense also ``position`` (of the word in question), ``lemma`` and ``cue``, sentiment also
    ``negated``; ``premise`` and ``hypothesis``, or ``first`` and ``second``, and ``label`` for
    pairs, same-sense also ``first_position`` and ``second_position`` (of the word in question) and
    its ``lemma``; ``question``, ``tokens`` and where in them the answer stands, ``begin`` and
    (after its last word) ``end``, for questions; ``source`` and ``target`` for translation. Labels
    are ``ClassLabel``. Raises ``ValueError`` for an unknown name.
    """
    if name not in TASKS:
        raise ValueError(f"no task {name!r}; choose one of {', '.join(TASKS)}")
    examples, features = TASKS[name](name, language or PocketEnglish(), seed)
    sizes = {"test": test, "validation": validation, "train": train}
    splits = {
        split: Dataset.from_list(list(itertools.islice(examples, size)), features=features)
        for split, size in sizes.items()
    }
    return DatasetDict({split: splits[split] for split in ("train", "validation", "test")})


__all__ = [
    "TASKS",
    "AgreementItem",
    "SenseItem",
    "agreement_items",
    "analogies",
    "load_task",
    "sense_items",
]
