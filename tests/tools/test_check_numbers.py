"""Numbers in the prose are those of the records."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from nnlm2bert.experiments.claims import ledger
from nnlm2bert.experiments.records import Record, read_records, results_root

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch) -> ModuleType:
    """The tool as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("check_numbers")


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """Three seeds of a network and one of a model that was counted."""
    monkeypatch.setenv("NNLM2BERT_RESULTS", str(tmp_path / "results"))
    for seed, perplexity in enumerate((260.0, 262.0, 267.0)):
        record("net", seed, {"test perplexity": perplexity, "parameters": 1177041.0})
    record("count", 0, {"test perplexity": 315.6, "gain": -0.125})
    return tmp_path


def record(arm: str, seed: int, figures: dict[str, float]) -> None:
    fields = {"experiment": "toy", "scale": "laptop", "arm": arm, "seed": seed, "figures": figures}
    origin = {"command": "c", "config": {}, "data": {}, "versions": {}, "commit": None}
    machine = {"dirty": None, "device": "d", "threads": 1, "seconds": 2400.0, "date": "today"}
    Record(**fields, **origin, **machine).save(results_root())


@pytest.fixture
def check(tool, results):
    """Gives the messages for a text."""
    evidence = tool.Evidence(read_records(), ledger())
    return lambda text: [problem.message for problem in tool.check(text, evidence)]


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 263<!-- record: toy/laptop/net test perplexity .0f -->.",
        "It reaches **263.0** <!-- record: toy/laptop/net test perplexity mean .1f -->.",
        "at best 260<!-- record: toy/laptop/net test perplexity min .0f --> or "
        "267<!--record: toy/laptop/net test perplexity max .0f-->",
        "spread 3.6<!-- record: toy/laptop/net test perplexity sd .1f -->",
        "ratio .833<!-- record: toy/laptop/net:count test perplexity .3f -->",
        "ratio 0.833<!-- record: toy/laptop/net:count test perplexity .3f -->",
        "1,177,041<!-- record: toy/laptop/net parameters .0f --> weights",
        "1177041<!-- record: toy/laptop/net parameters ,.0f --> weights",
        "it changes by −12.5 %<!-- record: toy/laptop/count gain .1% -->",
        "$-.125$<!-- record: toy/laptop/count gain .3f -->",
        "40<!-- record: toy/laptop/net minutes .0f --> minutes",
        "each of 3<!-- record: toy/laptop/net seeds .0f --> seeds",
        "order 5-263<!-- record: toy/laptop/net test perplexity .0f -->",
        "This is **not yet measured**<!-- claim: 5 verdict -->.",
        "A plain comment <!-- about records: none --> and 7 unmarked numbers.",
    ],
)
def test_right_numbers_pass(check, text):
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("262<!-- record: toy/laptop/net test perplexity .0f -->", "262 should be 263"),
        ("1263<!-- record: toy/laptop/net test perplexity .0f -->", "1263 should be 263"),
        ("2.63<!-- record: toy/laptop/net test perplexity .0f -->", "2.63 should be 263"),
        (".125<!-- record: toy/laptop/count gain .3f -->", ".125 should be -0.125"),
        ("263 nats<!-- record: toy/laptop/net test perplexity .0f -->", "no number right before"),
        ("263<!-- record: toy/laptop/nut test perplexity .0f -->", "nothing is recorded for"),
        ("263<!-- record: toy/laptop/net perplexity .0f -->", "no figure 'perplexity'; there are"),
        ("263<!-- record: toy/laptop/net .0f -->", "write: record: EXPERIMENT/SCALE/ARM"),
        ("263<!-- record: toy/laptop/net test perplexity q -->", "'q' is no format"),
        ("3<!-- record: toy/laptop/count test perplexity sd .0f -->", "no standard deviation"),
        ("holds<!-- claim: 5 verdict -->", "not yet measured"),
        (".86<!-- claim: 5 estimate .2f -->", "claim 5 has no estimate: not yet measured"),
        ("263<!-- claim: 26 verdict -->", "write: claim: ID"),
        ("263<!-- claim: five -->", "write: claim: ID"),
    ],
)
def test_wrong_ones_are_told(check, text, message):
    (found,) = check(text)
    assert message in found


def test_interval_of_a_claim(tool, results):
    row = ledger()[4]
    measured = replace(row, estimate=0.858, interval=(0.851, 0.866), verdict="holds")
    evidence = tool.Evidence([], [measured])
    text = (
        ".86<!-- claim: 5 estimate .2f --> (.851<!-- claim: 5 low .3f --> to "
        "0.866<!-- claim: 5 high .3f -->): **holds**<!-- claim: 5 verdict -->"
    )
    assert tool.check(text, evidence) == []
    assert len(tool.check(text.replace("holds", "does not hold"), evidence)) == 1


def test_fix_writes_the_right_numbers_and_reports_the_rest(tool, results, capsys):
    path = results / "page.md"
    mark = "<!-- record: toy/laptop/net test perplexity .0f -->"
    path.write_text(f"First 1,262{mark}, second **1.5**{mark},\nthird x{mark}.", encoding="utf-8")
    assert tool.main([str(path)]) == 1
    assert capsys.readouterr().err.count("page.md:") == 3
    assert tool.main(["--fix", str(path)]) == 1
    text = path.read_text(encoding="utf-8")
    assert text == f"First 263{mark}, second **263**{mark},\nthird x{mark}."
    assert "page.md:2" in capsys.readouterr().err


def test_fix_leaves_a_notebook_whole(tool, results):
    path = results / "chapter.ipynb"
    source = ["It reaches 1<!-- record: toy/laptop/net test perplexity .0f -->.\n", "Yes."]
    path.write_text(json.dumps({"cells": [{"source": source}]}, indent=1), encoding="utf-8")
    assert tool.main(["--fix", str(path)]) == 0
    cell = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert cell["source"] == [source[0].replace("1<", "263<"), "Yes."]


def test_the_books_numbers_are_those_of_its_records(tool, monkeypatch, capsys):
    monkeypatch.delenv("NNLM2BERT_RESULTS", raising=False)
    assert tool.prose_files()
    code = tool.main([])
    assert code == 0, capsys.readouterr().err
