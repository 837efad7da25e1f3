"""The recipe of the experiment `images`, run whole at scale smoke."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from nnlm2bert.corpora import pictures
from nnlm2bert.corpora.pictures import PictureSet
from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.images import experiment as images
from nnlm2bert.experiments.images import judges
from nnlm2bert.experiments.images import material as images_material
from nnlm2bert.experiments.images import measures as images_measures
from nnlm2bert.experiments.images import nets as images_nets
from nnlm2bert.experiments.images.material import Examples, Material
from nnlm2bert.experiments.images.nets import Trainer
from nnlm2bert.experiments.runner import run
from nnlm2bert.synthetic.drawings import FAMILIES, Pictures
from nnlm2bert.transfer.layers import frozen_layers

ARMS = {arm.name: arm for arm in images.arms("smoke")}
JUDGED = [claim.judge for claim in CLAIMS if claim.experiment == "images"]
FINDINGS = (judges.middle_dip, judges.strokes_parts_objects, judges.far_loses_more)
SEEDED = ("CIFAR-random-AnB", "pocket-near-scratch", "pocket-probes")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def records(places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        folders = {"results": places / "results", "workspace": places / "work"}
        first = run(images.EXPERIMENT, "smoke", seeds=[0], **folders)
        second = run(images.EXPERIMENT, "smoke", seeds=[1], arms=SEEDED, **folders)
    return {(record.arm, record.seed): record for record in (*first, *second)}


@pytest.fixture(scope="module")
def material():
    return Material("smoke")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NNLM2BERT_CACHE", str(tmp_path))
    return tmp_path / "images"


def trainer(arm="CIFAR-random-AnB", seed=0, **changes):
    return Trainer({**ARMS[arm].config, **changes}, seed)


def weights(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_every_arm_is_recorded(records):
    assert {arm for arm, seed in records if seed == 0} == set(ARMS)
    assert {arm for arm, seed in records if seed == 1} == set(SEEDED)


def test_records_are_small(places, records):
    for path in (places / "results").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        form = json.loads(text)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(text) < 60 * 1024 and max(map(len, names)) <= 60


@pytest.mark.parametrize("judge", [*JUDGED, *FINDINGS])
def test_records_hold_what_the_judges_ask_for(records, judge):
    """Were they of scale laptop, every claim would get a verdict."""
    laptop = [dataclasses.replace(record, scale="laptop") for record in records.values()]
    finding = judge([record for record in laptop if record.seed == 0])
    assert finding.verdict != "not yet measured", finding.note


def test_four_claims_are_judged():
    assert [claim.id for claim in CLAIMS if claim.judge in JUDGED] == [1, 2, 3, 4]


def test_arms_of_a_setting_are_tested_on_the_same_units_whatever_the_seed(records):
    for setting in (*images.SETTINGS, "pocket-probes"):
        own = [record for (arm, _), record in records.items() if arm.startswith(setting)]
        tokens = {tuple(group["tokens"]) for record in own for group in record.groups.values()}
        levels = 3 if setting == "pocket-probes" else 1
        assert 1 <= len(tokens) <= levels


def test_figures_are_those_of_the_groups(records):
    for record in records.values():
        for name, group in record.groups.items():
            accuracy = math.fsum(group["nats"]) / sum(group["tokens"])
            assert record.figures[name] == pytest.approx(accuracy)


def test_a_seed_gives_the_same_and_another_one_not(records, material, places, cache):
    for arm in ("CIFAR-random-AnB", "pocket-near-scratch"):
        again = images.run(ARMS[arm], 0, material, places)
        assert dict(again.groups) == records[arm, 0].groups
        assert dict(again.figures) != records[arm, 1].figures


@pytest.mark.parametrize("split", ["random", "distant"])
def test_two_directions_test_each_picture_once(material, split):
    there, back = material.directions(f"CIFAR-{split}", 3)
    assert (there.source, back.source) == (back.target, there.target)
    four, six = there.target, back.target
    assert (len(four.classes), len(six.classes)) == (4, 6)
    assert set(four.classes) | set(six.classes) == set(images_material.CIFAR_CLASSES)
    places = np.concatenate([four.places, six.places])
    assert sorted(places) == list(range(len(places)))


def test_the_distant_split_is_by_kind_and_the_other_by_lot(material):
    drawn = [material.halves("random", seed)[0].classes for seed in range(4)]
    assert len(set(drawn)) > 1
    kinds = {material.halves("distant", seed)[0].classes for seed in range(4)}
    assert kinds == {("airplane", "automobile", "ship", "truck")}


@pytest.fixture
def sets(monkeypatch):
    """Stands for all sets of pictures: 130 of each of ten classes by twenty drawers."""
    read = []

    def load_pictures(name, split):
        read.append((name, split))
        images = np.random.default_rng(len(read)).integers(0, 256, (1300, 1, 4, 4), dtype=np.uint8)
        labels = np.arange(1300) % 10
        return PictureSet(images, labels, images_material.CIFAR_CLASSES, np.arange(1300) % 20 + 1)

    monkeypatch.setattr(images_material, "load_pictures", load_pictures)
    return read


def test_the_small_sets_are_cut(sets):
    small = Material("laptop")
    four, six = small.halves("distant", 0)
    assert (len(four.test.labels), len(six.test.labels)) == (400, 600)
    assert (len(four.learn.labels), len(six.learn.labels)) == (2 * 4 * 30, 2 * 6 * 30)
    fashion = small.drawn("Fashion")
    assert fashion.learn.labels.bincount().tolist() == [100] * 10
    assert len(fashion.test.labels) == 300
    assert len(small.omniglot().test.labels) == 130
    assert len(small.drawn("MNIST").learn.labels) == 1300
    assert sets == [
        ("cifar10-4k", "train"),
        ("fashion-mnist-2k", "test"),
        ("omniglot-small", "train"),
        ("mnist-22k", "train"),
        ("mnist-22k", "test"),
    ]


def test_the_full_sets_come_with_a_test(sets):
    full = Material("gpu")
    four, _ = full.halves("distant", 0)
    assert (len(four.learn.labels), len(four.test.labels)) == (2 * 520, 520)
    assert len(full.drawn("Fashion").learn.labels) == 1300
    read = ["cifar-10/train", "cifar-10/test", "fashion-mnist/train", "fashion-mnist/test"]
    assert sets == [tuple(each.split("/")) for each in read]
    assert list(full.fingerprints) == read
    assert len({mark for (mark,) in full.fingerprints.values()}) == 4


def test_all_sets_can_be_read():
    known = {*pictures.PICTURES}
    assert {name for names in images_material.SETS.values() for name in names.values()} <= known


def test_pictures_without_file_hashes_are_told_by_a_mark(material, places, cache):
    arm, marks = ARMS["CIFAR-random-base"], {"cifar-10/train": ["ab"]}
    assert "pictures" not in images.run(arm, 0, material, places).words
    full = SimpleNamespace(scale="gpu", directions=material.directions, fingerprints=marks)
    found = images.run(arm, 0, full, places).words
    assert found["pictures"] == marks and len(found["classes"]) == 2


def test_families_of_the_laboratory_keep_their_test_pictures(material):
    one, other = (material.pocket("near", seed) for seed in (0, 1))
    assert one.classes == FAMILIES["near"]
    assert torch.equal(one.test.labels, other.test.labels)
    assert not torch.equal(one.learn.images, other.learn.images)
    assert one.learn.images.mean().abs() < 1e-3
    assert one.learn.images.std() == pytest.approx(1, abs=1e-3)


def test_draws_of_labels_are_nested_and_balanced(material):
    task = material.pocket("near", 0)
    three, ten = (task.with_labels(count, 5) for count in (3, 10))
    assert three.learn.labels.bincount().tolist() == [3] * 8
    assert torch.equal(ten.learn.images[: len(three.learn.images)], three.learn.images)
    assert not torch.equal(task.with_labels(3, 6).learn.images, three.learn.images)
    assert three.mark != task.mark


PICTURES = PictureSet(
    np.arange(6, dtype=np.uint8).repeat(8).reshape(6, 1, 2, 4) + np.arange(4, dtype=np.uint8),
    np.array([0, 1, 0, 0, 1, 1]),
    ("a", "b"),
)


def test_the_last_of_each_class_are_cut_off():
    most, last = images_material.cut_by_class(PICTURES, -1)
    assert last.images[:, 0, 0, 0].tolist() == [3, 5] and last.labels.tolist() == [0, 1]
    assert len(most) == 4
    first, others = images_material.cut_by_class(PICTURES, 1)
    assert (len(first), len(others)) == (2, 4)


def test_mirrored_pictures_follow_the_others():
    both = images_material.mirrored(PICTURES)
    assert both.labels.tolist() == [*PICTURES.labels, *PICTURES.labels]
    assert (both.images[6:, ..., 0] == PICTURES.images[..., -1]).all()


def test_right_answers_are_added_up_by_neighbours():
    assert images_material.summed([1, 0, 1, 1, 0, 1]) == {
        "tokens": [2, 2, 2],
        "nats": [1.0, 2.0, 1.0],
    }
    thousand = images_material.summed(np.ones(1003))
    assert len(thousand["tokens"]) == 100 and sum(thousand["tokens"]) == 1003
    assert set(thousand["tokens"]) == {10, 11}


def test_what_is_fresh_begins_alike_in_all_arms_and_not_as_the_base(material):
    task = material.halves("random", 0)[0]
    first = weights(trainer("CIFAR-random-AnB").untrained(task, "fresh"))
    assert torch.equal(first, weights(trainer("CIFAR-random-BnB+").untrained(task, "fresh")))
    assert not torch.equal(first, weights(trainer().untrained(task, "base")))
    assert not torch.equal(first, weights(trainer(seed=1).untrained(task, "fresh")))


def test_a_base_network_is_trained_once(material, cache, monkeypatch):
    task = material.halves("random", 0)[0]
    trained = trainer().base(task)
    monkeypatch.setattr(images_nets, "fit", None)
    kept = trainer("CIFAR-random-BnB").base(task)
    assert torch.equal(weights(kept), weights(trained)) and not kept.training
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("change", [{"steps": 5}, {"dropout": 0.1}, {"learning_rate": 1.0}])
def test_other_settings_are_another_base_network(material, change):
    task = material.halves("random", 0)[0]
    assert trainer()._place(task) != trainer(**change)._place(task)
    assert trainer()._place(task) != trainer(seed=1)._place(task)
    assert trainer()._place(task) != trainer()._place(material.halves("random", 1)[0])
    assert trainer()._place(task) != trainer()._place(task.with_labels(3, 0))
    assert trainer()._place(task) == trainer("CIFAR-random-BnB+")._place(task)


@pytest.mark.parametrize("frozen", [True, False])
def test_copied_layers_are_kept_or_tuned(material, cache, frozen):
    (other, task) = material.halves("random", 0)
    source = trainer().base(other)
    model, _ = trainer().transferred(source, task, 2, frozen)
    fresh = trainer().untrained(task, "fresh")
    assert frozen_layers(model) == (2 if frozen else 0)
    for layer, copied in zip(model.layers[:2], source.layers[:2], strict=True):
        assert torch.equal(weights(layer), weights(copied)) is frozen
    assert not torch.equal(weights(model.layers[2]), weights(fresh.layers[2]))


def test_random_layers_stay_as_initialised(material):
    task = material.halves("random", 0)[0]
    model, _ = trainer().transferred(None, task, 3, frozen=True)
    fresh = trainer().untrained(task, "fresh")
    assert torch.equal(weights(model.layers[:3]), weights(fresh.layers[:3]))
    assert not torch.equal(weights(model.layers[3]), weights(fresh.layers[3]))


def test_steps_to_an_accuracy():
    assert images_nets.steps_to([0.2, 0.5, 0.4, 0.6], [25, 50, 75, 100], 0.5) == 50
    assert images_nets.steps_to([0.2], [25], 0.5) == math.inf


def test_speed_is_read_off_the_curves(records):
    record = records["pocket-near-speed", 0]
    aim = 0.9 * record.series["scratch"][-1]
    assert record.figures["accuracy aimed at"] == pytest.approx(aim)
    for way in ("scratch", "frozen", "tuned"):
        curve = zip(record.series["steps"], record.series[way], strict=True)
        reached = [step for step, accuracy in curve if accuracy >= aim]
        assert record.figures.get(f"steps, {way}") == (reached[0] if reached else None)


class Gold(nn.Module):
    """A network whose pictures hold the answers: layer 1 shows them, 1 twice; layer 2 is blind."""

    def __init__(self):
        super().__init__()
        self.layers = [None, None]
        self.weight = nn.Parameter(torch.zeros(1))

    def features(self, pictures, layer):
        shown = nn.functional.one_hot(pictures[:, 0, ::4, ::4].long(), 4).permute(0, 3, 1, 2)
        shown = torch.cat([shown, shown[:, 1:2]], dim=1).float()
        return shown if layer == 1 else torch.zeros_like(shown)


@pytest.fixture
def golden():
    """A task whose pictures show the stroke of each cell, and the class in the first column."""
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 4, (60, 8, 8))
    labels = np.arange(60) % 4
    cells[:, :, 0] = labels[:, None]
    shown = torch.from_numpy(cells.repeat(4, axis=1).repeat(4, axis=2)[:, None].astype("float32"))
    examples = Examples(shown, torch.from_numpy(labels))
    task = SimpleNamespace(learn=examples, test=examples, classes=tuple("abcd"))
    drawn = Pictures(shown.numpy(), labels, tuple("abcd"), cells, (cells > 2) * 5)
    return task, {"learn": drawn, "test": drawn}


def test_probes_read_what_a_layer_shows(golden):
    task, drawn = golden
    numbers = {"pictures": 60, "learn": 500, "test": 500}
    found = images_measures.probe_layers(Gold(), task, drawn, numbers, 0)
    for level in ("strokes", "parts", "objects"):
        assert found.figures[f"{level}, layer 1"] == 1.0
        assert found.figures[f"{level}, layer 2"] == found.figures[f"{level}, most frequent"]
    assert sum(found.groups["strokes, layer 1"]["tokens"]) == 500
    assert sum(found.groups["objects, layer 1"]["tokens"]) == 60


def test_cells_are_drawn_from_those_with_a_label():
    gold = np.zeros((3, 8, 8), dtype=int)
    gold[1, 2, 3], gold[2, 0, 0], gold[2, 7, 7] = 1, 2, 3
    assert images_measures.sample_cells(gold, 5, 0).tolist() == [64 + 19, 128, 191]
    drawn = images_measures.sample_cells(gold, 2, 0)
    assert len(drawn) == 2 and set(gold.ravel()[drawn]) <= {1, 2, 3}


def test_maps_are_brought_to_cells():
    fine = torch.arange(256.0).reshape(1, 1, 16, 16)
    assert images_measures.by_cell(fine)[:2, 0].tolist() == [8.5, 10.5]
    coarse = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert images_measures.by_cell(coarse)[:9, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 0]
    assert images_measures.pooled(fine).shape == (1, 16)


def test_units_that_tell_a_class_are_found(golden):
    """Units 1 to 3, and 4 as 1, are active for their class alone, unit 0 and layer 2 for all."""
    task, _ = golden
    pictures = task.test.images.clone()
    pictures[..., 4:] = 0
    marked = SimpleNamespace(test=task.test._replace(images=pictures), classes=task.classes)
    figures = images_measures.unit_precision(Gold(), marked)
    assert figures["best unit, layer 2"] == pytest.approx(0.25)
    assert figures["best unit, layer 1"] == pytest.approx((0.25 + 3) / 4)
    assert figures["mean unit, layer 1"] == pytest.approx((0.25 + 4) / 5)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_settings_are_those_of_the_claims(scale):
    configs = {arm.name: arm.config for arm in images.arms(scale)}
    for setting in ("CIFAR-random", "pocket-near", "pocket-far"):
        frozen, tuned = (configs[f"{setting}-{mode}"] for mode in ("AnB", "AnB+"))
        assert tuned == {**frozen, "frozen": False}
        assert configs[f"{setting}-BnB"] == {**frozen, "source": "same"}
        assert configs[f"{setting}-base"] == {**tuned, "source": None, "copied": (0,)}
    distant = {**configs["CIFAR-random-AnB"], "setting": "CIFAR-distant"}
    assert configs["CIFAR-distant-AnB"] == distant
    assert configs["MNIST-frozen"] == {**configs["MNIST-scratch"], "copied": 5, "frozen": True}
    assert configs["MNIST-frozen"]["labels"] == (1, 3, 10, 30, 100)
    assert configs["CIFAR-random-AnB"]["copied"] == (1, 2, 3, 4, 5)
    untrained = {**configs["MNIST-frozen"], "untrained": True}
    assert configs["MNIST-untrained"] == untrained


def test_untrained_layers_come_from_no_source(records):
    untrained, frozen = (records[f"pocket-near-{way}", 0] for way in ("untrained", "frozen"))
    assert "source" in frozen.figures and "source" not in untrained.figures
    losses = [record.figures["training loss, 100 labels"] for record in (untrained, frozen)]
    assert losses[0] != losses[1]
