"""Records are written whole, read back equal, and refused with a reason when they are broken."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.experiments import provenance as origin
from nnlm2bert.experiments import records
from nnlm2bert.experiments.records import Record, RecordError, read_records


def test_saved_is_loaded(a_record, tmp_path):
    path = a_record.save(tmp_path)
    assert path == tmp_path / "toy/laptop/small/seed-0.json"
    assert Record.load(path) == a_record
    assert [entry.name for entry in path.parent.iterdir()] == ["seed-0.json"]


def test_lists_take_one_line(a_record, tmp_path):
    lines = a_record.save(tmp_path).read_text(encoding="utf-8").splitlines()
    assert '    "loss": [3, 2, 1.5]' in lines
    assert '      "nats": [6.5, 11.25]' in lines


def test_failed_write_leaves_the_old_record(a_record, tmp_path, monkeypatch):
    path = a_record.save(tmp_path)

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"seed-0.json could not be written \(no space"):
        dataclasses.replace(a_record, seconds=9.0).save(tmp_path)
    assert Record.load(path) == a_record
    assert [entry.name for entry in path.parent.iterdir()] == ["seed-0.json"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arm", "../elsewhere"),
        ("scale", "desk"),
        ("seed", -1),
        ("seed", True),
        ("config", ["hidden", 4]),
        ("data", {"brown": 3}),
        ("commit", 7),
        ("dirty", "no"),
        ("seconds", "long"),
        ("figures", {"perplexity": float("nan")}),
        ("figures", {"perplexity": "276"}),
        ("series", {"loss": [1, None]}),
        ("groups", {"test": {"tokens": [3], "nats": [6.5, 11.25]}}),
        ("groups", {"test": {"tokens": [3]}}),
        ("groups", {"test": {"tokens": [3, 0], "nats": [6.5, 0.0]}}),
        ("words", {"neighbours": {"was": ["it was so"]}}),
        ("words", {"neighbours": ["was"]}),
    ],
)
def test_form_is_held(a_record, tmp_path, field, value):
    with pytest.raises(RecordError, match=f"field '{field}' must be"):
        dataclasses.replace(a_record, **{field: value}).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def change(path, **changes):
    form = json.loads(path.read_text(encoding="utf-8"))
    form.update(changes)
    text = json.dumps({name: value for name, value in form.items() if value is not ...})
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": None}, "field 'device' must be the name of the processor"),
        ({"extra": 1}, "has an unknown field 'extra'"),
        ({"seed": 1}, r"says it is toy/laptop/small/seed-1\.json"),
    ],
)
def test_broken_record_is_named(a_record, tmp_path, changes, message):
    path = a_record.save(tmp_path)
    change(path, **changes)
    with pytest.raises(RecordError, match=message) as caught:
        read_records(tmp_path)
    assert str(path) in str(caught.value)


def test_missing_field_says_how_to_measure_again(a_record, tmp_path):
    path = a_record.save(tmp_path)
    form = json.loads(path.read_text(encoding="utf-8"))
    del form["figures"]
    path.write_text(json.dumps(form), encoding="utf-8")
    with pytest.raises(RecordError, match=r"has no field 'figures'.*--arms small --seeds 0"):
        Record.load(path)


def test_curves_groups_and_words_may_be_left_out(a_record, tmp_path):
    path = a_record.save(tmp_path)
    change(path, series=..., groups=..., words=...)
    assert Record.load(path) == dataclasses.replace(a_record, series={}, groups={}, words={})


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"experiment": "toy"', "\x00"])
def test_torn_file_is_named(a_record, tmp_path, text):
    path = a_record.save(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=r"seed-0\.json"):
        Record.load(path)


def test_read_by_experiment_and_scale(make_record, tmp_path):
    for scale, arm, seed in [("laptop", "b", 10), ("laptop", "b", 2), ("gpu", "a", 0)]:
        make_record(scale=scale, arm=arm, seed=seed).save(tmp_path)
    make_record(experiment="other").save(tmp_path)
    found = [(entry.arm, entry.seed) for entry in read_records(tmp_path, "toy", "laptop")]
    assert found == [("b", 2), ("b", 10)]
    assert len(read_records(tmp_path, "toy")) == 3
    assert len(read_records(tmp_path)) == 4
    assert read_records(tmp_path / "nowhere") == []


def test_own_records_count_before_shipped_ones(make_record, tmp_path, monkeypatch):
    monkeypatch.delenv("NNLM2BERT_RESULTS", raising=False)
    monkeypatch.setattr(records, "SHIPPED", tmp_path / "package" / "results")
    monkeypatch.setattr(records, "clone_root", lambda: None)
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        make_record(seed=seed, device="theirs").save(records.SHIPPED)
    make_record(seed=1, device="mine").save(records.results_root())
    assert [record.device for record in read_records()] == ["theirs", "mine"]
    monkeypatch.setenv("NNLM2BERT_RESULTS", str(tmp_path / "results"))
    assert [record.device for record in read_records()] == ["mine"]


def test_results_lie_in_the_clone_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("NNLM2BERT_RESULTS", raising=False)
    source = tmp_path / "src" / "nnlm2bert"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    installed = tmp_path / "site" / "python" / "site-packages" / "nnlm2bert" / "experiments"
    monkeypatch.setattr(records, "__file__", str(installed / "records.py"))
    assert records.results_root() == tmp_path / "results"


def test_provenance_names_versions_machine_and_moment(make_record):
    found = origin.provenance("a command", {"file": "ab"}, threads=3)
    assert found["versions"]["python"] == "{}.{}.{}".format(*sys.version_info)
    assert found["versions"]["nnlm2bert"] == importlib.metadata.version("nnlm2bert")
    assert found["device"] and found["threads"] == 3
    assert found["date"].startswith("20") and found["date"].endswith("+00:00")
    assert make_record(**found)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A fresh git repository that the provenance is taken of."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    module = tmp_path / "src" / "nnlm2bert" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("", encoding="utf-8")
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(origin, "clone_root", lambda: tmp_path)
    monkeypatch.setattr(origin, "__file__", str(module))
    return tmp_path


def test_commit_and_changes_of_the_code(clone):
    commit, dirty = origin.code_state()
    assert len(commit) == 40 and dirty is False
    (clone / "results").mkdir()
    (clone / "results" / "seed-0.json").touch()
    assert origin.code_state() == (commit, False)
    (clone / "src" / "new.py").touch()
    assert origin.code_state() == (commit, True)


def test_without_git_there_is_no_commit(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert origin.code_state() == (None, None)


def test_installed_from_a_git_address(monkeypatch):
    class Distribution:
        def read_text(self, name):
            assert name == "direct_url.json"
            return '{"url": "https://example.org", "vcs_info": {"commit_id": "ab12"}}'

    monkeypatch.setattr(origin, "clone_root", lambda: None)
    monkeypatch.setattr(origin.metadata, "distribution", lambda name: Distribution())
    assert origin.code_state() == ("ab12", False)
