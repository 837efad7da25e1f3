from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlm2bert.models.word2vec import (
    FullSoftmax,
    HierarchicalSoftmax,
    NegativeSampling,
    Noise,
    Word2Vec,
    Word2VecConfig,
    huffman,
)

W, D, B = 60, 8, 16
COUNTS = np.arange(W, 0, -1) ** 2
OUTPUTS = {
    "softmax": lambda: FullSoftmax(W, D),
    "hierarchical": lambda: HierarchicalSoftmax(COUNTS, D),
    "negative": lambda: NegativeSampling(COUNTS, D),
    "shared": lambda: NegativeSampling(COUNTS, D, shared=20),
}
ARCHITECTURES = ("skip-gram", "cbow")
every_model = pytest.mark.parametrize(
    ("architecture", "output"), [(a, o) for a in ARCHITECTURES for o in OUTPUTS]
)
counts_of_words = st.lists(st.integers(1, 1000), min_size=2, max_size=40)


def network(architecture="skip-gram", output="negative", spread=0.0):
    """A model; with a spread its output vectors are not all zeros."""
    torch.manual_seed(0)
    model = Word2Vec(Word2VecConfig(W, D, architecture), OUTPUTS[output]())
    if spread:
        torch.nn.init.normal_(model.v.weight, std=spread)
        torch.nn.init.normal_(model.output.v.weight, std=spread)
    return model


def batch(architecture="skip-gram", rows=B):
    """Inputs and targets; for CBOW some neighbours are missing."""
    generator = torch.Generator().manual_seed(1)
    if architecture == "skip-gram":
        return torch.arange(rows), torch.arange(W - rows, W)
    windows = torch.randint(W, (rows, 4), generator=generator)
    windows[::2, 0] = -1
    return windows, torch.arange(W - rows, W)


@every_model
def test_shapes(architecture, output):
    model = network(architecture, output)
    inputs, targets = batch(architecture)
    assert model.hidden(inputs).shape == (B, D)
    assert model.loss(inputs, targets).shape == ()
    assert model.vectors().shape == (W, D) and not model.vectors().requires_grad


@pytest.mark.parametrize("output", OUTPUTS)
def test_start_is_that_of_the_authors_program(output):
    model = network(output=output)
    assert model.output.v.weight.abs().max() == 0
    assert 0.4 / D < model.v.weight.abs().max() <= 0.5 / D
    assert abs(float(model.vectors().mean())) < 0.1 / D


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", np.log(W)), ("negative", 6 * np.log(2)), ("shared", 6 * np.log(2))],
)
def test_loss_before_training_is_that_of_guessing(output, loss):
    assert network(output=output).loss(*batch()).item() == pytest.approx(loss, abs=1e-5)


@every_model
def test_every_table_gets_a_gradient(architecture, output):
    model = network(architecture, output, spread=1.0)
    model.loss(*batch(architecture)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_model
def test_only_the_words_read_get_a_gradient(architecture, output):
    model = network(architecture, output, spread=1.0)
    inputs, targets = batch(architecture)
    model.loss(inputs, targets).backward()
    touched = model.v.weight.grad.abs().sum(1).nonzero().squeeze(1).tolist()
    assert touched == sorted(set(inputs.flatten().tolist()) - {-1})


@every_model
def test_overfits_one_batch(architecture, output):
    """With the same noise each time, which evaluation mode takes care of."""
    model = network(architecture, output).eval()
    inputs, targets = batch(architecture)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(inputs, targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_padding_changes_nothing():
    model = network("cbow", spread=1.0)
    windows = torch.tensor([[3, 5, 9, 9]])
    padded = torch.tensor([[-1, 3, -1, 5, 9, 9, -1, -1]])
    torch.testing.assert_close(model.hidden(padded), model.hidden(windows))
    torch.testing.assert_close(model.hidden(windows)[0], model.vectors()[[3, 5, 9, 9]].mean(0))


def test_a_window_without_words_predicts_from_zeros():
    assert network("cbow", spread=1.0).hidden(torch.tensor([[-1, -1]])).abs().sum() == 0


@pytest.mark.parametrize("output", ["softmax", "hierarchical"])
def test_probabilities_of_all_words_sum_to_one(output):
    layer = network(output=output, spread=1.0).output.double()
    hidden = torch.randn(5, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for h in hidden:
        logs = layer.log_probabilities(h.expand(W, D), torch.arange(W))
        assert logs.shape == (W,) and logs.max() < 0
        assert logs.exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("output", ["softmax", "hierarchical"])
def test_loss_is_the_mean_of_the_log_probabilities(output):
    model = network(output=output, spread=1.0)
    inputs, targets = batch()
    logs = model.output.log_probabilities(model.hidden(inputs), targets)
    torch.testing.assert_close(model.loss(inputs, targets), -logs.mean())


@pytest.mark.parametrize("name", ["hierarchical", "negative"])
def test_sparse_gradients_are_the_same(name):
    output = {"hierarchical": HierarchicalSoftmax, "negative": NegativeSampling}[name]
    dense = network(output=name, spread=1.0)
    sparse = Word2Vec(Word2VecConfig(W, D, sparse=True), output(COUNTS, D, sparse=True))
    sparse.load_state_dict(dense.state_dict())
    for model in (dense, sparse):
        model.loss(*batch()).backward()
    for a, b in zip(dense.parameters(), sparse.parameters(), strict=True):
        assert b.grad.is_sparse
        torch.testing.assert_close(a.grad, b.grad.to_dense())


@given(counts_of_words)
@settings(max_examples=60, deadline=None)
def test_codes_fill_a_binary_tree(counts):
    """No code begins another (Kraft's sum is 1), and words share nodes as far as their codes."""
    tree = huffman(counts)
    assert sum(0.5 ** int(length) for length in tree.lengths) == 1
    node_of = {}
    for code, points, length in zip(tree.codes, tree.points, tree.lengths, strict=True):
        assert (code[length:] == -1).all() and (points[length:] == -1).all()
        for j in range(length):
            assert node_of.setdefault(tuple(code[:j]), points[j]) == points[j]
    assert sorted(node_of.values()) == list(range(len(counts) - 1))
    assert node_of[()] == len(counts) - 2


@given(counts_of_words)
@settings(max_examples=60, deadline=None)
def test_code_length_is_within_a_bit_of_the_entropy(counts):
    p = np.array(counts) / sum(counts)
    entropy = -(p * np.log2(p)).sum()
    assert entropy - 1e-9 <= p @ huffman(counts).lengths < entropy + 1


@given(st.lists(st.integers(1, 60), min_size=2, max_size=7))
@settings(max_examples=60, deadline=None)
def test_no_tree_is_shorter(counts):
    """Among all lengths that a binary tree can have, long ones for rare words."""
    words = len(counts)
    trees = combinations_with_replacement(range(1, words), words)
    whole = (lengths for lengths in trees if sum(0.5**length for length in lengths) == 1)
    frequent_first = sorted(counts, reverse=True)
    shortest = min(np.dot(frequent_first, lengths) for lengths in whole)
    assert np.dot(counts, huffman(counts).lengths) == shortest


def test_a_tree_built_by_hand():
    """5, 2, 1, 1: 1 and 1 make 2; with the other 2 it makes 4; with 5 it makes 9."""
    tree = huffman([5, 2, 1, 1])
    assert tree.codes.tolist() == [[1, -1, -1], [0, 0, -1], [0, 1, 0], [0, 1, 1]]
    assert tree.points.tolist() == [[2, -1, -1], [2, 1, -1], [2, 1, 0], [2, 1, 0]]
    assert tree.lengths.tolist() == [1, 2, 3, 3]


def test_noise_has_the_frequencies_of_the_paper():
    counts, draws = np.array([1000, 100, 0, 10, 1]), 100_000
    drawn = Noise(counts).draw(draws // 10, 10)
    assert drawn.shape == (draws // 10, 10) and drawn.dtype == torch.int64
    expected = draws * counts**0.75 / (counts**0.75).sum()
    found = np.bincount(drawn.flatten(), minlength=5)
    assert found[2] == 0
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected)).all()


def test_power_of_the_noise():
    found = np.bincount(Noise([8, 1], power=0).draw(10_000), minlength=2)
    assert abs(found[0] - 5000) < 200


def test_noise_depends_on_its_seed_alone():
    a, b, c = Noise(COUNTS), Noise(COUNTS), Noise(COUNTS, seed=1)
    first = a.draw(20).tolist()
    torch.manual_seed(5)
    assert first == b.draw(20).tolist() != c.draw(20).tolist()
    assert first != a.draw(20).tolist()


def test_a_model_loaded_again_goes_on_with_the_same_noise():
    model, copy = network(), network()
    model.loss(*batch())
    copy.load_state_dict(model.state_dict())
    assert model.output.noise.draw(20).tolist() == copy.output.noise.draw(20).tolist()


def test_measuring_takes_the_same_noise_and_leaves_training_alone():
    model, other = network(spread=1.0), network(spread=1.0)
    model.eval()
    assert model.loss(*batch()) == model.loss(*batch())
    model.train()
    assert model.loss(*batch()) == other.loss(*batch()) != other.loss(*batch())


@pytest.mark.parametrize(("output", "shape"), [("negative", (B, 5)), ("shared", (20,))])
def test_noise_is_drawn_for_each_row_or_once_for_all(output, shape):
    model = network(output=output, spread=1.0)
    inputs, targets = batch()
    hidden = model.hidden(inputs)
    by_hand = model.output.loss(hidden, targets, Noise(COUNTS).draw(*shape))
    assert model.output.loss(hidden, targets) == by_hand


def test_shared_noise_is_the_same_noise_for_every_row():
    model = network(spread=1.0)
    inputs, targets = batch()
    hidden, noise = model.hidden(inputs), torch.tensor([3, 7, 7, 1, 50])
    shared = model.output.loss(hidden, targets, noise)
    torch.testing.assert_close(shared, model.output.loss(hidden, targets, noise.expand(B, 5)))


def test_words_of_noise_weigh_k_together():
    """Twice the same words, each of half the weight, are the same loss."""
    model = network(spread=1.0)
    inputs, targets = batch()
    hidden, noise = model.hidden(inputs), torch.tensor([3, 7, 9, 1, 50])
    once = model.output.loss(hidden, targets, noise)
    torch.testing.assert_close(model.output.loss(hidden, targets, noise.repeat(2)), once)


def test_shared_and_own_noise_cost_the_same_on_average():
    own = network(output="negative", spread=1.0)
    shared = network(output="shared", spread=1.0)
    with torch.no_grad():
        means = [
            torch.stack([model.loss(*batch()) for _ in range(400)]).mean()
            for model in (own, shared)
        ]
    assert abs(means[0] / means[1] - 1) < 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Word2VecConfig(W, architecture="glove"), "skip-gram.*cbow.*glove"),
        (lambda: Word2Vec(Word2VecConfig(W, D), FullSoftmax(W, D + 1)), "dimension=8, not 9"),
        (lambda: NegativeSampling(COUNTS, D, negatives=0), "0 words of noise"),
        (lambda: NegativeSampling(COUNTS, D, shared=-1), "-1 of them shared"),
        (lambda: Noise([0, 0]), "are 0"),
        (lambda: huffman([5]), "at least two words, got 1"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
