"""The full sets of pictures, where there is a network or a folder that holds them.

They come from the Hugging Face hub, whose ids the registry knows, with the columns and names of the
small sets, so that what runs on the one runs on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.readers import cifar10, fashion_mnist, mnist
from nnlm2bert.corpora.readers.columns import classes
from nnlm2bert.corpora.registry import find
from nnlm2bert.corpora.store import MIRROR, mirror_folder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


@dataclass(frozen=True)
class FullSet:
    """A set of the hub: its ``sample`` in the registry, its classes, the rows of each split."""

    name: str
    sample: str
    classes: tuple[str, ...]
    rows: Mapping[str, int]

    @property
    def hub_id(self) -> str:
        """Its name on the hub."""
        return find(self.sample).hub_id


FULL_SETS = MappingProxyType(
    {
        each.name: each
        for each in (
            FullSet("mnist", "mnist-22k", mnist.NAMES, {"train": 60_000, "test": 10_000}),
            FullSet(
                "fashion-mnist",
                "fashion-mnist-2k",
                fashion_mnist.NAMES,
                {"train": 60_000, "test": 10_000},
            ),
            FullSet("cifar-10", "cifar10-4k", cifar10.NAMES, {"train": 50_000, "test": 10_000}),
        )
    }
)


def load_full(name: str) -> DatasetDict:
    """Splits train and test of one of ``FULL_SETS``, whole.

    Columns: ``image`` and ``label``, as the reader of the set's ``sample`` describes them. First
    looked for as ``hub/ID/**/SPLIT-*.parquet``, the files of the hub, in the folder that
    ``NNLM2BERT_DATA`` names, where they are only read; else ``datasets`` fetches them from the hub
    and keeps them in its own cache.
    Raises ``CorpusError`` for an unknown name, if the set cannot be had, and if what is had is not
    the set.
    """
    if name not in FULL_SETS:
        raise CorpusError(f"No full set is called {name!r}; choose from {', '.join(FULL_SETS)}.")
    full = FULL_SETS[name]
    found = _on_disk(full) or _from_hub(full)
    return type(found)({split: _checked(full, split, found) for split in full.rows})


def _on_disk(full: FullSet) -> DatasetDict:
    """The splits of which the mirror has files; perhaps none."""
    import datasets
    import pyarrow as pa
    from pyarrow.parquet import read_table

    mirror = mirror_folder()
    folder = mirror / "hub" / full.hub_id if mirror else None
    files = {split: sorted(folder.rglob(f"{split}-*.parquet")) for split in full.rows if folder}
    present = [split for split in files if files[split]]
    try:
        tables = {split: pa.concat_tables(map(read_table, files[split])) for split in present}
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(
            f"{full.name}: a file in {folder} cannot be read: {error}. {_by_hand(full)}"
        ) from error
    return datasets.DatasetDict({split: datasets.Dataset(tables[split]) for split in present})


def _from_hub(full: FullSet) -> DatasetDict:
    import datasets

    try:
        return datasets.load_dataset(full.hub_id)
    except Exception as error:  # which ones, each version of datasets decides anew
        raise CorpusError(
            f"{full.name} could not be had from the hub: {error} ({type(error).__name__}). Check "
            f"the network; or take its first pictures, {full.sample!r}, instead; or have the whole "
            f"set on disk. {_by_hand(full)}"
        ) from error


def _checked(full: FullSet, split: str, found: DatasetDict) -> Dataset:
    """The split with the columns and names of the sample, if it is all there."""
    import datasets

    rows = found.get(split)
    present = 0 if rows is None else len(rows)
    if present != full.rows[split]:
        raise CorpusError(
            f"{full.name}: split {split} has {present:,} pictures, not {full.rows[split]:,}. "
            f"{_by_hand(full)}"
        )
    if "img" in rows.column_names:
        rows = rows.rename_column("img", "image")
    features = datasets.Features(image=datasets.Image(), label=classes(full.classes))
    if missing := [column for column in features if column not in rows.column_names]:
        raise CorpusError(f"{full.name}: {split} has no column {missing[0]!r}. {_by_hand(full)}")
    rows = rows.select_columns(list(features))
    _check_classes(full, rows.features["label"])
    return rows if rows.features == features else rows.cast(features)


def _check_classes(full: FullSet, label: object) -> None:
    """Where the classes have names, they are those of the sample, spaces and marks apart."""
    names = getattr(label, "names", full.classes)
    if list(map(_letters, names)) != list(map(_letters, full.classes)):
        raise CorpusError(
            f"{full.name}: its classes are {', '.join(names)}; they should be "
            f"{', '.join(full.classes)}. {_by_hand(full)}"
        )


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def _by_hand(full: FullSet) -> str:
    return (
        f"Put the Parquet files of {full.hub_id} (train-*.parquet and test-*.parquet) into "
        f"hub/{full.hub_id} in a folder, and set {MIRROR} to that folder."
    )
