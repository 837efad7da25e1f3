from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nnlm2bert.models.elmo import BiLM, CharacterCNN, ELMoConfig, Highway, ProjectedLSTM, ScalarMix

SMALL = ELMoConfig(
    vocabulary_size=30,
    alphabet=20,
    character_width=5,
    filters=((1, 4), (2, 5), (3, 6)),
    width=6,
    states=9,
    dropout=0.0,
)
WIDTH = SMALL.width
ROWS, LETTERS = 12, 7
"""Words that can be read, and how many characters the longest of them has."""
LENGTHS = (8, 5, 2, 6)
ROUNDING, READ = 1e-6, 1e-5
"""What a vector moves by if the words read stay the same, and at least if one changes."""


def network(**options: object) -> BiLM:
    """A small biLM, its softmax far from uniform, so that every word matters."""
    torch.manual_seed(0)
    model = BiLM(replace(SMALL, **options))
    torch.nn.init.normal_(model.output.bias)
    return model


def spellings() -> Tensor:
    """The characters (W, C) of words of 1 to 7 letters, then zeros."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(1, SMALL.alphabet, (ROWS, LETTERS), generator=generator)
    sizes = torch.arange(ROWS) % LETTERS + 1
    return rows * (torch.arange(LETTERS) < sizes.unsqueeze(1))


def batch(lengths: Sequence[int] = LENGTHS) -> tuple[Tensor, Tensor, Tensor]:
    """Words, lengths and targets of a batch; beyond a length stands a word, too."""
    generator = torch.Generator().manual_seed(2)
    shape = len(lengths), max(lengths)
    words = torch.randint(ROWS, shape, generator=generator)
    targets = torch.randint(SMALL.vocabulary_size, shape, generator=generator)
    return words, torch.tensor(lengths), targets


def other(words: Tensor, places: slice) -> Tensor:
    """The same words, but for those at some places of each sequence."""
    changed = words.clone()
    changed[:, places] = (changed[:, places] + 1) % ROWS
    return changed


def mirrored(rows: Tensor, lengths: Sequence[int]) -> Tensor:
    """Each sequence read backwards; what is beyond its length stays there."""
    turned = rows.clone()
    for row, length in enumerate(lengths):
        turned[row, :length] = rows[row, :length].flip(0)
    return turned


# Shapes, and what stands where.


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_vectors_of_every_layer_for_every_word(layers: int) -> None:
    words, lengths, _ = batch()
    vectors = network(layers=layers)(spellings(), words, lengths)
    assert [v.shape for v in vectors] == [(4, 8, 2 * WIDTH)] * (layers + 1)


def test_layer_zero_is_the_word_alone_and_the_others_its_place() -> None:
    words = torch.tensor([[3, 5, 3, 7]])
    lowest, *others = network()(spellings(), words, torch.tensor([4]))
    forward, backward = lowest.chunk(2, dim=2)
    assert torch.equal(forward, backward) and torch.equal(lowest[0, 0], lowest[0, 2])
    for vectors in others:
        assert (vectors[0, 0] - vectors[0, 2]).abs().max() > 1e-3


def test_layer_zero_is_what_the_characters_say() -> None:
    model = network()
    words, lengths, _ = batch((6,))
    x = model.layers[0](spellings())
    lowest = model(spellings(), words, lengths)[0]
    torch.testing.assert_close(lowest[0, :, :WIDTH], x[words[0]])


def test_words_of_the_table_that_are_not_read_have_no_say() -> None:
    model, table = network(), spellings()
    words, lengths, _ = batch()
    words = words % (ROWS - 1)
    changed = torch.cat([table[:-1], torch.ones_like(table)])
    for before, after in zip(
        model(table, words, lengths), model(changed, words, lengths), strict=True
    ):
        torch.testing.assert_close(before, after)


# Padding: of words by characters, and of sentences by words.


def test_padding_of_spellings_changes_nothing() -> None:
    model, table = network(), spellings()
    wider = torch.nn.functional.pad(table, (0, 9))
    torch.testing.assert_close(model.layers[0](wider), model.layers[0](table))


def test_a_word_as_short_as_no_filter_has_a_vector() -> None:
    characters = CharacterCNN(SMALL)
    assert characters(torch.tensor([[4], [0]])).isfinite().all()


def test_padding_changes_no_vector_and_is_zero() -> None:
    model = network()
    words, lengths, _ = batch()
    together = model(spellings(), words, lengths)
    for row, length in enumerate(LENGTHS):
        alone = model(spellings(), words[row : row + 1, :length], lengths[row : row + 1])
        for padded, own in zip(together, alone, strict=True):
            torch.testing.assert_close(padded[row, :length], own[0])
            assert not padded[row, length:].any()


def test_padding_changes_neither_loss_nor_costs() -> None:
    model = network()
    words, lengths, targets = batch()
    changed, wrong = words.clone(), targets.clone()
    for row, length in enumerate(LENGTHS):
        changed[row, length:], wrong[row, length:] = 0, 0
    before = model.loss(spellings(), words, lengths, targets)
    assert torch.equal(before[0], model.loss(spellings(), changed, lengths, wrong)[0])
    costs = model.costs(spellings(), words, lengths, targets)
    for own, padded in zip(costs, model.costs(spellings(), changed, lengths, wrong), strict=True):
        assert torch.equal(own, padded)


# What each direction has read.


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("place", range(7))
def test_the_forward_half_has_read_the_word_and_those_before_it(layer: int, place: int) -> None:
    model = network()
    words, lengths = batch((7, 7))[:2]
    before = model(spellings(), words, lengths)[layer][:, place, :WIDTH]
    after_it = model(spellings(), other(words, slice(place + 1, None)), lengths)[layer]
    torch.testing.assert_close(after_it[:, place, :WIDTH], before, rtol=0, atol=ROUNDING)
    for read in range(place + 1):
        changed = model(spellings(), other(words, slice(read, read + 1)), lengths)[layer]
        assert ((changed[:, place, :WIDTH] - before).abs().amax(dim=1) > READ).all()


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("place", range(7))
def test_the_backward_half_has_read_the_word_and_those_after_it(layer: int, place: int) -> None:
    model = network()
    words, lengths = batch((7, 7))[:2]
    before = model(spellings(), words, lengths)[layer][:, place, WIDTH:]
    before_it = model(spellings(), other(words, slice(0, place)), lengths)[layer]
    torch.testing.assert_close(before_it[:, place, WIDTH:], before, rtol=0, atol=ROUNDING)
    for read in range(place, 7):
        changed = model(spellings(), other(words, slice(read, read + 1)), lengths)[layer]
        assert ((changed[:, place, WIDTH:] - before).abs().amax(dim=1) > READ).all()


def test_costs_come_from_one_side_and_not_from_the_word_itself() -> None:
    model = network()
    words, lengths, targets = batch((7, 7))
    forward, backward = model.costs(spellings(), words, lengths, targets)
    for place in range(7):
        from_here, to_here = other(words, slice(place, None)), other(words, slice(0, place + 1))
        moved = (model.costs(spellings(), from_here, lengths, targets)[0] - forward).abs()
        assert moved[:, : place + 1].max() < ROUNDING
        assert place == 6 or moved[:, place + 1].min() > READ
        moved = (model.costs(spellings(), to_here, lengths, targets)[1] - backward).abs()
        assert moved[:, place:].max() < ROUNDING
        assert place == 0 or moved[:, place - 1].min() > READ


def test_the_backward_model_is_the_forward_one_on_reversed_text() -> None:
    model, swapped = network(), network()
    for layer, turned in zip(model.layers[1:], swapped.layers[1:], strict=True):
        turned.left_to_right.load_state_dict(layer.right_to_left.state_dict())
        turned.right_to_left.load_state_dict(layer.left_to_right.state_dict())
    words, lengths, targets = batch()
    back = mirrored(words, LENGTHS), lengths, mirrored(targets, LENGTHS)
    pairs = zip(model(spellings(), words, lengths), swapped(spellings(), *back[:2]), strict=True)
    for vectors, reversed_vectors in pairs:
        expected = mirrored(vectors.roll(WIDTH, dims=2), LENGTHS)
        torch.testing.assert_close(reversed_vectors, expected)
    forward, backward = model.costs(spellings(), words, lengths, targets)
    back_forward, back_backward = swapped.costs(spellings(), *back)
    torch.testing.assert_close(back_backward, mirrored(forward, LENGTHS))
    torch.testing.assert_close(back_forward, mirrored(backward, LENGTHS))


# Loss.


def test_costs_are_those_of_the_softmax_of_the_neighbours_vectors() -> None:
    model = network()
    words, lengths, targets = batch()
    top = model(spellings(), words, lengths)[-1]
    forward, backward = torch.zeros(4, 8), torch.zeros(4, 8)
    for row, length in enumerate(LENGTHS):
        for place in range(1, length):
            logs = model.output(top[row, place - 1, :WIDTH]).log_softmax(dim=0)
            forward[row, place] = -logs[targets[row, place]]
            logs = model.output(top[row, place, WIDTH:]).log_softmax(dim=0)
            backward[row, place - 1] = -logs[targets[row, place - 1]]
    found = model.costs(spellings(), words, lengths, targets)
    torch.testing.assert_close(found, (forward.detach(), backward.detach()))


def test_loss_is_the_mean_of_the_costs_of_both_directions() -> None:
    model = network()
    words, lengths, targets = batch()
    loss, terms = model.loss(spellings(), words, lengths, targets)
    forward, backward = model.costs(spellings(), words, lengths, targets)
    assert terms == 2 * sum(length - 1 for length in LENGTHS)
    torch.testing.assert_close(loss, (forward.sum() + backward.sum()) / terms)


def test_a_sample_of_many_words_comes_near_the_loss() -> None:
    words, lengths, targets = batch()
    full, terms = network().loss(spellings(), words, lengths, targets)
    sampled, same = network(samples=20_000).loss(spellings(), words, lengths, targets)
    assert same == terms
    torch.testing.assert_close(sampled, full, rtol=1e-4, atol=1e-4)


def test_a_small_sample_is_drawn_for_the_loss_and_not_for_the_costs() -> None:
    model = network(samples=3)
    words, lengths, targets = batch()
    drawn = {model.loss(spellings(), words, lengths, targets)[0].item() for _ in range(4)}
    assert len(drawn) > 1
    costs = [model.costs(spellings(), words, lengths, targets)[0] for _ in range(2)]
    assert torch.equal(*costs)


# Training.


@pytest.mark.parametrize("samples", [None, 20])
def test_every_parameter_gets_a_gradient(samples: int | None) -> None:
    model = network(samples=samples)
    words, lengths, targets = batch()
    model.loss(spellings(), words, lengths, targets)[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_padding_and_characters_not_read_get_no_gradient() -> None:
    model = network()
    words, lengths, targets = batch((5,))
    model.loss(spellings(), words, lengths, targets)[0].backward()
    gradient = model.layers[0].characters.weight.grad
    touched = gradient.abs().sum(dim=1).nonzero().squeeze(1).tolist()
    assert set(touched) <= set(spellings()[words].flatten().tolist()) - {0}
    assert len(touched) > 5


def test_overfits_one_batch() -> None:
    model = network(width=16, states=24)
    words = torch.arange(ROWS).reshape(2, 6)
    targets = words % 7 * 4
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = model.loss(spellings(), words, torch.tensor([6, 5]), targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_dropout_works_in_training_only() -> None:
    model = network(dropout=0.5)
    words, lengths, _ = batch()
    read = [model(spellings(), words, lengths) for _ in range(2)]
    assert torch.equal(read[0][0], read[1][0]) and not torch.equal(read[0][2], read[1][2])
    model.eval()
    assert torch.equal(*(model(spellings(), words, lengths)[2] for _ in range(2)))


def test_highway_begins_close_to_the_identity_and_can_leave_it() -> None:
    torch.manual_seed(0)
    highway, x = Highway(5), torch.randn(9, 5)
    assert highway(x).shape == x.shape
    assert (highway(x) - x).norm() < 0.5 * x.norm()
    torch.nn.init.constant_(highway.gate.bias, 50)
    torch.testing.assert_close(highway(x), highway.new(x).relu())


def test_cells_begin_by_remembering() -> None:
    lstm = ProjectedLSTM(4, 6).lstm
    i, f, g, o = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
    assert torch.equal(f, torch.ones(6)) and not torch.cat([i, g, o]).any()


def test_more_width_than_states_is_refused() -> None:
    with pytest.raises(ValueError, match="8 states cannot be projected down to a width of 9"):
        ELMoConfig(10, width=9, states=8)


# Mixing the layers.


def layers_of_vectors() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return list(torch.randn(3, 2, 5, 4, generator=generator))


def test_before_training_the_mix_is_the_mean() -> None:
    vectors = layers_of_vectors()
    mixed = ScalarMix()(vectors)
    assert mixed.shape == (2, 5, 4)
    torch.testing.assert_close(mixed, torch.stack(vectors).mean(dim=0))


def test_the_mix_can_choose_a_layer_and_a_size() -> None:
    mix, vectors = ScalarMix(), layers_of_vectors()
    with torch.no_grad():
        mix.w.copy_(torch.tensor([0.0, 0.0, 60.0]))
        mix.gamma.fill_(2.5)
    torch.testing.assert_close(mix.weights, torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(mix(vectors), 2.5 * vectors[2])


def test_every_parameter_of_the_mix_gets_a_gradient() -> None:
    mix = ScalarMix()
    mix(layers_of_vectors()).pow(2).sum().backward()
    assert (mix.w.grad != 0).all() and mix.gamma.grad != 0


def test_a_mix_of_another_number_of_layers_is_refused() -> None:
    with pytest.raises(ValueError):
        ScalarMix(2)(layers_of_vectors())


def test_as_many_states_as_the_width_need_no_projection() -> None:
    torch.manual_seed(0)
    lstm = ProjectedLSTM(width=6, states=6)
    x = torch.randn(2, 5, 6)
    assert not hasattr(lstm.lstm, "weight_hr_l0")
    assert torch.allclose(lstm.unrolled(x), lstm(x), atol=1e-6)
