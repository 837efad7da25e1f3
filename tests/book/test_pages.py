"""Every page of the built book, seen in a browser: whole without a network, and for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
MATHS = ".math"
# Thousands of coloured words of code take axe-core a minute: one of each colour is brought into the
# first block of code in sight, and the other blocks are passed over.
GATHER_COLOURS = """() => {
  const blocks = [...document.querySelectorAll(".bd-article .highlight pre")];
  const first = blocks.find((block) => block.checkVisibility());
  if (!first || first.dataset.gathered) return;
  first.dataset.gathered = "yes";
  const seen = new Set([...first.querySelectorAll("span")].map((word) => word.className));
  for (const block of blocks.filter((block) => block !== first)) {
    for (const word of block.querySelectorAll("span:not(:has(*))")) {
      if (seen.has(word.className)) continue;
      seen.add(word.className);
      const copy = word.cloneNode(false);  // short, on a line of its own: the block stays as wide
      copy.textContent = word.textContent.trim().slice(0, 8) || "-";
      first.append("\\n", copy);
    }
    block.dataset.passedOver = "yes";
  }
}"""
PASSED_OVER = {"exclude": [["pre[data-passed-over]"]]}


def contents(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the pages below an entry of `_toc.yml`."""
    page = entry.get("root") or entry.get("file")
    if page:
        yield str(Path(page).with_suffix("")) if Path(page).suffix else page
    for kind in ("parts", "chapters", "sections"):
        for child in entry.get(kind, []):
            yield from contents(child)


PAGES = [*contents(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))), "search"]


@dataclass
class Visit:
    """A page that is open, and what happened while it opened."""

    page: Page
    home: str
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Load the page and wait until scripts and formulas are done."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.failures.append(request.url))
        self.page.on("response", self.note_answer)
        self.page.on("console", self.note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address, wait_until="load")
        self.page.evaluate("window.MathJax?.startup?.promise")

    def note_answer(self, response: Any) -> None:
        """Keep the address if the answer was a refusal."""
        if response.status >= 400:
            self.failures.append(f"{response.status} {response.url}")

    def note_message(self, message: Any) -> None:
        """Keep what the page complains of."""
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def strangers(self) -> list[str]:
        """Return the addresses that were asked for and are not the book's."""
        own = (self.home, "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]


def visit(browser: Browser, home: str, name: str, **options: Any) -> Iterator[Visit]:
    """Open a page in a fresh context; close it afterwards."""
    context = browser.new_context(viewport=DESKTOP, **options)
    context.set_default_timeout(60_000)
    visit = Visit(context.new_page(), home)
    visit.open(f"{home}/{name}.html")
    yield visit
    context.close()


@pytest.fixture(scope="module", params=PAGES)
def served(request: pytest.FixtureRequest, browser: Browser, site: str) -> Iterator[Visit]:
    """A page of the book, from a web server."""
    yield from visit(browser, site, request.param)


@pytest.fixture(scope="module", params=PAGES)
def from_disk(
    request: pytest.FixtureRequest, browser: Browser, built_book: Path
) -> Iterator[Visit]:
    """A page of the book, opened as a file."""
    yield from visit(browser, built_book.as_uri(), request.param)


def show(page: Page, scheme: str) -> None:
    """Switch a page to light or dark, as the reader's system would."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=scheme)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, one line a place."""
    page.evaluate(GATHER_COLOURS)
    return [
        f"{finding['id']}: {node['html'][:160]} ({node['failureSummary'][:240]})"
        for finding in Axe().run(page, context=PASSED_OVER).response["violations"]
        for node in finding["nodes"]
    ]


def test_served_page_asks_no_other_host(served: Visit) -> None:
    assert served.requests and served.strangers() == []


def test_served_page_gets_all_it_asks_for(served: Visit) -> None:
    assert served.failures == []


def test_served_page_has_no_console_error(served: Visit) -> None:
    assert served.errors == []


def test_formulas_are_rendered(served: Visit) -> None:
    formulas = served.page.locator(MATHS)
    raw = [text for text in formulas.all_inner_texts() if "\\(" in text or "\\[" in text]
    assert raw == []
    assert served.page.locator(".math mjx-container").count() >= formulas.count()
    assert served.page.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_images_have_alt_texts(served: Visit) -> None:
    images = served.page.locator("img")
    texts = [image.get_attribute("alt") or "" for image in images.all()]
    assert [text for text in texts if len(text.split()) < 3] == []


def test_page_says_what_it_is(served: Visit) -> None:
    page = served.page
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator('meta[name="description"]').count() == 1
    assert page.locator('meta[property^="og:"]').count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(served: Visit, scheme: str) -> None:
    show(served.page, scheme)
    assert violations(served.page) == []


def test_page_fits_a_phone(served: Visit) -> None:
    served.page.set_viewport_size(PHONE)
    width = served.page.evaluate("document.documentElement.scrollWidth")
    served.page.set_viewport_size(DESKTOP)
    assert width <= PHONE["width"]


def test_page_from_disk_needs_no_network(from_disk: Visit) -> None:
    assert from_disk.requests and from_disk.strangers() == []
    assert from_disk.failures == [] and from_disk.errors == []
    assert from_disk.page.locator(".math mjx-container").count() >= (
        from_disk.page.locator(MATHS).count()
    )
