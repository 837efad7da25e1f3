"""Pictures come as one array, all of one size and light on dark; draws of few are nested."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import use_real_data
from PIL import Image

from nnlm2bert.corpora import CorpusError, pictures
from nnlm2bert.corpora.pictures import (
    PictureSet,
    few,
    fingerprint,
    load_pictures,
    standardise,
    statistics,
)
from nnlm2bert.corpora.readers.arrays import encoded, picture_rows


@pytest.fixture
def publish(monkeypatch):
    """Make ``load`` return these encoded pictures, each of its own class."""

    def publish(*published, **columns):
        names = [f"class {number}" for number in range(len(published))]
        rows = picture_rows(published, range(len(published)), names)
        for name, values in columns.items():
            rows = rows.add_column(name, values)
        monkeypatch.setattr(pictures, "load", lambda name: {"train": rows})

    return publish


def _pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _one_bit(white):
    stream = BytesIO()
    Image.fromarray(white).convert("1").save(stream, "PNG")
    return stream.getvalue()


def _set(size=4):
    return PictureSet(
        _pixels(size, 1, 2, 2), np.arange(size) % 2, ("even", "odd"), np.arange(1, size + 1)
    )


def test_grey_pictures_are_padded_on_all_sides(publish):
    pixels = _pixels(2, 28, 28)
    publish(*encoded(pixels))
    found = load_pictures("mnist-22k")
    assert (found.images.shape, found.images.dtype) == ((2, 1, 32, 32), np.uint8)
    assert np.array_equal(found.images[:, 0, 2:30, 2:30], pixels)
    assert found.images.sum() == pixels.sum()
    assert (found.labels.tolist(), found.labels.dtype) == ([0, 1], np.int64)
    assert found.names == ("class 0", "class 1")
    assert found.drawers is None


def test_colour_pictures_have_three_channels(publish):
    pixels = _pixels(2, 32, 32, 3)
    publish(*encoded(pixels))
    found = load_pictures("cifar10-4k")
    assert np.array_equal(found.images, pixels.transpose(0, 3, 1, 2))
    assert found.images.flags.c_contiguous


def test_drawings_are_inverted_and_reduced_by_area(publish):
    white = np.full((112, 112), True)
    white[40:44, 20:28] = False
    white[0, 0] = False
    publish(_one_bit(white), drawer=[17])
    found = load_pictures("omniglot-small")
    expected = np.zeros((32, 32))
    expected[12, 7:9] = 255
    expected[2, 2] = round(255 / 16)
    assert np.array_equal(found.images[0, 0], expected)
    assert found.drawers.tolist() == [17]


def test_other_sizes(publish):
    publish(*encoded(_pixels(1, 28, 28)))
    assert load_pictures("mnist-22k", size=28).images.shape == (1, 1, 28, 28)
    assert load_pictures("mnist-22k", size=16).images[0, 0, 2:14, 2:14].all()
    assert not load_pictures("mnist-22k", size=16).images[0, 0, :2].any()


def test_unknown_sets_and_splits(publish):
    publish(*encoded(_pixels(1, 28, 28)))
    with pytest.raises(CorpusError, match=r"'brown' is no set of pictures; .* mnist-22k, .*cifar-"):
        load_pictures("brown")
    with pytest.raises(CorpusError, match="mnist-22k has no split 'validation', only train"):
        load_pictures("mnist-22k", "validation")


def test_taking_some():
    whole = _set()
    some = whole.take(np.array([3, 0]))
    assert np.array_equal(some.images, whole.images[[3, 0]])
    assert (some.labels.tolist(), some.drawers.tolist()) == ([1, 0], [4, 1])
    assert some.names == whole.names
    assert whole.take(whole.drawers > 3).drawers.tolist() == [4]


def test_of_classes():
    whole = PictureSet(_pixels(5, 1, 2, 2), np.array([0, 2, 1, 2, 0]), ("a", "b", "c"))
    chosen = whole.of_classes((2, 0))
    assert chosen.names == ("c", "a")
    assert chosen.labels.tolist() == [1, 0, 0, 1]
    assert np.array_equal(chosen.images, whole.images[[0, 1, 3, 4]])
    for wrong in ((0, 0), (3,), (-1,)):
        with pytest.raises(ValueError, match="different numbers below 3"):
            whole.of_classes(wrong)


@given(st.lists(st.sampled_from([0, 3, 5]), max_size=30), st.integers(1, 4), st.integers(0, 1_000))
def test_draws_are_balanced_and_nested(more, count, seed):
    labels = np.array([0, 3, 5] * 5 + more)
    drawn = few(labels, count + 1, seed)
    assert labels[drawn].tolist() == [0, 3, 5] * (count + 1)
    assert len(set(drawn.tolist())) == len(drawn)
    assert np.array_equal(few(labels, count, seed), drawn[: 3 * count])


def test_draws_differ_by_seed_and_reach_all():
    labels = np.repeat([0, 1], 50)
    draws = np.array([few(labels, 1, seed) for seed in range(400)])
    assert len(np.unique(draws[:, 0])) == len(np.unique(draws[:, 1])) == 50


@pytest.mark.parametrize("count, names", [(3, "class 1 has 2"), (0, "0 examples a class")])
def test_too_few(count, names):
    with pytest.raises(ValueError, match=names):
        few(np.array([0, 0, 0, 1, 1]), count, seed=0)


def test_standard_pictures_have_mean_0_and_deviation_1():
    images = _pixels(50, 3, 8, 8) // np.array([1, 2, 3], dtype=np.uint8)[:, None, None]
    mean, std = statistics(images)
    assert np.allclose(mean, images.transpose(1, 0, 2, 3).reshape(3, -1).mean(axis=1) / 255)
    standard = standardise(images, mean, std)
    assert standard.dtype == np.float32
    assert np.allclose(standard.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    assert np.allclose(standard.std(axis=(0, 2, 3)), 1, atol=1e-5)
    assert np.isclose(standard[0, 1, 2, 3], (images[0, 1, 2, 3] / 255 - mean[1]) / std[1])


def test_fingerprints_tell_sets_apart():
    whole = _set()
    other = {
        fingerprint(whole.take(np.arange(3))),
        fingerprint(whole.take(np.arange(4)[::-1])),
        fingerprint(PictureSet(whole.images ^ 1, whole.labels, whole.names)),
        fingerprint(PictureSet(whole.images, 1 - whole.labels, whole.names)),
        fingerprint(PictureSet(whole.images, whole.labels, ("odd", "even"))),
        fingerprint(PictureSet(whole.images.reshape(4, 4, 1, 1), whole.labels, whole.names)),
    }
    assert fingerprint(whole) == fingerprint(_set())
    assert fingerprint(whole) not in other
    assert len(other) == 6


@pytest.mark.parametrize(
    "name, split, shape, found",
    [
        ("fashion-mnist-2k", "test", (2000, 1, 32, 32), "b6e2ce834009ff0a"),
        ("cifar10-4k", "train", (4000, 3, 32, 32), "bc327c932256783d"),
        ("omniglot-small", "train", (4840, 1, 32, 32), "33e61958e7c81eb2"),
    ],
)
def test_real_pictures(tmp_path, monkeypatch, name, split, shape, found):
    use_real_data(monkeypatch, tmp_path, name)
    loaded = load_pictures(name, split)
    assert loaded.images.shape == shape
    assert fingerprint(loaded).startswith(found)
