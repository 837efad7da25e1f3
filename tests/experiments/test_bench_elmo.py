"""The bench of ELMo, small: both ways to extract features agree, and what differs is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nnlm2bert.experiments.bench import Report
from nnlm2bert.experiments.elmo import bench as bench_elmo
from nnlm2bert.experiments.elmo import experiment as elmo
from nnlm2bert.experiments.elmo.bench import (
    bench,
    extraction,
    largest_difference,
    own_step,
    plain_step,
    problem,
    sentences,
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {"TYPES": 50, "OUTPUTS": 100, "WORDS": 60, "SENTENCES": 6}.items():
        monkeypatch.setattr(bench_elmo, name, value)
    monkeypatch.setattr(bench_elmo, "LENGTH", 8)


def test_the_report_says_that_both_ways_agree():
    report = bench(repeats=1)
    assert report.equal and report.name == "elmo" and report.ratio > 0
    assert report.details["features, words/s in batches"] > 0


def test_sentences_of_all_lengths_are_extracted_alike():
    given = problem()
    assert len({len(sentence) for sentence in sentences(given)}) > 2
    ways = {name: way() for name, way in extraction(given).items()}
    assert largest_difference(*ways.values()) < bench_elmo.TOLERANCE
    changed = [vectors + 0.05 for vectors in ways["one by one"]]
    assert largest_difference(ways["in batches"], changed) > bench_elmo.TOLERANCE


def test_both_updates_are_of_as_many_words_and_reach_all_parameters():
    given = problem()
    ours, plain = own_step(given)(), plain_step(given)()
    assert given.read == given.batch[0].numel() and plain[0].shape[:2] == given.batch[0].shape
    assert len(ours) == len(list(given.bilm.parameters()))
    assert all(bool((gradient != 0).any()) for gradient in (*ours, *plain))


def test_a_problem_is_the_same_every_time():
    one, other = problem(), problem()
    assert one.words == other.words and torch.equal(one.batch[0], other.batch[0])
    pairs = zip(one.bilm.parameters(), other.bilm.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_race_is_recorded_at_all_scales_but_smoke(monkeypatch: pytest.MonkeyPatch) -> None:
    raced = Report("elmo", "words/s", ours=3.0, rival=6.0, ratio=0.5, equal=True, repeats=4)
    monkeypatch.setattr(elmo, "bench", lambda repeats: replace(raced, repeats=repeats))
    assert elmo.run_speed(4).figures == {
        "words a second, an update": 3.0,
        "words a second, its LSTMs alone": 6.0,
        "speed as a share of its LSTMs'": 0.5,
    }
    named = {scale: {arm.name for arm in elmo.arms(scale)} for scale in ("smoke", "laptop")}
    assert named["laptop"] - named["smoke"] == {"speed"}
