"""Diagrams of attention, blocks and stacks differ where the models do."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nnlm2bert import diagrams_transformer

SVG = "{http://www.w3.org/2000/svg}"


def words(drawing):
    """What can be read in a drawing, a string a label."""
    root = ET.fromstring(drawing.svg())
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def lines_of(drawing):
    """How many plain lines a drawing has."""
    return sum(1 for _ in ET.fromstring(drawing.svg()).iter(f"{SVG}polyline"))


def test_a_causal_stack_lacks_the_lines_to_the_right_and_nothing_else():
    causal, both = (diagrams_transformer.stack(causal=c) for c in (True, False))
    assert lines_of(both) - lines_of(causal) == 2 * (16 - 10)
    assert words(causal) == words(both)


def test_the_norms_of_a_block_stand_after_its_parts_or_before_them():
    upwards = {norm: words(diagrams_transformer.block(norm)) for norm in ("post", "pre")}
    assert [label for label in upwards["post"] if label != "+"][1:3] == ["attention", "norm"]
    assert [label for label in upwards["pre"] if label != "+"][1:3] == ["norm", "attention"]
    with pytest.raises(ValueError, match="post"):
        diagrams_transformer.block("middle")


def test_attention_has_room_for_four_words():
    with pytest.raises(ValueError, match="4"):
        diagrams_transformer.attention(("two", "words"))
