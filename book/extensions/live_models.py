"""The places where a network answers in the page: `<div data-live="gpt">` in a chapter.

What stands in the div is shown where the notebook is read elsewhere; in the book its place is taken
by examples that were computed beforehand and, where scripts run, by a form to ask more.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LOG = logging.getLogger(__name__)
FOLDER = Path(__file__).resolve().parents[1] / "assets/live"
SCRIPTS = ("core.js", "networks.js", "answers.js", "page.js")
MOUNT = re.compile(r'<div\b[^>]*\bdata-live="([a-z0-9]+)"[^>]*>.*?</div>', re.DOTALL)
DATA = {"bert": ("language", "gpt", "bert")}
TITLES = {
    "nnlm": "Ask the NNLM",
    "word2vec": "Ask the vectors",
    "elmo": "Ask the biLM",
    "gpt": "Ask GPT",
    "bert": "Ask BERT and GPT",
}
ON_PAPER = "These examples were computed beforehand; in the page you can ask more."
LIMITS = "The limits are exact: the page computes them from the grammar of Pocket English."
TEXTS = {
    "nnlm": "Here this chapter's network of order 5 answers in the page, {weights} weights in your "
    "browser. On a text that it has not seen a word costs it {network} bits; the limit of whoever "
    "sees the same four words is {limit of four words}, that of whoever sees all words {limit}. "
    + LIMITS,
    "word2vec": "Here this chapter's skip-gram vectors answer in the page. A sum is taken of "
    "vectors of length 1, and the words of the sum are no answers. With the slider one word moves "
    "to another, and its neighbours change on the way. There is no limit to compare with here.",
    "elmo": "Here a smaller sister of this chapter's biLM reads in the page ({weights} weights in "
    "your browser). The cosine says how near the word's two vectors lie; that is mostly a matter "
    "of its place in the sentence: in layer 2 it is {layer 2, same sense} on average where a noun "
    "with two senses means the same in both places, and {layer 2, other sense} where it does not. "
    "What the word speaks of lies in other directions. A linear probe reads it off: of such nouns "
    "it gets {layer 0, topic} % right from the letters, {layer 1, topic} % from layer 1 and "
    "{layer 2, topic} % from layer 2. The other columns show how sure it is of the topic that the "
    "limit, which is exact, finds likeliest in each sentence.",
    "gpt": "Here a smaller sister of this chapter's GPT answers in the page ({weights} weights in "
    "your browser). On a text that it has not seen a word costs it {network} bits; the limit is "
    "{limit}. " + LIMITS,
    "bert": "Here smaller sisters of the two chapters' GPT and BERT answer in the page ({weights} "
    "weights of BERT in your browser). A hidden word costs BERT {network} bits on average; the "
    "limit of whoever sees both sides is {limit}, of whoever sees the left alone {limit of the "
    "left}. " + LIMITS,
}


def read_manifest() -> dict[str, Any]:
    """Return the manifest of the exported networks."""
    return json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def place(name: str, manifest: dict[str, Any]) -> str:
    """Return the HTML of a place: what is asked, and the examples; KeyError for no such network."""
    entry, title = manifest["networks"][name], TITLES[name]
    sizes = [
        manifest["language"]["bytes"] if part == "language" else manifest["networks"][part]["bytes"]
        for part in DATA.get(name, ("language", name))
    ]
    first = entry["examples"][0]["inputs"]
    asked = {key: value for key, value in first.items() if key != "word"}
    if name == "word2vec":
        asked |= {"from": "bank", "to": "river"}
    attributes = {"data-live": name, "data-size": round(sum(sizes) / 1000)}
    attributes |= {f"data-{key}": value for key, value in asked.items()}
    told = " ".join(f'{key}="{escape(str(value))}"' for key, value in attributes.items())
    examples = "".join(
        example(number, name, found) for number, found in enumerate(entry["examples"])
    )
    return (
        f'<section class="nnlm-live" aria-label="{title}" {told}>'
        f'<p class="nnlm-live-title">{title}</p><p>{escape(text(name, entry))}</p>'
        f'{examples}<p class="nnlm-live-paper">{ON_PAPER}</p>'
        "<noscript><p>With scripts allowed you can ask more.</p></noscript></section>"
    )


def text(name: str, entry: dict[str, Any]) -> str:
    """Return what is said of a network, its figures filled in."""
    figures = {
        key: f"{value:.0f}" if key.endswith("topic") else f"{value:.2f}"
        for key, value in entry["figures"].items()
    }
    figures["weights"] = f"{entry['weights']:,}"
    return re.sub(r"{([^}]+)}", lambda found: figures[found[1]], TEXTS[name])


def example(number: int, name: str, found: dict[str, Any]) -> str:
    """Return an example, the first one open."""
    inputs = found["inputs"]
    if name == "elmo":
        asked = f"“bank” in “{inputs['first']}” and in “{inputs['second']}”"
    elif name == "bert":
        words = inputs["text"].split()
        words[inputs["place"]] = "____"
        asked = " ".join(words)
    else:
        asked = inputs["sum"] if name == "word2vec" else f"{inputs['text']} …"
    return (
        f'<details class="nnlm-live-example"{"" if number else " open"}>'
        f"<summary>{escape(asked)}</summary>{table(asked, found)}{note(found)}</details>"
    )


def table(caption: str, found: dict[str, Any]) -> str:
    """Return the table of an example, with a bar below each number."""
    head = "".join(f'<th scope="col" class="nnlm-number">{name}</th>' for name in found["columns"])
    body = "".join(row(label, values, found["columns"]) for label, *values in found["rows"])
    return (
        '<table class="nnlm-table nnlm-live-table">'
        f'<caption class="nnlm-live-heard">{escape(caption)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def row(label: str, values: list[float | None], columns: list[str]) -> str:
    """Return a row of a table."""
    cells = []
    for name, value in zip(columns, values, strict=True):
        whose = "limit" if label == "limit" else kind(name, columns)
        shown = escape(number(value, name != "cosine")) + bar(whose, value or 0)
        cells.append(f'<td class="nnlm-number">{shown}</td>')
    return f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>'


def bar(kind: str, value: float) -> str:
    """Return a bar for those who see; nothing for nothing."""
    if value <= 0:
        return ""
    return (
        f'<span aria-hidden="true" class="nnlm-live-bar nnlm-live-bar--{kind}" '
        f'style="width: {100 * min(value, 1):.1f}%"></span>'
    )


def kind(column: str, columns: list[str]) -> str:
    """Return whose bar it is: the network's, that of GPT beside BERT, or a limit's."""
    if column == "GPT" and "BERT" in columns:
        return "gpt"
    if column.startswith("limit"):
        return "window" if column in ("limit of four words", "limit of the left") else "limit"
    return "network"


def number(value: float | None, share: bool) -> str:
    """Return a share in percent, a cosine, or a dash for what there is not."""
    if value is None:
        return "–"
    if not share:
        return f"{value:.3f}"
    if value <= 0:
        return "0 %"
    return "< 0.01 %" if value < 5e-5 else f"{100 * value:.{2 if value < 0.01 else 1}f} %"


def note(found: dict[str, Any]) -> str:
    """Return the sentence below a table of chances."""
    if "bits" not in found:
        return ""
    limit, more = abs(found["bits"]["limit"]), found["bits"]["more"]
    whose = "BERT" if "BERT" in found["columns"] else "the network"
    return (
        f"<p>The limit itself leaves {limit:.2f} bits open here; by {whose} the word costs "
        f"{more:.2f} bits more.</p>"
    )


def replace(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the places of a page where its divs stand; a network that is not there is a warning."""
    for raw in tree.findall(nodes.raw):
        found = MOUNT.search(raw.astext())
        if not found or "html" not in raw.get("format", ""):
            continue
        try:
            html = place(found[1], read_manifest())
        except KeyError:
            LOG.warning("no network %r was exported for the page", found[1], location=raw)
            continue
        raw.children = [nodes.Text(MOUNT.sub(lambda _, html=html: html, raw.astext()))]
        raw["live"] = True


def load_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Let a page with places load what makes them live."""
    if tree is None or not any(raw.get("live") for raw in tree.findall(nodes.raw)):
        return
    app.add_css_file("live/live.css")
    for script in SCRIPTS:
        app.add_js_file(f"live/{script}", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", replace)
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
