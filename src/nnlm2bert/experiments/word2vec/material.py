"""What the experiment `word2vec` reads and is examined on: texts, questions, judged pairs, senses.

Three nested texts, of the running text that every stage of the book is trained on. At scale
``smoke`` all is Pocket English: its own analogies, and for the judgement of people whether two
words share their topic and part of speech.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

    from nnlm2bert.synthetic import PocketEnglish
    from nnlm2bert.synthetic.pocket_english import Sample

SETS: Mapping[str, tuple[str, ...]] = {
    "small": ("brown",),
    "middle": ("brown", "wikitext-2", "movie-reviews", "state-union"),
    "large": ("brown", "wikitext-2", "movie-reviews", "state-union", "books"),
}
WORDS: Mapping[str, int] = {"small": 6_000, "middle": 12_000, "large": 24_000}
"""How much of Pocket English stands for the three texts at scale smoke."""
LABORATORY: Mapping[str, int] = {"smoke": 20_000, "laptop": 1_000_000, "gpu": 1_000_000}
"""Words of the text in Pocket English that the arms of the laboratory read."""
SENSES_FROM: Mapping[str, int] = {"smoke": 20_000, "laptop": 200_000, "gpu": 200_000}
"""Words of another such text, whose words with two senses are looked at."""
MIN_COUNT = 5
LISTS: Mapping[str, str] = {
    "WordSim-353": "WS-353-ALL",
    "SimLex-999": "SIMLEX-999",
    "MEN": "MEN-TR-3k",
}
LEAST_OCCURRENCES = 10
MOST_OCCURRENCES = 200
SEED = 0

Questions = list[tuple[str, str, str, str]]
Pairs = list[tuple[str, str, float]]


@dataclass(frozen=True)
class Text:
    """T words: ids (T,) int32 of ``types``, sorted by falling frequency, and their sentences."""

    ids: np.ndarray
    sentences: np.ndarray
    types: Sequence[str]
    counts: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each word."""
        return {word: number for number, word in enumerate(self.types)}


class Occurrence(NamedTuple):
    """A word with a known sense in its sentence: words of the sentence, place, lemma and sense."""

    words: tuple[str, ...]
    place: int
    lemma: str
    sense: str


@dataclass
class Material:
    """Everything the arms share; each piece is read when it is first asked for."""

    scale: str
    _texts: dict[str, Text] = field(default_factory=dict)

    def text(self, size: str) -> Text:
        """One of the nested texts, ``small``, ``middle`` or ``large``, or the ``laboratory``'s."""
        if size not in self._texts:
            self._texts[size] = self._read(size)
        return self._texts[size]

    def _read(self, size: str) -> Text:
        if size == "laboratory":
            return laboratory_text(self.language.sample(LABORATORY[self.scale], SEED))
        if self.scale == "smoke":
            return laboratory_text(self.language.sample(WORDS[size], SEED))
        from nnlm2bert.corpora.running import load_running_text

        running = load_running_text(SETS[size]).limit(MIN_COUNT)
        return Text(running.ids, running.sentences, running.types, running.counts)

    @cached_property
    def language(self) -> PocketEnglish:
        """The language of the laboratory."""
        from nnlm2bert.synthetic import PocketEnglish

        return PocketEnglish()

    @cached_property
    def questions(self) -> tuple[Questions, list[str]]:
        """The questions (a, b, c, d), in lower case, and the section of each."""
        if self.scale == "smoke":
            return laboratory_questions()
        from nnlm2bert.corpora import load

        rows = load("google-analogies")
        columns = ([word.lower() for word in rows[name]] for name in ("a", "b", "c", "d"))
        return list(zip(*columns, strict=True)), list(rows["section"])

    @cached_property
    def lists(self) -> dict[str, Pairs]:
        """Pairs of words with a judgement of their similarity; the first list counts for claims."""
        if self.scale == "smoke":
            return {"topic and part of speech": laboratory_pairs(self.language)}
        from nnlm2bert.corpora import load

        return {name: _pairs(load("word-similarity", list=LISTS[name])) for name in LISTS}

    @cached_property
    def occurrences(self) -> list[Occurrence]:
        """Words with two senses, at least ten times each, where they stand."""
        if self.scale == "smoke":
            return self.laboratory_occurrences
        from nnlm2bert.corpora import load

        return two_senses(semcor_occurrences(load("semcor")))

    @cached_property
    def laboratory_occurrences(self) -> list[Occurrence]:
        """The same from Pocket English, which knows the sense of every word it writes."""
        sample = self.language.sample(SENSES_FROM[self.scale], SEED + 1)
        return two_senses(pocket_occurrences(sample))


def _pairs(rows: Dataset) -> Pairs:
    first, second = ([word.lower() for word in rows[name]] for name in ("word1", "word2"))
    return list(zip(first, second, rows["score"], strict=True))


def laboratory_text(sample: Sample) -> Text:
    """A text in Pocket English without the marks between documents; all words are kept."""
    language = sample.language
    inside = sample.ids != language.end_id
    counts = np.bincount(sample.ids[inside], minlength=len(language))
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    ranks = np.full(len(language), -1, dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    types = [language.vocabulary[number] for number in order]
    sentences = sample.sentence_ids[inside].astype(np.int32)
    return Text(ranks[sample.ids[inside]], sentences, types, counts[order])


def laboratory_questions() -> tuple[Questions, list[str]]:
    """The analogies of Pocket English under names of Google's kind; plurals are of grammar."""
    from nnlm2bert.synthetic.tasks import analogies

    names = {"plural": "gram-plural"}
    found = [
        (question, names.get(relation, relation))
        for relation, questions in analogies().items()
        for question in questions
    ]
    questions, sections = zip(*found, strict=True)
    return list(questions), list(sections)


def laboratory_pairs(language: PocketEnglish) -> Pairs:
    """Pairs of 25 nouns and verbs with how many they share of topic and part of speech."""
    from nnlm2bert.synthetic.pocket_english import PARTS_OF_SPEECH

    sample = language.sample(WORDS["small"], SEED)
    kinds = np.isin(sample.parts_of_speech, [PARTS_OF_SPEECH.index(p) for p in ("NOUN", "VERB")])
    places: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    for place in np.flatnonzero(kinds & (sample.senses == 0)).tolist():
        kind = int(sample.parts_of_speech[place]), int(sample.topics[place])
        places[int(sample.ids[place])].add(kind)
    plain = {word: next(iter(found)) for word, found in places.items() if len(found) == 1}
    chosen = sorted(plain)[:: max(1, len(plain) // 25)]
    words = language.vocabulary
    return [
        (
            words[one],
            words[other],
            float(sum(a == b for a, b in zip(plain[one], plain[other], strict=True))),
        )
        for place, one in enumerate(chosen)
        for other in chosen[:place]
    ]


def semcor_occurrences(rows: Iterable[Mapping[str, Sequence]]) -> Iterator[Occurrence]:
    """Every common noun and verb of SemCor that is one word and has one sense.

    Words are split and put into lower case as in the running text; a noun and a verb of the same
    spelling are two lemmas.
    """
    from nnlm2bert.corpora.words import split_token

    for row in rows:
        pieces = [
            [word for part in token.split("_") for word in split_token(part)]
            for token in row["tokens"]
        ]
        words = tuple(word.lower() for piece in pieces for word in piece)
        starts = np.cumsum([0, *map(len, pieces)])
        tagged = zip(row["pos"], row["lemmas"], row["senses"], pieces, starts, strict=False)
        for pos, lemma, senses, piece, start in tagged:
            if len(piece) == len(senses) == 1 and pos[:2] in ("NN", "VB") and pos[:3] != "NNP":
                yield Occurrence(words, int(start), f"{lemma}/{pos[:2]}", senses[0])


def pocket_occurrences(sample: Sample) -> Iterator[Occurrence]:
    """Every noun with two senses in a text of the laboratory."""
    language = sample.language
    for sentence in sample.sentences():
        ids = sample.ids[sentence].tolist()
        words = tuple(language.vocabulary[number] for number in ids)
        for place in np.flatnonzero(sample.senses[sentence]).tolist():
            sense = language.senses[sample.senses[sentence][place]]
            yield Occurrence(words, place, sense.partition("/")[0], sense)


def two_senses(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    """Keep of each lemma its two most frequent senses, if both occur often enough.

    At least 10 times, and no more than 200 of each, the first ones, are kept.
    """
    found = list(occurrences)
    counts = Counter((each.lemma, each.sense) for each in found)
    by_lemma: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for (lemma, sense), count in counts.items():
        by_lemma[lemma].append((-count, sense))
    chosen = {
        (lemma, sense)
        for lemma, senses in by_lemma.items()
        for _, sense in sorted(senses)[:2]
        if len(senses) > 1 and -sorted(senses)[1][0] >= LEAST_OCCURRENCES
    }
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for each in found:
        key = each.lemma, each.sense
        seen[key] += 1
        if key in chosen and seen[key] <= MOST_OCCURRENCES:
            kept.append(each)
    return kept
