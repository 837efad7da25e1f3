"""What networks know before their first step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.bert.beginnings import (
    HELPED,
    PLAIN,
    Beginning,
    Words,
    begin,
    tied_softmax,
)
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import sinusoids
from nnlm2bert.models.transformer_bilm import TransformerBiLM

TYPES, WIDTH = 60, 16
CONFIG = bert_config(TYPES, context=12, width=WIDTH, heads=2, layers=2, inner=32)
ONE_WAY = replace(CONFIG, causal=True, segments=0)
KINDS = {"BERT": lambda: BERT(CONFIG), "GPT": lambda: GPT(ONE_WAY)}
KINDS["two one-way"] = lambda: TransformerBiLM(ONE_WAY)


@pytest.fixture(scope="module")
def words() -> Words:
    """Words 10 to 29 stand beside each other, and 30 to 49; the others are never used."""
    draw = np.random.default_rng(0)
    halves = draw.integers(0, 2, 3_000)[:, None] * 20 + 10
    ids = (halves + draw.integers(0, 20, (3_000, 8))).ravel()
    return Words(ids, np.arange(3_000, dtype=np.int32).repeat(8), TYPES)


def made(kind: str, beginning: Beginning, words: Words) -> torch.nn.Module:
    torch.manual_seed(0)
    network = KINDS[kind]()
    begin(network, beginning, words, 0)
    return network


def weights(network: torch.nn.Module, part: str) -> list[torch.Tensor]:
    return [own.detach() for name, own in network.named_parameters() if part in name]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_changes_nothing(words: Words, kind: str) -> None:
    torch.manual_seed(0)
    pairs = zip(KINDS[kind]().parameters(), made(kind, PLAIN, words).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_are_alike_begin_alike(words: Words, kind: str) -> None:
    beginning = Beginning(vectors="CBOW")
    plain, helped = (tied_softmax(made(kind, one, words))[0].detach() for one in (PLAIN, beginning))
    unit = torch.nn.functional.normalize(helped[10:50])
    alike = unit @ unit.T
    assert alike[:20, :20].mean() > 0.4 and alike[:20, 20:].mean() < 0
    assert helped[10:50].std() == pytest.approx(float(plain.std()), rel=1e-3)
    torch.testing.assert_close(helped[:10], plain[:10])
    torch.testing.assert_close(helped[50:], plain[50:])


@pytest.mark.parametrize("kind", KINDS)
def test_places_begin_as_waves(words: Words, kind: str) -> None:
    network = made(kind, Beginning(waves=2.0), words)
    spread = tied_softmax(network)[0].std()
    found = weights(network, "positions")
    assert len(found) == (2 if kind == "two one-way" else 1)
    for own in found:
        torch.testing.assert_close(own, 2 * spread * sinusoids(12, WIDTH))


@pytest.mark.parametrize("kind", KINDS)
def test_queries_and_keys_begin_larger_and_values_do_not(words: Words, kind: str) -> None:
    plain, sharper = (
        weights(made(kind, one, words), "queries_keys_values.weight")
        for one in (PLAIN, Beginning(sharper=3.0))
    )
    assert len(plain) == (4 if kind == "two one-way" else 2)
    for one, other in zip(plain, sharper, strict=True):
        torch.testing.assert_close(other[: 2 * WIDTH], 3 * one[: 2 * WIDTH])
        torch.testing.assert_close(other[2 * WIDTH :], one[2 * WIDTH :])


def test_all_begin_so_where_help_is_given(words: Words) -> None:
    network = made("BERT", HELPED, words)
    plain = made("BERT", PLAIN, words)
    for part in ("tokens", "positions", "queries_keys_values.weight"):
        pairs = zip(weights(network, part), weights(plain, part), strict=True)
        assert not any(torch.equal(one, other) for one, other in pairs)
    assert all(torch.isfinite(own).all() for own in network.parameters())


def test_other_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="'random' or 'CBOW', not 'GloVe'"):
        Beginning(vectors="GloVe")
