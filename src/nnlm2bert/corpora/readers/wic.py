"""WiC, Word in Context: whether a word has the same sense in two sentences.

Pilehvar & Camacho-Collados, "WiC: the Word-in-Context Dataset for Evaluating Context-Sensitive
Meaning Representations" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.readers.columns import classes, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

LABELS = ("different", "same")
PARTS_OF_SPEECH = ("N", "V")

_SPLITS = {"train": "train", "validation": "dev", "test": "test"}
_GOLD = {"F": "different", "T": "same"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test; one row a pair of sentences; both labels equally often.

    Columns: ``word``, its dictionary form; ``pos``, one of ``PARTS_OF_SPEECH``; ``first`` and
    ``second``, sentences in the words of the file, case kept; ``first_position`` and
    ``second_position``, where the word stands in them, in whatever form; ``label``, one of
    ``LABELS``. Raises ``CorpusError`` if a split has not one label for each pair.
    """
    import datasets

    place = datasets.Value("int32")
    features = datasets.Features(
        word=datasets.Value("string"),
        pos=classes(PARTS_OF_SPEECH),
        first=strings(),
        second=strings(),
        first_position=place,
        second_position=place,
        label=classes(LABELS),
    )
    with ZipFile(paths["wic/WiC_dataset.zip"]) as archive:
        rows = {split: _rows(archive, stem) for split, stem in _SPLITS.items()}
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(found, features=features)
            for split, found in rows.items()
        }
    )


def _rows(archive: ZipFile, stem: str) -> list[dict[str, object]]:
    pairs, labels = (
        archive.read(f"{stem}/{stem}.{kind}.txt").decode("utf-8").splitlines()
        for kind in ("data", "gold")
    )
    if len(pairs) != len(labels):
        raise CorpusError(f"wic, {stem}: {len(pairs)} pairs have {len(labels)} labels.")
    return [_row(pair, label) for pair, label in zip(pairs, labels, strict=True)]


def _row(pair: str, label: str) -> dict[str, object]:
    word, pos, places, first, second = pair.split("\t")
    positions = places.split("-")
    return {
        "word": word,
        "pos": pos,
        "first": first.split(),
        "second": second.split(),
        "first_position": int(positions[0]),
        "second_position": int(positions[1]),
        "label": _GOLD[label.strip()],
    }
