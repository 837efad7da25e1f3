"""Sentences of the Stanford Sentiment Treebank, positive or negative, neutral ones left out.

Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank"
(2013); whole sentences only, in the splits of the treebank, all with labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.columns import classes, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

LABELS = ("negative", "positive")

_SPLITS = {"train": "train", "validation": "dev", "test": "test"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test; one row a sentence, in the order of the files.

    Columns: ``tokens``, in lower case, as published (no hyphens); ``label``, one of ``LABELS``.
    """
    import datasets

    features = datasets.Features(tokens=strings(), label=classes(LABELS))
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                _rows(paths[f"sst2-sentences/{stem}.tsv"]), features=features
            )
            for split, stem in _SPLITS.items()
        }
    )


def _rows(path: Path) -> list[dict[str, object]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines]
    return [{"tokens": sentence.split(), "label": int(label)} for sentence, label in cells]
