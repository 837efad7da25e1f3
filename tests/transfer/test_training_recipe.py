"""The recipe: what it learns from, what it keeps, what it answers."""

import numpy as np
import pytest
import torch

from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.training import TrainingConfig
from nnlm2bert.transfer import Example, FirstLayer, Recipe, Task, build_model, learn, predict
from nnlm2bert.transfer.training_recipe import SimilarLengths, encoder_optimizer, spread

WORDS = ("bad", "good", "very", "film")


def sentences(count, seed):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        label = int(generator.integers(2))
        noise = ["film", "very"] * int(generator.integers(1, 5))
        yield Example(((*noise, WORDS[label], *noise[:1]),), label)


@pytest.fixture(scope="module")
def task():
    names = ("train", "validation", "test")
    splits = {name: list(sentences(60, seed)) for seed, name in enumerate(names)}
    return Task("toy", "sentence", "accuracy", ("bad", "good"), splits)


def accuracy(predicted, examples):
    return float(np.mean([p == e.label for p, e in zip(predicted, examples, strict=True)]))


def run(task, mode="random", **options):
    vectors = WordVectors(WORDS, np.eye(4)) if mode != "random" else None
    recipe = Recipe(**{"steps": 40, "batch_size": 10, **options})
    make = lambda: FirstLayer(WORDS, vectors, mode)  # noqa: E731
    return learn(task, make, task.splits["train"], recipe, accuracy, seed=0)


@pytest.mark.parametrize("mode", ["random", "frozen", "fine-tuned"])
def test_a_simple_task_is_learned_and_only_frozen_rows_stay(task, mode):
    model, result = run(task, mode)
    assert accuracy(predict(model, task, task.splits["test"]), task.splits["test"]) > 0.9
    assert result.step == 40
    if mode != "random":
        start = FirstLayer(WORDS, WordVectors(WORDS, np.eye(4)), mode).rows.weight
        assert torch.equal(model.encoder.rows.weight, start) == (mode == "frozen")


def test_the_same_seed_gives_the_same_network(task):
    (one, _), (other, _) = run(task), run(task)
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_weights_kept_are_the_best_on_the_validation_part(task):
    seen = []

    def falling(predicted, examples):
        assert examples == task.splits["validation"]
        seen.append(1.0 / (1 + len(seen)))
        return seen[-1]

    make = lambda: FirstLayer(WORDS)  # noqa: E731
    recipe = Recipe(steps=8, batch_size=10, evaluations=4)
    _, result = learn(task, make, task.splits["train"], recipe, falling, seed=0)
    assert len(seen) == 4 and result.best_step == 2


def test_answers_come_in_the_order_of_the_questions(task):
    model, _ = run(task)
    test = task.splits["test"]
    alone = [predict(model, task, [example])[0] for example in test]
    assert predict(model, task, test, batch=7) == alone


def test_every_example_comes_once_an_epoch_beside_others_of_its_length():
    lengths = np.random.default_rng(0).integers(1, 40, size=230).tolist()
    batches = SimilarLengths(lengths, 16, seed=0)
    rows = [batches.batch(step) for step in range(len(batches))]
    assert sorted(torch.cat(rows).tolist()) == list(range(230))
    spans = [max(chosen) - min(chosen) for row in rows if (chosen := [lengths[i] for i in row])]
    assert np.median(spans) < 8
    again = [batches.batch(step + len(batches)) for step in range(len(batches))]
    assert sorted(torch.cat(again).tolist()) == list(range(230))
    assert torch.cat(rows).tolist() != torch.cat(again).tolist()
    torch.testing.assert_close(SimilarLengths(lengths, 16, 0).batch(3), rows[3])


def test_the_encoder_may_learn_more_slowly(task):
    model, _ = run(task)
    config = TrainingConfig(steps=1, batch_size=10)
    groups = encoder_optimizer(model, config, 0.1).param_groups
    slow = [p for group in groups if group.get("rate_factor") == 0.1 for p in group["params"]]
    assert {id(p) for p in slow} == {id(p) for p in model.encoder.parameters()}
    counted = [id(p) for group in groups for p in group["params"]]
    assert sorted(counted) == sorted(id(p) for p in model.parameters())
    assert all(
        "rate_factor" not in group for group in encoder_optimizer(model, config, 1.0).param_groups
    )


def test_an_encoder_at_the_output_learns_at_the_rate_of_the_one_below(task):
    tags = Task("toy", "tags", "accuracy", task.labels, {})
    model = build_model(tags, FirstLayer(WORDS), output_encoder=FirstLayer(WORDS))
    groups = encoder_optimizer(model, TrainingConfig(steps=1, batch_size=1), 0.1).param_groups
    slow = [id(p) for g in groups if g.get("rate_factor") == 0.1 for p in g["params"]]
    assert sorted(slow) == sorted(
        map(id, [model.encoder.rows.weight, model.output_encoder.rows.weight])
    )
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


class Drawn(FirstLayer):
    """Vectors that are drawn to 0 by a penalty."""

    def penalty(self):
        return 100.0 * self.rows.weight.square().sum()


def test_what_an_encoder_asks_for_is_added_to_the_loss(task):
    recipe = Recipe(steps=1, batch_size=10)
    first = []
    for kind in (FirstLayer, Drawn):
        make = lambda kind=kind: kind(WORDS)  # noqa: E731
        _, result = learn(task, make, task.splits["train"], recipe, accuracy, seed=0)
        first.append(result.history.losses[0])
    assert first[1] > first[0] + 100


def test_a_part_is_spread_over_the_whole():
    examples = [Example((("a",),), i) for i in range(10)]
    assert [example.label for example in spread(examples, 5)] == [0, 2, 4, 6, 8]
    assert spread(examples, 99) == examples
