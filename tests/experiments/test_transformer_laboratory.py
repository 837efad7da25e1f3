"""Readers of documents of Pocket English: what is read, what it costs, and who is measured how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nnlm2bert.evaluation.attention_heads import subject_weights
from nnlm2bert.experiments.elmo.laboratory import Documents
from nnlm2bert.experiments.transformer import laboratory
from nnlm2bert.experiments.transformer.laboratory import PLACES, Reading
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.sequence_readers import NextWordModel, equal_sizes
from nnlm2bert.synthetic import Oracle, PocketEnglish

LANGUAGE = PocketEnglish()
SMALL = replace(laboratory.recipe("smoke").reader, layers=1)
WORDS = 600


@pytest.fixture(scope="module")
def text() -> Reading:
    return Reading(Documents.of(LANGUAGE, WORDS, 5), context=512)


@pytest.fixture(scope="module")
def models() -> dict[str, NextWordModel]:
    torch.manual_seed(0)
    return {
        kind: NextWordModel(len(LANGUAGE), config).eval()
        for kind, config in equal_sizes(SMALL).items()
    }


def short(text: Reading, context: int) -> Reading:
    return replace(text, context=context)


def test_each_word_is_predicted_from_those_before_it_in_its_document(text):
    rows = np.arange(len(text.documents.lengths))
    tokens, targets = text.pairs(rows)
    assert tokens.shape == targets.shape
    ids, end = text.documents.sample.ids, LANGUAGE.end_id
    assert (tokens[:, 0] == end).all()
    for row, length in enumerate(text.lengths):
        start = text.documents.starts[row]
        assert targets[row, :length].tolist() == ids[start : start + length].tolist()
        assert tokens[row, 1:length].tolist() == targets[row, : length - 1].tolist()
        assert targets[row, length - 1] == end
        assert (targets[row, length:] == IGNORED).all()
    assert sum(text.lengths) == len(ids)


def test_what_is_beyond_the_context_is_left_out(text):
    cut, rows = short(text, 10), np.arange(len(text.documents.lengths))
    for ours, theirs in zip(cut.pairs(rows), text.pairs(rows), strict=True):
        assert torch.equal(ours, theirs[:, :10])
    assert cut.lengths.max() == 10 and (cut.lengths <= text.lengths).all()


def test_places_count_the_words_of_each_document(text):
    ends = text.documents.sample.ids == LANGUAGE.end_id
    assert len(text.places) == len(ends)
    assert text.places[0] == 1 and (text.places[1:][ends[:-1]] == 1).all()
    inside = ~ends[:-1]
    assert (np.diff(text.places)[inside] == 1).all()


@pytest.mark.parametrize("kind", ["attention", "lstm", "convolution"])
def test_costs_are_those_of_each_document_alone(text, models, kind):
    nats = laboratory.word_costs(models[kind], text)
    ids = text.documents.sample.ids
    for row in (0, 1, len(text.lengths) - 1):
        start, length = text.documents.starts[row], text.lengths[row]
        words = torch.from_numpy(ids[start : start + length])
        context = torch.cat([torch.tensor([LANGUAGE.end_id]), words[:-1]])
        scores = models[kind].logits(models[kind](context[None]))[0]
        expected = torch.nn.functional.cross_entropy(scores, words, reduction="none")
        np.testing.assert_allclose(
            nats[start : start + length], expected.detach().numpy(), rtol=1e-3
        )


def test_the_limit_is_that_of_the_same_words(text, models):
    costs = laboratory.against_limit({"model": models["lstm"]}, text)
    limit = Oracle(LANGUAGE).left_floor(text.documents.sample.ids)
    np.testing.assert_allclose(costs.nats["limit"], limit)
    assert costs.above("model", "limit") > 0.5
    cut = short(text, 6)
    inside = text.places <= 6
    shorter = laboratory.against_limit({"model": models["lstm"]}, cut)
    assert not np.isnan(shorter.nats["model"]).any()
    np.testing.assert_allclose(shorter.nats["limit"], limit[inside])
    np.testing.assert_allclose(shorter.nats["model"], costs.nats["model"][inside], rtol=1e-4)


def test_ranges_of_places_add_up_to_everything(text, models):
    costs = laboratory.against_limit({"model": models["attention"]}, text)
    found = laboratory.by_place(costs, text)
    for name, rows in found.items():
        assert sum(rows["words"]) == len(text.places)
        assert sum(rows["nats"]) == pytest.approx(costs.nats[name].sum())
        assert rows["from"] == list(PLACES[: len(rows["from"])])
    first, second = found["limit"]["words"][:2]
    assert first == (text.places == 1).sum() and second == (text.places == 2).sum()
    third = costs.nats["limit"][(text.places == 3) | (text.places == 4)].sum()
    assert found["limit"]["nats"][2] == pytest.approx(third)


def test_items_have_their_subject_where_it_is_looked_for():
    asked = laboratory.items(LANGUAGE, "smoke")
    named = laboratory.nouns(LANGUAGE)
    assert list(asked) == [0, 1, 2, 3] and {len(own) for own in asked.values()} == {40}
    for phrases, own in asked.items():
        for item in own:
            subject = item.context[len(item.context) - 1 - item.distance]
            assert int(subject) in named
            assert item.context[0] == LANGUAGE.end_id and (item.distance > 0) == (phrases > 0)


def test_weights_on_subjects_of_either_number_make_up_those_on_all(models):
    asked = {n: own[:8] for n, own in laboratory.items(LANGUAGE, "smoke").items() if n < 2}
    found = laboratory.weights_by_number(models["attention"], asked, LANGUAGE)
    words = {item.right: laboratory.number_of(item, LANGUAGE) for item in asked[1]}
    for verb, number in words.items():
        assert LANGUAGE.vocabulary[verb].endswith("s") == (number == "singular")
    for n, own in asked.items():
        both = [found[number][n].mean for number in ("singular", "plural")]
        whole = subject_weights(models["attention"], own, laboratory.nouns(LANGUAGE)).mean
        np.testing.assert_allclose(np.mean(both, axis=0), whole, rtol=1e-5)


def test_readers_of_a_scale_have_equally_many_parameters():
    for scale in ("smoke", "live", "laptop", "gpu"):
        chosen = laboratory.recipe(scale)
        sizes = [config.parameters for config in equal_sizes(chosen.reader).values()]
        assert max(sizes) / min(sizes) < 1.04
        assert chosen.reader.context == 512


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_a_seed_gives_the_same_reader_and_another_one_not(monkeypatch, kind):
    small = replace(laboratory.recipe("smoke"), reader=SMALL, words=1_500, batch=256, steps=3)
    monkeypatch.setitem(laboratory.RECIPES, "smoke", small)
    one, again, other = (
        laboratory.train_reader(LANGUAGE, "smoke", seed, kind)[0].tokens.weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize("name", laboratory.VARIANTS)
def test_a_variant_changes_the_network(name):
    changed = replace(SMALL, **laboratory.VARIANTS[name])
    assert changed != SMALL
