"""word2vec in a compiled loop, for text of many million words (Mikolov et al., 2013a, 2013b).

The same model as in `nnlm2bert.models.word2vec`, with which a test compares every step; here it is
written for speed. It follows the original C code: the word in the context is read and the word in
the centre predicted, the radius of a window drawn uniformly from 1 ... window after words are
dropped, the learning rate falls linearly with the words read. In three things it keeps to the
papers: an occurrence of a word of frequency f is dropped with probability 1 - sqrt(t / f) (2013b,
equation 5; the C code drops fewer), noise may be the target itself (equation 4; the C code skips
it), and the sigmoid is exact, not looked up. Windows never cross the end of a sentence.

Needs numba: `pip install numba`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from nnlm2bert.models.word2vec import huffman

if TYPE_CHECKING:
    from nnlm2bert.models.word2vec_text import Plan, Tables

CHUNK = 20_000
"""About how many words a thread reads before it fetches more."""
LOWEST_RATE = 1e-4
"""Where the learning rate ends, as a part of where it begins, as in the C code."""


@dataclass(frozen=True)
class CompiledSettings:
    """How to train.

    dimension: D; window: the largest radius; architecture: "skip-gram" or "cbow"; output:
    "negative" sampling or "hierarchical" softmax; negatives: k, noise words a target; power: that
    of the unigram distribution the noise is drawn from; shared_negatives: all context words of a
    window share their k noise words (Ji et al., 2016), or each draws its own and takes its own
    step, as in the C code; threshold: t of sub-sampling, 0 to keep all; epochs; learning_rate:
    the first, which falls linearly to `LOWEST_RATE` of it.
    """

    dimension: int = 100
    window: int = 5
    architecture: Literal["skip-gram", "cbow"] = "skip-gram"
    output: Literal["negative", "hierarchical"] = "negative"
    negatives: int = 5
    power: float = 0.75
    shared_negatives: bool = True
    threshold: float = 1e-4
    epochs: int = 5
    learning_rate: float = 0.025

    def __post_init__(self) -> None:
        for name in ("dimension", "window", "negatives", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.architecture not in ("skip-gram", "cbow"):
            raise ValueError(f"architecture is skip-gram or cbow, not {self.architecture!r}")
        if self.output not in ("negative", "hierarchical"):
            raise ValueError(f"output is negative or hierarchical, not {self.output!r}")
        if self.threshold < 0 or self.learning_rate <= 0:
            raise ValueError("threshold must not be below 0, and learning_rate must be above it")


class Trained(NamedTuple):
    """What training gives.

    inputs: (V, D) float32, the word vectors. outputs: (V, D), or (V - 1, D) for the nodes of the
    tree. words_per_second: words of the text read in all epochs, dropped ones too, a second of
    training, without the time to build tables and to compile.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    words_per_second: float


class Stretch(NamedTuple):
    """A piece of work: the words from `start` to `stop`, `before` read earlier, and its seed."""

    start: int
    stop: int
    before: int
    seed: np.uint64


def train_compiled(
    ids: np.ndarray,
    sentences: np.ndarray,
    counts: np.ndarray,
    settings: CompiledSettings | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train word vectors on a text.

    One thread gives the same vectors for the same seed. With more, the threads write to the same
    matrices without locks (Hogwild; Niu et al., 2011), and the vectors differ from run to run.

    Args:
        ids: (T,) word ids in 0 ... V - 1.
        sentences: (T,) the number of the sentence that each word belongs to.
        counts: (V,) how often each word occurs in the text.
        settings: how to train; None for the defaults.
        seed: of the first vectors and all draws.
        threads: how many threads read the text.
        progress: called now and then with the words read and the words to read in all epochs.

    Raises:
        ValueError: if the arrays do not fit together.
        UserError: if numba is not installed.
    """
    from nnlm2bert.models.word2vec_text import train_text

    settings = settings or CompiledSettings()
    ids, sentences, counts = checked_text(ids, sentences, counts)
    tables = build_tables(counts, settings)
    plan = build_plan(settings, len(ids))
    inputs, outputs = first_matrices(len(counts), settings, seed)

    def train(piece: Stretch) -> int:
        text = slice(piece.start, piece.stop)
        train_text(
            *(inputs, outputs, ids[text], sentences[text]), tables, plan, piece.before, piece.seed
        )
        return piece.stop - piece.start

    train(Stretch(0, 0, 0, np.uint64(0)))  # compiles
    start, done = time.perf_counter(), 0
    for words in spread(train, stretches(sentences, settings.epochs, seed), threads):
        done += words
        if progress:
            progress(done, plan.words)
    return Trained(inputs, outputs, plan.words / (time.perf_counter() - start))


def spread(
    train: Callable[[Stretch], int], pieces: Iterator[Stretch], threads: int
) -> Iterator[int]:
    """Yield what `train` gives for each piece, in turn; with several threads, side by side."""
    if threads == 1:
        yield from map(train, pieces)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(train, pieces)


def stretches(sentences: np.ndarray, epochs: int, seed: int) -> Iterator[Stretch]:
    """Cut each epoch's text (T,) at ends of sentences into pieces of about `CHUNK` words."""
    ends = np.append(np.flatnonzero(np.diff(sentences)) + 1, len(sentences))
    wanted = np.arange(CHUNK, len(sentences), CHUNK)
    cuts = np.unique([0, *ends[np.searchsorted(ends, wanted)], len(sentences)])
    for epoch in range(epochs):
        seeds = np.random.SeedSequence([seed, epoch]).generate_state(len(cuts), np.uint64)
        for (start, stop), own in zip(pairwise(cuts.tolist()), seeds, strict=False):
            yield Stretch(start, stop, epoch * len(sentences) + start, own)


def checked_text(
    ids: np.ndarray, sentences: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids and sentences as int32, counts as float64; ValueError if they do not fit."""
    ids, sentences, counts = np.asarray(ids), np.asarray(sentences), np.asarray(counts, float)
    if ids.ndim != 1 or ids.shape != sentences.shape or not ids.size:
        raise ValueError(
            "ids and sentences must be 1-D, equally long and not empty, not of shapes "
            f"{ids.shape} and {sentences.shape}"
        )
    if not 0 <= ids.min() <= ids.max() < len(counts):
        raise ValueError(
            f"ids must lie in 0 ... {len(counts) - 1}, the words that have counts, not "
            f"{ids.min()} ... {ids.max()}"
        )
    if counts.min() < 0 or not counts[np.unique(ids)].all():
        raise ValueError("a word of the text has the count 0; count the text that is trained on")
    return ids.astype(np.int32), sentences.astype(np.int32), counts


def build_plan(settings: CompiledSettings, words: int) -> Plan:
    """The settings as the loops read them, for a text of that many words."""
    from nnlm2bert.models.word2vec_text import Plan

    return Plan(
        window=settings.window,
        negatives=settings.negatives,
        cbow=settings.architecture == "cbow",
        shared=settings.shared_negatives,
        hierarchical=settings.output == "hierarchical",
        rate=settings.learning_rate,
        floor=settings.learning_rate * LOWEST_RATE,
        words=words * settings.epochs,
    )


def build_tables(counts: np.ndarray, settings: CompiledSettings) -> Tables:
    """What the loops look up for each of the words with these counts (V,)."""
    from nnlm2bert.models.word2vec_text import Tables

    if settings.output == "hierarchical":
        tree = huffman(counts)
        points, codes = tree.points, tree.codes
    else:
        points, codes = np.zeros((2, len(counts), 0), dtype=np.int64)
    keep = np.round(keep_probabilities(counts, settings.threshold) * 2.0**32).astype(np.uint64)
    noise = counts**settings.power * (counts > 0)
    return Tables(keep, *alias_table(noise / noise.sum()), points, codes)


def keep_probabilities(counts: np.ndarray, threshold: float) -> np.ndarray:
    """Return min(1, sqrt(t / f)) of each word (V,) (2013b, equation 5); all 1 for t = 0."""
    if not threshold:
        return np.ones(len(counts))
    frequencies = np.maximum(counts, 1) / counts.sum()
    return np.minimum(1, np.sqrt(threshold / frequencies))


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return stay (V,) uint64 and alias (V,) int64 for drawing in one look-up (Walker, 1977).

    A word is drawn uniformly; it stays with probability stay / 2^32, else its alias is taken.
    """
    scaled = (probabilities * len(probabilities)).tolist()
    alias = list(range(len(scaled)))
    small = [word for word, share in enumerate(scaled) if share < 1]
    large = [word for word, share in enumerate(scaled) if share >= 1]
    while small and large:
        word, donor = small.pop(), large[-1]
        alias[word] = donor
        scaled[donor] -= 1 - scaled[word]
        if scaled[donor] < 1:
            small.append(large.pop())
    for word in small + large:
        scaled[word] = 1.0
    return np.round(np.array(scaled) * 2.0**32).astype(np.uint64), np.array(alias)


def first_matrices(
    words: int, settings: CompiledSettings, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Start as the C code: inputs (V, D) uniform in +-0.5 / D, outputs 0."""
    width = settings.dimension
    uniform = np.random.default_rng(seed).random((words, width), dtype=np.float32)
    nodes = words - (settings.output == "hierarchical")
    return (uniform - np.float32(0.5)) / np.float32(width), np.zeros((nodes, width), np.float32)
