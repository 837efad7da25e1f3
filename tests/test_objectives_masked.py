"""Hidden words: which, how many, and by what they are hidden."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from nnlm2bert.models import bert, gpt
from nnlm2bert.objectives import (
    IGNORED,
    IS_NEXT,
    NOT_NEXT,
    Masking,
    masked_words,
    next_tokens,
)

PADDING, UNKNOWN, CLS, SEP, MASK = range(5)
SPECIAL = (PADDING, CLS, SEP)
MASKING = Masking(MASK, 50, SPECIAL)
LENGTHS = torch.tensor([40, 25, 7, 3, 2])
FREE = (LENGTHS - 2).tolist()
CONTINUING = torch.arange(50) >= 35


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch() -> Tensor:
    """Sequences (5, 40) between marks, of 38, 23, 5, 1 and no words."""
    tokens = torch.randint(5, 50, (5, 40), generator=seeded(7))
    places = torch.arange(40)
    tokens[:, 0] = CLS
    tokens[places.expand(5, 40) == LENGTHS.unsqueeze(1) - 1] = SEP
    return tokens.masked_fill(places >= LENGTHS.unsqueeze(1), PADDING)


@cache
def many(masking: Masking = MASKING, continuing: Tensor | None = None) -> list[tuple]:
    """What 200 draws hide: inputs and targets of each."""
    generator = seeded()
    return [masked_words(batch(), masking, generator, continuing) for _ in range(200)]


def test_numbers_are_those_of_the_models() -> None:
    assert IGNORED == bert.IGNORED == gpt.IGNORED
    assert (IS_NEXT, NOT_NEXT) == (bert.IS_NEXT, bert.NOT_NEXT)


@pytest.mark.parametrize(
    ("share", "counts"), [(0.15, [6, 3, 1, 1, 0]), (0.4, [15, 9, 2, 1, 0]), (1.0, FREE)]
)
def test_each_sequence_gives_its_share(share: float, counts: list[int]) -> None:
    masking = Masking(MASK, 50, SPECIAL, share=share)
    for inputs, targets in many(masking)[:20]:
        assert inputs.shape == targets.shape == (5, 40)
        assert (targets != IGNORED).sum(dim=1).tolist() == counts


def test_marks_are_never_chosen_and_never_put_in_anothers_place() -> None:
    tokens = batch()
    marks = torch.isin(tokens, torch.tensor(SPECIAL))
    for inputs, targets in many():
        assert (targets[marks] == IGNORED).all() and torch.equal(inputs[marks], tokens[marks])
        changed = (inputs != tokens) & (inputs != MASK)
        assert not torch.isin(inputs[changed], torch.tensor(MASKING.never)).any()


def test_a_target_is_what_stood_there_and_the_rest_is_untouched() -> None:
    tokens = batch()
    for inputs, targets in many():
        chosen = targets != IGNORED
        assert torch.equal(targets[chosen], tokens[chosen])
        assert torch.equal(inputs[~chosen], tokens[~chosen])


@pytest.mark.parametrize(
    ("masked", "random"),
    [(0.8, 0.1), (1.0, 0.0), (0.8, 0.0), (0.8, 0.2), (0.0, 0.8), (0.0, 1.0)],
)
def test_chosen_words_are_blank_another_or_themselves(masked: float, random: float) -> None:
    tokens, masking = batch(), Masking(MASK, 50, SPECIAL, masked=masked, random=random)
    pairs = [(inputs[t != IGNORED], tokens[t != IGNORED]) for inputs, t in many(masking)]
    inputs, words = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    blank, same = inputs == MASK, inputs == words
    assert len(inputs) == 200 * 11
    assert float(blank.float().mean()) == pytest.approx(masked, abs=0.02)
    by_chance = random / 46  # a random word may be the word itself
    kept = 1 - masked - random + by_chance
    assert float(same.float().mean()) == pytest.approx(kept, abs=0.02)


def test_every_ordinary_word_comes_as_a_random_one() -> None:
    masking = Masking(MASK, 50, SPECIAL, share=1.0, masked=0.0, random=1.0)
    seen = torch.cat([inputs[t != IGNORED] for inputs, t in many(masking)]).bincount(minlength=50)
    assert seen[list(masking.never)].sum() == 0 and (seen > 0).sum() == 46
    share = seen[seen > 0] / seen.sum()
    assert share.min() > 0.7 / 46 and share.max() < 1.3 / 46


def test_all_places_are_chosen_alike() -> None:
    chosen = torch.stack([targets[0, 1:-1] != IGNORED for _, targets in many()]).float().mean(dim=0)
    assert chosen.min() > 0.08 and chosen.max() < 0.24


def test_the_draw_is_anew_each_time_and_the_same_from_one_seed() -> None:
    (one, _), (other, _) = many()[:2]
    assert not torch.equal(one, other)
    assert torch.equal(one, masked_words(batch(), MASKING, seeded())[0])


# Whole words.


def words(tokens: list[int]) -> list[list[int]]:
    """The places of each word of a sequence, marks left out."""
    found: list[list[int]] = []
    for place, token in enumerate(tokens):
        if token in SPECIAL:
            continue
        if token >= 35 and tokens[place - 1] not in SPECIAL:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def test_words_are_chosen_whole() -> None:
    whole, sizes = words(batch()[0].tolist()), set()
    for _, targets in many(continuing=CONTINUING):
        places = set((targets[0] != IGNORED).nonzero().flatten().tolist())
        assert all(places.issuperset(word) or places.isdisjoint(word) for word in whole)
        sizes |= {len(word) for word in whole if places.issuperset(word)}
        assert places
    assert sizes == {len(word) for word in whole if len(word) <= 6} and max(sizes) > 1


def test_whole_words_keep_to_the_share() -> None:
    counts = torch.stack([(t != IGNORED).sum(dim=1) for _, t in many(continuing=CONTINUING)])
    assert counts.amax(dim=0).tolist() == [6, 3, 1, 1, 0]
    assert (counts[:, 0] == 6).float().mean() > 0.95


def test_a_text_may_begin_within_a_word() -> None:
    tokens, masking = torch.tensor([[40, 41, 9, 42, 8, 7]]), Masking(MASK, 50, share=0.5)
    seen = set()
    for seed in range(60):
        targets = masked_words(tokens, masking, seeded(seed), CONTINUING)[1][0]
        seen.add(tuple((targets != IGNORED).nonzero().flatten().tolist()))
    assert seen == {(0, 1, 4), (0, 1, 5), (2, 3, 4), (2, 3, 5)} | {(4, 5)} & seen


def test_marks_are_no_words() -> None:
    tokens = batch()
    marks = torch.isin(tokens, torch.tensor(SPECIAL))
    for inputs, targets in many(continuing=torch.ones(50, dtype=torch.bool)):
        assert (targets[marks] == IGNORED).all() and torch.equal(inputs[marks], tokens[marks])


def test_without_continuing_tokens_a_word_is_a_token() -> None:
    none = torch.zeros(50, dtype=torch.bool)
    for _, targets in many(continuing=none)[:20]:
        assert (targets != IGNORED).sum(dim=1).tolist() == [6, 3, 1, 1, 0]


@pytest.mark.parametrize(
    "options",
    [{"share": 0.0}, {"share": 1.5}, {"masked": 0.95}, {"random": -0.1}, {"masked": 1.2}],
)
def test_shares_that_are_none_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share=.* is to lie above 0"):
        Masking(MASK, 50, SPECIAL, **options)


def test_ids_beyond_the_vocabulary_are_refused() -> None:
    for mask, special in ((50, ()), (4, (51,)), (-1, ())):
        with pytest.raises(ValueError, match="ids of 50 tokens"):
            Masking(mask, 50, special)


# What follows.


def test_what_follows_each_token_padding_apart() -> None:
    tokens = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    n = IGNORED
    assert next_tokens(tokens).tolist() == [[7, 8, 3, n], [9, 3, 0, n]]
    inside = torch.tensor([[True] * 4, [True, True, True, False]])
    assert next_tokens(tokens, inside).tolist() == [[7, 8, 3, n], [9, 3, n, n]]
