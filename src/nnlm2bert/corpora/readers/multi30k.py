"""Multi30k, task 1: descriptions of pictures in English, and what translators made of them.

Elliott, Frank, Sima'an & Specia, "Multi30K: Multilingual English-German Image Descriptions" (2016).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError

if TYPE_CHECKING:
    from datasets import DatasetDict

LANGUAGES = {"english": "en", "german": "de"}

_SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test (of 2016); one row a description.

    Columns: ``english`` and ``german``, texts as they were published but for white space at their
    ends, case kept, not in words: BLEU compares texts and not some tokenizer's idea of them. Raises
    ``CorpusError`` if the languages of a split differ in length.
    """
    import datasets

    features = datasets.Features({name: datasets.Value("string") for name in LANGUAGES})
    splits = {}
    for split, stem in _SPLITS.items():
        columns = {
            name: _lines(paths[f"multi30k/{stem}.{code}.gz"]) for name, code in LANGUAGES.items()
        }
        if len(set(map(len, columns.values()))) > 1:
            raise CorpusError(f"The languages of split {split!r} of multi30k differ in length.")
        splits[split] = datasets.Dataset.from_dict(columns, features=features)
    return datasets.DatasetDict(splits)


def _lines(path: Path) -> list[str]:
    # Not splitlines(): a sentence may hold a character that it takes for the end of a line.
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
