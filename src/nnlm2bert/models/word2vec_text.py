"""How word2vec walks through a text: draws, windows, targets, compiled with numba.

What it does with each window is in `word2vec_steps`. The letters: V words, D dimensions, T words
of a text, N of them kept, L nodes on the longest path in the Huffman tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnlm2bert.models.word2vec_steps import compiled, count_valid, make_scratch, step

GOLDEN, FIRST, SECOND = (
    np.uint64(constant) for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
LOW = np.uint64(0xFFFFFFFF)


class Tables(NamedTuple):
    """What the loops look up for each word.

    keep (V,) uint64: probability of keeping an occurrence, times 2^32. stay (V,) uint64 and
    alias (V,) int64: the noise distribution in the form of `alias_table`. points (V, L) int64,
    padded with -1, and codes (V, L) int64: each word's path in the Huffman tree, or (V, 0).
    """

    keep: np.ndarray
    stay: np.ndarray
    alias: np.ndarray
    points: np.ndarray
    codes: np.ndarray


class Plan(NamedTuple):
    """Settings that the loops read, and the words to read in all epochs, for the learning rate."""

    window: int
    negatives: int
    cbow: bool
    shared: bool
    hierarchical: bool
    rate: float
    floor: float
    words: int


@compiled
def random64(state: np.ndarray) -> np.uint64:
    """Draw 64 bits and move on: SplitMix64 (Steele, Lea & Flood, 2014); state (1,) uint64."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


@compiled
def random_below(bits: np.uint64, n: int) -> int:
    """Turn the upper 32 of 64 random bits into a number in 0 ... n - 1, n < 2^32."""
    return np.int64(((bits >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@compiled
def random_noise(state: np.ndarray, tables: Tables) -> int:
    """Draw a word from the noise distribution, one look-up a word (Walker's alias method)."""
    bits = random64(state)
    word = random_below(bits, tables.stay.size)
    return word if bits & LOW < tables.stay[word] else tables.alias[word]


@compiled
def subsample(ids: np.ndarray, keep: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the places (N,) of the words of a text (T,) that stay, drawn word by word."""
    places, n = np.empty(ids.size, np.int64), 0
    for t in range(ids.size):
        if random64(state) >> np.uint64(32) < keep[ids[t]]:
            places[n] = t
            n += 1
    return places[:n]


@compiled
def find_contexts(
    words: np.ndarray, sentences: np.ndarray, i: int, radius: int, out: np.ndarray
) -> int:
    """Write the words around place i of its own sentence to `out`; return how many."""
    m = 0
    for j in range(max(0, i - radius), min(words.size, i + radius + 1)):
        if j != i and sentences[j] == sentences[i]:
            out[m] = words[j]
            m += 1
    return m


@compiled
def draw_targets(
    centre: int, tables: Tables, plan: Plan, state: np.ndarray, out: np.ndarray, labels: np.ndarray
) -> int:
    """Write a word, then noise for it, or the nodes on its path, to `out`; return how many."""
    if plan.hierarchical:
        k = count_valid(tables.points[centre])
        for j in range(k):
            out[j], labels[j] = tables.points[centre, j], 1 - tables.codes[centre, j]
        return k
    out[0], labels[0] = centre, 1
    for j in range(1, plan.negatives + 1):
        out[j], labels[j] = random_noise(state, tables), 0
    return plan.negatives + 1


@compiled
def train_text(
    inputs: np.ndarray,
    outputs: np.ndarray,
    ids: np.ndarray,
    sentences: np.ndarray,
    tables: Tables,
    plan: Plan,
    before: int,
    seed: np.uint64,
) -> None:
    """Train on a stretch of text, ids and sentences (T,), `before` words of which were read."""
    state = np.full(1, seed, np.uint64)
    places = subsample(ids, tables.keep, state)
    words, numbers = ids[places], sentences[places]
    most = tables.points.shape[1] if plan.hierarchical else plan.negatives + 1
    scratch = make_scratch(inputs, 2 * plan.window, most)
    contexts, targets = np.empty(2 * plan.window, np.int64), np.empty(most, np.int64)
    labels = np.empty(most, inputs.dtype)
    alone = not (plan.shared or plan.cbow or plan.hierarchical)
    for i in range(words.size):
        radius = 1 + random_below(random64(state), plan.window)
        m = find_contexts(words, numbers, i, radius, contexts)
        rate = max(plan.rate * (1 - (before + places[i]) / plan.words), plan.floor)
        for first in range(0, m, 1 if alone else max(m, 1)):
            k = draw_targets(words[i], tables, plan, state, targets, labels)
            c, n = contexts[first:], 1 if alone else m
            step(inputs, outputs, c, n, targets, labels, k, rate, plan.cbow, scratch)
