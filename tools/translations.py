"""The Chinese edition: its catalogues and its pages.

``python tools/translations.py update`` brings the catalogues in `book/locale/` up to date with the
English pages; ``build`` builds the book in both languages, the Chinese pages in `_build/html/zh`;
``check`` lists what is stale and exits 1 if anything is.

A catalogue holds a page paragraph by paragraph, English above Chinese, and the SHA-256 of the
English file it was last updated from.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from canonical import ROOT, write_text

LANGUAGE = "zh_CN"
PAGES = ("book/intro", "book/glossary")
HEADER = "# From NNLM to BERT, in Chinese. Text: CC BY 4.0.\n# source-sha256: {digest}"
DIGEST = re.compile(r"source-sha256: (\w+)")
TITLE = "从NNLM到BERT"


class TranslationError(Exception):
    """The book does not build, or a page is missing; says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("update", "build", "check"))
    options = parser.parse_args(arguments)
    try:
        if options.command == "build":
            build(ROOT)
        elif options.command == "update":
            update(ROOT, templates(ROOT))
    except TranslationError as error:
        print(error, file=sys.stderr)
        return 1
    found = stale(ROOT)
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found and options.command == "check" else 0


def catalogue_path(root: Path, page: str) -> Path:
    """Return where a page's catalogue lies."""
    return root / "book" / "locale" / LANGUAGE / "LC_MESSAGES" / f"{page}.po"


def digest_of(root: Path, page: str) -> str:
    """Return the SHA-256 of a page's English text."""
    text = (root / f"{page}.md").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def stale(root: Path) -> list[str]:
    """Return what keeps the translation from saying what the English pages say, a line each."""
    return [line for page in PAGES for line in stale_in(root, page)]


def stale_in(root: Path, page: str) -> list[str]:
    """Return what is stale in one page."""
    path = catalogue_path(root, page)
    if not path.is_file():
        return [f"{page}: has no catalogue; run make gettext"]
    catalogue = read(path)
    written = DIGEST.search(catalogue.header_comment)
    lines = []
    if not written or written[1] != digest_of(root, page):
        lines.append(f"{page}: the English text has changed; run make gettext, then translate")
    for message in catalogue:
        if message.id and (message.fuzzy or not message.string):
            state = "to be looked at again" if message.fuzzy else "not translated"
            lines.append(f"{page}: {state}: {str(message.id)[:60]!r}")
    return lines


def read(path: Path) -> Catalog:
    """Return a catalogue or a template."""
    return read_po(io.BytesIO(path.read_bytes()), locale=LANGUAGE)


def update(root: Path, folder: Path) -> None:
    """Bring the catalogues in step with the templates in a folder; keep what is still true."""
    for page in PAGES:
        template, path = folder / f"{page}.pot", catalogue_path(root, page)
        if not template.is_file():
            raise TranslationError(f"{template} is missing: is {page} in _toc.yml?")
        catalogue = read(path) if path.is_file() else Catalog(locale=LANGUAGE, project=TITLE)
        catalogue.update(read(template), no_fuzzy_matching=False)
        catalogue.header_comment = HEADER.format(digest=digest_of(root, page))
        catalogue.fuzzy = False
        for message in catalogue:
            message.flags.discard("python-brace-format")  # roles of MyST, and no format
        text = io.BytesIO()
        write_po(text, catalogue, width=0, no_location=True, ignore_obsolete=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text.getvalue().decode("utf-8"))


def templates(root: Path) -> Path:
    """Have Sphinx collect the messages of all pages; return the folder with the templates."""
    folder = root / "_build" / "messages"
    builder = ("--builder", "custom", "--custom-builder", "gettext")
    jupyter_book(root, "--path-output", str(folder), *builder)
    return folder / "_build" / "gettext"


def build(root: Path) -> None:
    """Build the English pages with a link to the Chinese, and the Chinese pages below them."""
    folder = root / "_build" / "chinese"
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config["title"] = TITLE
    extensions = config["sphinx"]["local_extensions"]
    config["sphinx"]["local_extensions"] = {n: str(root / at) for n, at in extensions.items()}
    settings = config["sphinx"]["config"]
    settings["language"] = LANGUAGE
    settings["html_theme_options"]["logo"]["text"] = TITLE
    path = folder / "_config.yml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    jupyter_book(root)
    jupyter_book(root, "--config", str(path), "--path-output", str(folder))
    target = root / "_build" / "html" / "zh"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder / "_build" / "html", target)
    print(f"The Chinese edition is built: file://{target / 'book' / 'intro.html'}")


def jupyter_book(root: Path, *options: str) -> None:
    """Build the book in some way, warnings as errors."""
    program = str(Path(sys.executable).with_name("jupyter-book"))
    path = os.pathsep.join(filter(None, (str(root / "src"), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [program, "build", ".", "--all", "--quiet", "-W", "-n", "--keep-going", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path, "NNLM2BERT_EDITIONS": "en zh"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if run.returncode:
        raise TranslationError(f"The book does not build:\n{run.stderr[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
