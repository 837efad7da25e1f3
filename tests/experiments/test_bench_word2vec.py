import sys

import numpy as np
import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.word2vec import bench as bench_word2vec
from nnlm2bert.experiments.word2vec.bench import (
    as_sentences,
    bench,
    problem,
    quality,
    rival_model,
    rival_vectors,
)
from nnlm2bert.models.word2vec_compiled import keep_probabilities
from nnlm2bert.models.word_vectors import WordVectors

pytest.importorskip("numba", reason="the bench is of the compiled loops, which need numba")
pytest.importorskip("gensim", reason="the bench compares with gensim")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pocket English, a little of it, and one seed."""
    monkeypatch.setattr(bench_word2vec, "available", lambda name: False)
    monkeypatch.setattr(bench_word2vec, "LABORATORY_WORDS", 20_000)
    monkeypatch.setattr(bench_word2vec, "TORCH_WORDS", 2_000)
    monkeypatch.setattr(bench_word2vec, "EPOCHS", 1)
    monkeypatch.setattr(bench_word2vec, "SEEDS", (0,))
    monkeypatch.setattr(bench_word2vec, "TOLERANCES", {"similarity": 1, "analogies": 1})


def test_the_report_holds_speeds_and_both_qualities():
    report = bench(repeats=1)
    assert report.name == "word2vec" and report.equal and report.ratio > 0
    assert report.ours > 0 and report.rival > 0 and report.threads == 2
    assert {"text", "times as fast with independent negatives"} <= set(report.details)
    assert report.details["text"].startswith("Pocket English")


def test_worse_vectors_are_noticed(monkeypatch):
    monkeypatch.setattr(bench_word2vec, "TOLERANCES", {"similarity": 0.05, "analogies": 0.02})
    good, bad = ({"similarity": s, "analogies": 0.1} for s in (0.3, 0.2))
    answers = iter([bad, good])
    monkeypatch.setattr(bench_word2vec, "mean_quality", lambda train, material: next(answers))
    assert not bench(repeats=1).equal


def test_quality_is_right_for_vectors_that_answer_all():
    material, text, _ = problem()
    questions, _ = material.questions
    vectors = np.random.default_rng(0).normal(size=(len(text.types), 300))
    for a, b, c, d in questions[::-1]:
        index = text.index
        if {a, b, c, d} <= set(index):
            vectors[index[b]] = vectors[index[a]] + 3
            vectors[index[d]] = vectors[index[c]] + 3
    found = quality(WordVectors(text.types, vectors), material)
    assert found["analogies"] > 0.9 and abs(found["similarity"]) < 0.3


def test_gensim_reads_the_same_text_and_keeps_the_same_words():
    _, text, settings = problem()
    sentences = as_sentences(text)
    assert [word for sentence in sentences for word in sentence] == [
        text.types[number] for number in text.ids
    ]
    assert len(sentences) == len(np.unique(text.sentences))
    model = rival_model(text, settings, sentences, seed=0)
    keep = keep_probabilities(text.counts, settings.threshold)
    given = [model.wv.get_vecattr(word, "sample_int") / (2**32 - 1) for word in text.types]
    np.testing.assert_allclose(given, keep, atol=1e-9)
    assert rival_vectors(text, settings, seed=0).matrix.shape == (len(text.types), 100)


def test_without_gensim_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    _, text, settings = problem()
    with pytest.raises(UserError, match="pip install gensim"):
        rival_model(text, settings, as_sentences(text), seed=0)
