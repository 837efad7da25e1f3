"""Translations that are right: whole sentences, and words at their places."""

from __future__ import annotations

import pytest

from nnlm2bert.evaluation.translations import right_units, right_words


def test_words_are_right_at_their_places() -> None:
    assert right_words("a b c", "a b c") == 3
    assert right_words("a c", "a b c") == 1
    assert right_words("b a b c d", "a b c") == 0 == right_words("", "a")


def test_units_are_blocks_of_sentences() -> None:
    right = ["a b", "c", "d e f", "g", "h"]
    said = ["a b", "x", "d  e f", "g g", ""]
    sentences, words = right_units(said, right, blocks=2)
    assert sentences == {"tokens": [3, 2], "nats": [2, 0]}
    assert words == {"tokens": [6, 2], "nats": [5, 1]}
    one_each, _ = right_units(said, right)
    assert one_each == {"tokens": [1] * 5, "nats": [1, 0, 1, 0, 0]}
    with pytest.raises(ValueError):
        right_units(said, right[:4])
