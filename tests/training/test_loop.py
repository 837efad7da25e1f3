"""The training loop in one process."""

import json
from dataclasses import replace

import pytest
import torch
from programme import CONFIG, batches, evaluate, masked_loss, net
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.training import ShuffledBatches, TrainingConfig, TrainingDiverged, train
from nnlm2bert.training.checkpoint import read_checkpoint

PLAIN = TrainingConfig(steps=24, batch_size=7, learning_rate=0.01, seed=5)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def close(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a, b, atol=2e-6) for a, b in pairs)


def trained(config: TrainingConfig = PLAIN, dropout: float = 0.3, **options) -> nn.Module:
    model = net(dropout)
    train(model, masked_loss, batches(config), config, progress=False, **options)
    return model


def test_equals_a_loop_written_by_hand():
    config = replace(PLAIN, warmup_steps=3, decay="linear", weight_decay=0.1, clip=0.05)
    model, source = net(0.0), batches(config)
    decayed = [model.embedding.weight, model.output.weight, model.unused.weight]
    spared = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, fused=True)
    losses = []
    for step in range(24):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * ((step + 1) / 3 if step < 3 else 1 - (step - 3) / 21)
        loss, _ = masked_loss(model, source.batch(step))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    ours = net(0.0)
    result = train(ours, masked_loss, source, replace(config, log_every=5), progress=False)
    assert close(ours, model)
    history = result.history
    assert history.steps == [5, 10, 15, 20, 24]
    assert history.losses[0] == pytest.approx(sum(losses[:5]) / 5)
    assert history.losses[-1] == pytest.approx(sum(losses[20:]) / 4)
    assert history.learning_rates[0] == pytest.approx(0.01 * (1 - 1 / 21))


def test_a_net_learns():
    words = torch.randint(30, (50, 4), generator=torch.Generator().manual_seed(0))
    source = ShuffledBatches((words, words[:, 0] % 5), 50)
    config = TrainingConfig(steps=150, batch_size=50, learning_rate=0.05)
    history = train(net(0.0), masked_loss, source, config, progress=False).history
    assert history.losses[0] > 1.4
    assert history.losses[-1] < 0.3


def test_random_numbers_are_the_runs_own_and_the_callers_go_on():
    torch.manual_seed(1)
    first = trained()
    drawn = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), drawn)
    torch.manual_seed(2)
    assert same(trained(), first)
    assert not same(trained(replace(PLAIN, seed=6)), first)


def test_measuring_does_not_change_the_training():
    plain = trained()
    often = replace(PLAIN, evaluate_every=2)
    assert same(trained(often, evaluate=evaluate), plain)


def test_the_model_is_measured_in_eval_mode_and_comes_back_so():
    model = net()
    modes = []
    loss_modes = []

    def loss(model, batch):
        loss_modes.append(model.training)
        return masked_loss(model, batch)

    def measure(model):
        modes.append((model.training, torch.is_grad_enabled()))
        return {"x": 1.0}

    config = replace(PLAIN, evaluate_every=10)
    result = train(model, loss, batches(config), config, evaluate=measure, progress=False)
    assert modes == 3 * [(False, False)]
    assert loss_modes == 24 * [True]
    assert not model.training
    assert result.history.evaluated == [10, 20, 24]
    assert result.history.measures == {"x": [1.0, 1.0, 1.0]}


@pytest.mark.parametrize("parts", [2, 3, 7, 9])
def test_accumulation_changes_nothing(parts):
    config = replace(PLAIN, accumulate=parts)
    assert close(trained(config, dropout=0.0), trained(dropout=0.0))


def test_a_mean_over_examples_needs_no_count():
    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1].clamp(min=0))

    models = net(0.0), net(0.0)
    for model, parts in zip(models, (1, 3), strict=True):
        config = replace(PLAIN, accumulate=parts)
        train(model, loss, batches(config), config, progress=False)
    assert close(*models)


def test_the_best_weights_are_kept():
    seen, values = [], iter([3.0, 1.0, float("nan"), 2.0, 4.0])

    def measure(model):
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"loss": next(values)}

    config = replace(PLAIN, evaluate_every=5, keep_best="loss")
    model = net()
    result = train(model, masked_loss, batches(), config, evaluate=measure, progress=False)
    assert (result.best, result.best_step, result.step) == (1.0, 10, 24)
    assert all(torch.equal(seen[1][name], value) for name, value in model.state_dict().items())
    assert not torch.equal(seen[1]["output.weight"], seen[-1]["output.weight"])


def test_patience_ends_the_run():
    values = iter([2.0, 1.0, 3.0, 1.5, 0.0])
    config = replace(PLAIN, evaluate_every=4, keep_best="loss", patience=2, log_every=3)
    result = train(
        net(),
        masked_loss,
        batches(),
        config,
        evaluate=lambda model: {"loss": next(values)},
        progress=False,
    )
    assert result.stopped_early
    assert (result.step, result.best_step, result.best) == (16, 8, 1.0)
    assert result.history.steps[-1] == 16


def test_a_loss_that_is_no_number_stops_before_it_spoils_the_weights():
    def loss(model, batch):
        loss.calls += 1
        mean, _ = masked_loss(model, batch)
        return mean * (float("nan") if loss.calls == 4 else 1.0)

    loss.calls = 0
    model = net()
    with pytest.raises(TrainingDiverged) as error:
        train(model, loss, batches(), PLAIN, progress=False)
    for part in (
        "step 4 of 24",
        "the loss is nan",
        "last finite loss: 2.01",
        "learning rate: 0.00962",
    ):
        assert part in str(error.value)
    assert "lower learning_rate" in str(error.value)
    assert isinstance(error.value, UserError)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_where_looking_waits_the_loss_is_read_before_anything_is_saved(monkeypatch, tmp_path):
    """As on a GPU: read late, but named rightly, and no spoilt weights in the checkpoint."""
    monkeypatch.setattr("nnlm2bert.training.loop._reads_at_once", lambda device: False)
    calls = []

    def loss(model, batch):
        calls.append(1)
        mean, count = masked_loss(model, batch)
        return mean * (float("nan") if len(calls) == 12 else 1.0), count

    path = tmp_path / "run.pt"
    config = replace(PLAIN, checkpoint_every=5, log_every=7)
    with pytest.raises(TrainingDiverged, match="at step 12 of 24 the loss is nan"):
        train(net(), loss, batches(), config, checkpoint=path, progress=False)
    assert len(calls) == 14
    saved = read_checkpoint(path)
    assert saved["result"]["step"] == 10
    assert all(value.isfinite().all() for value in saved["model"].values())
    late, early = net(), trained(config)
    train(late, masked_loss, batches(), config, progress=False)
    assert same(late, early)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_and_resumes(tmp_path):
    def loss(model, batch):
        loss.calls += 1
        assert loss.calls != 14 or not loss.failing
        return masked_loss(model, batch)

    loss.calls, loss.failing, path = 0, True, tmp_path / "run.pt"
    whole, resumed = net(), net()
    train(whole, masked_loss, batches(), CONFIG, evaluate=evaluate, device="cuda", progress=False)
    options = {"evaluate": evaluate, "checkpoint": path, "device": "cuda", "progress": False}
    with pytest.raises(AssertionError):
        train(net(), loss, batches(), CONFIG, **options)
    loss.failing = False
    result = train(resumed, loss, batches(), CONFIG, **options)
    assert result.device == "cuda"
    assert close(whole, resumed)


def test_a_gradient_that_is_no_number_stops_too():
    def loss(model, batch):
        mean, _ = masked_loss(model, batch)
        return mean + (0.0 * model.norm.weight.sum()).sqrt()  # its derivative at 0 is infinite

    model = net()
    with pytest.raises(TrainingDiverged, match="step 1 of 24 the norm of the gradient is nan"):
        train(model, loss, batches(), PLAIN, progress=False)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_bfloat16_computes_in_it_and_keeps_the_weights_exact():
    kinds = set()

    def loss(model, batch):
        kinds.add(model.output(model.embedding(batch[0]).mean(1)).dtype)
        return masked_loss(model, batch)

    exact, coarse = net(0.0), net(0.0)
    train(exact, masked_loss, batches(), PLAIN, progress=False)
    config = replace(PLAIN, precision="bfloat16")
    result = train(coarse, loss, batches(), config, progress=False)
    assert kinds == {torch.bfloat16}
    assert result.precision == "bfloat16"
    difference = (exact.output.weight - coarse.output.weight).abs().max().item()
    assert coarse.output.weight.dtype == torch.float32
    assert 0 < difference < 0.05


def test_another_optimiser_and_rates_of_its_own():
    def sgd(model, config):
        slow, fast = model.embedding.parameters(), model.output.parameters()
        return torch.optim.SGD([{"params": slow, "rate_factor": 0.0}, {"params": fast}], lr=1.0)

    model, start = net(), net()
    train(model, masked_loss, batches(), PLAIN, optimizer=sgd, progress=False)
    assert torch.equal(model.embedding.weight, start.embedding.weight)
    assert not torch.equal(model.output.weight, start.output.weight)


def test_the_result_fits_into_json():
    result = train(net(), masked_loss, batches(), CONFIG, evaluate=evaluate, progress=False)
    values = json.loads(json.dumps(result.as_dict()))
    assert values["history"]["steps"] == list(range(3, 25, 3))
    assert values["history"]["measures"]["mode"] == [0.0] * 5
    assert values["examples"] == 24 * 7
    assert values["examples_per_second"] > 0
    assert 0 < values["training_seconds"] <= values["seconds"]


def test_parts_that_do_not_fit_are_named():
    with pytest.raises(UserError, match=r"batches have 7 examples.*batch_size=8"):
        train(net(), masked_loss, batches(), replace(PLAIN, batch_size=8))
    with pytest.raises(UserError, match="keep_best needs evaluate="):
        train(net(), masked_loss, batches(), CONFIG)
    with pytest.raises(UserError, match=r"keep_best is 'random'; evaluate returns \['x'\]"):
        train(net(), masked_loss, batches(), CONFIG, evaluate=lambda model: {"x": 1.0})
    with pytest.raises(UserError, match="nothing to train"):
        train(net().requires_grad_(False), masked_loss, batches(), PLAIN)
    names = iter(["a", "b"])
    with pytest.raises(UserError, match="the same measures each time"):
        config = replace(PLAIN, evaluate_every=2)
        measure = lambda model: {next(names): 1.0}  # noqa: E731
        train(net(), masked_loss, batches(), config, evaluate=measure, progress=False)


def test_progress_is_silent_where_asked_and_short_in_a_log(monkeypatch, capsys):
    for name in ("CI", "TQDM_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    train(net(), masked_loss, batches(), PLAIN)
    assert capsys.readouterr().err == "", "a short run writes nothing into a log"
    monkeypatch.setattr("nnlm2bert.training.progress.QUIET_SECONDS", 0)
    train(net(), masked_loss, batches(), PLAIN)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert 8 <= len(lines) <= 11
    assert "% of 24 steps" in lines[3]
    assert "loss=" in lines[3]
    monkeypatch.setenv("CI", "true")
    train(net(), masked_loss, batches(), PLAIN)
    assert capsys.readouterr().err == ""
