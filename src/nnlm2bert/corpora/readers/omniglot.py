"""Omniglot: handwritten characters of many alphabets, twenty drawings of each.

Lake, Salakhutdinov and Tenenbaum, "Human-Level Concept Learning through Probabilistic Program
Induction" (2015).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.arrays import picture_rows

if TYPE_CHECKING:
    from datasets import DatasetDict

_ARCHIVES = tuple(f"omniglot-small/images_background_small{number}.zip" for number in (1, 2))


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """One split, train: both small background sets, by character and drawer.

    What is in both (Greek and Latin) is there once. Columns: ``image``, 105 x 105, one bit, black
    on white, as published; ``label``, the character, as "Greek/character01"; ``alphabet``;
    ``drawer``, 1 to 20. The drawers of one alphabet are the same twenty people; those of another
    alphabet need not be.
    """
    import datasets

    drawings = {name: drawing for path in _ARCHIVES for name, drawing in _drawings(paths[path])}
    names = sorted(drawings)
    characters = [f"{name.parent.parent.name}/{name.parent.name}" for name in names]
    labels = {character: label for label, character in enumerate(dict.fromkeys(characters))}
    rows = picture_rows(
        (drawings[name] for name in names), map(labels.__getitem__, characters), tuple(labels)
    )
    rows = rows.add_column("alphabet", [name.parent.parent.name for name in names])
    rows = rows.add_column("drawer", [int(name.stem.partition("_")[2]) for name in names])
    return datasets.DatasetDict({"train": rows})


def _drawings(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name, as "Greek/character01/0394_01.png", and content of each drawing of an archive."""
    with zipfile.ZipFile(path) as archive:
        for name in map(PurePosixPath, archive.namelist()):
            if name.suffix == ".png":
                yield name.relative_to(name.parts[0]), archive.read(str(name))
