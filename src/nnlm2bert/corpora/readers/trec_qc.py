"""TREC question classification: 6 coarse and 50 fine classes of what a question asks for.

Li and Roth, "Learning Question Classifiers" (2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from nnlm2bert.corpora.readers.columns import classes, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

COARSE = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
SPLITS = ("train", "test")


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train and test; one row a question, in the order of the files.

    Columns: ``tokens``, as published; ``label``, one of ``COARSE``; ``fine``, "NUM:date" and so on.
    """
    import datasets

    features = datasets.Features(
        tokens=strings(), label=classes(COARSE), fine=datasets.Value("string")
    )
    with ZipFile(paths["trec-qc/qc.zip"]) as archive:
        texts = {split: archive.read(f"qc/{split}.txt").decode("latin-1") for split in SPLITS}
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [_row(line) for line in text.split("\n") if line], features=features
            )
            for split, text in texts.items()
        }
    )


def _row(line: str) -> dict[str, object]:
    fine, *tokens = line.split()
    return {"tokens": tokens, "label": fine.partition(":")[0], "fine": fine}
