"""The visual language: colours that stay apart for everyone, ink that can be read, stable bytes."""

from __future__ import annotations

import io
import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlm2bert import plots

mpl.use("agg")

# Machado, Oliveira and Fernandes 2009, full severity, on linear light.
COLOUR_BLIND = {
    "none": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as someone sees it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    rgb = np.clip(np.asarray(seen) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.asarray(to_xyz) @ rgb / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", COLOUR_BLIND)
def test_ways_stay_apart_for_every_sight(sight):
    seen = COLOUR_BLIND[sight]
    for one, other in itertools.combinations(plots.WAY_COLOURS.values(), 2):
        assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 10, (one, other)


@pytest.mark.parametrize("sight", COLOUR_BLIND)
def test_stages_stay_apart_for_every_sight(sight):
    seen = COLOUR_BLIND[sight]
    for one, other in itertools.combinations(plots.STAGE_COLOURS, 2):
        colours = plots.STAGE_COLOURS[one], plots.STAGE_COLOURS[other]
        distance = np.linalg.norm(lab(colours[0], seen) - lab(colours[1], seen))
        assert distance > 12, f"{one} and {other} look alike with {sight}: {distance:.1f}"


def test_contrast_is_that_of_the_standard():
    assert plots.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert plots.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colour", [*plots.STAGE_COLOURS.values(), "#000000", "#ffffff"])
def test_ink_reads_on_light_and_dark(colour):
    ink = plots.ink(colour)
    assert plots.contrast(ink, "#ffffff") >= 4.45
    assert plots.contrast(ink, "#14181e") >= 3.8


@pytest.mark.parametrize("colour", plots.STAGE_COLOURS.values())
def test_text_on_a_stages_colour_can_be_read(colour):
    assert plots.contrast(plots.on(colour), colour) >= 4.5


def test_figures_are_as_wide_as_asked_and_never_wider_than_the_text():
    fig, axes = plots.figure(width=1, columns=2)
    assert fig.get_size_inches()[0] == plots.TEXT_WIDTH and len(axes) == 2
    with pytest.raises(ValueError, match="from 0 to 1"):
        plots.figure(width=1.2)


def test_an_unknown_stage_names_the_known_ones():
    with pytest.raises(KeyError, match=r"XLNet.*BERT"):
        plots.stage_colour("XLNet")


def test_a_line_has_its_interval_behind_it_and_its_name_at_its_end():
    _, ax = plots.figure()
    plots.line(ax, [1, 2], [3, 4], "GPT", low=[2.9, 3.9], high=[3.1, 4.1])
    (bars,) = ax.collections
    (points,) = ax.lines
    assert bars.get_zorder() < points.get_zorder()
    assert ax.texts[0].get_text() == "GPT" and ax.texts[0].xy == (2, 4)
    assert ax.texts[0].get_color() == plots.ink(plots.STAGE_COLOURS["GPT"])


def test_the_limit_is_a_thin_dashed_line_with_its_name():
    _, ax = plots.figure()
    plots.limit_line(ax, 1.41)
    plots.limit_points(ax, [1, 2], [1.5, 1.4])
    assert [text.get_text() for text in ax.texts] == ["limit", "limit"]
    assert all(line.get_linestyle() == "--" and line.get_linewidth() == 1 for line in ax.lines)


def test_rows_stand_from_the_top_with_their_intervals():
    _, ax = plots.figure()
    plots.interval_points(ax, [("KN", 321, 315, 328), ("NNLM", 276, 270, 281)], "NNLM")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["KN", "NNLM"]
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert [tuple(c.get_segments()[0][:, 0]) for c in ax.collections] == [(315, 328), (270, 281)]


def test_bars_carry_their_values():
    _, ax = plots.figure()
    plots.bars(ax, ["a", "b"], [1.5, 2.25], ["NNLM", "BERT"])
    assert [text.get_text() for text in ax.texts] == ["1.5", "2.25"]


def test_a_heat_map_goes_from_clear_to_the_stages_colour():
    _, ax = plots.figure()
    plots.heat_map(ax, np.array([[0.0, 1.0]]), ["a"], ["b", "c"], "ELMo")
    shades = ax.images[0].cmap
    assert shades(0.0)[3] == 0 and mpl.colors.to_hex(shades(1.0)) == "#009e73"


def drawn() -> bytes:
    fig, ax = plots.figure()
    plots.line(ax, [1, 2], [3, 4], "BERT")
    plots.limit_line(ax, 3)
    file = io.BytesIO()
    fig.savefig(file, format="svg", metadata=plots.SVG_METADATA)
    return file.getvalue()


def test_the_same_numbers_give_the_same_bytes_on_a_clear_ground():
    first = drawn()
    assert drawn() == first
    assert b"<dc:date>" not in first
    assert plt.gcf().get_facecolor()[3] == 0
