"""What the page shows before anything is loaded: a few questions and their answers.

Each example is JSON: ``inputs``, what a reader would type; ``columns`` and ``rows``, a table whose
first column names the rows; ``note``, a sentence or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnlm2bert.experiments.live.answers import Answers, Distributions, Meeting, gap

SHOWN = 8
DIGITS = 6
END_NAME = "(end of the text)"
OTHERS = "all other words"
NO_TOPIC = "no topic"
PLACES = ("first", "second")
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "nnlm": {"network": "NNLM", "window": "limit of four words", "limit": "limit"},
    "gpt": {"network": "GPT", "limit": "limit"},
    "bert": {
        "gpt": "GPT",
        "left": "limit of the left",
        "network": "BERT",
        "limit": "limit of both sides",
    },
}
"""Names of the columns of chances, by network and by what `Answers` calls them."""
NEXT: Mapping[str, Sequence[str]] = {
    "nnlm": ("she sings in the", "the dogs of the king", "the dogs of the king of the girl"),
    "gpt": (
        "the dogs of the king of the girl",
        "he hunts near the bank . the",
        "she sings in the hall . the",
    ),
}
SUMS = ("bank", "king - man + woman", "rome - italy + france", "0.5 bank + 0.5 river")
MEETINGS = (
    ("the banker pays near the bank .", "many eagles behind my bank grow near the field ."),
    ("the banker pays near the bank .", "he hunts near the bank ."),
)
HIDDEN = (
    ("many eagles behind my bank grow near the field .", 1),
    ("the dogs of the king are very good .", 5),
    ("he hunts near the bank .", 4),
)


def example(name: str, answers: Answers) -> list[dict[str, Any]]:
    """The examples of a network."""
    makers: Mapping[str, Callable[[Answers], list[dict[str, Any]]]] = {
        "nnlm": lambda found: next_words("nnlm", found),
        "gpt": lambda found: next_words("gpt", found),
        "bert": hidden_words,
        "word2vec": sums,
        "elmo": meetings,
    }
    return makers[name](answers)


def next_words(name: str, answers: Answers) -> list[dict[str, Any]]:
    """Beginnings and the words that follow."""
    return [
        {"inputs": {"text": text}, **chances(name, answers.next_word(name, text), answers)}
        for text in NEXT[name]
    ]


def hidden_words(answers: Answers) -> list[dict[str, Any]]:
    """Sentences with a word hidden."""
    return [
        {
            "inputs": {"text": text, "place": place},
            **chances("bert", answers.hidden_word(text, place), answers),
        }
        for text, place in HIDDEN
    ]


def chances(name: str, found: Distributions, answers: Answers) -> dict[str, Any]:
    """The table of the likeliest words, and of all the others together."""
    table = np.stack([found[key] for key in COLUMNS[name]], axis=1)  # (V, columns)
    top = np.argsort(-table.sum(axis=1), kind="stable")[:SHOWN]
    names = [*answers.language.vocabulary]
    names[answers.language.end_id] = END_NAME
    rows = [[names[word], *rounded(table[word])] for word in top]
    rows.append([OTHERS, *rounded(1 - table[top].sum(axis=0))])
    cost, more = gap(found["limit"], found["network"])
    columns = list(COLUMNS[name].values())
    figures = {"limit": round(cost, DIGITS), "more": round(more, DIGITS)}
    return {"columns": columns, "rows": rows, "bits": figures}


def sums(answers: Answers) -> list[dict[str, Any]]:
    """Sums of words and what lies nearest to them."""
    return [
        {
            "inputs": {"sum": text},
            "columns": ["cosine"],
            "rows": [
                [word, *rounded([cosine])] for word, cosine in answers.neighbours(terms(text))
            ],
        }
        for text in SUMS
    ]


def terms(text: str) -> list[tuple[float, str]]:
    """``0.5 king - man`` as (0.5, king), (-1, man)."""
    found, sign, factor = [], 1.0, 1.0
    for part in text.split():
        if part in "+-":
            sign, factor = (1.0 if part == "+" else -1.0), 1.0
        elif part[0].isdigit():
            factor = float(part)
        else:
            found.append((sign * factor, part))
            sign, factor = 1.0, 1.0
    return found


def meetings(answers: Answers) -> list[dict[str, Any]]:
    """The bank in two sentences."""
    found = []
    for first, second in MEETINGS:
        table = met(answers.meeting(first, second, "bank"), answers)
        found.append({"inputs": {"first": first, "second": second, "word": "bank"}, **table})
    return found


def met(meeting: Meeting, answers: Answers) -> dict[str, Any]:
    """Layer by layer: the cosine, and the chances of the topics that the limit finds likeliest."""
    likeliest = meeting.limit.argmax(axis=1)
    names = [*answers.language.topics, NO_TOPIC]
    columns = [f"{place}: {names[at]}" for place, at in zip(PLACES, likeliest, strict=True)]
    padded = np.pad(meeting.read, ((0, 0), (0, 0), (0, 1)))  # a probe always names a topic
    rows: list[list[Any]] = [
        [f"layer {layer}" if layer else "letters", *rounded([cosine, *read[(0, 1), likeliest]])]
        for layer, (cosine, read) in enumerate(zip(meeting.cosines, padded, strict=True))
    ]
    limit = meeting.limit[(0, 1), likeliest]
    rows.append(["limit", None, *rounded(limit)])
    return {"columns": ["cosine", *columns], "rows": rows}


def rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    """Numbers with so many digits as the page compares."""
    return [round(float(value), DIGITS) for value in values]
