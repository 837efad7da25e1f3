"""The diagrams of BERT say what BERT does."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nnlm2bert import diagrams_bert

SVG = "{http://www.w3.org/2000/svg}"


def test_a_segment_ends_with_its_separator():
    tokens = ["[CLS]", "a", "[SEP]", "b", "[SEP]"]
    assert diagrams_bert.segments_of(tokens) == ["A", "A", "A", "B", "B"]
    assert diagrams_bert.segments_of(["[CLS]", "a", "[SEP]", "b", "[SEP]", "c"])[-1] == "B"


def test_each_token_has_a_vector_of_its_own_of_its_segment_and_of_its_place():
    root = ET.fromstring(diagrams_bert.inputs(("[CLS]", "a", "[SEP]", "b", "[SEP]")).svg())
    labels = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    columns = [label for label in labels if label not in ("place", "segment", "token", "+")]
    assert columns[:8] == ["0", "A", "[CLS]", "[CLS]", "1", "A", "a", "a"]
    assert columns[-4:] == ["4", "B", "[SEP]", "[SEP]"]
    assert labels.count("+") == 2 * 5


@pytest.mark.parametrize("kind", diagrams_bert.FAMILIES)
def test_a_family_has_a_linear_layer_wherever_something_is_said(kind):
    tokens, said = diagrams_bert.FAMILIES[kind]
    root = ET.fromstring(diagrams_bert.family(kind).svg())
    labels = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert labels.count("linear") == sum(map(bool, said)) > 0
    assert [label for label in labels if label in tokens] == list(tokens)


def test_another_family_is_refused_by_name():
    with pytest.raises(ValueError, match="one label"):
        diagrams_bert.family("poems")
