"""Judges of the claims about ELMo, from the records of the experiment `elmo`.

There is one language model: a seed stands for what follows it, the labels or documents drawn, the
start of a head, the order of its examples, and it is drawn together for all arms. Units are blocks
of neighbouring test sentences.

More findings are no claims of the ledger: `word_senses_above_first`, of what the paper itself
gains only little in; `multiples`, of the other tasks and of 1 % of the labels; `output_use`, the
paper's table 3; `words_beside`; `tuned_on_the_text`, the second stage of ULMFiT; `homographs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.judges import (
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    numbers,
    points,
    sign_verdict,
)

SHARES = (1, 3, 10, 30, 100)
"""Percent of the labels."""
LABELLED = ("100", "1,000", "all")
LAYERS = (0, 1, 2)
SPAN_TASKS = ("chunks", "entities")
TASKS = (*SPAN_TASKS, "part-of-speech", "sentiment")
MARGIN = 0.005
"""By so much the mixture may lie below the last layer and still count as good."""
LEAST_MULTIPLE = 2.0
CLAIMED_SHARE = 10
SENTENCES = "blocks of test sentences"
UNITS = {
    name: SENTENCES
    for name in (
        *(f"{share} %" for share in SHARES),
        *(f"{way} {labels}" for way in ("plain", "tuned") for labels in LABELLED),
        *(
            f"{what} layer {n}"
            for what in ("POS", "POS control", "WSD", "WSD control")
            for n in LAYERS
        ),
        "WSD first sense",
    )
}
WORDS = {f"{what} layer {n}": "words" for what in ("part of speech", "sense") for n in LAYERS}


def _higher(what: str, one: int, other: int) -> Contrast:
    """One layer minus another."""
    return Part(1, "layers", f"{what} layer {one}"), Part(-1, "layers", f"{what} layer {other}")


def _selective(what: str, one: int, other: int) -> Contrast:
    """The same after the control task was taken from both."""
    controls = (
        Part(-part.sign, part.arm, part.group) for part in _higher(f"{what} control", one, other)
    )
    return (*_higher(what, one, other), *controls)


def _against(one: str, other: str, group: str = "100 %") -> Contrast:
    return Part(1, one, group), Part(-1, other, group)


def _curves(task: str, share: int) -> Contrast:
    """The baseline at every share of the labels, and the mixture at one."""
    baseline = (Part(1, f"{task}-word2vec-tuned", f"{percent} %") for percent in SHARES)
    return (*baseline, Part(1, f"{task}-mix", f"{share} %"))


DEPTH: Mapping[str, Contrast] = {
    "part of speech, layer 1 - 2": _higher("POS", 1, 2),
    "word sense, layer 2 - 1": _higher("WSD", 2, 1),
    "selectivity for part of speech, layer 1 - 2": _selective("POS", 1, 2),
    "selectivity for word sense, layer 2 - 1": _selective("WSD", 2, 1),
}
MIXTURE: Mapping[str, Contrast] = {
    f"{task}, {name}": _against(f"{task}-{one}", f"{task}-{other}")
    for task in SPAN_TASKS
    for name, one, other in (
        ("mixture - last layer", "mix", "last"),
        ("last layer - layer of the letters", "last", "input"),
        ("last layer - word vectors", "last", "word2vec-frozen"),
    )
}
FIRST_SENSE = (Part(1, "layers", "WSD layer 2"), Part(-1, "layers", "WSD first sense"))


def _layers_differ(evidence: Evidence) -> Finding:
    found = {name: evidence.contrast(*parts) for name, parts in DEPTH.items()}
    least = min(found, key=lambda name: found[name].low)
    tagging, senses = found["part of speech, layer 1 - 2"], found["word sense, layer 2 - 1"]
    return Finding(
        ours=f"Layers 1 and 2: part of speech {_of_layers(evidence, 'POS')} % (control task "
        f"{_of_layers(evidence, 'POS control')} %), word sense {_of_layers(evidence, 'WSD')} % "
        f"(control {_of_layers(evidence, 'WSD control')} %): layer 1 ahead by {points(tagging)} "
        f"points, layer 2 by {points(senses)}",
        quantity=f"difference, {least} (the least certain of four)",
        **numbers(found[least]),
        verdict=sign_verdict(list(found.values()), above=True),
    )


def _of_layers(evidence: Evidence, what: str) -> str:
    scores = (100 * evidence.score("layers", f"{what} layer {n}") for n in (1, 2))
    return " and ".join(f"{score:.1f}" for score in scores)


def _mixture_suffices(evidence: Evidence) -> Finding:
    found = {name: _difference(evidence, parts) for name, parts in MIXTURE.items()}
    shifted = {
        name: interval.map(lambda value: value + MARGIN) if "mixture" in name else interval
        for name, interval in found.items()
    }
    least = min(shifted, key=lambda name: shifted[name].low)
    rows = ("word2vec-frozen", "input", "last", "mix")
    scores = "; ".join(f"{task} {_percent(evidence, task, rows)}" for task in SPAN_TASKS)
    return Finding(
        ours="F1 with word vectors, the layer of the letters, the last layer, the mixture: "
        f"{scores}",
        quantity=f"difference in F1, {least} (the least certain of six)",
        **numbers(found[least]),
        verdict=sign_verdict(list(shifted.values()), above=True),
    )


def _percent(evidence: Evidence, task: str, rows: Sequence[str]) -> str:
    return ", ".join(f"{100 * evidence.score(f'{task}-{row}', '100 %'):.1f}" for row in rows)


def _difference(evidence: Evidence, parts: Contrast) -> Interval:
    """The sum of scores with their signs; a seed is the same in all arms."""
    return evidence.bootstrap(math.fsum, parts)


def _fewer_labels(task: str, share: int, evidence: Evidence) -> Finding:
    parts = _curves(task, share)
    logarithm = evidence.bootstrap(partial(log_multiple, share), parts)
    *baseline, mixture = (100 * evidence.score(part.arm, part.group) for part in parts)
    reached = ", ".join(f"{score:.1f}" for score in baseline)
    return Finding(
        ours=f"{task}: the mixture at {share} % of the labels {mixture:.1f}; word vectors, "
        f"fine-tuned, at {', '.join(map(str, SHARES))} %: {reached}",
        quantity=f"how many times the labels word vectors need for what the mixture has at "
        f"{share} % (all labels at most)",
        **numbers(logarithm.map(math.exp)),
        verdict=sign_verdict(
            [logarithm.map(lambda value: value - math.log(LEAST_MULTIPLE))], above=True
        ),
    )


def log_multiple(share: int, scores: Sequence[float]) -> float:
    """Of scores of the baseline by share, and one of the mixture: log of how many times the labels.

    The baseline needs the share at which its curve, drawn straight between the measured points over
    the logarithm of the share, first reaches the mixture's score: all labels, the largest share, if
    it never does, so that the multiple is then a lower bound; the smallest if it begins there.
    """
    *baseline, wanted = scores
    return _log_share(baseline, wanted) - math.log(share)


def _log_share(curve: Sequence[float], wanted: float) -> float:
    places = [math.log(share) for share in SHARES]
    if curve[0] >= wanted:
        return places[0]
    for i in range(1, len(curve)):
        if curve[i] >= wanted:
            part = (wanted - curve[i - 1]) / (curve[i] - curve[i - 1])
            return places[i - 1] + part * (places[i] - places[i - 1])
    return places[-1]


def _gain(ours: str, quantity: str, parts: Contrast, evidence: Evidence) -> Finding:
    """What one part has more than another; `ours` takes both scores in percent."""
    gain = _difference(evidence, parts)
    scores = (100 * evidence.score(part.arm, part.group) for part in parts)
    return Finding(
        ours=ours.format(*(f"{score:.1f}" for score in scores)),
        quantity=quantity,
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


_question: Callable[..., Question] = partial(Question, paired=True, units=UNITS)


def _more(ours: str, quantity: str, parts: Contrast) -> Question:
    return _question(partial(_gain, ours, quantity, parts), (parts,))


layers_know_different_things = _question(_layers_differ, tuple(DEPTH.values()))
mixture_is_good_enough = _question(_mixture_suffices, tuple(MIXTURE.values()))
multiples: Mapping[tuple[str, int], Question] = {
    (task, share): _question(partial(_fewer_labels, task, share), (_curves(task, share),))
    for task in TASKS
    for share in (1, CLAIMED_SHARE)
}
fraction_of_labels_does = multiples["chunks", CLAIMED_SHARE]

word_senses_above_first = _more(
    "Five all-words sets: {} % right by the nearest sense in layer 2, {} % by the first sense",
    "difference in the share right, layer 2 - first sense",
    FIRST_SENSE,
)
output_use: Mapping[tuple[str, str], Question] = {
    (task, place): _more(
        f"{task}, F1, word vectors everywhere: {{}} with the mixture {name}, {{}} at the input",
        f"difference in F1, {name} - at the input",
        _against(f"{task}-mix-{place}", f"{task}-mix-beside"),
    )
    for task in SPAN_TASKS
    for place, name in (("output", "at the output"), ("both", "at input and output"))
}
words_beside: Mapping[str, Question] = {
    task: _more(
        f"{task}, F1: {{}} with word vectors beside the mixture, {{}} with the mixture alone",
        "difference in F1, with word vectors beside - without",
        _against(f"{task}-mix-beside", f"{task}-mix"),
    )
    for task in SPAN_TASKS
}
tuned_on_the_text: Mapping[tuple[str, str], Question] = {
    (task, labels): _more(
        f"{task}, {labels} labels: {{}} % with the language model tuned on the text of the task, "
        "{} % without",
        "difference in accuracy, tuned - not tuned",
        tuple(
            Part(s, f"self-tuned-{task}", f"{way} {labels}")
            for s, way in ((1, "tuned"), (-1, "plain"))
        ),
    )
    for task in ("sentiment", "questions")
    for labels in LABELLED
}
homographs: Mapping[str, Question] = {
    what: Question(
        partial(
            _gain,
            f"The 5 nearest occurrences of the same form, same {what}: {{}} % by layer 2, {{}} % "
            "by the layer of the letters",
            f"difference in the share with the same {what}, layer 2 - layer of the letters",
            (Part(1, "homographs", f"{what} layer 2"), Part(-1, "homographs", f"{what} layer 0")),
        ),
        ((Part(1, "homographs", f"{what} layer 2"), Part(-1, "homographs", f"{what} layer 0")),),
        counted=("homographs",),
        units=WORDS,
    )
    for what in ("part of speech", "sense")
}
