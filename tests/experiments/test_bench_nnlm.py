import pytest
import torch

from nnlm2bert.experiments.nnlm import bench as bench_nnlm
from nnlm2bert.experiments.nnlm.bench import bench, largest_error, own_loss, plain_loss, problem


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_nnlm, "POSITIONS", 64)
    monkeypatch.setattr(bench_nnlm, "WORDS", 500)


def test_the_report_says_that_both_ways_agree():
    report = bench(repeats=1)
    assert report.equal and report.name == "nnlm" and report.ratio > 0


def test_a_wrong_gradient_is_noticed():
    parameters, targets = problem()
    wrong = lambda: 1.001 * plain_loss(parameters, targets)()  # noqa: E731
    assert largest_error(wrong, plain_loss(parameters, targets), parameters) > 5e-4
    right = own_loss(parameters, targets, torch.float32)
    assert largest_error(right, plain_loss(parameters, targets), parameters) < 1e-5
