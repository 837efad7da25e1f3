"""The pieces of `make pdf`: the book on one page, and a browser that prints a page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

import print_book
from canonical import chapter_paths

pytestmark = pytest.mark.timeout(900)  # the whole book is built and read

PAGE = """<html><head><style>@page { size: A4 } h1 { break-before: page }</style></head>
<body><p>front</p><h1 id="a">One</h1><a href="#b">on</a><h1 id="b">Two</h1></body></html>"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    """The book of this repository, built and prepared, not printed."""
    page = print_book.prepare(print_book.build(tmp_path_factory.mktemp("print")))
    assert page.parent.joinpath("_static/print.css").is_file()
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def test_the_whole_book_is_on_the_page(whole: BeautifulSoup) -> None:
    titles = [part.find("h1").get_text() for part in whole.select(".nnlm-printed-chapter")]
    assert titles[0].startswith("From NNLM to BERT") and len(titles) >= len(chapter_paths())
    assert whole.select(".nnlm-answers") and not whole.select(".nnlm-quiz details")
    assert whole.select(".solution") and not whole.select(".dropdown")
    assert not whole.select("details:not([open])")


def test_its_links_lead_to_places_of_the_page(whole: BeautifulSoup) -> None:
    places = [str(tag["id"]) for tag in whole.select("body [id]")]
    links = [str(link["href"]) for link in whole.select("body a[href]")]
    inside = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert len(places) == len(set(places)) and len(inside) > 300
    assert {link for link in inside if link.removeprefix("#") not in places} == set()


def test_networks_of_the_page_show_their_examples(whole: BeautifulSoup) -> None:
    places = whole.select("section.nnlm-live")
    assert len(places) >= 5 and not whole.select(".nnlm-live-form")
    assert all(len(place.select("details[open] table")) >= 2 for place in places)
    assert whole.select('head link[href*="live.css"]') and whole.select('link[href*="print.css"]')


def test_its_pictures_lie_beside_it(whole: BeautifulSoup) -> None:
    sources = {str(image["src"]) for image in whole.select("body img")}
    assert sources and all(source.startswith(("_images/", "data:")) for source in sources)


def apart(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function in a thread of its own: another test's browser may hold this one's loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def test_a_page_is_printed_with_bookmarks_and_links(tmp_path: Path) -> None:
    if not any(map(shutil.which, print_book.BROWSERS)):
        pytest.skip(f"no browser found: install one of {', '.join(print_book.BROWSERS)}")
    page, target = tmp_path / "page.html", tmp_path / "made" / "book.pdf"
    page.write_text(PAGE, encoding="utf-8")
    apart(print_book.print_page, page, target)
    pdf = target.read_bytes()
    assert pdf.startswith(b"%PDF-") and len(re.findall(rb"/Type\s*/Page\b", pdf)) == 3
    assert b"/Outlines" in pdf and b"/Link" in pdf and b"/StructTreeRoot" in pdf
    assert [path.name for path in target.parent.iterdir()] == ["book.pdf"]


def test_without_a_browser_the_command_says_what_to_do(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(print_book, "build", lambda folder: tmp_path)
    monkeypatch.setattr(print_book, "prepare", lambda page: page)
    monkeypatch.setattr(print_book, "BROWSERS", ())
    monkeypatch.setattr(print_book, "CHANNELS", ())
    assert apart(print_book.main, []) == 1
    assert "Install Chromium or Chrome" in capsys.readouterr().err


def test_a_book_that_does_not_build_is_not_printed(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(print_book, "ROOT", tmp_path)
    assert print_book.main([]) == 1
    assert "does not build on one page" in capsys.readouterr().err
