"""The analogy questions of Mikolov, Chen, Corrado and Dean (2013), section 4.1.

"Efficient Estimation of Word Representations in Vector Space": a is to b as c is to d.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row a question, in the order of the file.

    Columns: ``section`` ("capital-common-countries" ...; those that begin with "gram" are of
    grammar, the others of meaning); ``a``, ``b``, ``c``, ``d``, words, case kept.
    """
    import datasets

    names = ("section", "a", "b", "c", "d")
    rows = []
    section = ""
    text = paths["google-analogies/questions-words.txt"].read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith(": "):
            section = line.removeprefix(": ")
        elif line:
            rows.append((section, *line.split()))
    features = datasets.Features({name: datasets.Value("string") for name in names})
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return datasets.Dataset.from_dict(columns, features=features)
