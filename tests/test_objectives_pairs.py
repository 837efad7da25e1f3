"""Pairs of segments: the true second, one of elsewhere, and both in the wrong order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlm2bert.objectives import IS_NEXT, NOT_NEXT, Pairs, next_sentence, sentence_order
from nnlm2bert.tokenizers.sentences import Sentences, find_sentences


def text(documents: int = 12, seed: int = 0) -> Sentences:
    """Documents of 4 to 19 sentences of 2 to 9 tokens, each closed by one that is no sentence's."""
    rng = np.random.default_rng(seed)
    ids, starts, firsts = [], [], []
    for _ in range(documents):
        starts.append(len(ids))
        for _ in range(rng.integers(4, 20)):
            firsts.append(len(ids))
            ids += [1] * rng.integers(2, 10)
        ids.append(0)
    return find_sentences(np.array(ids), np.array(starts), np.array(firsts), end=0)


TEXT = text()
PIECES = TEXT.pack(40, sentences=2).repeat(20, 1)


def drawn(make=next_sentence, seed: int = 0, **options: float) -> Pairs:
    return make(TEXT, PIECES, torch.Generator().manual_seed(seed), **options)


def document(places: Tensor) -> Tensor:
    """The document of each place of the text."""
    return TEXT.documents[torch.searchsorted(TEXT.begins, places.contiguous(), right=True) - 1]


def are_segments(spans: Tensor) -> Tensor:
    """Whether each span (N, 2) begins and ends with a sentence, in one document."""
    whole = torch.isin(spans[:, 0], TEXT.begins) & torch.isin(spans[:, 1], TEXT.ends)
    return whole & (document(spans[:, 0]) == document(spans[:, 1] - 1))


def test_a_true_pair_is_a_piece_cut_between_two_sentences() -> None:
    first, second, relations = drawn()
    assert first.shape == second.shape == (len(PIECES), 2) and relations.shape == (len(PIECES),)
    assert torch.equal(first[:, 0], TEXT.begins[PIECES[:, 0]])
    assert are_segments(first).all()
    true = relations == IS_NEXT
    assert torch.equal(second[true, 0], first[true, 1])
    assert torch.equal(second[true, 1], TEXT.ends[PIECES[true, 1] - 1])


def test_a_false_second_is_of_another_document_and_no_longer() -> None:
    first, second, relations = drawn()
    false = relations == NOT_NEXT
    assert (document(second[false, 0]) != document(first[false, 0])).all()
    room = (TEXT.ends[PIECES[:, 1] - 1] - first[:, 1])[false]
    sizes = (second[:, 1] - second[:, 0])[false]
    assert (sizes <= room).all() and (sizes > 0).all()
    assert (sizes == room).float().mean() > 0.95
    assert are_segments(second[false]).float().mean() > 0.98
    assert len(document(second[false, 0]).unique()) == 12


def test_half_of_the_pairs_are_true_unless_asked_otherwise() -> None:
    assert float(drawn().relations.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(drawn(true=0.8).relations.float().mean()) == pytest.approx(0.2, abs=0.05)
    assert not drawn(true=1.0).relations.any() and drawn(true=0.0).relations.all()


def test_length_does_not_tell_true_from_false() -> None:
    _, second, relations = drawn()
    sizes = (second[:, 1] - second[:, 0]).double()
    true, false = (sizes[relations == label] for label in (IS_NEXT, NOT_NEXT))
    error = (true.var() / len(true) + false.var() / len(false)).sqrt()
    assert abs(true.mean() - false.mean()) < 3 * error


def test_every_border_within_a_piece_is_a_cut() -> None:
    begin, end = PIECES[0].tolist()
    alike = PIECES[:1].repeat(400, 1)
    first, _, _ = next_sentence(TEXT, alike, torch.Generator().manual_seed(0))
    assert first[:, 1].unique().tolist() == TEXT.ends[begin : end - 1].tolist()


def test_halves_are_exchanged_in_half_of_the_pairs() -> None:
    pairs = drawn(sentence_order)
    assert float(pairs.relations.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert are_segments(pairs.first).all() and are_segments(pairs.second).all()
    turned = (pairs.relations == NOT_NEXT).unsqueeze(1)
    first = torch.where(turned, pairs.second, pairs.first)
    second = torch.where(turned, pairs.first, pairs.second)
    assert torch.equal(first[:, 1], second[:, 0])
    assert torch.equal(first[:, 0], TEXT.begins[PIECES[:, 0]])
    assert torch.equal(second[:, 1], TEXT.ends[PIECES[:, 1] - 1])


@pytest.mark.parametrize("make", [next_sentence, sentence_order])
def test_pairs_are_those_of_their_seed(make) -> None:
    one, same, other = drawn(make), drawn(make), drawn(make, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.first, other.first)
    assert not torch.equal(one.relations, other.relations)


def test_a_second_that_nothing_fits_is_cut() -> None:
    short = find_sentences(np.ones(13), np.array([0, 3]), np.array([2, 8]))
    first, second, _ = next_sentence(
        short, torch.tensor([[0, 2]]), torch.Generator().manual_seed(0), true=0.0
    )
    assert first.tolist() == [[0, 2]]
    assert second.tolist() in ([[3, 4]], [[8, 9]])


def test_impossible_pairs_are_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="leave such pieces out"):
        next_sentence(TEXT, torch.tensor([[3, 4]]), generator)
    with pytest.raises(ValueError, match="no other to take a segment from"):
        next_sentence(text(documents=1), torch.tensor([[0, 2]]), generator, true=0.0)
