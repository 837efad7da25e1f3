"""What the experiment `gpt` reads: the pre-trained network, its tasks, and held-out text.

The network is pre-trained once; a seed is of what follows. At scale ``smoke`` Pocket English stands
for everything, and no file is read.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.gpt.pretraining import (
    Pretrained,
    log_frequencies,
    place,
    pretrained_gpt,
    read,
)
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, PRETRAINING_SEED
from nnlm2bert.models.gpt import GPT
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.synthetic.items import agreement_items
from nnlm2bert.synthetic.sentences import Sentence, documents
from nnlm2bert.tokenizers.fast_bpe import END_ID, UNKNOWN_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder, TokenStream
from nnlm2bert.training import derived_seed, seed_everything
from nnlm2bert.transfer import Example, Task, load_task
from nnlm2bert.transfer.tasks import hold_out

POCKET = "Pocket English"
CHOICE = "choice"
MATTHEWS = "Matthews"
"""The measure of acceptability: the correlation of what is said with what is so, both 0 or 1."""
ANSWERS = 4
"""Sentences to choose from."""
STANDING_IN: Mapping[str, str] = {
    "sentiment": "laboratory sentiment",
    "questions": "laboratory sentiment",
    "entailment": "laboratory entailment",
    "relatedness": "laboratory entailment",
}
"""The task of the laboratory that stands for each real one at scale smoke."""
SEED = 7
"""Of what is written for the tasks of this experiment in the laboratory."""
POCKET_HELD_OUT: Mapping[str, int] = {"smoke": 1_000, "laptop": 20_000, "gpu": 20_000}
"""Words of Pocket English to be measured on."""


@dataclass(frozen=True)
class Prompt:
    """What is asked without teaching: ``hint`` after a sentence, then one of the ``words``.

    ``words`` go with the labels of ``classes``, in their order; sentences of other classes are left
    out, and marks at the end of a sentence that are in ``dropped``.
    """

    hint: tuple[str, ...]
    words: tuple[str, ...]
    classes: tuple[int, ...]
    dropped: tuple[str, ...] = ()


PROMPTS: Mapping[str, Prompt] = {
    "running text": Prompt(("very",), ("negative", "positive"), (0, 1)),
    POCKET: Prompt(("so", "they"), ("cry", "smile"), (0, 2), (".",)),
}
"""The paper's, and one in the laboratory, where people cry over what is bad."""


@dataclass
class Material:
    """Everything the arms share; each piece is read when it is first asked for.

    ``device``: where networks are pre-trained that are not kept yet; `run` says it.
    """

    scale: str
    device: str = field(default="cpu", init=False)
    _tasks: dict[str, Task] = field(default_factory=dict)
    _pretrained: dict[str, Pretrained] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text that the network was trained on."""
        return POCKET if self.scale == "smoke" else "running text"

    @cached_property
    def folder(self) -> Path:
        """Where what was trained is kept."""
        return cache_folder() / "vectors"

    def text_of(self, task: str) -> str:
        """The text of the network that a task is learned with."""
        return POCKET if task == CHOICE else self.text

    def pretrained(self, text: str) -> Pretrained:
        """The network of a text, trained once."""
        if text not in self._pretrained:
            where = PRETRAINING_SEED, self.scale, self.folder, text, self.device
            found = pretrained_gpt(*where)
            self._pretrained[text] = found
        return self._pretrained[text]

    def encoder(self, text: str) -> SubwordEncoder:
        """How the network of a text cuts words."""
        return SubwordEncoder(self.pretrained(text).tokenizer)

    def untrained(self, text: str) -> GPT:
        """The network of a text as its training began."""
        stream = read(text, self.scale, self.folder)
        seed_everything(derived_seed("GPT", PRETRAINING_SEED) % 2**32)
        gpt = GPT(self.pretrained(text).gpt.config).eval()
        ids = torch.from_numpy(stream.ids.astype(np.int64))
        gpt.bias.data.copy_(log_frequencies(ids, len(gpt.bias)))
        return gpt

    def place(self, text: str) -> Path:
        """The file of the network of a text."""
        return place(PRETRAINING_SEED, self.scale, self.folder, text)

    def task(self, name: str) -> Task:
        """A task by its name in this experiment."""
        if name not in self._tasks:
            self._tasks[name] = self._load(name)
        return self._tasks[name]

    def _load(self, name: str) -> Task:
        sizes = LABORATORY_SIZES[self.scale]
        if name == CHOICE:
            return choices(sizes)
        if self.scale != "smoke":
            return acceptability() if name == "acceptability" else load_task(name)
        if name == "acceptability":
            return agreeable(sizes)
        task = load_task(STANDING_IN[name], sizes)
        return as_scores(task) if name == "relatedness" else task

    def asked(self, text: str) -> tuple[Task, Task]:
        """The tasks that the network of a text was not taught: sentiment, acceptability."""
        if text != POCKET or self.scale == "smoke":
            return self.task("sentiment"), self.task("acceptability")
        sizes = LABORATORY_SIZES[self.scale]
        return load_task(STANDING_IN["sentiment"], sizes), agreeable(sizes)

    def held_out(self, text: str) -> dict[str, TokenStream]:
        """Text that the network of a text was not trained on, by name, in its tokens."""
        tokenizer = self.pretrained(text).tokenizer
        if text == POCKET:
            return {POCKET: pocket_stream(tokenizer, POCKET_HELD_OUT[self.scale])}
        from nnlm2bert.corpora.running import HELD_OUT_TEXT
        from nnlm2bert.experiments.token_streams import held_out_tokens

        return {name: held_out_tokens(name, tokenizer) for name in HELD_OUT_TEXT}


def pocket_stream(tokenizer: Tokenizer, words: int) -> TokenStream:
    """Text of the laboratory that nothing was trained on, in tokens, one a word."""
    sample = PocketEnglish().sample(words, SEED)
    vocabulary = sample.language.vocabulary
    numbers = [tokenizer.token_to_id(word) for word in vocabulary]
    numbers[sample.language.end_id] = END_ID
    ids = np.array([UNKNOWN_ID if n is None else n for n in numbers], np.int32)[sample.ids]
    ends = np.flatnonzero(ids == END_ID)
    return TokenStream(ids, np.append(0, ends[:-1] + 1), len(ids) - len(ends), tokenizer)


def acceptability() -> Task:
    """CoLA; the development part of GLUE is its test, as the labels of the real one are secret."""
    from nnlm2bert.corpora import load
    from nnlm2bert.corpora.readers.cola import LABELS

    splits = {
        name: [
            Example((tuple(tokens),), label)
            for tokens, label in zip(rows["tokens"], rows["label"], strict=True)
        ]
        for name, rows in load("cola").items()
    }
    test = [*splits["in_domain"], *splits["out_of_domain"]]
    whole = hold_out({"train": splits["train"], "test": test})
    unseen = {example.key for split in ("validation", "test") for example in whole[split]}
    train = [example for example in whole["train"] if example.key not in unseen]
    return Task("acceptability", "sentence", MATTHEWS, LABELS, {**whole, "train": train})


def agreeable(sizes: Mapping[str, int]) -> Task:
    """Beginnings of sentences in Pocket English whose verb is in the right or the wrong number."""
    language, wanted = PocketEnglish(), sum(sizes.values())
    found = []
    for number, item in enumerate(agreement_items(wanted, SEED, language=language)):
        label = number // 2 % 2  # subjects are singular and plural by turns
        ids = [*item.context[1:], item.right if label else item.wrong]
        found.append(Example((tuple(language.vocabulary[i] for i in ids),), label))
    labels = ("wrong number", "right number")
    return Task("acceptability", "sentence", MATTHEWS, labels, cut(found, sizes))


def as_scores(task: Task) -> Task:
    """A task of pairs whose classes are read as numbers: what stands for relatedness."""
    middle = (len(task.labels) - 1) / 2
    splits = {
        name: [replace(example, label=float(example.label - middle)) for example in examples]
        for name, examples in task.splits.items()
    }
    return Task(task.name, "score", "Spearman", (), splits)


def choices(sizes: Mapping[str, int]) -> Task:
    """Which of four sentences follows this one? In Pocket English; each comes from a document.

    Documents are taken four at a time: the second sentence of each is an answer for all of them, so
    that nothing but its document tells the right one from the others. No sentence stands in two
    fours, nor in two splits.
    """
    whole = {split: size - size % ANSWERS for split, size in sizes.items()}
    examples = islice(_fours(PocketEnglish()), sum(whole.values()))
    labels = tuple(f"answer {n + 1}" for n in range(ANSWERS))
    return Task(CHOICE, "choice", "accuracy", labels, cut(list(examples), whole))


def _fours(language: PocketEnglish) -> Iterator[Example]:
    """Yield four examples for each four documents, their answers in an order by lot."""
    generator = random.Random(derived_seed("choice", SEED))
    used: set[tuple[str, ...]] = set()
    couples: list[tuple[Sentence, Sentence]] = []
    for document in documents(language, SEED):
        first, second, *_ = (*document, *document[:1])  # one sentence alone is its own second
        if first.words == second.words or used & {first.words, second.words}:
            continue
        used |= {first.words, second.words}
        couples.append((first, second))
        if len(couples) == ANSWERS:
            for number, (asked, _) in enumerate(couples):
                order = generator.sample(range(ANSWERS), ANSWERS)
                answers = (couples[n][1].words for n in order)
                yield Example((asked.words, *answers), order.index(number))
            couples = []


def cut(examples: Sequence[Example], sizes: Mapping[str, int]) -> dict[str, Sequence[Example]]:
    """Cut examples into splits of these sizes: the test part first, the training part last."""
    rest, splits = list(examples), {}
    for split in ("test", "validation", "train"):
        splits[split], rest = rest[: sizes[split]], rest[sizes[split] :]
    return splits
