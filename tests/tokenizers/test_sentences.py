"""Sentences of a stream of tokens, and the pieces they make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlm2bert.tokenizers.sentences import Sentences, after_stops, find_sentences

STOP, END = 1, 0
IDS = np.array([5, 6, STOP, 7, STOP, END, 8, 9, STOP, END, 5, 5, 5, 5, 5, END], dtype=np.int32)
DOCUMENTS = np.array([0, 6, 10])


def found(sentences: Sentences) -> list[tuple[int, int, int]]:
    parts = (sentences.begins, sentences.ends, sentences.documents)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def test_sentences_begin_where_told_and_with_each_document() -> None:
    sentences = find_sentences(IDS, DOCUMENTS, np.array([3, 12]))
    assert found(sentences) == [(0, 3, 0), (3, 6, 0), (6, 10, 1), (10, 12, 2), (12, 16, 2)]


def test_the_end_of_a_document_belongs_to_no_sentence() -> None:
    firsts = after_stops(IDS, [STOP])
    assert firsts.tolist() == [3, 5, 9]
    sentences = find_sentences(IDS, DOCUMENTS, firsts, end=END)
    assert found(sentences) == [(0, 3, 0), (3, 5, 0), (6, 9, 1), (10, 15, 2)]
    assert not (IDS[[place for b, e, _ in found(sentences) for place in range(b, e)]] == END).any()


def test_of_several_stops_the_last_ends_a_sentence() -> None:
    assert after_stops(np.array([5, 1, 1, 2, 6, 1, 7]), [1, 2]).tolist() == [4, 6]


def test_a_long_sentence_is_cut_into_equal_parts() -> None:
    sentences = find_sentences(IDS, DOCUMENTS, np.array([]), end=END, longest=3)
    cut = [(0, 2, 0), (2, 5, 0), (6, 9, 1), (10, 12, 2), (12, 15, 2)]
    assert found(sentences) == cut


def test_pieces_hold_what_fits_of_one_document() -> None:
    sentences = find_sentences(IDS, DOCUMENTS, after_stops(IDS, [STOP]), end=END, longest=3)
    assert sentences.lengths(sentences.pack(9)).tolist() == [5, 3, 5]
    assert sentences.pack(9).tolist() == [[0, 2], [2, 3], [3, 5]]
    assert sentences.pack(4).tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    assert sentences.pack(9, sentences=2).tolist() == [[0, 2], [3, 5]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=8),
    st.integers(9, 40),
)
def test_pieces_are_the_text_in_its_order_each_as_long_as_it_can_be(
    lengths: list[list[int]], room: int
) -> None:
    borders = np.cumsum([0, *(length for document in lengths for length in document)])
    starts = np.cumsum([0, *map(sum, lengths)])[:-1]
    sentences = find_sentences(np.zeros(borders[-1]), starts, borders[:-1])
    pieces = sentences.pack(room)
    assert pieces[0, 0] == 0 and pieces[-1, 1] == len(sentences)
    assert pieces[1:, 0].tolist() == pieces[:-1, 1].tolist()
    sizes = sentences.lengths(pieces).tolist()
    assert sum(sizes) == borders[-1] and max(sizes) <= room
    for (begin, end), size in zip(pieces.tolist(), sizes, strict=True):
        documents = sentences.documents[begin:end]
        assert (documents == documents[0]).all()
        if end < len(sentences) and sentences.documents[end] == documents[0]:
            assert size + sentences.ends[end] - sentences.begins[end] > room


def test_a_sentence_that_does_not_fit_is_refused() -> None:
    sentences = find_sentences(IDS, DOCUMENTS, np.array([]), end=END)
    with pytest.raises(ValueError, match="a sentence of 5 tokens does not fit into 4"):
        sentences.pack(4)


@pytest.mark.parametrize(("documents", "longest"), [([], 3), ([2, 6], 3), ([0], 0)])
def test_impossible_sentences_are_refused(documents: list[int], longest: int) -> None:
    with pytest.raises(ValueError, match="the first document begins at 0"):
        find_sentences(IDS, np.array(documents), np.array([]), longest=longest)
