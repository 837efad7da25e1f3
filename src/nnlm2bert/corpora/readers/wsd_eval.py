"""Five test sets of word-sense disambiguation, all words of running text, senses of WordNet 3.0.

Brought to one form by Raganato, Camacho-Collados and Navigli, "Word Sense Disambiguation: A Unified
Evaluation Framework and Empirical Comparison" (2017). They train on SemCor, take semeval2007 for
development, and call all five together ALL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from nnlm2bert.corpora.readers.columns import strings

if TYPE_CHECKING:
    from datasets import DatasetDict

SETS = ("senseval2", "senseval3", "semeval2007", "semeval2013", "semeval2015")


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """A split for each of ``SETS``; one row a sentence, in the order of the files.

    Columns as those of semcor: ``document`` ("d000", within its split); lists of equal length:
    ``tokens``, case kept, ``_`` between the words of one of several (the files have spaces);
    ``pos``, universal tags of 2012 (NOUN, VERB, ADJ, ADV are those of the words to disambiguate);
    ``lemmas``; ``senses``, lists of WordNet 3.0 sense keys, any of which is right, empty for a word
    that is context alone.
    """
    import datasets

    features = datasets.Features(
        document=datasets.Value("string"),
        tokens=strings(),
        pos=strings(),
        lemmas=strings(),
        senses=datasets.Sequence(strings()),
    )
    splits = {name: list(read_sentences(paths, name)) for name in SETS}
    return datasets.DatasetDict(
        {name: datasets.Dataset.from_list(rows, features=features) for name, rows in splits.items()}
    )


def read_sentences(paths: Mapping[str, Path], name: str) -> Iterator[dict[str, Any]]:
    """The rows of one split of ``read``, one by one."""
    gold = paths[f"wsd-eval/{name}.gold.key.txt"].read_text(encoding="utf-8")
    keys = {identity: senses for identity, *senses in map(str.split, gold.splitlines())}
    root = ElementTree.fromstring(paths[f"wsd-eval/{name}.data.xml"].read_bytes())
    for text in root.iter("text"):
        for sentence in text.iter("sentence"):
            yield {"document": text.attrib["id"], **_columns(list(sentence), keys)}


def _columns(
    words: list[ElementTree.Element], keys: Mapping[str, list[str]]
) -> dict[str, list[Any]]:
    return {
        "tokens": [(word.text or "").replace(" ", "_") for word in words],
        "pos": [word.attrib["pos"] for word in words],
        "lemmas": [word.attrib["lemma"] for word in words],
        "senses": [keys[word.attrib["id"]] if word.tag == "instance" else [] for word in words],
    }
