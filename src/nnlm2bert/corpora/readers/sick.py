"""SICK: pairs of sentences, whether one follows from the other, and how related they are.

Marelli et al., "A SICK Cure for the Evaluation of Compositional Distributional Semantic Models"
(2014); SemEval-2014, task 1.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.columns import classes, strings
from nnlm2bert.corpora.words import split_words

if TYPE_CHECKING:
    from datasets import DatasetDict

LABELS = ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")

_SPLITS = {"train": "train", "validation": "trial", "test": "test_annotated"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation (the task's trial data) and test; one row a pair.

    Columns: ``pair``, its number; ``premise`` and ``hypothesis``, sentences A and B in words
    (``corpora.words.split_words``), case kept; ``label``, one of ``LABELS``: what A says of B;
    ``relatedness``, the mean of ten judgements from 1 to 5.
    """
    import datasets

    features = datasets.Features(
        pair=datasets.Value("int32"),
        premise=strings(),
        hypothesis=strings(),
        label=classes(LABELS),
        relatedness=datasets.Value("float64"),
    )
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                _rows(paths[f"sick/SICK_{stem}.txt"]), features=features
            )
            for split, stem in _SPLITS.items()
        }
    )


def _rows(path: Path) -> list[dict[str, object]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        {
            "pair": int(cells["pair_ID"]),
            "premise": split_words(cells["sentence_A"]),
            "hypothesis": split_words(cells["sentence_B"]),
            "label": cells["entailment_judgment"],
            "relatedness": float(cells["relatedness_score"]),
        }
        for cells in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    ]
