"""The scoreboard's tables follow from records alone."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from nnlm2bert.experiments.standings import (
    STAGES,
    by_arm,
    gain_over,
    mean_group,
    mean_table,
    task_tables,
    up_to,
)

SOURCE = Path(__file__).resolve().parents[2] / "src"
TASKS = {"laboratory sentiment": "accuracy", "chunks": "F1", "questions": "accuracy"}


def groups_and_figures(level, noise, labels):
    draw = random.Random(noise)
    groups = {}
    for task in TASKS:
        tokens = [10 + block % 3 for block in range(50)]
        groups[f"{task} {labels}"] = {
            "tokens": tokens,
            "nats": [size * (level + draw.uniform(-0.05, 0.05)) for size in tokens],
        }
    return groups, {f"{task} {labels} {measure}": level for task, measure in TASKS.items()}


@pytest.fixture
def board(make_record):
    """Three rows at 100 labels, of which one has only one seed; one of them also at all."""

    def row(arm, seed, level, sizes=("100",)):
        groups, figures = {}, {}
        for labels in sizes:
            found = groups_and_figures(level, f"{arm}{seed}{labels}", labels)
            groups, figures = groups | found[0], figures | found[1]
        return make_record(
            experiment="scoreboard", arm=arm, seed=seed, groups=groups, figures=figures
        )

    return [
        row("word2vec-tuned", 0, 0.8, ("100", "all")),
        *(row("NNLM-frozen", seed, 0.6) for seed in (0, 1)),
        *(row("random", seed, 0.5) for seed in (0, 1, 2)),
    ]


def test_rows_follow_the_road_and_begin_at_random(board):
    assert list(by_arm(board)) == ["random", "NNLM-frozen", "word2vec-tuned"]
    assert [record.seed for record in by_arm(board)["random"]] == [0, 1, 2]


def test_ways_follow_one_another_within_a_stage(make_record):
    arms = ("ELMo-tuned", "ELMo-beside", "ELMo-frozen", "GPT-frozen", "random")
    rows = by_arm([make_record(arm=arm) for arm in arms])
    assert list(rows) == ["random", "ELMo-frozen", "ELMo-beside", "ELMo-tuned", "GPT-frozen"]


def test_a_chapter_shows_the_rows_up_to_its_stage(make_record):
    arms = ("BERT-tuned", "ELMo-frozen", "random", "of-another-road", "word2vec-tuned")
    found = [make_record(arm=arm) for arm in arms]
    assert [r.arm for r in up_to(found, "word2vec")] == ["random", "word2vec-tuned"]
    assert [r.arm for r in up_to(found, "ELMo")] == ["ELMo-frozen", "random", "word2vec-tuned"]
    assert len(up_to(found, STAGES[-1])) == 4
    with pytest.raises(ValueError, match="'elmo' is not a stage: take one of random, NNLM"):
        up_to(found, "elmo")


def test_a_table_a_task_with_scores_and_gains(board):
    tables = {table.task: table for table in task_tables(board)}
    assert {name: table.measure for name, table in tables.items()} == TASKS
    rows = tables["chunks"].rows
    assert rows["random"]["100"].gain is None
    assert rows["random"]["100"].score == pytest.approx(0.5, abs=0.02)
    gain = rows["word2vec-tuned"]["100"].gain
    assert 0.25 < gain.low < gain.estimate < gain.high < 0.35


def score(record, name):
    return sum(record.groups[name]["nats"]) / sum(record.groups[name]["tokens"])


def test_a_gain_is_that_over_the_same_seeds(board):
    rows = {table.task: table for table in task_tables(board)}["chunks"].rows
    by_seed = {(record.arm, record.seed): score(record, "chunks 100") for record in board}
    alone = by_seed["word2vec-tuned", 0] - by_seed["random", 0]
    assert rows["word2vec-tuned"]["100"].gain.estimate == pytest.approx(alone)
    both = [by_seed["NNLM-frozen", seed] - by_seed["random", seed] for seed in (0, 1)]
    assert rows["NNLM-frozen"]["100"].gain.estimate == pytest.approx(sum(both) / 2)


def test_what_a_seed_does_to_both_rows_leaves_their_difference():
    """Labels that happen to be hard cost both rows as much: the gain stays as sure as it was."""
    draw = random.Random(0)
    hard = [0.0, 0.2, 0.4]
    blocks = [[draw.uniform(0, 0.01) for _ in range(50)] for _ in hard]

    def row(level):
        rows = ([level - h + b for b in block] for h, block in zip(hard, blocks, strict=True))
        return {seed: {"tokens": [1] * 50, "nats": nats} for seed, nats in enumerate(rows)}

    gain = gain_over(row(0.9), row(0.8))
    assert gain.low == pytest.approx(0.1) and gain.high == pytest.approx(0.1)
    assert gain_over(row(0.9), {7: row(0.8)[0]}) is None


def test_rows_measured_on_different_examples_are_not_compared():
    ours, rival = ({0: {"tokens": [n, 2], "nats": [1.0, 1.0]}} for n in (2, 3))
    with pytest.raises(ValueError, match="different examples"):
        gain_over(ours, rival)


def test_a_row_without_a_rival_has_no_gain_and_one_without_a_group_no_cell(board):
    rows = {table.task: table for table in task_tables(board)}["questions"].rows
    assert rows["word2vec-tuned"]["all"].gain is None
    assert "all" not in rows["random"]


def test_means_are_those_of_the_tasks(board):
    tables = {table.task: table for table in task_tables(board)}
    mean = mean_table(board, laboratory=False)
    for arm, cells in mean.rows.items():
        both = [tables[task].rows[arm]["100"].score for task in ("chunks", "questions")]
        assert cells["100"].score == pytest.approx(sum(both) / 2)
    alone = mean_table(board, laboratory=True).rows["NNLM-frozen"]["100"]
    assert alone.score == pytest.approx(
        tables["laboratory sentiment"].rows["NNLM-frozen"]["100"].score
    )


def test_a_mean_counts_tasks_alike_whatever_their_size():
    small = {"tokens": [1, 1], "nats": [1.0, 0.0]}
    large = {"tokens": [100, 300], "nats": [100.0, 300.0]}
    group = mean_group([small, large])
    assert sum(group["nats"]) / sum(group["tokens"]) == pytest.approx((0.5 + 1.0) / 2)


def test_nothing_recorded_makes_no_table():
    assert task_tables([]) == [] and mean_table([], laboratory=True) is None


def test_standings_need_neither_torch_nor_numpy():
    script = (
        "import sys; sys.modules.update(torch=None, numpy=None, datasets=None, scipy=None); "
        "from nnlm2bert.experiments.standings import task_tables; task_tables([])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=SOURCE, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
