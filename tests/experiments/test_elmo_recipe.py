"""The recipe of the experiment `elmo`, run whole at scale smoke."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="the word vectors of chapter 2 need numba")

from nnlm2bert.evaluation.word_senses import SenseInventory
from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.elmo import experiment as elmo
from nnlm2bert.experiments.elmo import judges
from nnlm2bert.experiments.elmo import material as elmo_material
from nnlm2bert.experiments.elmo import measures as elmo_measures
from nnlm2bert.experiments.elmo.material import Material, SenseText, SenseWord
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import BLOCKS
from nnlm2bert.transfer import Recipe, draw

ARMS = {arm.name: arm for arm in elmo.arms("smoke")}
JUDGED = [claim.judge for claim in CLAIMS if claim.experiment == "elmo"]
FINDINGS = (
    judges.word_senses_above_first,
    *judges.multiples.values(),
    *judges.output_use.values(),
    *judges.words_beside.values(),
    *judges.homographs.values(),
)
ONCE = ("biLM", "senses", "homographs")
SEEDED = ("layers", "chunks-mix")
SMALL = dataclasses.replace(Recipe(2), evaluations=1)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("elmo")


@pytest.fixture(scope="module")
def cache(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        yield places / "cache"


@pytest.fixture(scope="module")
def records(places, cache):
    folders = {"results": places / "results", "workspace": places / "work"}
    first = run(elmo.EXPERIMENT, "smoke", seeds=[0], **folders)
    second = run(elmo.EXPERIMENT, "smoke", seeds=[1], arms=SEEDED, **folders)
    return {(record.arm, record.seed): record for record in (*first, *second)}


@pytest.fixture(scope="module")
def material(records):
    return Material("smoke")


def test_every_arm_is_recorded(records):
    assert {arm for arm, seed in records if seed == 0} == set(ARMS)
    assert {arm for arm, seed in records if seed == 1} == set(SEEDED)


def test_records_are_small(places, records):
    for path in (places / "results").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        form = json.loads(text)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(text) < 60 * 1024 and max(map(len, names)) <= 60


@pytest.mark.parametrize("judge", [*JUDGED, *FINDINGS])
def test_records_hold_what_the_judges_ask_for(records, judge):
    """Were they of scale laptop, every claim would get a verdict."""
    laptop = [dataclasses.replace(record, scale="laptop") for record in records.values()]
    finding = judge([record for record in laptop if record.seed == 0])
    assert finding.verdict != "not yet measured", finding.note


def test_three_claims_are_judged():
    assert [claim.id for claim in CLAIMS if claim.judge in JUDGED] == [14, 15, 16]


def test_rows_of_a_task_are_tested_on_the_same_units_whatever_the_seed(records):
    for task in elmo.TASKS:
        own = [r for (arm, _), r in records.items() if arm.startswith(f"{task}-")]
        tokens = {tuple(group["tokens"]) for record in own for group in record.groups.values()}
        assert len(own) >= 6 and len(tokens) == 1
    layers = [records["layers", seed].groups for seed in (0, 1)]
    assert [g["tokens"] for g in layers[0].values()] == [g["tokens"] for g in layers[1].values()]


def test_figures_are_those_of_the_groups(records):
    for (arm, _), record in records.items():
        if arm == "biLM" or arm in ONCE or arm == "laboratory":
            continue
        for name, group in record.groups.items():
            mean = math.fsum(group["nats"]) / sum(group["tokens"])
            figure = next(v for n, v in record.figures.items() if n in (name, f"{name} accuracy"))
            assert figure == pytest.approx(mean, abs=1e-4)


def test_a_seed_gives_the_same_and_another_one_not(records, material, places):
    for arm in SEEDED:
        again = elmo.run(ARMS[arm], 0, material, places)
        assert dict(again.groups) == records[arm, 0].groups
        assert records[arm, 0].groups != records[arm, 1].groups


def test_what_the_model_said_is_kept(records, cache):
    kept = list((cache / "vectors" / "features").glob("*.pt"))
    assert len([path for path in kept if "senses" in path.name]) == 2
    assert len(kept) == 2 + len({elmo_material.STANDING_IN[task] for task in elmo.TASKS})


def test_the_language_model_is_measured_on_text_it_has_not_read(records, material):
    record = records["biLM", 0]
    (rows,) = material.held_out().values()
    assert sum(record.groups["Pocket English forward"]["tokens"]) == sum(len(r) + 1 for r in rows)
    own = material.contextual.perplexity(rows)
    for side in ("forward", "backward", "average"):
        assert record.figures[f"Pocket English, perplexity {side}"] == pytest.approx(
            own[side], rel=1e-3
        )
        group = record.groups[f"Pocket English {side}"]
        loss = math.fsum(group["nats"]) / sum(group["tokens"])
        assert math.exp(loss) == pytest.approx(own[side], rel=1e-3)
    assert len(record.series["losses"]) == len(record.series["steps"]) > 1


def test_layers_are_recorded_with_their_controls_and_beside_the_first_sense(records):
    groups = records["layers", 0].groups
    for what in ("POS", "POS control", "WSD", "WSD control", "WSD not first"):
        assert {f"{what} layer {n}" for n in range(3)} <= set(groups)
    assert len(groups["POS layer 1"]["tokens"]) == BLOCKS
    not_first = groups["WSD not first layer 2"]
    assert sum(not_first["tokens"]) < sum(groups["WSD layer 2"]["tokens"])
    figures = records["layers", 0].figures
    assert figures["WSD layer 2, test"] == figures["WSD layer 2"]


def test_a_layer_without_context_finds_neighbours_by_lot(records):
    """The letters of a form are the same wherever it stands."""
    figures = records["homographs", 0].figures
    for what in ("part of speech", "sense"):
        assert figures[f"{what} layer 0"] == pytest.approx(figures[f"{what}, by lot"], abs=1e-6)
        assert figures[f"{what} layer 2"] != figures[f"{what}, by lot"]


def _encoders(name, material):
    task = material.task("chunks")
    labelled = draw(task, 5, 0)
    maker = elmo.Maker(ARMS[name].config, task, labelled, material)
    above = maker.output if "output" in ARMS[name].config else None
    _, mixed = elmo.learned_units(task, labelled, SMALL, maker.input, above, 0, "cpu")
    return maker.input(), mixed


@pytest.mark.parametrize(
    ("row", "width", "weights"),
    [
        ("word2vec-tuned", 50, 0),
        ("mix", 32, 4),
        ("last", 32, 0),
        ("mix-beside", 82, 4),
        ("mix-output", 50, 4),
        ("mix-both", 82, 8),
    ],
)
def test_a_row_reads_what_it_is_called_after(material, row, width, weights):
    encoder, mixed = _encoders(f"chunks-{row}", material)
    assert encoder.width == width and len(mixed) == weights
    assert sum(name.startswith("output") for name in mixed) == (
        4 if weights and "-" in row and row != "mix-beside" else 0
    )


def test_the_last_layer_is_read_alone(material):
    task = material.task("chunks")
    (sentence,) = task.splits["test"][0].sentences
    encoder = elmo.Maker(ARMS["chunks-last"].config, task, [], material).input()
    wanted = material.features("chunks")[sentence][:, 2].float()
    found = encoder([sentence])[0]
    assert torch.allclose(found, wanted * (found.norm() / wanted.norm()), atol=1e-4)


def test_shares_of_the_labels_are_nested():
    task = SimpleNamespace(splits={"train": range(8_014)})
    sizes = [elmo.share_of(task, f"{share} %") for share in (1, 3, 10, 30, 100)]
    assert sizes == [80, 240, 801, 2404, None]
    assert elmo.share_of(SimpleNamespace(splits={"train": range(20)}), "1 %") == 1


def test_recipes_at_all_labels_are_those_of_the_scoreboard():
    config = {arm.name: arm.config for arm in elmo.arms("laptop")}["chunks-mix"]
    recipes = {name: elmo.as_recipe(settings) for name, settings in config["recipes"].items()}
    assert recipes["100 %"] == Recipe(1_000)
    assert [recipe.steps for recipe in recipes.values()] == [200, 300, 400, 700, 1_000]


def _text(*words):
    """A text of sentences of one word each; `words` are (form, pos, tag, sense)."""
    made = [SenseWord(i, 0, 1, w[0].lower(), w[1], w[2], (w[3],)) for i, w in enumerate(words)]
    return SenseText([(w[0],) for w in words], [f"d{i % 5}" for i in range(len(words))], made)


def test_homographs_are_often_noun_and_often_verb():
    play = [("Play", "NOUN", "NN", "a")] * 3 + [("play", "VERB", "VB", "b")] * 2
    once = [("run", "NOUN", "NN", "a")] * 4 + [("run", "VERB", "VB", "b")]
    names = [("bill", "NOUN", "NNP", "a")] * 3 + [("bill", "VERB", "VB", "b")] * 3
    text = _text(*play, *once, *names)
    found = elmo_measures.homographs(text, {"form": 5, "part of speech": 2})
    assert Counter(text.form(text.words[place]) for place in found) == {"play": 5}
    assert elmo_measures.homographs(text, {"form": 6, "part of speech": 2}) == []


def test_a_form_counts_once_a_sentence():
    words = [SenseWord(0, i, 1, "play", "NOUN", "NN", ("a",)) for i in range(2)]
    text = SenseText(
        [("play", "play")], ["d"], [*words, SenseWord(0, 0, 2, "x", "VERB", "VB", ("b",))]
    )
    assert elmo_measures.homographs(text, {"form": 1, "part of speech": 0}) == [0]


def test_four_fifths_of_the_documents_are_drawn_whole():
    text = _text(*[("w", "NOUN", "NN", "a")] * 20)
    drawn = [elmo_measures.drawn(text, seed) for seed in range(6)]
    assert all(chosen.sum() == 16 for chosen in drawn) and len({*map(bytes, drawn)}) > 1
    assert all(len({*chosen[n::5].tolist()}) == 1 for chosen in drawn for n in range(5))


def test_first_senses_are_of_all_documents(material):
    """So that the words whose sense is another are the same for all seeds."""
    whole = SenseInventory.of(elmo_measures.occurrences(material, ["train"], 0))
    found = elmo_measures.occurrences(material, ["test"], 0)
    wrong = [
        first is not None and first not in gold
        for first, gold in zip(whole.first_senses(found), found.senses, strict=True)
    ]
    result = elmo_measures.disambiguate_layers(material, 3)
    assert sum(result.groups["WSD not first layer 1"]["tokens"]) == sum(wrong) > 0


def test_semcor_is_cut_as_the_running_text_and_keeps_its_capitals():
    row = {
        "document": "br-a01",
        "tokens": ["The", "jury_box", "'s", "Banks", "took_place", "."],
        "pos": ["DT", "NN", "POS", "NN", "VB", ""],
        "lemmas": ["", "jury_box", "", "bank", "take_place", ""],
        "senses": [
            [],
            ["jury_box%1:06:00::"],
            [],
            ["bank%1:14:00::", "bank%1:17:01::"],
            ["x%2:1"],
            [],
        ],
    }
    text = elmo_material.sense_text([row], "semcor")
    assert text.sentences == [("The", "jury", "box", "'s", "Banks", "took", "place", ".")]
    assert text.documents == ["semcor/br-a01"]
    box, banks, took = text.words
    assert box[:6] == (0, 1, 2, "jury_box", "NOUN", "NN")
    assert banks == SenseWord(0, 4, 1, "bank", "NOUN", "NN", ("bank%1:14:00::", "bank%1:17:01::"))
    assert took[:5] == (0, 5, 2, "take_place", "VERB") and not elmo_measures.is_plain(took)


def test_a_word_of_several_words_has_their_mean(material):
    contextual = material.contextual
    text = SenseText(
        [("the", "old", "bank"), ("a", "river")],
        ["d", "d"],
        [
            SenseWord(0, 1, 2, "old_bank", "NOUN", "NN", ("a",)),
            SenseWord(1, 1, 1, "river", "NOUN", "NN", ("b",)),
        ],
    )
    found = elmo_material.read_words(contextual, text)
    first, second = contextual.extract(text.sentences)
    mean = first[1:3].float().mean(dim=0)
    assert torch.allclose(found[0].float(), mean, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found[0].float(), first[1].float(), rtol=1e-2, atol=1e-2)
    assert torch.equal(found[1], second[1])


def test_words_are_found_across_pieces_of_a_text(material, monkeypatch):
    text = material.senses["test"]
    whole = elmo_material.read_words(material.contextual, text)
    monkeypatch.setattr(elmo_material, "SENTENCES_AT_ONCE", 7)
    again = elmo_material.read_words(material.contextual, text)
    assert torch.allclose(again.float(), whole.float(), rtol=1e-2, atol=1e-2)


def test_held_out_sentences_are_spread_evenly():
    rows = [(str(i),) * 10 for i in range(100)]
    assert [int(row[0]) for row in elmo_material.limited(rows, 50)] == [0, 20, 40, 60, 80]
    assert elmo_material.limited(rows, 10**6) == rows


def test_blocks_are_neighbours_of_one_size():
    sizes = np.bincount(elmo_measures.blocks(1_173))
    assert len(sizes) == BLOCKS and sizes.max() - sizes.min() <= 1
    assert elmo_measures.blocks(3).tolist() == [0, 1, 2]
