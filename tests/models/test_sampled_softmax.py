import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nnlm2bert.models.sampled_softmax import draw_words, sampled_cross_entropy

WORDS, WIDTH = 60, 7


def problem(rows: int = 8) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Features, weight and bias that ask for gradients; targets, some of them frequent words."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(rows, WIDTH, generator=generator).requires_grad_()
    weight = (0.3 * torch.randn(WORDS, WIDTH, generator=generator)).requires_grad_()
    bias = (0.5 * torch.randn(WORDS, generator=generator)).requires_grad_()
    return (features, weight, bias), torch.arange(rows) ** 2 % WORDS


def full(parameters: tuple[Tensor, Tensor, Tensor], targets: Tensor) -> Tensor:
    """What is estimated."""
    return F.cross_entropy(F.linear(*parameters), targets)


def single_chances(words: int) -> Tensor:
    """Zipf's law as the docstring has it, written out."""
    return torch.tensor([math.log((r + 2) / (r + 1)) / math.log(words + 1) for r in range(words)])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# The draw.


def test_words_are_different_and_of_the_vocabulary() -> None:
    words, chances = draw_words(1_000, 300)
    assert words.shape == chances.shape and 100 < len(words) < 300
    assert words.unique().tolist() == words.tolist() and 0 <= words.min() <= words.max() < 1_000
    assert ((chances > 0) & (chances <= 1)).all()


def test_the_chances_of_one_draw_sum_to_one() -> None:
    torch.testing.assert_close(single_chances(WORDS).sum(), torch.tensor(1.0))
    found = {}
    for _ in range(400):
        words, chances = draw_words(WORDS, 1)
        found[int(words)] = float(chances)
    expected = single_chances(WORDS)
    for word, chance in found.items():
        assert chance == pytest.approx(float(expected[word]), rel=1e-4)
    assert len(found) > WORDS / 2


def test_words_are_met_as_often_as_their_chances_say() -> None:
    runs, draws = 2_000, 12
    met, said = torch.zeros(WORDS), torch.zeros(WORDS)
    for _ in range(runs):
        words, chances = draw_words(WORDS, draws)
        met[words] += 1
        said[words] = chances
    torch.testing.assert_close(said, 1 - (1 - single_chances(WORDS)) ** draws)
    deviations = (met - runs * said) / (runs * said * (1 - said)).sqrt()
    assert deviations.abs().max() < 4


def test_many_draws_meet_every_word_for_sure() -> None:
    words, chances = draw_words(WORDS, 50_000)
    assert words.tolist() == list(range(WORDS))
    torch.testing.assert_close(chances, torch.ones(WORDS))


# The estimate.


def test_with_every_word_drawn_it_is_the_softmax_and_its_gradient() -> None:
    """Each row's target is among the words drawn: counted twice, it would show."""
    parameters, targets = problem()
    ours = sampled_cross_entropy(*parameters, targets, 50_000)
    torch.testing.assert_close(ours, full(parameters, targets), rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(ours, parameters)
    expected = torch.autograd.grad(full(parameters, targets), parameters)
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-6)


def partition_estimates(target: int, draws: int, runs: int = 1_500) -> tuple[Tensor, float]:
    """Estimates (runs,) of the sum under the logarithm for one row, and that sum."""
    (features, weight, bias), _ = problem(1)
    with torch.no_grad():
        score = F.linear(features, weight, bias)[0]
        one = torch.tensor([target])
        costs = [sampled_cross_entropy(features, weight, bias, one, draws) for _ in range(runs)]
    return (torch.stack(costs) + score[target]).exp(), float(score.exp().sum())


@pytest.mark.parametrize("target", [0, 1, 59], ids=["frequent", "less so", "rare"])
def test_the_sum_under_the_logarithm_is_without_bias(target: int) -> None:
    estimates, exact = partition_estimates(target, draws=10)
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert abs(float(estimates.mean()) - exact) < 4 * error
    assert error < 0.02 * exact


def test_the_estimate_is_too_low_on_average_and_the_less_the_more_is_drawn() -> None:
    parameters, targets = problem()
    exact = full(parameters, targets).item()
    means = []
    for draws in (4, 16, 64, 256):
        costs = [sampled_cross_entropy(*parameters, targets, draws).item() for _ in range(300)]
        means.append(sum(costs) / len(costs))
    assert means == sorted(means) and means[-1] < exact
    assert exact - means[-1] < 0.05 < exact - means[0]


def test_the_gradient_comes_near_that_of_the_softmax() -> None:
    parameters, targets = problem()
    expected = torch.autograd.grad(full(parameters, targets), parameters)
    errors = []
    for draws in (8, 64, 512):
        mean = [torch.zeros_like(p) for p in parameters]
        for _ in range(50):
            loss = sampled_cross_entropy(*parameters, targets, draws)
            for total, part in zip(mean, torch.autograd.grad(loss, parameters), strict=True):
                total += part / 50
        pairs = zip(mean, expected, strict=True)
        errors.append(max(float((a - b).norm() / b.norm()) for a, b in pairs))
    assert errors[2] < 0.05 and errors[2] < errors[1] < errors[0]


def test_only_targets_and_words_drawn_get_a_gradient() -> None:
    parameters, targets = problem()
    torch.manual_seed(3)
    words, _ = draw_words(WORDS, 10)
    torch.manual_seed(3)
    sampled_cross_entropy(*parameters, targets, 10).backward()
    _, weight, bias = parameters
    for gradient in (weight.grad.abs().sum(dim=1), bias.grad):
        touched = set(gradient.nonzero().squeeze(1).tolist())
        assert touched == set(targets.tolist()) | set(words.tolist())


def test_a_target_that_is_sure_costs_nothing_and_large_scores_do_not_overflow() -> None:
    (features, weight, _), targets = problem(1)
    sure = torch.where(torch.arange(WORDS) == targets, 500.0, -500.0)
    cost = sampled_cross_entropy(features, weight, sure, targets, 20)
    assert cost == 0
    wrong = torch.where(torch.arange(WORDS) == 1, 500.0, 0.0)
    far = sampled_cross_entropy(features, weight, wrong, torch.tensor([0]), 5_000)
    assert 490 < far < 510
