"""How good word vectors are, and whether those of a context keep senses apart, for the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnlm2bert.evaluation.analogies import (
    QUERIES,
    Tally,
    analogy_units,
    answer,
    encode_questions,
    google_syntactic,
    score_analogies,
)
from nnlm2bert.evaluation.senses import SensePurity, sense_purity
from nnlm2bert.evaluation.similarity import score_pairs, similarity_units, spearman
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.word2vec.material import Material, Occurrence
from nnlm2bert.models.word_vectors import WordVectors

RESTRICTED = 30_000
"""The most frequent words, to which many published accuracies on analogies are restricted."""
LOOKED_AT = ("bank", "play", "king", "france", "good", "two", "was", "house", "music", "river")
NEIGHBOURS = 8
DIGITS = 6
NEAREST = 5

Group = dict[str, list[float]]


def measure(vectors: WordVectors, material: Material) -> Result:
    """Return similarity, analogies and neighbours of word vectors, sorted by falling frequency.

    Groups: ``word similarity`` (the first list of pairs), ``analogies`` (all that are covered),
    ``syntactic analogies``, and ``shared analogies``: those of words of the smallest text.
    """
    similarity, groups = measure_similarity(vectors, material)
    analogies, more = measure_analogies(vectors, material)
    return Result(
        figures={**similarity, **analogies},
        groups={**groups, **more},
        words={"neighbours": neighbours(vectors)},
    )


def measure_similarity(
    vectors: WordVectors, material: Material
) -> tuple[dict[str, float], dict[str, Group]]:
    """Return Spearman's correlation and the coverage for each list, and the first as a group."""
    figures: dict[str, float] = {}
    groups: dict[str, Group] = {}
    for name, rows in material.lists.items():
        pairs = [(one, other) for one, other, _ in rows]
        judged = [score for _, _, score in rows]
        predicted = score_pairs(pairs, vectors.similarity, vectors)
        found = spearman(predicted, judged)
        figures |= {name: found.rho, f"{name}, coverage": found.coverage}
        if not groups:
            groups["word similarity"] = rounded(similarity_units(predicted, judged))
    return figures, groups


def measure_analogies(
    vectors: WordVectors, material: Material
) -> tuple[dict[str, float], dict[str, Group]]:
    """Return accuracies by section and under other conventions, and the groups of `measure`."""
    questions, sections = material.questions
    asked = encode_questions(questions, vectors.index)
    answers = answer(vectors.matrix, asked)
    small = material.text("small").index
    shared = _only(asked, [all(word in small for word in question) for question in questions])
    syntactic = _only(asked, [google_syntactic(section) for section in sections])
    figures = accuracies("analogies", score_analogies(answers, asked, sections))
    figures |= totals("shared analogies", score_analogies(answers, shared, sections))
    figures |= other_conventions(vectors, material)
    parts = {"analogies": asked, "shared analogies": shared, "syntactic analogies": syntactic}
    groups = {name: analogy_units(answers, part, sections) for name, part in parts.items()}
    return figures, {name: group for name, group in groups.items() if group["tokens"]}


def _only(questions: np.ndarray, chosen: Sequence[bool]) -> np.ndarray:
    """The questions (N, 4), those that are not chosen as if their words were not known."""
    return np.where(np.array(chosen)[:, None], questions, -1)


def other_conventions(vectors: WordVectors, material: Material) -> dict[str, float]:
    """Return accuracies among the most frequent words, with inputs allowed, and by c alone."""
    questions, sections = material.questions
    asked = encode_questions(questions, vectors.index, RESTRICTED)
    options = {
        "": {},
        ", inputs allowed": {"exclude_inputs": False},
        **{f", {query}": {"query": query} for query in QUERIES if query != "3CosAdd"},
    }
    figures: dict[str, float] = {}
    for name, option in options.items():
        answers = answer(vectors.matrix, asked, restrict=RESTRICTED, **option)
        table = score_analogies(answers, asked, sections)
        figures |= totals(f"top {RESTRICTED:,} analogies{name}", table)
    return figures


def accuracies(name: str, table: Mapping[str, Tally]) -> dict[str, float]:
    """Return accuracy and number of covered questions of each section and group that has any."""
    figures: dict[str, float] = {}
    for part, tally in table.items():
        if tally.covered:
            figures[f"{name}: {part}"] = tally.accuracy
            figures[f"{name}: {part}, covered"] = tally.covered
    return figures


def totals(name: str, table: Mapping[str, Tally]) -> dict[str, float]:
    """Return `accuracies` of the semantic, the syntactic and all questions."""
    groups = ("semantic", "syntactic", "total")
    return accuracies(name, {group: table[group] for group in groups if group in table})


def neighbours(vectors: WordVectors) -> dict[str, list[str]]:
    """Return the nearest words of some words."""
    known = [word for word in LOOKED_AT if word in vectors]
    return {word: [near for near, _ in vectors.neighbours(word, NEIGHBOURS)] for word in known}


def measure_senses(vectors: WordVectors, occurrences: Sequence[Occurrence], window: int) -> Result:
    """Compare each occurrence's word vector with the mean of the vectors around it.

    The mean over at most ``window`` known words to each side is the hidden layer of CBOW, and the
    context vector of Schütze (1998). Groups: purity among the 5 nearest, a word a unit.
    """
    seen = [each for each in occurrences if usable(vectors, each, window)]
    numbers: dict[str, int] = {}
    for each in seen:
        numbers[each.lemma] = numbers.get(each.lemma, 0) + 1
    kept = [each for each in seen if numbers[each.lemma] > NEAREST]
    lemmas, senses = [each.lemma for each in kept], [each.sense for each in kept]
    forms = np.array([vectors[each.words[each.place]] for each in kept])
    around = np.array([context_vector(vectors, each, window) for each in kept])
    static, context = (sense_purity(rows, senses, lemmas, NEAREST) for rows in (forms, around))
    return Result(
        figures={
            "sense purity, word vectors": static.mean,
            "sense purity, context vectors": context.mean,
            "sense purity, by lot": static.mean_chance,
            "words with two senses": len(static.words),
            "occurrences": len(kept),
            "share of words that gain": float((context.purity > static.purity).mean()),
        },
        groups={
            "word vectors": rounded(static.units()),
            "context vectors": rounded(context.units()),
        },
        words={"by gain in purity": extremes(static, context)},
    )


def usable(vectors: WordVectors, occurrence: Occurrence, window: int) -> bool:
    """Whether the word has a vector, and any word in its window has one."""
    return occurrence.words[occurrence.place] in vectors and bool(
        context(vectors, occurrence, window)
    )


def context(vectors: WordVectors, occurrence: Occurrence, window: int) -> list[str]:
    """Return the words around, ``window`` to each side, as training saw them: unknown ones gone."""
    before = [word for word in occurrence.words[: occurrence.place] if word in vectors]
    after = [word for word in occurrence.words[occurrence.place + 1 :] if word in vectors]
    return before[-window:] + after[:window]


def context_vector(vectors: WordVectors, occurrence: Occurrence, window: int) -> np.ndarray:
    """Return the mean (D,) of the vectors of the words around."""
    words = context(vectors, occurrence, window)
    return vectors.matrix[[vectors.index[word] for word in words]].mean(axis=0)


def extremes(static: SensePurity, context: SensePurity) -> dict[str, list[str]]:
    """Return the words that gain most and least by looking at their context."""
    order = np.argsort(static.purity - context.purity, kind="stable")
    names = [str(word) for word in static.words[order]]
    return {"most": names[:NEIGHBOURS], "least": names[::-1][:NEIGHBOURS]}


def rounded(group: Mapping[str, Sequence[float]]) -> Group:
    """Return a group with six digits after the point, which keeps records small."""
    return {
        "tokens": list(group["tokens"]),
        "nats": [round(value, DIGITS) for value in group["nats"]],
    }
