"""Heads whose weights are known, and what a network loses when they are silenced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.evaluation.attention_heads import (
    Head,
    ablation,
    agreement,
    attentions,
    find_subject_head,
    halves,
    padded,
    silenced,
    subject_place,
    subject_weights,
)

ONE, MANY, RIVERS, NEAR, IS, ARE = range(1, 7)
NOUNS = (ONE, MANY, RIVERS)
WIDTH, HEADS = 8, 2


@dataclass(frozen=True)
class Sentence:
    context: np.ndarray
    right: int
    wrong: int
    distance: int


def sentence(subject: int, phrases: int) -> Sentence:
    """A mark, a subject and so many phrases of two words, before *is* or *are*."""
    right, wrong = (IS, ARE) if subject == ONE else (ARE, IS)
    return Sentence(np.array([0, subject, *[NEAR, RIVERS] * phrases]), right, wrong, 2 * phrases)


ITEMS = {n: [sentence((ONE, MANY)[i % 2], n) for i in range(8)] for n in range(3)}


class KnownAttention(nn.Module):
    """Head 0 looks at the subject, place 1; head 1 at the place itself."""

    heads = HEADS

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(WIDTH, WIDTH)
        with torch.no_grad():
            self.output.weight.copy_(torch.eye(WIDTH))
            self.output.bias.zero_()

    def weights(self, x: Tensor) -> Tensor:
        """(B, H, T, T): 7/10 on the one place, the rest on all up to the own alike."""
        own = torch.arange(x.shape[1])
        places = torch.stack([own.clamp(max=1), own])
        one = nn.functional.one_hot(places, len(own)).float()
        uniform = torch.ones(len(own), len(own)).tril() / (own + 1).unsqueeze(1)
        return (0.7 * one + 0.3 * uniform).expand(len(x), -1, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.unflatten(2, (HEADS, -1)).transpose(1, 2)
        return self.output((self.weights(x) @ parts).transpose(1, 2).flatten(2))


class Known(nn.Module):
    """Reads the number of the subject through head 0 alone, and that of the last through head 1."""

    def __init__(self) -> None:
        super().__init__()
        self.block = KnownAttention()
        table = torch.zeros(7, WIDTH)
        table[ONE, 0], table[MANY, 0] = 1, -1
        table[ONE, WIDTH // 2], table[MANY, WIDTH // 2], table[RIVERS, WIDTH // 2] = 0.1, -0.1, -0.1
        self.register_buffer("table", table)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.block(self.table[tokens])

    def attention_maps(self, tokens: Tensor) -> list[Tensor]:
        return [self.block.weights(self.table[tokens])]

    def logits(self, vectors: Tensor) -> Tensor:
        scores = vectors.new_zeros(*vectors.shape[:-1], 7)
        said = vectors[..., 0] + vectors[..., WIDTH // 2]
        scores[..., IS], scores[..., ARE] = said, -said
        return scores


MODEL = Known()


def test_the_subject_stands_the_distance_before_the_verb():
    for phrases, items in ITEMS.items():
        assert [subject_place(item) for item in items] == [1] * 8
        assert len(items[0].context) == 2 + 2 * phrases


@pytest.mark.parametrize("phrases", [0, 1, 2])
def test_weights_on_the_subject_and_beside_it(phrases):
    found = subject_weights(MODEL, ITEMS[phrases], NOUNS)
    length = 2 + 2 * phrases
    assert found.weights.shape == found.largest.shape == (8, 1, HEADS)
    assert found.mean[0, 0] == pytest.approx(0.7 + 0.3 / length)
    assert found.mean[0, 1] == pytest.approx(0.3 / length if phrases else 0.7 + 0.3 / length)
    assert found.share_largest[0].tolist() == [1, not phrases]
    assert found.uniform.tolist() == [1 / length] * 8
    if phrases:
        assert found.others[0, 0, 0] == pytest.approx(0.3 / length)
        assert found.others[0, 0, 1] == pytest.approx(0.3 / length + 0.7 / phrases)
    else:
        assert np.isnan(found.others).all()


def test_items_of_different_lengths_are_measured_as_each_alone():
    mixed = [ITEMS[2][0], ITEMS[0][0], ITEMS[1][1]]
    together = subject_weights(MODEL, mixed, NOUNS)
    for row, item in enumerate(mixed):
        alone = subject_weights(MODEL, [item], NOUNS)
        np.testing.assert_allclose(together.weights[row], alone.weights[0], atol=1e-6)
        assert together.uniform[row] == alone.uniform[0]
    assert padded(mixed).shape == (3, 6) and padded(mixed)[1].tolist() == [0, ONE, 0, 0, 0, 0]


def test_without_items_there_is_nothing_to_measure():
    with pytest.raises(ValueError, match="at least one item"):
        subject_weights(MODEL, [], NOUNS)


def test_agreement_needs_the_right_form_to_be_the_likelier():
    assert agreement(MODEL, ITEMS[1]).all()
    swapped = [Sentence(i.context, i.wrong, i.right, i.distance) for i in ITEMS[1]]
    assert not agreement(MODEL, swapped).any()
    many = ITEMS[1] * 20
    assert len(agreement(MODEL, many)) == 160


def test_a_silenced_head_says_nothing_as_long_as_it_lasts():
    tokens = padded(ITEMS[2])
    before = MODEL(tokens)
    with silenced(MODEL, Head(0, 0)):
        within = MODEL(tokens)
    with silenced(MODEL, Head(0, 0), Head(0, 1)):
        assert not MODEL(tokens).any()
    half = WIDTH // 2
    assert not within[..., :half].any() and torch.equal(within[..., half:], before[..., half:])
    assert before[..., :half].any() and torch.equal(MODEL(tokens), before)


def test_a_head_speaks_again_after_an_error():
    before = MODEL(padded(ITEMS[1]))
    with pytest.raises(RuntimeError), silenced(MODEL, Head(0, 0)):
        raise RuntimeError
    assert torch.equal(MODEL(padded(ITEMS[1])), before)


@pytest.mark.parametrize("head", [Head(1, 0), Head(0, 2), Head(0, -1), Head(-1, 0)])
def test_a_head_that_is_not_there_is_refused(head):
    with pytest.raises(ValueError, match="there is no layer"), silenced(MODEL, head):
        pass


def test_ablation_takes_one_head_at_a_time():
    found = ablation(MODEL, ITEMS[1])
    assert list(found) == [Head(0, 0), Head(0, 1)]
    assert found[Head(0, 1)].all()
    assert found[Head(0, 0)].mean() == 0.5  # the last noun is plural: every other one is right


def test_only_modules_with_heads_and_an_output_are_attentions():
    assert attentions(MODEL) == [MODEL.block]
    assert attentions(nn.Sequential(nn.Linear(2, 2), Known())) != []


def test_halves_have_as_many_singulars_as_plurals():
    one, other = halves(ITEMS[1])
    assert len(one) == len(other) == 4
    for half in (one, other):
        assert sum(item.right == IS for item in half) == 2
    assert not {id(item) for item in one} & {id(item) for item in other}


def test_the_head_of_the_subject_is_found_and_judged_on_the_other_half():
    found = find_subject_head(MODEL, ITEMS, NOUNS)
    assert found.head == Head(0, 0) and str(found.head) == "layer 1, head 1"
    assert found.weight[2] == pytest.approx(0.75) and found.largest == {0: 1, 1: 1, 2: 1}
    assert found.uniform == pytest.approx({0: 1 / 2, 1: 1 / 4, 2: 1 / 6})
    assert found.other_nouns[2] == pytest.approx(0.05) and np.isnan(found.other_nouns[0])
    assert found.agreed == {0: 1, 1: 1, 2: 1}
    assert found.without[Head(0, 0)] == {0: 1, 1: 0.5, 2: 0.5}
    assert found.without[Head(0, 1)] == {0: 1, 1: 1, 2: 1}
    assert [len(each.weights) for each in found.by_phrases.values()] == [4, 4, 4]


def test_a_head_is_not_chosen_by_what_it_is_reported_on():
    reported = {n: [halves(own)[1][0]] * 4 for n, own in ITEMS.items()}

    class Fickle(Known):
        """Its heads change places for contexts of the reported half."""

        def attention_maps(self, tokens: Tensor) -> list[Tensor]:
            (maps,) = super().attention_maps(tokens)
            return [maps.flip(1) if tokens[0, -1] == NEAR else maps]

    turned = {
        n: [
            *halves(own)[0][:2],
            *(Sentence(i.context.copy(), i.right, i.wrong, i.distance) for i in reported[n][:2]),
        ]
        for n, own in ITEMS.items()
        if n
    }
    for own in turned.values():
        for item in own[2:]:
            item.context[-1] = NEAR
    found = find_subject_head(Fickle(), turned, NOUNS)
    assert found.head == Head(0, 0)
    assert found.weight[1] < 0.1
