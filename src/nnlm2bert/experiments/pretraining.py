"""The vectors that the scoreboard hands down: every stage trained on the same running text.

Trained once and kept in a folder: a second call reads them. What differs from stage to stage is
the idea, not the data. Two texts: for the real tasks the running text of `corpora.running`, for
those of the laboratory a text in Pocket English of which no task is made.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.models.nnlm import NNLM, NNLMConfig
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.objectives import next_word
from nnlm2bert.tokenizers.vocabulary import UNKNOWN
from nnlm2bert.training import ShuffledBatches, TrainingConfig, seed_everything, train

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText

log = logging.getLogger(__name__)

STAGES = ("NNLM", "skip-gram", "CBOW")
TEXTS = ("running text", "Pocket English")
RARE = 4
"""word2vec leaves out words that stand no more often than this; the NNLM reads them as <unk>."""
POCKET_ENGLISH_SEED = 1_000_003
"""Far from the seeds that tasks are drawn with, so that no task is made of the text read."""

_NNLM: dict[str, Any] = {
    "order": 5,
    "features": 100,
    "hidden": 64,
    "vocabulary": 12_000,
    "epochs": 1,
    "batch_size": 1024,
    "learning_rate": 1e-2,
    "epsilon": 3e-4,
    "weight_decay": 0.01,
    "precision": "bfloat16",
}
_WORD2VEC: dict[str, Any] = {
    "dimension": 100,
    "window": 5,
    "output": "negative",
    "negatives": 5,
    "power": 0.75,
    "shared_negatives": True,
    "threshold": 1e-4,
    "epochs": 5,
    "learning_rate": 0.025,
}
_SMALL_NNLM = {**_NNLM, "features": 50, "hidden": 50, "epsilon": 1e-8, "precision": "float32"}
_SMALL_WORD2VEC = {**_WORD2VEC, "dimension": 50, "threshold": 1e-3}
_CBOW = {"learning_rate": 0.15}
"""Six words stand in a shrinking window of 5 on average. The program of Mikolov et al. (2013) gives
each of them the whole step of their mean; we give it the true gradient, a sixth of it."""

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "running text": {
        "NNLM": _NNLM,
        "skip-gram": _WORD2VEC,
        "CBOW": {**_WORD2VEC, **_CBOW},
    },
    "Pocket English": {
        "NNLM": {**_SMALL_NNLM, "learning_rate": 3e-3, "vocabulary": 1_000},
        "skip-gram": _SMALL_WORD2VEC,
        "CBOW": {**_SMALL_WORD2VEC, **_CBOW},
    },
}
"""How each stage is trained on each text.

The NNLM's cost lies in its softmax over all words, so it gets fewer of them, fewer hidden units
and one pass, which take it as many times longer as word2vec needs for five.
"""
WORDS = {"smoke": 20_000, "laptop": 1_000_000, "gpu": 1_000_000}
"""Words of Pocket English that are read."""


def pretrained(
    stage: str,
    seed: int,
    scale: str,
    cache: Path,
    text: str = "running text",
    device: str = "cpu",
) -> WordVectors:
    """Return the vectors of a stage, read from the folder `cache` or trained and put there.

    `stage` is one of `STAGES`, `text` one of `TEXTS`; at scale smoke only Pocket English is read.
    An interrupted training of the NNLM goes on from its checkpoint in `cache`. Raises `UserError`
    for an unknown stage or text.
    """
    config = settings(stage, scale, text)
    path = cache / f"{stage}-{text.replace(' ', '-')}-{digest(config)}-seed-{seed}.txt"
    if not path.is_file():
        log.info("Training the vectors of %s on %s: %s.", stage, text, config)
        cache.mkdir(parents=True, exist_ok=True)
        checkpoint = path.with_suffix(".checkpoint.pt")
        if stage == "NNLM":
            vectors = nnlm_vectors(read(text, scale), config, seed, checkpoint, device)
        else:
            vectors = word2vec_vectors(read(text, scale), config, seed)
        vectors.save(path)
        checkpoint.unlink(missing_ok=True)
    return WordVectors.load(path)


def settings(stage: str, scale: str, text: str) -> dict[str, Any]:
    """Return all that the vectors of a stage depend on, but the seed."""
    if stage not in STAGES or text not in TEXTS:
        raise UserError(
            f"There are no vectors of '{stage}' on '{text}'. Choose a stage from "
            f"{', '.join(STAGES)} and a text from {', '.join(TEXTS)}."
        )
    return {
        "stage": stage,
        **RECIPES[text][stage],
        "rare": RARE,
        "text": text_settings(text, scale),
    }


def text_settings(text: str, scale: str) -> dict[str, Any]:
    """Return what tells one text from another."""
    if text == "Pocket English":
        return {"words": WORDS[scale], "seed": POCKET_ENGLISH_SEED}
    from nnlm2bert.corpora import hashes
    from nnlm2bert.corpora.running import RUNNING_TEXT

    files = {path: sha for name in RUNNING_TEXT for path, sha in hashes(name).items()}
    return {"files": digest(files)}


def read(text: str, scale: str) -> RunningText:
    """Return the text that all stages are trained on."""
    if text == "Pocket English":
        return pocket_english(WORDS[scale])
    from nnlm2bert.corpora.running import load_running_text

    return load_running_text()


def pocket_english(words: int, seed: int = POCKET_ENGLISH_SEED) -> RunningText:
    """Return about so many words of the laboratory's language, without the ends of documents."""
    from nnlm2bert.corpora.running import RunningText
    from nnlm2bert.synthetic import PocketEnglish

    language = PocketEnglish()
    sample = language.sample(words=words, seed=seed)
    inside = sample.ids != language.end_id
    ids, documents = sample.ids[inside], sample.document_ids[inside].astype(np.int32)
    counts = np.bincount(ids, minlength=len(language.vocabulary))
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]  # words are sorted
    ranks = np.zeros(len(counts), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return RunningText(
        ids=ranks[ids],
        types=[language.vocabulary[number] for number in order],
        counts=counts[order],
        sentences=sample.sentence_ids[inside].astype(np.int32),
        documents=documents,
        names=tuple(f"pocket-english/{number}" for number in range(documents[-1] + 1)),
    )


def word2vec_vectors(text: RunningText, config: Mapping[str, Any], seed: int) -> WordVectors:
    """Train skip-gram or CBOW (Mikolov et al. 2013) with the compiled loop, on one thread."""
    from nnlm2bert.models.word2vec_compiled import CompiledSettings, train_compiled

    options = {
        name: value for name, value in config.items() if name not in ("stage", "rare", "text")
    }
    architecture = "cbow" if config["stage"] == "CBOW" else "skip-gram"
    compiled = CompiledSettings(architecture=architecture, **options)
    known = text.limit(RARE + 1)
    vectors, _, speed = train_compiled(known.ids, known.sentences, known.counts, compiled, seed)
    log.info("%s: %.0f words a second.", config["stage"], speed)
    return WordVectors(known.types, vectors)


def nnlm_vectors(
    text: RunningText, config: Mapping[str, Any], seed: int, checkpoint: Path, device: str = "cpu"
) -> WordVectors:
    """Train the network of Bengio et al. (2003) and return its matrix C.

    The text is one stream, as in the paper. Words that are not among the most frequent share one
    vector, that of `<unk>`, which comes first.
    """
    words = [UNKNOWN, *text.types[: config["vocabulary"] - 1]]
    ids = np.where(text.ids < len(words) - 1, text.ids + 1, 0)
    seed_everything(seed)
    model = NNLM(
        NNLMConfig(len(words), config["order"], config["features"], config["hidden"], dropout=0.0)
    )
    counts = np.bincount(ids, minlength=len(words)) + 0.5
    with torch.no_grad():
        model.output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    batches = ShuffledBatches(next_word(ids, config["order"]), config["batch_size"], seed=seed)
    training = _training_config(config, len(batches), seed)
    result = train(
        model,
        lambda network, batch: network.loss(*batch),
        batches,
        training,
        checkpoint=checkpoint,
        device=device,
    )
    loss = result.history.losses[-1]
    log.info("NNLM: %.3f nats a word, %.0f words a second.", loss, result.examples_per_second)
    return WordVectors(words, model.C.weight.detach().cpu().numpy())


def _training_config(config: Mapping[str, Any], batches: int, seed: int) -> TrainingConfig:
    """Return the training of chapter 1 over another number of words."""
    steps = config["epochs"] * batches
    return TrainingConfig(
        steps=steps,
        batch_size=config["batch_size"],
        learning_rate=config["learning_rate"],
        warmup_steps=min(300, steps // 4),
        final_fraction=0.02,
        weight_decay=config["weight_decay"],
        betas=(0.9, 0.99),
        epsilon=config["epsilon"],
        precision=config["precision"],
        checkpoint_every=1_000,
        seed=seed,
    )


def digest(value: Mapping[str, Any]) -> str:
    """Return a short name of some settings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
