"""Ink and its gold labels, on lines drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nnlm2bert.synthetic.drawing_ink import (
    SIZE,
    Pieces,
    part_labels,
    pieces_of,
    render,
    stroke_labels,
    subdivide,
)

Points = list[tuple[float, float]]


def joined(*lines: Points) -> tuple[Pieces, np.ndarray]:
    """The pieces of some lines, and which line each belongs to."""
    each = [pieces_of([np.array(line)]) for line in lines]
    owners = np.repeat(np.arange(len(lines)), [one.ink.shape[1] for one in each])
    return Pieces(*(np.concatenate(parts, axis=1) for parts in zip(*each, strict=True))), owners


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ([(4, 6), (8, 6)], 1),
        ([(4, 7.9), (7.9, 4)], 2),
        ([(6, 4), (6, 8)], 3),
        ([(4, 4), (7.9, 7.9)], 4),
        ([(4, 6.6), (8, 5.4)], 1),
        ([(5.4, 7.9), (6.6, 4.1)], 3),
    ],
)
def test_a_stroke_is_labelled_by_its_direction(line: Points, label: int) -> None:
    expected = np.zeros((8, 8), dtype=np.int64)
    expected[1, 1] = label
    for way in (line, line[::-1]):
        assert (stroke_labels(pieces_of([np.array(way)]))[0] == expected).all()


def test_a_cell_is_its_row_and_column() -> None:
    labels = stroke_labels(pieces_of([np.array([(28.5, 1), (31.5, 1)])]))[0]
    assert labels[0, 7] == 1 and labels.sum() == 1
    assert (stroke_labels(pieces_of([np.array([(0, 17), (32, 17)])]))[0, 4] == 1).all()


def test_the_longer_of_two_strokes_decides() -> None:
    corner = [[(0.5, 3.5), (3.5, 3.5)], [(0.5, 3.5), (0.5, 1.5)]]
    assert stroke_labels(joined(*corner)[0])[0, 0, 0] == 1
    turned = [[(y, x) for x, y in line] for line in corner]
    assert stroke_labels(joined(*turned)[0])[0, 0, 0] == 3


def test_too_little_line_and_lines_off_the_sheet_are_nothing() -> None:
    assert stroke_labels(pieces_of([np.array([(1, 1), (1.9, 1)])])).sum() == 0
    assert stroke_labels(pieces_of([np.array([(1, 1), (2.1, 1)])])).sum() == 1
    for off in ([(-9, -9), (-1, -1)], [(33, 5), (60, 5)], [(5, 33), (5, 50)]):
        pieces = pieces_of([np.array(off)])
        assert stroke_labels(pieces).sum() == 0 and render([np.array(off)]).max() < 0.35
    far = render([np.array([(-9, -9), (-5, -5)]), np.array([(40, 5), (60, 5)])])
    assert far.max() == 0


def test_the_part_with_most_line_has_the_cell() -> None:
    pieces, owners = joined([(0, 1), (3, 1)], [(0, 2), (2, 2)], [(0, 3), (4, 3)])
    assert part_labels(pieces, owners + 1, 3)[0, 0, 0] == 3
    assert part_labels(pieces, np.array([1, 2, 2])[owners], 2)[0, 0, 0] == 2
    assert part_labels(pieces, np.array([2, 1, 0])[owners], 2)[0, 0, 0] == 2
    assert part_labels(pieces, 0 * owners, 2).sum() == 0


def test_less_than_a_pixel_of_a_part_is_none() -> None:
    pieces, owners = joined([(0, 1), (0.9, 1)], [(0, 2), (4, 2)])
    assert part_labels(pieces, np.array([1, 0])[owners], 1).sum() == 0
    pieces, owners = joined([(0, 1), (1.1, 1)], [(0, 2), (4, 2)])
    assert part_labels(pieces, np.array([1, 0])[owners], 1).sum() == 1


def test_ink_lies_where_the_line_is() -> None:
    image = render([np.array([(4, 10.5), (28, 10.5)])], 1.0)
    assert image.shape == (SIZE, SIZE) and image.dtype == np.float32
    assert image[10, 6:26].min() > 0.6 and image[13:].max() == 0 and image[:8].max() == 0
    np.testing.assert_allclose(image[9], image[11], atol=1e-5)
    np.testing.assert_allclose(image, image[:, ::-1], atol=0.02)
    down = render([np.array([(10.5, 4), (10.5, 28)])], 1.0)
    np.testing.assert_allclose(down, image.T, atol=1e-5)


def test_a_line_between_two_rows_of_pixels_is_on_both() -> None:
    image = render([np.array([(4, 10), (28, 10)])], 1.0)
    np.testing.assert_allclose(image[9], image[10], atol=1e-5)
    assert image[9, 16] > 0.4 > image[8, 16]


def test_wider_pens_leave_more_ink_and_paper_saturates() -> None:
    line = np.array([(5, 5), (25, 20)])
    total = [render([line], thickness).sum() for thickness in (0.8, 1.3, 2.0)]
    assert total == sorted(total) and total[0] * 1.5 < total[2]
    often = render([line] * 9, 1.3)
    assert often.max() <= 1 and often.sum() < 4 * total[1]
    assert render([]).max() == 0


def test_a_line_is_cut_into_short_pieces_and_keeps_its_corners() -> None:
    line = np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 0.1)])
    fine = subdivide(line)
    assert np.linalg.norm(np.diff(fine, axis=0), axis=1).max() <= 0.6 + 1e-9
    assert [tuple(point) in set(map(tuple, fine)) for point in line] == [True] * 3
    assert len(subdivide(line, 10.0)) > 5 * len(fine)


@pytest.mark.parametrize("line", [np.zeros((1, 2)), np.zeros((3, 3)), np.zeros(4)])
def test_what_is_no_line_is_refused(line: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a line is an array"):
        render([line])


@pytest.mark.parametrize("thickness", [0.0, -1.0, float("nan")])
def test_a_pen_has_a_width(thickness: float) -> None:
    with pytest.raises(ValueError, match="wider than 0"):
        render([np.array([(1, 1), (9, 9)])], thickness)
