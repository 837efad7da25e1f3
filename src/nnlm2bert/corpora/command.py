"""``python -m nnlm2bert data list|fetch|verify``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from textwrap import shorten

from nnlm2bert.corpora.download import fetch, verify
from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import Corpus, find, registry
from nnlm2bert.corpora.store import cache_folder, locate, mirror_folder

_CHAPTERS_WIDTH = 40


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``data``; the parsed arguments' ``run(arguments)`` returns the exit code, 0 or 1.

    Raises (when run) ``CorpusError``, whose message is for the reader.
    """
    parser = subparsers.add_parser(
        "data", help="list, fetch and verify the data sets", description=_description()
    )
    commands = parser.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    for name, help_text, run in (
        ("list", "what there is, under which licence, and where it is now", run_list),
        ("fetch", "download what is not on this machine; goes on where it stopped", run_fetch),
        ("verify", "hash the files anew and say which are wrong", run_verify),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("names", nargs="*", metavar="NAME", help="a data set")
        command.add_argument("--all", action="store_true", help="all data sets")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of the sets; all of them if none is named."""
    corpora = [find(name) for name in arguments.names] or list(registry().values())
    if arguments.json:
        return _print_json([_summary(corpus) for corpus in corpora])
    rows = [("NAME", "MB", "LICENCE", "CHAPTERS", "WHERE"), *map(_row, corpora)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, size, *rest in rows:
        cells = [name.ljust(widths[0]), size.rjust(widths[1])]
        cells += [cell.ljust(width) for cell, width in zip(rest, widths[2:], strict=True)]
        print("  ".join(cells).rstrip())
    print(f"\nmirror: {mirror_folder() or 'none (NNLM2BERT_DATA is not set)'}")
    print(f"cache:  {cache_folder()}")
    return 0


def run_fetch(arguments: argparse.Namespace) -> int:
    """Fetch the sets one after the other; the first that fails ends the command."""
    report = []
    for corpus in _chosen(arguments):
        places = fetch(corpus, progress=sys.stderr.isatty())
        report.append({"name": corpus.name, "files": {key: str(places[key]) for key in places}})
        if not arguments.json:
            print(f"{corpus.name}: {_where(corpus)}")
    return _print_json(report) if arguments.json else 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify the sets; 1 if a file is wrong or missing.

    With ``--all``, a set of which no file is on this machine is passed over.
    """
    report = [_verified(corpus, arguments.all) for corpus in _chosen(arguments)]
    if arguments.json:
        _print_json(report)
    else:
        for entry in report:
            print("\n".join(entry["problems"]) or f"{entry['name']}: {entry['state']}")
    return int(any(entry["problems"] for entry in report))


def _verified(corpus: Corpus, may_be_absent: bool) -> dict[str, object]:
    if may_be_absent and all(copy.place == "missing" for copy in locate(corpus)):
        return {"name": corpus.name, "state": "not fetched", "problems": []}
    problems = verify(corpus)
    return {"name": corpus.name, "state": "wrong" if problems else "right", "problems": problems}


def _chosen(arguments: argparse.Namespace) -> list[Corpus]:
    if bool(arguments.names) == arguments.all:
        raise CorpusError(
            "Name the data sets, or say --all (not both); "
            "`python -m nnlm2bert data list` shows their names."
        )
    return [find(name) for name in arguments.names] or list(registry().values())


def _summary(corpus: Corpus) -> dict[str, object]:
    entry = asdict(corpus)
    files = entry.pop("files")
    return entry | {"file_count": len(files), "where": _places(corpus)}


def _row(corpus: Corpus) -> tuple[str, ...]:
    return (
        corpus.name,
        f"{corpus.total_bytes / 1e6:.1f}",
        corpus.licence_short,
        shorten(", ".join(corpus.chapters), _CHAPTERS_WIDTH, placeholder=" ..."),
        _where(corpus),
    )


def _places(corpus: Corpus) -> dict[str, int]:
    return dict(Counter(copy.place for copy in locate(corpus)))


def _where(corpus: Corpus) -> str:
    places = _places(corpus)
    if len(places) == 1:
        return next(iter(places))
    return ", ".join(f"{place} ({count} files)" for place, count in sorted(places.items()))


def _print_json(report: object) -> int:
    print(json.dumps(report, ensure_ascii=False, indent=1))
    return 0


def _description() -> str:
    return (
        f"The {len(registry())} data sets of the book. A file is looked for in the folder "
        "NNLM2BERT_DATA (a mirror, only read), then in the cache (NNLM2BERT_CACHE, by default the "
        "user's cache folder), else downloaded to the cache. Its SHA-256 is compared in every case."
    )
