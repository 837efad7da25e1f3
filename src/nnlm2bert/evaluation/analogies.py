"""Analogies: a is to b as c is to d (*paris* : *france* as *rome* : *italy*).

The test of Mikolov et al. (2013a), section 4.1: the answer counts only if it is d exactly.
Questions are numbers of words (N, 4), the columns a, b, c, d; -1 stands for a word that is not
known, and a question with one is not covered. Published accuracies are of the covered questions,
with a, b and c forbidden as answers. How much both conventions do is seen by allowing them, and by
the queries of Linzen (2016), *Issues in evaluating semantic spaces using word analogies*, which
leave words out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

UNKNOWN = -1
"""The number of a word that is not known, and the answer to a question that has one."""

QUERIES: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"3CosAdd": (-1.0, 1.0, 1.0), "ignore-a": (0.0, 1.0, 1.0), "only-b": (0.0, 0.0, 1.0)}
)
"""What each query takes of the unit vectors of (a, b, c); the word nearest to the sum answers.

3CosAdd is the usual one (named by Levy & Goldberg 2014, CoNLL, equation 1), the others are of
Linzen (2016, section 2). He calls the four words a, a*, b, b*: his b is our c, so that *only-b*
answers with the nearest neighbour of c and never looks at the first pair."""


class Tally(NamedTuple):
    """How many of the ``questions`` are ``covered`` and how many of those were ``correct``."""

    correct: int
    covered: int
    questions: int

    @property
    def accuracy(self) -> float:
        """Share of the covered questions that were answered rightly; NaN if none is covered."""
        return self.correct / self.covered if self.covered else float("nan")

    @property
    def coverage(self) -> float:
        """Share of the questions of which all four words are known."""
        return self.covered / self.questions


def encode_questions(
    questions: Sequence[Sequence[str]], index: Mapping[str, int], restrict: int | None = None
) -> np.ndarray:
    """Return the numbers (N, 4) of the words a, b, c, d; -1 for those that are not known.

    With ``restrict`` words numbered from it on count as unknown: where words are numbered by
    falling frequency, the test is then of the ``restrict`` most frequent words.
    """
    import numpy as np

    found = [[index.get(word, UNKNOWN) for word in question] for question in questions]
    ids = np.array(found, dtype=np.int64).reshape(len(questions), 4)
    return ids if restrict is None else np.where(ids < restrict, ids, UNKNOWN)


def covered(questions: np.ndarray) -> np.ndarray:
    """Return (N,) whether all four words of each question (N, 4) are known."""
    return (questions != UNKNOWN).all(axis=1)


def answer(
    vectors: ArrayLike,
    questions: np.ndarray,
    query: str = "3CosAdd",
    *,
    exclude_inputs: bool = True,
    restrict: int | None = None,
    batch: int = 1024,
) -> np.ndarray:
    """Return the word (N,) whose vector has the largest cosine with each question's query.

    By default that is the word nearest to b - a + c, of unit vectors. Equal cosines are decided by
    rounding. The answer is -1 where a word of the question is unknown.

    Args:
        vectors: (V, D), one row a word.
        questions: (N, 4) numbers of words; the last column is not looked at but for unknown words.
        query: a name of ``QUERIES``.
        exclude_inputs: forbid a, b and c as answers, as is usual.
        restrict: answer with one of the first ``restrict`` words only.
        batch: questions answered at once; (batch, V) numbers are held.

    Raises:
        ValueError: for a query that ``QUERIES`` does not hold.
    """
    import numpy as np

    if query not in QUERIES:
        raise ValueError(f"query={query!r}: choose one of {', '.join(QUERIES)}")
    units = _unit(np.asarray(vectors))
    candidates = units[:restrict].T
    answers = np.full(len(questions), UNKNOWN)
    known = np.flatnonzero(covered(questions))
    for begin in range(0, len(known), batch):
        places = known[begin : begin + batch]
        inputs = questions[places, :3]
        targets = np.einsum("q,nqd->nd", np.array(QUERIES[query], units.dtype), units[inputs])
        cosines = targets @ candidates
        if exclude_inputs:
            rows, columns = np.nonzero(inputs < cosines.shape[1])
            cosines[rows, inputs[rows, columns]] = -np.inf
        answers[places] = cosines.argmax(axis=1)
    return answers


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors (V, D) at length 1, in float32 at least; zero vectors stay zero."""
    import numpy as np

    vectors = vectors.astype(np.result_type(vectors, np.float32), copy=False)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def google_syntactic(section: str) -> bool:
    """Whether a section of the Google set is of grammar: their names begin with *gram*."""
    return section.startswith("gram")


def score_analogies(
    answers: ArrayLike,
    questions: np.ndarray,
    sections: Sequence[str],
    syntactic: Callable[[str], bool] = google_syntactic,
) -> dict[str, Tally]:
    """Return the tally of each section as it first appears, then of groups of sections.

    The groups are ``semantic``, ``syntactic`` (those for which ``syntactic`` is true), each only if
    it has questions, and ``total``. Each question counts once: a group's accuracy is not the mean
    of its sections'. ``answers`` (N,): numbers of words, as of :func:`answer`; those to questions
    that are not covered do not count. Raises ValueError if lengths differ or there is no question.
    """
    import numpy as np

    right, known = _marked(answers, questions, sections)
    names = list(dict.fromkeys(sections))
    groups = {name: [name] for name in names}
    groups["semantic"] = [name for name in names if not syntactic(name)]
    groups["syntactic"] = [name for name in names if syntactic(name)]
    groups["total"] = names
    table = {}
    for group, members in groups.items():
        inside = np.isin(np.asarray(sections), members)
        if inside.any():
            counts = (right & inside).sum(), (known & inside).sum(), inside.sum()
            table[group] = Tally(*map(int, counts))
    return table


def analogy_units(
    answers: ArrayLike, questions: np.ndarray, sections: Sequence[str]
) -> dict[str, list[int]]:
    """Return the accuracy as a record's group: one unit for each section and first pair (a, b).

    Questions that share their first pair stand and fall together, so the pair is what is drawn
    anew in resampling (:func:`nnlm2bert.evaluation.intervals.contrast`). ``tokens`` are its covered
    questions, ``nats`` those answered rightly; units come in the order of the questions, those with
    nothing covered are left out. Models are comparable if they cover the same questions. For a part
    of the sections hand over their questions only. Raises ValueError as :func:`score_analogies`.
    """
    right, known = _marked(answers, questions, sections)
    units: dict[tuple[str, int, int], list[int]] = {}
    for row in known.nonzero()[0]:
        a, b = questions[row, :2].tolist()
        unit = units.setdefault((sections[row], a, b), [0, 0])
        unit[0] += 1
        unit[1] += int(right[row])
    tokens, nats = zip(*units.values(), strict=True) if units else ((), ())
    return {"tokens": list(tokens), "nats": list(nats)}


def _marked(
    answers: ArrayLike, questions: np.ndarray, sections: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which questions (N,) were answered rightly, and which are covered."""
    import numpy as np

    given = np.asarray(answers)
    if not len(given) == len(questions) == len(sections) > 0:
        raise ValueError(
            f"{len(given)} answers, {len(questions)} questions, {len(sections)} sections: give one "
            "of each for every question, and a question at least"
        )
    known = covered(questions)
    return known & (given == questions[:, 3]), known
