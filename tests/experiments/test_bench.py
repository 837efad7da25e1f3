"""Benches time turn by turn and report in one form."""

from __future__ import annotations

import dataclasses
import json

import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.experiments import bench
from nnlm2bert.experiments.bench import Report, compare


class Clock:
    """A clock that only work moves on."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def work(self, name, times):
        left = iter(times)

        def call():
            self.calls.append(name)
            self.now += next(left)

        return call


def test_turns_medians_and_warm_up(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock.now)
    timing = compare(
        clock.work("A", [100, 1, 2, 3]), clock.work("B", [100, 4, 2, 15]), repeats=3, warmup=1
    )
    assert "".join(clock.calls) == "ABABABAB"
    assert (timing.ours, timing.rival, timing.repeats) == (2, 4, 3)
    assert timing.ratio == 4
    assert timing.pairs == ((1, 4), (2, 2), (3, 15))


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        compare(int, int, repeats=0)


@pytest.fixture
def report():
    return Report("loss", "ms a step", 60.0, 150.0, 2.5, True, 11, "a processor", 2, {"rows": 1024})


def test_json_has_the_form_of_every_bench(report):
    assert json.loads(report.as_json()) == {
        "name": "loss",
        "unit": "ms a step",
        "ours": 60.0,
        "rival": 150.0,
        "ratio": 2.5,
        "equal": True,
        "repeats": 11,
        "device": "a processor",
        "threads": 2,
        "details": {"rows": 1024},
    }


def test_text_says_ratio_and_whether_results_are_equal(report):
    assert "2.50 times as fast (equal results)" in str(report)
    assert "RESULTS DIFFER" in str(dataclasses.replace(report, equal=False))


def test_unknown_bench_names_those_that_exist(monkeypatch):
    monkeypatch.setattr(bench, "names", lambda: ("nnlm", "word2vec"))
    with pytest.raises(UserError, match=r"no bench 'nlm'.*nnlm, word2vec"):
        bench.load("nlm")


def test_benches_are_found_by_their_file_name():
    assert all(bench.load(name).name == name for name in bench.names())
