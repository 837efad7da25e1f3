"""BERT and its rivals in Pocket English: what they read, what words cost them, what is recorded."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.bert import judges_laboratory as judges_bert_laboratory
from nnlm2bert.experiments.bert import laboratory as bert_laboratory
from nnlm2bert.experiments.bert import laboratory_measures as measures
from nnlm2bert.experiments.bert import laboratory_networks as networks
from nnlm2bert.experiments.bert import laboratory_readings as readings
from nnlm2bert.experiments.bert.beginnings import PLAIN
from nnlm2bert.experiments.bert.laboratory_networks import BLANK, CLS, SEP, SPECIAL, LaboratoryText
from nnlm2bert.experiments.bert.laboratory_task import TASK, WordReader
from nnlm2bert.experiments.elmo.laboratory import READ_OUT
from nnlm2bert.experiments.gpt.laboratory import seen_items
from nnlm2bert.experiments.gpt.pretraining import snapshot_steps
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.objectives import IGNORED
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.transfer import load_task

LANGUAGE = PocketEnglish()
SMOKE = networks.recipe("smoke")
MEASURED = ["masked", "masked-next", "left-to-right", "two-one-way"]


@pytest.fixture(scope="module")
def text() -> LaboratoryText:
    return LaboratoryText.of(LANGUAGE, 800, 5)


@pytest.fixture(scope="module")
def begun() -> dict[str, networks.Network]:
    """Networks before training, the softmax at the frequencies of the language."""
    torch.manual_seed(0)
    bias = torch.from_numpy(np.log(Oracle(LANGUAGE).unigram + 1e-4)).float()
    return {name: networks.begun(name, SMOKE.config, bias) for name in networks.OBJECTIVES}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    place = tmp_path_factory.mktemp("laboratory")
    folders = {"results": place / "results", "workspace": place / "work"}
    found = run(bert_laboratory.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
    for path in (place / "results").rglob("*.json"):
        assert len(path.read_text(encoding="utf-8")) < 60 * 1024
    return {record.arm: record for record in found}


# What they read, and how they begin.


def test_documents_stand_between_marks(text):
    rows = np.arange(len(text.documents.lengths))
    tokens, inside, places = text.sequences(rows)
    ids = text.documents.sample.ids
    assert (tokens[:, 0] == CLS).all() and (places[:, 0] == -1).all()
    words = (places >= 0) & (tokens.numpy() != SEP)
    np.testing.assert_array_equal(tokens.numpy()[words], ids[places[words]])
    np.testing.assert_array_equal(np.sort(places[places >= 0]), np.arange(len(ids)))
    assert (tokens[inside] == SEP).sum() == len(rows)
    assert inside.sum() == len(ids) + len(rows)


@pytest.mark.parametrize("objective", networks.OBJECTIVES)
def test_short_pieces_come_first_and_whole_documents_then(text, objective):
    batches = text.batches(SMOKE, objective, networks.Schedule(), seed=0)
    steps = networks.stage_steps(SMOKE.stages, SMOKE.steps)
    assert steps == [1, 2, 13]
    for number, stage in zip((0, 1), SMOKE.stages, strict=False):
        tokens = batches.batch(number)["tokens"]
        assert ((tokens == SEP).sum(dim=1) == 1).all() and tokens.shape[1] <= stage.context
    later = batches.batch(3)
    assert later["tokens"].shape[1] > SMOKE.stages[1].context
    marks = (later["tokens"] == SEP).sum(dim=1)
    assert (marks == (1 if networks.PAIRS[objective] is None else 2)).all()
    assert ("relations" in later) == (networks.PAIRS[objective] is not None)


def test_networks_of_a_scale_have_about_as_many_weights():
    for scale in ("smoke", "live", "laptop", "gpu"):
        config = networks.recipe(scale).config
        made = [networks.begun(n, config, torch.zeros(602)) for n in networks.OBJECTIVES]
        sizes = [sum(p.numel() for p in network.parameters()) for network in made]
        assert max(sizes) / min(sizes) < 1.09 and config.context == 512


def test_tables_begin_as_small_as_their_width_asks(begun):
    for network in begun.values():
        for part in network.modules():
            if isinstance(part, networks.Embedding):
                width = part.tokens.weight.shape[1]
                assert part.tokens.weight.std().item() == pytest.approx(width**-0.5, rel=0.05)


def test_a_seed_gives_the_same_network_and_another_one_not(monkeypatch):
    small = replace(SMOKE, words=1_500, steps=3)
    monkeypatch.setitem(networks.RECIPES, "smoke", small)
    one, again, other = (
        networks.train_network(LANGUAGE, "smoke", seed).network.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["bias"], other["bias"])


def test_schedules_hide_as_they_say(monkeypatch):
    seen = []

    def train(network, loss, batches, *_, **__):
        seen.append(batches.stages[-1][1].masking)

    monkeypatch.setattr(networks, "train", train)
    monkeypatch.setattr(networks, "Trained", lambda *args: args)
    for schedule in bert_laboratory.SCHEDULES.values():
        networks.train_network(LANGUAGE, "smoke", 0, "masked", schedule)
    assert [(m.masked, m.random) for m in seen] == [(1.0, 0.0), (0.8, 0.2)]
    assert all(m.mask == BLANK and m.never == SPECIAL for m in seen)


# What words cost.


def test_hidden_words_are_no_marks_and_as_many_as_asked(text):
    hidden = readings.hidden_words(text, 0.3, seed=0)
    ids = text.documents.sample.ids
    assert not hidden[ids == LANGUAGE.end_id].any()
    assert hidden[ids != LANGUAGE.end_id].mean() == pytest.approx(0.3, abs=0.05)


def test_hidden_costs_are_those_of_each_document_alone(text, begun):
    hidden = readings.hidden_words(text, 0.2, seed=0)
    found = readings.hidden_costs(begun["masked"], text, hidden)
    assert (np.isnan(found) == ~hidden).all()
    start, stop = text.documents.starts[3], text.documents.starts[4] - 1
    own = torch.tensor([CLS, *text.documents.sample.ids[start:stop], SEP])[None]
    blanks = torch.tensor([False, *hidden[start:stop], False])[None]
    logits = begun["masked"].logits(begun["masked"](own.masked_fill(blanks, BLANK)))
    logits[..., list(SPECIAL)] = -math.inf
    targets = own.masked_fill(~blanks, IGNORED)[0]
    expected = torch.nn.functional.cross_entropy(logits[0], targets, reduction="none")[1:-1]
    np.testing.assert_allclose(
        found[start:stop][hidden[start:stop]], expected[hidden[start:stop]].detach(), rtol=1e-4
    )


@pytest.mark.parametrize("objective", ["masked", "left-to-right", "two one-way"])
def test_a_word_that_is_asked_for_is_not_seen(text, begun, objective):
    """Whatever stands at its place, all words there have the same scores."""
    tokens, inside, _ = text.sequences(np.array([2]))
    asked = torch.zeros_like(inside)
    asked[0, 3] = True
    prior = torch.zeros(602)
    network = begun[objective].eval()
    one, other = (
        readings.single_scores(network, tokens.masked_fill(asked, word), inside, asked, prior)
        for word in (30, 400)
    )
    torch.testing.assert_close(one, other)
    changed = tokens.clone()
    changed[0, 4] = 50  # to its right
    right = readings.single_scores(network, changed, inside, asked, prior)
    assert torch.allclose(one, right) == (objective == "left-to-right")


def test_single_costs_are_in_the_order_asked(text, begun):
    places = np.flatnonzero(text.documents.sample.ids != LANGUAGE.end_id)[[200, 3, 77]]
    found = readings.single_costs(begun["two one-way"], text, places)
    for place, cost in zip(places, found, strict=True):
        alone = readings.single_costs(begun["two one-way"], text, np.array([place]))
        assert alone == pytest.approx(cost, rel=1e-4)


def test_words_that_are_no_marks_share_all_probability():
    scores = torch.randn(4, 602, generator=torch.Generator().manual_seed(0))
    words = range(len(SPECIAL), 602)
    costs = [readings.word_costs(scores, torch.full((4,), word)) for word in words]
    np.testing.assert_allclose(np.exp(-np.array(costs)).sum(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("objective", ["masked", "left-to-right", "two one-way"])
def test_vectors_are_those_of_all_layers_at_the_word(text, begun, objective):
    places = np.flatnonzero(text.documents.sample.ids != LANGUAGE.end_id)[[90, 4]]
    found = readings.vectors_at(begun[objective], text, places)
    owner = text.documents.sample.document_ids[places[1]]
    tokens, inside, where = text.sequences(np.array([owner]))
    layers = readings.layers_of(begun[objective], tokens, inside)
    column = int(np.flatnonzero(where[0] == places[1])[0])
    expected = torch.cat([layer[0, column] for layer in layers]).detach()
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    if objective == "two one-way":
        last = layers[2 * SMOKE.config.layers + 1]
        whole = begun[objective](tokens, inside).chunk(2, dim=2)[1]
        norm = begun[objective].right_to_left.norm
        torch.testing.assert_close(norm(last)[inside], whole[inside])


def test_words_asked_for_have_their_exact_limits(text):
    asked = measures.Asked.of(text, 40)
    floors = Oracle(LANGUAGE).word_floors(text.documents.sample.ids)
    assert (np.diff(asked.places) > 0).all() and len(asked.first(7).places) == 7
    for side, nats in asked.limits.items():
        np.testing.assert_allclose(nats, floors[side][asked.places])
    assert asked.limits["both"].mean() < asked.limits["product"].mean()


# Senses, pairs, a task.


def test_a_plane_shows_one_word_by_its_senses(begun):
    known, asked = (seen_items(LANGUAGE, 400, seed) for seed in (2, 3))
    plane = measures.sense_plane(begun["masked"], known, asked, "bank")
    own = measures.senses_of(asked, "bank")
    shown = own[own >= 0]
    np.testing.assert_array_equal(plane.senses, shown)
    np.testing.assert_array_equal(plane.cues, asked.cues[own >= 0])
    assert plane.points.shape == (len(shown), 2) and {0, 1} == set(shown)
    np.testing.assert_array_equal((plane.points[:, 0] > 0) == (shown == 1), plane.correct)
    with pytest.raises(ValueError, match="two senses"):
        measures.sense_plane(begun["masked"], known, asked, "dog")


@pytest.mark.parametrize("kind", ["next", "order"])
def test_pairs_are_what_is_asked(text, begun, kind):
    pairs = measures.AskedPairs.of(text, 512, kind)
    several = sum(1 for first, _ in networks_pieces(text) if first)
    assert len(pairs.relations) == len(pairs.first) == len(pairs.second) == several
    told = pairs.told(begun["masked+next"])
    assert told.shape == pairs.relations.shape and 0 < pairs.relations.mean() < 1
    longer = [len(a) + len(b) + 3 for a, b in zip(pairs.first, pairs.second, strict=True)]
    assert max(longer) == max(batch["tokens"].shape[1] for batch in pairs.batches)


def networks_pieces(text: LaboratoryText) -> list[tuple[bool, int]]:
    """Whether each document has several sentences, and how many."""
    counts = torch.bincount(text.cut().documents)
    return [(int(count) > 1, int(count)) for count in counts]


def test_whoever_knows_the_grammar_tells_topics_better_than_order():
    """The order, too, where the topic changes: put together wrongly, it changes once more."""
    text = LaboratoryText.of(LANGUAGE, 5_000, 6)
    right = {
        kind: measures.AskedPairs.of(text, 512, kind).told_by_best(LANGUAGE, kind).mean()
        for kind in ("next", "order")
    }
    assert right["next"] > 0.7 and right["order"] > 0.5


def test_costs_of_segments_are_those_of_the_text(text):
    sample = text.documents.sample
    one, other = (sample.ids[part] for part in sample.sentences()[:2])
    costs = measures.segment_costs(Oracle(LANGUAGE), [one, other], [other, one])
    assert costs.shape == (2, 2)
    for column, words in enumerate(([one, other], [other, one])):
        whole = Oracle(LANGUAGE).word_floors(np.append(np.concatenate(words), LANGUAGE.end_id))
        cut = len(words[0])
        assert costs[0, column] == pytest.approx(whole["left"][:cut].sum())
        assert costs[1, column] == pytest.approx(whole["left"][cut:-1].sum())


def test_what_is_cut_within_a_sentence_is_not_what_follows():
    words = LANGUAGE.sample(100, 1).sentences()
    ids = LANGUAGE.sample(100, 1).ids
    one, other = (ids[part] for part in words[:2])
    pairs = measures.AskedPairs((), [one, one], [other[:-1], other], np.array([1, 0]))
    assert pairs.told_by_best(LANGUAGE, "next")[0]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_reader_is_read_at_the_word(begun, frozen):
    task = load_task(TASK, {"train": 20, "validation": 5, "test": 10})
    reader = WordReader(begun["masked"], LANGUAGE, task, frozen)
    examples = task.splits["test"]
    alone = torch.cat([reader(examples[n : n + 1]) for n in range(len(examples))])
    torch.testing.assert_close(reader(examples), alone)
    reader.train()
    reader(examples).sum().backward()
    learned = {name for name, p in reader.named_parameters() if p.grad is not None}
    assert any(name.startswith("network") for name in learned) != frozen
    for parameter in begun["masked"].parameters():
        parameter.requires_grad_(True).grad = None


# What is recorded.


def test_arms_are_objectives_and_schedules():
    names = {*MEASURED, "masked-order", "always-hidden", "no-word-kept", "masked-long"}
    searched = {f"recipes-{name}" for name in ("masked", "left-to-right", "two-one-way")}
    for scale in ("smoke", "laptop", "gpu"):
        arms = bert_laboratory.arms(scale)
        assert {arm.name for arm in arms} == names | searched
        recipes = [arm.config["recipe"] for arm in arms if arm.name in names - {"masked-long"}]
        assert all(own == recipes[0] for own in recipes)
        assert json.loads(json.dumps(recipes[0]))


def test_the_long_arm_differs_in_steps_and_text_alone():
    arms = {arm.name: arm.config["recipe"] for arm in bert_laboratory.arms("laptop")[:-3]}
    one, long = arms["masked"], arms[bert_laboratory.LONG]
    assert {name for name in one if one[name] != long[name]} == {"words", "steps"}
    assert long["steps"] == 8 * one["steps"]


def test_all_try_the_same_recipes_on_as_many_tokens():
    arms = {arm.name: arm.config for arm in bert_laboratory.arms("laptop")}
    masked = arms["recipes-masked"]["recipes"]
    assert list(masked) == list(bert_laboratory.TRIED)
    for name in ("left-to-right", "two-one-way"):
        left_out = set(masked) - set(arms[f"recipes-{name}"]["recipes"])
        assert left_out == {bert_laboratory.LESS_HIDDEN}
        assert all(masked[n] == own for n, own in arms[f"recipes-{name}"]["recipes"].items())
    assert len({own["steps"] * own["batch"] for own in masked.values()}) == 1
    assert masked["norms behind"]["config"]["norm"] == "post"
    assert [stage["context"] for stage in masked["documents only"]["stages"]] == [512]
    assert masked["none of these"]["beginning"] == asdict(PLAIN)


def test_recipes_are_held_against_the_limit():
    tried = bert_laboratory.run_recipes("masked", ["rate 1e-2"], "smoke", 0)
    chosen = bert_laboratory.changed("smoke", {"learning_rate": 1e-2})
    network = networks.train_network(LANGUAGE, "smoke", 0, chosen=chosen).network
    words = measures.Asked.of(LaboratoryText.of(LANGUAGE, SMOKE.test, READ_OUT), SMOKE.singles)
    nats = readings.single_costs(network, words.text, words.places)
    above = nats.sum() / words.limits["both"].sum() - 1
    assert tried.figures["rate 1e-2"] == pytest.approx(above)
    assert tried.figures["rate 1e-2, seconds"] > 0


def test_figures_are_those_of_the_groups(records):
    for record in records.values():
        assert record.groups
        for name, group in record.groups.items():
            assert record.figures[name] == pytest.approx(score(group))


def test_all_networks_are_asked_the_same(records):
    one = records["masked"].groups
    for record in records.values():
        for name in ("one word: network", "one word: limit of both", "sense: network, cue right"):
            assert record.groups[name]["tokens"] == one[name]["tokens"]
        limit = "word: limit of left, cue right"
        assert record.groups[limit] == one[limit]
    assert {"next: network", "order: best reader"} <= set(records["masked-next"].groups)
    assert {"hidden: limit", "task frozen", "task tuned"} <= set(one)


def test_no_network_is_below_its_limit(records):
    masked, causal = records["masked"].figures, records["left-to-right"].figures
    assert masked["hidden: network"] > masked["hidden: limit"]
    assert causal["one word: network"] > causal["one word: limit of left"]


def test_the_way_doubles(records):
    for arm in bert_laboratory.ON_THE_WAY:
        record = records[arm]
        steps = [int(step) for step in record.series["on the way"]]
        assert steps == snapshot_steps(SMOKE.steps) and steps[-1] == SMOKE.steps
        last = record.figures[f"step {steps[-1]}: network"]
        assert last < record.figures[f"step {steps[0]}: network"]
        limit = record.groups["steps: limit"]["tokens"]
        assert all(record.groups[f"step {n}: network"]["tokens"] == limit for n in steps)


def test_the_quarter_that_is_judged_is_measured():
    steps = networks.recipe("laptop").steps
    assert steps == judges_bert_laboratory.AT * 4
    assert judges_bert_laboratory.AT in snapshot_steps(steps)
