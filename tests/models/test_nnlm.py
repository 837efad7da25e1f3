import pytest
import torch

from nnlm2bert.models.nnlm import NNLM, NNLMConfig

SHAPES = [(50, False), (50, True), (0, True)]


def network(hidden=50, direct=False, **options):
    torch.manual_seed(0)
    config = NNLMConfig(200, order=4, features=10, hidden=hidden, direct=direct, **options)
    return NNLM(config)


def batch(rows=16):
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(200, (rows, 4), generator=generator)
    return words[:, :-1], words[:, -1]


@pytest.mark.parametrize(("hidden", "direct"), SHAPES)
def test_logits_for_every_word(hidden, direct):
    contexts, _ = batch()
    assert network(hidden, direct)(contexts).shape == (16, 200)


@pytest.mark.parametrize(("hidden", "direct"), SHAPES)
def test_number_of_parameters_is_the_papers(hidden, direct):
    """|V| (1 + nm + h) + h (1 + (n - 1) m) with direct connections (section 2)."""
    v, n, m, h = 200, 4, 10, hidden
    paper = v * (1 + n * m + h) + h * (1 + (n - 1) * m)
    without = paper - v * (n - 1) * m
    count = sum(p.numel() for p in network(hidden, direct).parameters())
    assert count == (paper if direct else without)


@pytest.mark.parametrize(("hidden", "direct"), SHAPES)
def test_loss_is_the_mean_of_the_log_probabilities(hidden, direct):
    model = network(hidden, direct)
    contexts, targets = batch()
    logs = torch.log_softmax(model(contexts), dim=1)
    expected = -logs.gather(1, targets.unsqueeze(1)).mean()
    torch.testing.assert_close(model.loss(contexts, targets), expected)
    torch.testing.assert_close(-model.log_probabilities(contexts, targets).mean(), expected)


@pytest.mark.parametrize(("hidden", "direct"), SHAPES)
def test_every_parameter_gets_a_gradient(hidden, direct):
    model = network(hidden, direct)
    model.loss(*batch()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_only_the_words_read_get_a_gradient_in_C():
    model = network()
    contexts, targets = batch()
    model.loss(contexts, targets).backward()
    touched = model.C.weight.grad.abs().sum(1).nonzero().squeeze(1).tolist()
    assert touched == sorted(set(contexts.flatten().tolist()))


def test_overfits_one_batch():
    model = network()
    contexts, targets = batch()
    targets = torch.arange(16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss(contexts, targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_the_order_of_the_words_read_matters():
    model = network()
    contexts, _ = batch()
    assert not torch.allclose(model(contexts), model(contexts.flip(1)))


def test_dropout_works_in_training_only():
    model = network(dropout=0.5)
    contexts, _ = batch()
    assert not torch.equal(model(contexts), model(contexts))
    model.eval()
    assert torch.equal(model(contexts), model(contexts))


def test_log_probabilities_of_all_words_sum_to_one():
    model = network(direct=True)
    contexts = batch(1)[0].expand(200, -1)
    logs = model.log_probabilities(contexts, torch.arange(200))
    assert abs(float(logs.exp().sum()) - 1) < 1e-5


@pytest.mark.parametrize(
    ("options", "message"), [({"order": 1}, "order is n"), ({"hidden": 0}, "direct connections")]
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NNLMConfig(10, **options)
