"""Readers of answers within texts and of translations follow the files; real ones have counts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from loopback import use_real_data

from nnlm2bert.corpora import CorpusError, load
from nnlm2bert.corpora.readers import multi30k, xquad_en

TEXT = "The U.S. won — 24\xad–10, at Levi\u2019s Stadium."
STEMS = ("train", "val", "test_2016_flickr")


def _article(number: int, start: int = 4, answer: str = "U.S.") -> dict[str, object]:
    """An article of one paragraph with one question."""
    asked = {
        "id": f"q{number}",
        "question": "Who won?",
        "answers": [{"answer_start": start, "text": answer}],
    }
    return {"title": f"T{number}", "paragraphs": [{"context": TEXT, "qas": [asked]}]}


def _questions(tmp_path: Path, articles: list[dict[str, object]]) -> dict[str, Path]:
    """The file of some articles, and of others behind them, so that no split is empty."""
    articles += [_article(number) for number in range(len(articles), 7)]
    path = tmp_path / "questions.json"
    path.write_text(json.dumps({"data": articles}), encoding="utf-8")
    return {"xquad-en/xquad.en.json": path}


def test_xquad_rows(tmp_path: Path) -> None:
    row = xquad_en.read(_questions(tmp_path, [_article(0)]))["train"][0]
    assert (row["id"], row["article"], row["paragraph"]) == ("q0", "T0", 0)
    assert row["question"] == ["Who", "won", "?"] and row["text"] == TEXT
    assert row["tokens"][:6] == ["The", "U.S.", "won", "--", "24", "--"]
    assert (row["answer"], row["begin"], row["end"]) == ("U.S.", 1, 2)
    cut = [TEXT[first:after] for first, after in row["places"]]
    assert cut[3:6] == ["—", "24", "–"] and cut[-4:] == ["Levi", "\u2019s", "Stadium", "."]


def test_an_answer_within_a_word_is_that_word(tmp_path: Path) -> None:
    start = TEXT.index("evi")
    row = xquad_en.read(_questions(tmp_path, [_article(0, start, "evi\u2019s")]))["train"][0]
    assert row["tokens"][row["begin"] : row["end"]] == ["Levi", "'s"]


def test_an_answer_that_touches_no_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="question q0 of xquad-en touches no word"):
        xquad_en.read(_questions(tmp_path, [_article(0, 3, " ")]))


def test_articles_are_split_whole(tmp_path: Path) -> None:
    splits = xquad_en.read(_questions(tmp_path, [_article(number) for number in range(20)]))
    numbers = {split: rows["paragraph"][:] for split, rows in splits.items()}
    assert numbers["validation"] == [6, 16] and numbers["test"] == [2, 5, 8, 12, 15, 18]
    assert len(numbers["train"]) == 12


def _captions(tmp_path: Path, **texts: str) -> dict[str, Path]:
    found = {}
    for stem in STEMS:
        for code, text in texts.items():
            path = tmp_path / f"{stem}.{code}.gz"
            path.write_bytes(gzip.compress(text.encode("utf-8")))
            found[f"multi30k/{path.name}"] = path
    return found


def test_multi30k_rows(tmp_path: Path) -> None:
    splits = multi30k.read(
        _captions(tmp_path, en="A man \nTwo\u2028dogs.\n", de="Ein Mann\nZwei\n")
    )
    assert list(splits) == ["train", "validation", "test"]
    assert splits["validation"].to_list() == [
        {"english": "A man", "german": "Ein Mann"},
        {"english": "Two\u2028dogs.", "german": "Zwei"},
    ]


def test_translations_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'train' of multi30k differ in length"):
        multi30k.read(_captions(tmp_path, en="A\nB\n", de="A\n"))


def test_counts_of_the_real_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_real_data(monkeypatch, tmp_path, "xquad-en", "multi30k")
    questions = load("xquad-en")
    counts = {
        split: (len(set(rows["article"])), len(set(rows["paragraph"])), len(rows))
        for split, rows in questions.items()
    }
    assert counts == {"train": (29, 145, 730), "validation": (5, 25, 123), "test": (14, 70, 337)}
    for row in questions["test"]:
        low, high = row["places"][row["begin"]][0], row["places"][row["end"] - 1][1]
        assert row["text"][low:high] == row["answer"]
    captions = load("multi30k")
    assert {split: len(rows) for split, rows in captions.items()} == {
        "train": 29_000,
        "validation": 1_014,
        "test": 1_000,
    }
    assert captions["test"]["german"][1].startswith("Ein Boston Terrier läuft über saftig-grünes")
