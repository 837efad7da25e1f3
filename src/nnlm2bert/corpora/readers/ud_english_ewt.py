"""The English Web Treebank of Universal Dependencies: blogs, mails, reviews, answers, news.

Silveira et al., "A Gold Standard Dependency Corpus for English" (2014); the format is CoNLL-U.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.columns import classes, column_sentences, strings

if TYPE_CHECKING:
    from datasets import DatasetDict

UPOS = tuple(
    "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
)

_SPLITS = {"train": "train", "validation": "dev", "test": "test"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, validation and test; one row a sentence, in the order of the files.

    Columns, lists of equal length: ``tokens``, syntactic words (``do n't``); ``upos``, classes of
    ``UPOS``; ``xpos``, Penn Treebank tags; ``heads``, the number of each word's head, counted from
    1, 0 for the root; ``relations`` to it. Words that were split and empty nodes are left out.
    """
    import datasets

    features = datasets.Features(
        tokens=strings(),
        upos=datasets.Sequence(classes(UPOS)),
        xpos=strings(),
        heads=datasets.Sequence(datasets.Value("int16")),
        relations=strings(),
    )
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(
                list(_rows(paths[f"ud-english-ewt/en_ewt-ud-{stem}.conllu"])), features=features
            )
            for split, stem in _SPLITS.items()
        }
    )


def _rows(path: Path) -> Iterator[dict[str, object]]:
    lines = path.read_bytes().decode("utf-8").split("\n")
    words = [line for line in lines if not line or line.partition("\t")[0].isdigit()]
    for columns in column_sentences(words, "\t"):
        _, tokens, _, upos, xpos, _, heads, relations, *_ = columns
        yield {
            "tokens": tokens,
            "upos": upos,
            "xpos": xpos,
            "heads": [int(head) for head in heads],
            "relations": relations,
        }
