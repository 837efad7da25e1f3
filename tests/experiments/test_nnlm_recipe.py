"""The recipe of Table 1, at scale smoke: every arm, on Pocket English, in seconds."""

import math

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.nnlm import experiment as nnlm
from nnlm2bert.experiments.runner import run

ARMS = ("trigram", "KN3", "KN4", "KN5", "KN5-estimated", "MLP9", "MLP5", "MLP7")

BY_FREQUENCY = 133
"""Perplexity of Pocket English for whoever knows how frequent each word is, and nothing else."""


@pytest.fixture(scope="module")
def data():
    return nnlm.prepare("smoke")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    places = {"results": root / "results", "workspace": root / "work"}
    found = run(nnlm.EXPERIMENT, "smoke", seeds=[0, 1], **places)
    return {(record.arm, record.seed): record for record in found}


def test_every_arm_is_recorded_and_networks_once_a_seed(records):
    expected = [(arm, 0) for arm in ARMS] + [(arm, 1) for arm in ARMS if arm.startswith("MLP")]
    assert sorted(records) == sorted(expected)


def test_all_arms_are_measured_on_the_same_documents(records):
    tokens = {tuple(record.groups["test"]["tokens"]) for record in records.values()}
    assert len(tokens) == 1
    assert sum(tokens.pop()) >= 2_000


def test_test_perplexity_is_that_of_the_documents(records):
    for record in records.values():
        group = record.groups["test"]
        perplexity = math.exp(sum(group["nats"]) / sum(group["tokens"]))
        assert perplexity == pytest.approx(record.figures["test perplexity"], rel=1e-9)


def test_tuned_discounts_are_better_on_the_validation_part(records):
    tuned, estimated = (records[arm, 0].figures for arm in ("KN5", "KN5-estimated"))
    assert tuned["validation perplexity"] < estimated["validation perplexity"]


def test_networks_learn_and_seeds_differ(records):
    first, second = (records["MLP9", seed].figures["test perplexity"] for seed in (0, 1))
    assert first != second
    assert max(first, second) < BY_FREQUENCY / 2


def test_the_mixture_is_the_mean_of_the_two_probabilities(data):
    network = nnlm.build_network(dict(nnlm.arms("smoke")[5].config), data).eval()
    losses = nnlm.network_losses(network, data, "test")
    mixed = nnlm.mix([losses, data.trigram_losses["test"]])
    mean = (np.exp(-losses) + np.exp(-data.trigram_losses["test"])) / 2
    np.testing.assert_allclose(mixed, -np.log(mean))


def test_a_part_is_predicted_from_the_words_before_it(data):
    start, stop = data.parts["test"]
    network = nnlm.build_network(dict(nnlm.arms("smoke")[5].config), data).eval()
    losses = nnlm.network_losses(network, data, "test")
    assert len(losses) == stop - start
    context = torch.from_numpy(data.ids[start - 4 : start])[None]
    target = torch.from_numpy(data.ids[start : start + 1])
    assert losses[0] == pytest.approx(-float(network.log_probabilities(context, target)), rel=1e-5)


def test_n_gram_models_read_back_over_the_border_of_a_part(data):
    losses = nnlm.ngram_losses(data.trigram, data, "test")
    start, stop = data.parts["test"]
    alone = -data.trigram.log_probabilities(data.ids[start:stop])
    assert losses.shape == alone.shape
    np.testing.assert_allclose(losses[2:], alone[2:])
    assert not np.allclose(losses[:2], alone[:2])


def test_what_is_learned_from_is_never_measured_as_test(data):
    assert data.parts["validation"][0] == len(data.learn)
    assert data.parts["train"][1] == len(data.learn) < data.parts["test"][0]


def test_an_untrained_network_predicts_by_frequency(data):
    network = nnlm.build_network(dict(nnlm.arms("smoke")[5].config), data).eval()
    counts = np.bincount(data.learn, minlength=len(data.vocabulary)) + 0.5
    unigram = -np.log(counts / counts.sum())[data.part("test")]
    losses = nnlm.network_losses(network, data, "test")
    assert float(losses.mean()) == pytest.approx(float(unigram.mean()), rel=0.01)


def test_neighbours_are_words_of_the_vocabulary(data):
    network = nnlm.build_network(dict(nnlm.arms("smoke")[5].config), data)
    found = nnlm.neighbours(network, data.vocabulary)
    known = [query for query in nnlm.QUERIES if query in data.vocabulary]
    assert sorted(found) == sorted(known) and known
    for word, near in found.items():
        assert word not in near and len(near) == nnlm.NEIGHBOURS


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_settings_are_those_of_table_one(scale):
    configs = {arm.name: arm.config for arm in nnlm.arms(scale)}
    mlp9 = {name: configs["MLP9"][name] for name in ("order", "hidden", "features", "direct")}
    assert mlp9 == {"order": 5, "hidden": 100, "features": 30, "direct": False}
    assert configs["MLP7"]["order"] == 3 and configs["MLP5"]["order"] == 5
