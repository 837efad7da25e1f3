import numpy as np
import pytest

from nnlm2bert.objectives import next_word


def test_every_window_of_the_stream_once():
    contexts, targets = next_word(np.arange(6), n=3)
    assert contexts.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert targets.tolist() == [2, 3, 4, 5]


def test_a_later_part_reads_back_into_the_earlier_one():
    contexts, targets = next_word(np.arange(10), n=3, start=5, stop=7)
    assert contexts.tolist() == [[3, 4], [4, 5]]
    assert targets.tolist() == [5, 6]


def test_parts_cover_the_stream_without_overlap():
    ids = np.arange(20)
    parts = [next_word(ids, 4, start, start + 5)[1] for start in range(0, 20, 5)]
    assert [word for part in parts for word in part.tolist()] == list(range(3, 20))


@pytest.mark.parametrize(("n", "start", "message"), [(1, 0, "n = 1"), (3, 6, "no position")])
def test_impossible_windows_are_refused(n, start, message):
    with pytest.raises(ValueError, match=message):
        next_word(np.arange(6), n, start)
