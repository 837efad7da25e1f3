"""Pocket pictures: what is drawn, how it differs, and the truth about it."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from nnlm2bert.synthetic.drawings import (
    FAMILIES,
    ORIENTATIONS,
    PARTS,
    PARTS_OF,
    Drawing,
    Pictures,
    Style,
    draw,
    render,
    sample,
)

OBJECTS = [name for family in FAMILIES.values() for name in family]
STILL = Style(
    shrink=0, shift=0, rotation=0, shear=0, mirror=0, jitter=0, stretch=0, tilt=0,
    thinnest=1, thickest=1, clutter=0, noise=0,
)  # fmt: skip


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def pictures(request: pytest.FixtureRequest) -> Pictures:
    return sample(FAMILIES[request.param], 1_600, seed=1)


def parts_of_family(family: str) -> set[str]:
    return set().union(*(PARTS_OF[name] for name in FAMILIES[family]))


def test_families_have_eight_objects_each_and_share_none() -> None:
    assert [len(FAMILIES[family]) for family in ("source", "near", "far")] == [8, 8, 8]
    assert len(set(OBJECTS)) == 24 and set(OBJECTS) == set(PARTS_OF)


def test_near_objects_are_made_of_the_sources_parts_and_far_ones_of_none() -> None:
    assert parts_of_family("near") <= parts_of_family("source")
    assert not parts_of_family("far") & (parts_of_family("source") | parts_of_family("near"))
    assert parts_of_family("far") | parts_of_family("source") == set(PARTS)
    assert len(set(PARTS)) == len(PARTS)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_no_part_alone_tells_the_object(family: str) -> None:
    for part in sorted(parts_of_family(family)):
        assert sum(part in PARTS_OF[name] for name in FAMILIES[family]) >= 2, part
    assert all(len(PARTS_OF[name]) >= (2 if name != "ladder" else 1) for name in FAMILIES[family])


def test_pictures_have_shapes_types_and_bounds(pictures: Pictures) -> None:
    count = len(pictures)
    assert pictures.images.shape == (count, 1, 32, 32) and pictures.images.dtype == np.float32
    assert pictures.images.min() == 0 and 0.9 < pictures.images.max() <= 1
    for labels, most in ((pictures.strokes, len(ORIENTATIONS)), (pictures.parts, len(PARTS))):
        assert labels.shape == (count, 8, 8) and labels.dtype == np.int64
        assert labels.min() == 0 and labels.max() <= most
    assert set(np.unique(pictures.strokes)) == {0, 1, 2, 3, 4}


def test_classes_are_balanced_and_shuffled() -> None:
    labels = sample(FAMILIES["far"], 203, seed=5).labels
    assert labels.dtype == np.int64 and sorted(np.bincount(labels)) == [25] * 5 + [26] * 3
    assert len(set(labels[:16])) > 4 and (np.diff(labels) != 1).any()


def test_only_parts_of_the_object_are_labelled(pictures: Pictures) -> None:
    for label, name in enumerate(pictures.objects):
        seen = np.unique(pictures.parts[pictures.labels == label])
        assert {PARTS[part - 1] for part in seen if part} == PARTS_OF[name]
    assert (pictures.strokes[pictures.parts > 0] > 0).all()


def test_a_seed_gives_the_same_pictures_again() -> None:
    first, again, other = (sample(["cat", "key"], 50, seed) for seed in (3, 3, 4))
    for name in ("images", "labels", "strokes", "parts"):
        assert (getattr(first, name) == getattr(again, name)).all()
    assert (first.images != other.images).mean() > 0.3


def test_an_object_is_drawn_alike_in_all_company() -> None:
    alone, together = sample(["cat"], 20, 7), sample(["bus", "cat"], 40, 7)
    assert (alone.images == together.images[together.labels == 1]).all()
    assert (alone.parts == together.parts[together.labels == 1]).all()


def test_two_objects_do_not_share_their_chances() -> None:
    starts = [draw(name, 5).clutter[0][0].round(2) for name in ("tree", "key", "umbrella")]
    assert len(np.unique(starts, axis=0)) == 3


def test_turning_keeps_all_lengths() -> None:
    for seed in range(4):
        lines, turned = (
            [line for part in draw("bird", seed, style).drawn for line in part.lines]
            for style in (STILL, replace(STILL, rotation=60.0))
        )
        spans = [np.ptp(line, axis=0) for line in lines]
        assert any(
            abs(np.ptp(b, axis=0) - a).max() > 0.5 for a, b in zip(spans, turned, strict=True)
        )
        for line, other in zip(lines, turned, strict=True):
            steps, others = (np.linalg.norm(np.diff(x, axis=0), axis=1) for x in (line, other))
            np.testing.assert_allclose(steps, others, atol=1e-3)


def test_parts_are_turned_as_placed() -> None:
    parts = {part.name: part for part in draw("bird", 0, STILL).drawn}
    left, top, right, bottom = parts["nose"].box
    tip = np.concatenate(parts["nose"].lines)[:, 0].argmax()
    assert np.concatenate(parts["nose"].lines)[tip, 1] == pytest.approx((top + bottom) / 2, abs=0.1)
    assert left > (parts["head"].box[0] + parts["head"].box[2]) / 2 and right > 28
    leaves = [part for part in draw("flower", 0, STILL).drawn if part.name == "ear"]
    for leaf in leaves:
        points = np.concatenate(leaf.lines)
        outer = points[np.abs(points[:, 0] - 16).argmax()]
        assert outer[1] < points[:, 1].mean()


@pytest.mark.parametrize("name", OBJECTS)
def test_one_drawing_is_the_first_of_a_sample(name: str) -> None:
    one, many = draw(name, 11), sample([name], 1, 11)
    assert one.object == name and one.image.shape == (32, 32)
    assert (one.image == many.images[0, 0]).all()
    assert (one.strokes == many.strokes[0]).all() and (one.parts == many.parts[0]).all()


@pytest.mark.parametrize("name", OBJECTS)
def test_a_drawing_is_the_sum_of_its_parts(name: str) -> None:
    drawing = draw(name, 2, replace(Style(), noise=0.0, thinnest=1.2, thickest=1.2))
    lines = [line for part in drawing.drawn for line in part.lines] + list(drawing.clutter)
    assert {part.name for part in drawing.drawn} == PARTS_OF[name]
    np.testing.assert_allclose(render(lines, 1.2), drawing.image, atol=0.1)
    for part in drawing.drawn:
        points = np.concatenate(part.lines)
        assert np.allclose(part.box, [*points.min(0), *points.max(0)])


def lengths_by_cell(lines: list[np.ndarray]) -> dict[tuple[int, int], list[np.ndarray]]:
    """The steps of some lines, piece by piece, by row and column of the cell."""
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    for line in lines:
        for start, end in itertools.pairwise(line):
            column, row = np.floor((start + end) / 2 / 4).astype(int)
            found.setdefault((row, column), []).append(end - start)
    return found


def most_drawn(drawing: Drawing, cell: tuple[int, int]) -> tuple[float, str]:
    """The length and the name of the part with most line in a cell."""
    names = sorted({part.name for part in drawing.drawn})
    lines = {n: [line for p in drawing.drawn if p.name == n for line in p.lines] for n in names}
    steps = {name: lengths_by_cell(lines[name]).get(cell, []) for name in names}
    return max((float(sum(map(np.linalg.norm, steps[name]))), name) for name in names)


@pytest.mark.parametrize("name", ["cat", "church", "anchor"])
def test_gold_labels_are_what_was_drawn(name: str) -> None:
    drawing = draw(name, 4)
    lines = [line for part in drawing.drawn for line in part.lines] + list(drawing.clutter)
    steps = lengths_by_cell(lines)
    for cell in np.ndindex(8, 8):
        length, part = most_drawn(drawing, cell)
        assert drawing.parts[cell] == (1 + PARTS.index(part) if length >= 1 else 0)
        total = sum(map(np.linalg.norm, steps.get(cell, [])))
        assert (drawing.strokes[cell] > 0) == (total >= 1)
        if total >= 1:
            doubled = sum(np.hypot(*s) * np.exp(2j * np.arctan2(-s[1], s[0])) for s in steps[cell])
            eighths = np.angle(doubled) / 2 / (np.pi / 4)
            assert drawing.strokes[cell] == round(eighths) % 4 + 1


def test_stray_strokes_are_strokes_but_no_parts() -> None:
    for clutter in (0, 4):
        drawn = sample(FAMILIES["far"], 80, 1, replace(Style(), clutter=clutter))
        stray = (drawn.strokes > 0) & (drawn.parts == 0)
        assert (stray.mean() > 0.02) == (clutter > 0)
    lengths = [len(draw("key", seed).clutter) for seed in range(60)]
    assert min(lengths) == 0 and max(lengths) == Style().clutter


def test_without_variation_all_drawings_are_one() -> None:
    images = sample(["train"], 5, 1, STILL).images
    assert (images == images[0]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"shrink": 0.3},
        {"shift": 3.0},
        {"rotation": 20.0},
        {"shear": 0.2},
        {"mirror": 0.5},
        {"jitter": 0.05},
        {"stretch": 0.1},
        {"tilt": 8.0},
        {"thickest": 2.0},
        {"clutter": 3},
        {"noise": 0.1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_setting_makes_drawings_differ(change: dict[str, float]) -> None:
    images = sample(["train"], 12, 1, replace(STILL, **change)).images
    assert (np.ptp(images, axis=0) > 0.05).any()


def test_mirrors_swap_left_and_right() -> None:
    plain, mirrored = (draw("fish", 1, replace(STILL, mirror=chance)) for chance in (0.0, 1.0))
    np.testing.assert_allclose(mirrored.image, plain.image[:, ::-1], atol=1e-4)
    assert (mirrored.parts == plain.parts[:, ::-1]).mean() > 0.9
    turned = np.array([0, 1, 4, 3, 2])[plain.strokes[:, ::-1]]
    assert (mirrored.strokes == turned).mean() > 0.9


def test_an_unvaried_drawing_stays_on_the_sheet() -> None:
    for name in OBJECTS:
        boxes = np.array([part.box for part in draw(name, 0, STILL).drawn])
        assert boxes.min() >= 0 and boxes.max() <= 32, name
        width, height = boxes[:, 2:].max(0) - boxes[:, :2].min(0)
        assert max(width, height) > 22, name


def test_how_much_ink_there_is_does_not_tell_the_object(pictures: Pictures) -> None:
    ink = pictures.images.mean((1, 2, 3))
    half = len(ink) // 2
    bins = np.digitize(ink, np.quantile(ink[:half], np.linspace(0, 1, 21)[1:-1]))
    table = np.zeros((20, 8))
    np.add.at(table, (bins[:half], pictures.labels[:half]), 1)
    right = table.argmax(1)[bins[half:]] == pictures.labels[half:]
    assert right.mean() < 0.4


def test_pictures_are_drawn_fast() -> None:
    sample(FAMILIES["source"], 8, 0)
    start = time.process_time()
    sample(FAMILIES["source"], 1_000, 0)
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("objects", [[], ["cat", "cat"], ["cat", "dragon"]])
def test_unknown_and_repeated_objects_are_refused(objects: list[str]) -> None:
    with pytest.raises(ValueError, match="name each once, of face"):
        sample(objects, 5, 0)


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        sample(["cat"], 0, 0)
    with pytest.raises(ValueError, match="dragon"):
        draw("dragon", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": -0.1},
        {"clutter": -1},
        {"thinnest": 0.0},
        {"thinnest": 2.0, "thickest": 1.0},
        {"shrink": 1.0},
        {"mirror": 1.5},
    ],
)
def test_impossible_styles_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="thinnest"):
        Style(**wrong)
