"""Training in several processes under torchrun."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programme import CONFIG, batches, masked_loss, net

from nnlm2bert.training import train
from nnlm2bert.training.checkpoint import read_checkpoint

PROGRAMME = Path(__file__).with_name("programme.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return what each of two processes ended with, and the folder they wrote to."""
    folder = tmp_path_factory.mktemp("torchrun")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    loopback = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CI": "1"}
    done = subprocess.run(
        [*launch, *loopback, str(PROGRAMME), "torchrun", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"rank-{rank}.pt") for rank in (0, 1)], folder


def test_two_processes_end_with_the_weights_of_one(ranks):
    (first, _), _ = ranks
    model = net(dropout=0.0)
    config = replace(CONFIG, evaluate_every=None, keep_best=None)
    train(model, masked_loss, batches(), config, progress=False)
    start = net().state_dict()
    for name, expected in model.state_dict().items():
        assert torch.allclose(first[0][name], expected, atol=1e-5), name
        moved = not torch.equal(start[name], first[0][name])
        assert moved == (name.split(".")[0] not in ("unused", "frozen")), name


def test_all_processes_hold_the_same_weights(ranks):
    (first, second), _ = ranks
    for one, other in zip(first[:3], second[:3], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert first[3]["history"] == second[3]["history"]
    assert first[3]["processes"] == 2
    assert first[3]["examples"] == CONFIG.steps * CONFIG.batch_size


def test_interrupted_and_resumed_equals_uninterrupted_with_dropout(ranks):
    (first, second), folder = ranks
    _, whole, resumed, _, seed = first
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert len(read_checkpoint(folder / "run.pt")["random"]) == 2
    assert second[-1] != seed, "each process draws its own dropout"
