"""SemCor: texts of the Brown corpus whose words have their senses in WordNet.

Miller, Leacock, Tengi and Bunker, "A Semantic Concordance" (1993); senses of WordNet 3.0. The two
parts in which all open-class words are tagged.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlm2bert.corpora.readers.columns import strings

if TYPE_CHECKING:
    from datasets import Dataset

_SENTENCE = re.compile(r"<s snum=\S+>(.*?)</s>", re.DOTALL)
_ELEMENT = re.compile(r"<(wf|punc)\b([^>]*)>([^<]*)</\1>")
_ATTRIBUTE = re.compile(r"(\w+)=(\S+)")
_LOST = "0"


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row a sentence, in the order of the files' names.

    Columns: ``document`` ("br-a01"); lists of equal length: ``tokens``, case kept, ``_`` between
    the words of one of several (*primary_election*); ``pos``, a Penn Treebank tag, empty for
    punctuation; ``lemmas``, empty for a word without one; ``senses``, lists of WordNet 3.0 sense
    keys ("group%1:03:00::"), empty for a word without one or whose sense was lost from WordNet 1.6.
    """
    import datasets

    features = datasets.Features(
        document=datasets.Value("string"),
        tokens=strings(),
        pos=strings(),
        lemmas=strings(),
        senses=datasets.Sequence(strings()),
    )
    return datasets.Dataset.from_list(list(read_sentences(paths)), features=features)


def read_sentences(paths: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    """The rows of ``read``, one by one."""
    for path in sorted(path for path in paths if "/tagfiles/" in path):
        yield from _rows(paths[path])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for sentence in _SENTENCE.findall(path.read_text(encoding="ascii")):
        words = [
            (html.unescape(token).strip(), dict(_ATTRIBUTE.findall(attributes)))
            for _, attributes, token in _ELEMENT.findall(sentence)
        ]
        yield {
            "document": path.name,
            "tokens": [token for token, _ in words],
            "pos": [attributes.get("pos", "") for _, attributes in words],
            "lemmas": [attributes.get("lemma", "") for _, attributes in words],
            "senses": [_senses(attributes) for _, attributes in words],
        }


def _senses(attributes: Mapping[str, str]) -> list[str]:
    numbers, places = (attributes.get(key, "").split(";") for key in ("wnsn", "lexsn"))
    return [
        f"{attributes['lemma']}%{place}"
        for number, place in zip(numbers, places, strict=True)
        if place and number != _LOST
    ]
