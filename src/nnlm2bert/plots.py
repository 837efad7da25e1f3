"""The book's visual language: one colour a stage, one line for the limit, labels at the marks.

Figures have a transparent ground and a grey that reads on white and on the dark theme, type as
large as the text's, and are drawn as SVG that is equal byte for byte when the numbers are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAGE_COLOURS: dict[str, str] = {
    "images": "#6C6C6C",
    "n-grams": "#B8B8B8",
    "NNLM": "#56B4E9",
    "word2vec": "#E69F00",
    "ELMo": "#009E73",
    "Transformer": "#8B5F23",
    "GPT": "#D55E00",
    "BERT": "#6A5ACD",
}
"""One colour a stage (Okabe and Ito's, and neighbours that stay apart for colour-blind readers)."""

WAY_COLOURS: dict[str, str] = {
    "scratch": "#6C6C6C",
    "frozen": "#0072B2",
    "fine-tuned": "#CC79A7",
}
"""One colour for each way of using what was learned before (Okabe and Ito's two left over)."""

GREY = "#757575"
"""Axes and labels: contrast 4.6 on white, 3.9 on the dark theme before its figures are lit."""

TEXT_WIDTH = 7.5
"""Inches: 720 CSS pixels, the width of the text."""

STYLE: dict[str, Any] = {
    "figure.figsize": (6.0, 3.6),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "savefig.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.8,
    "font.size": 12,
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "lines.linewidth": 2.5,
    "lines.markersize": 7,
    "svg.fonttype": "path",
    "svg.hashsalt": "nnlm2bert",
}
SVG_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def use_style() -> None:
    """Draw every figure that follows in the book's way; in notebooks, as reproducible SVG."""
    import matplotlib as mpl

    mpl.rcParams.update(STYLE)
    mpl.rcParams["axes.prop_cycle"] = mpl.cycler(color=list(STAGE_COLOURS.values()))
    shell = _notebook_shell()
    if shell is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata=SVG_METADATA, bbox_inches=None)


def figure(
    width: float = 0.8, height: float | None = None, columns: int = 1, rows: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes, ``width`` times as wide as the text.

    ``height`` is in inches, by default three fifths of a panel's width. ``options`` go to
    ``matplotlib.pyplot.subplots``. The default of 576 CSS pixels keeps labels at 10 pixels or
    more on a phone. Raises ``ValueError`` for a width outside (0, 1].
    """
    import matplotlib.pyplot as plt

    if not 0 < width <= 1:
        raise ValueError(f"width is a part of the text's width, from 0 to 1, not {width}")
    inches = TEXT_WIDTH * width
    height = height or rows * 0.6 * inches / columns
    return plt.subplots(rows, columns, figsize=(inches, height), **options)


def stage_colour(stage: str) -> str:
    """The colour of a stage; raises ``KeyError`` naming the known ones."""
    if stage not in STAGE_COLOURS:
        raise KeyError(f"no stage is called {stage!r}; choose from {', '.join(STAGE_COLOURS)}")
    return STAGE_COLOURS[stage]


def ink(colour: str) -> str:
    """The same hue as text: darkened or lightened to the luminance of :data:`GREY`.

    Equal luminance gives equal contrast, so a label in any stage's ink reads like the axes do.
    """
    goal = luminance(GREY)
    light = luminance(colour)
    channels = _linear(colour)
    if light >= goal:
        return _hex([channel * goal / light for channel in channels])
    share = (goal - light) / (1 - light)
    return _hex([channel + (1 - channel) * share for channel in channels])


def on(colour: str) -> str:
    """Black or white: which of the two reads better on ``colour``."""
    return "#000000" if contrast(colour, "#000000") > contrast(colour, "#ffffff") else "#ffffff"


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, relative luminance)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, from 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def limit_line(ax: Axes, y: float, label: str = "limit") -> None:
    """The exact floor, the same in every figure: a thin dashed line with its name above it."""
    ax.axhline(y, color=GREY, linewidth=1, linestyle=(0, (5, 4)), zorder=1)
    ax.annotate(
        label,
        (0, y),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
        color=GREY,
        style="italic",
    )


def limit_points(ax: Axes, x: Sequence[float], y: Sequence[float], label: str = "limit") -> None:
    """A floor that changes with ``x``: the dashed line again, with its name at its right end."""
    ax.plot(x, y, color=GREY, linewidth=1, linestyle=(0, (5, 4)), zorder=1)
    label_line(ax, x[-1], y[-1], label, colour=GREY, style="italic")


def label_line(
    ax: Axes, x: float, y: float, text: str, colour: str, dy: float = 0, **options: Any
) -> None:
    """Write ``text`` just right of the point (x, y), in the ink of ``colour``.

    ``dy`` moves the text by points, for lines that end close together.
    """
    settings = {"va": "center", "color": ink(colour), "annotation_clip": False, **options}
    ax.annotate(text, (x, y), xytext=(7, dy), textcoords="offset points", **settings)


def line(
    ax: Axes,
    x: Sequence[float],
    y: Sequence[float],
    stage: str,
    label: str | None = None,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    dy: float = 0,
    **options: Any,
) -> None:
    """One stage's measurements with their interval behind them and their name at the right end.

    ``low`` and ``high`` are the interval's ends, in units of ``y``; ``label`` is the stage's
    name unless given, and the empty string leaves it out. ``options`` go to ``Axes.plot``.
    """
    colour = stage_colour(stage)
    edges = {"markeredgecolor": ink(colour), "markeredgewidth": 1, "marker": "o"}
    if low is not None and high is not None:
        ax.vlines(x, low, high, color=ink(colour), linewidth=1.5, zorder=2)
    ax.plot(x, y, color=colour, zorder=3, **{**edges, **options})
    name = stage if label is None else label
    if name:
        label_line(ax, x[-1], y[-1], name, colour, dy)


def interval_points(
    ax: Axes, rows: Sequence[tuple[str, float, float, float]], stages: Mapping[str, str] | str
) -> None:
    """One row a name, from the top: its interval as a bar, its value as a point on it.

    ``rows`` holds (name, value, low, high) in the units of the x axis; ``stages`` maps names to
    stages, or is the one stage of all rows.
    """
    for place, (name, value, low, high) in enumerate(rows):
        colour = stage_colour(stages if isinstance(stages, str) else stages[name])
        ax.hlines(place, low, high, color=ink(colour), linewidth=3, zorder=2)
        ax.plot(value, place, "o", color=colour, markeredgecolor=ink(colour), zorder=3)
    ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def bars(ax: Axes, names: Sequence[str], values: Sequence[float], stages: Sequence[str]) -> None:
    """Horizontal bars from the top, each in its stage's colour with its value at the end."""
    colours = [stage_colour(stage) for stage in stages]
    drawn = ax.barh(names, values, color=colours, edgecolor=[ink(c) for c in colours], height=0.7)
    ax.bar_label(drawn, fmt="%.3g", padding=4, color=GREY)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.15)


def heat_map(
    ax: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], stage: str
) -> None:
    """Values of shape (rows, columns) as squares: from clear (the least) to the stage's colour."""
    from matplotlib.colors import LinearSegmentedColormap

    colour = stage_colour(stage)
    shades = LinearSegmentedColormap.from_list(stage, [colour + "00", colour + "ff"])
    ax.imshow(values, cmap=shades, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _notebook_shell() -> Any:
    """The running notebook's shell, or None elsewhere."""
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return None
    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _linear(colour: str) -> list[float]:
    """Linear-light red, green and blue of ``#rrggbb``, each from 0 to 1."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _hex(channels: Sequence[float]) -> str:
    """``#rrggbb`` of linear-light channels from 0 to 1."""
    coded = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in channels]
    return "#" + "".join(f"{round(255 * min(max(c, 0), 1)):02x}" for c in coded)
