"""What the experiment `four_tasks` reads: networks of each stage, questions, pairs of texts.

Each stage is pre-trained once for each text, as for the scoreboard; a seed is of what follows. At
scale ``smoke`` the laboratory stands for everything, and no file is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.bert import pretraining as pretraining_bert
from nnlm2bert.experiments.elmo import pretraining as pretraining_elmo
from nnlm2bert.experiments.four_tasks import answers, translation
from nnlm2bert.experiments.gpt import pretraining as pretraining_gpt
from nnlm2bert.experiments.pretraining import RECIPES, WORDS, pretrained
from nnlm2bert.experiments.scoreboard import BERT_OBJECTIVE, PRETRAINING_SEED
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer import (
    CausalReader,
    ContextualEncoder,
    Features,
    FirstLayer,
    MarkedReader,
    MarkedWords,
    WordEncoder,
)
from nnlm2bert.transfer.answers import AnswerTask, Asked, load_answers
from nnlm2bert.transfer.contextual import SentenceReader
from nnlm2bert.transfer.first_layer import spelling
from nnlm2bert.transfer.translation import SENTENCES, TranslationTask, load_translation

LABORATORY = "laboratory "
"""What the names of the laboratory's tasks begin with."""
STAGES = ("random", "word2vec", "ELMo", "GPT", "BERT")
"""Whose vectors stand below the same head."""


def name_at(task: str, scale: str) -> str:
    """Return the task that is read: at scale smoke that of the laboratory."""
    return f"{LABORATORY}{task.removeprefix(LABORATORY)}" if scale == "smoke" else task


def text_for(task: str) -> str:
    """Return the text that goes with a task: what its stages were pre-trained on."""
    return "Pocket English" if task.startswith(LABORATORY) else "running text"


def pretraining(stage: str, text: str, scale: str) -> dict[str, Any]:
    """Return all that a stage, or BERT's objective of that name, was trained with on a text."""
    own = {"text": text, "seed": PRETRAINING_SEED}
    if text == "Pocket English":
        own["words"] = WORDS[scale]
    if stage == "word2vec":
        return {**own, **RECIPES[text]["skip-gram"]}
    if stage == "ELMo":
        return {**own, **pretraining_elmo.settings(text, scale)}
    if stage == "GPT":
        return {**own, **pretraining_gpt.settings(text, scale)}
    objective = BERT_OBJECTIVE if stage == "BERT" else stage
    return {**own, **pretraining_bert.settings(objective, text, scale)}


@dataclass
class Material:
    """Everything the arms share; each piece is read when it is first asked for.

    ``device``: where networks are pre-trained that are not kept yet; `run` says it.
    """

    scale: str
    device: str = field(default="cpu", init=False)
    _networks: dict[tuple[str, str], pretraining_bert.Pretrained] = field(default_factory=dict)
    _answers: dict[str, AnswerTask] = field(default_factory=dict)
    _translations: dict[str, TranslationTask] = field(default_factory=dict)

    @cached_property
    def folder(self) -> Path:
        """Where what was trained is kept."""
        return cache_folder() / "vectors"

    def network(self, objective: str, text: str) -> pretraining_bert.Pretrained:
        """The network of an objective and a text, trained once."""
        key = objective, text
        if key not in self._networks:
            where = PRETRAINING_SEED, self.scale, self.folder, text, self.device
            self._networks[key] = pretraining_bert.pretrained_bert(objective, *where)
        return self._networks[key]

    def read(self, objective: str, text: str) -> MarkedWords:
        """How words become tokens of that network."""
        return MarkedWords.of_pieces(SubwordEncoder(self.network(objective, text).tokenizer))

    def answers(self, task: str) -> AnswerTask:
        """Questions, by the name of the task in this experiment."""
        name = name_at(task, self.scale)
        if name not in self._answers:
            self._answers[name] = load_answers(name, answers.scale_of(name, self.scale).sizes)
        return self._answers[name]

    def translation(self, task: str) -> TranslationTask:
        """Pairs of texts, by the name of the task in this experiment."""
        name = name_at(task, self.scale)
        if name not in self._translations:
            sizes = translation.scale_of(SENTENCES, self.scale).sizes
            self._translations[name] = load_translation(name, sizes)
        return self._translations[name]

    def encoder(self, stage: str, task: AnswerTask) -> Callable[[], WordEncoder]:
        """What makes the vectors of a stage for all words of a task, whichever split they are in.

        Word vectors are frozen; those of a network that reads sentences are its layers, mixed as
        the task learns to. A paragraph that does not fit into its context is read in parts.
        """
        text = text_for(task.name)
        if stage == "random":
            return lambda: beginning(task, RECIPES[text]["skip-gram"]["dimension"])
        sides = [side for one in asked_of(task) for side in (one.question, one.paragraph)]
        if stage == "word2vec":
            vectors = pretrained("skip-gram", PRETRAINING_SEED, self.scale, self.folder, text)
            words = {word for side in sides for word in side}
            return lambda: FirstLayer(words, vectors, "frozen")
        features = Features(self.reader(stage, text), sides, self.folder / "features")
        return lambda: ContextualEncoder(features)

    def reader(self, stage: str, text: str) -> SentenceReader:
        """The frozen network of ELMo, GPT or BERT."""
        where = PRETRAINING_SEED, self.scale, self.folder, text, self.device
        if stage == "ELMo":
            return pretraining_elmo.pretrained_bilm(*where)
        if stage == "GPT":
            trained = pretraining_gpt.pretrained_gpt(*where)
            return CausalReader(trained.gpt, SubwordEncoder(trained.tokenizer))
        found = self.network(BERT_OBJECTIVE, text)
        return MarkedReader(found.network, SubwordEncoder(found.tokenizer))


def asked_of(task: AnswerTask) -> list[Asked]:
    """Return the questions of all splits."""
    return [one for split in task.splits.values() for one in split]


def beginning(task: AnswerTask, dimension: int) -> FirstLayer:
    """Return a layer that begins at random, of the words that are learned from."""
    counts: Mapping[str, int] = Counter(
        spelling(word) for one in task.splits["train"] for word in (*one.question, *one.paragraph)
    )
    once = [word for word, count in counts.items() if count == 1]
    return FirstLayer(counts, None, "random", dimension, once)
