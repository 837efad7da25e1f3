"""The parts of the biLM against torch's own modules and against numpy loops, weights copied."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnlm2bert.models.elmo import (
    BiLM,
    BiLSTMLayer,
    CharacterCNN,
    ELMoConfig,
    Highway,
    ProjectedLSTM,
    ScalarMix,
)
from nnlm2bert.models.sampled_softmax import draw_words, sampled_cross_entropy

CONFIG = ELMoConfig(
    vocabulary_size=25,
    alphabet=15,
    character_width=4,
    filters=((1, 3), (2, 5), (4, 6)),
    width=6,
    states=10,
    dropout=0.0,
)
WORDS = ((3,), (1, 2), (14, 3, 3), (5, 6, 7, 8), (9, 1, 9, 1, 9, 1, 4))
LENGTHS = torch.tensor([7, 4, 1, 6])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def in_float64(module: nn.Module) -> dict[str, np.ndarray]:
    """The module's weights as numpy's arrays."""
    return {name: value.detach().double().numpy() for name, value in module.named_parameters()}


def scattered(module: nn.Module) -> nn.Module:
    """The module with all its weights, biases too, drawn at random: none is 0 by chance."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# Characters to words.


def highway_by_loops(weights: dict[str, np.ndarray], x: np.ndarray, prefix: str = "") -> np.ndarray:
    """Equation 3 of Srivastava et al. for one vector (D,), entry by entry."""
    y = np.empty_like(x)
    for d in range(len(x)):
        new = max(0.0, weights[f"{prefix}new.weight"][d] @ x + weights[f"{prefix}new.bias"][d])
        t = sigmoid(weights[f"{prefix}gate.weight"][d] @ x + weights[f"{prefix}gate.bias"][d])
        y[d] = t * new + (1 - t) * x[d]
    return y


def word_by_loops(weights: dict[str, np.ndarray], word: tuple[int, ...]) -> np.ndarray:
    """The vector (P,) of a word: every filter at every place of it, with nothing after its end."""
    vectors = [weights["characters.weight"][character] for character in word]
    found = []
    for number, (span, count) in enumerate(CONFIG.filters):
        filters = weights[f"convolutions.{number}.weight"]
        assert filters.shape == (count, CONFIG.character_width, span)
        for one, bias in zip(filters, weights[f"convolutions.{number}.bias"], strict=True):
            says = []
            for start in range(len(word)):
                window = vectors[start : start + span]
                terms = (one[:, place] @ vector for place, vector in enumerate(window))
                says.append(max(0.0, bias + sum(terms)))
            found.append(max(says))
    x = np.array(found)
    for layer in range(CONFIG.highways):
        x = highway_by_loops(weights, x, f"highways.{layer}.")
    return weights["projection.weight"] @ x + weights["projection.bias"]


def test_highway_is_equation_three_of_its_paper() -> None:
    highway, x = scattered(Highway(7)), torch.randn(20, 7)
    expected = [highway_by_loops(in_float64(highway), row) for row in x.double().numpy()]
    np.testing.assert_allclose(highway(x).detach(), np.stack(expected), rtol=1e-5, atol=1e-6)


def test_character_cnn_is_every_filter_at_every_place_of_a_word() -> None:
    cnn = scattered(CharacterCNN(CONFIG))
    with torch.no_grad():
        cnn.characters.weight[0] = 0
    spellings = torch.tensor([[*word, *[0] * (7 - len(word))] for word in WORDS])
    expected = [word_by_loops(in_float64(cnn), word) for word in WORDS]
    np.testing.assert_allclose(cnn(spellings).detach(), np.stack(expected), rtol=1e-4, atol=1e-5)


def test_character_cnn_is_torchs_own_convolution_of_each_word_alone() -> None:
    cnn = CharacterCNN(CONFIG)
    for row, word in enumerate(WORDS):
        padded = torch.tensor([[*word, 0, 0, 0]])  # windows begin within the word
        letters = F.embedding(padded, cnn.characters.weight).transpose(1, 2)
        found = []
        for (span, count), ours in zip(CONFIG.filters, cnn.convolutions, strict=True):
            own = nn.Conv1d(CONFIG.character_width, count, span)
            own.load_state_dict(ours.state_dict())
            found.append(own(letters)[:, :, : len(word)].amax(dim=2).clamp(min=0))
        expected = cnn.projection(cnn.highways(torch.cat(found, dim=1)))
        together = cnn(torch.tensor([[*word, *[0] * (7 - len(word))] for word in WORDS]))
        torch.testing.assert_close(together[row : row + 1], expected)


# Words in their sentence.


def lstm_by_equations(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Outputs (T, P) for x (T, P), a gate with its own matrices; Sak et al. (2014), section 2."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    gates = list(zip(*(np.split(weights[f"lstm.{name}"], 4) for name in names), strict=True))
    project = weights["lstm.weight_hr_l0"]
    h, c, outputs = np.zeros(project.shape[0]), np.zeros(project.shape[1]), []
    for word in x:
        i, f, g, o = (w @ word + b + r @ h + b_r for w, r, b, b_r in gates)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = project @ (sigmoid(o) * np.tanh(c))
        outputs.append(h)
    return np.stack(outputs)


def test_lstm_is_its_equations() -> None:
    lstm, x = scattered(ProjectedLSTM(6, 10)), torch.randn(3, 8, 6)
    expected = [lstm_by_equations(in_float64(lstm), rows) for rows in x.double().numpy()]
    np.testing.assert_allclose(lstm(x).detach(), np.stack(expected), rtol=1e-4, atol=1e-5)


def test_step_by_step_is_all_at_once_and_so_are_the_gradients() -> None:
    lstm, x = scattered(ProjectedLSTM(6, 10)), torch.randn(3, 8, 6, requires_grad=True)
    wanted = [x, *lstm.parameters()]
    weights = torch.randn(3, 8, 6)
    fast, slow = lstm(x), lstm.unrolled(x)
    torch.testing.assert_close(slow, fast)
    torch.testing.assert_close(
        torch.autograd.grad((slow * weights).sum(), wanted),
        torch.autograd.grad((fast * weights).sum(), wanted),
        rtol=1e-4,
        atol=1e-5,
    )


def torchs_own(layer: BiLSTMLayer) -> nn.LSTM:
    """torch's bidirectional LSTM with the weights of both directions of a layer."""
    own = nn.LSTM(6, 10, proj_size=6, bidirectional=True, batch_first=True)
    weights = {
        name + end: value
        for part, end in ((layer.left_to_right, ""), (layer.right_to_left, "_reverse"))
        for name, value in part.lstm.state_dict().items()
    }
    own.load_state_dict(weights)
    return own


def read(own: nn.LSTM, x: Tensor) -> tuple[Tensor, Tensor]:
    """What torch's own layer says in each direction, (B, T, P), of packed sequences."""
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(own(packed)[0], batch_first=True)[0].chunk(2, dim=2)


def by_torch(model: BiLM, spellings: Tensor, words: Tensor) -> list[Tensor]:
    """The three vectors of every word, by torch's own layers and the sum of two layers."""
    x = model.layers[0](spellings)[words]
    first, second = map(torchs_own, model.layers[1:])
    forward, backward = read(first, x)
    # torch's layer reads one input both ways; ours reads each direction's own.
    above = read(second, forward)[0] + forward, read(second, backward)[1] + backward
    inside = (torch.arange(words.shape[1]) < LENGTHS.unsqueeze(1)).unsqueeze(2)
    pairs = ((x, x), (forward, backward), above)
    return [torch.cat(pair, dim=2) * inside for pair in pairs]


def test_stacked_layers_are_torchs_own_and_the_residual_is_added() -> None:
    model = scattered(BiLM(CONFIG))
    spellings = torch.randint(1, CONFIG.alphabet, (9, 5))
    words = torch.randint(9, (4, 7))
    expected = by_torch(model, spellings, words)
    for ours, own in zip(model(spellings, words, LENGTHS), expected, strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-5)


def test_costs_are_torchs_cross_entropy_of_each_neighbour() -> None:
    model = scattered(BiLM(CONFIG))
    spellings, words = torch.randint(1, CONFIG.alphabet, (9, 5)), torch.randint(9, (4, 7))
    targets = torch.randint(CONFIG.vocabulary_size, (4, 7))
    forward, backward = by_torch(model, spellings, words)[-1].chunk(2, dim=2)
    inside = torch.arange(7) < LENGTHS.unsqueeze(1)
    targets = targets.masked_fill(~inside, -100)  # cross_entropy leaves these out
    left, right = model.output(forward[:, :-1]), model.output(backward[:, 1:])
    ahead = F.cross_entropy(left.transpose(1, 2), targets[:, 1:], reduction="none")
    behind = targets[:, :-1].masked_fill(~inside[:, 1:], -100)
    back = F.cross_entropy(right.transpose(1, 2), behind, reduction="none")
    expected = F.pad(ahead, (1, 0)).detach(), F.pad(back, (0, 1)).detach()
    found = model.costs(spellings, words, LENGTHS, targets.clamp(min=0))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    loss, terms = model.loss(spellings, words, LENGTHS, targets.clamp(min=0))
    torch.testing.assert_close(
        loss * terms, sum(part.sum() for part in expected), rtol=1e-4, atol=0
    )


# Layers to a task, and words to a sample.


def test_scalar_mix_is_equation_one() -> None:
    mix, vectors = scattered(ScalarMix(4)), torch.randn(4, 2, 5, 3)
    s = torch.softmax(mix.w, dim=0)
    expected = torch.einsum(",j,jbtd->btd", mix.gamma, s, vectors)
    torch.testing.assert_close(mix(list(vectors)), expected)


@pytest.mark.parametrize("draws", [1, 9, 300])
def test_sampled_softmax_is_a_sum_over_the_words_met(draws: int) -> None:
    features, weight, bias = torch.randn(6, 5), torch.randn(40, 5), torch.randn(40)
    targets = torch.tensor([0, 1, 39, 2, 0, 17])
    state = torch.random.get_rng_state()
    words, _ = draw_words(40, draws)
    torch.random.set_rng_state(state)
    ours = sampled_cross_entropy(features, weight, bias, targets, draws)
    costs = []
    for row, target in zip(features.double(), targets.tolist(), strict=True):
        scores = (weight.double() @ row + bias.double()).tolist()
        total = math.exp(scores[target])
        for word in set(words.tolist()) - {target}:
            single = math.log((word + 2) / (word + 1)) / math.log(41)
            total += math.exp(scores[word]) / (1 - (1 - single) ** draws)
        costs.append(math.log(total) - scores[target])
    assert ours.item() == pytest.approx(np.mean(costs), rel=1e-4)
