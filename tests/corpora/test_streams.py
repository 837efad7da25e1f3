"""The stream of the Brown corpus: its marks, its documents, and the split of the NNLM paper."""

from __future__ import annotations

import numpy as np
import pytest
from loopback import use_real_data

from nnlm2bert.corpora import PARAGRAPH_MARK, TEXT_MARK, TokenStream, load_brown_stream, streams
from nnlm2bert.corpora.readers.brown import BrownText


def _text(name, *paragraphs):
    return BrownText(
        name, "news", [[[(t, "nn") for t in s.split()] for s in p] for p in paragraphs]
    )


@pytest.fixture
def toy(monkeypatch):
    from nnlm2bert.corpora.readers import brown

    texts = [_text("ca01", ["A b", "c"], ["d"]), _text("ca02", ["e"])]
    monkeypatch.setattr(streams, "fetch", lambda name: {})
    monkeypatch.setattr(brown, "read_texts", lambda paths: iter(texts))
    return load_brown_stream()


def test_marks_end_paragraphs_and_texts(toy):
    assert toy.tokens == ["A", "b", "c", "<p>", "d", "<p>", "<text>", "e", "<p>", "<text>"]
    assert (PARAGRAPH_MARK, TEXT_MARK) == ("<p>", "<text>")


def test_documents_name_the_text_of_every_token(toy):
    assert toy.names == ("ca01", "ca02")
    np.testing.assert_array_equal(toy.documents, [0] * 7 + [1] * 3)
    assert toy.documents.dtype == np.int32


def test_split_keeps_order_and_documents(toy):
    parts = toy.split(2, 6)
    assert [len(part) for part in parts] == [2, 6, 2]
    assert [token for part in parts for token in part.tokens] == toy.tokens
    np.testing.assert_array_equal(parts[1].documents, [0] * 5 + [1])
    assert all(isinstance(part, TokenStream) and part.names == toy.names for part in parts)


def test_split_of_all_leaves_an_empty_rest(toy):
    assert [len(part) for part in toy.split(10)] == [10, 0]


@pytest.mark.parametrize("sizes", [(11,), (5, 6), (-1,)])
def test_split_that_cannot_be(toy, sizes):
    with pytest.raises(ValueError, match="cannot cut"):
        toy.split(*sizes)


def test_counts_of_the_real_stream(tmp_path, monkeypatch):
    use_real_data(monkeypatch, tmp_path, "brown")
    stream = load_brown_stream()
    assert len(stream) == len(stream.documents) == 1_161_192 + 15_667 + 500
    assert stream.tokens.count(PARAGRAPH_MARK) == 15_667
    assert stream.tokens.count(TEXT_MARK) == len(stream.names) == stream.documents[-1] + 1 == 500
    assert [len(part) for part in stream.split(800_000, 200_000)] == [800_000, 200_000, 177_359]
