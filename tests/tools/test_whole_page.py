"""The book on one page becomes a page for paper: all said, every place named once, links inside."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from whole_page import PageError, printable

QUIZ = """<ol class="nnlm-quiz"><li>What is it?
<details><summary>A cat.</summary><p><strong>No.</strong> It barks.</p></details>
<details><summary>A <code>dog</code>.</summary><p><strong>Right.</strong> It barks.</p></details>
</li></ol>"""
BOOK = f"""<html data-theme="dark"><head><title>x</title>
<script src="_static/vendor/mathjax/tex.js"></script><script src="theme.js"></script></head>
<body><nav>menu <button>search</button></nav><article><section id="book">
<h1>The book<a class="headerlink" href="#book">#</a></h1>
<p><span class="bibtex-citation">[<a href="book/intro.html#id1" title="A paper.">A</a>]</span>
<a href="#document-notebooks/01_one">chapter one</a> <a href="https://example.org/#x">out</a></p>
<div class="toctree-wrapper"><span id="document-notebooks/01_one"></span><section id="one">
<h2>One</h2><section id="quiz"><h3>Quiz</h3><p id="id1">here</p><i id="id1"></i>
<a href="#quiz">this quiz</a> <a href="book/intro.html#only-in-two">a figure</a>
<details class="hide above-input"><summary>Show</summary><pre>draw()</pre></details>
<details class="sd-dropdown"><summary>More</summary><p>folded text</p></details>
<div class="solution dropdown admonition"><p>solved</p></div>{QUIZ}</section></section>
<span id="document-book/two"></span><section id="two"><h2>Two</h2>
<section id="quiz"><h3>Quiz</h3><figure id="only-in-two"></figure>
<a href="#document-book/intro">the beginning</a>
<div id="id1" role="doc-biblioentry"><a role="doc-backlink" href="#id1">1</a> A paper.</div>
</section></section></div></section></article></body></html>"""


@pytest.fixture(scope="module")
def page() -> BeautifulSoup:
    """The small book above as it would be printed."""
    return BeautifulSoup(printable(BOOK, "The title", ["by somebody"]), "html.parser")


def href(page: BeautifulSoup, text: str) -> str:
    """Where the link with a text leads."""
    return next(link["href"] for link in page.find_all("a") if link.get_text() == text)


def test_every_place_is_named_once_and_every_link_finds_its_own(page: BeautifulSoup) -> None:
    places = [tag["id"] for tag in page.select("[id]")]
    assert len(places) == len(set(places))
    inside = [link["href"] for link in page.select("a[href]") if ":" not in link["href"]]
    assert {link.removeprefix("#") for link in inside} <= set(places)
    assert href(page, "this quiz") == "#01_one--quiz"
    assert href(page, "a figure") == "#two--only-in-two"
    assert href(page, "A") == "#two--id1"
    assert href(page, "chapter one") == "#01_one"
    assert href(page, "the beginning") == "#front"
    assert href(page, "out") == "https://example.org/#x"


def test_chapters_stand_beside_each_other_with_titles_of_the_first_level(
    page: BeautifulSoup,
) -> None:
    parts = page.select("main > .nnlm-printed-chapter")
    assert [part.find("h1").get_text() for part in parts] == ["The book", "One", "Two"]
    assert [heading.get_text() for heading in page.find_all("h2")] == ["Quiz", "Quiz"]


def test_contents_name_every_chapter(page: BeautifulSoup) -> None:
    entries = [link.get_text() for link in page.select(".nnlm-contents a")]
    assert entries == ["Introduction", "One", "Two"]
    assert page.select_one(".nnlm-front").get_text(" ").startswith("The title by somebody")


def test_what_is_folded_stands_open_and_drawing_code_is_left_out(page: BeautifulSoup) -> None:
    assert all(details.has_attr("open") for details in page.find_all("details"))
    assert "folded text" in page.get_text() and "draw()" not in page.get_text()
    assert not page.select(".dropdown") and "solved" in page.get_text()


def test_a_quiz_has_its_answers_below_the_last_question(page: BeautifulSoup) -> None:
    quiz = page.select_one(".nnlm-quiz")
    assert [choice.get_text() for choice in quiz.select(".nnlm-choices li")] == ["A cat.", "A dog."]
    assert "Right." not in quiz.get_text()
    answers = quiz.find_next_sibling("ol")
    assert " ".join(answers.get_text().split()) == "(a) No. It barks. (b) Right. It barks."


def test_of_the_scripts_only_that_of_the_formulas_remains(page: BeautifulSoup) -> None:
    assert [script["src"] for script in page.find_all("script")] == [
        "_static/vendor/mathjax/tex.js"
    ]
    assert page.html["data-theme"] == "light" and "menu" not in page.get_text()


def test_a_link_to_nowhere_is_refused() -> None:
    with pytest.raises(PageError, match="'notebooks/01_one' links to '#gone', which is nowhere"):
        printable(BOOK.replace("#only-in-two", "#gone"), "", [])


def test_a_page_without_chapters_is_refused() -> None:
    with pytest.raises(PageError, match="singlehtml"):
        printable("<article><section><h1>One</h1></section></article>", "", [])
