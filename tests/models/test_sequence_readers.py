from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.sequence_readers import (
    KINDS,
    AttentionReader,
    NextWordModel,
    ReaderConfig,
    UndividedAttention,
    build_reader,
    equal_sizes,
)

SMALL = ReaderConfig(width=32, layers=2, inner=128, heads=4, dropout=0.0, context=40, kernel=3)
READERS = equal_sizes(SMALL)
WORDS = 20
each_kind = pytest.mark.parametrize("kind", KINDS)


def vectors(batch: int = 2, length: int = 12) -> Tensor:
    """Vectors (B, T, D) to read."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, length, SMALL.width, generator=generator)


def reader(kind: str, **changes: object) -> torch.nn.Module:
    """A reader in evaluation mode, the same each time."""
    torch.manual_seed(0)
    return build_reader(replace(READERS[kind], **changes)).eval()


def language_model(kind: str = "attention", **changes: object) -> NextWordModel:
    """A language model whose words differ enough to matter."""
    torch.manual_seed(0)
    model = NextWordModel(WORDS, replace(READERS[kind], **changes))
    torch.nn.init.normal_(model.tokens.weight, std=0.3)
    torch.nn.init.normal_(model.bias)
    return model.eval()


def tokens(length: int = 9) -> tuple[Tensor, Tensor]:
    """Tokens and what follows them (3, T), the ends of two rows without targets."""
    generator = torch.Generator().manual_seed(2)
    text = torch.randint(WORDS, (3, length + 1), generator=generator)
    targets = text[:, 1:].clone()
    targets[1, 5:], targets[2, 2:] = IGNORED, IGNORED
    return text[:, :-1], targets


# Form and size.


@each_kind
@pytest.mark.parametrize("length", [1, 2, 12, 40])
def test_what_comes_out_has_the_shape_of_what_went_in(kind, length):
    x = vectors(length=length)
    assert reader(kind)(x).shape == x.shape


@each_kind
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_rightly(kind, norm, layers):
    config = replace(READERS[kind], layers=layers, norm=norm)
    counted = {name: p.numel() for name, p in build_reader(config).named_parameters()}
    counted.pop("positions", None)
    assert sum(counted.values()) == config.parameters


@pytest.mark.parametrize(("width", "layers"), [(32, 1), (96, 3), (128, 2), (256, 4)])
def test_sizes_are_equal_within_two_in_a_hundred(width, layers):
    found = equal_sizes(replace(SMALL, width=width, layers=layers, inner=4 * width, kernel=7))
    assert [config.kind for config in found.values()] == list(KINDS)
    for config in found.values():
        assert (config.width, config.layers) == (width, layers)
        assert config.parameters == pytest.approx(found["attention"].parameters, rel=0.02)


def test_sizes_that_cannot_be_equal_are_refused():
    with pytest.raises(ValueError, match="larger width"):
        equal_sizes(replace(SMALL, width=16, layers=1, inner=64, kernel=7))


def test_settings_that_do_not_exist_are_refused():
    for wrong in ({"kind": "memory"}, {"positions": "rotary"}):
        with pytest.raises(ValueError, match="is one of"):
            replace(SMALL, **wrong)
    with pytest.raises(ValueError, match="do not fit into a context of 40"):
        reader("attention")(vectors(length=41))


def test_only_recurrence_takes_steps_one_after_the_other():
    assert [READERS[kind].sequential_steps for kind in KINDS] == ["1", "n", "1"]


# What a place has read.


def influence(kind: str, length: int = 12, **changes: object) -> Tensor:
    """How much (T, T) each input, a column, moves each output, a row."""
    model, x = reader(kind, **changes), vectors(1, length)
    before = model(x)
    rows = []
    for place in range(length):
        moved = x.clone()
        moved[0, place] = vectors(2)[1, place]
        rows.append((model(moved) - before).abs().amax(dim=2)[0])
    return torch.stack(rows, dim=1)


@each_kind
def test_no_place_sees_what_stands_to_its_right(kind):
    moved = influence(kind)
    assert moved.triu(diagonal=1).max() < 1e-5
    assert moved.diagonal().min() > 1e-3


@pytest.mark.parametrize("kind", ["attention", "lstm"])
def test_attention_and_recurrence_see_all_to_the_left(kind):
    assert READERS[kind].field is None
    assert influence(kind)[-1].min() > 1e-6


@pytest.mark.parametrize("layers", [1, 2])
def test_convolution_sees_its_field_and_no_more(layers):
    field = replace(READERS["convolution"], layers=layers).field
    assert field == 1 + 2 * layers
    last = influence("convolution", layers=layers)[-1]
    assert last[-field:].min() > 1e-6 and last[:-field].max() == 0


@each_kind
def test_padding_on_the_right_changes_nothing(kind):
    model, x = reader(kind), vectors()
    padded = F.pad(x, (0, 0, 0, 7), value=3.0)
    torch.testing.assert_close(model(padded)[:, :12], model(x))


def test_positions_tell_equal_words_apart_and_none_does_not():
    same = vectors(1, 1).expand(1, 6, -1)
    for positions, differs in (("learned", True), ("sinusoidal", True), ("none", False)):
        model = reader("attention", positions=positions)
        if positions == "learned":
            torch.nn.init.normal_(model.positions)
        y = model(same)
        assert ((y[0, 0] - y[0, 5]).abs().max() > 1e-3) == differs


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_without_division_scores_are_the_root_of_d_times_as_large(positions):
    plain = reader("attention", positions=positions)
    other = reader("attention", positions=positions, divided=False)
    assert isinstance(other.blocks[1].attention, UndividedAttention)
    other.load_state_dict(plain.state_dict())
    x = vectors()
    root = (SMALL.width / SMALL.heads) ** 0.5
    scores = [
        r.blocks[0].attention.maps(r.placed(x) / 10)[1][0, 0, 5, :6].log() for r in (plain, other)
    ]
    differences = [each - each[0] for each in scores]
    torch.testing.assert_close(differences[1], root * differences[0], rtol=1e-3, atol=1e-3)


def test_attention_shows_what_it_did():
    model, x = reader("attention"), vectors()
    maps = model.attention_maps(x)
    assert [m.shape for m in maps] == [(2, 4, 12, 12)] * 2
    block = model.blocks[0]
    read, first = block.attention.maps(model.placed(x))
    torch.testing.assert_close(maps[0], first)
    torch.testing.assert_close(block.attention(model.placed(x)), read)
    with pytest.raises(ValueError, match="no attention to show"):
        language_model("lstm").attention_maps(tokens()[0])


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_maps_go_through_all_blocks_as_reading_does(norm):
    model, x = reader("attention", norm=norm), vectors()
    middle = model.blocks[0](model.placed(x))
    given = model.blocks[1].attention_norm(middle) if norm == "pre" else middle
    torch.testing.assert_close(model.attention_maps(x)[1], model.blocks[1].attention.maps(given)[1])


# Learning.


@each_kind
def test_every_parameter_has_a_gradient(kind):
    model = language_model(kind)
    model.loss(*tokens())[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@each_kind
def test_overfits_one_batch(kind):
    model = language_model(kind).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss, _ = model.loss(*tokens())
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_dropout_disturbs_training_alone():
    model = language_model("lstm", dropout=0.5)
    text = tokens()[0]
    assert torch.equal(model(text), model(text))
    model.train()
    assert not torch.equal(model(text), model(text))


@each_kind
def test_loss_and_costs_are_those_of_the_logits(kind):
    model, (text, targets) = language_model(kind), tokens()
    logits = model.logits(model(text))
    wanted = targets != IGNORED
    expected = F.cross_entropy(logits[wanted], targets[wanted], reduction="none")
    loss, count = model.loss(text, targets)
    costs = model.costs(text, targets)
    assert count == wanted.sum() == 16
    torch.testing.assert_close(loss, expected.mean())
    torch.testing.assert_close(costs[wanted], expected)
    assert not costs[~wanted].any()


def test_the_softmax_reads_the_table_of_the_input():
    model = language_model()
    vector = torch.randn(SMALL.width, generator=torch.Generator().manual_seed(0))
    expected = model.tokens.weight @ vector + model.bias
    torch.testing.assert_close(model.logits(vector), expected)


@pytest.mark.parametrize("field", ["learned", "sinusoidal", "none"])
def test_weights_of_positions_belong_to_the_model_only_if_learned(field):
    model = AttentionReader(replace(SMALL, positions=field))
    assert ("positions" in model.state_dict()) == (field == "learned")
