"""The generic grammar: whole-number chances, the stationary stream, what is refused."""

import itertools

import numpy as np
import pytest

from nnlm2bert.synthetic import Grammar
from nnlm2bert.synthetic.grammar import RESOLUTION, Chances, share_out


def grammar(**changes) -> Grammar:
    parts = {
        "states": ["a", "b"],
        "transitions": {"a": {"b": 1}, "b": {"a": 1, "</d>": 1}},
        "emissions": {"a": {"x": 1}, "b": {"x": 1, "y": 3}},
        "start": {"a": 1},
    }
    return Grammar(**(parts | changes))


@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [5, 1, 700], [10**9, 1], list(range(1, 99))])
def test_shares_are_whole_and_in_proportion(weights: list[int]) -> None:
    shares = share_out(weights)
    assert sum(shares) == RESOLUTION
    assert min(shares) >= 1
    exact = np.array(weights) / sum(weights) * RESOLUTION
    assert np.abs(np.array(shares) - exact).max() <= len(weights) + 1


@pytest.mark.parametrize("weights", [[], [0, 1], [-1, 2], [1] * (RESOLUTION + 1)])
def test_impossible_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="whole number"):
        share_out(weights)


def test_draws_take_each_column_as_often_as_its_count() -> None:
    chances = Chances.from_weights([{"x": 1, "y": 3}, {"y": 1}], {"x": 0, "y": 1})
    numbers = np.arange(RESOLUTION)
    drawn = chances.draw(np.zeros(RESOLUTION, dtype=np.int64), numbers)
    assert np.bincount(drawn).tolist() == chances.counts[:2].tolist()
    assert (chances.draw(np.ones(RESOLUTION, dtype=np.int64), numbers) == 1).all()


def test_rows_sum_to_one_and_documents_follow_the_end(tiny: Grammar) -> None:
    for table in (tiny.moves.matrix, tiny.words.matrix):
        assert (table.sum(axis=1) == 1).all()
    start = tiny.moves.matrix.toarray()[tiny.end_state]
    assert start[tiny.state_index["a"]] == pytest.approx(2 / 3, abs=1e-4)


def test_stationary_shares_stay_and_are_those_of_a_long_text(tiny: Grammar) -> None:
    np.testing.assert_allclose(tiny.stationary @ tiny.moves.matrix, tiny.stationary, atol=1e-14)
    states = np.concatenate([s for _, s in itertools.islice(tiny.write(seed=1), 5000)])
    counted = np.bincount(states) / len(states)
    np.testing.assert_allclose(counted, tiny.stationary, atol=0.01)


def test_written_transitions_have_the_chances_of_the_grammar(tiny: Grammar) -> None:
    states = np.concatenate([s for _, s in itertools.islice(tiny.write(seed=2), 5000)])
    counts = np.zeros((4, 4))
    np.add.at(counts, (states[:-1], states[1:]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, tiny.moves.matrix.toarray(), atol=0.02)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"emissions": {"a": {"x": 1}}}, "needs words to emit"),
        ({"transitions": {"a": {"b": 1}, "b": {"c": 1}}}, "known states"),
        ({"transitions": {"a": {"b": 1}, "b": {"a": 1}}}, "no document can end"),
        ({"emissions": {"a": {"</d>": 1}, "b": {"x": 1}}}, "end of a document"),
        ({"vocabulary": ["</d>", "x"]}, "missing from the vocabulary"),
        ({"states": ["a", "b", "b"]}, "differ"),
    ],
)
def test_impossible_grammars_are_refused(changes: dict, message: str) -> None:
    assert grammar()
    with pytest.raises(ValueError, match=message):
        grammar(**changes)
