"""SemCor 3.0: 186 texts of the Brown corpus whose words are tagged with senses of WordNet 3.0.

Miller, Leacock, Tengi & Bunker, "A semantic concordance" (Human Language Technology, 1993); mapped
to WordNet 3.0 by Rada Mihalcea. The part of verbs alone (brownv) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset

_TEXT = re.compile(r"semcor/(brown[12])/tagfiles/(br-[a-r]\d\d)")
_SENTENCE = re.compile(r"<s snum=\d+>(.*?)</s>", re.DOTALL)
_TOKEN = re.compile(r"<(?:wf|punc)\s*([^>]*)>([^<]*)</(?:wf|punc)>")
_ATTRIBUTE = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Token:
    """A word as published ("Grand_Jury" is one), its tag, lemma and sense keys.

    ``pos`` is a tag of the Penn Treebank, "" for punctuation. ``senses`` are keys of WordNet 3.0
    ("say%2:32:00::"): mostly one, none for words without a tag or whose sense was lost.
    """

    text: str
    pos: str
    lemma: str
    senses: tuple[str, ...]


@dataclass(frozen=True)
class SemCorText:
    """One text: its name as in Brown ("br-a01"), its part, and its sentences."""

    name: str
    part: str
    sentences: list[list[Token]]


def read(paths: Mapping[str, Path]) -> Dataset:
    """One row a sentence, in the order of the corpus.

    Columns: ``text`` ("br-a01"); ``part`` ("brown1", where all content words are tagged, or
    "brown2", likewise); ``tokens``, ``pos`` and ``lemmas``, lists of strings of equal length, ""
    where a token has none; ``senses``, a list of lists of sense keys.
    """
    import datasets

    strings = datasets.Sequence(datasets.Value("string"))
    columns = {name: datasets.Value("string") for name in ("text", "part")}
    columns |= dict.fromkeys(("tokens", "pos", "lemmas"), strings)
    features = datasets.Features(**columns, senses=datasets.Sequence(strings))
    rows = [_row(text, sentence) for text in read_texts(paths) for sentence in text.sentences]
    return datasets.Dataset.from_list(rows, features=features)


def read_texts(paths: Mapping[str, Path]) -> Iterator[SemCorText]:
    """The texts of brown1, then of brown2, each in the order of their names."""
    for path in sorted(filter(_TEXT.fullmatch, paths)):
        part, name = _TEXT.fullmatch(path).groups()
        content = paths[path].read_text(encoding="ascii")
        sentences = [_tokens(found) for found in _SENTENCE.findall(content)]
        yield SemCorText(name, part, sentences)


def _tokens(sentence: str) -> list[Token]:
    return [_token(attributes, text) for attributes, text in _TOKEN.findall(sentence)]


def _token(attributes: str, text: str) -> Token:
    """Read one element; the attributes are not quoted, which keeps XML parsers from helping."""
    found = dict(_ATTRIBUTE.findall(attributes))
    lemma = found.get("lemma", "")
    numbers = found.get("wnsn", "").split(";")
    places = found.get("lexsn", "").split(";")
    pairs = zip(numbers, places, strict=False)
    senses = tuple(f"{lemma}%{place}" for number, place in pairs if place and number != "0")
    return Token(text, found.get("pos", ""), lemma, senses)


def _row(text: SemCorText, sentence: list[Token]) -> dict[str, object]:
    return {
        "text": text.name,
        "part": text.part,
        "tokens": [token.text for token in sentence],
        "pos": [token.pos for token in sentence],
        "lemmas": [token.lemma for token in sentence],
        "senses": [list(token.senses) for token in sentence],
    }
