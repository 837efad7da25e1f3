"""CoLA: sentences from books on linguistics, and whether they are acceptable English.

Warstadt, Singh & Bowman, "Neural Network Acceptability Judgments" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from nnlm2bert.corpora.readers.columns import classes, strings
from nnlm2bert.corpora.words import split_words

if TYPE_CHECKING:
    from datasets import DatasetDict

LABELS = ("unacceptable", "acceptable")

_SPLITS = {
    "train": "in_domain_train",
    "in_domain": "in_domain_dev",
    "out_of_domain": "out_of_domain_dev",
}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, in_domain (from the same sources) and out_of_domain; one row a sentence.

    The authors keep the labels of their test part to themselves. The development part of GLUE is
    in_domain and out_of_domain together. Columns: ``tokens``, in words (``corpora.words``), case
    kept; ``label``, one of ``LABELS``; ``source``, a short name of the book or article.
    """
    import datasets

    features = datasets.Features(
        tokens=strings(), label=classes(LABELS), source=datasets.Value("string")
    )
    with ZipFile(paths["cola/cola_public.zip"]) as archive:
        texts = {
            split: archive.read(f"cola_public/raw/{stem}.tsv").decode("utf-8")
            for split, stem in _SPLITS.items()
        }
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [_row(line) for line in text.split("\n") if line], features=features
            )
            for split, text in texts.items()
        }
    )


def _row(line: str) -> dict[str, object]:
    source, label, _, sentence = line.rstrip("\r").split("\t")
    return {"tokens": split_words(sentence), "label": int(label), "source": source}
