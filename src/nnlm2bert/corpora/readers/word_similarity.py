"""Thirteen lists of word pairs with judgements of their similarity or relatedness.

Collected by Faruqui and Dyer, "Community Evaluation and Exchange of Word Vectors at
wordvectors.org" (2014). Among them: WordSim-353 (Finkelstein et al., 2002) and its division by
Agirre et al. (2009), SimLex-999 (Hill et al., 2015), MEN (Bruni et al., 2014) and SimVerb-3500
(Gerz et al., 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def read(paths: Mapping[str, Path], list: str | None = None) -> Dataset | DatasetDict:
    """One row a pair, in the order of the file: of one ``list`` ("WS-353-ALL", "SIMLEX-999" ...),
    or of all, by their names.

    Columns: ``word1``, ``word2``, case kept; ``score``, the mean judgement on the scale of the list
    (0 to 10, MEN 0 to 50), higher for more alike.
    Raises ``CorpusError``, with the names of all, for an unknown list.
    """
    import datasets

    names = {Path(path).stem.removeprefix("EN-"): path for path in sorted(paths)}
    if list is None:
        return datasets.DatasetDict({name: _pairs(paths[path]) for name, path in names.items()})
    if list not in names:
        raise CorpusError(
            f"No list of word-similarity is {list!r}; choose from {', '.join(names)}."
        )
    return _pairs(paths[names[list]])


def _pairs(path: Path) -> Dataset:
    import datasets

    lines = path.read_text(encoding="utf-8").splitlines()
    first, second, scores = zip(*(line.split("\t") for line in lines if line), strict=True)
    features = datasets.Features(
        word1=datasets.Value("string"),
        word2=datasets.Value("string"),
        score=datasets.Value("float64"),
    )
    columns = {"word1": first, "word2": second, "score": [float(score) for score in scores]}
    return datasets.Dataset.from_dict(columns, features=features)
