"""BLEU of counts is that of the library, of all sentences and of any resample of blocks."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.evaluation.bleu import COUNTS, bleu, bleu_units
from nnlm2bert.evaluation.intervals import Measured, bootstrap

sacrebleu = pytest.importorskip("sacrebleu")

WORDS = "Ein Mann schläft , der Hund läuft über das Gras . saftig-grünes".split()


@pytest.fixture(scope="module")
def translations() -> tuple[list[str], list[str]]:
    """Sentences, and the same with some words changed or lost."""
    draw = random.Random(3)
    right = [" ".join(draw.choices(WORDS, k=draw.randint(3, 14))) for _ in range(90)]
    said = [
        " ".join(draw.choice([word, word, word, word.lower(), ""]) for word in sentence.split())
        for sentence in right
    ]
    return said, right


def sums(units: dict[str, dict[str, list[float]]], blocks: list[int]) -> list[float]:
    """The counts of some blocks, each as often as it is named."""
    return [sum(units[name]["nats"][block] for block in blocks) for name in COUNTS]


def test_bleu_is_that_of_the_library(translations: tuple[list[str], list[str]]) -> None:
    said, right = translations
    units = bleu_units(said, right)
    assert list(units) == list(COUNTS) and len(units["words"]["tokens"]) == 40
    expected = sacrebleu.corpus_bleu(said, [right], smooth_method="none").score
    assert 10 < expected < 90
    assert bleu(sums(units, [*range(40)])) == pytest.approx(expected)
    means = [Measured.from_groups([group]).score for group in units.values()]
    assert bleu(means) == pytest.approx(expected)


def test_bleu_of_a_resample_is_that_of_its_sentences(
    translations: tuple[list[str], list[str]],
) -> None:
    said, right = translations
    units = bleu_units(said, right, blocks=9)
    drawn = [8, 0, 0, 3]
    rows = [row for block in drawn for row in range(10 * block, 10 * block + 10)]
    expected = sacrebleu.corpus_bleu(
        [said[row] for row in rows], [[right[row] for row in rows]], smooth_method="none"
    )
    assert bleu(sums(units, drawn)) == pytest.approx(expected.score)


def test_long_translations_are_not_punished_for_their_length() -> None:
    counts = [30, 20, 10, 5, 40, 38, 36, 34, 40, 40]
    assert bleu(counts) == bleu([*counts[:9], 30]) > bleu([*counts[:9], 50]) > 0
    assert bleu([30, 20, 10, 0, *counts[4:]]) == 0 == bleu([0.0] * 10)


def test_bleu_has_an_interval(translations: tuple[list[str], list[str]]) -> None:
    groups = bleu_units(*translations).values()
    systems = [Measured.from_groups([group]) for group in groups]
    found = bootstrap(systems, bleu, paired_seeds=True, resamples=300)
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(bleu([system.score for system in systems]))
    assert found.high - found.low < 15


def test_sentences_must_go_together() -> None:
    with pytest.raises(ValueError, match="1 translations and 2 references"):
        bleu_units(["a"], ["a", "b"])
    with pytest.raises(ValueError):
        bleu_units([], [])


def test_without_the_library_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(UserError, match="pip install sacrebleu"):
        bleu_units(["a"], ["a"])


def test_a_verdict_needs_no_library() -> None:
    code = (
        "import sys; from nnlm2bert.evaluation.bleu import bleu; bleu([1.0] * 10);"
        "assert not {'sacrebleu', 'torch', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
