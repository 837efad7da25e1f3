"""Judges of the claims about images, from the records of the experiment `images`.

A seed stands for one repetition of the whole: classes drawn, pictures labelled, initial weights. It
is drawn together for all arms. Units are groups of neighbouring test pictures.

Three more findings are no claims of the ledger: `middle_dip`, of fragile co-adaptation, whose
verdict is "seen" or "not seen"; `strokes_parts_objects` and `far_loses_more` of the laboratory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.judges import (
    Contrast,
    Evidence,
    Finding,
    Part,
    Question,
    all_hold,
    numbers,
    points,
    sign_verdict,
    spearman,
)

LAYERS = (1, 2, 3, 4, 5)
MIDDLE = (2, 3, 4)
UPPER = (3, 4, 5)
LABELS = {1: "1 label", **{count: f"{count} labels" for count in (3, 10, 30, 100)}}
PICTURES = "groups of test pictures"
UNITS = {
    name: PICTURES
    for name in (
        *(f"n = {n}" for n in (0, *LAYERS)),
        *LABELS.values(),
        *(f"{level}, layer {n}" for level in ("strokes", "parts", "objects") for n in LAYERS),
    )
}
SEEN, NOT_SEEN = "seen", "not seen"


def _by_layer(arm: str, layers: Sequence[int] = LAYERS) -> Contrast:
    return tuple(Part(1, arm, f"n = {n}") for n in layers)


def _base(setting: str) -> Part:
    return Part(1, f"{setting}-base", "n = 0")


def _by_labels(arm: str) -> Contrast:
    return tuple(Part(1, arm, name) for name in LABELS.values())


def _read_off(level: str) -> Contrast:
    return tuple(Part(1, "pocket-probes", f"{level}, layer {n}") for n in LAYERS)


def _losses(settings: Sequence[str], n: int) -> Contrast:
    """Of each setting, the network from scratch and the one with n frozen layers."""
    return tuple(
        part for setting in settings for part in (_base(setting), *_by_layer(f"{setting}-AnB", [n]))
    )


SPLITS = ("CIFAR-distant", "CIFAR-random")
FALL = _by_layer("CIFAR-random-AnB")
SPECIFIC = (*_by_layer("CIFAR-random-BnB", [5]), *_by_layer("CIFAR-random-AnB", [5]))
DISTANCE = tuple(_losses(SPLITS, n) for n in UPPER)
BOOST = (_base("CIFAR-random"), *_by_layer("CIFAR-random-AnB+"))
FEW = (*_by_labels("MNIST-frozen"), *_by_labels("MNIST-scratch"))
TUNED = _by_labels("MNIST-tuned")
DIP = (_base("CIFAR-random"), *_by_layer("CIFAR-random-BnB"))
PROBED = tuple(map(_read_off, ("strokes", "parts", "objects")))
LOSSES = _losses(("pocket-far", "pocket-near"), 5)


def _difference(evidence: Evidence, one: Part, other: Part) -> Interval:
    """By how much the score of one part is above that of the other."""
    return evidence.bootstrap(lambda scores: scores[0] - scores[1], (one, other))


def _shares(evidence: Evidence, parts: Contrast) -> str:
    """The scores of parts in percent, one after the other."""
    return ", ".join(f"{100 * evidence.score(part.arm, part.group):.1f}" for part in parts)


def _general_to_specific(evidence: Evidence) -> Finding:
    fall = evidence.bootstrap(partial(spearman, LAYERS), FALL)
    gap = _difference(evidence, *SPECIFIC)
    return Finding(
        ours=f"CIFAR-10, parts drawn by lot, 1 to 5 frozen layers from the other part: "
        f"{_shares(evidence, FALL)} %; all 5 from the same part {_shares(evidence, SPECIFIC[:1])} "
        f"%: difference {points(gap)} points",
        quantity="Spearman correlation of accuracy with the number of copied layers",
        **numbers(fall),
        verdict=all_hold(sign_verdict([fall]), sign_verdict([gap], above=True)),
    )


def _distance(evidence: Evidence) -> Finding:
    surplus = [evidence.bootstrap(_surplus, parts) for parts in DISTANCE]
    least = min(surplus, key=lambda interval: interval.low)
    losses = {
        split: ", ".join(f"{100 * _loss(evidence, split, n):.1f}" for n in UPPER)
        for split in SPLITS
    }
    return Finding(
        ours="CIFAR-10, points lost with 3, 4, 5 frozen layers: "
        f"{losses['CIFAR-distant']} between living and man-made things, "
        f"{losses['CIFAR-random']} between parts drawn by lot",
        quantity="difference of the losses in accuracy, distant - random, with "
        f"{UPPER[surplus.index(least)]} layers (the least certain of the three)",
        **numbers(least),
        verdict=sign_verdict(surplus, above=True),
    )


def _surplus(scores: Sequence[float]) -> float:
    """Of the scores of `_losses`: what the first setting loses more than the second."""
    return (scores[0] - scores[1]) - (scores[2] - scores[3])


def _loss(evidence: Evidence, setting: str, n: int) -> float:
    """What n frozen layers from the other task cost, of 1."""
    return evidence.score(f"{setting}-base", "n = 0") - evidence.score(f"{setting}-AnB", f"n = {n}")


def _fine_tuned(evidence: Evidence) -> Finding:
    gain = evidence.bootstrap(lambda scores: fmean(scores[1:]) - scores[0], BOOST)
    return Finding(
        ours="CIFAR-10, some 300 pictures a class, parts drawn by lot: "
        f"{_shares(evidence, BOOST[:1])} % from scratch; 1 to 5 layers copied and tuned "
        f"{_shares(evidence, BOOST[1:])} %. So few pictures are not plenty",
        quantity="difference in accuracy, tuned (mean over 1 to 5 layers) - from scratch",
        **numbers(gain),
        verdict=sign_verdict([gain], above=True),
    )


def _few_labels(evidence: Evidence) -> Finding:
    shrinks = evidence.bootstrap(_gap_by_labels, FEW)
    frozen, scratch = FEW[: len(LABELS)], FEW[len(LABELS) :]
    return Finding(
        ours="MNIST, 1, 3, 10, 30, 100 labels a class: "
        f"{_shares(evidence, scratch)} % from scratch, {_shares(evidence, frozen)} % with all "
        f"layers frozen from Omniglot ({_shares(evidence, TUNED)} % tuned)",
        quantity="Spearman correlation of the gap, frozen - scratch, with the number of labels",
        **numbers(shrinks),
        verdict=sign_verdict([shrinks]),
    )


def _gap_by_labels(scores: Sequence[float]) -> float:
    """Of the scores of `FEW`: how the gap goes with the number of labels."""
    half = len(scores) // 2
    gaps = [one - other for one, other in zip(scores[:half], scores[half:], strict=True)]
    return spearman(tuple(LABELS), gaps)


def _co_adaptation(evidence: Evidence) -> Finding:
    last = len(LAYERS)
    dips = {n: [_difference(evidence, DIP[n], DIP[rival]) for rival in (0, last)] for n in MIDDLE}
    nearer = {n: max(pair, key=lambda interval: interval.high) for n, pair in dips.items()}
    deepest = min(MIDDLE, key=lambda n: nearer[n].high)
    rival = "base" if nearer[deepest] is dips[deepest][0] else f"{last} layers"
    return Finding(
        ours=f"CIFAR-10, parts drawn by lot: {_shares(evidence, DIP[:1])} % whole; 1 to 5 of its "
        f"own layers frozen and the rest trained anew {_shares(evidence, DIP[1:])} %",
        quantity=f"difference in accuracy, {deepest} own layers - {rival} (the nearer of the two)",
        **numbers(nearer[deepest]),
        verdict=SEEN if nearer[deepest].high < 0 else NOT_SEEN,
    )


def _hierarchy(evidence: Evidence) -> Finding:
    strokes, parts, objects = PROBED
    first, last = 0, len(LAYERS) - 1
    early = _difference(evidence, strokes[first], strokes[last])
    middle = [evidence.bootstrap(partial(_middle_above, end), parts) for end in (first, last)]
    late = _difference(evidence, objects[last], objects[first])
    steps = (early, *middle, late)
    least = min(steps, key=lambda interval: interval.low)
    names = ("strokes, layer 1 - 5", "parts, middle - 1", "parts, middle - 5", "objects, 5 - 1")
    return Finding(
        ours="Pocket pictures, read off layers 1 to 5 by a linear probe: "
        f"strokes {_shares(evidence, strokes)} %, parts {_shares(evidence, parts)} %, "
        f"objects {_shares(evidence, objects)} %",
        quantity=f"difference in accuracy, {names[steps.index(least)]} (the least certain of four)",
        **numbers(least),
        verdict=all_hold(*(sign_verdict([step], above=True) for step in steps)),
    )


def _middle_above(end: int, scores: Sequence[float]) -> float:
    """By how much the best of the middle layers is above the layer at one end."""
    return max(scores[n - 1] for n in MIDDLE) - scores[end]


def _far_transfer(evidence: Evidence) -> Finding:
    surplus = evidence.bootstrap(_surplus, LOSSES)
    far, near = (100 * _loss(evidence, setting, 5) for setting in ("pocket-far", "pocket-near"))
    return Finding(
        ours=f"Pocket pictures, points lost with all 5 layers frozen: {far:.1f} to objects of "
        f"other parts, {near:.1f} to other objects of the same parts",
        quantity="difference of the losses in accuracy, far - near",
        **numbers(surplus),
        verdict=sign_verdict([surplus], above=True),
    )


_question: Callable[..., Question] = partial(Question, paired=True, units=UNITS)

lower_layers_are_general = _question(_general_to_specific, (FALL, SPECIFIC))
distant_tasks_transfer_worse = _question(_distance, DISTANCE)
tuned_layers_beat_scratch = _question(_fine_tuned, (BOOST,))
few_labels_gain_most = _question(_few_labels, (FEW, TUNED))
middle_dip = _question(_co_adaptation, (DIP,))
strokes_parts_objects = _question(_hierarchy, PROBED)
far_loses_more = _question(_far_transfer, (LOSSES,))
