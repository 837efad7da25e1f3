"""Answers to questions against the right ones: exact match and F1 by words, for SQuAD.

Rajpurkar, Zhang, Lopyrev & Liang (2016), section 6.1: punctuation and the articles *a*, *an*, *the*
do not count, nor do capitals. Where there are several right answers the best counts; the sets of
this book have one.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence

Group = dict[str, list[float]]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_words(answer: str) -> list[str]:
    """Return what counts of an answer, in order.

    >>> plain_words("The U.S. Army's")
    ['us', 'armys']
    """
    return _ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split()


def exact_match(said: str, right: str) -> bool:
    """Return whether an answer is the right one."""
    return plain_words(said) == plain_words(right)


def word_f1(said: str, right: str) -> float:
    """Return the harmonic mean of precision and recall of an answer's words, as a bag.

    If one of the two has no word that counts, it is 1 if the other has none either, else 0.
    """
    ours, theirs = plain_words(said), plain_words(right)
    if not ours or not theirs:
        return float(ours == theirs)
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs))


def answer_units(
    said: Sequence[str], right: Sequence[str], owners: Iterable[int]
) -> tuple[Group, Group]:
    """Return exact match and F1 as groups of a record, a unit for each paragraph.

    Both are means over questions, of which ``owners`` tells the paragraph: questions on one text
    are right or wrong together. Raises ValueError where lengths differ.
    """
    exact: dict[int, list[float]] = {}
    partly: dict[int, list[float]] = {}
    for ours, theirs, owner in zip(said, right, owners, strict=True):
        exact.setdefault(owner, []).append(float(exact_match(ours, theirs)))
        partly.setdefault(owner, []).append(word_f1(ours, theirs))
    return _group(exact), _group(partly)


def _group(scores: dict[int, list[float]]) -> Group:
    return {
        "tokens": [len(unit) for unit in scores.values()],
        "nats": [round(sum(unit), 6) for unit in scores.values()],
    }
