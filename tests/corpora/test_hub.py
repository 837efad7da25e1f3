"""The full sets, from files of the hub's format on disk or through ``datasets``, always checked."""

from __future__ import annotations

import datasets
import numpy as np
import pyarrow.parquet as parquet
import pytest

from nnlm2bert.corpora import CorpusError, hub
from nnlm2bert.corpora.hub import FULL_SETS, FullSet, load_full
from nnlm2bert.corpora.pictures import load_pictures
from nnlm2bert.corpora.readers import fashion_mnist
from nnlm2bert.corpora.readers.arrays import encoded, picture_rows
from nnlm2bert.corpora.store import MIRROR

ROWS = {"train": 3, "test": 2}
FASHION = ["T - shirt / top", *fashion_mnist.NAMES[1:]]  # as the hub writes them


@pytest.fixture
def small(monkeypatch):
    """The full sets as they are, but of three and two pictures."""
    sets = {
        name: FullSet(name, full.sample, full.classes, ROWS) for name, full in FULL_SETS.items()
    }
    monkeypatch.setattr(hub, "FULL_SETS", sets)
    return sets


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv(MIRROR, str(tmp_path))
    return tmp_path


@pytest.fixture
def refuse(monkeypatch):
    def load_dataset(hub_id):
        raise ConnectionError(f"Couldn't reach {hub_id!r}")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


def _rows(count, names, column="image", shape=(28, 28)):
    pixels = np.full((count, *shape), 7, dtype=np.uint8)
    rows = picture_rows(encoded(pixels), range(count), names).add_column("id", list(range(count)))
    return rows if column == "image" else rows.rename_column("image", column)


def _publish(folder, config, names, rows=ROWS, **options):
    (folder / config).mkdir(parents=True)
    for split, count in rows.items():
        path = folder / config / f"{split}-00000-of-00001.parquet"
        _rows(count, names, **options).to_parquet(path)


def test_rows_and_ids_of_the_full_sets():
    described = {name: (full.hub_id, dict(full.rows)) for name, full in FULL_SETS.items()}
    assert described == {
        "mnist": ("ylecun/mnist", {"train": 60_000, "test": 10_000}),
        "fashion-mnist": ("zalando-datasets/fashion_mnist", {"train": 60_000, "test": 10_000}),
        "cifar-10": ("uoft-cs/cifar10", {"train": 50_000, "test": 10_000}),
    }
    assert all(len(full.classes) == 10 for full in FULL_SETS.values())


def test_from_disk(small, mirror, refuse):
    _publish(mirror / "hub" / "zalando-datasets/fashion_mnist", "fashion_mnist", FASHION)
    before = sorted(mirror.rglob("*"))
    splits = load_full("fashion-mnist")
    assert {split: rows.column_names for split, rows in splits.items()} == {
        split: ["image", "label"] for split in ROWS
    }
    assert splits["train"].features["label"].names == list(fashion_mnist.NAMES)
    assert splits["train"]["label"][:] == [0, 1, 2]
    assert splits["test"][0]["image"].getpixel((0, 0)) == 7
    assert sorted(mirror.rglob("*")) == before
    assert not splits["train"].cache_files


def test_columns_of_cifar_are_renamed(small, mirror, refuse):
    names = FULL_SETS["cifar-10"].classes
    folder = mirror / "hub" / "uoft-cs/cifar10"
    _publish(folder, "plain_text", names, column="img", shape=(32, 32, 3))
    assert load_full("cifar-10")["test"].column_names == ["image", "label"]
    found = load_pictures("cifar-10", "train")
    assert found.images.shape == (3, 3, 32, 32)
    assert found.names == names


def test_a_split_may_lie_in_several_files(small, mirror, refuse):
    names = FULL_SETS["mnist"].classes
    folder = mirror / "hub" / "ylecun/mnist"
    _publish(folder, "mnist", names, rows={"test": 2})
    for number, count in enumerate((1, 2)):
        path = folder / f"train-{number:05}-of-00002.parquet"
        _rows(count, names).to_parquet(path)
    assert load_full("mnist")["train"]["label"][:] == [0, 0, 1]


def test_files_without_the_hubs_notes(small, mirror, refuse):
    folder = mirror / "hub" / "ylecun/mnist"
    _publish(folder, "mnist", FULL_SETS["mnist"].classes)
    for path in folder.rglob("*.parquet"):
        parquet.write_table(parquet.read_table(path).replace_schema_metadata(None), path)
    assert load_full("mnist")["train"][1]["image"].size == (28, 28)


def test_from_the_hub_when_the_mirror_has_none(small, mirror, monkeypatch):
    asked = []

    def load_dataset(hub_id):
        asked.append(hub_id)
        found = {split: _rows(count, FULL_SETS["mnist"].classes) for split, count in ROWS.items()}
        return datasets.DatasetDict(found | {"extra": found["test"]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert {split: len(rows) for split, rows in load_full("mnist").items()} == ROWS
    monkeypatch.delenv(MIRROR)
    assert load_full("mnist")["test"]["label"][:] == [0, 1]
    assert asked == ["ylecun/mnist"] * 2


def test_without_a_network(mirror, refuse):
    with pytest.raises(CorpusError) as caught:
        load_pictures("cifar-10", "train")
    for told in (
        "cifar-10 could not be had from the hub: Couldn't reach 'uoft-cs/cifar10'",
        "Check the network",
        "'cifar10-4k', instead",
        "train-*.parquet and test-*.parquet) into hub/uoft-cs/cifar10 in a folder, and set NNLM2B",
    ):
        assert told in str(caught.value)


def test_unknown_set():
    with pytest.raises(CorpusError, match="'imagenet'; choose from mnist, fashion-mnist, cifar-10"):
        load_full("imagenet")


@pytest.mark.parametrize(
    "rows, options, told",
    [
        ({"train": 2, "test": 2}, {}, "split train has 2 pictures, not 3"),
        ({"train": 3}, {}, "split test has 0 pictures, not 2"),
        (ROWS, {"column": "picture"}, "train has no column 'image'"),
        (ROWS, {"names": "9876543210"}, "its classes are 9, 8, .* they should be 0, 1, "),
    ],
)
def test_what_is_not_the_set(small, mirror, refuse, rows, options, told):
    options = {"names": FULL_SETS["mnist"].classes} | options
    _publish(mirror / "hub" / "ylecun/mnist", "mnist", rows=rows, **options)
    with pytest.raises(CorpusError, match=rf"^mnist: {told}.* Put the Parquet files of ylecun/mn"):
        load_full("mnist")


def test_broken_file(small, mirror, refuse):
    folder = mirror / "hub" / "ylecun/mnist"
    _publish(folder, "mnist", FULL_SETS["mnist"].classes)
    (folder / "mnist" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(CorpusError, match=r"mnist: a file in .* cannot be read: .* Put the"):
        load_full("mnist")
