"""The compiled loop and gensim on the same text: speed and quality of both, for the records.

What `python -m nnlm2bert bench word2vec` shows for one pass over Brown is recorded here for a
whole training on the middle text. Neither time holds the building of a vocabulary.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace

from nnlm2bert.experiments.runner import Arm, Result
from nnlm2bert.experiments.word2vec.bench import (
    THREADS,
    as_sentences,
    rival_model,
    torch_speed,
)
from nnlm2bert.experiments.word2vec.material import Material, Text
from nnlm2bert.experiments.word2vec.measures import measure
from nnlm2bert.models.word2vec_compiled import CompiledSettings, train_compiled
from nnlm2bert.models.word_vectors import WordVectors

REPORTED = ("words a second", "WordSim-353", "SimLex-999", "analogies: total")


def run_rival(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Train with both, one after the other, on two threads, and measure both alike.

    Raises `UserError` if gensim or numba is not installed.
    """
    names = {field.name for field in fields(CompiledSettings)} & set(arm.config)
    settings = CompiledSettings(**{name: arm.config[name] for name in names})
    warm = replace(settings, epochs=1)
    few = slice(0, 1000)
    train_compiled(text.ids[few], text.sentences[few], text.counts, warm, threads=THREADS)
    trainings = {
        "ours": lambda: own_training(text, settings, seed),
        "gensim": lambda: rival_training(text, settings, seed),
    }
    figures = {"words a second, readable version": torch_speed(text, settings)}
    for name, training in trainings.items():
        vectors, speed = training()
        measured = {"words a second": speed, **measure(vectors, data).figures}
        figures |= {
            f"{name}: {figure}": measured[figure] for figure in REPORTED if figure in measured
        }
    ratio = figures["ours: words a second"] / figures["gensim: words a second"]
    return Result(figures={"times as fast as gensim": ratio, **figures})


def own_training(text: Text, settings: CompiledSettings, seed: int) -> tuple[WordVectors, float]:
    """The compiled loop's vectors and its words of the text a second."""
    start = time.perf_counter()
    trained = train_compiled(
        text.ids, text.sentences, text.counts, settings, seed=seed, threads=THREADS
    )
    seconds = time.perf_counter() - start
    return WordVectors(text.types, trained.inputs), settings.epochs * len(text.ids) / seconds


def rival_training(text: Text, settings: CompiledSettings, seed: int) -> tuple[WordVectors, float]:
    """gensim's vectors and its words of the text a second."""
    sentences = as_sentences(text)
    model = rival_model(text, settings, sentences, seed)
    start = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=settings.epochs)
    seconds = time.perf_counter() - start
    vectors = WordVectors(text.types, model.wv[list(text.types)])
    return vectors, settings.epochs * len(text.ids) / seconds
