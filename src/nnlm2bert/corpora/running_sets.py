"""How each set of the running text is read: its documents, cut into pieces, and their words.

What a set's publishers cut or changed is put together again here; ``corpora.words`` then brings all
of them to one convention.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from types import MappingProxyType

from nnlm2bert.corpora.download import fetch
from nnlm2bert.corpora.readers import load
from nnlm2bert.corpora.words import ELLIPSIS, split_token, split_words

Document = tuple[str, Sequence[Sequence[str]]]  # its name; blocks of pieces without white space


@dataclass(frozen=True)
class RunningSet:
    """How a set is read: its ``documents``, and the words of one piece of them (``split``).

    A block of a document is a sentence (``blocks_are_sentences``), or a paragraph.
    """

    documents: Callable[[], Iterator[Document]]
    split: Callable[[str], list[str]]
    blocks_are_sentences: bool = False


_SPLIT_MARK = re.compile(r" @([-,.])@ ")  # WikiText-2: two @-@ day
_CUT_NOT = re.compile(r"(?<=n) ('t)(?!\S)")  # didn 't
_CUT_NAME = re.compile(r"(?<!\S)([OD]) (?='[^\W\d_]{2})")  # O 'Brien
_CUT_STOP = re.compile(r"(?<!\S)(mr|mrs|ms|dr|jr|sr|st|vs|etc) \.(?!\S)")  # reviews: mr .
_CUT_LETTERS = re.compile(r"(?<!\S)(?:(u) \. (s)|(i) \. (e)|(e) \. (g)) \.(?!\S)")  # u . s .
_CUT_NUMBER = re.compile(r"(?<=\d) , (?=\d{3}(?!\S))")  # 10 , 000
_SEVEN_BITS = {0x05: "...", 0x12: "'", 0x13: '"', 0x14: '"', 0x16: "--"}  # marks of Windows-1252
_SPACED_STOPS = re.compile(r"\.(?: \.)+")  # . . .


def _brown() -> Iterator[Document]:
    from nnlm2bert.corpora.readers.brown import read_texts

    for text in read_texts(fetch("brown")):
        sentences = [[token for token, _ in s] for p in text.paragraphs for s in p]
        yield f"brown/{text.name}", sentences


def _wikitext(split: str = "train") -> Iterator[Document]:
    rows = load("wikitext-2")[split]
    lines = zip(rows["article"], rows["level"], rows["tokens"], strict=True)
    for article, group in groupby(lines, key=lambda line: line[0]):
        blocks = [
            _whole_words(tokens[level : len(tokens) - level])
            for _, level, tokens in group
            if tokens
        ]
        yield f"wikitext-2/{article}", blocks


def _whole_words(tokens: Sequence[str]) -> list[str]:
    """Put together again what WikiText-2 cuts: two @-@ day, 1 @,@ 000, didn 't, O 'Brien."""
    text = _SPLIT_MARK.sub(r"\1", " ".join(tokens))
    return _CUT_NAME.sub(r"\1", _CUT_NOT.sub(r"\1", text)).split()


def _movie_reviews() -> Iterator[Document]:
    from nnlm2bert.corpora.readers.movie_reviews import read_reviews

    for review in read_reviews(fetch("movie-reviews")):
        yield f"movie-reviews/{review.name}", [_whole_stops(s) for s in review.sentences]


def _whole_stops(tokens: Sequence[str]) -> list[str]:
    """Put together again what the reviews cut (mr . , u . s . , 10 , 000), and mend their marks."""
    text = html.unescape(" ".join(tokens)).translate(_SEVEN_BITS)
    text = _CUT_LETTERS.sub(r"\1\3\5.\2\4\6.", text)
    return _CUT_NUMBER.sub(",", _CUT_STOP.sub(r"\1.", text)).split()


def _state_union() -> Iterator[Document]:
    from nnlm2bert.corpora.readers.state_union import read_addresses

    for address in read_addresses(fetch("state-union")):
        yield f"state-union/{address.name}", [_raw(text) for text in address.paragraphs]


def _books(split: str = "train") -> Iterator[Document]:
    from nnlm2bert.corpora.readers.books import read_books

    for book in read_books(fetch("books"), split):
        yield f"books/{book.name}", [_raw(text) for text in book.paragraphs]


def _raw(text: str) -> list[str]:
    return _SPACED_STOPS.sub(ELLIPSIS, text).split()


SETS: Mapping[str, RunningSet] = MappingProxyType(
    {
        "brown": RunningSet(_brown, split_token, blocks_are_sentences=True),
        "wikitext-2": RunningSet(_wikitext, split_token),
        "movie-reviews": RunningSet(_movie_reviews, split_words, blocks_are_sentences=True),
        "state-union": RunningSet(_state_union, split_words),
        "books": RunningSet(_books, split_words),
    }
)

HELD_OUT_SETS: Mapping[str, RunningSet] = MappingProxyType(
    {
        "wikitext-2": RunningSet(partial(_wikitext, "validation"), split_token),
        "books": RunningSet(partial(_books, "validation"), split_words),
    }
)
"""The validation splits of the sets that were published with one."""
