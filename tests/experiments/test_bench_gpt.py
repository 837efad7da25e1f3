"""The bench of GPT, small: all ways do the same work, and what differs is noticed."""

from __future__ import annotations

import builtins
from dataclasses import replace

import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.gpt import bench as bench_gpt
from nnlm2bert.experiments.gpt.bench import (
    OURS,
    RIVALS,
    TORCH,
    Race,
    batch,
    bench,
    compiled_speed,
    largest_difference,
    on_gpu,
    operations,
    own_way,
    rival_network,
    rival_way,
    share_of_peak,
    torch_way,
    turns,
    update,
)
from nnlm2bert.models.transformer import TransformerConfig

pytest.importorskip("transformers")

SMALL = TransformerConfig(50, context=10, width=16, heads=2, layers=2, inner=64, dropout=0.0)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpt, "CONFIG", SMALL)
    monkeypatch.setattr(bench_gpt, "ROWS", 3)


def ways() -> dict[str, tuple]:
    """All networks of the race, each with its loss."""
    tokens, targets = batch(SMALL, 3)
    torch.manual_seed(0)
    found = {OURS: own_way(SMALL, tokens, targets), TORCH: torch_way(SMALL, tokens, targets)}
    return found | {name: rival_way(*RIVALS[name], SMALL, tokens) for name in RIVALS}


def test_the_report_tells_of_all_ways_and_that_results_are_equal() -> None:
    report = bench(repeats=2)
    assert report.equal and report.name == "gpt" and report.ratio > 0
    for dropout in bench_gpt.DROPOUTS:
        for name in (OURS, TORCH, *RIVALS):
            assert "tokens/s" in report.details[f"dropout {dropout}, {name}"]
    assert report.details["rival"].removeprefix("transformers, ") in RIVALS


def test_one_turn_has_a_ratio_without_an_interval() -> None:
    found = bench_gpt.race(SMALL, repeats=1)
    assert found.told(found.rival).endswith("times as fast")


def test_all_networks_are_of_one_size() -> None:
    sizes = {
        name: sum(parameter.numel() for parameter in model.parameters())
        for name, (model, _) in ways().items()
    }
    assert sizes[OURS] - SMALL.vocabulary_size == sizes["OpenAIGPT"] == sizes[TORCH]
    assert sizes["GPT2, eager attention"] == sizes["OpenAIGPT"] + 2 * SMALL.width


def test_each_rival_has_the_attention_it_is_named_after() -> None:
    for family, attention in RIVALS.values():
        model = rival_network(family, attention, replace(SMALL, dropout=0.3))
        assert model.config._attn_implementation == attention
        assert {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)} == {0.3}


@pytest.mark.parametrize("name", [OURS, TORCH, *RIVALS])
def test_an_update_moves_every_weight_and_lowers_the_loss(name: str) -> None:
    model, loss = ways()[name]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step = update(model, loss)
    losses = [step() for _ in range(20)]
    assert losses[-1] < losses[0]
    pairs = zip(before, model.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in pairs)


def test_a_difference_from_transformers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert largest_difference() < bench_gpt.TOLERANCE
    plain = bench_gpt.from_openai
    changed = {"layers.1.attention.output.weight": 1.01}

    def from_openai(state: dict) -> dict:
        return {name: values * changed.get(name, 1) for name, values in plain(state).items()}

    monkeypatch.setattr(bench_gpt, "from_openai", from_openai)
    assert largest_difference() > bench_gpt.TOLERANCE


def test_ways_take_turns() -> None:
    called = []
    steps = {name: lambda name=name: called.append(name) or 0.0 for name in "abc"}
    found = turns(steps, repeats=2)
    assert "".join(called) == "abc" * (bench_gpt.WARMUP + 2)
    assert {name: len(times) for name, times in found.items()} == {"a": 2, "b": 2, "c": 2}
    with pytest.raises(ValueError, match="at least 1"):
        turns(steps, repeats=0)


def test_the_fastest_of_transformers_is_the_rival() -> None:
    eager, sdpa, first = "GPT2, eager attention", "GPT2, sdpa attention", "OpenAIGPT"
    times = {OURS: (1.0, 2.0, 1.0), eager: (2.0, 3.0, 4.0), sdpa: (1.5, 1.8, 2.1)}
    found = Race(90, times | {first: (9.0, 9.0, 9.0), TORCH: (0.5, 0.5, 0.5)})
    assert (found.rival, found.speed(OURS), found.speed(sdpa)) == (sdpa, 90, 50)
    assert found.ratios(sdpa) == [1.5, 0.9, 2.1] and found.ratio == 1.5
    assert found.told(sdpa) == "50 tokens/s, ours 1.50 times as fast (0.49-4.08)"


def test_without_transformers_the_reader_learns_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "transformers":
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install transformers"):
        rival_network("GPT2", "eager", SMALL)


# On a GPU.


def test_a_compiled_network_is_timed() -> None:
    assert compiled_speed(SMALL, 3, torch.device("cpu"), repeats=1, compiler="eager") > 0


def test_a_gpu_is_told_of_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpt, "choose_device", lambda name: torch.device("cpu"))
    assert on_gpu(1) == {}
    monkeypatch.setattr(bench_gpt, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(bench_gpt, "compiled_speed", lambda *_: 500_000.0)
    assert on_gpu(1) == {
        "NVIDIA H100 80GB HBM3, 12 layers x 768, compiled": "500,000 tokens/s",
        "share of the peak of 989 TFLOP/s": "38%",
    }


def test_operations_of_an_update_are_three_times_those_of_reading() -> None:
    linear = 2 * (4 * 16 * 16 + 2 * 16 * 64) + 16 * 50
    scores_and_means = 2 * 2 * 10 * 16
    assert operations(SMALL) == 3 * 2 * (linear + scores_and_means)


def test_the_peak_is_that_of_the_card() -> None:
    assert share_of_peak("NVIDIA H100 PCIe", 378e12) == {"share of the peak of 756 TFLOP/s": "50%"}
    assert share_of_peak("NVIDIA L40S", 181e12) == {"share of the peak of 362 TFLOP/s": "50%"}
    assert "not in the table" in share_of_peak("Abacus", 1.0)["share of the peak"]
