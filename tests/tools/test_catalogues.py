"""The Chinese pages say what the English ones say now; what is stale is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import translations
from canonical import ROOT

PAGE = "book/intro"
TEMPLATE = 'msgid ""\nmsgstr ""\n\nmsgid "One sentence."\nmsgstr ""\n\n'
ROLE = re.compile(r"\{[a-z:]+\}`[^`]*?<?([\w/,]+)>?`|\]\(([^)]*)\)")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page in small, with a catalogue in step with it and translated."""
    monkeypatch.setattr(translations, "PAGES", (PAGE,))
    (tmp_path / "book").mkdir()
    (tmp_path / f"{PAGE}.md").write_text("# One sentence.\n", encoding="utf-8")
    updated(tmp_path, TEMPLATE)
    translate(tmp_path, "One sentence.", "一句话。")
    return tmp_path


def updated(root: Path, template: str) -> None:
    """Bring the catalogue in step with a template."""
    pot = root / "messages" / f"{PAGE}.pot"
    pot.parent.mkdir(parents=True, exist_ok=True)
    pot.write_text(template, encoding="utf-8")
    translations.update(root, root / "messages")


def translate(root: Path, english: str, chinese: str) -> None:
    """Write one message into the catalogue, as a translator would."""
    path = translations.catalogue_path(root, PAGE)
    text = path.read_text(encoding="utf-8")
    empty = f'msgid "{english}"\nmsgstr ""'
    assert empty in text
    path.write_text(text.replace(empty, f'{empty[:-1]}{chinese}"'), encoding="utf-8")


def test_the_chinese_pages_say_what_the_english_pages_say() -> None:
    assert translations.stale(ROOT) == []


def test_the_translation_keeps_links_and_citations() -> None:
    for page in translations.PAGES:
        for message in translations.read(translations.catalogue_path(ROOT, page)):
            targets = [
                sorted(first or second for first, second in ROLE.findall(str(text)))
                for text in (message.id, message.string)
            ]
            assert not message.id or targets[0] == targets[1], message.id


def test_every_term_of_the_glossary_is_told_in_both_languages() -> None:
    page = (ROOT / "book/glossary.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    entries = [entry.split("\n") for entry in page.split("\n\n") if "\n    " in entry]
    catalogue = translations.read(translations.catalogue_path(ROOT, "book/glossary"))
    told = {str(message.id): str(message.string) for message in catalogue if message.id}
    assert len(entries) > 100
    for entry in entries:
        english, chinese, *definition = [line.strip() for line in entry if line[:3] != "```"]
        assert (told[english], told[chinese]) == (english, chinese)
        assert re.search("[\u4e00-\u9fff]", told[" ".join(definition).strip()]), english


def test_the_translation_is_chinese() -> None:
    for page in translations.PAGES:
        catalogue = translations.read(translations.catalogue_path(ROOT, page))
        long = [str(m.string) for m in catalogue if m.id and len(m.id) > 80]
        told = [text for text in long if re.search("[\u4e00-\u9fff]", text)]
        assert len(told) >= 0.9 * len(long) > 5


def test_a_catalogue_in_step_has_nothing_stale(book: Path) -> None:
    assert translations.stale(book) == []


def test_a_changed_english_page_is_stale(book: Path) -> None:
    (book / f"{PAGE}.md").write_text("# Another sentence.\n", encoding="utf-8")
    (line,) = translations.stale(book)
    assert line == "book/intro: the English text has changed; run make gettext, then translate"


def test_an_update_keeps_what_is_true_and_marks_what_is_not(book: Path) -> None:
    changed = TEMPLATE.replace("One sentence.", "One sentences.")
    updated(book, changed + 'msgid "Quite another thing."\nmsgstr ""\n')
    assert translations.stale(book) == [
        "book/intro: to be looked at again: 'One sentences.'",
        "book/intro: not translated: 'Quite another thing.'",
    ]
    updated(book, TEMPLATE)
    assert "一句话。" in translations.catalogue_path(book, PAGE).read_text(encoding="utf-8")


def test_a_page_without_a_catalogue_is_named(book: Path) -> None:
    translations.catalogue_path(book, PAGE).unlink()
    assert translations.stale(book) == ["book/intro: has no catalogue; run make gettext"]


def test_a_page_that_is_not_in_the_book_is_named(book: Path) -> None:
    with pytest.raises(translations.TranslationError, match=r"is book/intro in _toc\.yml"):
        translations.update(book, book / "nowhere")


def test_the_check_fails_where_something_is_stale(monkeypatch, capsys, book: Path) -> None:
    monkeypatch.setattr(translations, "ROOT", book)
    assert translations.main(["check"]) == 0
    translations.catalogue_path(book, PAGE).unlink()
    assert translations.main(["check"]) == 1
    assert "has no catalogue" in capsys.readouterr().err
