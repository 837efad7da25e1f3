"""The recipe of word2vec, at scale smoke: every arm, on Pocket English, in seconds."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

pytest.importorskip("numba", reason="the compiled word2vec needs numba")

from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.word2vec import experiment as word2vec
from nnlm2bert.experiments.word2vec import material as word2vec_material
from nnlm2bert.experiments.word2vec import measures as word2vec_measures
from nnlm2bert.experiments.word2vec.material import Material, Occurrence, two_senses
from nnlm2bert.models.word2vec_compiled import Trained
from nnlm2bert.models.word_vectors import WordVectors

ARMS = {arm.name: arm for arm in word2vec.arms("smoke")}
VECTORS = [name for name, arm in ARMS.items() if arm.config["kind"] in ("vectors", "counts")]
JUDGED = [claim for claim in CLAIMS if claim.experiment == "word2vec"]
ONCE = ("race-subsampling", "race-negatives")
SEEDED = ("SG-small", "PMI-k1")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("word2vec")


@pytest.fixture(scope="module")
def records(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        folders = {"results": places / "results", "workspace": places / "work"}
        first = run(word2vec.EXPERIMENT, "smoke", seeds=[0], **folders)
        second = run(word2vec.EXPERIMENT, "smoke", seeds=[1], arms=SEEDED, **folders)
    return {(record.arm, record.seed): record for record in (*first, *second)}


@pytest.fixture(scope="module")
def material():
    return Material("smoke")


def test_every_arm_is_recorded(records):
    assert {arm for arm, seed in records if seed == 0} == set(ARMS)
    assert {arm for arm, seed in records if seed == 1} == set(SEEDED)


def test_records_are_small_and_hold_a_few_words_at_most(places, records):
    for path in (places / "results").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        form = json.loads(text)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(text) < 60 * 1024 and max(map(len, names)) <= 60


@pytest.mark.parametrize("claim", JUDGED, ids=lambda claim: f"claim {claim.id}")
def test_records_hold_what_the_judges_ask_for(records, claim):
    """Were they of scale laptop, every claim would get a verdict."""
    laptop = [dataclasses.replace(record, scale="laptop") for record in records.values()]
    finding = claim.find([record for record in laptop if record.seed == 0])
    assert finding.verdict != "not yet measured", finding.note


def test_six_claims_are_judged():
    assert [claim.id for claim in JUDGED] == [8, 9, 10, 11, 12, 13]


def test_arms_on_one_text_are_measured_on_the_same_units(records):
    for text in ("small", "middle", "large"):
        own = [records[name, 0] for name in VECTORS if ARMS[name].config["text"] == text]
        for group in ("analogies", "syntactic analogies", "word similarity"):
            assert len({tuple(record.groups[group]["tokens"]) for record in own}) == 1


def test_shared_analogies_are_the_same_on_all_texts(records):
    tokens = {tuple(records[name, 0].groups["shared analogies"]["tokens"]) for name in VECTORS}
    assert len(tokens) == 1
    small, large = (records[f"SG-{text}", 0].groups["analogies"] for text in ("small", "large"))
    assert (tuple(small["tokens"]),) == tuple(tokens)
    assert sum(large["tokens"]) > sum(small["tokens"])


def test_figures_are_those_of_the_groups(records):
    for name in VECTORS:
        record = records[name, 0]
        for group, figure in {
            "analogies": "analogies: total",
            "shared analogies": "shared analogies: total",
            "syntactic analogies": "analogies: syntactic",
            "word similarity": "topic and part of speech",
        }.items():
            sums = record.groups[group]
            score = math.fsum(sums["nats"]) / sum(sums["tokens"])
            assert score == pytest.approx(record.figures[figure], abs=1e-5)


def test_a_seed_gives_the_same_and_another_one_not(records, material, places):
    again = word2vec.run(ARMS["SG-small"], 0, material, places)
    assert dict(again.groups) == records["SG-small", 0].groups
    assert records["SG-small", 0].groups != records["SG-small", 1].groups


def test_vectors_of_the_full_text_are_kept(places, records, material):
    kept = WordVectors.load(places / "cache" / "vectors" / "SG-large-smoke-seed-0.txt")
    assert list(kept.words) == list(material.text("large").types)
    figures, _ = word2vec_measures.measure_analogies(kept, material)
    assert figures["analogies: total"] == records["SG-large", 0].figures["analogies: total"]


def test_texts_are_nested_and_sorted_by_frequency(material):
    small, large = material.text("small"), material.text("large")
    words = [[text.types[number] for number in text.ids[:100]] for text in (small, large)]
    assert words[0] == words[1]
    assert set(small.types) <= set(large.types)
    assert (np.diff(large.counts) <= 0).all()
    assert (np.bincount(large.ids) == large.counts).all()


def test_products_fall_on_the_line_of_pmi(material):
    """Vectors made so that each product is PMI - log 5 exactly."""
    text = material.text("small")
    size = len(text.types)
    counts = word2vec.cooccurrences(text.ids, text.sentences, size, 2)
    table = word2vec.pmi(counts)
    pairs, values = word2vec.frequent_pairs(counts, table)
    trained = Trained(table.toarray() - math.log(5), np.eye(size), 1.0)
    figures, series = word2vec.regression(word2vec.products(trained, pairs), values)
    assert figures["correlation with PMI"] == pytest.approx(1)
    assert figures["slope"] == pytest.approx(1)
    assert figures["intercept"] == pytest.approx(-math.log(5))
    assert min(counts.toarray()[pairs]) >= 10 and figures["pairs"] == len(values)
    falls = np.subtract(series["PMI, by twentieths"], series["product, by twentieths"])
    assert falls == pytest.approx(np.full(20, math.log(5)))


def test_exact_pmi_is_what_counting_comes_near_to(material):
    text = material.text("laboratory")
    counts = word2vec.cooccurrences(text.ids, text.sentences, len(text.types), 2)
    pairs, counted = word2vec.frequent_pairs(counts, word2vec.pmi(counts))
    table = word2vec.exact_pmi(material, text, 2)
    exact = table[pairs]
    assert np.corrcoef(exact, counted)[0, 1] > 0.97
    assert abs(np.mean(exact - counted)) < 0.1
    frequencies = counts.sum(axis=0) / counts.sum()
    total = frequencies @ np.exp(table) @ frequencies  # of P(w, c) over all pairs
    assert total == pytest.approx(1, abs=0.01)


def test_a_race_runs_both_sides_by_turns(monkeypatch, material):
    order = []

    def fit(config, text, seed, **changes):
        order.append((seed, changes.get("threshold", config["threshold"])))
        return Trained(np.zeros(1), np.zeros(1), 100.0 * len(order))

    monkeypatch.setattr(word2vec, "fit", fit)
    result = word2vec.run_race(ARMS["race-subsampling"], 0, material, material.text("middle"))
    assert order == [(0, 0.01), (0, 0.0), (1, 0.01), (1, 0.0)]
    assert result.series["words a second, all words"] == [200.0, 400.0]
    assert result.figures["words a second, sub-sampled"] == 200.0


VECTORS_OF_SENSES = WordVectors(
    ["bank", "money", "river", "the"], np.array([[1.0, 1], [1, 0], [0, 1], [0.1, 0.1]])
)


def _occurrences(places):
    return [
        Occurrence(("the", word, "bank", "unheard"), 2, "bank", f"bank/{word}") for word in places
    ]


def test_context_vectors_tell_senses_apart_where_word_vectors_cannot():
    occurrences = _occurrences(["money", "river"] * 6)
    result = word2vec_measures.measure_senses(VECTORS_OF_SENSES, occurrences, 5)
    assert result.groups["context vectors"]["nats"] == [1.0]
    assert result.groups["word vectors"]["nats"] == pytest.approx([5 / 11], abs=1e-6)
    assert result.figures["sense purity, by lot"] == pytest.approx(5 / 11)


def test_a_context_is_the_window_around_without_the_word():
    occurrence = Occurrence(("money", "the", "unheard", "bank", "river", "the"), 3, "bank", "x")
    found = word2vec_measures.context(VECTORS_OF_SENSES, occurrence, 1)
    assert found == ["the", "river"]
    vector = word2vec_measures.context_vector(VECTORS_OF_SENSES, occurrence, 1)
    assert vector == pytest.approx([0.05, 0.55])


def test_only_words_with_two_frequent_senses_are_kept():
    often = [Occurrence(("x",), 0, "play", sense) for sense in ["a"] * 300 + ["b"] * 10 + ["c"] * 9]
    rare = [Occurrence(("x",), 0, "run", sense) for sense in ["a"] * 30 + ["b"] * 9]
    kept = two_senses(often + rare)
    assert {(each.lemma, each.sense) for each in kept} == {("play", "a"), ("play", "b")}
    assert len(kept) == word2vec_material.MOST_OCCURRENCES + 10


def test_semcor_words_are_split_and_counted_as_in_the_running_text():
    row = {
        "tokens": ["The", "jury_box", "'s", "banks", "took_place", "."],
        "pos": ["DT", "NN", "POS", "NN", "VB", ""],
        "lemmas": ["", "jury_box", "", "bank", "take_place", ""],
        "senses": [[], ["jury_box%1:06:00::"], [], ["bank%1:14:00::"], ["x"], []],
    }
    (found,) = word2vec_material.semcor_occurrences([row])
    words = ("the", "jury", "box", "'s", "banks", "took", "place", ".")
    assert found == Occurrence(words, 4, "bank/NN", "bank%1:14:00::")


def test_names_and_words_of_two_senses_are_no_occurrences():
    row = {"tokens": ["Bank"], "pos": ["NNP"], "lemmas": ["bank"], "senses": [["bank%1:14:00::"]]}
    both = {**row, "pos": ["NN"], "senses": [["bank%1:14:00::", "bank%1:17:01::"]]}
    assert list(word2vec_material.semcor_occurrences([row, both])) == []


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_settings_are_those_of_the_claims(scale):
    configs = {arm.name: arm.config for arm in word2vec.arms(scale)}
    assert configs["SG-middle-all-words"] == {**configs["SG-middle"], "threshold": 0.0}
    assert configs["SG-middle-independent"] == {**configs["SG-middle"], "shared_negatives": False}
    for k in (1, 5, 15):
        expected = {"negatives": k, "window": 2, "power": 1.0, "threshold": 0.0}
        assert expected.items() <= configs[f"PMI-k{k}"].items()


def test_laptop_is_the_published_recipe():
    config = {arm.name: arm.config for arm in word2vec.arms("laptop")}["SG-large"]
    expected = {"dimension": 100, "window": 5, "negatives": 5, "power": 0.75, "epochs": 5}
    assert {**expected, "threshold": 1e-4, "learning_rate": 0.025}.items() <= config.items()
