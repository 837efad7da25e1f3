"""Spans of a paragraph: loss, choice, reading in windows, and heads that learn to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.transfer.answers import (
    Asked,
    SpanNetwork,
    SpanRecipe,
    answer,
    best_span,
    learn_answers,
    load_answers,
    span_loss,
)
from nnlm2bert.transfer.bert_inputs import MarkedBatch, at_spans, last_vectors
from nnlm2bert.transfer.bert_spans import BERTSpans, chosen_places, windows
from nnlm2bert.transfer.first_layer import FirstLayer
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.span_head import SpanHead, match

SIZES = {"train": 40, "validation": 8, "test": 8}
CONFIG = bert_config(602, context=64, width=16, heads=2, layers=1, inner=32, dropout=0.0)
KINDS = {"BERT": BERT, "GPT": GPT, "TransformerBiLM": TransformerBiLM}


@pytest.fixture(scope="module")
def splits() -> dict[str, Sequence[Asked]]:
    return dict(load_answers("laboratory answers", SIZES).splits)


@pytest.fixture(scope="module")
def read() -> MarkedWords:
    return MarkedWords.of_laboratory(PocketEnglish())


def network(kind: str = "BERT", **options: object) -> nn.Module:
    torch.manual_seed(0)
    config = replace(CONFIG, **options)
    return KINDS[kind](config if kind == "BERT" else replace(config, causal=True, segments=0))


# Scores, spans and loss.


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_the_best_span_is_the_best_of_all(words: int, longest: int, seed: int) -> None:
    scores = torch.randn(words, 2, generator=torch.Generator().manual_seed(seed))
    spans = [(b, e) for b in range(words) for e in range(b + 1, min(words, b + longest) + 1)]
    best = max(spans, key=lambda span: float(scores[span[0], 0] + scores[span[1] - 1, 1]))
    assert best_span(scores, longest) == best


def test_loss_is_that_of_begin_and_end(splits: dict[str, Sequence[Asked]]) -> None:
    asked = splits["test"][:3]
    lengths = [len(one.paragraph) for one in asked]
    scores = torch.randn(3, max(lengths), 2, generator=torch.Generator().manual_seed(1))
    inside = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    scores = scores.masked_fill(~inside.unsqueeze(2), -torch.inf)
    costs = []
    for row, one, length in zip(scores, asked, lengths, strict=True):
        logs = row[:length].log_softmax(dim=0)
        costs += [-logs[one.begin, 0], -logs[one.end - 1, 1]]
    loss, terms = span_loss(scores, asked)
    torch.testing.assert_close(loss, torch.stack(costs).mean())
    assert terms == 3


def test_answers_are_written_as_in_the_text(splits: dict[str, Sequence[Asked]]) -> None:
    for one in splits["train"]:
        assert one.written((one.begin, one.end)) == one.answer
        assert one.text == " ".join(one.paragraph)
    spaced = Asked(
        ("Who", "?"),
        ("Mary", "'s", "dog"),
        0,
        2,
        "Mary's",
        "Mary's dog",
        ((0, 4), (4, 6), (7, 10)),
        0,
    )
    assert spaced.written((0, 2)) == "Mary's" and spaced.written((1, 3)) == "'s dog"


# Windows.


def asked_about(words: int) -> Asked:
    text = tuple(f"w{number}" for number in range(words))
    return Asked(("who", "ran", "?"), text, 0, 1, "", "", (), 0)


def marked(long: str = "") -> MarkedWords:
    """Words of the paragraph are one token each, 100 and up, but for one, which is three."""

    def pieces(word: str) -> list[int]:
        number = 100 + int(word[1:]) if word[1:].isdigit() else 9
        return [number, 7, 8] if word == long else [number]

    return MarkedWords(pieces, {}, 2, 3)


def test_a_short_paragraph_is_one_window() -> None:
    (found,) = windows(asked_about(5), marked("w1"), context=16, stride=4)
    assert found.sequence.tokens == (2, 9, 9, 9, 3, 100, 101, 7, 8, 102, 103, 104, 3)
    assert found.sequence.segments == (0,) * 5 + (1,) * 8
    assert found.sequence.spans == ((5, 5), (6, 8), (9, 9), (10, 10), (11, 11))
    assert found.words == range(5)


def test_a_long_paragraph_is_read_in_windows() -> None:
    found = windows(asked_about(14), marked(), context=12, stride=3)  # room for six words
    assert [window.words for window in found] == [
        *(range(0, 6), range(3, 9), range(6, 12), range(9, 14))
    ]
    assert all(len(window.sequence.tokens) <= 12 for window in found)
    places = chosen_places(found, 14)
    read = [word for window in found for word in window.words]
    assert [read[place] for place in places] == list(range(14))
    # Of word 4 the first window has one word to its right, as the second has to its left.
    assert [places[word] for word in (3, 4, 5, 13)] == [3, 4, 8, 22]


@given(st.integers(1, 40), st.integers(10, 30), st.integers(1, 20), st.integers(0, 39))
def test_each_word_is_read_once(words: int, context: int, stride: int, long: int) -> None:
    found = windows(asked_about(words), marked(f"w{long}"), context, stride)
    read = [word for window in found for word in window.words]
    assert [read[place] for place in chosen_places(found, words)] == list(range(words))
    assert all(len(window.sequence.tokens) <= context and window.words for window in found)


def test_a_context_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        windows(asked_about(3), marked(), context=4, stride=1)


# Networks.


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_read_at_the_words(
    kind: str, splits: dict[str, Sequence[Asked]], read: MarkedWords
) -> None:
    model = BERTSpans(network(kind), read).eval()
    asked = splits["test"][:4]
    scores = model(asked)
    lengths = [len(one.paragraph) for one in asked]
    assert scores.shape == (4, max(lengths), 2)
    for row, one, length in zip(scores, asked, lengths, strict=True):
        assert row[:length].isfinite().all() and (row[length:] == -torch.inf).all()
        torch.testing.assert_close(row[:length], model([one])[0])
    words = (*asked[0].question[:2], "not", *asked[0].question[2:])
    other = model([replace(asked[0], question=words)])
    assert (other - scores[:1, : lengths[0]]).abs().amin() > 0  # the question is seen everywhere


def test_a_word_is_scored_in_its_own_window(
    splits: dict[str, Sequence[Asked]], read: MarkedWords
) -> None:
    model, one = BERTSpans(network(context=24), read, stride=5).eval(), splits["test"][0]
    found, scores = model.windows(one), []
    for window in found:
        batch = MarkedBatch.of([window.sequence])
        vectors = at_spans(model.encoder, last_vectors(model.encoder, batch), batch)
        scores.append(model.output(vectors))
    chosen = torch.cat(scores)[chosen_places(found, len(one.paragraph))]
    assert len(found) > 2
    torch.testing.assert_close(model([one])[0], chosen)


@pytest.mark.parametrize("frozen", [True, False])
def test_what_learns(frozen: bool, splits: dict[str, Sequence[Asked]], read: MarkedWords) -> None:
    model = BERTSpans(network(), read, dropout=0.0, frozen=frozen)
    before = {name: p.clone() for name, p in model.encoder.named_parameters()}
    recipe = SpanRecipe(steps=3, batch_size=8, evaluations=1, dropout=0.0)
    learned, _ = learn_answers(
        lambda: model, splits["train"], splits["validation"], recipe, right_share, seed=0
    )
    moved = [n for n, p in learned.encoder.named_parameters() if not torch.equal(p, before[n])]
    assert bool(moved) is not frozen
    assert bool(learned.said) is frozen


def right_share(spans: Sequence[tuple[int, int]], asked: Sequence[Asked]) -> float:
    pairs = zip(spans, asked, strict=True)
    return sum(span == (one.begin, one.end) for span, one in pairs) / len(asked)


def first_layer(asked: Sequence[Asked]) -> FirstLayer:
    words = [word for one in asked for word in (*one.question, *one.paragraph)]
    return FirstLayer(words, dimension=16)


def makers(asked: Sequence[Asked], read: MarkedWords) -> dict[str, SpanNetwork]:
    """A network of each kind, after a seed was set."""
    return {
        "fine-tuned": BERTSpans(network(width=32, inner=64), read, dropout=0.0),
        "head": SpanHead(first_layer(asked)),
    }


@pytest.mark.parametrize("way", ["fine-tuned", "head"])
def test_a_few_questions_are_learned_by_heart(
    way: str, splits: dict[str, Sequence[Asked]], read: MarkedWords
) -> None:
    few = splits["train"][:4]
    recipe = SpanRecipe(steps=50, batch_size=4, learning_rate=1e-2, evaluations=2)
    learned, result = learn_answers(
        lambda: makers(few, read)[way], few, few, recipe, right_share, seed=0
    )
    assert right_share(answer(learned, few, batch=4), few) == 1 and result.best == -1


def test_the_head_never_looks_behind_the_end(splits: dict[str, Sequence[Asked]]) -> None:
    torch.manual_seed(0)
    asked = splits["test"][:5]
    head = SpanHead(first_layer(asked)).eval()
    scores = head(asked)
    for row, one in zip(scores, asked, strict=True):
        alone = head([one])[0]
        torch.testing.assert_close(row[: len(alone)], alone)
        assert (row[len(alone) :] == -torch.inf).all()
    alike = head.aligned(
        *(torch.randn(1, n, 16) for n in (4, 3)), torch.tensor([[True, False, False]])
    )
    torch.testing.assert_close(alike, alike[:, :1].expand(-1, 4, -1))


def test_words_of_the_question_are_told() -> None:
    asked = replace(
        asked_about(0),
        question=("Who", "saw", "Rome", "?"),
        paragraph=("rome", "Rome", "saw", "it"),
    )
    assert match(asked).tolist() == [[0, 1], [1, 1], [1, 1], [0, 0]]


def test_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="take laboratory answers or answers"):
        load_answers("spans")
