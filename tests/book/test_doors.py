"""What leads readers to the book: search, descriptions, the citation file, the workflows."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, expect

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# A term's Chinese name stands in brackets behind it, at its first use.
NAMED = re.compile(r"[(]([^()]*[\u4e00-\u9fff][^()]*)[)]")
SAYINGS = {"给马车换轮胎"}
FOUND = {
    "Kneser-Ney": "NNLM",
    "perplexity": "Glossary",
    "polysemy": "Glossary",
    "checksum": "How to use this book",
}


def read_yaml(path: Path) -> Any:
    """Return what a YAML file says."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("word", "title"), FOUND.items())
def test_search_finds_a_word(browser: Browser, site: str, word: str, title: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{site}/search.html?q={word}")
    results = page.locator("#search-results ul.search li > a")
    expect(results.filter(has_text=title).first).to_be_visible(timeout=60_000)
    page.close()


def test_search_says_when_it_finds_nothing(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}/search.html?q=zyxwvut")
    told = page.get_by_text("did not match any documents")
    expect(told).to_be_visible(timeout=60_000)
    page.close()


def test_every_page_has_a_description_of_its_own(built_book: Path) -> None:
    pages = [*built_book.glob("book/*.html"), *built_book.glob("notebooks/*.html")]
    told = {path.name: description(path) for path in pages}
    assert len(told) > 8 and len(set(told.values())) == len(told), told
    assert {name: text for name, text in told.items() if not 30 <= len(text) <= 200} == {}


def description(path: Path) -> str:
    """Return what a page says of itself."""
    tag = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one(
        'meta[name="description"]'
    )
    assert tag is not None, path
    return str(tag["content"])


def test_pages_name_both_licences(built_book: Path) -> None:
    page = BeautifulSoup((built_book / "book/intro.html").read_text("utf-8"), "html.parser")
    footer = page.select_one(".bd-footer-content")
    assert footer is not None
    assert "MIT" in footer.get_text() and "Attribution 4.0" in footer.get_text()


def test_citation_file_has_what_its_format_asks_for() -> None:
    citation = read_yaml(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    assert date.fromisoformat(str(citation["date-released"]))
    assert all({"name"} <= set(author) for author in citation["authors"])


def chinese_names(path: Path) -> set[str]:
    """Return the Chinese names that a chapter gives to its terms."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    named = {name for text in texts for found in NAMED.findall(text) for name in found.split(", ")}
    return {name.replace(" ", "") for name in named if re.search("[\u4e00-\u9fff]", name)}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("0*.ipynb")), ids=lambda path: path.stem
)
def test_every_chinese_name_of_a_chapter_is_in_the_glossary(path: Path) -> None:
    glossary = (ROOT / "book/glossary.md").read_text(encoding="utf-8").splitlines()
    known = [line for line in glossary if line and not line.startswith(" ")]
    missing = {n for n in chinese_names(path) - SAYINGS if not any(n in line for line in known)}
    assert missing == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_targets_that_make_has(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M))
    workflow = read_yaml(path)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    made = {t for step in steps for t in re.findall(r"make ([a-z-]+)", step.get("run", ""))}
    assert made and made <= targets
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
    assert workflow["permissions"] == {"contents": "read"} and True in workflow


def test_workflows_check_what_make_test_checks_and_publish_the_whole_book() -> None:
    check, publish = (path.read_text(encoding="utf-8") for path in WORKFLOWS)
    recipe = re.search(r"no-print-directory ([a-z -]+)", (ROOT / "Makefile").read_text("utf-8"))
    assert recipe is not None
    assert [t for t in recipe[1].split() if f"make {t}" not in check] == []
    assert all(f"make {target}" in publish for target in ("book", "chinese", "pdf"))
    for version in ("3.10", "3.13"):
        assert f'"{version}"' in check


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_a_form_for_issues_has_what_github_asks_for(path: Path) -> None:
    form = read_yaml(path)
    assert {"name", "description", "body"} <= set(form)
    names = [field["id"] for field in form["body"]]
    assert len(names) == len(set(names)) and all(
        field["attributes"]["label"] for field in form["body"]
    )
