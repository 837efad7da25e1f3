"""GPT: its loss, and the texts it writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small_networks import loss_after, plain_costs, sure_network
from torch import Tensor

from nnlm2bert.models.gpt import GPT, IGNORED, choose
from nnlm2bert.models.transformer import TransformerConfig

SMALL = TransformerConfig(
    vocabulary_size=20, context=12, width=8, heads=2, layers=2, inner=16, dropout=0.0
)


def network(**options: object) -> GPT:
    """A small network with large weights."""
    return sure_network(GPT, replace(SMALL, **options))


def batch(rows: int = 4, length: int = 8) -> tuple[Tensor, Tensor]:
    """Tokens and what follows each, (B, T) both."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(SMALL.vocabulary_size, (rows, length + 1), generator=generator)
    return ids[:, :-1], ids[:, 1:]


def some_ignored(targets: Tensor) -> Tensor:
    """The same targets, but the end of two rows and the first of a third are not asked for."""
    targets = targets.clone()
    targets[0, 5:], targets[1, 2:], targets[2, 0] = IGNORED, IGNORED, IGNORED
    return targets


def drawn(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Loss.


def test_logits_come_from_the_table_of_token_vectors() -> None:
    model, (tokens, _) = network(), batch()
    vectors = model(tokens)
    logits = model.logits(vectors)
    assert logits.shape == (4, 8, 20)
    table = model.layers[0].tokens.weight
    torch.testing.assert_close(logits[2, 3, 7], vectors[2, 3] @ table[7] + model.bias[7])


def test_the_table_is_shared_and_only_the_bias_is_new() -> None:
    named = dict(network().named_parameters())
    assert [name for name in named if not name.startswith("layers.")] == ["bias"]
    assert not GPT(SMALL).bias.any()


@pytest.mark.parametrize("change", [lambda targets: targets, some_ignored])
def test_costs_are_those_of_the_softmax(change) -> None:
    model, (tokens, targets) = network(), batch()
    targets = change(targets)
    expected = plain_costs(model.logits(model(tokens)), targets)
    torch.testing.assert_close(model.costs(tokens, targets), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", [lambda targets: targets, some_ignored])
def test_loss_is_the_mean_of_the_costs(change) -> None:
    model, (tokens, targets) = network(), batch()
    targets = change(targets)
    loss, terms = model.loss(tokens, targets)
    assert terms == int((targets != IGNORED).sum())
    torch.testing.assert_close(loss, model.costs(tokens, targets).sum() / terms)
    logits = model.logits(model(tokens)).flatten(0, 1)
    torch.testing.assert_close(loss, F.cross_entropy(logits, targets.flatten()))


def test_gradients_are_those_of_the_plain_loss() -> None:
    model, (tokens, targets) = network(), batch()
    targets, parameters = some_ignored(targets), list(model.parameters())
    ours = torch.autograd.grad(model.loss(tokens, targets)[0], parameters)
    logits = model.logits(model(tokens)).flatten(0, 1)
    plain = torch.autograd.grad(F.cross_entropy(logits, targets.flatten()), parameters)
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_costs_depend_on_what_stands_before_alone() -> None:
    model, (tokens, targets) = network(), batch()
    before = model.costs(tokens, targets)
    for place in range(8):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % 20
        moves = (model.costs(changed, targets) - before).abs()
        assert not moves[:, :place].any() and (moves[:, place:].amax(dim=0) > 1e-3).all()


def test_tokens_that_nothing_is_predicted_from_and_padding_change_nothing() -> None:
    model, (tokens, targets) = network(), batch()
    targets = some_ignored(targets)
    padded = tokens.clone()
    padded[0, 5:], padded[1, 2:] = 0, 0
    assert torch.equal(model.loss(padded, targets)[0], model.loss(tokens, targets)[0])


def test_nothing_to_predict_costs_nothing() -> None:
    tokens, targets = batch()
    loss, terms = network().loss(tokens, torch.full_like(targets, IGNORED))
    assert terms == 0 and loss == 0


# Training.


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_every_parameter_gets_a_gradient(norm: str) -> None:
    model = network(norm=norm)
    model.loss(*batch(4, 12))[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_overfits_one_batch_and_repeats_it() -> None:
    torch.manual_seed(0)
    model = GPT(replace(SMALL, width=32, inner=64))
    tokens, targets = batch(3, 8)
    tokens[:, 0] = torch.arange(3)
    assert loss_after(120, model, lambda: model.loss(tokens, targets)) < 0.05
    written = model.generate(tokens[:, :1], 8, temperature=0)
    assert torch.equal(written[:, 1:], targets)


def test_dropout_works_in_training_only() -> None:
    model = network(dropout=0.5)
    assert model.loss(*batch())[0] != model.loss(*batch())[0]
    model.eval()
    assert model.loss(*batch())[0] == model.loss(*batch())[0]


# Writing.


@pytest.mark.parametrize("options", [{}, {"norm": "pre"}, {"positions": "sinusoidal"}])
@pytest.mark.parametrize(
    "choice",
    [
        {"temperature": 0},
        {"temperature": 1.0},
        {"temperature": 0.7, "top_k": 3},
    ],
)
def test_a_cache_changes_no_token(options: dict[str, object], choice: dict[str, object]) -> None:
    model, (tokens, _) = network(**options), batch(3, 4)
    cached, plain = (
        model.generate(tokens, 8, **choice, generator=drawn(), cache=cache)
        for cache in (True, False)
    )
    assert cached.shape == (3, 12)
    assert torch.equal(cached, plain) and torch.equal(cached[:, :4], tokens)


def test_a_cache_reads_each_token_once() -> None:
    model, read = network(), []
    model.layers[0].register_forward_pre_hook(lambda _, given: read.append(given[0].shape[1]))
    model.generate(batch(2, 4)[0], 5, temperature=0)
    assert read == [4, 1, 1, 1, 1]
    read.clear()
    model.generate(batch(2, 4)[0], 5, temperature=0, cache=False)
    assert read == [4, 5, 6, 7, 8]


def test_the_greedy_choice_is_the_likeliest_at_each_step() -> None:
    model, (tokens, _) = network(), batch(3, 4)
    for _ in range(4):
        following = model.logits(model(tokens))[:, -1].argmax(dim=1, keepdim=True)
        assert torch.equal(
            model.generate(tokens, 1, temperature=0), torch.cat([tokens, following], dim=1)
        )
        tokens = torch.cat([tokens, following], dim=1)


def test_among_the_one_likeliest_the_draw_is_greedy() -> None:
    model, (tokens, _) = network(), batch(3, 4)
    greedy = model.generate(tokens, 8, temperature=0)
    assert torch.equal(model.generate(tokens, 8, top_k=1, generator=drawn()), greedy)


def test_the_same_generator_writes_the_same_text() -> None:
    model, (tokens, _) = network(), batch(3, 4)
    one, same = (model.generate(tokens, 8, generator=drawn()) for _ in range(2))
    other = model.generate(tokens, 8, generator=drawn(4))
    assert torch.equal(one, same) and not torch.equal(one, other)


def frequencies(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    """How often each token is chosen in many draws."""
    rows = logits.expand(20_000, len(logits))
    tokens = choose(rows, temperature, top_k, drawn())
    assert tokens.shape == (20_000, 1)
    return tokens.flatten().bincount(minlength=len(logits)) / 20_000


def test_tokens_are_drawn_by_their_probabilities() -> None:
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0])
    found = frequencies(logits)
    torch.testing.assert_close(found, logits.softmax(dim=0), rtol=0, atol=0.015)
    found = frequencies(logits, temperature=0.5)
    torch.testing.assert_close(found, (2 * logits).softmax(dim=0), rtol=0, atol=0.015)


def test_only_the_likeliest_are_drawn_from() -> None:
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0])
    expected = torch.tensor([2.0, -torch.inf, -torch.inf, 1.0]).softmax(dim=0)
    torch.testing.assert_close(frequencies(logits, top_k=2), expected, rtol=0, atol=0.015)
    assert torch.equal(frequencies(logits, top_k=99), frequencies(logits))


def test_no_more_tokens_are_the_text_itself() -> None:
    tokens, _ = batch()
    assert torch.equal(network().generate(tokens, 0, temperature=0), tokens)


# Errors.


def test_a_draw_without_a_source_of_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="pass a generator, or temperature=0"):
        network().generate(batch()[0], 2)


def test_a_draw_among_no_tokens_is_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="top_k=0 leaves no token to draw"):
        network().generate(batch()[0], 2, top_k=0, generator=generator)


@pytest.mark.parametrize("cache", [True, False])
def test_a_text_beyond_the_context_is_refused(cache: bool) -> None:
    model, (tokens, _) = network(), batch(1, 8)
    assert model.generate(tokens, 5, temperature=0, cache=cache).shape == (1, 13)
    with pytest.raises(ValueError, match="13 tokens do not fit into a context of 12"):
        model.generate(tokens, 6, temperature=0, cache=cache)


def test_a_network_that_sees_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="causal=True"):
        GPT(replace(SMALL, causal=False))
