"""The recipe of the experiment `transformer`, run whole at scale smoke, and its parts."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.transformer import experiment as transformer
from nnlm2bert.experiments.transformer import judges, recall, speed, text
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.sequence_readers import KINDS, NextWordModel, ReaderConfig, equal_sizes

ARMS = {arm.name: arm for arm in transformer.arms("smoke")}
RUN = [*(name for name in ARMS if not name.startswith("variant")), "variant-1-head"]
SEEDED = ("small-text-100k", "recall-lstm")
JUDGED = [claim.judge for claim in CLAIMS if claim.experiment == "transformer"]
FINDINGS = (
    judges.waits_for_each_word,
    *(judges.recall[rival, 4] for rival in KINDS[1:]),
    *judges.agreement.values(),
    *judges.nearer_the_limit.values(),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("transformer")


@pytest.fixture(scope="module")
def cache(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        yield places / "cache"


@pytest.fixture(scope="module")
def records(places, cache):
    folders = {"results": places / "results", "workspace": places / "work"}
    first = run(transformer.EXPERIMENT, "smoke", seeds=[0], arms=RUN, **folders)
    second = run(transformer.EXPERIMENT, "smoke", seeds=[1], arms=SEEDED, **folders)
    return {(record.arm, record.seed): record for record in (*first, *second)}


@pytest.fixture(scope="module")
def texts():
    return text.Texts("smoke")


def test_every_arm_that_was_asked_for_is_recorded(records):
    assert {arm for arm, seed in records if seed == 0} == set(RUN)
    assert {arm for arm, seed in records if seed == 1} == set(SEEDED)


def test_records_are_small(places, records):
    for path in (places / "results").rglob("*.json"):
        written = path.read_text(encoding="utf-8")
        form = json.loads(written)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(written) < 60 * 1024 and max(map(len, names)) <= 60


@pytest.mark.parametrize("judge", [*JUDGED, *FINDINGS])
def test_records_hold_what_the_judges_ask_for(records, judge):
    """Were they of scale laptop, every claim would get a verdict."""
    laptop = [dataclasses.replace(record, scale="laptop") for record in records.values()]
    finding = judge([record for record in laptop if record.seed == 0])
    assert finding.verdict != "not yet measured", finding.note


def test_two_claims_are_judged():
    assert [claim.id for claim in CLAIMS if claim.judge in JUDGED] == [20, 21]


def test_judges_know_the_sizes_lengths_and_distances_of_the_recipe():
    chosen = text.RECIPES["laptop"].sizes
    assert dict(chosen) == judges.SIZES
    for scale in ("laptop", "gpu"):
        assert speed.RECIPES[scale].lengths == judges.LENGTHS
        assert recall.recipe(scale).distances == judges.DISTANCES


def test_a_seed_gives_the_same_and_another_one_not(records, texts, places):
    for arm in SEEDED:
        again = transformer.run(ARMS[arm], 0, texts, places)
        found, other = records[arm, 0], records[arm, 1]
        assert dict(again.groups) == found.groups and dict(again.series) == found.series
        assert (other.groups, other.series) != (found.groups, found.series)


def test_figures_of_the_laboratory_are_those_of_its_groups_and_series(records):
    for kind in KINDS:
        record = records[f"laboratory-{kind}", 0]
        words = sum(record.groups["model"]["tokens"])
        bits = math.fsum(record.groups["model"]["nats"]) / words / math.log(2)
        assert record.figures["model, bits"] == pytest.approx(bits, rel=1e-4)
        assert sum(record.series["words by place"]) == words
        by_place = math.fsum(record.series["nats by place, model"]) / words / math.log(2)
        assert by_place == pytest.approx(bits, rel=1e-4)
        group = record.groups["agreement 2"]
        share = sum(group["nats"]) / sum(group["tokens"])
        assert record.figures["agreement, 2 phrases"] == pytest.approx(share)
        assert ("head, layer" in record.figures) == (kind == "attention")
    heads = records["variant-1-head", 0].series["weight on the subject, 1 phrases"]
    assert (
        len(heads) == 2
        and len(records["laboratory-attention", 0].series["agreement without, 3 phrases"]) == 8
    )


# Speed.


def test_every_reader_length_and_case_is_timed_in_every_round(records):
    record = records["speed", 0]
    assert len(record.series) == len(KINDS) * len(judges.LENGTHS) * len(speed.CASES)
    assert {len(each) for each in record.series.values()} == {2}
    assert all(ms > 0 for each in record.series.values() for ms in each)
    counts = [record.figures[f"{kind}, parameters"] for kind in KINDS]
    assert max(counts) / min(counts) < 1.04


def test_batches_have_equally_many_words_at_each_length():
    seen = {}

    class Watch(torch.nn.Module):
        def forward(self, x):
            seen.setdefault(x.shape[1], []).append((len(x), self.training))
            return x * torch.ones((), requires_grad=True)

    recipe = speed.SpeedRecipe(ReaderConfig(width=4, heads=1), 64, (8, 32), 1)
    speed.one_round(dict.fromkeys(KINDS, Watch()), recipe, "cpu")
    assert {length: rows[::3] for length, rows in seen.items()} == {
        8: [(8, True), (8, False), (1, False)],
        32: [(2, True), (2, False), (1, False)],
    }


def test_a_training_step_makes_gradients_and_leaves_none():
    reader = torch.nn.Linear(3, 3)
    made = []
    reader.weight.register_hook(made.append)
    speed.training_step(reader, torch.ones(1, 2, 3))
    assert made and reader.weight.grad is None


def test_the_quartile_is_passed_by_three_quarters():
    assert speed.quartile([9, 1, 5, 3, 7]) == 3
    assert speed.quartile([4]) == 4
    assert speed.quartile(list(range(9))) == 2


# Recall.


def puzzles(count=40, distance=5):
    return recall.puzzles(count, distance, torch.Generator().manual_seed(0))


def test_a_puzzle_shows_pairs_then_noise_then_asks_for_each():
    tokens, targets = puzzles()
    shown, noise, asked = tokens[:, :8], tokens[:, 8:13], tokens[:, 13:]
    keys, values = shown[:, ::2], shown[:, 1::2]
    assert tokens.shape == targets.shape == (40, 20)
    assert keys.max() < 16 <= values.min() and values.max() < 32 <= noise.min()
    assert noise.max() < recall.VOCABULARY
    for row in range(40):
        table = dict(zip(keys[row].tolist(), values[row].tolist(), strict=True))
        assert len(table) == 4
        questions = asked[row, ::2].tolist()
        assert sorted(questions) == sorted(table)
        assert targets[row, 13::2].tolist() == [table[key] for key in questions]
    assert (targets[:, :13] == IGNORED).all() and (targets[:, 14::2] == IGNORED).all()


def test_the_order_of_the_questions_is_drawn():
    tokens, _ = puzzles()
    first = (tokens[:, ::2][:, :4] == tokens[:, 13:14]).float().mean(dim=0)
    assert first.min() > 0 and first.sum() == pytest.approx(1)


def test_steps_have_distances_by_lot_and_are_the_same_again():
    batches = recall.PuzzleBatches(recall.recipe("laptop"), seed=0)
    lengths = [batches.batch(step)[0].shape[1] for step in range(40)]
    assert set(lengths) == {15 + d for d in judges.DISTANCES}
    assert torch.equal(batches.batch(7)[0], batches.batch(7)[0])


def test_only_the_first_question_counts(monkeypatch):
    chosen = replace(recall.recipe("smoke"), test=30)
    monkeypatch.setitem(recall.RECIPES, "smoke", chosen)

    class Knowing(torch.nn.Module):
        """Finds the value beside the key that it reads last."""

        def forward(self, tokens):
            same = tokens[:, :8:2] == tokens[:, -1:]
            values = (tokens[:, 1:8:2] * same).sum(dim=1)
            return torch.nn.functional.one_hot(values, recall.VOCABULARY)[:, None].float()

        def logits(self, vectors):
            return vectors

    found = recall.recalled(Knowing(), "smoke")
    assert {d: (len(right), bool(right.all())) for d, right in found.items()} == {
        4: (30, True),
        8: (30, True),
    }


@pytest.mark.parametrize(
    ("distance", "seen"), [(4, "all"), (5, "part"), (11, "part"), (12, "nothing")]
)
def test_what_a_convolution_can_reach_is_told_exactly(distance, seen):
    config = equal_sizes(ReaderConfig(width=32, layers=2, inner=128, kernel=7))["convolution"]
    assert config.field == 13 and recall.reach(config, distance) == seen
    torch.manual_seed(0)
    model = NextWordModel(recall.VOCABULARY, replace(config, dropout=0.0)).eval()
    tokens, _ = puzzles(1, distance)
    asked = tokens[:, : 9 + distance]
    changed = asked.clone()
    moved = []
    for place in range(8):
        changed[0, place] = 47
        moved.append(bool((model(changed)[0, -1] != model(asked)[0, -1]).any()))
        changed[0, place] = asked[0, place]
    assert {"all": all(moved), "part": any(moved) and not all(moved), "nothing": not any(moved)}[
        seen
    ]


# Real text, here Pocket English.


def test_a_larger_text_holds_the_smaller_ones(texts):
    learned = {size: texts.learn(size) for size in texts.recipe.sizes}
    for size, ids in learned.items():
        assert len(ids) == texts.recipe.sizes[size]
        assert ids.tolist() == learned["3m"][: len(ids)].tolist()
    drawn = learned["3m"].reshape(-1, text.PIECE).tolist()
    known = texts.stream.ids[: len(texts.stream) // text.PIECE * text.PIECE]
    pieces = known.reshape(-1, text.PIECE).tolist()
    assert all(piece in pieces for piece in drawn) and drawn != pieces[:4]


def test_more_tokens_than_there_are_is_refused(texts, monkeypatch):
    monkeypatch.setitem(text.RECIPES, "smoke", replace(texts.recipe, sizes={"9g": 10**9}))
    with pytest.raises(ValueError, match="more than the text has"):
        text.Texts("smoke").learn("9g")


def test_validation_and_test_are_of_two_halves(texts):
    (stream,) = texts.held_out.values()
    (first,), (second,) = (texts.part(name).values() for name in ("validation", "test"))
    half = len(stream) // 2
    assert first[0].tolist() == stream.ids[:17].tolist()
    assert second[0].tolist() == stream.ids[half : half + 17].tolist()
    assert len(first) * 16 <= half and first.shape[1] == second.shape[1] == 17
    assert first[1][0] == first[0][-1]


def test_each_window_costs_what_its_tokens_do(texts):
    torch.manual_seed(0)
    config = replace(texts.recipe.reader, dropout=0.0)
    model = NextWordModel(len(texts.stream.vocabulary), config).eval()
    (windows,) = texts.part("test").values()
    nats = text.window_costs(model, windows[:40])
    row = torch.from_numpy(windows[35].astype(np.int64))[None]
    expected = model.costs(row[:, :-1], row[:, 1:])[0]
    assert nats.shape == (40, 16)
    np.testing.assert_allclose(nats[35], expected.numpy(), rtol=1e-5)


def test_both_kinds_are_measured_on_the_same_tokens(records):
    tokens = [
        record.groups[kind]["tokens"]
        for (arm, _), record in records.items()
        if arm.startswith("small-text")
        for kind in text.COMPARED
    ]
    assert len(tokens) == 10 and all(each == tokens[0] for each in tokens)


def test_both_kinds_are_tried_with_all_settings_and_the_best_is_taken(records):
    figures = records["small-text-300k", 0].figures
    titles = [text.title(setting) for setting in text.CANDIDATES]
    assert len(set(titles)) == len(text.CANDIDATES)
    for kind in text.COMPARED:
        tried = {title: figures[f"{kind}, tried {title}"] for title in titles}
        rate, dropout = (figures[f"{kind}, {name}"] for name in ("rate", "dropout"))
        assert text.title((rate, dropout)) == min(tried, key=tried.get)


def test_settings_are_tried_once_for_all_seeds(records, cache, texts, monkeypatch):
    files = {path.name.rpartition("-")[0] for path in (cache / "vectors").glob("tuning-*.json")}
    assert files == {
        f"tuning-{kind}-{size}" for kind in text.COMPARED for size in texts.recipe.sizes
    }
    monkeypatch.setattr(text, "train_text_reader", None)
    known = records["small-text-1m", 0].figures
    for title, nats in text.tuned(texts, "lstm", "1m").items():
        assert known[f"lstm, tried {title}"] == nats
    monkeypatch.setattr(text, "SHORT", 2)
    with pytest.raises(TypeError):
        text.tuned(texts, "lstm", "1m")


def test_the_best_weights_on_validation_are_measured(records, texts):
    record = records["small-text-3m", 0]
    setting = record.figures["lstm, rate"], record.figures["lstm, dropout"]
    model, best = text.train_text_reader(texts, "lstm", "3m", setting, seed=0)
    parts = texts.part("validation").values()
    validation = [text.window_costs(model, rows).mean() for rows in parts]
    assert best == pytest.approx(float(np.mean(validation)), rel=1e-4)
    assert record.figures["lstm, validation nats"] == pytest.approx(best, rel=1e-4)
    group = record.groups["lstm"]
    mean = math.fsum(group["nats"]) / sum(group["tokens"])
    assert record.figures["lstm, Pocket English, nats a token"] == pytest.approx(mean, rel=1e-4)
