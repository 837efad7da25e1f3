"""Batches of pieces between marks, their masks, and stages of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.errors import UserError
from nnlm2bert.models.bert import BERT, IS_NEXT, NOT_NEXT, bert_config
from nnlm2bert.objectives import IGNORED, Masking
from nnlm2bert.tokenizers.sentences import find_sentences
from nnlm2bert.training import TrainingConfig, train
from nnlm2bert.training.packed_batches import (
    Marks,
    MaskedBatches,
    PackedBatches,
    StagedBatches,
    padding_share,
)

MARKS = Marks(cls=2, sep=3, padding=0)
MASKING = Masking(4, 3_000, (0, 1, 2, 3))
ROOM = 29


def text(documents: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stream of which each token is its own place, from 10 on: ids, documents, sentences."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 12, documents)
    lengths = rng.integers(2, 10, counts.sum())
    firsts = np.append(0, lengths.cumsum())
    starts = firsts[np.append(0, counts.cumsum())]
    return np.arange(10, firsts[-1] + 10, dtype=np.int32), starts[:-1], firsts[:-1]


IDS, DOCUMENTS, FIRSTS = text()
SENTENCES = find_sentences(IDS, DOCUMENTS, FIRSTS)
PIECES = SENTENCES.pack(ROOM)
LONG = SENTENCES.pack(ROOM, sentences=2)


def packed(
    pairs: str | None = None, tokens: int = 256, seed: int = 0, ids: np.ndarray = IDS
) -> PackedBatches:
    return PackedBatches(ids, SENTENCES, LONG if pairs else PIECES, MARKS, tokens, seed, pairs)


def masked(seed: int = 0, **options: object) -> MaskedBatches:
    return MaskedBatches(packed(**options), MASKING, seed)


def rows(source: PackedBatches, epoch: int = 0) -> list[list[int]]:
    """All sequences of an epoch, without padding."""
    found = []
    for step in range(epoch * len(source), (epoch + 1) * len(source)):
        tokens = source.batch(step)["tokens"]
        found += [[token for token in row if token != MARKS.padding] for row in tokens.tolist()]
    return found


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# Pieces.


def test_each_piece_comes_once_an_epoch_between_its_marks() -> None:
    begins, ends = SENTENCES.begins[PIECES[:, 0]], SENTENCES.ends[PIECES[:, 1] - 1]
    spans = zip(begins.tolist(), ends.tolist(), strict=True)
    expected = sorted([2, *IDS[begin:end].tolist(), 3] for begin, end in spans)
    for epoch in (0, 3):
        assert sorted(rows(packed(), epoch)) == expected
    assert rows(packed()) != rows(packed(), 1)


def test_all_of_the_text_is_read() -> None:
    read = sorted(token for row in rows(packed()) for token in row if token > 4)
    assert read == IDS.tolist()


@pytest.mark.parametrize("pairs", [None, "next", "order"])
def test_batches_hold_no_more_than_asked_and_say_what_is_padding(pairs: str | None) -> None:
    source = packed(pairs)
    for step in range(len(source)):
        batch = source.batch(step)
        tokens = batch["tokens"]
        assert tokens.numel() <= 256 and tokens.dtype == torch.int64 and tokens.shape[1] <= 32
        padding = tokens == MARKS.padding
        assert padding.any() == ("inside" in batch)
        if padding.any():
            assert torch.equal(batch["inside"], ~padding)
        assert not padding[:, 0].any() and not (padding[:, :-1] & ~padding[:, 1:]).any()


@pytest.mark.parametrize("pairs", [None, "next", "order"])
def test_padding_wastes_less_than_a_twentieth(pairs: str | None) -> None:
    ids, documents, firsts = text(documents=600)
    sentences = find_sentences(ids, documents, firsts)
    pieces = sentences.pack(ROOM, sentences=2 if pairs else 1)
    source = PackedBatches(ids, sentences, pieces, MARKS, 512, 0, pairs)
    waste = padding_share(source, range(len(source)))
    assert 0 < waste < 0.05
    alone = [row for step in range(len(source)) for row in source.batch(step)["tokens"]]
    longest = max(len(row) for row in alone)
    padded = sum(longest - int((row != 0).sum()) for row in alone) / (longest * len(alone))
    assert padded > 0.15, "in one batch of all sequences it would be much more"


def test_the_waste_is_the_share_of_padding() -> None:
    class Two:
        def batch(self, step: int) -> dict[str, Tensor]:
            inside = torch.tensor([[True, True], [True, False]])
            return {"tokens": torch.ones(2, 2), **({"inside": inside} if step else {})}

    assert padding_share(Two(), [0, 1]) == 1 / 8 and padding_share(Two(), []) == 0


# Pairs.


def test_true_pairs_are_pieces_and_segments_tell_the_two_apart() -> None:
    source, seen = packed("next"), []
    for step in range(4 * len(source)):
        batch = source.batch(step)
        assert batch["segments"].dtype == batch["relations"].dtype == torch.int64
        parts = zip(*(batch[name] for name in ("tokens", "segments", "relations")), strict=True)
        for tokens, segments, relation in parts:
            row = tokens[tokens != 0].tolist()
            first = row.index(3)
            assert row.count(3) == 2 and (row[0], row[-1]) == (2, 3)
            expected = [0] * (first + 1) + [1] * (len(row) - first - 1)
            assert segments.tolist() == expected + [0] * (len(tokens) - len(row))
            assert (row[first + 1] == row[first - 1] + 1) == (relation == IS_NEXT)
            seen.append(int(relation))
    assert set(seen) == {IS_NEXT, NOT_NEXT} and 0.4 < np.mean(seen) < 0.6


def test_what_follows_is_never_of_another_document_and_has_no_relation() -> None:
    always, perhaps = packed("following"), packed("next")
    for step in range(len(always)):
        batch, other = always.batch(step), perhaps.batch(step)
        assert "relations" not in batch and batch["segments"].any(dim=1).all()
        true = other["relations"] == IS_NEXT
        assert torch.equal(batch["tokens"][true], other["tokens"][true]) and true.any()
        assert not torch.equal(batch["tokens"], other["tokens"])


def test_pairs_in_order_and_out_of_it_have_the_same_words() -> None:
    pieces = {tuple(row[1:-1]) for row in rows(PackedBatches(IDS, SENTENCES, LONG, MARKS, 256, 0))}
    for step in range(8):
        batch = packed("order").batch(step)
        for row, relation in zip(batch["tokens"].tolist(), batch["relations"], strict=True):
            words = [token for token in row if token > 4]
            assert tuple(sorted(words)) in pieces
            assert (words == sorted(words)) == (relation == IS_NEXT)


# Chance.


@pytest.mark.parametrize("pairs", [None, "next", "order"])
def test_a_batch_depends_on_seed_and_step_alone(pairs: str | None) -> None:
    late, step = masked(pairs=pairs), 7
    late.batch(2 * len(late) + 1)
    assert same(late.batch(step), masked(pairs=pairs).batch(step)) and late.step == step
    assert not same(masked(1, pairs=pairs).batch(step), late.batch(step))
    assert not same(masked(seed=1, pairs=pairs).batch(step), late.batch(step))
    again = [masked(pairs=pairs).batch(step + n * len(late)) for n in range(2)]
    assert not same(*again)


def test_masks_differ_where_the_text_is_the_same() -> None:
    source = PackedBatches(IDS, SENTENCES, PIECES[:8], MARKS, 10_000, 0)
    found = MaskedBatches(source, MASKING, 0)
    assert len(found) == 1
    hidden = {tuple(sorted(found.batch(step)["targets"].flatten().tolist())) for step in range(20)}
    assert len(hidden) == 20


def test_a_mask_hides_words_and_leaves_the_rest_of_the_batch() -> None:
    plain, batch = packed("next").batch(2), masked(pairs="next").batch(2)
    assert batch.keys() == plain.keys() | {"targets"}
    assert all(torch.equal(batch[name], plain[name]) for name in plain if name != "tokens")
    chosen = batch["targets"] != IGNORED
    assert torch.equal(batch["targets"][chosen], plain["tokens"][chosen])
    assert torch.equal(batch["tokens"][~chosen], plain["tokens"][~chosen])
    words = plain["tokens"] >= 5
    assert 0.1 < chosen[words].float().mean() < 0.2 and not chosen[~words].any()


def test_whole_words_are_hidden_if_asked_for() -> None:
    continuing = torch.arange(3_000) % 2 == 1
    found = MaskedBatches(packed(), MASKING, 0, continuing)
    for step in range(len(found)):
        batch, plain = found.batch(step), packed().batch(step)["tokens"]
        chosen = batch["targets"] != IGNORED
        pair = (plain[:, :-1] > 4) & (plain[:, 1:] > 4) & continuing[plain[:, 1:]]
        assert torch.equal(chosen[:, :-1][pair], chosen[:, 1:][pair])


OTHERS = {
    "seed": masked(1),
    "order": MaskedBatches(packed(seed=1), MASKING, 0),
    "pairs": MaskedBatches(packed("next"), MASKING, 0),
    "tokens": MaskedBatches(packed(tokens=300), MASKING, 0),
    "text": MaskedBatches(packed(ids=IDS + 1), MASKING, 0),
    "masking": MaskedBatches(packed(), Masking(4, 3_000, (0, 1, 2, 3), share=0.3), 0),
    "words": MaskedBatches(packed(), MASKING, 0, torch.ones(3_000, dtype=torch.bool)),
    "marks": MaskedBatches(
        PackedBatches(IDS, SENTENCES, PIECES, Marks(2, 2, 0), 256, 0), MASKING, 0
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_source_has_another_identity(other: str) -> None:
    assert masked().identity() == masked().identity() != OTHERS[other].identity()


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(UserError, match="There are no pairs of kind 'twins': choose next or order"):
        packed("twins")
    with pytest.raises(UserError, match="give at least one sequence"):
        PackedBatches(IDS, SENTENCES, PIECES[:0], MARKS, 256, 0)


# Stages.


def test_stages_come_one_after_the_other_and_the_last_stays() -> None:
    short, long = packed(tokens=64), packed(tokens=256)
    stages = StagedBatches([(3, short), (2, long), (4, short)])
    assert len(stages) == 9 and stages.step is None
    for step in range(14):
        wanted = long if step in (3, 4) else short
        assert same(stages.batch(step), wanted.batch(step)) and stages.step == step


def test_stages_tell_themselves_apart() -> None:
    first = StagedBatches([(3, masked()), (2, packed())]).identity()
    assert first == StagedBatches([(3, masked()), (2, packed())]).identity()
    assert first != StagedBatches([(2, masked()), (2, packed())]).identity()
    assert first != StagedBatches([(3, masked(1)), (2, packed())]).identity()


def test_impossible_stages_are_refused() -> None:
    for stages in ([], [(0, packed())]):
        with pytest.raises(UserError, match="at least one step"):
            StagedBatches(stages)


# Together with the model and the loop.


def bert() -> BERT:
    torch.manual_seed(0)
    return BERT(bert_config(3_000, context=32, width=8, heads=2, layers=1, inner=16))


def loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    return model.loss(**batch)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    stages = StagedBatches([(4, masked(pairs="next")), (4, masked())])
    settings = {"steps": 8, "batch_size": 1, "checkpoint_every": 3}
    config = TrainingConfig(**settings, evaluate_every=5, precision="float32")

    def stop(model: nn.Module) -> dict[str, float]:
        raise KeyboardInterrupt

    straight, stopped = bert(), bert()
    train(straight, loss, stages, config, evaluate=lambda model: {}, progress=False)
    place = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        train(stopped, loss, stages, config, evaluate=stop, checkpoint=place, progress=False)
    resumed, options = bert(), {"checkpoint": place, "progress": False}
    train(resumed, loss, stages, config, evaluate=lambda model: {}, **options)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
