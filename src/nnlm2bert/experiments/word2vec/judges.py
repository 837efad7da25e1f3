"""Judges of the claims about word2vec, from the records of the experiment `word2vec`.

Units of resampling: for analogies the first pair of a section (the questions that begin with
*Athens Greece* stand or fall together), for word similarity a pair of words, for senses a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from nnlm2bert.evaluation.intervals import Interval, mean_interval
from nnlm2bert.experiments.judges import (
    CANNOT_TELL,
    DOES_NOT_HOLD,
    HOLDS,
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    all_hold,
    numbers,
    points,
    sign_verdict,
)

CORPORA = ("small", "middle", "large")
NEGATIVES = (1, 5, 15)
UNITS = {
    "analogies": "first pairs of analogies",
    "shared analogies": "first pairs of analogies",
    "syntactic analogies": "first pairs of syntactic analogies",
    "word similarity": "pairs of words",
    "word vectors": "words",
    "context vectors": "words",
}
CORRELATION, INTERCEPT = "correlation with PMI", "intercept"
LEAST_CORRELATION = 0.7
LEAST_RATIO = 2.0
ENOUGH_WORDS = 20


def _against(ours: str, rival: str, group: str) -> Contrast:
    return Part(1, ours, group), Part(-1, rival, group)


GROWTH = (
    _against("SG-middle", "SG-small", "shared analogies"),
    _against("SG-large", "SG-middle", "shared analogies"),
)
SUBSAMPLED = _against("SG-middle", "SG-middle-all-words", "analogies")
SIMILARITY = _against("SVD5-large", "SG-large", "word similarity")
SYNTAX = _against("SG-large", "SVD5-large", "syntactic analogies")
SHARED = _against("SG-middle", "SG-middle-independent", "word similarity")
SENSES = (
    Part(1, "senses-CBOW", "context vectors"),
    Part(-1, "senses-CBOW", "word vectors"),
)


def _accuracy_by_corpus(evidence: Evidence) -> Finding:
    steps = [evidence.contrast(*parts) for parts in GROWTH]
    smaller = min(steps, key=lambda step: step.low)
    names = [f"SG-{corpus}" for corpus in CORPORA]
    sizes = ", ".join(f"{evidence.figures(arm, 'words')[0] / 1e6:.0f}" for arm in names)
    shares = ", ".join(f"{100 * evidence.score(arm, 'shared analogies'):.1f}" for arm in names)
    own = ", ".join(f"{100 * evidence.score(arm, 'analogies'):.1f}" for arm in names)
    which = "from the small to the middle" if smaller is steps[0] else "from the middle to the full"
    return Finding(
        ours=f"Analogies of the smallest vocabulary answered after {sizes} million words: "
        f"{shares} % (of all in the own vocabulary: {own} %)",
        quantity=f"gain in accuracy {which} text (the less certain of the two)",
        **numbers(smaller),
        verdict=sign_verdict(steps, above=True),
    )


def _speed_of_subsampling(evidence: Evidence) -> Finding:
    ratio = _race(evidence, "race-subsampling", "sub-sampled", "all words")
    gain = evidence.contrast(*SUBSAMPLED)
    shares = [100 * evidence.score(part.arm, part.group) for part in SUBSAMPLED]
    return Finding(
        ours=f"Analogies {shares[0]:.1f} % with, {shares[1]:.1f} % without sub-sampling: "
        f"difference {points(gain)} points; "
        + _turns(evidence, "race-subsampling", "sub-sampled", "all words"),
        quantity="ratio of words a second, with / without",
        **numbers(ratio.map(math.exp)),
        verdict=all_hold(
            _beyond(ratio, math.log(LEAST_RATIO)), DOES_NOT_HOLD if gain.high < 0 else HOLDS
        ),
    )


def _shifted_pmi(evidence: Evidence) -> Finding:
    correlations = [evidence.figures(f"PMI-k{k}", CORRELATION) for k in NEGATIVES]
    intercepts = [evidence.figures(f"PMI-k{k}", INTERCEPT) for k in NEGATIVES]
    means = ", ".join(f"{sum(values) / len(values):.2f}" for values in correlations)
    levels = ", ".join(f"{sum(values) / len(values):.2f}" for values in intercepts)
    ours = f"For k = 1, 5, 15: r = {means}; intercept {levels}"
    if evidence.seeds < 2:
        return Finding(ours=ours, verdict=CANNOT_TELL)
    surplus = [_surplus(intercepts, place) for place in (0, 1)]
    worst = max((0, 1), key=lambda place: abs(surplus[place].estimate))
    before, after = NEGATIVES[worst : worst + 2]
    return Finding(
        ours=ours,
        quantity=f"fall of the intercept from k = {before} to k = {after}, "
        f"minus log({after}/{before}) (the larger deviation of the two)",
        **numbers(surplus[worst]),
        verdict=all_hold(
            *(_beyond(mean_interval(values), LEAST_CORRELATION) for values in correlations),
            *(DOES_NOT_HOLD if step.excludes() else HOLDS for step in surplus),
        ),
    )


def _surplus(intercepts: Sequence[Sequence[float]], place: int) -> Interval:
    """By how much more than log of their ratio the intercept falls from one k to the next."""
    expected = math.log(NEGATIVES[place + 1] / NEGATIVES[place])
    pairs = zip(intercepts[place], intercepts[place + 1], strict=False)
    return mean_interval([one - other - expected for one, other in pairs])


def _counts_against_prediction(evidence: Evidence) -> Finding:
    similarity, syntax = evidence.contrast(*SIMILARITY), evidence.contrast(*SYNTAX)
    counted, predicted = (evidence.score(part.arm, part.group) for part in SIMILARITY)
    shares = [100 * evidence.score(part.arm, part.group) for part in SYNTAX]
    return Finding(
        ours=f"WordSim-353, Spearman {counted:.3f} for counts, {predicted:.3f} for skip-gram; "
        f"syntactic analogies {shares[1]:.1f} and {shares[0]:.1f} %: "
        f"skip-gram ahead by {points(syntax)} points",
        quantity="difference in Spearman correlation, counts - skip-gram",
        **numbers(similarity),
        verdict=all_hold(
            DOES_NOT_HOLD if similarity.excludes() else HOLDS, sign_verdict([syntax], above=True)
        ),
    )


def _shared_negatives(evidence: Evidence) -> Finding:
    ratio = _race(evidence, "race-negatives", "shared", "independent")
    change = evidence.contrast(*SHARED)
    scores = [evidence.score(part.arm, part.group) for part in SHARED]
    return Finding(
        ours=f"WordSim-353, Spearman {scores[0]:.3f} shared, {scores[1]:.3f} independent: "
        f"difference {change.estimate:.3f} ({change.low:.3f} to {change.high:.3f}); "
        + _turns(evidence, "race-negatives", "shared", "independent"),
        quantity="ratio of words a second, shared / independent",
        **numbers(ratio.map(math.exp)),
        verdict=all_hold(_beyond(ratio, 0.0), DOES_NOT_HOLD if change.excludes() else HOLDS),
    )


def _senses_kept_apart(evidence: Evidence) -> Finding:
    gain = evidence.contrast(*SENSES)
    context, word = (100 * evidence.score(part.arm, part.group) for part in SENSES)
    enough = HOLDS if evidence.units(SENSES[0]) >= ENOUGH_WORDS else CANNOT_TELL
    return Finding(
        ours="SemCor, nearest occurrences of the same word with the same sense: "
        f"{context:.1f} % by the mean of the words around it (the hidden layer of CBOW), "
        f"{word:.1f} % by its own vector",
        quantity="difference in sense purity, context vectors - word vectors",
        **numbers(gain),
        verdict=all_hold(sign_verdict([gain], above=True), enough),
    )


def _race(evidence: Evidence, arm: str, ours: str, rival: str) -> Interval:
    """The interval of the log ratio of words a second, over the turns of a race."""
    (record,) = evidence.arms[arm][:1]
    rates = (record.series[f"words a second, {name}"] for name in (ours, rival))
    return mean_interval([math.log(a / b) for a, b in zip(*rates, strict=True)])


def _turns(evidence: Evidence, arm: str, *names: str) -> str:
    """How fast both sides of a race were, in words."""
    series = evidence.arms[arm][0].series
    rates = [series[f"words a second, {name}"] for name in names]
    means = " and ".join(f"{sum(rate) / len(rate) / 1000:.0f}" for rate in rates)
    return f"{means} thousand words a second in {len(rates[0])} turns"


def _beyond(interval: Interval, bound: float) -> str:
    """The verdict on a quantity that must lie above a bound."""
    shifted = interval.map(lambda value: value - bound)
    return sign_verdict([shifted], above=True)


def _sides(arm: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((arm, f"words a second, {name}") for name in names)


_question: Callable[..., Question] = partial(Question, units=UNITS)
_regressions = tuple(
    (f"PMI-k{k}", figure) for k in NEGATIVES for figure in (CORRELATION, INTERCEPT)
)

accuracy_grows_with_text = _question(
    _accuracy_by_corpus, GROWTH, figures=tuple((f"SG-{corpus}", "words") for corpus in CORPORA)
)
subsampling_is_fast_and_free = _question(
    _speed_of_subsampling,
    (SUBSAMPLED,),
    counted=("race-subsampling",),
    series=_sides("race-subsampling", "sub-sampled", "all words"),
)
skip_gram_factorises_pmi = _question(_shifted_pmi, figures=_regressions)
counts_match_prediction = _question(
    _counts_against_prediction, (SIMILARITY, SYNTAX), counted=("SVD5-large",)
)
sharing_is_fast_and_free = _question(
    _shared_negatives,
    (SHARED,),
    counted=("race-negatives",),
    series=_sides("race-negatives", "shared", "independent"),
)
context_keeps_senses_apart = _question(_senses_kept_apart, (SENSES,))
