"""WNUT-17: emerging and rare entities in tweets, comments and posts.

Derczynski, Nichols, van Erp and Limsopatham, "Results of the WNUT2017 Shared Task on Novel and
Emerging Entity Recognition" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.columns import bio_names, classes, column_sentences, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

ENTITIES = ("corporation", "creative-work", "group", "location", "person", "product")

_SPLITS = {
    "train": "wnut17train.conll",
    "validation": "emerging.dev.conll",
    "test": "emerging.test.annotated",
}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test; one row a sentence, in the order of the files.

    Columns, lists of equal length: ``tokens``; ``labels``, classes O, B-corporation,
    I-corporation ... of ``ENTITIES`` (BIO).
    """
    import datasets

    features = datasets.Features(
        tokens=strings(), labels=datasets.Sequence(classes(bio_names(ENTITIES)))
    )
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(_rows(paths[f"wnut17/{name}"]), features=features)
            for split, name in _SPLITS.items()
        }
    )


def _rows(path: Path) -> list[dict[str, object]]:
    lines = path.read_bytes().decode("utf-8").split("\n")
    return [
        {"tokens": tokens, "labels": labels} for tokens, labels in column_sentences(lines, "\t")
    ]
