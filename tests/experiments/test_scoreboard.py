"""The scoreboard at scale smoke: every row measured on the same examples, in seconds."""

import dataclasses

import numpy as np
import pytest

from nnlm2bert.evaluation.intervals import Measured, paired_bootstrap
from nnlm2bert.experiments import scoreboard, standings
from nnlm2bert.experiments.records import Record
from nnlm2bert.experiments.runner import run
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.transfer import Example, Task, draw
from nnlm2bert.transfer.tasks import LABORATORY

ROWS = ("random", "NNLM-frozen", "NNLM-tuned", "ELMo-frozen")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def records(cache):
    places = {"results": cache / "results", "workspace": cache / "work"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(cache))
        found = run(scoreboard.EXPERIMENT, "smoke", seeds=[0], arms=ROWS, **places)
    return {record.arm: record for record in found}


def test_every_row_is_measured_on_every_task_and_number_of_labels(records):
    expected = {f"{task} {size}" for task in LABORATORY for size in ("30", "all")}
    assert set(records) == set(ROWS)
    for record in records.values():
        assert set(record.groups) == expected
        assert {f"{name} accuracy" for name in expected} <= set(record.figures)


def test_rows_share_their_examples_so_that_they_can_be_paired(records):
    for name, ours in records["NNLM-tuned"].groups.items():
        rival = records["random"].groups[name]
        assert ours["tokens"] == rival["tokens"] and len(ours["tokens"]) == scoreboard.BLOCKS
        pair = [Measured.from_groups([group]) for group in (ours, rival)]
        figures = [records[arm].figures[f"{name} accuracy"] for arm in ("NNLM-tuned", "random")]
        gain = paired_bootstrap(*pair, resamples=50).estimate
        assert gain == pytest.approx(figures[0] - figures[1], abs=1e-9)


def test_rows_differ_and_learn(records):
    names = [f"{task} {size} accuracy" for task in LABORATORY for size in ("30", "all")]
    found = [tuple(record.figures[name] for name in names) for record in records.values()]
    assert len(set(found)) == len(ROWS)
    assert min(r.figures["laboratory part-of-speech all accuracy"] for r in records.values()) > 0.2


def test_vectors_are_trained_once_for_all_rows(records, cache):
    assert len(list((cache / "vectors").glob("NNLM-*.txt"))) == 1
    assert records["NNLM-frozen"].figures["laboratory sentiment coverage"] > 0.95
    assert "laboratory sentiment coverage" not in records["random"].figures


def test_one_language_model_reads_each_task_once_for_all_seeds(records, cache):
    folder = cache / "vectors"
    assert len(list(folder.glob("ELMo-*.pt"))) == 1
    assert len(list((folder / "features").glob("*.pt"))) == len(LABORATORY)


def test_what_a_task_makes_of_the_layers_is_told_after_its_score(records):
    figures = records["ELMo-frozen"].figures
    for name in records["ELMo-frozen"].groups:
        weights = [figures[f"{name} s{j}"] for j in range(3)]
        assert sum(weights) == pytest.approx(1) and figures[f"{name} gamma"] > 0
        assert max(weights) > 1 / 3  # no longer as they began
        told = [figure for figure in figures if figure.startswith(f"{name} ")]
        assert told == [f"{name} {what}" for what in ("accuracy", "s0", "s1", "s2", "gamma")]
    assert not any(figure.endswith("gamma") for figure in records["random"].figures)
    assert "laboratory sentiment coverage" not in figures
    measure = standings.measure_of([records["ELMo-frozen"]], "laboratory sentiment")
    assert measure == "accuracy"


def test_a_record_is_small(records):
    assert all(len(str(dataclasses.asdict(record))) < 20_000 for record in records.values())
    assert all(isinstance(record, Record) for record in records.values())


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_rows_differ_by_their_stage_and_mode_alone(scale):
    by_name = {arm.name: dict(arm.config) for arm in scoreboard.arms(scale)}
    random = by_name.pop("random")
    assert {name: config["mode"] for name, config in by_name.items()} == {
        name: "fine-tuned" if name.endswith("tuned") else "frozen" for name in by_name
    }
    beside = by_name["ELMo-beside"].pop("beside")
    assert by_name["ELMo-beside"] == by_name["ELMo-frozen"]
    assert (beside["stage"], beside["mode"]) == ("skip-gram", "fine-tuned")
    tuned = by_name["word2vec-tuned"]["pretraining"]
    assert beside["pretraining"] == {text: tuned[text] for text in beside["pretraining"]}
    gpt, bert = (by_name.pop(name)["recipes"] for name in ("GPT-tuned", "BERT-tuned"))
    for labels, recipe in gpt.items():
        shared = "steps batch_size weight_decay warmup evaluations validation".split()
        assert all(recipe[name] == random["recipes"][labels][name] for name in shared)
        assert recipe["auxiliary"] == 0.5 and bert[labels] == {**recipe, "auxiliary": 0.0}
    for config in by_name.values():
        assert {key: config[key] for key in random if key != "mode"} == {
            key: value for key, value in random.items() if key != "mode"
        }


def toy(kind, measure, labels):
    return Task("toy", kind, measure, labels, {})


def test_accuracy_of_words_counts_words():
    task = toy("tags", "accuracy", ("a", "b"))
    examples = [Example((("x",) * 3,), (0, 1, 1)), Example((("x",),), (0,))]
    group = scoreboard.units(task, [(0, 1, 0), (1,)], examples)
    assert group == {"tokens": [3, 1], "nats": [2.0, 0.0]}
    assert scoreboard.score(group) == 0.5


def test_f1_of_a_group_is_f1():
    task = toy("tags", "F1", ("O", "B-X", "I-X"))
    examples = [Example((("x",) * 3,), (1, 2, 0)), Example((("x",) * 2,), (1, 0))]
    predicted = [(1, 2, 0), (0, 1)]
    assert scoreboard.score(scoreboard.units(task, predicted, examples)) == pytest.approx(0.5)
    assert scoreboard.measure_for(task)(predicted, examples) == pytest.approx(0.5)
    assert scoreboard.measure_for(task)([(0, 0, 0), (0, 0)], examples) == 0


def test_relatedness_is_spearmans_rho():
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    gold = generator.normal(size=120)
    predicted = gold + generator.normal(size=120)
    examples = [Example((("a",), ("b",)), float(label)) for label in gold]
    task = toy("score", "Spearman", ())
    group = scoreboard.units(task, predicted.tolist(), examples)
    assert scoreboard.score(group) == pytest.approx(spearmanr(gold, predicted)[0], abs=1e-4)
    assert scoreboard.measure_for(task)([1.0] * 120, examples) == 0


def test_random_rows_are_those_of_the_labelled_words_alone():
    task = scoreboard.Board("smoke").tasks["laboratory sentiment"]
    labelled = draw(task, 30, 0)
    layer = scoreboard.EncoderMaker(task, labelled, None, "random")()
    seen = {word for example in labelled for word in example.words}
    assert set(layer.words) == {"<unk>", *seen}
    assert 0 < int(layer.is_rare.sum()) < len(seen)


@pytest.fixture
def word_vectors(records, cache, monkeypatch):
    """Word vectors in the place of trained ones; returns the stages that were asked for."""

    def quick(stage, *_):
        asked.append(stage)
        return WordVectors(words, np.random.default_rng(0).normal(size=(len(words), 5)))

    asked, words = [], ("the", "a", "of")
    monkeypatch.setenv("NNLM2BERT_CACHE", str(cache))
    monkeypatch.setattr(scoreboard, "pretrained", quick)
    return asked


def test_word_vectors_beside_the_mix_are_tuned_with_the_task(word_vectors):
    arm = next(arm for arm in scoreboard.arms("smoke") if arm.name == "ELMo-beside")
    task = scoreboard.Board("smoke").tasks["laboratory sentiment"]
    found = [
        way(arm, task, "smoke", "cpu")
        for way in (scoreboard.stage_vectors, scoreboard.vectors_beside)
    ]
    encoder = scoreboard.EncoderMaker(task, [], found[0], arm.config["mode"], found[1])()
    alone = scoreboard.EncoderMaker(task, [], found[0], arm.config["mode"])()
    assert encoder.width == alone.width + 5 and alone.beside is None
    assert encoder.beside.rows.weight.requires_grad and "the" in encoder.beside.words
    assert word_vectors == ["skip-gram"]


def test_a_row_with_vectors_beside_is_measured_as_that_without(word_vectors, records, tmp_path):
    places = {"results": tmp_path / "results", "workspace": tmp_path / "work"}
    (beside,) = run(scoreboard.EXPERIMENT, "smoke", seeds=[0], arms=["ELMo-beside"], **places)
    alone = records["ELMo-frozen"]
    assert word_vectors == ["skip-gram"] * len(LABORATORY)
    assert set(beside.figures) == set(alone.figures) and beside.figures != alone.figures
    assert {n: g["tokens"] for n, g in beside.groups.items()} == {
        n: g["tokens"] for n, g in alone.groups.items()
    }


@pytest.mark.parametrize("row", ["GPT-frozen", "GPT-tuned", "BERT-frozen", "BERT-tuned"])
def test_subword_rows_are_measured_as_the_others(row, records, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("NNLM2BERT_CACHE", str(cache))
    name = "laboratory part-of-speech"
    board = scoreboard.Board("smoke")
    monkeypatch.setitem(vars(board), "tasks", {name: board.tasks[name]})
    arm = next(arm for arm in scoreboard.arms("smoke") if arm.name == row)
    found = scoreboard.run(arm, 0, board, tmp_path)
    for labels in ("30", "all"):
        group, rival = (
            found.groups[f"{name} {labels}"],
            records["random"].groups[f"{name} {labels}"],
        )
        assert group["tokens"] == rival["tokens"]
        assert scoreboard.score(group) == found.figures[f"{name} {labels} accuracy"] > 0.1
    weights = [figure for figure in found.figures if figure.endswith((" s0", " s1", " s2", " s3"))]
    assert len(weights) == (6 if row.endswith("frozen") else 0)  # an embedding and two blocks


def test_the_settings_of_word2vec_are_those_of_the_compiled_loop(cache, monkeypatch):
    pytest.importorskip("numba")
    from nnlm2bert.models import word2vec_compiled

    def quick(ids, sentences, counts, settings, seed):
        assert len(ids) == len(sentences) == counts.sum() and seed == 0
        asked.append((settings.architecture, settings.threshold))
        generator = np.random.default_rng(seed)
        return generator.normal(size=(len(counts), settings.dimension)), None, 1.0

    asked = []
    monkeypatch.setenv("NNLM2BERT_CACHE", str(cache))
    monkeypatch.setattr(word2vec_compiled, "train_compiled", quick)
    by_name = {arm.name: arm for arm in scoreboard.arms("smoke")}
    task = scoreboard.Board("smoke").tasks["laboratory sentiment"]
    for name in ("word2vec-frozen", "CBOW-tuned"):
        vectors = scoreboard.stage_vectors(by_name[name], task, "smoke", "cpu")
        assert vectors.matrix.shape[1] == 50 and "the" in vectors and "<unk>" not in vectors
    assert asked == [("skip-gram", 1e-3), ("cbow", 1e-3)]
