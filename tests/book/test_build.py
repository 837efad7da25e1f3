"""The built pages say what the records, the registry and the contents say."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from bs4 import BeautifulSoup, Tag

from nnlm2bert.experiments.claims import ledger

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000


def page(book: Path, name: str) -> BeautifulSoup:
    """Return a page of the built book."""
    return BeautifulSoup((book / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def text(tag: Tag | None) -> str:
    """Return what a reader sees of a tag, in one line."""
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


@pytest.fixture(scope="module")
def claims_ledger() -> ModuleType:
    """The extension that sets the ledger."""
    path = ROOT / "book/extensions/claims_ledger.py"
    specification = importlib.util.spec_from_file_location("claims_ledger", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_ledger_page_has_every_claim_with_its_verdict(built_book: Path) -> None:
    claims = page(built_book, "book/claims")
    for row in ledger(ROOT / "results"):
        card = claims.find(id=f"claim-{row.id}")
        assert isinstance(card, Tag), f"claim {row.id} is not on the page"
        assert text(card.select_one(".nnlm-claim-number")) == str(row.id)
        assert text(card.select_one(".nnlm-chip")) == row.verdict


def test_card_of_a_measured_claim_shows_the_measurement(claims_ledger: ModuleType) -> None:
    row = replace(
        ledger(ROOT / "no records here")[4],
        ours="perplexity 200 against 250",
        quantity="Ratio",
        estimate=0.8,
        interval=(0.7912, 0.8123),
        verdict="holds",
        scale="laptop",
        record="results/nnlm/laptop",
    )
    card = claims_ledger.card(row)
    assert "perplexity 200 against 250; Ratio: 0.800, 95 % interval 0.791 to 0.812." in card
    assert ".nnlm-chip--holds" in card and "`results/nnlm/laptop`, scale laptop" in card


def test_card_of_an_open_claim_shows_no_measurement(claims_ledger: ModuleType) -> None:
    card = claims_ledger.card(ledger(ROOT / "no records here")[4])
    assert ":Ours:" not in card and ".nnlm-chip--open" in card


def test_tally_counts_every_claim_once(claims_ledger: ModuleType) -> None:
    rows = ledger(ROOT / "no records here")
    rows[0] = replace(rows[0], verdict="does not hold")
    told = claims_ledger.tally(rows)
    assert told.startswith(f"Of {len(rows)} claims: 1 [does not hold]")
    assert f"{len(rows) - 1} [not yet measured]" in told


def test_ledger_needs_neither_torch_nor_numpy() -> None:
    """The book is rendered where neither is installed."""
    script = (
        "import sys; sys.modules.update(torch=None, numpy=None, datasets=None, scipy=None); "
        "from nnlm2bert.experiments.claims import ledger; ledger()"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT / "src", capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_introduction_links_the_chapters_that_exist(built_book: Path) -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [
        Path(chapter["file"]).with_suffix("").name
        for part in contents["parts"]
        for chapter in part["chapters"]
        if chapter["file"].startswith("notebooks/")
    ]
    table = page(built_book, "book/intro").find("table")
    assert isinstance(table, Tag)
    links = [Path(str(link["href"])).stem for link in table.select("a[href]")]
    marked = table.select(".nnlm-chip--open")
    assert links == chapters and len(links) + len(marked) == 9


def test_glossary_gives_every_term_its_chinese_name(built_book: Path) -> None:
    terms = [text(term) for term in page(built_book, "book/glossary").select("dl.glossary > dt")]
    english, chinese = terms[::2], terms[1::2]
    assert len(english) == len(chinese) >= 40
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in term) for term in chinese)
    assert not any(any("\u4e00" <= letter <= "\u9fff" for letter in term) for term in english)


def test_data_table_has_every_set_and_their_sum(built_book: Path) -> None:
    registry = json.loads(
        (ROOT / "src/nnlm2bert/corpora/registry.json").read_text(encoding="utf-8")
    )
    rows = page(built_book, "book/how-to-use").select("table.nnlm-data tbody tr")
    assert [text(row.find("td")) for row in rows[:-1]] == [entry["name"] for entry in registry]
    total = sum(entry["total_bytes"] for entry in registry) / MEGABYTE
    assert text(rows[-1].find_all("td")[-1]) == f"{total:.0f}"


def test_mathjax_lies_beside_the_pages_with_its_licence(built_book: Path) -> None:
    folder = built_book / "_static/vendor/mathjax"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2.5 * MEGABYTE
    assert "Apache License" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert any(path.suffix == ".woff" for path in files)
    assert b'"3.2.2"' in (folder / "tex-chtml.js").read_bytes()
