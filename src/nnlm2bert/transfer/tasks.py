"""The tasks of the scoreboard: the same examples, splits and labels for every stage of the book.

Laboratory (Pocket English) and real text; tagging, word senses, sentences, pairs. Where a set was
published without a validation part, every tenth training example becomes one. No example that
stands word for word in the validation or test part is learned from. Labels are drawn once for each
task, size and seed, so that all stages learn from the same.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nnlm2bert.errors import UserError
from nnlm2bert.training import derived_seed

CUT = 10
"""One in so many training examples is held out where no validation part was published."""
RELATEDNESS_MIDDLE = 3.0
"""The middle of SICK's scale from 1 to 5, which scores are counted from."""


@dataclass(frozen=True)
class Example:
    """One sentence, or two for a pair, and what is to be said of it.

    `label`: the number of a class; for tags one for each word; for a score the score. `position`:
    the word in question, where the task asks about one, or a word of each sentence of a pair.
    """

    sentences: tuple[tuple[str, ...], ...]
    label: int | float | tuple[int, ...]
    position: int | tuple[int, int] | None = None

    @property
    def words(self) -> list[str]:
        """All words, those of a pair one after the other."""
        return [word for sentence in self.sentences for word in sentence]

    @property
    def key(self) -> tuple[tuple[str, ...], ...]:
        """What it says, in lower case: equal for examples that are the same but for the label."""
        return tuple(tuple(word.lower() for word in sentence) for sentence in self.sentences)

    def side(self, number: int) -> Example:
        """Return one sentence of a pair, with its word in question, as an example of its own."""
        return Example((self.sentences[number],), self.label, self.position[number])


@dataclass(frozen=True)
class Task:
    """A task: its examples by split, and how it is answered and measured.

    `kind`: "sentence" (one label), "tags" (one a word), "word" (one for a word in its sentence),
    "pair" (one for two sentences), "score" (a number for two sentences), "word-pair" (one for a
    word in each of two sentences). `measure`: "accuracy", "F1" of spans, or "Spearman". `labels`
    are the names of the classes, () for a score.
    """

    name: str
    kind: str
    measure: str
    labels: tuple[str, ...]
    splits: Mapping[str, Sequence[Example]]


@dataclass(frozen=True)
class TaskForm:
    """Where a task's examples come from, and which columns hold them.

    `corpus`: a set of `nnlm2bert.corpora`, or None for the laboratory's task `laboratory`.
    """

    kind: str
    measure: str
    label: str
    text: tuple[str, ...] = ("tokens",)
    corpus: str | None = None
    laboratory: str | None = None


TASKS: dict[str, TaskForm] = {
    "laboratory part-of-speech": TaskForm(
        "tags", "accuracy", "labels", laboratory="part-of-speech"
    ),
    "laboratory word-sense": TaskForm("word", "accuracy", "label", laboratory="word-sense"),
    "laboratory sentiment": TaskForm("sentence", "accuracy", "label", laboratory="sentiment"),
    "laboratory entailment": TaskForm(
        "pair", "accuracy", "label", ("premise", "hypothesis"), laboratory="entailment"
    ),
    "part-of-speech": TaskForm("tags", "accuracy", "upos", corpus="ud-english-ewt"),
    "chunks": TaskForm("tags", "F1", "chunks", corpus="conll2000"),
    "entities": TaskForm("tags", "F1", "labels", corpus="wnut17"),
    "questions": TaskForm("sentence", "accuracy", "label", corpus="trec-qc"),
    "sentiment": TaskForm("sentence", "accuracy", "label", corpus="sst2-sentences"),
    "entailment": TaskForm("pair", "accuracy", "label", ("premise", "hypothesis"), corpus="sick"),
    "relatedness": TaskForm(
        "score", "Spearman", "relatedness", ("premise", "hypothesis"), corpus="sick"
    ),
}
"""The tasks of the scoreboard. Texts as answers are `translation` and `answers`."""
BEYOND: dict[str, TaskForm] = {
    "laboratory same-sense": TaskForm(
        "word-pair", "accuracy", "label", ("first", "second"), laboratory="same-sense"
    ),
    "same-sense": TaskForm("word-pair", "accuracy", "label", ("first", "second"), corpus="wic"),
}
"""Tasks that are not on the scoreboard, in the same form."""

POSITIONS = {"word": ("position",), "word-pair": ("first_position", "second_position")}
"""The columns that say where the words in question stand, by the kind of task."""
LABORATORY = tuple(name for name, form in TASKS.items() if form.laboratory)
REAL = tuple(name for name, form in TASKS.items() if form.corpus)
CORPORA = tuple(dict.fromkeys(TASKS[name].corpus for name in REAL))


def load_task(name: str, sizes: Mapping[str, int] | None = None) -> Task:
    """Return a task of `TASKS` or `BEYOND`, its training part free of what the others hold.

    `sizes`: how many examples the splits of a task of the laboratory have, by default 4,000 to
    learn from, 500 and 1,000. Raises `UserError` for an unknown name, and as `corpora.load` does.
    """
    forms = {**TASKS, **BEYOND}
    if name not in forms:
        raise UserError(f"There is no task '{name}'. Choose one of: {', '.join(forms)}.")
    form = forms[name]
    data = _laboratory(form, sizes or {}) if form.laboratory else _published(form)
    labels = _label_names(data["train"].features[form.label])
    splits = {split: _examples(data[split], form, labels) for split in data}
    splits = splits if "validation" in splits else hold_out(splits)
    unseen = {example.key for split in ("validation", "test") for example in splits[split]}
    splits["train"] = [example for example in splits["train"] if example.key not in unseen]
    return Task(name, form.kind, form.measure, labels, splits)


def hold_out(splits: Mapping[str, Sequence[Example]]) -> dict[str, Sequence[Example]]:
    """Return the splits with every tenth training example as validation part."""
    train = splits["train"]
    return {
        **splits,
        "train": [example for i, example in enumerate(train) if i % CUT != CUT - 1],
        "validation": train[CUT - 1 :: CUT],
    }


def draw(task: Task, labels: int | None, seed: int) -> list[Example]:
    """Return `labels` training examples, the same whenever asked for with this task and seed.

    Every class keeps its share to within one example, and a smaller draw is part of a larger one.
    Scores are drawn in five classes of the scale; sentences with tags have none. None: all.
    """
    examples = task.splits["train"]
    if labels is None:
        return list(examples)
    generator = random.Random(derived_seed("labels", task.name, seed))
    shuffled = generator.sample(range(len(examples)), len(examples))
    by_class = defaultdict(list)
    for number in shuffled:
        by_class[_stratum(task, examples[number])].append(number)
    order = [
        ((rank + generator.random()) / len(members), number)
        for _, members in sorted(by_class.items())
        for rank, number in enumerate(members)
    ]
    return [examples[number] for _, number in sorted(order)[:labels]]


def _stratum(task: Task, example: Example) -> int:
    """The class that an example is drawn in."""
    if task.kind == "tags":
        return 0
    return round(example.label) if task.kind == "score" else example.label


def _laboratory(form: TaskForm, sizes: Mapping[str, int]) -> Mapping[str, Any]:
    from nnlm2bert.synthetic.tasks import load_task as load_laboratory_task

    return load_laboratory_task(form.laboratory, **sizes)


def _published(form: TaskForm) -> Mapping[str, Any]:
    from nnlm2bert.corpora import load

    return load(form.corpus)


def _label_names(feature: Any) -> tuple[str, ...]:
    """The names of the classes of a column of `datasets`, () if it holds numbers."""
    return tuple(getattr(getattr(feature, "feature", feature), "names", ()))


def _examples(rows: Any, form: TaskForm, labels: tuple[str, ...]) -> list[Example]:
    read: Callable[[Any], Any] = tuple if form.kind == "tags" else int
    if form.kind == "score":
        read = _centred
    sides = [rows[column] for column in form.text]
    examples = [
        Example(tuple(map(tuple, sentences)), read(label))
        for *sentences, label in zip(*sides, rows[form.label], strict=True)
    ]
    if form.kind not in POSITIONS:
        return examples
    columns = [rows[column] for column in POSITIONS[form.kind]]
    positions: Iterable[Any] = columns[0] if len(columns) == 1 else zip(*columns, strict=True)
    return [replace(e, position=p) for e, p in zip(examples, positions, strict=True)]


def _centred(score: float) -> float:
    return float(score) - RELATEDNESS_MIDDLE
