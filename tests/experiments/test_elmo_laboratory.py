"""The biLM in Pocket English: places, limits, and what two sides know together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nnlm2bert.experiments.elmo import laboratory
from nnlm2bert.experiments.elmo.laboratory import (
    Concatenation,
    Costs,
    Documents,
    against_floors,
    fusion,
    in_blocks,
    recipe,
    surroundings,
    vectors_at,
    word_costs,
)
from nnlm2bert.models.elmo import BiLM
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.training import seed_everything


@pytest.fixture(scope="module")
def language():
    return PocketEnglish()


@pytest.fixture(scope="module")
def text(language):
    return Documents.of(language, 1_200, laboratory.TEST)


@pytest.fixture(scope="module")
def bilm():
    seed_everything(0)
    return BiLM(recipe("smoke").config).eval()


@pytest.fixture(scope="module")
def first(text):
    """The words of the first document between its marks."""
    end = text.sample.language.end_id
    words = text.sample.ids[: np.flatnonzero(text.sample.ids == end)[0]]
    return torch.from_numpy(np.concatenate([[end], words, [end]]))


def test_sequences_are_documents_between_marks(text, first, language):
    words, lengths, targets = text.sequences(np.array([0, 1]))
    assert targets is words and lengths.tolist() == text.lengths[:2].tolist()
    assert words[0, : lengths[0]].equal(first)
    assert (words[[0, 1], lengths - 1] == language.end_id).all()


def test_places_lead_back_to_the_text(text):
    rows = np.array([0, 3, 1])
    words, places = text.sequences(rows)[0].numpy(), text.places(rows)
    there = places >= 0
    assert (text.sample.ids[places[there]] == words[there]).all()
    assert there.sum() == text.lengths[rows].sum() - 1  # all but the mark before the text
    assert (places[1:, 0] == text.starts[rows[1:]] - 1).all()


def test_parts_hold_every_document_once(text):
    parts = list(text.parts(400))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(text.lengths)))
    for rows in parts:
        assert len(rows) == 1 or len(rows) * text.lengths[rows].max() <= 400


def test_costs_of_a_text_are_those_of_its_documents_alone(bilm, text, first, language):
    forward, backward = word_costs(bilm, text)
    rows, lengths = laboratory.spellings(language), torch.tensor([len(first)])
    alone = bilm.costs(rows, first[None], lengths, first[None])
    size = len(first) - 1
    assert forward[:size] == pytest.approx(alone[0][0, 1:].numpy(), abs=1e-5)
    assert backward[: size - 1] == pytest.approx(alone[1][0, 1:-1].numpy(), abs=1e-5)


def test_only_the_last_mark_has_no_right(bilm, text):
    forward, backward = word_costs(bilm, text)
    assert not np.isnan(forward).any()
    assert np.flatnonzero(np.isnan(backward)).tolist() == [len(text.sample) - 1]


def test_a_mark_is_read_from_the_document_after_it(bilm, text, language):
    """Its cost from the right is that of the next document's first mark."""
    _, backward = word_costs(bilm, text)
    words, lengths, _ = text.sequences(np.array([1]))
    alone = bilm.costs(laboratory.spellings(language), words, lengths, words)[1]
    mark = int(text.starts[1]) - 1
    assert text.sample.ids[mark] == language.end_id
    assert backward[mark] == pytest.approx(float(alone[0, 0]), abs=1e-5)


def test_limits_are_those_of_the_same_words(bilm, text, language):
    found, ids = against_floors(bilm, text), text.sample.ids
    oracle = Oracle(language)
    assert found.nats["left limit"] == pytest.approx(oracle.left_floor(ids)[:-1])
    assert found.nats["right limit"] == pytest.approx(oracle.right_floor(ids)[:-1])
    assert found.above("forward", "left limit") > 0 and found.above("backward", "right limit") > 0
    assert (found.documents == text.sample.document_ids[:-1]).all()


def test_documents_tell_as_much_as_the_stream(text, language):
    """The exact limits of a document are the same whatever surrounds it."""
    oracle, begin = Oracle(language), int(text.starts[2])
    stop = int(text.starts[3])
    stream, alone = (oracle.floors(ids) for ids in (text.sample.ids, text.sample.ids[begin:stop]))
    for name in ("left", "right", "both", "product"):
        inside = slice(begin, stop - 1)  # the mark at the end is told by what comes after
        assert alone[name][:-1] == pytest.approx(stream[name][inside])


def test_groups_add_up_to_the_bits():
    costs = Costs(np.repeat(np.arange(7), 3), {"forward": np.arange(21.0)})
    few, many = costs.groups(blocks=3)["forward"], costs.groups(blocks=100)["forward"]
    assert (len(few["tokens"]), len(many["tokens"])) == (3, 7)
    for group in (few, many):
        assert sum(group["tokens"]) == 21 and sum(group["nats"]) == 210
    assert costs.bits["forward"] == pytest.approx(10 / math.log(2))
    assert costs.above("forward", "forward") == 0


def test_blocks_are_some_documents_in_a_row_alike_in_number():
    documents = np.repeat([2, 3, 5, 8, 9, 20, 21], 2)  # those without a word are not counted
    assert in_blocks(documents, 3).tolist() == [0] * 6 + [1] * 4 + [2] * 4
    assert in_blocks(documents, 7).tolist() == np.repeat(np.arange(7), 2).tolist()
    assert in_blocks(documents, 100).tolist() == np.repeat(np.arange(7), 2).tolist()


def test_vectors_stand_at_their_words(bilm, text, first, language):
    places = np.array([len(first) - 2, 0, len(first) + 3, 2])
    vectors = vectors_at(bilm, text, places)
    with torch.no_grad():
        alone = bilm(laboratory.spellings(language), first[None], torch.tensor([len(first)]))
    assert vectors.shape == (3, 4, 2 * bilm.config.width)
    for layer, vector in enumerate(alone):
        for row in (0, 1, 3):
            expected = vector[0, places[row] + 1].numpy()
            assert vectors[layer, row] == pytest.approx(expected, abs=1e-5)


def test_surroundings_have_not_read_the_word(bilm, text, first, language):
    found = surroundings(bilm, text)
    order = np.argsort(found.places)
    inside = np.flatnonzero(text.sample.ids != language.end_id)
    assert (found.places[order] == inside).all()
    assert (found.targets[order].numpy() == text.sample.ids[inside]).all()
    with torch.no_grad():
        top = bilm(laboratory.spellings(language), first[None], torch.tensor([len(first)]))[-1][0]
    width = bilm.config.width
    state = found.states[order][2]  # of word 2, at position 3 of its sequence
    assert torch.allclose(state[:width], top[2, :width], atol=1e-5)
    assert torch.allclose(state[width:], top[4, width:], atol=1e-5)


def test_concatenation_begins_as_the_product_of_both_predictions(bilm, text, language):
    unigram = Oracle(language).unigram
    found = surroundings(bilm, text)
    states, targets = found.states[:50], found.targets[:50]
    for hidden in (0, 8):
        readout = Concatenation(bilm, unigram, hidden)
        with torch.no_grad():
            left, right = (F.softmax(bilm.output(side), 1) for side in states.chunk(2, dim=1))
        product = left * right / torch.from_numpy(np.where(unigram > 0, unigram, np.inf))
        product = product / product.sum(dim=1, keepdim=True)
        expected = -product[torch.arange(50), targets].log()
        assert readout.costs(states, targets) == pytest.approx(expected.numpy(), abs=1e-4)


def test_exact_predictions_multiplied_are_the_limit_of_products(text, language):
    """Fed with exact log probabilities a concatenation costs what the oracle's product does."""
    oracle, size = Oracle(language), len(language)
    ids = text.sample.ids
    tables = (oracle.left_distribution(ids), oracle.right_distribution(ids))
    with np.errstate(divide="ignore"):
        states = np.concatenate([np.log(table).clip(min=-80) for table in tables], axis=1)
    one_way = BiLM(recipe("smoke").config)
    one_way.output = torch.nn.Linear(size, size)
    with torch.no_grad():
        one_way.output.weight.copy_(torch.eye(size))
        one_way.output.bias.zero_()
    readout = Concatenation(one_way, oracle.unigram)
    costs = readout.costs(torch.from_numpy(states).float(), torch.from_numpy(ids))
    assert costs == pytest.approx(oracle.product_floor(ids), abs=1e-3)


def test_words_are_numbered_as_in_the_language(language):
    assert {laboratory.recipe(scale).config.vocabulary_size for scale in ("smoke", "gpu")} == {
        len(language)
    }


def test_a_hidden_layer_learns_what_no_product_can_say():
    """Whether two signs agree: the exclusive or."""
    seed_everything(0)
    signs = torch.randint(0, 2, (500, 2)) * 2.0 - 1
    targets = (signs.prod(dim=1) > 0).long()
    learn = laboratory.Surroundings(signs, targets, np.arange(500))
    one_way = BiLM(recipe("smoke").config)
    one_way.output = torch.nn.Linear(1, 2)
    costs = {}
    for hidden in (0, 256):
        readout = Concatenation(one_way, np.array([0.5, 0.5]), hidden)
        laboratory.train_concatenation(readout, learn, seed=0, epochs=100)
        costs[hidden] = readout.costs(signs, targets).mean()
    assert costs[0] > 0.65 and costs[256] < 0.5


def test_fusion_measures_the_same_words_in_every_way(bilm, language):
    learn = Documents.of(language, 800, laboratory.READ_OUT)
    test = Documents.of(language, 600, laboratory.TEST)
    before = {name: tensor.clone() for name, tensor in bilm.state_dict().items()}
    costs = fusion(bilm, learn, test, hidden=8)
    words = int((test.sample.ids != language.end_id).sum())
    assert {len(nats) for nats in costs.nats.values()} == {words}
    assert list(costs.nats)[:4] == ["left", "right", "product", "both"]
    bits = costs.bits
    assert bits["both"] < bits["product"] < bits["left"] < bits["forward"]
    assert bits["concatenation"] != bits["concatenation + hidden layer"]
    assert all(tensor.equal(before[name]) for name, tensor in bilm.state_dict().items())


def test_a_seed_trains_the_same_biLM(language, tmp_path):
    one, result = laboratory.train_bilm(language, "smoke", seed=3)
    again, _ = laboratory.train_bilm(language, "smoke", seed=3, checkpoint=tmp_path / "biLM.pt")
    assert all(a.equal(b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert np.mean(result.history.losses[-9:]) < np.mean(result.history.losses[:9]) - 0.1
    assert (tmp_path / "biLM.pt").exists()
