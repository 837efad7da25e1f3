"""What surrounds the compiled steps: draws, windows, chunks, threads, errors."""

import builtins
import sys

import numpy as np
import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.models import word2vec_compiled
from nnlm2bert.models.word2vec_compiled import (
    CompiledSettings,
    alias_table,
    build_plan,
    build_tables,
    keep_probabilities,
    stretches,
    train_compiled,
)

pytest.importorskip("numba", reason="the compiled loops need numba")

from nnlm2bert.models import word2vec_text as text

TOPICS, WORDS_A_TOPIC = 4, 10


@pytest.fixture(scope="module")
def topics() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A text of 3,000 sentences, each of 8 words of one of four topics: ids, sentences, counts."""
    rng = np.random.default_rng(0)
    topic = rng.integers(TOPICS, size=(3000, 1))
    ids = (WORDS_A_TOPIC * topic + rng.integers(WORDS_A_TOPIC, size=(3000, 8))).ravel()
    return ids, np.repeat(np.arange(3000), 8), np.bincount(ids)


def separation(vectors: np.ndarray) -> float:
    """Mean cosine of two words of a topic less that of two words of different topics."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    topic = np.arange(len(vectors)) // WORDS_A_TOPIC
    same = topic[:, None] == topic
    return cosines[same & ~np.eye(len(same), dtype=bool)].mean() - cosines[~same].mean()


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize(
    "other",
    [{"shared_negatives": True}, {"shared_negatives": False}, {"output": "hierarchical"}],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_words_of_a_topic_come_together(topics, architecture, other, threads):
    settings = CompiledSettings(
        dimension=20, architecture=architecture, threshold=0, learning_rate=0.2, **other
    )
    trained = train_compiled(*topics, settings, threads=threads)
    assert separation(trained.inputs) > 0.5
    nodes = len(topics[2]) - (settings.output == "hierarchical")
    assert trained.inputs.shape == (len(topics[2]), 20)
    assert trained.outputs.shape == (nodes, 20)
    assert trained.inputs.dtype == trained.outputs.dtype == np.float32
    assert trained.words_per_second > 0


def test_one_thread_gives_the_same_for_a_seed(topics):
    first, again, other = (
        train_compiled(*topics, CompiledSettings(dimension=8, epochs=1), seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.outputs, again.outputs)
    assert not np.array_equal(first.inputs, other.inputs)


def test_progress_ends_with_all_words(topics, monkeypatch):
    monkeypatch.setattr(word2vec_compiled, "CHUNK", 5000)
    seen = []
    settings = CompiledSettings(dimension=8, epochs=2)
    train_compiled(*topics, settings, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (48_000, 48_000) and len(seen) == 10


def test_stretches_cover_the_text_and_end_with_sentences(monkeypatch):
    monkeypatch.setattr(word2vec_compiled, "CHUNK", 10)
    sentences = np.repeat([0, 1, 5, 6, 7], [4, 25, 3, 1, 2])
    pieces = list(stretches(sentences, epochs=2, seed=0))
    assert [(p.start, p.stop, p.before) for p in pieces] == [
        *((0, 29, 0), (29, 32, 29), (32, 35, 32)),
        *((0, 29, 35), (29, 32, 64), (32, 35, 67)),
    ]
    assert len({int(piece.seed) for piece in pieces}) == len(pieces)


def test_windows_stay_in_their_sentence():
    words, sentences = np.arange(10, 17), np.array([0, 0, 0, 1, 1, 1, 1])
    out = np.empty(4, np.int64)
    found = {i: out[: text.find_contexts(words, sentences, i, 2, out)].tolist() for i in (0, 2, 4)}
    assert found == {0: [11, 12], 2: [10, 11], 4: [13, 15, 16]}


def test_frequent_words_are_dropped_as_the_paper_says():
    counts = np.array([900, 90, 10])
    keep = keep_probabilities(counts, 0.01)
    np.testing.assert_allclose(keep, [np.sqrt(0.01 / 0.9), np.sqrt(0.01 / 0.09), 1])
    tables = build_tables(counts, CompiledSettings(threshold=0.01))
    ids = np.repeat(np.arange(3), 20_000).astype(np.int32)
    kept = ids[text.subsample(ids, tables.keep, np.ones(1, np.uint64))]
    np.testing.assert_allclose(np.bincount(kept) / 20_000, keep, atol=0.012)
    assert keep_probabilities(counts, 0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("power", [0, 0.75, 1])
def test_noise_follows_the_counts_to_the_power(power):
    counts = np.array([500, 0, 100, 20, 3])
    tables = build_tables(counts, CompiledSettings(power=power))
    expected = np.where(counts, counts.astype(float) ** power, 0)
    expected /= expected.sum()
    stay = tables.stay / 2.0**32
    given = np.bincount(tables.alias, 1 - stay, minlength=5) + stay
    np.testing.assert_allclose(given / 5, expected, atol=1e-9)
    state = np.ones(1, np.uint64)
    drawn = np.bincount([text.random_noise(state, tables) for _ in range(20_000)], minlength=5)
    np.testing.assert_allclose(drawn / 20_000, expected, atol=0.015)


def test_the_alias_table_is_exact_for_many_words():
    weights = np.random.default_rng(0).pareto(1, size=500)
    weights /= weights.sum()
    stay, alias = alias_table(weights)
    given = np.bincount(alias, 1 - stay / 2.0**32, minlength=500) + stay / 2.0**32
    np.testing.assert_allclose(given / 500, weights, atol=1e-11)


def test_random_numbers_are_those_of_splitmix():
    state = np.full(1, 1234567, np.uint64)
    assert [int(text.random64(state)) for _ in range(2)] == [
        6457827717110365317,
        3203168211198807973,
    ]


def test_a_radius_is_drawn_uniformly():
    state = np.ones(1, np.uint64)
    bits = [np.uint64(text.random64(state)) for _ in range(10_000)]
    radii = [1 + text.random_below(some, 5) for some in bits]
    assert np.bincount(radii, minlength=6)[0] == 0
    np.testing.assert_allclose(np.bincount(radii)[1:] / 10_000, 0.2, atol=0.02)


def test_the_learning_rate_falls_with_the_words_read():
    """Only places 58 and 59 share a sentence; the change of their vectors shows the rate there."""
    ids = np.array([1] * 58 + [0, 1], np.int32)
    sentences = np.minimum(np.arange(60, dtype=np.int32), 58)
    settings = CompiledSettings(dimension=1, window=1, negatives=1, threshold=0, epochs=1)
    tables = build_tables(np.array([1.0, 1e9]), settings)  # the noise is word 1
    changes = []
    for before in (0, 30, 1000):
        plan = build_plan(settings, 100)
        inputs, outputs = np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)
        text.train_text(inputs, outputs, ids, sentences, tables, plan, before, np.uint64(0))
        changes.append(outputs[0, 0])
    np.testing.assert_allclose(changes, 0.5 * 0.025 * np.array([0.42, 0.12, 1e-4]), rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ids": [0, 1, 9]}, "0 ... 2"),
        ({"sentences": [0, 0]}, "equally long"),
        ({"ids": [], "sentences": []}, "not empty"),
        ({"counts": [1, 0, 1]}, "count 0"),
    ],
)
def test_wrong_text_is_refused(wrong, message):
    given = {"ids": [0, 1, 2], "sentences": [0, 0, 0], "counts": [1, 1, 1]} | wrong
    with pytest.raises(ValueError, match=message):
        train_compiled(**given)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window": 0}, "window must be at least 1"),
        ({"architecture": "bag"}, "skip-gram or cbow"),
        ({"output": "softmax"}, "negative or hierarchical"),
        ({"threshold": -1}, "threshold"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        CompiledSettings(**wrong)


def test_without_numba_the_error_says_what_to_do(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "numba":
            raise ImportError(name)
        return real(name, *arguments, **options)

    for module in ("word2vec_text", "word2vec_steps"):
        monkeypatch.delitem(sys.modules, f"nnlm2bert.models.{module}")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install numba"):
        train_compiled([0, 1], [0, 0], [1, 1])
