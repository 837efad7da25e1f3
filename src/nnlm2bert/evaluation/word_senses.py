"""Word-sense disambiguation by the nearest sense: Peters et al. (2018), section 5.3.

All training occurrences of a sense are averaged into its vector; a test occurrence has the sense of
its lemma and part of speech whose vector is nearest, by cosine (after Melamud, Goldberger & Dagan
2016). The rules of the test are those of Raganato, Camacho-Collados & Navigli (2017): lemma and
part of speech are given, each of several gold senses is right, and a system may leave a word out.

What the vectors add shows only beside a baseline without any: each word's *first sense*. WordNet
orders its senses by their frequency, but is not among the book's data; the first sense is here the
most frequent one in SemCor, from which WordNet's order largely comes. It is the fall-back, too, and
carries most of the score: look at the occurrences that do not have the first sense.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from nnlm2bert.evaluation.perplexity import by_document
from nnlm2bert.evaluation.senses import TIE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    Entry = tuple[str, str]

ROWS_AT_ONCE = 8192
PARTS = {"1": "NOUN", "2": "VERB", "3": "ADJ", "4": "ADV", "5": "ADJ"}


def part_of_speech(sense: str) -> str:
    """Return NOUN, VERB, ADJ or ADV of a WordNet sense key (satellite adjectives are ADJ).

    So the test sets name it; SemCor has tags of the Penn Treebank. Raises ValueError for other
    strings.

    >>> part_of_speech("bank%1:17:01::")
    'NOUN'
    """
    number = sense.rpartition("%")[2].partition(":")[0]
    if number not in PARTS:
        raise ValueError(f"{sense!r} is no WordNet sense key, such as 'bank%1:17:01::'")
    return PARTS[number]


@dataclass(frozen=True, eq=False)
class Occurrences:
    """N occurrences of words whose senses are known.

    vectors: (N, D), of any type of float. lemmas, pos: (N,), see :func:`part_of_speech`. senses:
    (N,), the keys of each, at least one; several if several are right. groups: (N,), numbers of
    what is drawn together in resampling, a sentence or a document.

    Raises:
        ValueError: if lengths differ, or an occurrence has no sense.
    """

    vectors: np.ndarray
    lemmas: Sequence[str]
    pos: Sequence[str]
    senses: Sequence[Sequence[str]]
    groups: Sequence[int]

    def __post_init__(self) -> None:
        columns = (self.vectors, self.lemmas, self.pos, self.senses, self.groups)
        sizes = [len(column) for column in columns]
        if len(set(sizes)) > 1:
            raise ValueError(
                "vectors, lemmas, pos, senses and groups have one entry for each occurrence, got "
                + ", ".join(map(str, sizes))
            )
        if not all(self.senses):
            raise ValueError("an occurrence has no sense: leave such words out")

    def __len__(self) -> int:
        return len(self.lemmas)

    @property
    def entries(self) -> list[Entry]:
        """Lemma and part of speech (N,) of each: what a dictionary has an entry for."""
        return list(zip(self.lemmas, self.pos, strict=True))

    def among(self, rows: ArrayLike) -> Occurrences:
        """Return the occurrences of ``rows``: their numbers, or a mask (N,)."""
        import numpy as np

        kept = np.arange(len(self))[np.asarray(rows)]
        lists = (self.lemmas, self.pos, self.senses, self.groups)
        return Occurrences(self.vectors[kept], *([column[i] for i in kept] for column in lists))

    def shuffled(self, generator: np.random.Generator) -> Occurrences:
        """Return them with the senses of each lemma and part of speech dealt out by lot.

        The control task: every sense is as frequent as before, but has no more to do with the
        context, so that nothing but chance remains to be read off the vectors (after Hewitt & Liang
        2019).
        """
        import numpy as np

        numbers: defaultdict[Entry, int] = defaultdict()
        numbers.default_factory = numbers.__len__
        owners = np.array([numbers[entry] for entry in self.entries])
        dealt: list[Sequence[str]] = list(self.senses)
        lots = np.lexsort((generator.random(len(self)), owners))
        for place, source in zip(np.argsort(owners, kind="stable"), lots, strict=True):
            dealt[place] = self.senses[source]
        return replace(self, senses=dealt)


@dataclass(frozen=True)
class SenseInventory:
    """The senses of each lemma and part of speech, the most frequent first."""

    senses: Mapping[Entry, tuple[str, ...]]

    @classmethod
    def of(cls, occurrences: Occurrences) -> SenseInventory:
        """Count senses; equally frequent ones stand in the order in which they were first seen.

        An occurrence of several senses counts for each.
        """
        counts: defaultdict[Entry, Counter[str]] = defaultdict(Counter)
        for entry, senses in zip(occurrences.entries, occurrences.senses, strict=True):
            counts[entry].update(list(dict.fromkeys(senses)))
        return cls(
            {
                entry: tuple(sense for sense, _ in counted.most_common())
                for entry, counted in counts.items()
            }
        )

    def first_senses(self, occurrences: Occurrences) -> list[str | None]:
        """Return the first sense (N,) of each occurrence's word; None if it has no entry."""
        found = (self.senses.get(entry, (None,)) for entry in occurrences.entries)
        return [senses[0] for senses in found]


@dataclass(frozen=True, eq=False)
class Disambiguation:
    """The senses that M test occurrences were said to have, beside their words' first senses.

    ``answers``, ``first_senses`` (M,): None where there is no answer, as the word has no entry;
    both have one for the same words. ``gold`` (M,): the senses that are right. ``groups`` (M,).
    """

    answers: Sequence[str | None]
    first_senses: Sequence[str | None]
    gold: Sequence[Sequence[str]]
    groups: Sequence[int]

    @cached_property
    def correct(self) -> np.ndarray:
        """(M,): is the answer one of the right senses?"""
        return _among(self.answers, self.gold)

    @cached_property
    def first_correct(self) -> np.ndarray:
        """(M,): is the first sense one of the right ones?"""
        return _among(self.first_senses, self.gold)

    @cached_property
    def not_first(self) -> np.ndarray:
        """(M,): does the word have a first sense, and is it wrong?"""
        import numpy as np

        known = np.array([sense is not None for sense in self.first_senses])
        return known & ~self.first_correct

    @property
    def accuracy(self) -> float:
        """The share of all occurrences that is right, also called recall; no answer is wrong."""
        return float(self.correct.mean())

    @property
    def first_accuracy(self) -> float:
        """The share of all occurrences for which the first sense is right."""
        return float(self.first_correct.mean())

    @property
    def not_first_accuracy(self) -> float:
        """The share that is right where the first sense is wrong; NaN if it is so nowhere."""
        wrong = self.not_first
        return float(self.correct[wrong].mean()) if wrong.any() else float("nan")

    @property
    def answered(self) -> float:
        """The share of all occurrences for which there is an answer."""
        return sum(answer is not None for answer in self.answers) / len(self.answers)

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and of precision, the share right of what is answered.

        The measure of Raganato et al. (2017); where all is answered it is the accuracy. Less is
        answered here than with WordNet as the fall-back.
        """
        return 2 * self.accuracy / (1 + self.answered)

    def units(self, among: ArrayLike | None = None) -> dict[str, list[float]]:
        """Return the accuracy as a record's group, by ``groups``; ``among`` (M,) is a mask."""
        return self._units(self.correct, among)

    def first_units(self, among: ArrayLike | None = None) -> dict[str, list[float]]:
        """Return the first senses' accuracy as a record's group, as :meth:`units` does."""
        return self._units(self.first_correct, among)

    def _units(self, right: np.ndarray, among: ArrayLike | None) -> dict[str, list[float]]:
        import numpy as np

        kept = slice(None) if among is None else np.asarray(among)
        tokens, sums = by_document(right[kept], np.asarray(self.groups)[kept])
        return {"tokens": tokens, "nats": sums}


def disambiguate(
    train: Occurrences, test: Occurrences, inventory: SenseInventory | None = None
) -> Disambiguation:
    """Return for each test occurrence the nearest sense that its word has in ``train``.

    Where several are equally near, as all are to a vector that is the same wherever its word
    stands, it is the most frequent of them. A word that is not in ``train`` has its first sense in
    ``inventory``, if it is there, else no answer.

    Args:
        train: an occurrence of several senses is in the mean of each.
        test: its vectors must be of the same model and layer.
        inventory: where first senses come from; None: ``train``. If parts of a corpus are drawn
            for training, take that of the whole: ``not_first`` is then the same for all draws.

    Raises:
        ValueError: if the vectors differ in length, or a side has none.
    """
    if not len(train) or not len(test) or train.vectors.shape[1] != test.vectors.shape[1]:
        raise ValueError(
            f"vectors {train.vectors.shape} of training and {test.vectors.shape} of test: both "
            "need an occurrence, and vectors of one length"
        )
    known = SenseInventory.of(train)
    whole = SenseInventory({**known.senses, **inventory.senses}) if inventory else known
    firsts = whole.first_senses(test)
    nearest = _nearest(train, test, known)
    answers = [first if near is None else near for near, first in zip(nearest, firsts, strict=True)]
    return Disambiguation(answers, firsts, test.senses, test.groups)


def _nearest(train: Occurrences, test: Occurrences, inventory: SenseInventory) -> list[str | None]:
    """Return the nearest sense (M,) of each test occurrence, None for words not in ``train``."""
    import numpy as np

    sizes = map(len, inventory.senses.values())
    begins = dict(zip(inventory.senses, accumulate(sizes, initial=0), strict=False))
    centres = _unit_rows(_sums(train, inventory, begins))
    vectors = _unit_rows(np.asarray(test.vectors, dtype=np.float64))
    answers: list[str | None] = []
    for entry, vector in zip(test.entries, vectors, strict=True):
        senses = inventory.senses.get(entry, ())
        begin = begins.get(entry, 0)
        cosines = centres[begin : begin + len(senses)] @ vector
        best = (cosines >= cosines.max(initial=-1) - TIE).argmax() if senses else None
        answers.append(None if best is None else senses[best])
    return answers


def _sums(train: Occurrences, inventory: SenseInventory, begins: Mapping[Entry, int]) -> np.ndarray:
    """Return the sum (S, D) of the vectors of each sense, in the order of the inventory.

    In float64, so that equal vectors have equal means.
    """
    import numpy as np
    from scipy.sparse import csr_array

    rows, columns = [], []
    for place, (entry, senses) in enumerate(zip(train.entries, train.senses, strict=True)):
        for sense in dict.fromkeys(senses):
            rows.append(begins[entry] + inventory.senses[entry].index(sense))
            columns.append(place)
    count = sum(map(len, inventory.senses.values()))
    owners = csr_array((np.ones(len(rows)), (columns, rows)), shape=(len(train), count))
    sums = np.zeros((count, train.vectors.shape[1]))
    for begin in range(0, len(train), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        sums += owners[part].T @ np.asarray(train.vectors[part], dtype=np.float64)
    return sums


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return the rows at length 1; a row of zeros stays."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def _among(answers: Sequence[str | None], gold: Sequence[Sequence[str]]) -> np.ndarray:
    import numpy as np

    return np.array([answer in right for answer, right in zip(answers, gold, strict=True)])
