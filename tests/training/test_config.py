"""The config, the schedule, the optimiser's groups, devices and seeds."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.training import TrainingConfig, adamw, choose_device, derived_seed, seed_everything
from nnlm2bert.training.devices import resolve_precision
from nnlm2bert.training.optimiser import decay_groups


def rates(**options) -> list[float]:
    config = TrainingConfig(steps=10, batch_size=1, learning_rate=2.0, **options)
    return [config.learning_rate_at(step) for step in range(10)]


def test_warm_up_rises_linearly_to_the_learning_rate():
    assert rates(warmup_steps=4, decay="constant") == [0.5, 1.0, 1.5] + 7 * [2.0]


def test_linear_decay_leads_to_the_final_fraction():
    expected = [1.0, 2.0] + [2.0 - 1.5 * i / 8 for i in range(8)]
    assert rates(warmup_steps=2, decay="linear", final_fraction=0.25) == pytest.approx(expected)


def test_cosine_is_that_of_torch():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=0.2)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates(final_fraction=0.1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, is 0"),
        ({"decay": "cubic"}, "decay must be one of"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"clip": 0.0}, "clip must be above 0 or None"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0"),
        ({"patience": 3}, "patience needs keep_best"),
    ],
)
def test_impossible_values_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        TrainingConfig(**{"steps": 1, "batch_size": 1, **options})


def test_weight_decay_spares_biases_norms_and_vectors():
    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(3, 2),
            "lstm": nn.LSTM(2, 2),
            "norm": nn.LayerNorm((2, 2)),
            "output": nn.Linear(2, 3),
            "frozen": nn.Linear(2, 2).requires_grad_(False),
        }
    )
    model["output"].weight = model["embedding"].weight
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, spared = ([names[id(p)] for p in group] for group in decay_groups(model))
    assert decayed == ["embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0"]
    assert spared == [
        "lstm.bias_ih_l0",
        "lstm.bias_hh_l0",
        "norm.weight",
        "norm.bias",
        "output.bias",
    ]
    config = TrainingConfig(steps=1, batch_size=1, weight_decay=0.3, betas=(0.5, 0.6))
    groups = adamw(model, config).param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert all(group["betas"] == (0.5, 0.6) and group["fused"] for group in groups)


def test_a_device_is_named_or_the_cpu():
    assert choose_device() == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    with pytest.raises(UserError, match="use cpu, cuda, mps or auto"):
        choose_device("abacus")
    with pytest.raises(UserError, match="offers no device 'cuda:77'"):
        choose_device("cuda:77")


def test_auto_precision_follows_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    for able, expected in ({"avx512_bf16": True}, "bfloat16"), ({"avx2": True}, "float32"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able, raising=False)
        assert resolve_precision("auto", cpu) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert resolve_precision("auto", cpu) == "float32"
    assert resolve_precision("bfloat16", cpu) == "bfloat16"


def test_seed_everything_seeds_all_three():
    draws = []
    for seed in (3, 3, 4):
        seed_everything(seed)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1]
    assert not set(draws[0]) & set(draws[2])


def test_derived_seeds_are_fixed_for_ever():
    assert derived_seed(0, "epoch", 1) == 8372147079113586533
    assert derived_seed(1, 11) != derived_seed(11, 1)
