"""Readers of pictures follow the format of the files; the real ones have the right counts."""

from __future__ import annotations

import socket
import zipfile
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from loopback import use_real_data
from PIL import Image

from nnlm2bert.corpora import CorpusError, load
from nnlm2bert.corpora.readers import cifar10, fashion_mnist, mnist, omniglot
from nnlm2bert.corpora.readers.arrays import encoded

REAL = ("mnist-22k", "fashion-mnist-2k", "cifar10-4k", "omniglot-small")


def _saved(path, array):
    np.savez_compressed(path, array)
    return path


def _pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _drawing(value):
    stream = BytesIO()
    Image.new("1", (105, 105), value).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 32, 32, 3)])
def test_encoding_keeps_every_pixel(shape):
    pixels = _pixels(*shape)
    decoded = [np.asarray(Image.open(BytesIO(picture))) for picture in encoded(pixels)]
    assert np.array_equal(decoded, pixels)


@pytest.mark.parametrize(
    "reader, folder, stems",
    [
        (mnist, "mnist-22k", {"train": "train", "test": "test"}),
        (fashion_mnist, "fashion-mnist-2k", {"train": "train_preview", "test": "test"}),
    ],
)
def test_grey_sets(tmp_path, reader, folder, stems):
    pixels = {split: _pixels(size, 28, 28) for split, size in (("train", 3), ("test", 2))}
    labels = {"train": [7, 0, 9], "test": [1, 1]}
    paths = {}
    for split, stem in stems.items():
        for kind, array in (("x", pixels[split]), ("y", np.array(labels[split], dtype=np.uint8))):
            name = f"{kind}_{stem}.npz"
            paths[f"{folder}/{name}"] = _saved(tmp_path / name, array)
    splits = reader.read(paths)
    for split, rows in splits.items():
        assert rows["label"][:] == labels[split]
        assert rows.features["label"].names == list(reader.NAMES)
        assert [picture.mode for picture in rows["image"]] == ["L"] * len(rows)
        assert np.array_equal([np.asarray(picture) for picture in rows["image"]], pixels[split])


@pytest.fixture
def cifar_paths(tmp_path):
    """Four sheets of two pictures each; labels of more pictures than there are."""
    pixels = _pixels(8, 32, 32, 3)
    paths = {}
    for number, sheet in enumerate(pixels.reshape(4, 2, 32 * 32, 3)):
        name = f"cifar10_batch_{number}.png"
        Image.fromarray(sheet).save(tmp_path / name)
        paths[f"cifar10-4k/{name}"] = tmp_path / name
    labels = np.arange(10, dtype=np.uint8)[::-1, None]
    for name, array in (("y_train", labels), ("x_train_preview", pixels[:3])):
        paths[f"cifar10-4k/{name}.npz"] = _saved(tmp_path / f"{name}.npz", array)
    return paths, pixels


def test_cifar(cifar_paths):
    paths, pixels = cifar_paths
    rows = cifar10.read(paths)["train"]
    assert rows["label"][:] == [9, 8, 7, 6, 5, 4, 3, 2]
    assert rows.features["label"].int2str(9) == "truck"
    assert np.array_equal([np.asarray(picture) for picture in rows["image"]], pixels)


def test_cifar_with_labels_of_other_pictures(cifar_paths):
    paths, pixels = cifar_paths
    _saved(paths["cifar10-4k/x_train_preview.npz"], pixels[1:4])
    with pytest.raises(CorpusError, match=r"the first 3 pictures .* are not those the labels are"):
        cifar10.read(paths)


def test_omniglot_has_each_drawing_once(tmp_path):
    paths = {}
    members = (
        {"Greek/character02/0002_02": 0, "Greek/character01/0001_01": 1},
        {"Greek/character01/0001_01": 1, "Tagalog/character01/0009_01": 1},
    )
    for number, drawings in enumerate(members, start=1):
        root = f"images_background_small{number}"
        paths[f"omniglot-small/{root}.zip"] = tmp_path / f"{root}.zip"
        with zipfile.ZipFile(tmp_path / f"{root}.zip", "w") as archive:
            archive.writestr(f"{root}/Greek/", "")
            for name, value in drawings.items():
                archive.writestr(f"{root}/{name}.png", _drawing(value))
    rows = omniglot.read(paths)["train"]
    characters = ["Greek/character01", "Greek/character02", "Tagalog/character01"]
    assert rows.features["label"].names == characters
    assert rows["label"][:] == [0, 1, 2]
    assert rows["alphabet"][:] == ["Greek", "Greek", "Tagalog"]
    assert rows["drawer"][:] == [1, 2, 1]
    assert [picture.getpixel((0, 0)) for picture in rows["image"]] == [255, 0, 255]


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """The real data, and every attempt to reach a network is an error."""

    def refuse(*_):
        raise AssertionError("loading from disk must not look for a network")

    with pytest.MonkeyPatch.context() as patch:
        use_real_data(patch, tmp_path_factory.mktemp("cache"), *REAL)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


def _per_class(rows):
    counted = Counter(rows["label"])
    return [counted[label] for label in range(rows.features["label"].num_classes)]


def test_counts_of_grey_sets(offline):
    assert {split: _per_class(rows) for split, rows in load("mnist-22k").items()} == {
        "train": [1994, 2281, 1929, 2076, 1945, 1775, 1971, 2093, 1922, 2014],
        "test": [175, 234, 219, 207, 217, 179, 178, 205, 192, 194],
    }
    assert {split: _per_class(rows) for split, rows in load("fashion-mnist-2k").items()} == {
        "train": [12, 11, 9, 15, 9, 11, 10, 8, 4, 11],
        "test": [200, 203, 214, 190, 219, 195, 197, 200, 194, 188],
    }


def test_counts_of_cifar(offline):
    splits = load("cifar10-4k")
    assert list(splits) == ["train"]
    assert _per_class(splits["train"]) == [396, 366, 420, 384, 422, 393, 414, 385, 407, 413]
    assert {(picture.mode, picture.size) for picture in splits["train"]["image"]} == {
        ("RGB", (32, 32))
    }


def test_counts_of_omniglot(offline):
    splits = load("omniglot-small")
    assert list(splits) == ["train"]
    rows = splits["train"]
    assert _per_class(rows) == [20] * 242
    assert Counter(rows["drawer"]) == dict.fromkeys(range(1, 21), 242)
    assert {name: count // 20 for name, count in Counter(rows["alphabet"]).items()} == {
        "Balinese": 24,
        "Early_Aramaic": 22,
        "Greek": 24,
        "Japanese_(katakana)": 47,
        "Korean": 40,
        "Latin": 26,
        "Sanskrit": 42,
        "Tagalog": 17,
    }
    first = rows[0]["image"]
    assert (first.mode, first.size) == ("1", (105, 105))
