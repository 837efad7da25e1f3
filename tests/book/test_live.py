"""The networks that answer in the page, in a real browser, from files and without a server."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from nnlm2bert.experiments.live import files
from nnlm2bert.experiments.live.answers import Answers

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / files.FOLDER
MANIFEST = files.read_manifest(FOLDER)
EXPORTED = list(MANIFEST["networks"])
TOLERANCE = 1e-4
MOUNT = re.compile(r'data-live=\\"([a-z0-9]+)\\"')
BEGINNINGS = ("", "he", "he hunts near the bank . the", "the dogs of the king of the girl")
SENTENCES = (
    ("he hunts near the bank .", 1),
    ("the banker pays near the bank . he hunts near the bank", 8),
)
IMPOSSIBLE = "the the king"


expect.set_options(timeout=30_000)


@cache
def extension() -> ModuleType:
    """The extension that sets the places."""
    path = ROOT / "book/extensions/live_models.py"
    specification = importlib.util.spec_from_file_location("live_models", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@cache
def answers() -> Answers:
    """What torch and the oracle say, from the same files."""
    return Answers({name: files.load_network(FOLDER, name) for name in EXPORTED})


@pytest.fixture(scope="module", params=EXPORTED)
def live(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page with one place, opened as a file; it must not complain."""
    home = FOLDER.as_uri()
    module = extension()
    scripts = "".join(f'<script defer src="{home}/{name}"></script>' for name in module.SCRIPTS)
    sheets = (ROOT / "book/assets/book.css", FOLDER / "live.css")
    style = "".join(f"<style>{sheet.read_text(encoding='utf-8')}</style>" for sheet in sheets)
    paper = (ROOT / "book/assets/print.css").read_text(encoding="utf-8")
    style += f'<style media="print">{paper}</style>'
    path = tmp_path_factory.mktemp("live") / "page.html"
    body = module.place(request.param, MANIFEST)
    path.write_text(
        f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{request.param}</title>{style}{scripts}</head>"
        f'<body><main class="bd-article"><h1>{request.param}</h1>{body}</main></body></html>',
        encoding="utf-8",
    )
    page, errors = opened(browser, path)
    page.evaluate("name => (window.liveName = name)", request.param)
    yield page
    page.close()
    assert errors == []


def opened(browser: Browser, path: Path) -> tuple[Page, list[str]]:
    """A file in the browser, and what it complains of from now on."""
    page, errors = browser.new_page(), []
    page.set_default_timeout(60_000)
    noted = {"error", "warning"}
    page.on("console", lambda said: errors.append(said.text) if said.type in noted else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri(), wait_until="load")
    return page, errors


def name_of(page: Page) -> str:
    """Which network the page is of."""
    return page.evaluate("window.liveName")


def ask(page: Page, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the page's code answers."""
    script = """async ([name, inputs]) => {
      const found = await nnlm2bertLive.answer(name, inputs);
      const plain = (value) => ArrayBuffer.isView(value) ? [...value] : value;
      return JSON.parse(JSON.stringify(found, (_, value) => plain(value)));
    }"""
    return page.evaluate(script, [name, inputs])


def close(found: Any, wanted: Any) -> bool:
    """Whether numbers agree as the page promises."""
    one, other = np.array(found, dtype=float), np.array(wanted, dtype=float)  # None becomes nan
    return one.shape == other.shape and np.allclose(one, other, 0, TOLERANCE, equal_nan=True)


def test_examples_are_there_before_anything_is_loaded(live: Page) -> None:
    name = name_of(live)
    entries = MANIFEST["networks"][name]["examples"]
    tables = live.locator(".nnlm-live-example table")
    assert tables.count() == len(entries)
    expect(tables.first).to_be_visible()
    assert tables.first.locator("tbody tr").count() == len(entries[0]["rows"])
    assert live.locator("script[src*=data-]").count() == 0


def test_on_paper_stand_all_examples_and_no_form(live: Page) -> None:
    tables = live.locator(".nnlm-live-example table").all()
    note, form = live.locator(".nnlm-live-paper"), live.locator(".nnlm-live-form")
    closed = [table for table in tables if not table.is_visible()]
    assert len(closed) == len(tables) - 1 > 0 and not note.is_visible()
    live.emulate_media(media="print")
    assert all(table.is_visible() for table in tables) and note.is_visible()
    assert not form.is_visible()
    live.emulate_media(media="screen")


def test_examples_are_answered_alike(live: Page) -> None:
    name = name_of(live)
    for example in MANIFEST["networks"][name]["examples"]:
        found = ask(live, name, example["inputs"])
        assert close([row["values"] for row in found["rows"]], [r[1:] for r in example["rows"]])
        assert [row["label"] for row in found["rows"]] == [row[0] for row in example["rows"]]


def test_next_words_equal_those_of_torch(live: Page) -> None:
    name = name_of(live)
    if name not in ("nnlm", "gpt"):
        pytest.skip("it predicts no next word")
    for text in BEGINNINGS:
        wanted = answers().next_word(name, text)
        found = ask(live, name, {"text": text})["chances"]
        assert all(close(found[key], chances) for key, chances in wanted.items())


def test_hidden_words_equal_those_of_torch(live: Page) -> None:
    if name_of(live) != "bert":
        pytest.skip("it restores no hidden word")
    for text, place in SENTENCES:
        wanted = answers().hidden_word(whole(text), place)
        found = ask(live, "bert", {"text": text, "place": place})
        assert all(close(found["chances"][key], chances) for key, chances in wanted.items())
        assert close(found["maps"], answers().attention("bert", whole(text), place))


def whole(text: str) -> str:
    """A text as the page completes it."""
    return text if text.endswith(".") else f"{text} ."


def test_attention_equals_that_of_torch(live: Page) -> None:
    if name_of(live) != "gpt":
        pytest.skip("BERT's is compared with its hidden words")
    text = BEGINNINGS[-1]
    found = ask(live, "gpt", {"text": text})
    assert close(found["maps"], answers().attention("gpt", text))
    assert len(found["tokens"]) == len(text.split()) + 1


def test_neighbours_equal_those_of_torch(live: Page) -> None:
    if name_of(live) != "word2vec":
        pytest.skip("it has no table of vectors to search")
    found = ask(live, "word2vec", {"sum": "2 river − bank+0.5 king"})
    wanted = answers().neighbours([(2, "river"), (-1, "bank"), (0.5, "king")])
    assert [row["label"] for row in found["rows"]] == [word for word, _ in wanted]
    assert close([row["values"][0] for row in found["rows"]], [cosine for _, cosine in wanted])


def test_vectors_of_two_sentences_equal_those_of_torch(live: Page) -> None:
    if name_of(live) != "elmo":
        pytest.skip("it does not compare two sentences")
    pair = {"first": "the king rests near the bank .", "second": "he hunts near the bank"}
    wanted = answers().meeting(pair["first"], whole(pair["second"]), "bank")
    found = ask(live, "elmo", {**pair, "word": "bank"})
    likeliest = wanted.limit.argmax(axis=1)
    read = np.column_stack([wanted.cosines, wanted.read[:, (0, 1), likeliest]])
    assert close([row["values"] for row in found["rows"][:-1]], read)
    assert close(found["rows"][-1]["values"][1:], wanted.limit[(0, 1), likeliest])
    assert close(found["topics"], wanted.limit)


def test_what_the_grammar_never_writes_has_no_limit(live: Page) -> None:
    name = name_of(live)
    if name not in ("nnlm", "gpt"):
        pytest.skip("it compares with no limit of the next word")
    found = ask(live, name, {"text": IMPOSSIBLE})
    assert "limit" not in found["chances"] and "never writes “the”" in found["note"]


def test_a_reader_with_a_keyboard_gets_an_answer(live: Page) -> None:
    box = live.locator(".nnlm-live-form input[type=text]").first
    box.focus()
    box.press("Enter")
    answer = live.locator(".nnlm-live-answer table").first
    expect(answer).to_be_visible()
    status = live.locator(".nnlm-live-status[role=status]")
    expect(status).to_contain_text(":")
    heads = answer.locator("thead th").all_inner_texts()
    kept = MANIFEST["networks"][name_of(live)]["examples"][0]
    assert heads == kept["columns"]
    first = answer.locator("tbody tr").first.locator("th").inner_text()
    assert first == kept["rows"][0][0]


def test_a_word_of_the_table_is_the_next_step(live: Page) -> None:
    name = name_of(live)
    if name not in ("nnlm", "gpt", "word2vec"):
        pytest.skip("its rows are no steps")
    box = live.locator(".nnlm-live-form input[type=text]").first
    box.focus()
    box.press("Enter")
    button = live.locator(".nnlm-live-answer .nnlm-live-word").first
    word, before = button.inner_text(), box.input_value()
    button.press("Enter")
    expect(box).to_have_value(word if name == "word2vec" else f"{before} {word}")
    expect(box).to_be_focused()


def test_an_unknown_word_is_refused(live: Page) -> None:
    box = live.locator(".nnlm-live-form input[type=text]").first
    kept = box.input_value()
    box.fill("kyng")
    box.press("Enter")
    status = live.locator(".nnlm-live-status")
    expect(status).to_contain_text("“kyng” is none of the 595 words of Pocket English")
    expect(status).to_contain_text("king")
    expect(box).to_have_attribute("aria-invalid", "true")
    words = (live.locator(".nnlm-live-words p").text_content() or "").split()
    assert len(words) == 595 and "bank" in words
    box.fill(kept)
    box.press("Enter")
    expect(live.locator(".nnlm-live-answer table").first).to_be_visible()
    assert box.get_attribute("aria-invalid") is None


def test_words_are_listed_once(live: Page) -> None:
    live.locator(".nnlm-live-form input[type=text]").first.press("Enter")
    expect(live.locator(".nnlm-live-answer table").first).to_be_visible()
    assert live.locator(".nnlm-live-words").count() == 1


def test_words_are_completed(live: Page) -> None:
    box = live.locator(".nnlm-live-form input[type=text]").first
    kept = box.input_value()
    box.fill("")
    box.press_sequentially("the ban")
    options = live.locator("datalist").first.locator("option")
    expect(options.first).to_have_attribute("value", "the bank")
    box.fill(kept)


def test_a_slider_moves_from_one_word_to_another(live: Page) -> None:
    if name_of(live) != "word2vec":
        pytest.skip("it has no slider")
    live.locator("input[type=range]").press("End")
    expect(live.locator(".nnlm-live-form input[type=text]").first).to_have_value(
        "0.00 bank + 1.00 river"
    )
    expect(live.locator(".nnlm-live-answer caption")).to_contain_text("1.00 river")
    wanted = answers().neighbours([(0, "bank"), (1, "river")])
    assert live.locator(".nnlm-live-answer tbody th").first.inner_text() == wanted[0][0]


def test_another_head_is_shown(live: Page) -> None:
    name = name_of(live)
    if name not in ("gpt", "bert"):
        pytest.skip("it has no attention")
    inputs = MANIFEST["networks"][name]["examples"][0]["inputs"]
    box = live.locator(".nnlm-live-form input[type=text]").first
    box.fill(inputs["text"])
    box.press("Enter")
    if name == "bert":
        live.locator(".nnlm-live-form select").select_option(str(inputs["place"]))
        expect(live.locator(".nnlm-live-map thead")).to_contain_text("<mask>")
    rows = live.locator(".nnlm-live-map tbody tr")
    expect(rows).to_have_count(len(inputs["text"].split()) + (2 if name == "bert" else 1))
    heads = live.locator(".nnlm-live-attention select")
    expect(heads.locator("option")).to_have_count(8)
    heads.select_option("1 3")
    expect(live.locator(".nnlm-live-attention > p")).to_contain_text("Layer 2, head 4")
    last = [int(text or 0) for text in rows.last.locator("td").all_inner_texts()]
    maps = answers().attention(name, inputs["text"], inputs.get("place"))
    assert np.abs(np.array(last) - 100 * maps[1, 3, -1]).max() < 0.51


def test_every_field_has_a_name(live: Page) -> None:
    for field in live.locator(".nnlm-live :is(input, select)").all():
        assert live.locator(f'label[for="{field.get_attribute("id")}"]').inner_text().strip()


@pytest.mark.parametrize("width", [1280, 390])
def test_an_answer_is_accessible_and_fits(live: Page, width: int) -> None:
    live.set_viewport_size({"width": width, "height": 844})
    live.locator(".nnlm-live-form input[type=text]").first.press("Enter")
    expect(live.locator(".nnlm-live-answer table").first).to_be_visible()
    assert live.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(live, context=".nnlm-live").response["violations"]
    assert [(entry["id"], entry["nodes"][0]["html"][:120]) for entry in found] == []


def test_pages_of_the_book_hold_their_places(built_book: Path, browser: Browser) -> None:
    there = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    pages = {
        path.stem: name
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for name in MOUNT.findall(path.read_text(encoding="utf-8"))
        if path.stem in there
    }
    assert {"nnlm", "word2vec", "elmo"} <= set(pages.values()) <= set(EXPORTED)
    for page_name, name in pages.items():
        page, errors = opened(browser, built_book / f"notebooks/{page_name}.html")
        place = page.locator(f'.nnlm-live[data-live="{name}"]')
        place.locator("input[type=text]").first.press("Enter")
        expect(place.locator(".nnlm-live-answer table").first).to_be_visible()
        assert errors == []
        page.close()
