import numpy as np
import pytest
import torch

from nnlm2bert.objectives import (
    both_directions,
    context_windows,
    keep_probabilities,
    next_word,
    skip_gram_pairs,
    subsample,
)


def test_every_window_of_the_stream_once():
    contexts, targets = next_word(np.arange(6), n=3)
    assert contexts.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert targets.tolist() == [2, 3, 4, 5]


def test_a_later_part_reads_back_into_the_earlier_one():
    contexts, targets = next_word(np.arange(10), n=3, start=5, stop=7)
    assert contexts.tolist() == [[3, 4], [4, 5]]
    assert targets.tolist() == [5, 6]


def test_parts_cover_the_stream_without_overlap():
    ids = np.arange(20)
    parts = [next_word(ids, 4, start, start + 5)[1] for start in range(0, 20, 5)]
    assert [word for part in parts for word in part.tolist()] == list(range(3, 20))


@pytest.mark.parametrize(("n", "start", "message"), [(1, 0, "n = 1"), (3, 6, "no position")])
def test_impossible_windows_are_refused(n, start, message):
    with pytest.raises(ValueError, match=message):
        next_word(np.arange(6), n, start)


def text(words=3000, seed=0):
    """Words of very different frequency in sentences of one to nine words."""
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.3, words), 50) - 1
    sentences = np.repeat(np.arange(words), rng.integers(1, 10, words))[:words]
    return ids, sentences


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def windows_word_by_word(ids, sentences, window):
    """The same windows, written with loops."""
    rows = []
    for t, centre in enumerate(ids):
        row = [-1] * (2 * window)
        for place, j in enumerate(j for j in range(-window, window + 1) if j):
            if 0 <= t + j < len(ids) and sentences[t + j] == sentences[t]:
                row[place] = ids[t + j]
        if max(row) >= 0:
            rows.append((centre, row))
    return [centre for centre, _ in rows], [row for _, row in rows]


def test_chance_of_being_kept_worked_by_hand():
    keep = keep_probabilities([90, 9, 1], threshold=0.01)  # f = .9, .09, .01
    np.testing.assert_allclose(keep, [1 / np.sqrt(90), 1 / 3, 1], rtol=1e-12)


def test_rare_and_absent_words_are_always_kept():
    assert keep_probabilities([999_999, 1, 0], 1e-5).tolist()[1:] == [1, 1]
    assert keep_probabilities([5, 1], 0).tolist() == [1, 1]


@pytest.mark.parametrize(("counts", "threshold", "message"), [([1], -1, "-1"), ([0], 1, "are 0")])
def test_impossible_subsampling_is_refused(counts, threshold, message):
    with pytest.raises(ValueError, match=message):
        keep_probabilities(counts, threshold)


def test_subsampling_keeps_each_word_as_often_as_it_should():
    counts = np.array([60_000, 30_000, 9_900, 100])
    ids = np.random.default_rng(0).permutation(np.repeat(np.arange(4), counts))
    kept, _ = subsample(ids, np.zeros_like(ids), counts, 0.01, seeded())
    keep = keep_probabilities(counts, 0.01).numpy()
    spread = np.sqrt(counts * keep * (1 - keep))
    assert (np.abs(np.bincount(kept, minlength=4) - counts * keep) <= 4 * spread).all()


def test_subsampling_keeps_order_and_sentences():
    places = np.arange(2000)
    words, sentences = subsample(places, places // 7, np.ones(2000), 1e-4, seeded())
    assert 800 < len(words) < 1000 and words.dtype == sentences.dtype == torch.int64
    assert words.tolist() == sorted(words.tolist())
    assert sentences.tolist() == [word // 7 for word in words.tolist()]


def test_subsampling_is_drawn_from_the_generator_alone():
    ids, sentences = text()
    counts, generator = np.bincount(ids), seeded()
    first, again = (subsample(ids, sentences, counts, 1e-3, generator)[0] for _ in range(2))
    assert first.tolist() == subsample(ids, sentences, counts, 1e-3, seeded())[0].tolist()
    assert first.tolist() != again.tolist()


@pytest.mark.parametrize("window", [1, 2, 5, 12])
def test_windows_are_those_found_word_by_word(window):
    ids, sentences = text(400)
    centres, contexts = context_windows(ids, sentences, window)
    assert contexts.shape == (len(centres), 2 * window)
    assert contexts.dtype == centres.dtype == torch.int64
    assert (centres.tolist(), contexts.tolist()) == windows_word_by_word(ids, sentences, window)


@pytest.mark.parametrize("generator", [None, seeded()])
def test_windows_never_cross_a_sentence(generator):
    """Every word is called after its sentence, so that a stranger would be seen."""
    _, sentences = text()
    centres, contexts = context_windows(sentences, sentences, 5, generator)
    assert len(centres) and (contexts >= 0).any(dim=1).all()
    assert ((contexts == centres.unsqueeze(1)) | (contexts == -1)).all()


def test_windows_shrink_uniformly_and_on_both_sides_alike():
    """A neighbour at distance d is seen by the radii d, ..., 4: with probability (5 - d) / 4."""
    ids = np.arange(40_000)
    _, contexts = context_windows(ids, np.zeros_like(ids), 4, seeded())
    seen = contexts[4:-4] >= 0
    share = seen.double().mean(dim=0).numpy()
    np.testing.assert_allclose(share, [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25], atol=0.01)
    assert torch.equal(seen, seen.flip(1))
    whole = context_windows(ids, np.zeros_like(ids), 4)[1][4:-4]
    assert torch.equal(contexts[4:-4][seen], whole[seen])


def test_pairs_of_a_sentence():
    centres, contexts = context_windows([7, 8, 9, 3], [0, 0, 0, 1], window=1)
    inputs, targets = skip_gram_pairs(centres, contexts)
    assert inputs.tolist() == [7, 8, 8, 9]
    assert targets.tolist() == [8, 7, 9, 8]


def test_a_text_of_lonely_words_has_no_windows():
    centres, contexts = context_windows([1, 2, 3], [0, 1, 2], window=2)
    assert centres.shape == (0,) and contexts.shape == (0, 4)
    assert skip_gram_pairs(centres, contexts)[0].shape == (0,)


@pytest.mark.parametrize(
    ("sentences", "window", "message"), [([0, 0], 0, "got 0"), ([0], 1, "2 words.*for 1")]
)
def test_impossible_context_windows_are_refused(sentences, window, message):
    with pytest.raises(ValueError, match=message):
        context_windows([1, 2], sentences, window)


def test_sentences_stand_between_their_marks():
    words, lengths = both_directions([np.array([5, 6, 7]), torch.tensor([8])], begin=1, end=2)
    assert words.tolist() == [[1, 5, 6, 7, 2], [1, 8, 2, 2, 2]]
    assert lengths.tolist() == [5, 3]
    assert words.dtype == lengths.dtype == torch.int64


def test_one_mark_may_open_and_close_and_a_sentence_may_be_empty():
    words, lengths = both_directions([np.array([], dtype=np.int32), np.array([4])], 9, 9)
    assert words.tolist() == [[9, 9, 9], [9, 4, 9]] and lengths.tolist() == [2, 3]
