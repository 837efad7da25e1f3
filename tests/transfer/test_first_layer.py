"""The three ways really differ: what moves in training, what begins where, who is unknown."""

import numpy as np
import pytest
import torch

from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.transfer import MODES, FirstLayer
from nnlm2bert.transfer.first_layer import SPREAD, spelling

WORDS = ("the", "dog", "sleeps", '"')
SENTENCES = [("The", "dog", "sleeps"), ("dog",)]


@pytest.fixture
def vectors():
    return WordVectors(WORDS, np.random.default_rng(0).normal(size=(4, 8)))


def layer(mode, vectors, words=WORDS):
    torch.manual_seed(0)
    return FirstLayer(words, None if mode == "random" else vectors, mode, dimension=8)


def step(encoder):
    """One step of gradient descent on all vectors; returns the rows before and after."""
    before = encoder.rows.weight.detach().clone()
    head = torch.nn.Linear(8, 1)
    parameters = [p for p in [*encoder.parameters(), *head.parameters()] if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    head(encoder([(*WORDS, "unheard-of")])).sum().backward()
    optimizer.step()
    return before, encoder.rows.weight.detach()


@pytest.mark.parametrize("mode", MODES)
def test_only_frozen_rows_stay_where_they_are(mode, vectors):
    before, after = step(layer(mode, vectors))
    moved = (before != after).any(dim=1)
    assert moved.tolist() == [mode != "frozen"] * 5


def test_frozen_and_tuned_begin_alike_and_random_does_not(vectors):
    frozen, tuned = (layer(mode, vectors)(SENTENCES) for mode in ("frozen", "fine-tuned"))
    torch.testing.assert_close(frozen, tuned)
    assert not torch.isclose(layer("random", vectors)(SENTENCES), frozen).any()


def test_random_rows_come_from_the_seed_of_the_moment():
    first, again = (layer("random", None).rows.weight for _ in range(2))
    torch.testing.assert_close(first, again)
    assert not torch.isclose(FirstLayer(WORDS, dimension=8).rows.weight, first).any()


def test_pretrained_rows_are_the_vectors_times_one_number(vectors):
    encoder = layer("frozen", vectors)
    rows = np.stack([encoder([(word,)])[0, 0].detach().numpy() for word in WORDS])
    np.testing.assert_allclose(rows, vectors.matrix * (SPREAD / vectors.matrix.std()), rtol=1e-5)
    assert rows.std() == pytest.approx(SPREAD, rel=1e-5)


def test_leaving_words_out_of_the_table_changes_no_other_row(vectors):
    some = layer("frozen", vectors, words=("dog", "sleeps"))
    torch.testing.assert_close(some([("dog",)]), layer("frozen", vectors)([("dog",)]))
    torch.testing.assert_close(some([("zebra",)]), layer("frozen", vectors)([("zebra",)]))


def test_words_without_a_vector_share_one(vectors):
    encoder = layer("fine-tuned", vectors, words=(*WORDS, "zebra", "quagga"))
    zebra, quagga, dog = encoder([("zebra", "quagga", "dog")])[0]
    assert torch.equal(zebra, quagga) and not torch.equal(zebra, dog)
    mean = vectors.matrix.mean(axis=0) * (SPREAD / vectors.matrix.std())
    np.testing.assert_allclose(zebra.detach(), mean, rtol=1e-5, atol=1e-7)


def test_a_stages_own_unknown_word_is_used(vectors):
    own = WordVectors(("<unk>", *WORDS), np.vstack([np.ones(8), vectors.matrix]))
    row = layer("frozen", own)([("zebra",)])[0, 0]
    assert row.unique().numel() == 1 and row[0] > 0


def test_words_seen_once_stand_for_the_unknown_ones_in_training():
    encoder = FirstLayer(WORDS, dimension=8, singletons=("dog",))
    unknown, dog, the = encoder.rows.weight[[0, encoder.row("dog"), encoder.row("the")]]
    torch.manual_seed(0)
    read = encoder([("dog", "the")] * 400)
    replaced = (read[:, 0] == unknown).all(dim=1)
    assert 150 < int(replaced.sum()) < 250
    assert (read[~replaced, 0] == dog).all() and (read[:, 1] == the).all()
    assert (encoder.eval()([("dog", "the")] * 50)[:, 0] == dog).all()


def test_pretrained_words_seen_once_are_read(vectors):
    encoder = FirstLayer(WORDS, vectors, "fine-tuned", singletons=WORDS)
    assert (encoder([("dog",)] * 50) == encoder.rows.weight[encoder.row("dog")]).all()


@pytest.mark.parametrize(
    ("token", "word"),
    [("Dog", "dog"), ("``", '"'), ("’s", "'s"), ("U.S.", "u.s."), ("@Paul", "@paul")],
)
def test_words_are_looked_up_as_the_running_text_spells_them(token, word):
    assert spelling(token) == word


def test_shapes_and_lengths(vectors):
    assert layer("frozen", vectors)(SENTENCES).shape == (2, 3, 8)


@pytest.mark.parametrize("mode", ["random", "melted"])
def test_a_mode_that_does_not_go_with_vectors_is_refused(mode, vectors):
    with pytest.raises(ValueError, match=mode):
        FirstLayer(WORDS, vectors, mode)


@pytest.mark.parametrize("mode", ["frozen", "fine-tuned"])
def test_a_mode_that_needs_vectors_is_refused_without(mode):
    with pytest.raises(ValueError, match=mode):
        FirstLayer(WORDS, None, mode)
