"""Between BERT's marks: what is read of a task, and where networks of each direction are read."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.wordpiece import CLASS_ID, SEPARATOR_ID, SPECIAL, UNKNOWN
from nnlm2bert.transfer import Example
from nnlm2bert.transfer.bert_inputs import (
    MarkedBatch,
    at_spans,
    joined,
    last_vectors,
    layer_vectors,
    sequences_of,
    vector_width,
    word_by_word,
)
from nnlm2bert.transfer.marked_words import MarkedWords

WORDS = ("the", "film", "was", "un", "##happi", "##ly", "good")
NETWORKS = ("BERT", "GPT", "TransformerBiLM")
SIZE = len(SPECIAL) + len(WORDS)


@pytest.fixture(scope="module")
def encoder() -> MarkedWords:
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    pieces = SubwordEncoder(Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN)))
    return MarkedWords.of_pieces(pieces)


def ids(*words: str) -> list[int]:
    return [len(SPECIAL) + WORDS.index(word) for word in words]


def network(kind: str, norm: str = "post"):
    torch.manual_seed(0)
    sizes = {"context": 12, "width": 8, "heads": 2, "layers": 2, "inner": 16, "dropout": 0.0}
    if kind == "BERT":
        found = BERT(bert_config(SIZE, norm=norm, **sizes))
    else:
        config = TransformerConfig(SIZE, norm=norm, **sizes)
        found = {"GPT": GPT, "TransformerBiLM": TransformerBiLM}[kind](config)
    for parameter in found.parameters():
        parameter.data.add_(0.2 * torch.randn(parameter.shape))
    return found.eval()


def test_a_sentence_and_a_pair_stand_between_marks(encoder: MarkedWords) -> None:
    first, second = ("the", "film"), ("unhappily", "good")
    (alone,) = sequences_of(Example((first,), 0), "sentence", encoder, 12)
    assert alone.tokens == (CLASS_ID, *ids(*first), SEPARATOR_ID)
    assert alone.segments == (0,) * 4 and alone.spans == ((0, 3),)
    pieces = ids("un", "##happi", "##ly", "good")
    for kind in ("pair", "score"):
        (pair,) = sequences_of(Example((first, second), 0), kind, encoder, 12)
        assert pair.tokens == (CLASS_ID, *ids(*first), SEPARATOR_ID, *pieces, SEPARATOR_ID)
        assert pair.segments == (0,) * 4 + (1,) * 5 and pair.spans == ((0, 8),)


def test_each_answer_stands_with_the_text(encoder: MarkedWords) -> None:
    example = Example((("the", "film"), ("good",), ("was", "good")), 1)
    one, other = sequences_of(example, "choice", encoder, 12)
    assert one.tokens[:4] == other.tokens[:4] and one.tokens[4:-1] == tuple(ids("good"))
    assert other.tokens[4:-1] == tuple(ids("was", "good"))


def test_words_are_spans_of_their_pieces(encoder: MarkedWords) -> None:
    (found,) = word_by_word(("The", "unhappily", "film"), encoder, 12)
    assert found.tokens == (
        CLASS_ID,
        *ids("the", "un", "##happi", "##ly", "film"),
        SEPARATOR_ID,
    )
    assert found.spans == ((1, 1), (2, 4), (5, 5))


def test_what_does_not_fit_goes_on_in_a_second_sequence(encoder: MarkedWords) -> None:
    words = ("the", "unhappily", "film", "was", "good")
    one, other = word_by_word(words, encoder, 6)
    assert len(one.tokens) == 6 and len(one.spans) == 2
    assert other.tokens[1:-1] == tuple(ids("film", "was", "good"))
    (asked,) = sequences_of(Example((words,), 0, position=3), "word", encoder, 6)
    assert asked.tokens == other.tokens and asked.spans == (other.spans[1],)
    (long,) = word_by_word(("unhappily",), encoder, 4)
    assert long.tokens[1:-1] == tuple(ids("un", "##happi")) and long.spans == ((1, 2),)


def test_two_sentences_are_read_as_a_whole_and_at_a_word_of_each(encoder: MarkedWords) -> None:
    first, second = ("the", "unhappily", "film"), ("good", "film")
    example = Example((first, second), 0, position=(1, 1))
    (found,) = sequences_of(example, "word-pair", encoder, 12)
    parts = (*ids("the", "un", "##happi", "##ly", "film"), SEPARATOR_ID, *ids("good", "film"))
    assert found.tokens == (CLASS_ID, *parts, SEPARATOR_ID)
    assert found.segments == (0,) * 7 + (1,) * 3
    assert found.spans == ((0, 9), (2, 4), (8, 8))


def test_what_is_far_from_the_words_in_question_is_left_out(encoder: MarkedWords) -> None:
    example = Example((("the", "film", "was", "good"), ("good",)), 0, position=(3, 0))
    (found,) = sequences_of(example, "word-pair", encoder, 6)
    expected = (CLASS_ID, *ids("was", "good"), SEPARATOR_ID, *ids("good"), SEPARATOR_ID)
    assert found.tokens == expected and found.spans == ((0, 5), (2, 2), (4, 4))
    long = Example((("unhappily",), ("good", "film")), 0, position=(0, 0))
    (found,) = sequences_of(long, "word-pair", encoder, 6)
    assert found.tokens[1:3] == tuple(ids("un", "##happi")) and found.spans[1:] == ((1, 2), (4, 4))


def test_texts_are_cut_at_the_end_of_the_longer() -> None:
    found = joined([[5, 6, 7, 8], [9, 10]], 7)
    assert found.tokens == (CLASS_ID, 5, 6, SEPARATOR_ID, 9, 10, SEPARATOR_ID)
    with pytest.raises(ValueError, match="cannot hold 2 parts"):
        joined([[5], [6]], 4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_padding_is_never_read(encoder: MarkedWords, kind: str) -> None:
    model = network(kind)
    rows = [("the",), ("the", "unhappily", "film"), ("good", "film")]
    found = [s for row in rows for s in word_by_word(row, encoder, 12)]
    together = MarkedBatch.of(found)
    assert together.inside is not None and MarkedBatch.of(found[:1]).inside is None
    for read in (last_vectors, layer_vectors):
        vectors = at_spans(model, read(model, together), together)
        alone = [at_spans(model, read(model, b), b) for b in (MarkedBatch.of([s]) for s in found)]
        torch.testing.assert_close(vectors, torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_the_last_layer_is_what_the_network_returns(
    encoder: MarkedWords, kind: str, norm: str
) -> None:
    model = network(kind, norm)
    found = [s for row in (("the", "film"), ("good",)) for s in word_by_word(row, encoder, 12)]
    batch = MarkedBatch.of(found)
    layers, inside = layer_vectors(model, batch), batch.inside
    assert layers.shape[2:] == (3, vector_width(model))
    torch.testing.assert_close(layers[:, :, -1][inside], last_vectors(model, batch)[inside])
    assert not torch.allclose(layers[:, :, 1], layers[:, :, 2])


def test_each_network_is_read_where_it_has_seen_the_word(encoder: MarkedWords) -> None:
    """A change after the word moves BERT's vector alone, one before it both others'."""
    words = ("was", "unhappily", "film")
    for kind in NETWORKS:
        model = network(kind)

        def vector(changed: tuple[str, ...], model=model) -> torch.Tensor:
            batch = MarkedBatch.of(word_by_word(changed, encoder, 12))
            return at_spans(model, last_vectors(model, batch), batch)[1]

        plain = vector(words)
        moved = {
            "before": (vector(("good", *words[1:])) - plain).abs() > 1e-4,
            "after": (vector((*words[:2], "good")) - plain).abs() > 1e-4,
        }
        half = len(plain) // 2
        if kind == "BERT":
            assert moved["before"].any() and moved["after"].any()
        elif kind == "GPT":
            assert moved["before"].any() and not moved["after"].any()
        else:
            assert moved["before"][:half].any() and not moved["before"][half:].any()
            assert moved["after"][half:].any() and not moved["after"][:half].any()


def test_segments_are_read(encoder: MarkedWords) -> None:
    model = network("BERT")
    batch = MarkedBatch.of([joined([[5, 6], [7]], 12)])
    plain = last_vectors(model, batch)
    model.layers[0].segments.weight.data[1] += torch.arange(8.0)
    assert not torch.allclose(plain, last_vectors(model, batch))
