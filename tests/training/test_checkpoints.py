"""Checkpoints: resumed runs equal uninterrupted ones, damaged files are refused."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programme import CONFIG, Stop, batches, data, evaluate, interrupted, masked_loss, net
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.training import ShuffledBatches, train
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint

PROGRAMME = Path(__file__).with_name("programme.py")


def run(model: nn.Module, checkpoint: Path | None = None, **options):
    given = {"loss_function": masked_loss, "batches": batches(), "config": CONFIG, **options}
    return train(model, **given, evaluate=evaluate, checkpoint=checkpoint, progress=False)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def without_times(result) -> dict:
    values = result.as_dict()
    return {name: value for name, value in values.items() if "second" not in name}


@pytest.fixture
def checkpoint(tmp_path):
    """Return the checkpoint of a run that failed in step 14; step 10 was the last to be saved."""
    path = tmp_path / "run.pt"
    with pytest.raises(Stop):
        run(net(), path, loss_function=interrupted(13))
    return path


def test_killed_and_resumed_equals_never_killed(tmp_path):
    path = tmp_path / "deep" / "run.pt"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "CI": "1"}
    command = [sys.executable, str(PROGRAMME), "kill", str(path), "13"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as child:
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert read_checkpoint(path)["result"]["step"] == 10
    whole, resumed = net(), net()
    calls = []

    def counted(model, batch):
        calls.append(1)
        return masked_loss(model, batch)

    expected = run(whole)
    result = run(resumed, path, loss_function=counted)
    assert len(calls) == 14
    assert same(whole, resumed)
    assert without_times(result) == without_times(expected)
    assert result.best_step not in (None, 24), "the best weights are not simply the last"


def test_a_complete_run_is_not_repeated(tmp_path):
    first, again = net(), net()
    expected = run(first, tmp_path / "run.pt")
    result = run(again, tmp_path / "run.pt", loss_function=interrupted(0))
    assert same(first, again)
    assert result == expected
    assert not again.training


def test_checkpoints_may_be_written_more_often(checkpoint):
    whole, resumed = net(), net()
    run(whole)
    run(resumed, checkpoint, config=replace(CONFIG, checkpoint_every=2))
    assert same(whole, resumed)


def test_another_run_is_refused(checkpoint):
    config = replace(CONFIG, learning_rate=0.5)
    with pytest.raises(UserError, match=r"learning_rate is 0.01 there, 0.5 here.*delete"):
        run(net(), checkpoint, config=config)
    model = net()
    model.output = nn.Linear(8, 6)
    with pytest.raises(UserError, match=r"output.weight is \(5, 8\).*there, \(6, 8\)"):
        run(model, checkpoint)
    words, labels = data()
    other = ShuffledBatches((words.flip(0), labels), CONFIG.batch_size, seed=CONFIG.seed)
    with pytest.raises(UserError, match=r"batches.checksum"):
        run(net(), checkpoint, batches=other)
    with pytest.raises(UserError, match="AdamW there, SGD here"):
        run(net(), checkpoint, optimizer=lambda m, c: torch.optim.SGD(m.parameters(), lr=1.0))


def test_a_damaged_file_is_refused(checkpoint):
    whole = checkpoint.read_bytes()
    flipped = bytearray(whole)
    weights = whole.index(net().frozen.weight.detach().numpy().tobytes())  # trained never
    flipped[weights + 20] ^= 1
    for content in (whole[: len(whole) // 2], b"", b"not a checkpoint", bytes(flipped)):
        checkpoint.write_bytes(content)
        with pytest.raises(UserError, match=r"run.pt is damaged.*Delete it to begin anew"):
            run(net(), checkpoint)


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="no checkpoint of this version's training"):
        run(net(), tmp_path / "other.pt")
    torch.save({"format": UserError}, tmp_path / "code.pt")
    with pytest.raises(UserError, match="damaged"):
        run(net(), tmp_path / "code.pt")


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("No space left")])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, error):
    path = tmp_path / "run.pt"
    write_checkpoint(path, {"step": 1})

    def full(state, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"checkpoint .*No space left.*Make room .* resumes from"):
        write_checkpoint(path, {"step": 2})
    assert read_checkpoint(path)["step"] == 1
    assert os.listdir(tmp_path) == ["run.pt"]


def test_what_another_process_is_writing_is_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    names = []
    monkeypatch.setattr(torch, "save", lambda state, file: names.append(file.name))
    for process in (11, 12):
        monkeypatch.setattr(os, "getpid", lambda number=process: number)
        write_checkpoint(path, {"step": 1})
    assert len(set(names)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
