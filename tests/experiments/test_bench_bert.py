"""The bench of BERT, small: all ways do the same work, and what differs is noticed."""

from __future__ import annotations

import builtins
from dataclasses import replace

import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.bert import bench as bench_bert
from nnlm2bert.experiments.bert.bench import (
    ATTENTIONS,
    FAMILIES,
    MASK,
    OURS,
    Race,
    batch,
    bench,
    largest_difference,
    own_way,
    rival_network,
    rival_way,
    update,
)
from nnlm2bert.models.bert import bert_config
from nnlm2bert.objectives import IGNORED

pytest.importorskip("transformers")

SMALL = bert_config(60, context=20, width=16, heads=2, layers=2, inner=64, dropout=0.0)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_bert, "CONFIG", SMALL)
    monkeypatch.setattr(bench_bert, "ROWS", 3)


def test_the_report_tells_of_all_ways_and_that_results_are_equal() -> None:
    report = bench(repeats=2)
    assert report.equal and report.name == "bert" and report.ratio > 0
    for tasks, family in FAMILIES.items():
        for name in (OURS, *(f"{family}, {attention} attention" for attention in ATTENTIONS)):
            for dropout in bench_bert.DROPOUTS:
                assert "tokens/s" in report.details[f"{tasks}, dropout {dropout}, {name}"]
    assert report.details["rival"].removeprefix("transformers, ").startswith("BertFor")


def test_the_networks_are_of_one_size() -> None:
    given = batch(SMALL, 3)
    ours = sum(p.numel() for p in own_way(SMALL, "both tasks", given)[0].parameters())
    theirs = rival_network(SMALL, FAMILIES["both tasks"], "sdpa")
    assert ours == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_rival_has_the_attention_it_is_named_after(attention: str) -> None:
    for family in FAMILIES.values():
        model = rival_network(replace(SMALL, dropout=0.3), family, attention)
        assert model.config._attn_implementation == attention
        assert {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)} == {0.3}


def test_a_batch_hides_a_seventh_of_its_tokens_and_holds_both_segments() -> None:
    given = batch(SMALL, 5)
    chosen = given["targets"] != IGNORED
    assert chosen.sum(dim=1).tolist() == [3] * 5
    assert 0 < int((given["tokens"] == MASK).sum()) <= 15
    assert given["segments"].sum(dim=1).tolist() == [10] * 5 and len(given["relations"]) == 5


@pytest.mark.parametrize("tasks", FAMILIES)
def test_an_update_lowers_the_loss(tasks: str) -> None:
    given = batch(SMALL, 3)
    torch.manual_seed(0)
    for model, loss in (own_way(SMALL, tasks, given), rival_way(SMALL, tasks, "eager", given)):
        step = update(model, loss)
        losses = [step() for _ in range(15)]
        assert losses[-1] < losses[0]


def test_only_both_tasks_ask_for_relations() -> None:
    given = batch(SMALL, 3)
    for tasks, moved in (("both tasks", True), ("masked words", False)):
        model, loss = own_way(SMALL, tasks, given)
        loss().backward()
        assert (model.relation.weight.grad is not None) is moved


def test_a_difference_from_transformers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert largest_difference() < bench_bert.TOLERANCE
    plain = bench_bert.from_google
    changed = {"layers.1.attention.output.weight": 1.01}

    def from_google(state: dict) -> dict:
        return {name: values * changed.get(name, 1) for name, values in plain(state).items()}

    monkeypatch.setattr(bench_bert, "from_google", from_google)
    assert largest_difference() > bench_bert.TOLERANCE


def test_the_fastest_of_transformers_is_the_rival() -> None:
    times = {OURS: (1.0, 2.0, 1.0), "eager": (2.0, 3.0, 4.0), "sdpa": (1.5, 1.8, 2.1)}
    found = Race(90, times)
    assert (found.rival, found.ratio, found.speed(OURS)) == ("sdpa", 1.5, 90)


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
        rival_network(SMALL, "BertForMaskedLM", "eager")
