"""Print the whole book as one PDF: ``python tools/print_book.py``.

The book is built on one page, the page is made fit for paper, and an installed Chromium, Chrome or
Edge prints it, tagged and with bookmarks. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from canonical import ROOT
from whole_page import PageError, printable

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHANNELS = ("chrome", "msedge", "chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PATIENCE = 900_000  # milliseconds; some hundred pages of formulas on a slow machine
NAME = "from-nnlm-to-bert.pdf"


class PrintError(Exception):
    """The book cannot be printed; says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "pdf" / NAME)
    options = parser.parse_args(arguments)
    try:
        page = prepare(build(ROOT / "_build" / "print"))
        print_page(page, options.to)
    except (PrintError, PageError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book is printed: {options.to.resolve()}")
    return 0


def build(folder: Path) -> Path:
    """Build the book on one page below `folder`, warnings as errors; return the page."""
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", ".", "--all", "--quiet", "-W", "-n", "--keep-going"]
    command += ["--builder", "custom", "--custom-builder", "singlehtml"]
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [*command, "--path-output", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if run.returncode:
        raise PrintError(f"The book does not build on one page:\n{run.stderr[-3000:]}")
    return folder / "_build" / "singlehtml" / "book" / "intro.html"


def prepare(page: Path) -> Path:
    """Write the page for paper where its style sheets and pictures are, and return it."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    facts = (
        "An executable book on how pre-training in language came about",
        f"{citation['authors'][0]['name']}. Version {citation['version']}, "
        f"{str(citation['date-released'])[:4]}.",
        "Printed from the pages of the book. Code that only draws a figure is left out here; "
        "it stands in the notebooks, which can be run.",
        "Code: MIT licence. Text and figures: Creative Commons Attribution 4.0.",
    )
    target = page.parents[1] / "print.html"
    html = printable(page.read_text(encoding="utf-8"), "From NNLM to BERT", facts)
    target.write_text(html, encoding="utf-8")
    return target


def print_page(page: Path, target: Path) -> None:
    """Print a page once its formulas are set; the old file stays until the new one is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        sheet = browser.new_page()
        sheet.set_default_timeout(PATIENCE)
        sheet.goto(page.resolve().as_uri(), wait_until="load")
        sheet.evaluate("window.MathJax?.startup?.promise")
        sheet.pdf(
            path=unfinished,
            prefer_css_page_size=True,
            print_background=True,
            tagged=True,
            outline=True,
        )
        browser.close()
    os.replace(unfinished, target)


def open_browser(playwright: Playwright) -> Browser:
    """Return the first browser that is installed; raises :class:`PrintError` if none is."""
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    choices = [{"executable_path": installed}] if installed else [{"channel": c} for c in CHANNELS]
    for choice in choices:
        try:
            return playwright.chromium.launch(args=list(FLAGS), **choice)
        except Error:
            continue
    raise PrintError(
        "No browser was found to print with. Install Chromium or Chrome, and run make pdf again."
    )


if __name__ == "__main__":
    sys.exit(main())
