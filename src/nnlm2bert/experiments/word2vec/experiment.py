"""Mikolov et al. (2013a, 2013b), Levy & Goldberg (2014) and Ji et al. (2016), at reduced scale.

Skip-gram with 100 dimensions on nested texts of 1, 5 and 25 million words; on the middle one what
each idea does alone; counting in place of predicting; the products of vectors against pointwise
mutual information; speed, by turns; and senses. All is trained on one thread, so that a seed gives
the same vectors every time. At scale ``smoke`` the text is Pocket English and every size is small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy import sparse

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.runner import Arm, Experiment, Result
from nnlm2bert.experiments.word2vec.material import SENSES_FROM, SETS, Material, Text
from nnlm2bert.experiments.word2vec.measures import measure, measure_senses
from nnlm2bert.experiments.word2vec.rival import run_rival
from nnlm2bert.models.sppmi import cooccurrences, pmi, sppmi_vectors
from nnlm2bert.models.word2vec_compiled import CompiledSettings, Trained, train_compiled
from nnlm2bert.models.word_vectors import WordVectors

RECIPE: dict[str, Any] = {
    "architecture": "skip-gram",
    "output": "negative",
    "dimension": 100,
    "window": 5,
    "negatives": 5,
    "power": 0.75,
    "shared_negatives": True,
    "threshold": 1e-4,
    "epochs": 5,
    "learning_rate": 0.025,
}
SMOKE: dict[str, Any] = {**RECIPE, "dimension": 16, "threshold": 1e-2, "learning_rate": 0.05}
CBOW_CONTEXT = 6
"""Words around, on average, in a shrinking window of 5. The authors' program gives each of them
the whole step of their mean, we the true gradient, a part of it: our rate is that much higher."""
DERIVATION: dict[str, Any] = {"window": 2, "power": 1.0, "threshold": 0.0}
"""What makes the optimum PMI - log k: noise as frequent as the words, and no sub-sampling."""
NEGATIVES = (1, 5, 15)
SEEN = 10
TURNS = {"smoke": 2, "laptop": 5, "gpu": 5}
BINS = 20
RACES: dict[str, dict[str, dict[str, Any]]] = {
    "race-subsampling": {"sub-sampled": {}, "all words": {"threshold": 0.0}},
    "race-negatives": {"shared": {}, "independent": {"shared_negatives": False}},
}


def recipe(scale: str, **changes: Any) -> dict[str, Any]:
    """Return the settings of skip-gram at a scale, with changes."""
    return {**(SMOKE if scale == "smoke" else RECIPE), **changes}


def cbow(scale: str, **changes: Any) -> dict[str, Any]:
    """Return the settings of CBOW at a scale."""
    rate = CBOW_CONTEXT * recipe(scale)["learning_rate"]
    return recipe(scale, architecture="cbow", learning_rate=rate, **changes)


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the settings measured at a scale, those that claims rest on before the others."""
    return (
        *race_arms(scale),
        *counting_arms(scale),
        *prediction_arms(scale),
        *regression_arms(scale),
        *sense_arms(scale),
        *further_arms(scale),
        Arm("gensim", {"kind": "rival", "text": "middle", "threads": 2, **recipe(scale)}),
    )


def race_arms(scale: str) -> tuple[Arm, ...]:
    """Two settings that take turns, an epoch each, on the middle text."""
    shared = {"kind": "race", "text": "middle", "turns": TURNS[scale], **recipe(scale, epochs=1)}
    return tuple(Arm(name, {**shared, "sides": RACES[name]}, seeds=False) for name in RACES)


def counting_arms(scale: str) -> tuple[Arm, ...]:
    """SPPMI and its singular vectors, shifted by log 1 and log 5, on every text."""
    names = ("dimension", "window", "power")
    settings = {name: value for name, value in recipe(scale).items() if name in names}
    shared = {"kind": "counts", "exponent": 0.5, **settings}
    return tuple(
        Arm(f"SVD{k}-{text}", {**shared, "text": text, "negatives": k}, seeds=False)
        for text in SETS
        for k in (1, 5)
    )


def prediction_arms(scale: str) -> tuple[Arm, ...]:
    """Skip-gram on every text, and what claims change in it on the middle one."""
    changes = {"all-words": {"threshold": 0.0}, "independent": {"shared_negatives": False}}
    return (
        *(vector_arm(f"SG-{text}", text, recipe(scale)) for text in SETS),
        *(
            vector_arm(f"SG-middle-{name}", "middle", recipe(scale, **change))
            for name, change in changes.items()
        ),
    )


def regression_arms(scale: str) -> tuple[Arm, ...]:
    """Skip-gram as the derivation asks, for each k; in the laboratory all k in one arm."""
    settings = recipe(scale, **DERIVATION)
    laboratory = {"kind": "laboratory PMI", "text": "laboratory", **settings}
    return (
        *(
            Arm(f"PMI-k{k}", {"kind": "PMI", "text": "middle", **settings, "negatives": k})
            for k in NEGATIVES
        ),
        Arm("laboratory-PMI", {**laboratory, "negatives": NEGATIVES}),
    )


def sense_arms(scale: str) -> tuple[Arm, ...]:
    """Senses of words in SemCor, by CBOW and by skip-gram, and in the laboratory."""
    settings = {"kind": "senses", "text": "middle", "words": "SemCor"}
    laboratory = {"kind": "senses", "text": "laboratory", "words": "Pocket English"}
    laboratory |= {"sample": SENSES_FROM[scale]}
    return (
        Arm("senses-CBOW", {**settings, **cbow(scale)}),
        Arm("senses-SG", {**settings, **recipe(scale)}),
        Arm("laboratory-senses-CBOW", {**laboratory, **cbow(scale)}),
    )


def further_arms(scale: str) -> tuple[Arm, ...]:
    """CBOW on every text; hierarchical softmax with and without sub-sampling on the middle one."""
    tree = recipe(scale, output="hierarchical")
    return (
        *(vector_arm(f"CBOW-{text}", text, cbow(scale)) for text in SETS),
        vector_arm("HS-middle", "middle", tree),
        vector_arm("HS-middle-all-words", "middle", {**tree, "threshold": 0.0}),
    )


def vector_arm(name: str, text: str, settings: Mapping[str, Any]) -> Arm:
    """Return an arm that trains vectors and measures them."""
    return Arm(name, {"kind": "vectors", "text": text, **settings})


def run(arm: Arm, seed: int, data: Material, workspace: Path, device: str = "cpu") -> Result:
    """Measure one arm, on the CPU."""
    runs: dict[str, Callable[..., Result]] = {
        "race": run_race,
        "counts": run_counts,
        "vectors": run_vectors,
        "PMI": run_regression,
        "laboratory PMI": run_laboratory,
        "senses": run_senses,
        "rival": run_rival,
    }
    text = data.text(arm.config["text"])
    return runs[arm.config["kind"]](arm, seed, data, text)


def fit(config: Mapping[str, Any], text: Text, seed: int, **changes: Any) -> Trained:
    """Train with the settings that a config holds."""
    known = {field.name for field in fields(CompiledSettings)}
    chosen = {name: value for name, value in {**config, **changes}.items() if name in known}
    return train_compiled(text.ids, text.sentences, text.counts, CompiledSettings(**chosen), seed)


def run_vectors(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Train word vectors, keep them in the cache, and measure them."""
    trained = fit(arm.config, text, seed)
    vectors = WordVectors(text.types, trained.inputs)
    if arm.config["text"] == "large":
        keep(vectors, f"{arm.name}-{data.scale}-seed-{seed}")
    return with_text(measure(vectors, data), text, trained.words_per_second)


def keep(vectors: WordVectors, name: str) -> None:
    """Save vectors in word2vec's format in the cache."""
    folder = cache_folder() / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    vectors.save(folder / f"{name}.txt")


def run_counts(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Count, shift and factorise, and measure the singular vectors."""
    names = ("window", "negatives", "dimension", "exponent", "power")
    settings = {name: arm.config[name] for name in names}
    start = time.perf_counter()
    matrix = sppmi_vectors(text.ids, text.sentences, len(text.types), **settings)
    speed = len(text.ids) / (time.perf_counter() - start)
    return with_text(measure(WordVectors(text.types, matrix), data), text, speed)


def with_text(result: Result, text: Text, speed: float) -> Result:
    """Add the size of the text and the speed of training, in words of the text a second."""
    sizes = {"words": len(text.ids), "types": len(text.types), "words a second": speed}
    return replace(result, figures={**sizes, **result.figures})


def run_race(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Train an epoch with each of two settings by turns, and record how fast each was."""
    speeds: dict[str, list[float]] = {name: [] for name in arm.config["sides"]}
    for turn in range(arm.config["turns"]):
        for name, changes in arm.config["sides"].items():
            speeds[name].append(fit(arm.config, text, turn, **changes).words_per_second)
    return Result(
        figures={f"words a second, {name}": fmean(rates) for name, rates in speeds.items()},
        series={f"words a second, {name}": rates for name, rates in speeds.items()},
    )


def run_regression(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Train as the derivation asks, and regress the products of vectors on counted PMI."""
    trained = fit(arm.config, text, seed)
    counts = cooccurrences(text.ids, text.sentences, len(text.types), arm.config["window"])
    pairs, values = frequent_pairs(counts, pmi(counts))
    figures, series = regression(products(trained, pairs), values)
    return Result(
        figures={"words a second": trained.words_per_second, **figures},
        series=series,
    )


def run_laboratory(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """The same in Pocket English, against counted PMI and against that of its grammar."""
    counts = cooccurrences(text.ids, text.sentences, len(text.types), arm.config["window"])
    pairs, counted = frequent_pairs(counts, pmi(counts))
    tables = {"counted": counted, "exact": exact_pmi(data, text, arm.config["window"])[pairs]}
    figures: dict[str, float] = {}
    series: dict[str, list[float]] = {}
    for k in arm.config["negatives"]:
        found = products(fit(arm.config, text, seed, negatives=k), pairs)
        for kind, values in tables.items():
            numbers, curves = regression(found, values)
            figures |= {f"{name}, {kind}, k = {k}": value for name, value in numbers.items()}
            series |= {f"{name}, {kind}, k = {k}": curve for name, curve in curves.items()}
    return Result(figures=figures, series=series)


def frequent_pairs(
    counts: sparse.csr_array, table: sparse.csr_array
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the pairs of a word and a context seen at least ten times, and their entries (P,)."""
    seen = sparse.coo_array(counts)
    often = seen.data >= SEEN
    rows, columns = (place[often] for place in seen.coords)
    return (rows, columns), np.asarray(table[rows, columns]).reshape(-1)


def exact_pmi(data: Material, text: Text, window: int) -> np.ndarray:
    """Return the PMI (V, V) that the grammar of the laboratory gives the words of a text."""
    from nnlm2bert.synthetic.cooccurrence import exact_cooccurrences

    places = [data.language.grammar.word_index[word] for word in text.types]
    keep = np.zeros(len(data.language))
    keep[places] = 1.0  # all but the ends of documents, which the text leaves out
    joint = exact_cooccurrences(data.language, window, keep=keep)[np.ix_(places, places)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(joint) - np.log(joint.sum(1))[:, None] - np.log(joint.sum(0))


def products(trained: Trained, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the inner product (P,) of the vectors of each pair: word read, word predicted."""
    words, contexts = pairs
    return np.einsum("pd,pd->p", trained.inputs[words], trained.outputs[contexts])


def regression(
    found: np.ndarray, expected: np.ndarray
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the line of products on PMI, and the means of both in twenty bins of equal size."""
    slope, intercept = np.polyfit(expected, found, 1)
    bins = np.array_split(np.argsort(expected, kind="stable"), BINS)
    figures = {
        "correlation with PMI": float(np.corrcoef(expected, found)[0, 1]),
        "slope": float(slope),
        "intercept": float(intercept),
        "mean product": float(found.mean()),
        "mean PMI": float(expected.mean()),
        "pairs": len(found),
    }
    curves = {"PMI": expected, "product": found}
    return figures, {
        f"{name}, by twentieths": [float(values[part].mean()) for part in bins]
        for name, values in curves.items()
    }


def run_senses(arm: Arm, seed: int, data: Material, text: Text) -> Result:
    """Train vectors and see whether the mean of those around a word tells its sense."""
    trained = fit(arm.config, text, seed)
    vectors = WordVectors(text.types, trained.inputs)
    laboratory = arm.config["words"] == "Pocket English"
    occurrences = data.laboratory_occurrences if laboratory else data.occurrences
    return measure_senses(vectors, occurrences, arm.config["window"])


EXPERIMENT = Experiment(
    name="word2vec",
    title="word2vec on running text",
    arms=arms,
    prepare=Material,
    run=run,
    corpora=(*SETS["large"], "google-analogies", "word-similarity", "semcor"),
)
