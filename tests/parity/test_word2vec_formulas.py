"""One step of gradient descent against the papers' formulas, in float64 and with numpy alone.

s is the logistic function, h what predicts (v_w for skip-gram, a mean for CBOW). Each function
returns the loss of one example and its derivatives, found by hand from equations 2, 3 and 4 of
Mikolov et al. (2013b).
"""

import numpy as np
import pytest
import torch

from nnlm2bert.models.word2vec import (
    FullSoftmax,
    HierarchicalSoftmax,
    NegativeSampling,
    Word2Vec,
    Word2VecConfig,
    huffman,
)

W, D, RATE = 12, 5, 0.3
COUNTS = [40, 31, 22, 17, 9, 8, 6, 5, 3, 2, 2, 1]
TARGETS = [4, 0, 11, 4]
INPUTS = {
    "skip-gram": [3, 7, 3, 0],
    "cbow": [[3, 7, 2, -1], [-1, 5, -1, -1], [1, 1, 8, 3], [0, 2, 9, 10]],
}
NOISE = [[1, 2, 2], [0, 5, 1], [7, 9, 3], [4, 1, 0]]  # with a word twice, and with targets
CASES = [(a, o) for a in INPUTS for o in ("softmax", "hierarchical", "negative", "shared")]


def s(x):
    return 1 / (1 + np.exp(-x))


def softmax(h, v, target, row):
    """Equation 2: the derivative of -log p by v'_w is (p(w) - [w = target]) h."""
    scores = v @ h
    p = np.exp(scores) / np.exp(scores).sum()
    error = p - (np.arange(W) == target)
    return -np.log(p[target]), error @ v, np.outer(error, h)


def hierarchical(h, v, target, row):
    """Equation 3: at node n the derivative by v'_n . h is s(v'_n . h) - [branch 0]."""
    tree = huffman(COUNTS)
    loss, dh, dv = 0.0, np.zeros(D), np.zeros_like(v)
    for j in range(tree.lengths[target]):
        n, first = tree.points[target, j], tree.codes[target, j] == 0
        score = v[n] @ h
        loss -= np.log(s(score) if first else 1 - s(score))
        dh += (s(score) - first) * v[n]
        dv[n] += (s(score) - first) * h
    return loss, dh, dv


def negative(h, v, target, row, noise=NOISE):
    """Equation 4: the derivative by v'_w . h is s(v'_w . h) - [w is no noise]."""
    loss, dh, dv = 0.0, np.zeros(D), np.zeros_like(v)
    for w, there in [(target, 1), *((w, 0) for w in noise[row])]:
        score = v[w] @ h
        loss -= np.log(s(score) if there else s(-score))
        dh += (s(score) - there) * v[w]
        dv[w] += (s(score) - there) * h
    return loss, dh, dv


def shared(h, v, target, row):
    """All examples with the noise of the first."""
    return negative(h, v, target, 0)


BY_HAND = {f.__name__: f for f in (softmax, hierarchical, negative, shared)}


def model_of(architecture, output):
    layer = {
        "softmax": lambda: FullSoftmax(W, D),
        "hierarchical": lambda: HierarchicalSoftmax(COUNTS, D),
        "negative": lambda: NegativeSampling(COUNTS, D, negatives=3),
        "shared": lambda: NegativeSampling(COUNTS, D, negatives=3, shared=3),
    }[output]()
    model = Word2Vec(Word2VecConfig(W, D, architecture), layer).double()
    generator = torch.Generator().manual_seed(0)
    for table in (model.v.weight, layer.v.weight):
        torch.nn.init.normal_(table, generator=generator)
    return model


def loss_of(model, architecture, output):
    hidden = model.hidden(torch.tensor(INPUTS[architecture]))
    targets = torch.tensor(TARGETS)
    if output in ("negative", "shared"):
        noise = torch.tensor(NOISE if output == "negative" else NOISE[0])
        return model.output.loss(hidden, targets, noise)
    return model.output.loss(hidden, targets)


def step_by_hand(v, v_out, architecture, output):
    """The mean loss of the examples, and both tables after a step along its gradient."""
    losses, dv, dv_out = [], np.zeros_like(v), np.zeros_like(v_out)
    for row, target in enumerate(TARGETS):
        words = [w for w in np.atleast_1d(INPUTS[architecture][row]) if w >= 0]
        h = sum(v[w] for w in words) / len(words)
        loss, dh, d_out = BY_HAND[output](h, v_out, target, row)
        losses.append(loss)
        dv_out += d_out / len(TARGETS)
        for w in words:
            dv[w] += dh / len(words) / len(TARGETS)
    return np.mean(losses), v - RATE * dv, v_out - RATE * dv_out


@pytest.mark.parametrize(("architecture", "output"), CASES)
def test_a_step_is_the_one_worked_by_hand(architecture, output):
    model = model_of(architecture, output)
    tables = [p.detach().numpy().copy() for p in (model.v.weight, model.output.v.weight)]
    loss, v, v_out = step_by_hand(*tables, architecture, output)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    ours = loss_of(model, architecture, output)
    ours.backward()
    optimizer.step()
    np.testing.assert_allclose(ours.item(), loss, rtol=1e-12)
    np.testing.assert_allclose(model.v.weight.detach(), v, rtol=1e-12)
    np.testing.assert_allclose(model.output.v.weight.detach(), v_out, rtol=1e-12)


class Loss(torch.nn.Module):
    """The loss as a function of both tables."""

    def __init__(self, *case):
        super().__init__()
        self.model, self.case = model_of(*case), case

    def forward(self):
        return loss_of(self.model, *self.case)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_the_slopes_of_the_loss(case):
    loss = Loss(*case)
    names = [name for name, _ in loss.named_parameters()]

    def of_tables(*tables):
        return torch.func.functional_call(loss, dict(zip(names, tables, strict=True)), ())

    assert len(names) == 2 and torch.autograd.gradcheck(of_tables, tuple(loss.parameters()))
