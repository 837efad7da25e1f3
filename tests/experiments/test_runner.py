"""The runner records at once, runs nothing twice and goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from pathlib import Path

import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.records import Record, RecordError, read_records
from nnlm2bert.experiments.runner import Arm, default_results, duration, plan, run


@pytest.fixture
def go(recipe, tmp_path):
    """Runs the toy experiment in folders of this test."""

    def start(seeds=(0, 1), arms=None, force=False):
        folders = {"results": tmp_path / "results", "workspace": tmp_path / "runs"}
        return run(recipe.experiment(), "laptop", seeds, arms, force=force, **folders)

    return start


def test_every_arm_has_one_seed_before_any_has_two(recipe, go):
    records = go()
    order = [("count", 0), ("small", 0), ("large", 0), ("small", 1), ("large", 1)]
    assert recipe.ran == order
    assert [(record.arm, record.seed) for record in records] == order


def test_record_holds_what_was_measured_and_how(go, tmp_path):
    go(seeds=[1], arms=["small"])
    record = Record.load(tmp_path / "results/toy/laptop/small/seed-1.json")
    assert record.figures == {"test perplexity": 11.0}
    assert record.series == {"loss": [3, 2, 1.5]}
    assert record.groups == {"test": {"tokens": [3, 5], "nats": [6.5, 11.25]}}
    assert record.words == {"neighbours": {"was": ["is", "had"]}}
    assert record.config == {"hidden": [4, 2]}
    assert record.command == (
        "python -m nnlm2bert reproduce toy --scale laptop --arms small --seeds 1"
    )


def test_second_run_does_nothing(recipe, go):
    go()
    recipe.ran.clear()
    recipe.prepared.clear()
    assert go() == []
    assert recipe.ran == recipe.prepared == []


def test_more_seeds_run_only_the_new_ones(recipe, go):
    go(seeds=[0])
    recipe.ran.clear()
    go(seeds=[0, 1, 2], arms=["small"])
    assert recipe.ran == [("small", 1), ("small", 2)]
    assert recipe.prepared == ["laptop", "laptop"]


def test_force_runs_again(recipe, go):
    go(seeds=[0])
    recipe.ran.clear()
    assert len(go(seeds=[0], force=True)) == len(recipe.ran) == 3


def test_changed_settings_run_again(recipe, go):
    go(seeds=[0])
    recipe.ran.clear()
    recipe.arms = (*recipe.arms[:2], Arm("large", {"hidden": (9, 2)}))
    go(seeds=[0])
    assert recipe.ran == [("large", 0)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")])
def test_what_ended_before_a_stop_is_kept(recipe, go, tmp_path, error, caplog):
    recipe.breaks["large"] = error
    with pytest.raises(type(error)), caplog.at_level(logging.INFO, "nnlm2bert"):
        go(seeds=[0])
    assert [record.arm for record in read_records(tmp_path / "results")] == ["count", "small"]
    assert "2 of 3 recorded; the same command goes on from here" in caplog.text
    recipe.breaks.clear()
    recipe.ran.clear()
    go(seeds=[0])
    assert recipe.ran == [("large", 0)]


def test_checkpoints_survive_a_stop_and_go_when_recorded(recipe, go):
    recipe.breaks["small"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        go(seeds=[0], arms=["small"])
    (workspace,) = recipe.workspaces
    assert (workspace / "checkpoint").is_file()
    recipe.breaks.clear()
    go(seeds=[0], arms=["small"])
    assert recipe.workspaces == [workspace, workspace]
    assert not workspace.exists()


def test_changed_settings_find_no_stale_checkpoints(recipe):
    experiment = recipe.experiment()
    (old,) = plan(experiment, "laptop", [0], ["small"])
    recipe.arms = (Arm("small", {"hidden": (5, 2)}),)
    (new,) = plan(experiment, "laptop", [0])
    assert old.path == new.path
    assert old.workspace != new.workspace


def test_a_broken_record_stops_with_its_name_and_a_way_out(go, tmp_path):
    go(seeds=[0])
    path = tmp_path / "results/toy/laptop/small/seed-0.json"
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(RecordError, match=r"seed-0\.json cannot be read.*Delete it.*--arms small"):
        go(seeds=[0])


def test_unknown_names_are_refused_before_anything_runs(recipe, go):
    with pytest.raises(UserError, match=r"no arm 'huge'.*count, small, large"):
        go(arms=["small", "huge"])
    with pytest.raises(UserError, match=r"no scale 'desk'.*smoke, laptop, gpu"):
        run(recipe.experiment(), "desk")
    with pytest.raises(UserError, match="no device 'tpu'"):
        run(recipe.experiment(), "laptop", device="tpu", results="unused")
    assert recipe.prepared == []


def test_recipe_may_know_its_time_better(recipe, go):
    measure = recipe._run
    recipe._run = lambda *args, **named: dataclasses.replace(measure(*args, **named), seconds=3600)
    (record,) = go(seeds=[0], arms=["small"])
    assert record.seconds == 3600


def test_log_foretells_time_by_earlier_seeds(recipe, go, tmp_path, caplog):
    (record,) = go(seeds=[0], arms=["small"])
    dataclasses.replace(record, seconds=2400).save(tmp_path / "results")
    with caplog.at_level(logging.INFO, "nnlm2bert"):
        go(seeds=[0, 1], arms=["small", "large"])
    assert "small, seed 1 (2 of 3): about 40 min" in caplog.text
    assert "large, seed 0 (1 of 3): no earlier run to tell how long" in caplog.text


def test_hashes_of_the_corpora_are_recorded(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("nnlm2bert.corpora.hashes", lambda name: {f"{name}/a": "12ab"})
    experiment = dataclasses.replace(recipe.experiment(), corpora=("brown", "wikitext"))
    folders = {"results": tmp_path, "workspace": tmp_path / "runs"}
    (record,) = run(experiment, "laptop", [0], ["count"], **folders)
    assert record.data == {"brown/a": "12ab", "wikitext/a": "12ab"}
    (record,) = run(experiment, "smoke", [0], ["count"], **folders)
    assert record.data == {}


def test_sets_of_many_files_have_one_hash(recipe, tmp_path, monkeypatch):
    files = {f"books/{n:03}": "12ab" for n in range(300)}
    monkeypatch.setattr("nnlm2bert.corpora.hashes", lambda name: files)
    books = dataclasses.replace(recipe.experiment(), corpora=("books",))
    folders = {"results": tmp_path, "workspace": tmp_path / "runs"}
    (record,) = run(books, "laptop", [0], ["count"], **folders)
    listed = "".join(f"12ab  books/{n:03}\n" for n in range(300))
    assert record.data == {"books (300 files)": hashlib.sha256(listed.encode()).hexdigest()}


def test_commit_is_that_of_the_code_when_it_was_loaded(recipe, go, monkeypatch):
    states = iter([("ab12", False), ("cd34", True)])
    monkeypatch.setattr("nnlm2bert.experiments.runner.code_state", lambda: next(states))
    records = go(seeds=[0])
    assert {(record.commit, record.dirty) for record in records} == {("ab12", False)}


def test_smoke_records_stay_out_of_the_results(monkeypatch, tmp_path):
    monkeypatch.delenv("NNLM2BERT_RESULTS", raising=False)
    monkeypatch.setenv("NNLM2BERT_CACHE", str(tmp_path))
    assert default_results("smoke") == tmp_path / "results"
    assert default_results("laptop") == Path(__file__).parents[2] / "results"
    monkeypatch.setenv("NNLM2BERT_RESULTS", str(tmp_path / "mine"))
    assert default_results("smoke") == tmp_path / "mine"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(43.4, "43 s"), (720, "12 min"), (3900, "1 h 05 min"), (3599, "1 h 00 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_wall_time_is_measured(recipe, go, tmp_path):
    measure = recipe._run
    recipe._run = lambda *args, **named: (time.sleep(0.2), measure(*args, **named))[1]
    go(seeds=[0], arms=["small"])
    path = tmp_path / "results/toy/laptop/small/seed-0.json"
    assert 0.2 <= json.loads(path.read_text(encoding="utf-8"))["seconds"] < 5
