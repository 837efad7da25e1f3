"""Diagrams say in words what they draw, and differ only where the models do."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from nnlm2bert import diagrams, diagrams_bert, diagrams_transformer
from nnlm2bert.plots import STAGE_COLOURS, contrast, on

SVG = "{http://www.w3.org/2000/svg}"
DRAWINGS = {
    "nnlm": diagrams.nnlm(),
    "without hidden layer": diagrams.nnlm(n=7, h=0),
    "without direct connections": diagrams.nnlm(n=3, h=50, direct=False),
    "ngram": diagrams.ngram(),
    "bigram": diagrams.ngram(2),
    "CBOW": diagrams.cbow(),
    "CBOW, five words": diagrams.cbow(5),
    "skip-gram": diagrams.skip_gram(),
    "skip-gram, five words": diagrams.skip_gram(5),
    "skip-gram, one word": diagrams.skip_gram(1),
    "ELMo": diagrams.elmo(),
    "road": diagrams.road(),
    "A3B": diagrams.transfer(),
    "A5B+": diagrams.transfer(copied=5, frozen=False),
    "nothing copied": diagrams.transfer(layers=3, copied=0),
    "layers that travel": diagrams.copied_layers(),
    "attention": diagrams_transformer.attention(),
    "block, post-norm": diagrams_transformer.block(),
    "block, pre-norm": diagrams_transformer.block("pre"),
    "causal stack": diagrams_transformer.stack(),
    "inputs of BERT": diagrams_bert.inputs(),
    **{kind: diagrams_bert.family(kind) for kind in diagrams_bert.FAMILIES},
    "stack of both sides": diagrams_transformer.stack(causal=False, stage="BERT", said=("x",)),
}


def words(drawing):
    """What can be read in a drawing, a string a label."""
    root = ET.fromstring(drawing.svg())
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_names_and_describes_itself(name):
    drawing = DRAWINGS[name]
    root = ET.fromstring(drawing.svg())
    assert root.get("role") == "img" and len(root.get("aria-label")) > 60
    assert root.find(f"{SVG}title").text == drawing.title
    assert root.find(f"{SVG}desc").text == drawing.description
    assert repr(drawing) == f"{drawing.title}: {drawing.description}"
    assert drawing.svg() in drawing._repr_html_()
    assert "id=" not in drawing.svg(), "two drawings on a page must not share ids"


@pytest.mark.parametrize("name", DRAWINGS)
def test_everything_lies_inside_the_frame(name):
    drawing = DRAWINGS[name]
    root = ET.fromstring(drawing.svg())
    for box in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + width <= drawing.width and y >= 0 and y + height <= drawing.height
    for text in root.iter(f"{SVG}text"):
        reach = 0.6 * float(text.get("font-size")) * len("".join(text.itertext()))
        left = {"start": 0, "middle": reach / 2, "end": reach}[text.get("text-anchor")]
        x = float(text.get("x"))
        assert x - left >= 0 and x - left + reach <= drawing.width, "".join(text.itertext())


@pytest.mark.parametrize("name", DRAWINGS)
def test_type_is_legible_on_a_phone(name):
    drawing = DRAWINGS[name]
    sizes = re.findall(r'<text[^>]*font-size="([\d.]+)"', drawing.svg())
    assert min(map(float, sizes)) * 358 / drawing.width >= 10


def test_the_network_shows_its_parameters_by_letter():
    assert "b, U, W" in words(diagrams.nnlm())
    assert "b, U" in words(diagrams.nnlm(direct=False))
    assert "b, W" in words(diagrams.nnlm(h=0))
    assert "H, d: 60 units" in words(diagrams.nnlm(h=60))
    assert "m = 100" in words(diagrams.nnlm(m=100))


def test_direct_connections_are_dashed_beside_a_hidden_layer():
    assert "stroke-dasharray" in diagrams.nnlm().svg()
    assert "stroke-dasharray" not in diagrams.nnlm(direct=False).svg()
    assert "tanh" not in words(diagrams.nnlm(h=0))


def test_words_stand_in_the_order_they_are_read():
    assert read_words(diagrams.nnlm(n=4)) == ["w\u22123", "w\u22122", "w\u22121"]
    assert read_words(diagrams.ngram(8)) == ["w\u22127", "\u2026", "w\u22122", "w\u22121"]


def read_words(drawing):
    """The words that a model reads, without their t."""
    return [label.replace("t", "") for label in words(drawing) if label[:2] in ("wt", "\u2026")]


@pytest.mark.parametrize("arguments", [{"n": 1}, {"h": 0, "direct": False}])
def test_a_network_that_leads_nowhere_is_refused(arguments):
    with pytest.raises(ValueError, match="nothing leads to the output"):
        diagrams.nnlm(**arguments)


def test_an_n_gram_without_a_context_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        diagrams.ngram(1)


def test_the_towers_of_elmo_read_the_same_words_and_only_the_mix_joins_them():
    labels = words(diagrams.elmo(("a", "kind", "word")))
    assert [labels.count(word) for word in ("a", "kind", "word", "letters")] == [2, 2, 2, 6]
    assert labels.count("LSTM 1") == labels.count("LSTM 2") == 6


def test_elmo_has_room_for_three_words():
    with pytest.raises(ValueError, match="2 words"):
        diagrams.elmo(("two", "words"))


def test_cbow_reads_what_skip_gram_predicts():
    around = ["wt\u22122", "wt\u22121", "wt+1", "wt+2"]
    read = [label for label in words(diagrams.cbow()) if label in around]
    guessed = [label for label in words(diagrams.skip_gram()) if label in around]
    assert read == guessed == around
    assert "mean" in words(diagrams.cbow()) and "mean" not in words(diagrams.skip_gram())
    assert words(diagrams.skip_gram()).count("v\u2032") == 4 and "wt" in words(diagrams.skip_gram())


def test_a_wide_window_is_drawn_with_its_ends_and_ellipses():
    shown = ["wt\u22125", "\u2026", "wt\u22121", "wt+1", "\u2026", "wt+5"]
    assert [label for label in words(diagrams.cbow(5)) if label in shown] == shown


@pytest.mark.parametrize("draw", [diagrams.cbow, diagrams.skip_gram])
def test_a_window_without_words_is_refused(draw):
    with pytest.raises(ValueError, match="at least one word"):
        draw(0)


def test_the_road_has_every_chapter_and_every_idea():
    text = " ".join(words(diagrams.road()))
    for stage in diagrams.STAGES:
        assert f"{stage.chapter}  {stage.name}" in text and stage.idea in text
        assert contrast(on(STAGE_COLOURS[stage.name]), STAGE_COLOURS[stage.name]) >= 4.5
    for *_, idea in diagrams.HANDED_ON:
        assert idea in text
    assert "7  four families of tasks" in text and "8  the family tree" in text


@pytest.mark.parametrize(("copied", "frozen", "name"), [(3, True, "A3B"), (5, False, "A5B+")])
def test_transfer_shows_what_is_copied(copied, frozen, name):
    drawing = diagrams.transfer(copied=copied, frozen=frozen)
    assert drawing.title == name
    assert ("frozen" if frozen else "tuned") in words(drawing)
    filled = [
        box for box in ET.fromstring(drawing.svg()).iter(f"{SVG}rect") if box.get("fill-opacity")
    ]
    assert len(filled) == 6 + copied, "all of A and the copied layers of B hold what A taught"


def test_transfer_of_more_layers_than_there_are_is_refused():
    with pytest.raises(ValueError, match="6 of 5 layers"):
        diagrams.transfer(copied=6)


def test_every_stage_hands_on_its_layers():
    drawing = diagrams.copied_layers()
    assert {"n = any", "n = 1", "n = all"} <= set(words(drawing))
    filled = [
        box for box in ET.fromstring(drawing.svg()).iter(f"{SVG}rect") if box.get("fill-opacity")
    ]
    assert len(filled) == 3 + 1 + 5 + 5
