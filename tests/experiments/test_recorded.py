"""The committed records are whole, agree with themselves and with the recipes that made them."""

from __future__ import annotations

import json
import math
import re

import pytest

from nnlm2bert import experiments
from nnlm2bert.experiments.records import clone_root, read_records
from nnlm2bert.experiments.runner import Job

ROOT = clone_root() / "results"
RECORDS = read_records(ROOT)
GROUP_OF = {"test perplexity": "test", "mixed test perplexity": "test mixed"}
each = pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record.path))


def test_nothing_else_lies_among_the_records():
    files = {path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()}
    assert files == {record.path for record in RECORDS}


@each
def test_perplexity_is_that_of_the_documents(record):
    for figure, name in GROUP_OF.items():
        if figure in record.figures and name in record.groups:
            group = record.groups[name]
            perplexity = math.exp(math.fsum(group["nats"]) / sum(group["tokens"]))
            assert record.figures[figure] == pytest.approx(perplexity, rel=1e-4)


@each
def test_evidence_says_where_it_comes_from(record):
    assert record.scale != "smoke"
    assert record.data or not experiments.load(record.experiment).corpora
    assert record.commit and {"python", "torch", "nnlm2bert"} <= set(record.versions)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in record.data.values())


@each
def test_no_path_of_a_machine_is_recorded(record):
    text = (ROOT / record.path).read_text(encoding="utf-8")
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    assert not [found for found in strings if found.startswith(("/", "~")) or ":\\" in found]


@each
def test_the_command_would_measure_the_same(record):
    """The recipe still has the arm, with the settings of the record."""
    experiment = experiments.load(record.experiment)
    arms = {arm.name: arm for arm in experiment.arms(record.scale)}
    job = Job(experiment, record.scale, arms[record.arm], record.seed)
    assert json.dumps(job.config, sort_keys=True) == json.dumps(record.config, sort_keys=True)
