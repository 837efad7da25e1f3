"""XQuAD, English: questions on Wikipedia whose answers are spans of a paragraph.

Artetxe, Ruder & Yogatama, "On the Cross-lingual Transferability of Monolingual Representations"
(2020); questions and paragraphs are of SQuAD's development part (Rajpurkar et al. 2016).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.readers.columns import strings
from nnlm2bert.corpora.words import split_words, word_places

if TYPE_CHECKING:
    from datasets import DatasetDict

TEN = ("train", "train", "test", "train", "train", "test", "validation", "train", "test", "train")
"""The split of each article by the last digit of its number in the file."""


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train (29 articles), validation (5) and test (14), ours; one row a question.

    The set was published for testing alone. Articles are split whole, so that no paragraph of the
    test part, nor one on the same matter, is learned from. Columns: ``id``; ``article``, its title;
    ``paragraph``, its number in the file; ``question`` and ``tokens``, the paragraph, in words
    (``corpora.words``), case kept; ``text``, the paragraph as it was published; ``places``, for
    each of the ``tokens`` the [first, after last] character in it; ``answer``, as it was published;
    ``begin`` and ``end``, the first of the ``tokens`` that the answer touches and the one after the
    last.
    """
    import datasets

    articles = json.loads(paths["xquad-en/xquad.en.json"].read_text(encoding="utf-8"))["data"]
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in ("train", "validation", "test")}
    for split, row in _questions(articles):
        rows[split].append(row)
    features = _features()
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list(found, features=features)
            for split, found in rows.items()
        }
    )


def _features() -> Any:
    import datasets

    text, number = datasets.Value("string"), datasets.Value("int32")
    return datasets.Features(
        id=text,
        article=text,
        paragraph=number,
        question=strings(),
        tokens=strings(),
        text=text,
        places=datasets.Sequence(datasets.Sequence(number)),
        answer=text,
        begin=number,
        end=number,
    )


def _questions(articles: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    for article_number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            shared = {
                "article": article["title"],
                "paragraph": number,
                "tokens": split_words(text),
                "text": text,
                "places": word_places(text),
            }
            for asked in paragraph["qas"]:
                yield TEN[article_number % 10], {**shared, **_answered(asked, shared["places"])}
            number += 1


def _answered(asked: dict[str, Any], places: list[tuple[int, int]]) -> dict[str, Any]:
    answer = asked["answers"][0]
    first = answer["answer_start"]
    after = first + len(answer["text"])
    touched = [n for n, (low, high) in enumerate(places) if low < after and high > first]
    if not touched:
        raise CorpusError(f"The answer to question {asked['id']} of xquad-en touches no word.")
    return {
        "id": asked["id"],
        "question": split_words(asked["question"]),
        "answer": answer["text"],
        "begin": touched[0],
        "end": touched[-1] + 1,
    }
