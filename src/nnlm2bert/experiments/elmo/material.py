"""What the experiment `elmo` reads: the language model, tasks, and words whose senses are known.

What the language model says of a text is kept in the cache, as it is the same for all seeds. At
scale ``smoke`` the laboratory stands for everything: its biLM, its tasks, its words with two
senses, and no file is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.evaluation.word_senses import part_of_speech
from nnlm2bert.experiments.elmo.pretraining import pretrained_bilm
from nnlm2bert.experiments.pretraining import pretrained
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, PRETRAINING_SEED
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.transfer import Task, load_task
from nnlm2bert.transfer.contextual import Contextual, Features

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText
    from nnlm2bert.synthetic.pocket_english import Sample

STANDING_IN: Mapping[str, str] = {
    "chunks": "laboratory part-of-speech",
    "entities": "laboratory word-sense",
    "part-of-speech": "laboratory part-of-speech",
    "sentiment": "laboratory sentiment",
    "questions": "laboratory sentiment",
}
"""The task of the laboratory that stands for each real one at scale smoke."""
HELD_OUT: Mapping[str, int] = {"smoke": 2_000, "laptop": 100_000, "gpu": 100_000}
"""Words of each held-out text that the language model is measured on, at most."""
POCKET_WORDS: Mapping[str, int] = {"train": 12_000, "test": 4_000, "held out": 3_000}
"""Words of the texts of the laboratory that stand for real ones at scale smoke."""
POCKET_TAGS: Mapping[str, str] = {"NOUN": "NN", "VERB": "VB"}
SENTENCES_AT_ONCE = 2_000


class SenseWord(NamedTuple):
    """A word with known senses: its place, and what it is; any of the senses is right.

    `start` and `length` are its words in sentence number `sentence`, more than one for *church of
    England*; `pos` is the part of speech of the sense, `tag` what the text itself says.
    """

    sentence: int
    start: int
    length: int
    lemma: str
    pos: str
    tag: str
    senses: tuple[str, ...]


@dataclass(frozen=True)
class SenseText:
    """Sentences in words as the running text spells them, case kept, with their known senses.

    `documents` has the name of each sentence's document, its set before it.
    """

    sentences: Sequence[tuple[str, ...]]
    documents: Sequence[str]
    words: Sequence[SenseWord]

    def form(self, word: SenseWord) -> str:
        """The first word of an occurrence, in lower case."""
        return self.sentences[word.sentence][word.start].lower()


@dataclass
class Material:
    """Everything the arms share; each piece is read when it is first asked for.

    ``device``: where networks are pre-trained that are not kept yet; `run` says it.
    """

    scale: str
    device: str = field(default="cpu", init=False)
    _tasks: dict[str, Task] = field(default_factory=dict)
    _features: dict[str, Features] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text that the language model and the word vectors come from."""
        return "Pocket English" if self.scale == "smoke" else "running text"

    @property
    def folder(self) -> Path:
        """Where what was trained and extracted is kept."""
        return cache_folder() / "vectors"

    @cached_property
    def contextual(self) -> Contextual:
        """The language model, trained once."""
        where = PRETRAINING_SEED, self.scale, self.folder, self.text, self.device
        return pretrained_bilm(*where)

    @cached_property
    def vectors(self) -> WordVectors:
        """The word vectors of chapter 2, skip-gram, of the same text."""
        return pretrained("skip-gram", PRETRAINING_SEED, self.scale, self.folder, self.text)

    @cached_property
    def laboratory_vectors(self) -> WordVectors:
        """Word vectors of Pocket English, skip-gram."""
        return pretrained("skip-gram", PRETRAINING_SEED, self.scale, self.folder, "Pocket English")

    def task(self, name: str) -> Task:
        """A task of the scoreboard."""
        if name not in self._tasks:
            laboratory = self.scale == "smoke"
            found = STANDING_IN[name] if laboratory else name
            self._tasks[name] = load_task(
                found, LABORATORY_SIZES[self.scale] if laboratory else None
            )
        return self._tasks[name]

    def features(self, name: str) -> Features:
        """What the language model says of a task's sentences; of the last task asked for alone."""
        if name not in self._features:
            self._features.clear()
            found = sentences(self.task(name))
            self._features[name] = Features(self.contextual, found, self.folder / "features")
        return self._features[name]

    def held_out(self) -> dict[str, list[tuple[str, ...]]]:
        """Sentences by text that nothing was trained on, spread evenly."""
        if self.scale == "smoke":
            found = {"Pocket English": pocket_sentences(pocket_sample("held out"))}
        else:
            from nnlm2bert.corpora.running import HELD_OUT_TEXT, load_held_out

            texts = {name: load_held_out(name, lower=False) for name in HELD_OUT_TEXT}
            found = {name: sentences_of(text) for name, text in texts.items()}
        return {name: limited(rows, HELD_OUT[self.scale]) for name, rows in found.items()}

    @cached_property
    def senses(self) -> dict[str, SenseText]:
        """The words with senses to learn from, "train", and those of the test sets by name."""
        if self.scale == "smoke":
            return {name: pocket_senses(pocket_sample(name), name) for name in ("train", "test")}
        from nnlm2bert.corpora import load

        tests = {name: sense_text(rows, name) for name, rows in load("wsd-eval").items()}
        return {"train": sense_text(load("semcor"), "semcor"), **tests}

    def sense_vectors(self, name: str) -> np.ndarray:
        """The layers (N, L + 1, D), float16, of the N words with senses of a text."""
        text = self.senses[name]
        known = [text.sentences, [word[:3] for word in text.words]]
        digest = hashlib.sha256(json.dumps(known).encode("utf-8")).hexdigest()[:16]
        path = self.folder / "features" / f"{self.contextual.digest()}-senses-{digest}.pt"
        if not path.is_file():
            write_checkpoint(path, {"layers": read_words(self.contextual, text)})
        return read_checkpoint(path)["layers"].numpy()


def sentences(task: Task) -> list[tuple[str, ...]]:
    """All sentences of a task, whichever split they stand in, each once."""
    examples = (example for split in task.splits.values() for example in split)
    return list(dict.fromkeys(sentence for e in examples for sentence in e.sentences))


def sentences_of(text: RunningText) -> list[tuple[str, ...]]:
    """The sentences of a running text, in words."""
    words = np.array(text.types, dtype=object)[text.ids]
    borders = np.flatnonzero(np.diff(text.sentences)) + 1
    return [tuple(part) for part in np.split(words, borders)]


def limited(rows: Sequence[tuple[str, ...]], words: int) -> list[tuple[str, ...]]:
    """Sentences spread evenly over all, of about so many words at most."""
    total = sum(map(len, rows))
    count = min(len(rows), max(1, len(rows) * words // total))
    return [rows[i * len(rows) // count] for i in range(count)]


def sense_text(rows: Iterable[Mapping[str, Any]], name: str) -> SenseText:
    """A data set with the columns of `semcor` as a text; words are cut as in the running text."""
    from nnlm2bert.corpora.words import split_token

    read, documents, words = [], [], []
    for number, row in enumerate(rows):
        pieces = [
            [word for part in token.split("_") for word in split_token(part)]
            for token in row["tokens"]
        ]
        starts = np.cumsum([0, *map(len, pieces)]).tolist()
        read.append(tuple(word for piece in pieces for word in piece))
        documents.append(f"{name}/{row['document']}")
        columns = zip(starts, pieces, row["lemmas"], row["pos"], row["senses"], strict=False)
        words += [
            SenseWord(number, start, len(piece), lemma, part_of_speech(senses[0]), tag, (*senses,))
            for start, piece, lemma, tag, senses in columns
            if senses and piece
        ]
    return SenseText(read, documents, words)


def read_words(contextual: Contextual, text: SenseText) -> Tensor:
    """The layers (N, L + 1, D), float16, of the N words with senses, some sentences at a time.

    What is several words has the mean of their vectors.
    """
    found: list[Tensor] = []
    words = iter([*text.words, None])
    word = next(words)
    for begin in range(0, len(text.sentences), SENTENCES_AT_ONCE):
        layers = contextual.extract(text.sentences[begin : begin + SENTENCES_AT_ONCE])
        while word is not None and word.sentence < begin + len(layers):
            own = layers[word.sentence - begin][word.start : word.start + word.length]
            found.append(own.float().mean(dim=0).half())
            word = next(words)
    return torch.stack(found)


def pocket_sample(name: str) -> Sample:
    """One of the texts of the laboratory; no task is made of it."""
    from nnlm2bert.synthetic import PocketEnglish

    return PocketEnglish().sample(POCKET_WORDS[name], 1_000 + tuple(POCKET_WORDS).index(name))


def pocket_sentences(sample: Sample) -> list[tuple[str, ...]]:
    """The sentences of a text of the laboratory, in words."""
    vocabulary = sample.language.vocabulary
    return [tuple(vocabulary[i] for i in sample.ids[part]) for part in sample.sentences()]


def pocket_senses(sample: Sample, name: str) -> SenseText:
    """The nouns and verbs of a text of the laboratory; those without two senses have one."""
    from nnlm2bert.synthetic.pocket_english import PARTS_OF_SPEECH

    language, words = sample.language, []
    for number, part in enumerate(sample.sentences()):
        for place in range(part.start, part.stop):
            form = language.vocabulary[sample.ids[place]]
            kind = PARTS_OF_SPEECH[sample.parts_of_speech[place]]
            sense = language.senses[sample.senses[place]] if sample.senses[place] else f"{form}/-"
            if kind in POCKET_TAGS:
                lemma, start, tag = sense.partition("/")[0], place - part.start, POCKET_TAGS[kind]
                words.append(SenseWord(number, start, 1, lemma, kind, tag, (sense,)))
    documents = [f"{name}/{sample.document_ids[part.start]}" for part in sample.sentences()]
    return SenseText(pocket_sentences(sample), documents, words)
