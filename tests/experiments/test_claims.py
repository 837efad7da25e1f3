"""The ledger: verdicts on made-up records with known answers, and nothing made up without."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from nnlm2bert.experiments import rendering
from nnlm2bert.experiments.claims import CHAPTERS, CLAIMS, claim, ledger
from nnlm2bert.experiments.judges import VERDICTS

BIBLIOGRAPHY = Path(__file__).parents[2] / "book" / "references.bib"
TOKENS = [2000 + 10 * document for document in range(40)]
PAPER = {"MLP9": 276, "MLP5": 279, "MLP7": 293, "KN3": 323, "KN5": 321, "trigram": 336}
MIXED = 252


@pytest.fixture
def nnlm(make_record):
    """Makes records of the experiment `nnlm` from perplexities, with noise by document and seed."""

    def records(perplexities, scale="laptop", seeds=3, mixed=MIXED, noise=0.02, **changes):
        made = []
        for arm, perplexity in perplexities.items():
            for seed in range(seeds if arm.startswith("MLP") else 1):
                groups = {"test": _group(perplexity, arm, seed, noise)}
                if arm.startswith("MLP"):
                    groups["test mixed"] = _group(mixed, arm, seed, noise)
                named = {"experiment": "nnlm", "scale": scale, "arm": arm, "seed": seed}
                made.append(make_record(**{**named, "groups": groups, **changes}))
        return made

    return records


def _group(perplexity, arm, seed, noise):
    hard = random.Random(0)
    own = random.Random(f"{arm} {seed}")
    nats = [
        tokens * (math.log(perplexity) + hard.gauss(0, 0.3) + own.gauss(0, noise))
        for tokens in TOKENS
    ]
    return {"tokens": TOKENS, "nats": nats}


def verdict(number, records):
    return claim(number).find(records).verdict


@pytest.mark.parametrize("number", [5, 6, 7])
def test_the_papers_figures_hold(nnlm, number):
    assert verdict(number, nnlm(PAPER)) == "holds"


@pytest.mark.parametrize(
    ("number", "changes", "mixed"),
    [
        (5, {"MLP9": 345}, MIXED),
        (6, {}, 290),
        (6, {"trigram": 240}, MIXED),
        (7, {"MLP5": 305}, MIXED),
        (7, {"KN5": 290}, MIXED),
    ],
)
def test_clearly_worse_does_not_hold(nnlm, number, changes, mixed):
    assert verdict(number, nnlm({**PAPER, **changes}, mixed=mixed)) == "does not hold"


@pytest.mark.parametrize(
    ("number", "changes", "mixed"),
    [(5, {"MLP9": 321}, MIXED), (6, {}, 276), (7, {"MLP5": 292}, MIXED)],
)
def test_level_cannot_be_told(nnlm, number, changes, mixed):
    records = nnlm({**PAPER, **changes}, mixed=mixed)
    assert verdict(number, records) == "cannot tell at this scale"


@pytest.mark.parametrize("number", [5, 6, 7])
def test_without_records_nothing_is_measured(nnlm, make_record, number):
    assert verdict(number, []) == "not yet measured"
    assert verdict(number, nnlm(PAPER, scale="smoke")) == "not yet measured"
    assert verdict(number, nnlm(PAPER, experiment="other")) == "not yet measured"


def test_a_missing_arm_is_named(nnlm):
    finding = claim(7).find(nnlm({arm: PAPER[arm] for arm in ("MLP5", "KN3", "KN5")}))
    assert finding.verdict == "not yet measured"
    assert finding.note == "laptop: MLP7 is not recorded"


def test_figures_and_interval_of_claim_5(nnlm):
    finding = claim(5).find(nnlm(PAPER, noise=0.0))
    hard = random.Random(0)
    shift = sum(tokens * hard.gauss(0, 0.3) for tokens in TOKENS) / sum(TOKENS)
    expected = f"{276 * math.exp(shift):.0f} against {321 * math.exp(shift):.0f}"
    assert finding.ours == f"Brown, test perplexity {expected}"
    assert finding.estimate == pytest.approx(276 / 321)
    assert finding.interval == pytest.approx((276 / 321, 276 / 321))


def test_documents_are_paired(nnlm):
    """Documents differ by .3 nats, arms by .02: unpaired, the interval would be some .1 wide."""
    low, high = claim(5).find(nnlm(PAPER)).interval
    assert low < 276 / 321 < high
    assert high - low < 0.03


def test_mixture_and_network_share_their_seeds(nnlm):
    """What differs from seed to seed in both, by .1 nats, does not blur their difference."""
    records = [
        _shifted(record, 0.1 * (record.seed - 1)) if record.arm == "MLP9" else record
        for record in nnlm({"MLP9": 276, "trigram": 1000}, mixed=270, noise=0.001)
    ]
    finding = claim(6).find(records)
    assert finding.verdict == "holds"
    assert finding.quantity.startswith("ratio, mixture / network")
    assert finding.interval[1] - finding.interval[0] < 0.005


def _shifted(record, nats):
    for group in record.groups.values():
        group["nats"] = [
            value + nats * tokens
            for value, tokens in zip(group["nats"], group["tokens"], strict=True)
        ]
    return record


def test_seeds_widen_the_interval(nnlm):
    def width(spread):
        records = [
            _shifted(record, spread * (record.seed - 1)) if record.arm == "MLP9" else record
            for record in nnlm(PAPER)
        ]
        low, high = claim(5).find(records).interval
        return high - low

    assert width(0.05) > 2 * width(0.0)


def test_few_seeds_are_told_and_only_documents_drawn(nnlm):
    one = claim(5).find(nnlm(PAPER, seeds=1))
    assert one.note == "1 seed, 40 documents; the interval covers documents only"
    two = [
        _shifted(record, 0.1 * (-1) ** record.seed) if record.arm == "MLP9" else record
        for record in nnlm(PAPER, seeds=2)
    ]
    finding = claim(5).find(two)
    assert finding.note == "2 seeds, 40 documents; the interval covers documents only"
    assert finding.interval[1] - finding.interval[0] < 0.03
    assert claim(5).find(nnlm(PAPER)).note == "3 seeds, 40 documents"


def test_laptop_counts_before_gpu_if_complete(nnlm):
    gpu = nnlm({**PAPER, "MLP9": 345}, scale="gpu")
    both = claim(5).find([*gpu, *nnlm(PAPER)])
    assert (both.scale, both.verdict, both.record) == ("laptop", "holds", "results/nnlm/laptop")
    part = claim(5).find([*gpu, *nnlm({"KN5": 321})])
    assert (part.scale, part.verdict) == ("gpu", "does not hold")


def test_seeds_of_different_settings_are_not_mixed(nnlm, make_record):
    records = nnlm(PAPER, seeds=2) + nnlm({"MLP9": 200}, seeds=1, seed=2, config={"h": 9})
    finding = claim(5).find(records)
    assert finding.verdict == "not yet measured"
    assert "MLP9 were run with different settings" in finding.note


def test_other_documents_are_not_paired(nnlm):
    other = {"test": {"tokens": TOKENS[::-1], "nats": [9.0] * 40}}
    records = nnlm({"MLP9": 276}) + nnlm({"KN5": 321}, groups=other)
    assert "KN5, seed 0 has no group 'test' of the same documents" in claim(5).find(records).note


def test_all_twenty_five_claims_are_listed():
    assert [entry.id for entry in CLAIMS] == list(range(1, 26))
    assert {entry.chapter for entry in CLAIMS} <= set(CHAPTERS)
    for entry in CLAIMS:
        assert entry.statement.endswith(".") and entry.criterion.endswith(".")
        assert entry.paper and entry.citations
        assert (entry.experiment is None) == (entry.judge is None)


def test_every_citation_is_in_the_bibliography():
    keys = re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY.read_text(encoding="utf-8"), re.MULTILINE)
    assert {key for entry in CLAIMS for key in entry.citations} <= set(keys)


def test_ledger_reads_records_from_a_folder(nnlm, tmp_path):
    for record in nnlm(PAPER):
        record.save(tmp_path)
    rows = {row.id: row for row in ledger(tmp_path)}
    assert {number for number, row in rows.items() if row.verdict == "holds"} == {5, 6, 7}
    assert all(rows[n].verdict == "not yet measured" for n in rows if n not in (5, 6, 7))
    assert {row.verdict for row in rows.values()} <= set(VERDICTS)


def test_claims_that_were_not_asked_for_are_not_judged(nnlm, tmp_path, monkeypatch):
    for record in nnlm(PAPER):
        record.save(tmp_path)
    every = {row.id: row for row in ledger(tmp_path)}
    judged = []
    find = type(claim(5)).find
    monkeypatch.setattr(
        type(claim(5)), "find", lambda self, records: judged.append(self.id) or find(self, records)
    )
    assert ledger(tmp_path, (7, 5)) == [every[5], every[7]]
    assert judged == [5, 7]


def test_the_same_records_give_the_same_ledger(nnlm, tmp_path):
    for record in nnlm(PAPER):
        record.save(tmp_path)
    assert ledger(tmp_path) == ledger(tmp_path)


def test_json_has_the_fields_others_read(nnlm, tmp_path):
    for record in nnlm(PAPER):
        record.save(tmp_path)
    rows = json.loads(rendering.as_json(ledger(tmp_path)))
    fields = "id chapter statement paper criterion ours interval verdict scale record"
    assert all(set(fields.split()) <= set(row) for row in rows)
    assert rows[4]["interval"] == pytest.approx(claim(5).find(nnlm(PAPER)).interval)
    assert rows[0]["interval"] is rows[0]["scale"] is rows[0]["record"] is None


def test_markdown_has_a_table_a_chapter_and_text_every_fact(nnlm, tmp_path):
    for record in nnlm(PAPER):
        record.save(tmp_path)
    rows = ledger(tmp_path)
    markdown = rendering.as_markdown(rows)
    headings = [line[3:] for line in markdown.splitlines() if line.startswith("## ")]
    assert headings == [CHAPTERS[name] for name in sorted({entry.chapter for entry in CLAIMS})]
    assert sum(line.startswith("| ") and line[2].isdigit() for line in markdown.splitlines()) == 25
    text = " ".join(rendering.as_text(rows).split())
    assert rows[4].ours in text and "(laptop: 3 seeds, 40 documents)" in text
