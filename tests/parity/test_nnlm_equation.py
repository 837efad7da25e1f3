"""The network against equation 1 of the paper, written with one-hot rows and numpy alone."""

import numpy as np
import pytest
import torch

from nnlm2bert.models.nnlm import NNLM, NNLMConfig


def equation_one(model: NNLM, context: np.ndarray) -> np.ndarray:
    """Return P(. | context): softmax(b + W x + U tanh(d + H x)), in float64."""
    parameters = {k: v.detach().double().numpy() for k, v in model.named_parameters()}
    one_hot = np.eye(model.config.vocabulary_size)[context]  # (n - 1, |V|)
    x = np.concatenate([row @ parameters["C.weight"] for row in one_hot])
    y = parameters["output.bias"].copy()
    output, h = parameters["output.weight"], model.config.hidden
    if h:
        y += output[:, :h] @ np.tanh(parameters["H.bias"] + parameters["H.weight"] @ x)
    if model.config.direct:
        y += output[:, h:] @ x
    return np.exp(y) / np.exp(y).sum()


@pytest.mark.parametrize(("hidden", "direct"), [(9, False), (9, True), (0, True)])
def test_probabilities_are_those_of_the_paper(hidden, direct):
    torch.manual_seed(0)
    model = NNLM(NNLMConfig(40, order=4, features=5, hidden=hidden, direct=direct))
    torch.nn.init.normal_(model.output.bias)
    contexts = np.random.default_rng(0).integers(40, size=(20, 3))
    ours = torch.softmax(model(torch.from_numpy(contexts)), dim=1).detach().numpy()
    paper = np.stack([equation_one(model, context) for context in contexts])
    np.testing.assert_allclose(ours, paper, rtol=1e-5)
