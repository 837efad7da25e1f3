"""F1 of spans by hand, against another way to read them, and as units of resampling."""

import re

import numpy as np
import pytest

from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.evaluation.spans import SpanCounts, add_up, count_spans, f1_units, span_f1, spans

TAGS = ("O", "B-NP", "I-NP", "B-VP", "I-VP")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-NP I-NP O B-VP", [("NP", 0, 2), ("VP", 3, 4)]),
        ("B-NP B-NP", [("NP", 0, 1), ("NP", 1, 2)]),
        ("I-NP I-NP O I-NP", [("NP", 0, 2), ("NP", 3, 4)]),
        ("B-NP I-VP I-VP", [("NP", 0, 1), ("VP", 1, 3)]),
        ("O O", []),
        ("B-creative-work I-creative-work", [("creative-work", 0, 2)]),
    ],
)
def test_spans_by_hand(tags, expected):
    assert spans(tags.split()) == expected


def test_f1_by_hand():
    gold = ["B-NP I-NP O B-VP O".split(), "B-NP B-NP".split()]
    ours = ["B-NP I-NP O B-NP O".split(), "B-NP I-NP".split()]
    assert count_spans(ours, gold) == [SpanCounts(1, 2, 2), SpanCounts(0, 1, 2)]
    assert span_f1(ours, gold) == pytest.approx(2 * 1 / (3 + 4))
    assert span_f1(gold, gold) == 1 and span_f1([["O"] * 5, ["O"] * 2], gold) == 0


def by_pattern(tags):
    """Spans as a regular expression finds them in a string with one letter a tag."""
    text = "".join("OAaBb"[TAGS.index(tag)] for tag in tags)
    found = {("NP", *m.span()) for m in re.finditer("Aa*|(?<![Aa])a+", text)}
    return found | {("VP", *m.span()) for m in re.finditer("Bb*|(?<![Bb])b+", text)}


def test_spans_are_those_that_another_reading_finds():
    generator = np.random.default_rng(0)
    for _ in range(500):
        tags = [TAGS[i] for i in generator.integers(len(TAGS), size=generator.integers(1, 12))]
        assert set(spans(tags)) == by_pattern(tags)
        assert len(set(spans(tags))) == len(spans(tags))


def test_units_have_f1_as_their_mean_and_follow_it_when_resampled():
    generator = np.random.default_rng(0)
    gold = generator.integers(20, 40, size=50)
    right = generator.binomial(gold, 0.6)
    blocks = [SpanCounts(int(r), int(g) + 3, int(g)) for r, g in zip(right, gold, strict=True)]
    group = f1_units(blocks)
    whole = add_up(blocks).f1
    assert Measured.from_groups([group]).score == pytest.approx(whole, abs=1e-6)
    for _ in range(20):
        draw = generator.integers(50, size=50)
        resampled = add_up([blocks[i] for i in draw]).f1
        linear = np.mean([group["nats"][i] for i in draw])
        assert linear == pytest.approx(resampled, abs=0.003)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="needs a span"):
        f1_units([SpanCounts(0, 0, 0)])
    with pytest.raises(ValueError, match="1 tags for a sentence of 2"):
        count_spans([["O"]], [["O", "O"]])
