import pytest
import torch
import torch.nn.functional as F

from nnlm2bert.models import softmax
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities


def problem(rows=70, width=11, words=300, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(rows, width, generator=generator).requires_grad_()
    weight = (scale * torch.randn(words, width, generator=generator)).requires_grad_()
    bias = torch.randn(words, generator=generator).requires_grad_()
    targets = torch.randint(words, (rows,), generator=generator)
    return (features, weight, bias), targets


def loss_and_gradients(function, parameters):
    loss = function()
    return loss.detach(), *torch.autograd.grad(3 * loss, parameters)


def relative_errors(compute_dtype, **sizes):
    parameters, targets = problem(**sizes)
    plain = loss_and_gradients(lambda: F.cross_entropy(F.linear(*parameters), targets), parameters)
    ours = loss_and_gradients(
        lambda: softmax_cross_entropy(*parameters, targets, compute_dtype), parameters
    )
    return [float((a - b).norm() / b.norm()) for a, b in zip(ours, plain, strict=True)]


@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["usual logits", "logits over 88"])
@pytest.mark.parametrize("rows", [1, 64, 70])
def test_equals_linear_and_cross_entropy_in_float32(rows, scale):
    assert max(relative_errors(torch.float32, rows=rows, scale=scale)) < 1e-5


def test_equals_it_within_rounding_in_bfloat16():
    errors = relative_errors(torch.bfloat16)
    assert errors[0] < 1e-3
    assert max(errors[1:]) < 1e-2


def test_blocks_in_memory_do_not_change_the_result(monkeypatch):
    monkeypatch.setattr(softmax, "ROWS_IN_MEMORY", 32)
    monkeypatch.setattr(softmax, "ROWS_IN_CACHE", 7)
    monkeypatch.setattr(softmax, "NUMBERS_IN_CACHE", 0)
    assert max(relative_errors(torch.float32)) < 1e-5


def test_how_many_rows_lie_in_the_cache_changes_no_gradient(monkeypatch):
    found = []
    for numbers in (softmax.NUMBERS_IN_CACHE, 0):
        monkeypatch.setattr(softmax, "NUMBERS_IN_CACHE", numbers)
        parameters, targets = problem(rows=200)
        softmax_cross_entropy(*parameters, targets).backward()
        found.append([parameter.grad for parameter in parameters])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_an_accelerator_computes_many_rows_at_once(monkeypatch):
    assert softmax._rows_at_a_time(torch.device("cpu")) == (512, 64)
    assert softmax._rows_at_a_time(torch.device("cuda")) == (4096, 4096)
    monkeypatch.setattr(softmax, "_rows_at_a_time", lambda device: (50, 50))
    assert max(relative_errors(torch.float32)) < 1e-5


def test_gradients_agree_with_finite_differences():
    parameters, targets = problem(rows=5, width=3, words=7)
    parameters = [p.detach().double().requires_grad_() for p in parameters]
    function = lambda *p: softmax_cross_entropy(*p, targets)  # noqa: E731
    assert torch.autograd.gradcheck(function, parameters, eps=1e-2, atol=1e-2, rtol=1e-2)


def test_log_probabilities_are_those_of_log_softmax():
    (features, weight, bias), targets = problem(rows=130)
    expected = F.log_softmax(F.linear(features, weight, bias), dim=1)
    expected = expected.gather(1, targets.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(softmax_log_probabilities(features, weight, bias, targets), expected)


def test_no_rows_give_no_log_probabilities():
    (features, weight, bias), targets = problem()
    assert softmax_log_probabilities(features[:0], weight, bias, targets[:0]).shape == (0,)


def test_inside_autocast_it_computes_in_its_type():
    parameters, targets = problem()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = softmax_cross_entropy(*parameters, targets)
    assert torch.equal(inside, softmax_cross_entropy(*parameters, targets, torch.bfloat16))
    assert not torch.equal(inside, softmax_cross_entropy(*parameters, targets))
