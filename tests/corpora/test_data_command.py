"""``data list|fetch|verify``: what they print, and how they end."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest
from loopback import corpus_of, use_real_data

from nnlm2bert.corpora import CorpusError, command, registry
from nnlm2bert.errors import UserError


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["data", *words])
    return arguments.run(arguments)


@pytest.fixture
def toy(loopback, folders, monkeypatch):
    """Two sets in the registry, ``here`` in the cache and ``there`` only on the server."""
    sets = {name: corpus_of({"a.txt": b"bank"}, loopback.url, name) for name in ("here", "there")}
    loopback.answers["/a.txt"] = b"bank"
    monkeypatch.setattr(command, "registry", lambda: sets)
    monkeypatch.setattr(command, "find", sets.__getitem__)
    (folders.cache / "here").mkdir(parents=True)
    (folders.cache / "here/a.txt").write_bytes(b"bank")
    return folders


def test_list_is_a_table_of_all_sets(folders, capsys):
    assert run("list") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "MB", "LICENCE", "CHAPTERS", "WHERE"]
    assert [row.split()[0] for row in rows[:30]] == list(registry())
    assert all(row.endswith("missing") for row in rows[:30])
    assert rows[-2:] == ["mirror: none (NNLM2BERT_DATA is not set)", f"cache:  {folders.cache}"]


def test_list_says_where_the_files_are(toy, capsys):
    assert run("list") == 0
    rows = capsys.readouterr().out.splitlines()[1:3]
    assert [row.split()[-1] for row in rows] == ["cache", "missing"]


def test_list_as_json(toy, capsys):
    assert run("list", "here", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["file_count"], entry["where"]) == ("here", 1, {"cache": 1})
    assert entry["licence"] and entry["format_notes"]


def test_fetch_then_verify(toy, capsys):
    assert run("fetch", "there") == 0
    assert (toy.cache / "there/a.txt").read_bytes() == b"bank"
    assert run("verify", "here", "there") == 0
    assert capsys.readouterr().out == "there: cache\nhere: right\nthere: right\n"


def test_fetch_as_json(toy, capsys):
    assert run("fetch", "--all", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in report] == ["here", "there"]
    assert report[1]["files"] == {"there/a.txt": str(toy.cache / "there/a.txt")}


def test_fetch_that_fails_raises_for_the_reader(toy, loopback):
    loopback.answers.clear()
    with pytest.raises(UserError, match="404"):
        run("fetch", "there")


def test_verify_of_a_wrong_file(toy, capsys):
    (toy.cache / "here/a.txt").write_bytes(b"bonk")
    assert run("verify", "here") == 1
    assert "its SHA-256 is not the registry's" in capsys.readouterr().out


def test_verify_of_a_named_set_that_is_missing(toy, capsys):
    assert run("verify", "there") == 1
    assert "there/a.txt is missing" in capsys.readouterr().out


def test_verify_all_passes_over_what_was_never_fetched(toy, capsys):
    assert run("verify", "--all") == 0
    assert capsys.readouterr().out == "here: right\nthere: not fetched\n"


def test_verify_as_json(toy, capsys):
    assert run("verify", "here", "there", "--json") == 1
    here, there = json.loads(capsys.readouterr().out)
    assert here == {"name": "here", "state": "right", "problems": []}
    assert there["state"] == "wrong" and len(there["problems"]) == 1


@pytest.mark.parametrize("words", [("fetch",), ("verify",), ("fetch", "brown", "--all")])
def test_which_sets_must_be_said(folders, words):
    with pytest.raises(CorpusError, match="Name the data sets, or say --all"):
        run(*words)


def test_unknown_name(folders):
    with pytest.raises(CorpusError, match="Did you mean 'brown'"):
        run("fetch", "bronw")


def test_real_set_in_the_mirror(tmp_path, monkeypatch, capsys):
    use_real_data(monkeypatch, tmp_path, "tinyshakespeare")
    assert run("verify", "tinyshakespeare") == 0
    assert run("list", "tinyshakespeare") == 0
    assert "mirror" in capsys.readouterr().out.splitlines()[2]


def test_the_command_is_light():
    """The command line must start, and list, without the numerical libraries."""
    heavy = "{'torch', 'numpy', 'datasets', 'pyarrow', 'requests'}"
    code = f"import sys, nnlm2bert.corpora.command; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
