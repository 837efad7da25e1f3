"""The Transformer: who sees whom, what each option changes, and that all of it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small_networks import sure_network
from torch import Tensor

from nnlm2bert.models import transformer
from nnlm2bert.models.transformer import (
    ACTIVATIONS,
    KeysAndValues,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    attention,
    fused_attention,
    fused_is_faster,
    sinusoids,
)

SMALL = TransformerConfig(
    vocabulary_size=20, context=12, width=8, heads=2, layers=2, inner=16, dropout=0.0
)
BOTH_SIDES = replace(SMALL, causal=False)
CHOICES = [
    {},
    {"causal": False},
    {"norm": "pre"},
    {"positions": "sinusoidal"},
    {"positions": "none"},
    {"activation": "relu"},
    {"causal": False, "segments": 2, "embedding_norm": True, "activation": "gelu"},
]
LENGTHS = (8, 5, 1, 6)
ROUNDING, READ = 1e-5, 1e-3
"""What a vector moves by if nothing it reads changes, and at least if something does."""


def network(config: TransformerConfig = SMALL, **options: object) -> Transformer:
    """A small network with large weights."""
    return sure_network(Transformer, replace(config, **options))


def batch(rows: int = 4, length: int = 8) -> Tensor:
    """Tokens (B, T)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(SMALL.vocabulary_size, (rows, length), generator=generator)


def padding(lengths: tuple[int, ...] = LENGTHS) -> Tensor:
    """Where the tokens of sequences of some lengths are: (B, T)."""
    return torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)


def heads(queries: int = 6, keys: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (3, 2, T, 4), keys and values (3, 2, S, 4)."""
    generator = torch.Generator().manual_seed(2)
    sizes = queries, keys, keys
    return tuple(torch.randn(3, 2, size, 4, generator=generator) for size in sizes)


def moved(model: Transformer, tokens: Tensor, place: int) -> Tensor:
    """How far the vector of each place moves (B, T) when the token at one place changes."""
    changed = tokens.clone()
    changed[:, place] = (changed[:, place] + 1) % SMALL.vocabulary_size
    return (model(changed) - model(tokens)).abs().amax(dim=2).detach()


MASKS = {
    "none": None,
    "causal": torch.ones(6, 6).tril().bool(),
    "padding": padding((6, 4, 1))[:, None, None],
    "both": torch.ones(6, 6).tril().bool() & padding((6, 4, 1))[:, None, None],
}


# Attention.


def test_attention_is_a_mean_of_the_values_weighted_by_the_scores() -> None:
    queries, keys, values = heads(queries=5, keys=7)
    read, weights = attention(queries, keys, values)
    assert read.shape == (3, 2, 5, 4) and weights.shape == (3, 2, 5, 7)
    for place in range(5):
        scores = [float(queries[1, 0, place] @ keys[1, 0, seen]) / 2 for seen in range(7)]
        share = torch.tensor(scores).exp()
        share = share / share.sum()
        torch.testing.assert_close(weights[1, 0, place], share)
        expected = sum(share[seen] * values[1, 0, seen] for seen in range(7))
        torch.testing.assert_close(read[1, 0, place], expected)


@pytest.mark.parametrize("mask", MASKS)
def test_weights_sum_to_one_over_what_may_be_seen(mask: str) -> None:
    weights = attention(*heads(), MASKS[mask])[1]
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 2, 6))
    if MASKS[mask] is not None:
        seen = MASKS[mask].expand_as(weights)
        assert not weights[~seen].any() and (weights[seen] > 0).all()


@pytest.mark.parametrize("mask", MASKS)
def test_the_plain_and_the_fused_form_agree(mask: str) -> None:
    given = [x.requires_grad_() for x in heads()]
    plain, _ = attention(*given, MASKS[mask])
    fused = fused_attention(*given, MASKS[mask], 0.0)
    torch.testing.assert_close(plain, fused, rtol=1e-5, atol=1e-6)
    pairs = zip(
        torch.autograd.grad(plain.square().sum(), given),
        torch.autograd.grad(fused.square().sum(), given),
        strict=True,
    )
    for ours, torchs in pairs:
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", CHOICES)
def test_a_network_is_the_same_with_either_form(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inside = network(**options), padding()
    found = {}
    for fused in (True, False):
        monkeypatch.setattr(transformer, "fused_is_faster", lambda q, k, fused=fused: fused)
        found[fused] = model(batch(), inside)
    torch.testing.assert_close(found[True], found[False], rtol=1e-4, atol=1e-5)


def test_the_plain_form_is_taken_for_short_bfloat16_on_a_cpu() -> None:
    longest = transformer.LONGEST_PLAIN
    short, long = torch.zeros(1, 1, longest, 2), torch.zeros(1, 1, longest + 1, 2)
    assert fused_is_faster(short, short) and fused_is_faster(long, long)
    assert not fused_is_faster(short.bfloat16(), short.bfloat16())
    assert fused_is_faster(long.bfloat16(), long.bfloat16())
    assert fused_is_faster(short.bfloat16().to("meta"), short.bfloat16().to("meta"))


def test_in_bfloat16_the_network_is_what_it_is_in_float32_but_for_rounding() -> None:
    model = network()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(batch())
    assert rounded.dtype == torch.float32
    exact = model(batch())
    assert 0 < (rounded - exact).norm() < 0.03 * exact.norm()


def test_dropout_of_weights_keeps_their_mean() -> None:
    queries, keys, values = heads(queries=1, keys=50)
    torch.manual_seed(0)
    weights = torch.stack([attention(queries, keys, values, None, 0.4)[1] for _ in range(400)])
    assert 0.35 < (weights == 0).float().mean() < 0.45
    whole = attention(queries, keys, values)[1]
    torch.testing.assert_close(weights.mean(dim=0), whole, rtol=0.3, atol=5e-3)


def test_heads_read_different_parts_of_the_vectors() -> None:
    part = MultiHeadAttention(SMALL)
    torch.nn.init.zeros_(part.queries_keys_values.bias)
    queries, keys, values = part.split(torch.ones(3, 5, 8))
    assert queries.shape == keys.shape == values.shape == (3, 2, 5, 4)
    x = torch.eye(8).unsqueeze(0)
    rows = part.queries_keys_values.weight  # (3 D, D)
    _, keys, values = part.split(x)
    torch.testing.assert_close(keys[0, 1], rows[12:16].T)
    torch.testing.assert_close(values[0, 0], rows[16:20].T)


# Shapes, and who sees whom.


@pytest.mark.parametrize("options", CHOICES)
def test_a_vector_for_each_place(options: dict[str, object]) -> None:
    model = network(**options)
    assert model(batch()).shape == (4, 8, 8)
    assert model(batch(1, 1)).shape == (1, 1, 8)
    assert len(model.layers) == 1 + SMALL.layers


@pytest.mark.parametrize("options", [{}, {"norm": "pre"}, {"positions": "sinusoidal"}])
def test_a_causal_place_sees_itself_and_what_stands_before_it(options: dict[str, object]) -> None:
    model, tokens = network(**options), batch()
    for place in range(tokens.shape[1]):
        moves = moved(model, tokens, place)
        assert not moves[:, :place].any()
        assert (moves[:, place:].amax(dim=0) > READ).all()


def test_without_causal_every_place_sees_all() -> None:
    model, tokens = network(BOTH_SIDES), batch()
    for place in range(tokens.shape[1]):
        assert (moved(model, tokens, place).amax(dim=0) > READ).all()


@pytest.mark.parametrize("options", [{}, {"norm": "pre"}, {"segments": 2, "embedding_norm": True}])
@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_nothing(options: dict[str, object], causal: bool) -> None:
    model, tokens = network(causal=causal, **options), batch()
    together = model(tokens, padding())
    for row, length in enumerate(LENGTHS):
        alone = model(tokens[row : row + 1, :length])
        torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-4, atol=ROUNDING)
    if not causal:
        assert (model(tokens) - together)[1:].abs().amax(dim=2).min() > READ


def test_layer_norm_stands_after_the_sum_or_before_each_part() -> None:
    post, pre = network(), network(norm="pre")
    for model in (post, pre):
        for block in model.layers[1:]:
            for norm in (block.attention_norm, block.feed_forward_norm):
                torch.nn.init.ones_(norm.weight)
                torch.nn.init.zeros_(norm.bias)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    block = post.layers[1]
    middle = F.layer_norm(x + block.attention(x), (8,))
    expected = F.layer_norm(middle + block.feed_forward(middle), (8,))
    torch.testing.assert_close(block(x), expected)
    block = pre.layers[1]
    middle = x + block.attention(F.layer_norm(x, (8,)))
    expected = middle + block.feed_forward(F.layer_norm(middle, (8,)))
    torch.testing.assert_close(block(x), expected)


def test_a_stack_of_pre_norm_blocks_ends_with_a_norm() -> None:
    model = network(norm="pre")
    torch.nn.init.ones_(model.norm.weight)
    torch.nn.init.zeros_(model.norm.bias)
    vectors = model(batch())
    torch.testing.assert_close(vectors.mean(dim=2), torch.zeros(4, 8), rtol=0, atol=1e-6)
    assert not list(network().norm.parameters())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activation_is_what_the_config_names(name: str) -> None:
    feed = network(activation=name).layers[1].feed_forward
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    inner = F.linear(x, feed.inner.weight, feed.inner.bias)
    known = {"relu": F.relu(inner), "gelu": F.gelu(inner)}
    known["gelu-tanh"] = F.gelu(inner, approximate="tanh")
    assert not torch.equal(known["gelu"], known["gelu-tanh"])
    expected = F.linear(known[name], feed.output.weight, feed.output.bias)
    torch.testing.assert_close(feed(x), expected, rtol=1e-6, atol=1e-6)


# Positions and segments.


@pytest.mark.parametrize("positions", transformer.POSITIONS)
def test_without_positions_order_means_nothing(positions: str) -> None:
    model = network(BOTH_SIDES, positions=positions)
    tokens = batch(1, 6)
    turned = model(tokens.flip(1)).flip(1)
    same = torch.allclose(turned, model(tokens), rtol=1e-4, atol=ROUNDING)
    assert same == (positions == "none")


def test_learned_positions_are_parameters_and_sinusoids_are_not() -> None:
    def of_positions(kind: str) -> list[str]:
        return [name for name in network(positions=kind).state_dict() if "positions" in name]

    assert of_positions("learned") == ["layers.0.positions"]
    assert of_positions("sinusoidal") == of_positions("none") == []


def test_sinusoids_are_added_to_vectors_scaled_by_the_root_of_the_width() -> None:
    model, tokens = network(positions="sinusoidal"), batch()
    embedding = model.layers[0]
    expected = embedding.tokens.weight[tokens] * 8**0.5 + sinusoids(12, 8)[:8]
    torch.testing.assert_close(embedding(tokens), expected)


def test_sinusoids_of_an_odd_width() -> None:
    torch.testing.assert_close(sinusoids(9, 7), sinusoids(9, 7).clamp(-1, 1))
    assert sinusoids(9, 7).shape == (9, 7)


def test_segments_tell_the_same_tokens_apart() -> None:
    model, tokens = network(BOTH_SIDES, segments=2), batch()
    first = torch.zeros_like(tokens)
    second = first.clone()
    second[:, 4:] = 1
    assert torch.equal(model(tokens), model(tokens, segments=first))
    assert ((model(tokens, segments=second) - model(tokens)).abs().amax(dim=2) > READ).all()
    table = model.layers[0].segments.weight
    difference = model.layers[0](tokens, second) - model.layers[0](tokens)
    torch.testing.assert_close(difference[:, 4:], (table[1] - table[0]).expand(4, 4, 8))


def test_embeddings_are_normalised_if_asked_for() -> None:
    model = network(embedding_norm=True)
    embedding = model.layers[0]
    torch.nn.init.ones_(embedding.norm.weight)
    torch.nn.init.zeros_(embedding.norm.bias)
    plain = embedding.tokens.weight[batch()] + embedding.positions[:8]
    torch.testing.assert_close(embedding(batch()), F.layer_norm(plain, (8,)))


# Reading piece by piece.


@pytest.mark.parametrize("cuts", [(1,) * 8, (3, 5), (5, 1, 2)])
@pytest.mark.parametrize("norm", transformer.NORMS)
def test_a_text_read_in_pieces_is_read_like_one(norm: str, cuts: tuple[int, ...]) -> None:
    model, tokens = network(norm=norm), batch()
    past = [KeysAndValues() for _ in model.layers[1:]]
    pieces = [model(piece, past=past) for piece in tokens.split(cuts, dim=1)]
    assert len(past[0]) == len(past[1]) == 8
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), rtol=1e-4, atol=ROUNDING)


def test_a_text_longer_than_the_context_is_refused() -> None:
    model = network()
    assert model(batch(1, 12)).shape == (1, 12, 8)
    with pytest.raises(ValueError, match="13 tokens do not fit into a context of 12"):
        model(batch(1, 13))
    past = [KeysAndValues() for _ in model.layers[1:]]
    model(batch(1, 10), past=past)
    with pytest.raises(ValueError, match="13 tokens do not fit"):
        model(batch(1, 3), past=past)


# Maps of attention.


@pytest.mark.parametrize("options", CHOICES)
def test_maps_are_what_the_network_reads_with(options: dict[str, object]) -> None:
    model, tokens, inside = network(**options), batch(), padding()
    maps = model.attention_maps(tokens, inside)
    assert len(maps) == SMALL.layers
    x = model.layers[0](tokens)
    for block, weights in zip(model.layers[1:], maps, strict=True):
        torch.testing.assert_close(weights.sum(dim=3), torch.ones(4, 2, 8))
        given = block.attention_norm(x) if block.pre else x
        values = block.attention.split(given)[2]
        read = (weights @ values).transpose(1, 2).flatten(2)
        expected = block.attention(given, inside)
        torch.testing.assert_close(block.attention.output(read), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            block.attention.maps(given, inside)[0], expected, rtol=1e-4, atol=1e-5
        )
        x = block(x, inside)


def test_maps_show_nothing_that_may_not_be_seen() -> None:
    for weights in network().attention_maps(batch()):
        assert not weights.triu(1).any()
    for weights in network(BOTH_SIDES).attention_maps(batch(), padding()):
        assert not weights[(~padding())[:, None, None].expand_as(weights)].any()


# Training.


@pytest.mark.parametrize("options", CHOICES)
def test_every_parameter_gets_a_gradient(options: dict[str, object]) -> None:
    model, tokens = network(**options), batch(4, 12)
    model(tokens, segments=tokens % 2).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_padding_gets_no_gradient() -> None:
    model, inside = network(BOTH_SIDES, positions="none"), padding((5,))
    tokens = torch.cat([torch.arange(5), torch.tensor([17, 18, 19])]).unsqueeze(0)
    inside = F.pad(inside, (0, 3))
    model(tokens, inside)[:, :5].square().sum().backward()
    touched = model.layers[0].tokens.weight.grad.abs().sum(dim=1).nonzero().squeeze(1)
    assert touched.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("norm", transformer.NORMS)
def test_overfits_one_batch(norm: str) -> None:
    torch.manual_seed(0)
    config = replace(BOTH_SIDES, norm=norm, width=16, positions="sinusoidal")
    model, tokens = Transformer(config), batch()
    output = torch.nn.Linear(16, SMALL.vocabulary_size)
    parameters = [*model.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        loss = F.cross_entropy(output(model(tokens)).flatten(0, 1), tokens.flip(1).flatten())
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_dropout_works_in_training_only() -> None:
    model = network(dropout=0.5)
    assert not torch.equal(model(batch()), model(batch()))
    model.eval()
    assert torch.equal(model(batch()), model(batch()))
    torch.testing.assert_close(model(batch()), network().eval()(batch()))


@pytest.mark.parametrize("fused", [True, False])
def test_dropout_reaches_the_weights_of_attention(
    fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer, "fused_is_faster", lambda q, k: fused)
    part, x = network(dropout=0.5).layers[1].attention, torch.ones(1, 6, 8)
    assert not torch.equal(part(x), part(x))
    part.eval()
    assert torch.equal(part(x), part(x))


@pytest.mark.parametrize("norm", transformer.NORMS)
def test_dropout_takes_what_is_added_and_spares_what_was_there(norm: str) -> None:
    model = network(dropout=1.0, norm=norm)
    block, x = model.layers[1], torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    untouched = x if norm == "pre" else block.feed_forward_norm(block.attention_norm(x))
    torch.testing.assert_close(block(x), untouched)
    assert not model.layers[0](batch()).any()


def test_weights_begin_small_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    model = Transformer(replace(SMALL, width=64, inner=256, segments=2))
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.full_like(parameter, name.endswith("weight")))
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert 0.015 < parameter.std() < 0.025 and abs(parameter.mean()) < 0.005, name


# Errors.


def test_a_width_that_the_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="a width of 8 cannot be shared by 3 heads"):
        replace(SMALL, heads=3)


@pytest.mark.parametrize("name", ["positions", "activation", "norm"])
def test_an_unknown_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is one of .*, not 'best'"):
        replace(SMALL, **{name: "best"})
