"""The book's diagrams, drawn by code: inputs at the bottom, predictions at the top.

The same part is the same box in every diagram, so that two models differ on paper only where they
differ in fact. A drawing takes the colour of the text around it and works on light and dark.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from nnlm2bert.plots import GREY, on, stage_colour

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HALF_HEAD = 4.5
EVEN = ("", False, False)


@dataclass(frozen=True)
class Stage:
    """A stage of the road: its chapter, the name in figures, the year, the idea it hands on."""

    chapter: int
    name: str
    year: str
    idea: str


STAGES: tuple[Stage, ...] = (
    Stage(0, "images", "2012-14", "learn once, use again"),
    Stage(1, "NNLM", "2003", "a vector for every word"),
    Stage(2, "word2vec", "2013", "vectors from billions of words"),
    Stage(3, "ELMo", "2018", "a vector for every occurrence"),
    Stage(4, "Transformer", "2017", "attention, all at once"),
    Stage(5, "GPT", "2018", "one network, fine-tuned"),
    Stage(6, "BERT", "2018", "left and right, in every layer"),
)
"""The stages in the order of the book."""

HANDED_ON: tuple[tuple[int, int, str], ...] = (
    (0, 5, "pre-train, then fine-tune"),
    (1, 5, "predict the next word"),
    (2, 6, "the word in the middle"),
    (3, 6, "both directions"),
)
"""Ideas that skip chapters: from, to, what."""


HANDED_LAYERS: tuple[tuple[str, str, int, str, str], ...] = (
    ("images", "images", 3, "any", "either way"),
    ("word2vec", "word2vec", 1, "1", "either way"),
    ("ELMo", "ELMo", 5, "all", "frozen"),
    ("BERT", "GPT, BERT", 5, "all", "tuned"),
)
"""Of five layers, which are handed on: stage, name, how many are drawn and said, frozen or not."""


@dataclass
class Drawing:
    """An SVG in the making, ``width`` x ``height`` user units; y grows downwards."""

    width: float
    height: float
    title: str
    description: str
    ink: str = "currentColor"
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, label: str, size: float = 15, anchor: str = "middle", **more: str
    ) -> None:
        """Text whose middle line is at ``y``: ``*italic*``, ``w_t`` lowers up to the next space.

        ``more`` are further attributes, with underscores for hyphens.
        """
        attributes = {"text_anchor": anchor, "fill": self.ink, **more}
        named = " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items())
        place = f'x="{x:g}" y="{y + 0.35 * size:g}" font-size="{size:g}"'
        self.parts.append(f"<text {place} {named}>{_markup(label)}</text>")

    def box(
        self, x: float, y: float, width: float, height: float, label: str = "", colour: str = ""
    ) -> None:
        """A part of a model; with a ``colour`` it holds parameters, without it only values."""
        fill = f'fill="{colour}" fill-opacity="0.28"' if colour else 'fill="none"'
        stroke = colour or self.ink
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" {fill} '
            f'stroke="{stroke}" stroke-width="1.5"/>'
        )
        if label:
            self.text(x + width / 2, y + height / 2, label)

    def cells(self, x: float, y: float, width: float, count: int, colour: str = "") -> None:
        """A vector: a row of ``count`` squares."""
        side = width / count
        for place in range(count):
            self.parts.append(
                f'<rect x="{x + place * side:g}" y="{y:g}" width="{side:g}" height="{side:g}" '
                f'fill="{colour or "none"}" fill-opacity="0.6" stroke="{self.ink}"/>'
            )

    def distribution(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A prediction: probabilities of the next word, as bars that stand on a line."""
        shares = (0.12, 0.3, 0.18, 1.0, 0.42, 0.22, 0.1, 0.08, 0.26)
        step = width / len(shares)
        for place, share in enumerate(shares):
            self.parts.append(
                f'<rect x="{x + (place + 0.15) * step:g}" y="{y + height * (1 - share):g}" '
                f'width="{0.7 * step:g}" height="{height * share:g}" fill="{colour}"/>'
            )
        self.line([(x, y + height), (x + width, y + height)])

    def line(
        self, points: Sequence[tuple[float, float]], colour: str = "", dashed: bool = False
    ) -> None:
        """A line through ``points``."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour or self.ink}" '
            f'stroke-width="1.5" stroke-linejoin="round"{dashes}/>'
        )

    def arrow(
        self, points: Sequence[tuple[float, float]], colour: str = "", dashed: bool = False
    ) -> None:
        """A line with a head; its last leg runs along an axis."""
        (x0, y0), (x1, y1) = points[-2:]
        along_x, along_y = _sign(x1 - x0), _sign(y1 - y0)
        base = (x1 - 2 * HALF_HEAD * along_x, y1 - 2 * HALF_HEAD * along_y)
        self.line([*points[:-1], base], colour, dashed)
        side_x, side_y = HALF_HEAD * along_y, HALF_HEAD * along_x
        corners = [
            (x1, y1),
            (base[0] + side_x, base[1] + side_y),
            (base[0] - side_x, base[1] - side_y),
        ]
        path = " ".join(f"{x:g},{y:g}" for x, y in corners)
        self.parts.append(f'<polygon points="{path}" fill="{colour or self.ink}"/>')

    def svg(self) -> str:
        """The drawing as an SVG element that names and describes itself."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" '
            f'aria-label="{escape(self.title)}. {escape(self.description)}" '
            f'font-family="{FONT}" style="max-width:100%;height:auto">'
        )
        words = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        return "\n".join([head, words, *self.parts, "</svg>"])

    def _repr_html_(self) -> str:
        return f'<div class="nnlm-diagram" style="text-align:center">{self.svg()}</div>'

    def __repr__(self) -> str:
        return f"{self.title}: {self.description}"


def nnlm(n: int = 5, h: int = 100, m: int = 30, direct: bool = True) -> Drawing:
    """The network of 2003: order ``n``, ``h`` hidden units, ``m`` features a word.

    ``h = 0`` leaves the hidden layer out, which the paper allows only with ``direct`` connections.
    Bengio et al. 2003, section 2 and figure 1. Raises ``ValueError`` where nothing leads to the
    output.
    """
    if n < 2 or (h == 0 and not direct):
        raise ValueError(f"n = {n}, h = {h}, direct = {direct}: nothing leads to the output")
    colour = stage_colour("NNLM")
    drawing = Drawing(520, 438, f"NNLM of order {n}", _nnlm_description(n, h, m, direct))
    letters = "*b*" + ", *U*" * bool(h) + ", *W*" * direct
    _predicted_word(drawing, "softmax", letters, colour)
    if h:
        drawing.box(170, 180, 180, 40, "tanh", colour)
        drawing.text(362, 200, f"*H*, *d*: {h} units", anchor="start")
        drawing.arrow([(260, 258), (260, 220)])
        drawing.arrow([(260, 180), (260, 136)])
    left, right = _looked_up_words(drawing, n - 1, colour)
    if direct:
        drawing.arrow([(max(left, 130), 258), (130, 258), (130, 136)], dashed=bool(h))
        drawing.text(118, 200, "direct", anchor="end")
    drawing.line([(left, 270), (left, 258), (right, 258), (right, 270)])
    drawing.text(right + 12, 282, f"*m* = {m}", anchor="start")
    return drawing


def ngram(n: int = 3) -> Drawing:
    """Counting: the last ``n - 1`` words choose a row of counts; unseen ones fall back to fewer.

    Raises ``ValueError`` for ``n`` below 2, which has no context to draw.
    """
    if n < 2:
        raise ValueError(f"an n-gram model with a context has n of at least 2, not {n}")
    colour = stage_colour("n-grams")
    drawing = Drawing(520, 300, f"n-gram model of order {n}", _ngram_description(n))
    _predicted_word(drawing, "counts, smoothed", "", colour)
    shown = _shown(n - 1)
    left, right = 260 - 48 * len(shown), 260 + 48 * len(shown)
    for place, back in enumerate(shown):
        drawing.text(left + 96 * place + 48, 282, _word(back))
    drawing.line([(left + 4, 262), (left + 4, 250), (right - 4, 250), (right - 4, 262)])
    drawing.arrow([(260, 250), (260, 136)])
    drawing.text(248, 194, f"the last {n - 1}", anchor="end")
    if n > 2:
        drawing.arrow([(290, 250), (290, 136)], dashed=True)
        drawing.text(302, 194, "fewer, where unseen", anchor="start")
    return drawing


def cbow(window: int = 2) -> Drawing:
    """The network that guesses a word from the mean of those around it.

    Mikolov et al. 2013a, section 3.1 and figure 1. Raises ``ValueError`` for no word around.
    """
    drawing = _word2vec("CBOW", window, _cbow_description(window))
    colour = stage_colour("word2vec")
    _predicted_word(drawing, "which word?", "*v\u2032*", colour)
    drawing.box(200, 176, 120, 40, "mean")
    drawing.text(332, 196, "*h*", anchor="start")
    drawing.arrow([(260, 176), (260, 136)])
    left, right = _around(drawing, window, 272, colour)
    drawing.line([(left, 270), (left, 250), (right, 250), (right, 270)])
    drawing.arrow([(260, 250), (260, 216)])
    return drawing


def skip_gram(window: int = 2) -> Drawing:
    """The network that guesses each of the words around from the one in the middle.

    Mikolov et al. 2013a, section 3.2 and figure 1. Raises ``ValueError`` for no word around.
    """
    drawing = _word2vec("skip-gram", window, _skip_gram_description(window))
    colour = stage_colour("word2vec")
    places = _places(window)
    for x, offset in places:
        if offset is None:
            drawing.text(x, 60, _around_word(offset))
            continue
        drawing.text(x, 24, _around_word(offset))
        drawing.distribution(x - 36, 44, 72, 40, colour)
        drawing.arrow([(260, 190), (x, 190), (x, 136)] if x != 260 else [(260, 190), (x, 136)])
        drawing.box(x - 36, 96, 72, 40, "*v\u2032*", colour)
    drawing.line([(260, 272), (260, 190)])
    _looked_up(drawing, 260, "*w_t*", 272, colour)
    return drawing


def elmo(words: Sequence[str] = ("the", "bank", "opens")) -> Drawing:
    """Two towers of two LSTM layers over the characters of three words, and the mix above them.

    Peters et al. 2018, section 3. Raises ``ValueError`` for another number of words.
    """
    if len(words) != 3:
        raise ValueError(f"{len(words)} words: the drawing has room for three")
    colour = stage_colour("ELMo")
    drawing = Drawing(520, 452, "ELMo", _elmo_description(words))
    for first, name in ((40, "from the left"), (324, "from the right")):
        columns = [first + 78 * place for place in range(3)]
        _reader(drawing, columns, words, colour, leftwards=first > 260)
        drawing.text(columns[1], 440, name)
    drawing.box(196, 72, 128, 36, "*s*_0 , *s*_1 , *s*_2 , *\u03b3*", colour)
    drawing.arrow([(118, 170), (118, 90), (196, 90)])
    drawing.arrow([(402, 170), (402, 90), (324, 90)])
    drawing.arrow([(260, 72), (260, 44)])
    drawing.cells(212, 28, 96, 8, colour)
    drawing.text(260, 12, f"ELMo of *{words[1]}*")
    drawing.text(260, 128, "all three layers")
    return drawing


def transfer(layers: int = 5, copied: int = 3, frozen: bool = True) -> Drawing:
    """Two image networks side by side: what of the left one the right one begins with.

    The notation of Yosinski et al. 2014, figure 1: A*n*B, or A*n*B+ where the copied layers are
    tuned as well. Raises ``ValueError`` for more copied layers than there are.
    """
    if not 0 <= copied <= layers:
        raise ValueError(f"{copied} of {layers} layers cannot be copied")
    name = f"A{copied}B{'' if frozen else '+'}"
    drawing = Drawing(520, 150 + 46 * layers, name, _transfer_description(layers, copied, frozen))
    bottom = drawing.height - 72
    for x, task in ((36, "A"), (250, "B")):
        _tower(drawing, x, bottom, layers, layers if task == "A" else copied, task)
    for layer in range(copied):
        y = bottom - 46 * layer - 17
        drawing.arrow([(166, y), (250, y)])
    _beside(drawing, bottom, 0, copied, "copied, " + ("frozen" if frozen else "tuned"))
    _beside(drawing, bottom, copied, layers + 1, "fresh, trained on B")
    return drawing


def copied_layers() -> Drawing:
    """How much of a network is handed on at each stage of the history, and in which way."""
    drawing = Drawing(520, 330, "How many layers travel", _copied_description())
    for place, (stage, name, count, said, way) in enumerate(HANDED_LAYERS):
        x = 12 + 128 * place
        for layer in range(5):
            own = stage_colour(stage) if layer < count else ""
            drawing.box(x, 212 - 42 * layer, 112, 32, str(layer + 1), own)
        drawing.text(x + 56, 26, "softmax")
        drawing.text(x + 56, 264, name, 15, font_weight="600")
        drawing.text(x + 56, 288, f"n = {said}")
        drawing.text(x + 56, 311, way)
    return drawing


def road() -> Drawing:
    """The road of the book: its nine chapters, and which idea each hands to which.

    Uses a grey that reads on light and dark ground, because a picture in a file cannot inherit the
    text's colour.
    """
    drawing = Drawing(500, 712, "The road from NNLM to BERT", _road_description(), ink=GREY)
    for stage in STAGES:
        _station(drawing, stage)
    for place, (source, target, idea) in enumerate(HANDED_ON):
        _lane(drawing, source, target, idea, 484 - 16 * place, 8 - 16 * (place % 2))
    for above in (1, 2, 4, 5, 6, 7):
        drawing.arrow([(34, 56 + 80 * above), (34, 80 + 80 * above)])
    for chapter, name in ((7, "four families of tasks"), (8, "the family tree")):
        drawing.box(4, 80 * chapter, 236, 56)
        drawing.text(16, 80 * chapter + 18, f"{chapter}  {name}", 16, "start", font_weight="600")
    drawing.text(16, 80 * 7 + 40, "one network for all of them", 14, "start")
    drawing.text(16, 80 * 8 + 40, "which idea brought what", 14, "start")
    return drawing


def _reader(
    drawing: Drawing, columns: Sequence[float], words: Sequence[str], colour: str, leftwards: bool
) -> None:
    """One direction of a biLM: characters, two layers, and the arrows along which it reads."""
    for place, (x, word) in enumerate(zip(columns, words, strict=True)):
        drawing.text(x, 416, word)
        drawing.arrow([(x, 404), (x, 386)])
        drawing.box(x - 32, 350, 64, 36, "letters", colour)
        for top, layer in ((260, "1"), (170, "2")):
            drawing.arrow([(x, top + 90), (x, top + 40)])
            drawing.box(x - 32, top, 64, 40, f"LSTM {layer}", colour)
            if place and leftwards:
                drawing.arrow([(x - 32, top + 20), (x - 46, top + 20)])
            elif place:
                drawing.arrow([(x - 46, top + 20), (x - 32, top + 20)])


def _tower(drawing: Drawing, x: float, bottom: float, layers: int, trained: int, task: str) -> None:
    """A network of convolutions; the lowest ``trained`` ones hold what was learned on task A."""
    colour = stage_colour("images")
    for layer in range(layers):
        y = bottom - 46 * layer - 34
        drawing.box(x, y, 130, 34, f"convolution {layer + 1}", colour if layer < trained else "")
        drawing.arrow([(x + 65, y + 46), (x + 65, y + 34)])
    top = bottom - 46 * layers - 34
    drawing.box(x, top, 130, 34, f"softmax {task}", colour if task == "A" else "")
    drawing.arrow([(x + 65, top + 46), (x + 65, top + 34)])
    drawing.arrow([(x + 65, top), (x + 65, top - 16)])
    drawing.text(x + 65, top - 27, f"classes of {task}")
    drawing.text(x + 65, bottom + 24, f"pictures of {task}")
    role = "source task" if task == "A" else "target task"
    drawing.text(x + 65, bottom + 48, role, 15, font_weight="600")


def _beside(drawing: Drawing, bottom: float, first: int, last: int, label: str) -> None:
    """A bracket at the right of layers ``first`` to ``last`` (counted from 0), with a label."""
    if first == last:
        return
    low, high = bottom - 46 * first - 2, bottom - 46 * last + 14
    drawing.line([(388, low), (396, low), (396, high), (388, high)])
    for row, line in enumerate(label.split(", ")):
        drawing.text(404, (low + high) / 2 + 20 * row - 10, line, 15, "start")


def _station(drawing: Drawing, stage: Stage) -> None:
    """A stage's box on the road: number, name, year and idea on the stage's colour."""
    colour, top = stage_colour(stage.name), 80 * stage.chapter
    ink = on(colour)
    drawing.parts.append(f'<rect x="4" y="{top}" width="236" height="56" rx="5" fill="{colour}"/>')
    name = f"{stage.chapter}  {stage.name}"
    drawing.text(16, top + 18, name, 16, "start", fill=ink, font_weight="600")
    drawing.text(228, top + 18, stage.year.replace("-", "\u2013"), 14, "end", fill=ink)
    drawing.text(16, top + 40, stage.idea, 14, "start", fill=ink)


def _lane(
    drawing: Drawing, source: int, target: int, idea: str, lane: float, offset: float
) -> None:
    """An idea that skips chapters: out to a lane at the right, down, and in again."""
    colour = stage_colour(STAGES[source].name)
    out, back = 80 * source + 28, 80 * target + 28 + offset
    drawing.arrow([(240, out), (lane, out), (lane, back), (240, back)], colour)
    drawing.text(250, out - 12, idea, 14, "start")


def _predicted_word(drawing: Drawing, layer: str, letters: str, colour: str) -> None:
    """The top of every language model: the last layer, and a probability for each word."""
    drawing.box(110, 96, 300, 40, layer, colour)
    drawing.text(422, 116, letters, anchor="start")
    drawing.arrow([(260, 96), (260, 68)])
    drawing.distribution(190, 12, 140, 52, colour)
    drawing.text(344, 44, "*P*(*w_t* | context)", anchor="start")


def _looked_up_words(drawing: Drawing, words: int, colour: str) -> tuple[float, float]:
    """The bottom of the network: each word's row of C; returns where they begin and end."""
    shown = _shown(words)
    left = 260 - 48 * len(shown)
    for place, back in enumerate(shown):
        middle = left + 96 * place + 48
        drawing.text(middle, 420, _word(back))
        if back:
            drawing.cells(middle - 40, 272, 80, 4, colour)
            drawing.arrow([(middle, 324), (middle, 292)])
            drawing.box(middle - 28, 324, 56, 36, "*C*", colour)
            drawing.arrow([(middle, 404), (middle, 360)])
    return left + 4, left + 96 * len(shown) - 4


def _word2vec(name: str, window: int, description: str) -> Drawing:
    if window < 1:
        raise ValueError(f"a window holds at least one word on each side, not {window}")
    return Drawing(520, 438, f"{name} with {window} words on each side", description)


def _places(window: int) -> list[tuple[float, int | None]]:
    """Where the words around are drawn, and how far from the middle they stand in the text."""
    near = [1, 2] if window > 1 else [1]
    offsets: list[int | None] = [-place for place in reversed(near)] + list(near)
    if window > 2:
        offsets = [-window, None, -1, 1, None, window]
    step = 84
    return [(260 + step * (place - (len(offsets) - 1) / 2), o) for place, o in enumerate(offsets)]


def _around(drawing: Drawing, window: int, top: float, colour: str) -> tuple[float, float]:
    """The words around and their vectors; returns where the first and the last stand."""
    places = _places(window)
    for x, offset in places:
        if offset is None:
            drawing.text(x, top + 148, _around_word(offset))
        else:
            _looked_up(drawing, x, _around_word(offset), top, colour)
    return places[0][0], places[-1][0]


def _looked_up(drawing: Drawing, x: float, word: str, top: float, colour: str) -> None:
    """A word at the bottom, its row of the table *v*, and the vector that comes out."""
    drawing.cells(x - 36, top, 72, 4, colour)
    drawing.arrow([(x, top + 52), (x, top + 18)])
    drawing.box(x - 28, top + 52, 56, 36, "*v*", colour)
    drawing.arrow([(x, top + 132), (x, top + 88)])
    drawing.text(x, top + 148, word)


def _around_word(offset: int | None) -> str:
    if offset is None:
        return "\u2026"
    return f"*w_t{'+' if offset > 0 else chr(0x2212)}{abs(offset)}*"


def _shown(words: int) -> list[int | None]:
    """How far back the drawn words stand; None where an ellipsis stands for several."""
    return list(range(words, 0, -1)) if words < 5 else [words, None, 2, 1]


def _word(back: int | None) -> str:
    return "\u2026" if back is None else f"*w_t\u2212{back}*"


def _nnlm_description(n: int, h: int, m: int, direct: bool) -> str:
    hidden = f"a tanh layer of {h} units (H, d) and " if h else ""
    paths = " Direct connections (W) lead past the hidden layer." if direct and h else ""
    return (
        f"Each of the {n - 1} words before is looked up in one shared table C, {m} numbers a word. "
        f"The vectors, side by side, pass through {hidden}a softmax over the vocabulary, "
        f"which gives a probability to every next word.{paths}"
    )


def _ngram_description(n: int) -> str:
    return (
        f"The last {n - 1} words choose the counts of what followed them in the training text. "
        "Where they were seen too rarely, the counts after fewer words help out. "
        "The result is a probability for every next word."
    )


def _transfer_description(layers: int, copied: int, frozen: bool) -> str:
    ways = "frozen" if frozen else "trained further"
    return (
        f"Left, a network of {layers} convolutions and a softmax, trained on task A. Right, one "
        f"for task B: its lowest {copied} convolutions are copied from the left and {ways}, "
        "those above and the softmax are fresh and trained on B."
    )


def _copied_description() -> str:
    ways = "; ".join(
        f"{name}: n = {said}, {way.replace('either way', 'frozen or tuned')}"
        for _, name, _, said, way in HANDED_LAYERS
    )
    return f"Four networks of five layers under a softmax. Layers that come pre-trained: {ways}."


def _cbow_description(window: int) -> str:
    return (
        f"The {window} words before and the {window} after are looked up in one table v; the mean "
        "of their vectors, h, is compared with the rows of a second table, and the word in the "
        "middle is guessed from it. There is no hidden layer, and the order is lost."
    )


def _skip_gram_description(window: int) -> str:
    return (
        "The word in the middle is looked up in the table v; its vector alone is compared with the "
        f"rows of a second table to guess each of the {window} words before and the {window} after."
    )


def _elmo_description(words: Sequence[str]) -> str:
    """What the drawing of ELMo shows, in words."""
    return (
        f"The words {', '.join(words)} stand at the bottom twice. On the left, vectors made of "
        "their letters go through two layers of LSTMs that read from left to right; on the right, "
        "through two that read from right to left. The two sides are not connected. Above, the "
        "vectors of all three layers at the middle word, both sides, are summed with weights s "
        "and scaled."
    )


def _road_description() -> str:
    stages = "; ".join(f"{s.name}, {s.year.replace('-', ' to 20')}: {s.idea}" for s in STAGES)
    ideas = "; ".join(
        f"from {STAGES[source].name} to {STAGES[target].name}: {idea}"
        for source, target, idea in HANDED_ON
    )
    return (
        f"In the order of the chapters: {stages}. Handed on: {ideas}. "
        "Then four families of tasks, and the family tree."
    )


def _markup(label: str) -> str:
    """A label as SVG text spans: asterisks switch italics, an underscore lowers what follows."""
    spans, italic, lowered = [], False, False
    for piece in re.findall(r"\*|_|[ )|,]+|[^*_ )|,]+", label):
        if piece == "*":
            italic = not italic
        elif piece == "_":
            lowered = True
        else:
            spans.append((piece, italic, lowered))
            lowered = False
    pairs = itertools.pairwise([EVEN, *spans])
    return "".join(_span(*span, after=before[2]) for before, span in pairs)


def _span(text: str, italic: bool, lowered: bool, after: bool) -> str:
    """One run of text; it moves down or up again where the run before stood elsewhere."""
    attributes = ' font-style="italic"' if italic else ""
    attributes += ' font-size="72%"' if lowered else ""
    attributes += f' dy="{4 if lowered else -4}"' if lowered != after else ""
    return f"<tspan{attributes}>{escape(text)}</tspan>" if attributes else escape(text)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
