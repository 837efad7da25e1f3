"""Two one-way Transformers: what each side sees, their losses, and the blanks between."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_networks import loss_after, sure_network
from torch import Tensor

from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM, reading_order

SMALL = TransformerConfig(
    vocabulary_size=20, context=12, width=8, heads=2, layers=2, inner=16, dropout=0.0
)
LENGTHS = (8, 5, 3, 6)
INSIDE = torch.arange(8) < torch.tensor(LENGTHS).unsqueeze(1)


def network(**options: object) -> TransformerBiLM:
    """A small network with large weights."""
    return sure_network(TransformerBiLM, replace(SMALL, **options))


def batch() -> Tensor:
    """Tokens (B, T)."""
    return torch.randint(20, (4, 8), generator=torch.Generator().manual_seed(1))


def one_way(model: TransformerBiLM, sentence: Tensor) -> tuple[Tensor, Tensor]:
    """Log P (T - 1,) of a sentence's tokens, the first apart, and of its tokens read backwards."""
    found = []
    for side, tokens in (
        (model.left_to_right, sentence),
        (model.right_to_left, sentence.flip(0)),
    ):
        logs = side.logits(side(tokens[None, :-1])).log_softmax(dim=2)[0]
        found.append(logs.gather(1, tokens[1:, None]).squeeze(1))
    return found[0], found[1]


def test_a_vector_of_each_side_for_each_place() -> None:
    model, tokens = network(), batch()
    assert model(tokens).shape == (4, 8, 16)
    forward, backward = model(tokens).chunk(2, dim=2)
    torch.testing.assert_close(forward, model.left_to_right(tokens))
    torch.testing.assert_close(backward.flip(1), model.right_to_left(tokens.flip(1)))


def test_each_side_sees_a_place_and_what_stands_before_it_in_its_order() -> None:
    model, tokens = network(), batch()
    before = model(tokens)
    for place in range(8):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 20
        moves = (model(changed) - before).abs().unflatten(2, (2, 8)).amax(dim=(0, 3))
        left, right = moves.unbind(dim=1)
        assert not left[:place].any() and (left[place:] > 1e-3).all()
        assert not right[place + 1 :].any() and (right[: place + 1] > 1e-3).all()


def test_padding_changes_nothing() -> None:
    model, tokens = network(), batch()
    together, costs = model(tokens, INSIDE), model.costs(tokens, INSIDE)
    for row, length in enumerate(LENGTHS):
        alone = tokens[row : row + 1, :length]
        torch.testing.assert_close(together[row, :length], model(alone)[0], rtol=1e-4, atol=1e-5)
        for found, expected in zip(costs, model.costs(alone), strict=True):
            torch.testing.assert_close(found[row, :length], expected[0], rtol=1e-4, atol=1e-5)
            assert not found[row, length:].any()
    other = torch.where(INSIDE, tokens, (tokens + 3) % 20)
    torch.testing.assert_close(model.loss(other, INSIDE)[0], model.loss(tokens, INSIDE)[0])


def test_costs_are_those_of_each_side_alone() -> None:
    model, tokens = network(), batch()
    left, right = model.costs(tokens, INSIDE)
    assert left.shape == right.shape == (4, 8)
    for row, length in enumerate(LENGTHS):
        forward, backward = one_way(model, tokens[row, :length])
        assert left[row, 0] == right[row, length - 1] == 0
        torch.testing.assert_close(left[row, 1:length], -forward, rtol=1e-4, atol=1e-5)
        expected = -backward.flip(0)
        torch.testing.assert_close(right[row, : length - 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inside", [None, INSIDE])
def test_loss_is_the_mean_over_both_directions(inside: Tensor | None) -> None:
    model, tokens = network(), batch()
    loss, terms = model.loss(tokens, inside)
    assert terms == (2 * 4 * 7 if inside is None else 2 * (sum(LENGTHS) - 4))
    torch.testing.assert_close(loss, sum(model.costs(tokens, inside)).sum() / terms)


def test_what_is_said_of_a_blank_does_not_see_it() -> None:
    model, tokens = network(), batch()
    blanks = torch.zeros_like(INSIDE)
    blanks[0, 3], blanks[1, 1], blanks[1, 3], blanks[2, 1] = True, True, True, True
    left, right = model.log_probabilities(tokens, blanks, INSIDE)
    assert left.shape == right.shape == (4, 20)
    torch.testing.assert_close(left.exp().sum(dim=1), torch.ones(4))
    for side, cost in zip((left, right), model.costs(tokens, INSIDE), strict=True):
        said = side.gather(1, tokens[blanks].unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(said, -cost[blanks], rtol=1e-4, atol=1e-5)
    hidden = tokens.masked_fill(blanks, 9)
    others = model.log_probabilities(hidden[:1], blanks[:1], INSIDE[:1])
    torch.testing.assert_close(others[0][0], left[0])
    torch.testing.assert_close(others[1][0], right[0])


@pytest.mark.parametrize("place", [0, 4])
def test_a_blank_without_a_neighbour_is_refused(place: int) -> None:
    blanks = torch.zeros_like(INSIDE)
    blanks[1, place] = True
    with pytest.raises(ValueError, match="put marks around"):
        network().log_probabilities(batch(), blanks, INSIDE)


def test_a_sequence_is_read_backwards_from_its_own_end() -> None:
    assert reading_order(batch(), INSIDE)[1].tolist() == [4, 3, 2, 1, 0, 5, 6, 7]
    assert reading_order(batch(), None)[1].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]


def test_both_sides_share_the_table_and_the_softmax() -> None:
    model = network()
    left, right = model.left_to_right, model.right_to_left
    assert right.layers[0].tokens.weight is left.layers[0].tokens.weight
    assert right.bias is left.bias and right.layers[0].positions is not left.layers[0].positions
    shared = left.layers[0].tokens.weight.numel() + left.bias.numel()
    sizes = [sum(p.numel() for p in one.parameters()) for one in (left, model)]
    assert sizes[1] == 2 * sizes[0] - shared


def test_every_parameter_gets_a_gradient() -> None:
    model = network()
    model.loss(batch())[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_overfits_one_batch() -> None:
    torch.manual_seed(0)
    model, tokens = TransformerBiLM(replace(SMALL, width=32, inner=64)), batch()
    tokens[:, 0], tokens[:, -1] = torch.arange(4), torch.arange(4)
    assert loss_after(100, model, lambda: model.loss(tokens)) < 0.05


def test_a_network_that_sees_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="causal=True"):
        TransformerBiLM(replace(SMALL, causal=False))
