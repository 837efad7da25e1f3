"""Answers and translations are measured at scale smoke, by all ways, with the same units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nnlm2bert.evaluation.bleu import COUNTS
from nnlm2bert.evaluation.intervals import Measured
from nnlm2bert.experiments.four_tasks import answers, translation
from nnlm2bert.experiments.four_tasks.answers import (
    SCALES,
    WAYS,
    measure_spans,
    measure_vectors,
    units,
)
from nnlm2bert.experiments.four_tasks.translation import (
    drawn,
    measure_translation,
    scale_of,
    translation_figures,
    translation_groups,
)
from nnlm2bert.experiments.records import SCALES as RECORDED
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.transfer.answers import AnswerTask, Asked, answer, load_answers
from nnlm2bert.transfer.bert_spans import BERTSpans
from nnlm2bert.transfer.first_layer import FirstLayer
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.translation import (
    BLEU,
    SENTENCES,
    Translated,
    TranslationTask,
    load_translation,
)
from nnlm2bert.transfer.translation import WAYS as TRANSLATED_WAYS

pytest.importorskip("sacrebleu")


@pytest.fixture(scope="module")
def read() -> MarkedWords:
    return MarkedWords.of_laboratory(PocketEnglish())


@pytest.fixture(scope="module")
def bert() -> BERT:
    torch.manual_seed(0)
    sizes = {"context": 64, "width": 16, "heads": 2, "layers": 1, "inner": 32, "dropout": 0.0}
    return BERT(bert_config(602, norm="pre", **sizes))


@pytest.fixture(scope="module")
def pairs() -> TranslationTask:
    return load_translation("laboratory translation", scale_of(SENTENCES, "smoke").sizes)


@pytest.fixture(scope="module")
def questions() -> AnswerTask:
    return load_answers("laboratory answers", SCALES["laboratory answers"]["smoke"].sizes)


def captions() -> TranslationTask:
    """Pairs that are measured by BLEU."""
    texts = [f"Ein Mann sieht {number} Hunde." for number in range(40)]
    examples = [Translated(("the", "man", "sees", "dogs", "."), text) for text in texts]
    parts = {"train": examples, "validation": examples[:4], "test": examples[:8]}
    return TranslationTask("captions", BLEU, parts)


@pytest.mark.parametrize("way", TRANSLATED_WAYS)
def test_translation_is_measured(
    way: str, pairs: TranslationTask, bert: BERT, read: MarkedWords
) -> None:
    found = measure_translation(pairs, bert, read, way, "smoke", seed=0, pairs=40)
    assert set(found.groups) == {"sentences", "words"}
    assert sum(found.groups["sentences"]["tokens"]) == 12
    assert Measured.from_groups([found.groups["words"]]).score == found.figures["words"]
    assert found.figures["nats"] > 1 and len(found.series["held-out nats"]) >= 2


def test_a_frozen_encoder_has_fewer_weights_to_learn(
    pairs: TranslationTask, bert: BERT, read: MarkedWords
) -> None:
    numbers = [
        measure_translation(pairs, bert, read, way, "smoke", seed=0, pairs=20).figures["weights"]
        for way in ("scratch", "encoder frozen", "both tuned")
    ]
    encoder = sum(p.numel() for p in (*bert.layers.parameters(), *bert.norm.parameters()))
    assert numbers[0] == numbers[2] == numbers[1] + encoder


def test_an_encoder_from_scratch_learns_at_the_rate_of_the_rest(
    pairs: TranslationTask, bert: BERT, read: MarkedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    learn, smoke = translation.learn_translation, scale_of(SENTENCES, "smoke")
    slow = replace(smoke, recipe=replace(smoke.recipe, encoder_rate=0.1))
    monkeypatch.setattr(translation, "SCALES", {SENTENCES: {"smoke": slow}})

    def noted(*asked: Any, **settings: Any) -> Any:
        rates.append(asked[3].encoder_rate)
        return learn(*asked, **settings)

    monkeypatch.setattr(translation, "learn_translation", noted)
    for way in ("scratch", "both tuned"):
        measure_translation(pairs, bert, read, way, "smoke", seed=0, pairs=20)
    assert rates == [1.0, 0.1]


def test_captions_are_measured_by_bleu(bert: BERT, read: MarkedWords) -> None:
    found = measure_translation(captions(), bert, read, "both tuned", "smoke", seed=0)
    assert list(found.groups) == [f"BLEU: {name}" for name in COUNTS]
    assert 0 <= found.figures["BLEU"] <= 100
    right = [example.target for example in captions().splits["test"]]
    assert translation_figures(translation_groups(BLEU, right, right))["BLEU"] == pytest.approx(100)


def test_a_smaller_draw_is_part_of_a_larger_one(pairs: TranslationTask) -> None:
    assert drawn(pairs, 10, 1) == drawn(pairs, 30, 1)[:10] != drawn(pairs, 10, 2)
    assert sorted(map(repr, drawn(pairs, None, 3))) == sorted(map(repr, pairs.splits["train"]))


@pytest.mark.parametrize("way", WAYS)
def test_answers_are_measured(
    way: str, questions: AnswerTask, bert: BERT, read: MarkedWords
) -> None:
    found = measure_spans(questions, bert, read, way, "smoke", seed=0)
    assert found.groups["F1"]["tokens"] == [1] * 12
    assert 0 <= found.figures["exact match"] <= found.figures["F1"] <= 1
    head = 2 * bert.config.width + 2
    assert (found.figures["weights"] == head) is (way == "frozen")


def test_what_answers_begins_as_bert_or_at_random(
    questions: AnswerTask, bert: BERT, read: MarkedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Tensor]] = []
    learn = answers.learn_answers

    def noted(make: Callable[[], BERTSpans], *others: Any, **settings: Any) -> Any:
        begun.append({name: part.clone() for name, part in make().encoder.state_dict().items()})
        return learn(make, *others, **settings)

    monkeypatch.setattr(answers, "learn_answers", noted)
    for way in WAYS:
        measure_spans(questions, bert, read, way, "smoke", seed=0)
    same = [
        all(torch.equal(part, bert.state_dict()[name]) for name, part in weights.items())
        for weights in begun
    ]
    assert dict(zip(WAYS, same, strict=True)) == {"scratch": False, "frozen": True, "tuned": True}


def test_the_test_part_is_asked(
    questions: AnswerTask, bert: BERT, read: MarkedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(network: BERTSpans, questions: Sequence[Asked]) -> list[tuple[int, int]]:
        asked.append(list(questions))
        return answer(network, questions)

    monkeypatch.setattr(answers, "answer", noted)
    measure_spans(questions, bert, read, "frozen", "smoke", seed=0)
    assert asked == [list(questions.splits["test"])]


def test_other_ways_are_refused(questions: AnswerTask, bert: BERT, read: MarkedWords) -> None:
    with pytest.raises(ValueError, match="choose one of scratch, frozen, tuned"):
        measure_spans(questions, bert, read, "fine-tuned", "smoke", seed=0)


def test_vectors_of_any_stage_are_measured(questions: AnswerTask) -> None:
    words = [word for one in questions.splits["train"] for word in one.paragraph]
    found = measure_vectors(questions, lambda: FirstLayer(words, dimension=8), "smoke", seed=0)
    assert set(found.figures) >= {"exact match", "F1"}
    assert found.groups["exact match"]["tokens"] == found.groups["F1"]["tokens"]


def test_right_spans_score_one(questions: AnswerTask) -> None:
    asked = questions.splits["test"]
    exact, partly = units([(one.begin, one.end) for one in asked], asked)
    assert exact["nats"] == partly["nats"] == [1.0] * len(asked)


def test_every_scale_has_its_recipes() -> None:
    for scale in (*RECORDED, "live"):
        for measure in (SENTENCES, BLEU):
            assert scale_of(measure, scale).recipe.steps > 0
    assert scale_of(BLEU, "gpu") is scale_of(BLEU, "laptop")
