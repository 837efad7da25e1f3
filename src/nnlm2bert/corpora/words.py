"""Words and sentences of running text: one convention for every set, by regular expressions.

The convention is the Penn Treebank's (Marcus, Santorini and Marcinkiewicz, 1993), as far as
patterns without a dictionary can follow it, because the labelled sets of the book follow it, too:
punctuation stands alone, *man's* is ``man 's``, *don't* is ``do n't``, *we'll* is ``we 'll``,
*boys'* is ``boys '``; *well-known*, *o'clock*, *1,000*, *3.5*, *Mr.* and *U.S.* are one word. It
differs in two marks: every double quotation mark is ``"`` and every dash is ``--``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

UNKNOWN = "<unk>"
QUOTE = '"'
DASH = "--"
ELLIPSIS = "..."
ABBREVIATIONS = (
    "Mr Mrs Ms Dr St Jr Sr Messrs Mme Mlle Mons Prof Rev Hon Capt Col Gen Lt Maj Sgt Gov Sen Rep "
    "Esq Co Corp Inc Ltd Bros vs etc viz cf Jan Feb Aug Sept Oct Nov Dec"
).split()

_UNSEEN = "\ufeff\xad"  # marks of byte order, soft hyphens
_PLAIN = str.maketrans("’‘‛′´`‑", "''''''-", _UNSEEN)
_WORD = re.compile(
    rf"""
    (?:{"|".join(ABBREVIATIONS)})\.(?!\w)             # Mr.
  | (?:[^\W\d_]\.){{2,}}                              # U.S., a.m.
  | (?-i:[A-HJ-Z])\.(?!\w)                            # an initial; "I." ends a sentence
  | (?P<ellipsis>\.{{2,}}|…)
  | (?P<dash>-{{2,}}|[–—―])                      # en and em dash, horizontal bar
  | (?P<quote>''|[“”„«»″"])
  | '(?:t(?:is|was|were|will|would)|em)(?!\w)         # 'tis
  | '(?:s|re|ve|ll|d|m)(?!\w) | n't(?!\w)             # what the word before leaves over
  | \w+?(?=n't(?!\w))                                 # do n't
  | (?:\d+(?:[.,:/]\d+)+\w*|\w+)                     # 1,000, 9:30, 1/2, 20th, word
    (?:[-'](?!(?:s|re|ve|ll|d|m)(?!\w))\w+)*          # -known, 'clock
  | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKS = {"ellipsis": ELLIPSIS, "dash": DASH, "quote": QUOTE}
_ENDS = frozenset(".!?")
_CLOSING = frozenset([QUOTE, "'", ")", "]"])
_CONTINUING = frozenset([",", ";", ":", DASH, ELLIPSIS])


def split_words(text: str) -> list[str]:
    """The words of raw text, case kept.

    No word reaches across white space, so a text may be split at white space first and each piece
    by itself.
    """
    matches = _WORD.finditer(text.translate(_PLAIN))
    return [_MARKS.get(match.lastgroup or "", match.group()) for match in matches]


def word_places(text: str) -> list[tuple[int, int]]:
    """Where each of the words of ``split_words`` stands in raw text.

    Its first character and the one after its last, so that a run of words can be cut out of the
    text as it was written.
    """
    kept = [place for place, character in enumerate(text) if character not in _UNSEEN]
    matches = _WORD.finditer(text.translate(_PLAIN))
    return [(kept[match.start()], kept[match.end() - 1] + 1) for match in matches]


def split_token(token: str) -> list[str]:
    """The words of one token of a text that was published in tokens, to the same convention.

    ``UNKNOWN``, alone or in a compound, is one word; a token of letters that ends in a full stop is
    an abbreviation and stays whole; every other one is split as raw text is.
    """
    if UNKNOWN in token:
        return [UNKNOWN]
    if token.endswith(".") and token.strip("."):
        return [token.translate(_PLAIN)]
    return split_words(token)


def sentence_starts(ids: np.ndarray, types: Sequence[str], blocks: np.ndarray) -> np.ndarray:
    """Where sentences begin: (T,) bool, for words ``ids`` (T,) of ``types`` in ``blocks`` (T,).

    A block (a paragraph, a heading) begins a sentence. So does the word after a full stop, question
    or exclamation mark and the closing marks behind it, unless it begins with a lower-case letter
    or is itself such a mark, a comma, colon, semicolon, dash or ellipsis. A quotation mark closes
    if it is the second, fourth ... of its block, or ends it. An abbreviation ends no sentence. Case
    must have been kept.
    """
    import numpy as np

    def each(test: Sequence[bool]) -> np.ndarray:
        return np.array(test, dtype=bool)[ids]

    start = np.ones(len(ids), dtype=bool)
    start[1:] = blocks[1:] != blocks[:-1]
    closing = each([word in _CLOSING for word in types])
    last = np.append(start[1:], True)
    closing &= ~_opening(each([word == QUOTE for word in types]), start) | last
    end = each([word in _ENDS for word in types])
    bound = each([word in _CONTINUING or word[0].islower() for word in types]) | closing | end
    positions = np.arange(len(ids))
    before_closing = np.maximum.accumulate(np.where(~closing | start, positions, 0))
    after_end = end[before_closing[:-1]]
    start[1:] |= after_end & ~bound[1:]
    return start


def _opening(quote: np.ndarray, block_start: np.ndarray) -> np.ndarray:
    import numpy as np

    seen = np.cumsum(quote)
    first = np.maximum.accumulate(np.where(block_start, np.arange(len(quote)), 0))
    in_block = seen - (seen[first] - quote[first])
    return quote & (in_block % 2 == 1)
