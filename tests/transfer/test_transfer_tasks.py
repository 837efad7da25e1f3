"""The tasks: no leak between splits, and the same labels for whoever asks."""

import os
from collections import Counter

import pytest

from nnlm2bert.corpora import available
from nnlm2bert.errors import UserError
from nnlm2bert.transfer import TASKS, Example, Task, draw, load_task
from nnlm2bert.transfer.tasks import BEYOND, LABORATORY, REAL, hold_out

SIZES = {"train": 60, "validation": 20, "test": 20}
# Examples to learn from once those of the other parts are out, to choose by, to measure.
PUBLISHED = {
    "part-of-speech": (12_162, 2_001, 2_077),
    "chunks": (8_014, 893, 2_012),
    "entities": (3_394, 1_009, 1_287),
    "questions": (4_883, 545, 500),
    "sentiment": (6_917, 872, 1_821),
    "entailment": (4_440, 500, 4_927),
    "relatedness": (4_440, 500, 4_927),
}


def toy(labels, kind="sentence"):
    examples = [Example(((f"w{i}",),), label) for i, label in enumerate(labels)]
    names = () if kind == "score" else ("a", "b", "c")
    return Task("toy", kind, "accuracy", names, {"train": examples})


@pytest.mark.parametrize("name", LABORATORY)
def test_tasks_of_the_laboratory(name):
    task = load_task(name, SIZES)
    assert {split: len(task.splits[split]) for split in SIZES} == SIZES
    example = task.splits["train"][0]
    assert len(example.sentences) == (2 if task.kind == "pair" else 1)
    if task.kind == "tags":
        assert len(example.label) == len(example.sentences[0])
    if task.kind == "word":
        lemma = task.labels[example.label].partition("/")[0]
        assert example.sentences[0][example.position].startswith(lemma[:3])
    keys = {split: {e.key for e in examples} for split, examples in task.splits.items()}
    assert not keys["train"] & (keys["validation"] | keys["test"])
    assert not keys["validation"] & keys["test"]


@pytest.mark.parametrize("name", REAL)
def test_published_tasks(name):
    if not (os.environ.get("NNLM2BERT_DATA") or available(TASKS[name].corpus)):
        pytest.skip(f"{TASKS[name].corpus} is not on this machine: set NNLM2BERT_DATA")
    task = load_task(name)
    assert tuple(len(task.splits[s]) for s in ("train", "validation", "test")) == PUBLISHED[name]
    unseen = {e.key for split in ("validation", "test") for e in task.splits[split]}
    assert not unseen & {example.key for example in task.splits["train"]}
    if task.kind == "score":
        scores = [example.label for example in task.splits["train"]]
        assert min(scores) == -2 and max(scores) == 2
    hundreds = draw(task, 100, 0), draw(task, 1_000, 0)
    assert hundreds[0] == hundreds[1][:100] == draw(task, 100, 0) != draw(task, 100, 1)


def test_words_in_two_sentences_are_beyond_the_scoreboard():
    task = load_task("laboratory same-sense", SIZES)
    assert {split: len(task.splits[split]) for split in SIZES} == SIZES
    assert (task.kind, task.labels) == ("word-pair", ("no", "yes")) and not set(BEYOND) & set(TASKS)
    for example in task.splits["train"]:
        words = [example.side(n).sentences[0][example.side(n).position] for n in (0, 1)]
        assert words[0][:3] == words[1][:3]


def test_published_words_in_two_sentences():
    if not (os.environ.get("NNLM2BERT_DATA") or available("wic")):
        pytest.skip("wic is not on this machine: set NNLM2BERT_DATA")
    task = load_task("same-sense")
    assert [len(task.splits[s]) for s in ("train", "validation", "test")] == [5_428, 638, 1_400]
    assert task.labels == ("different", "same")


def test_every_tenth_example_is_held_out():
    task = toy([0] * 25)
    cut = hold_out(task.splits)
    assert cut["validation"] == [task.splits["train"][9], task.splits["train"][19]]
    assert len(cut["train"]) == 23 and not set(cut["train"]) & set(cut["validation"])


def test_a_draw_keeps_the_shares_of_the_classes():
    task = toy([0] * 700 + [1] * 250 + [2] * 50)
    for size in (20, 100, 400):
        found = Counter(example.label for example in draw(task, size, seed=3))
        for label, share in enumerate((0.7, 0.25, 0.05)):
            assert abs(found[label] - share * size) <= 1


def test_a_smaller_draw_is_part_of_a_larger_one_and_none_means_all():
    task = toy([0, 1] * 50)
    assert draw(task, 10, 0) == draw(task, 40, 0)[:10]
    assert draw(task, None, 0) == list(task.splits["train"])
    assert len(set(draw(task, 40, 0))) == 40
    assert draw(task, 10, 0) != draw(task, 10, 1)


def test_scores_are_drawn_from_the_whole_scale():
    task = toy([-2.0, -1.6] * 10 + [0.1] * 60 + [1.7] * 20, kind="score")
    found = Counter(round(example.label) for example in draw(task, 20, 0))
    assert [found[k] for k in (-2, 0, 2)] == pytest.approx([4, 12, 4], abs=1)


def test_an_unknown_task_is_named():
    with pytest.raises(UserError, match="no task 'translation'"):
        load_task("translation")
