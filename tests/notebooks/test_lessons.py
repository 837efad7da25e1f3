"""Quizzes, exercises and summaries have one form in all chapters, as a reader meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from canonical import chapter_paths, read_notebook
from nnlm2bert.experiments.claims import CLAIMS

ROOT = Path(__file__).resolve().parents[2]
LISTED = (ROOT / "_toc.yml").read_text(encoding="utf-8")
CHAPTERS = [path for path in chapter_paths() if f"notebooks/{path.stem}" in LISTED]
PARTS = ("What was missing", "The idea", "Measured", "Claims", "Still missing")
FEWEST_EXERCISES, FEWEST_QUESTIONS, FEWEST_CHOICES = 4, 3, 3
ASKED = re.compile(r"^`{4}\{exercise\}\n:label: ([a-z0-9-]+)\n\n\S", re.MULTILINE)
BEGUN = re.compile(r"^`{4}\{solution-start\} ([a-z0-9-]+)\n:class: dropdown\n`{4}", re.MULTILINE)
ENDED = re.compile(r"^`{4}\{solution-end\}\n`{4}", re.MULTILINE)
MOST_SIGNS = 4_000
"""Of a chapter in short, its tags left out: about a page."""

chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def told(path: Path) -> str:
    """The markdown of a chapter."""
    cells = read_notebook(path).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def quizzes(path: Path) -> list[Tag]:
    """The quizzes that a chapter shows, from its committed outputs."""
    cells = [cell for cell in read_notebook(path).cells if cell.cell_type == "code"]
    pages = [o.get("data", {}).get("text/html", "") for cell in cells for o in cell.outputs]
    shown = [page for page in pages if 'class="nnlm-quiz"' in page]
    return [tag for page in shown for tag in BeautifulSoup(page, "html.parser").select("ol")]


def summaries() -> dict[str, str]:
    """Chapter -> what `book/summaries.md` says of it, by its title."""
    text = (ROOT / "book/summaries.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def title(path: Path) -> str:
    """The name of a chapter, as it stands before the colon of its title."""
    return read_notebook(path).cells[0].source.splitlines()[0].removeprefix("# ").split(":")[0]


@chapters
def test_every_exercise_has_a_label_and_a_folded_solution(path: Path) -> None:
    text = told(path)
    asked, begun = ASKED.findall(text), BEGUN.findall(text)
    assert len(asked) == text.count("{exercise") >= FEWEST_EXERCISES
    assert asked == begun and len(set(asked)) == len(asked)
    assert len(ENDED.findall(text)) == len(begun) == text.count("{solution-start}")


@chapters
def test_every_choice_of_a_quiz_is_judged_and_explained(path: Path) -> None:
    (quiz,) = quizzes(path)
    questions = quiz.find_all("li", recursive=False)
    assert len(questions) >= FEWEST_QUESTIONS
    for question in questions:
        choices = question.find_all("details")
        verdicts = [choice.p.strong.get_text() for choice in choices]
        reasons = [
            choice.p.get_text().removeprefix(choice.p.strong.get_text()) for choice in choices
        ]
        assert len(choices) >= FEWEST_CHOICES and set(verdicts) == {"Right.", "No."}
        assert verdicts.count("Right.") == 1
        assert all(len(reason.split()) >= 2 for reason in reasons) and len(set(reasons)) > 1


@chapters
def test_every_chapter_is_told_on_a_page(path: Path) -> None:
    text = summaries()[title(path)]
    assert tuple(re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)) == PARTS
    assert 500 < len(re.sub(r"<!--.*?-->", "", text)) < MOST_SIGNS


@chapters
def test_the_page_names_the_claims_of_its_chapter(path: Path) -> None:
    wanted = {claim.id for claim in CLAIMS if claim.chapter == path.stem}
    named = re.findall(r"<!-- claim: (\d+) verdict -->", summaries()[title(path)])
    assert sorted(map(int, named)) == sorted(wanted)


def test_no_chapter_is_told_that_is_not_there() -> None:
    assert set(summaries()) == {title(path) for path in CHAPTERS}
