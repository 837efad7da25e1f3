"""word2vec in the compiled loop against gensim: words a second, and how good the vectors are.

Both read the same text with the same settings: skip-gram, negative sampling, 100 dimensions,
window 5, 5 noise words, the same words kept with the same probabilities, two threads. The text is
Brown, or Pocket English where Brown has not been fetched. Time is that of training alone: neither
way's vocabulary is built in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nnlm2bert.corpora import available
from nnlm2bert.errors import UserError
from nnlm2bert.evaluation.analogies import answer, encode_questions, score_analogies
from nnlm2bert.experiments.bench import REPEATS, Report, Timing, compare
from nnlm2bert.experiments.word2vec.material import Material, Text, laboratory_text
from nnlm2bert.experiments.word2vec.measures import measure_similarity
from nnlm2bert.models.word2vec import NegativeSampling, Word2Vec, Word2VecConfig
from nnlm2bert.models.word2vec_compiled import CompiledSettings, keep_probabilities, train_compiled
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.objectives import context_windows, skip_gram_pairs, subsample

if TYPE_CHECKING:
    from gensim.models import Word2Vec as Rival

THREADS = 2
SEEDS = (0, 1, 2)
EPOCHS = 5
TORCH_WORDS = 50_000
TORCH_BATCH = 4096
LABORATORY_WORDS = 200_000
TOLERANCES = {"similarity": 0.05, "analogies": 0.02}
"""By how much the mean over seeds may lie below gensim's, whose seeds differ by as much."""

Quality = dict[str, float]


def bench(repeats: int = REPEATS) -> Report:
    """Time one pass over the text; compare the vectors that five passes give.

    Raises `UserError` if gensim or numba is not installed.
    """
    material, text, settings = problem()
    ours = own_pass(text, settings)
    rival = rival_pass(text, settings)
    main = compare(ours, rival, repeats)
    alone = compare(own_pass(text, replace(settings, shared_negatives=False)), rival, repeats, 1)
    own = mean_quality(lambda seed: own_vectors(text, settings, seed), material)
    other = mean_quality(lambda seed: rival_vectors(text, settings, seed), material)
    return Report(
        name="word2vec",
        unit=f"words/s, with {THREADS} threads",
        ours=len(text.ids) / main.ours,
        rival=len(text.ids) / main.rival,
        ratio=main.ratio,
        equal=all(own[name] >= other[name] - TOLERANCES[name] for name in TOLERANCES),
        repeats=repeats,
        threads=THREADS,
        details=details(material, text, settings, alone) | comparison(own, other),
    )


def details(
    material: Material, text: Text, settings: CompiledSettings, alone: Timing
) -> dict[str, Any]:
    """What the report says beside the two speeds."""
    return {
        "text": f"{'Pocket English' if material.scale == 'smoke' else 'Brown'}, "
        f"{len(text.ids):,} words of {len(text.types):,} types",
        "rival": "gensim",
        "times as fast with independent negatives": round(alone.ratio, 2),
        "words/s of the readable version in torch": round(torch_speed(text, settings)),
    }


def comparison(ours: Quality, rival: Quality) -> dict[str, str]:
    """Both qualities side by side, and the tolerance."""
    return {
        f"{name}, mean of {len(SEEDS)} seeds": f"ours {ours[name]:.3f}, rival {rival[name]:.3f} "
        f"(at most {tolerance} lower)"
        for name, tolerance in TOLERANCES.items()
    }


def problem() -> tuple[Material, Text, CompiledSettings]:
    """The questions, the text and the settings of both."""
    if available("brown") and available("word-similarity") and available("google-analogies"):
        material = Material("laptop")
        return material, material.text("small"), CompiledSettings(epochs=EPOCHS)
    material = Material("smoke")
    text = laboratory_text(material.language.sample(LABORATORY_WORDS, seed=0))
    return material, text, CompiledSettings(epochs=EPOCHS, threshold=1e-3)


def own_pass(text: Text, settings: CompiledSettings) -> Callable[[], object]:
    """One pass of the compiled loop over the text."""
    once = replace(settings, epochs=1)
    return lambda: train_compiled(text.ids, text.sentences, text.counts, once, threads=THREADS)


def own_vectors(text: Text, settings: CompiledSettings, seed: int) -> WordVectors:
    """The vectors of the compiled loop."""
    trained = train_compiled(
        text.ids, text.sentences, text.counts, settings, seed=seed, threads=THREADS
    )
    return WordVectors(text.types, trained.inputs)


def rival_pass(text: Text, settings: CompiledSettings) -> Callable[[], object]:
    """One pass of gensim over the text."""
    sentences = as_sentences(text)
    model = rival_model(text, settings, sentences, seed=0)
    return lambda: model.train(sentences, total_examples=len(sentences), epochs=1)


def rival_vectors(text: Text, settings: CompiledSettings, seed: int) -> WordVectors:
    """The vectors of gensim."""
    sentences = as_sentences(text)
    model = rival_model(text, settings, sentences, seed)
    model.train(sentences, total_examples=len(sentences), epochs=settings.epochs)
    return WordVectors(text.types, model.wv[list(text.types)])


def rival_model(
    text: Text, settings: CompiledSettings, sentences: list[list[str]], seed: int
) -> Rival:
    """gensim's model with its vocabulary, keeping words with our probabilities.

    Of itself it keeps what the C code keeps, a little more than the paper says.
    """
    try:
        from gensim.models import Word2Vec as Rival
    except ImportError as missing:
        raise UserError(
            "The bench compares with gensim, which is not installed: `pip install gensim`."
        ) from missing
    model = Rival(
        vector_size=settings.dimension,
        window=settings.window,
        min_count=1,
        sg=1,
        hs=0,
        negative=settings.negatives,
        ns_exponent=settings.power,
        alpha=settings.learning_rate,
        min_alpha=1e-4 * settings.learning_rate,
        workers=THREADS,
        seed=seed,
    )
    model.build_vocab(sentences)
    keep = dict(zip(text.types, keep_probabilities(text.counts, settings.threshold), strict=True))
    for word in model.wv.index_to_key:
        model.wv.set_vecattr(word, "sample_int", np.uint32(keep[word] * (2**32 - 1)))
    return model


def as_sentences(text: Text) -> list[list[str]]:
    """The text as lists of words, as gensim reads it."""
    words = np.array(text.types, dtype=object)[text.ids]
    ends = np.flatnonzero(np.diff(text.sentences)) + 1
    return [sentence.tolist() for sentence in np.split(words, ends)]


def mean_quality(train: Callable[[int], WordVectors], material: Material) -> Quality:
    """The mean over `SEEDS` of Spearman's correlation and of the accuracy on analogies."""
    found = [quality(train(seed), material) for seed in SEEDS]
    return {name: mean(each[name] for each in found) for name in TOLERANCES}


def quality(vectors: WordVectors, material: Material) -> Quality:
    """Spearman's correlation on the first list of pairs, and the accuracy on all analogies."""
    figures, _ = measure_similarity(vectors, material)
    questions, sections = material.questions
    asked = encode_questions(questions, vectors.index)
    table = score_analogies(answer(vectors.matrix, asked), asked, sections)
    first = next(iter(material.lists))
    return {"similarity": figures[first], "analogies": table["total"].accuracy}


def torch_speed(text: Text, settings: CompiledSettings) -> float:
    """Words a second of the readable version, plain gradient descent on a piece of the text."""
    words = min(TORCH_WORDS, len(text.ids))
    output = NegativeSampling(text.counts, settings.dimension, settings.negatives, sparse=True)
    model = Word2Vec(Word2VecConfig(len(text.types), settings.dimension, sparse=True), output)
    optimiser = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    ids, sentences = subsample(
        text.ids[:words], text.sentences[:words], text.counts, settings.threshold, generator
    )
    pairs = skip_gram_pairs(*context_windows(ids, sentences, settings.window, generator))
    for inputs, targets in zip(*(part.split(TORCH_BATCH) for part in pairs), strict=True):
        optimiser.zero_grad()
        (len(inputs) * model.loss(inputs, targets)).backward()
        optimiser.step()
    return words / (time.perf_counter() - start)
