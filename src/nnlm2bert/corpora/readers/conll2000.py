"""CoNLL-2000: chunks (base phrases) of Wall Street Journal text.

Tjong Kim Sang and Buchholz, "Introduction to the CoNLL-2000 Shared Task: Chunking" (2000).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from nnlm2bert.corpora.readers.columns import bio_names, classes, column_sentences, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

CHUNKS = tuple("ADJP ADVP CONJP INTJ LST NP PP PRT SBAR UCP VP".split())
SPLITS = ("train", "test")


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train and test; one row a sentence, in the order of the files.

    Columns, lists of equal length: ``tokens``; ``pos``, tags of the Brill tagger, as published;
    ``chunks``, classes O, B-ADJP, I-ADJP ... of ``CHUNKS`` (BIO, every chunk begins with B).
    """
    import datasets

    features = datasets.Features(
        tokens=strings(), pos=strings(), chunks=datasets.Sequence(classes(bio_names(CHUNKS)))
    )
    with ZipFile(paths["conll2000/conll2000.zip"]) as archive:
        texts = {split: archive.read(f"conll2000/{split}.txt").decode("ascii") for split in SPLITS}
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                [
                    dict(zip(("tokens", "pos", "chunks"), columns, strict=True))
                    for columns in column_sentences(text.split("\n"), " ")
                ],
                features=features,
            )
            for split, text in texts.items()
        }
    )
