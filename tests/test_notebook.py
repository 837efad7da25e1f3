"""Cards, tables, claims, quizzes: the same in HTML and in text, needing neither script nor CSS."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nnlm2bert import notebook
from nnlm2bert.diagrams import STAGES
from nnlm2bert.experiments.claims import ledger
from nnlm2bert.experiments.records import Record
from nnlm2bert.notebook import Choice, Question

EMPTY = {"br"}
RECORD = Record(
    experiment="nnlm",
    scale="laptop",
    arm="mlp9",
    seed=0,
    command="python -m nnlm2bert reproduce nnlm --scale laptop",
    config={},
    data={},
    versions={},
    commit="abcdef0123456789",
    dirty=False,
    device="cpu",
    threads=2,
    seconds=7_500.0,
    date="2026-11-22T10:00:00Z",
    figures={"test perplexity": 276.0},
)
QUESTION = Question(
    "What is shared?",
    [
        Choice("the table `C`", True, "One row a word, at every position."),
        Choice("nothing <at all>", False, "The table is."),
    ],
)


class Nesting(HTMLParser):
    """Collects the tags and demands that each is closed where it should be."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def fragments():
    rows = [["KN", 321.0, None], ["NNLM", 276.5, 12_930]]
    return {
        "head": notebook.head("NNLM", "What is learnt?", 45, 2, ["Python", "`nn.Linear`"]),
        "strip": notebook.strip("GPT"),
        "claims": notebook.claim_box(5, 6, evidence={5: "#brown"}),
        "table": notebook.table(rows, ("Model", "Perplexity", "Parameters"), "Brown"),
        "letters": notebook.letters([("C", "model.C", "the table")]),
        "next words": notebook.next_words("the <dog>", {"NNLM": [("barks", 0.5), ("<unk>", 0.1)]}),
        "quiz": notebook.quiz([QUESTION]),
        "record": notebook.record_note(RECORD),
        "real text": notebook.real_text(False, 40, 4),
    }


@pytest.mark.parametrize("name", fragments())
def test_a_fragment_is_sound_html_and_plain_text(name):
    fragment = fragments()[name]
    tags = Nesting(fragment._repr_html_()).seen
    assert not {"script", "link", "img"} & {tag for tag, _ in tags}
    assert not any("id" in attributes for _, attributes in tags)
    assert repr(fragment) == fragment.text and fragment.text
    assert not re.search(r"</?(div|td|span|p|code)\b", fragment.text)


@pytest.mark.parametrize("name", fragments())
def test_styles_weigh_nothing_and_belong_to_what_is_shown(name):
    html = fragments()[name]._repr_html_()
    styles = re.search(r"<style>(.*)</style>", html).group(1)
    assert all(rule.strip().startswith(":where(.nnlm-") for rule in styles.split("}")[:-1])
    used = set(re.findall(r"nnlm-[\w-]+", html.replace(styles, "")))
    assert set(re.findall(r"\.(nnlm-[\w-]+)", styles)) <= used


def test_the_head_card_says_everything_and_lights_its_stage():
    card = fragments()["head"]
    for words in ("What is learnt?", "2003", "45 minutes", "2 minutes on two cores"):
        assert words in card.html and words in card.text
    lit = [
        attributes for tag, attributes in Nesting(card.html).seen if "aria-current" in attributes
    ]
    assert len(lit) == 1 and "[NNLM]" in card.text and "<code>nn.Linear</code>" in card.html


def test_the_head_of_the_whole_road_lights_every_stage_and_needs_a_year():
    card = notebook.head("", "?", 1, 1, [], year="2003-2018")
    assert card.html.count("border-top-color") == len(STAGES) and "aria-current" not in card.html
    assert "2003-2018" in card.text
    with pytest.raises(KeyError, match="no stage"):
        notebook.head("", "?", 1, 1, [])


def test_an_unknown_stage_is_refused():
    with pytest.raises(KeyError, match="XLNet"):
        notebook.head("XLNet", "?", 1, 1, [])


def test_claims_come_from_the_ledger():
    box = notebook.claim_box(5, 7, evidence={7: "#longer-context"})
    rows = {row.id: row for row in ledger()}
    for number in (5, 7):
        assert rows[number].statement in box.text and rows[number].criterion in box.text
        assert f"Claim {number} [{rows[number].verdict}]" in box.text
    assert box.html.count('<div class="nnlm-claim">') == 2
    assert '<a href="#longer-context">evidence</a>' in box.html
    with pytest.raises(KeyError, match=r"not \[99\]"):
        notebook.claim_box(5, 99)
    with pytest.raises(KeyError, match="none"):
        notebook.claim_box()


def test_a_measured_claim_shows_its_interval_and_verdict(monkeypatch):
    row = next(row for row in ledger() if row.id == 5)
    measured = {
        "ours": "Perplexity 276 against 321.",
        "quantity": "Ratio",
        "estimate": 0.86,
        "interval": (0.85, 0.872),
        "verdict": "does not hold",
        "scale": "laptop",
        "record": "results/nnlm/laptop",
    }
    found = type(row)(**{**row.as_json(), **measured})
    monkeypatch.setattr("nnlm2bert.experiments.claims.ledger", lambda *asked: [found])
    box = notebook.claim_box(5)
    assert "Ratio: 0.860, 95 % interval 0.850 to 0.872" in box.text
    assert 'nnlm-chip--fails">does not hold<' in box.html
    assert "<code>results/nnlm/laptop</code>, scale laptop" in box.html


def test_every_verdict_has_a_chip():
    chips = {verdict: notebook.verdict_chip(verdict) for verdict in notebook.VERDICT_CLASSES}
    assert {row.verdict for row in ledger()} <= set(chips)
    assert all(verdict in chip.html for verdict, chip in chips.items())
    with pytest.raises(KeyError):
        notebook.verdict_chip("nearly")


def test_a_table_has_headers_that_say_what_they_head():
    shown = fragments()["table"]
    tags = Nesting(shown.html).seen
    scopes = [attributes.get("scope") for tag, attributes in tags if tag == "th"]
    assert scopes == ["col", "col", "col", "row", "row"]
    assert "<caption>Brown</caption>" in shown.html
    assert "\u2013" in shown.text and "12,930" in shown.text and "321.00" in shown.text


def test_numbers_stand_flush_right_in_text_too():
    lines = fragments()["table"].text.split("\n")
    assert lines[1:] == [
        "Model  Perplexity  Parameters",
        "KN         321.00           \u2013",
        "NNLM       276.50      12,930",
    ]


def test_the_best_of_a_column_is_bold():
    rows = [["a", 3.0, 1], ["b", 2.0, 9], ["c", None, 9]]
    best = {"loss": min, "hits": max}
    html = notebook.table(rows, ("model", "loss", "hits"), "T", best=best).html
    assert re.findall(r'nnlm-best">([^<]+)<', html) == ["2.00", "9", "9"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 columns"):
        notebook.table([["a", 1, 2]], ("x", "y"), "T")


def test_words_are_escaped():
    html = fragments()["next words"].html
    assert "&lt;dog&gt;" in html and "&lt;unk&gt;" in html and "<unk>" not in html


def test_every_choice_opens_without_a_script():
    shown = notebook.quiz([QUESTION])
    assert shown.html.count("<details>") == shown.html.count("<summary>") == 2
    assert "<strong>Right.</strong> One row a word" in shown.html
    assert "nothing &lt;at all&gt;" in shown.html
    assert "the table `C` -> Right. One row a word" in shown.text


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([Choice("a", True, "w")], "one right choice"),
        ([Choice("a", True, "w"), Choice("b", True, "w")], "one right choice"),
        ([Choice("a", False, "w"), Choice("b", False, "w")], "one right choice"),
        ([Choice("a", True, "w"), Choice("b", False, " ")], "not explained"),
    ],
)
def test_a_quiz_that_teaches_nothing_is_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        notebook.quiz([Question("q", choices)])


def test_a_record_is_said_to_be_one():
    text = notebook.record_note([RECORD, RECORD]).text
    for words in ("Not computed here", "2 records", "2026-11-22", "4 h 10 min", "cpu", "abcdef0"):
        assert words in text
    assert RECORD.command in text
    several = [replace(RECORD, arm=arm, command=f"... --arms {arm}") for arm in ("KN3", "KN5")]
    wider = f"`python -m nnlm2bert reproduce {RECORD.experiment} --scale {RECORD.scale} --seeds"
    assert wider in notebook.record_note(several).text
    with pytest.raises(ValueError, match="no record"):
        notebook.record_note([])


def test_the_switch_is_what_the_reader_set():
    assert not notebook.real_text(False, 40, 4)
    assert notebook.real_text(True, 40, 4)
    assert "RUN_ON_REAL_TEXT = True" in notebook.real_text(False, 40, 4).text
    assert "T4" not in notebook.real_text(False, 40).text
    pictures = [notebook.real_text(enabled, 40, what="pictures").text for enabled in (False, True)]
    assert "RUN_ON_REAL_PICTURES = True" in pictures[0] and "real pictures" in pictures[1]
    assert (
        "40 minutes on two cores, 4 minutes on a Colab T4" in notebook.real_text(True, 40, 4).text
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(42.4, "42 s"), (89.9, "90 s"), (420, "7 min"), (7200, "2 h 00 min"), (11_234, "3 h 07 min")],
)
def test_durations_read_as_a_reader_says_them(seconds, words):
    assert notebook.duration(seconds) == words


def test_fragments_survive_the_way_through_a_notebook_file():
    html = fragments()["head"]._repr_html_()
    assert json.loads(json.dumps(html)) == html and "\n" not in html
