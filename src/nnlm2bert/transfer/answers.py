"""Questions whose answer is a span of a paragraph, and how a span is scored and chosen.

Every network here says two numbers of each word of the paragraph, how well the answer begins and
how well it ends there: S.T_i and E.T_j of Devlin et al. (2019), section 4.2. The probability that
it begins at a word is the softmax over all words of the paragraph; the loss is the mean of -log P
of the right begin and of the right end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.training import (
    TrainingResult,
    derived_seed,
    seed_everything,
)
from nnlm2bert.transfer.training_recipe import spread, train_to_best

LONGEST = 30
"""Words of an answer at most, as in the program of Devlin et al. (2019)."""


@dataclass(frozen=True)
class Asked:
    """A question on a paragraph, both in words as they were published.

    The right answer is ``paragraph[begin:end]``, written ``answer``. places: where each word of the
    paragraph stands in its ``text``, so that an answer can be written as it stands there; number:
    of the paragraph.
    """

    question: tuple[str, ...]
    paragraph: tuple[str, ...]
    begin: int
    end: int
    answer: str
    text: str
    places: tuple[tuple[int, int], ...]
    number: int

    def written(self, span: tuple[int, int]) -> str:
        """Return some words of the paragraph, [first, after last), as they stand in its text."""
        first, after = span
        return self.text[self.places[first][0] : self.places[after - 1][1]]


@dataclass(frozen=True)
class AnswerTask:
    """Questions by split."""

    name: str
    splits: Mapping[str, Sequence[Asked]]


@dataclass(frozen=True)
class SpanRecipe:
    """How a network learns to answer.

    steps: updates of batch_size questions; encoder_rate: what the learning rate is multiplied by
    for the network below the head; warmup: share of the steps in which the rate rises, before it
    falls to 0 along a line; dropout: in a network that is tuned, and before the head; spread:
    standard deviation of weights of such a network that begin at random; stride: words between the
    windows of a paragraph that is too long; evaluations: how often the validation part is measured
    on the way, on at most `validation` of its questions, to keep the weights that were best.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 1e-3
    encoder_rate: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    spread: float = 0.02
    stride: int = 48
    evaluations: int = 8
    validation: int = 500
    precision: str = "float32"


class SpanNetwork(nn.Module):
    """What scores begins and ends; ``encoder`` is the part below the head.

    ``forward`` returns (B, T, 2) for B questions on paragraphs of at most T words: the scores of
    the begin and of the end, -inf behind a paragraph. ``lengths`` returns what it costs to read
    each, so that batches hold questions of about one length.
    """

    encoder: nn.Module

    def lengths(self, asked: Sequence[Asked]) -> list[int]:
        """Return the words of each paragraph."""
        return [len(one.paragraph) for one in asked]


def span_loss(scores: Tensor, asked: Sequence[Asked]) -> tuple[Tensor, int]:
    """Return the mean of -log P of begin and end, and of how many questions it is the mean."""
    gold = torch.tensor([(one.begin, one.end - 1) for one in asked], device=scores.device)
    return F.cross_entropy(scores, gold), len(asked)


def best_span(scores: Tensor, longest: int = LONGEST) -> tuple[int, int]:
    """Return the span [begin, end) with the highest sum of both scores (T, 2).

    It ends where it begins or later and has at most ``longest`` words.
    """
    begins, ends = scores.unbind(1)
    both = begins.unsqueeze(1) + ends  # (T, T)
    allowed = torch.ones_like(both, dtype=torch.bool).triu().tril(longest - 1)
    begin, last = divmod(int(both.masked_fill(~allowed, -torch.inf).argmax()), len(scores))
    return begin, last + 1


@torch.no_grad()
def answer(
    network: SpanNetwork, asked: Sequence[Asked], batch: int = 16, longest: int = LONGEST
) -> list[tuple[int, int]]:
    """Return the span [begin, end) that a network gives as the answer to each question."""
    was_training = network.training
    network.eval()
    lengths = network.lengths(asked)
    order = sorted(range(len(asked)), key=lengths.__getitem__)
    found: list[tuple[int, int]] = [(0, 0)] * len(asked)
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch]
        scores = network([asked[number] for number in numbers]).cpu()
        for number, row in zip(numbers, scores, strict=True):
            found[number] = best_span(row[: len(asked[number].paragraph)], longest)
    network.train(was_training)
    return found


def learn_answers(
    make_network: Callable[[], SpanNetwork],
    labelled: Sequence[Asked],
    validation: Sequence[Asked],
    recipe: SpanRecipe,
    measure: Callable[[Sequence[tuple[int, int]], Sequence[Asked]], float],
    seed: int,
    device: str = "cpu",
) -> tuple[SpanNetwork, TrainingResult]:
    """Return the network that learned from questions with their answers, and how it went.

    ``make_network`` builds it after the seed is set; the weights are those that ``measure``, from
    spans and questions to a score, higher is better, found best on the validation part.
    """
    seed_everything(derived_seed("answers", seed) % 2**32)
    network, held_out = make_network(), spread(validation, recipe.validation)

    def batch_loss(model: SpanNetwork, batch: Tensor) -> tuple[Tensor, int]:
        asked = [labelled[number] for number in batch.tolist()]
        return span_loss(model(asked), asked)

    def score(model: SpanNetwork) -> float:
        return measure(answer(model, held_out), held_out)

    lengths = network.lengths(labelled)
    return network, train_to_best(network, batch_loss, lengths, recipe, score, seed, device)


# Questions.


def load_answers(name: str, sizes: Mapping[str, int] | None = None) -> AnswerTask:
    """Return "laboratory answers", of Pocket English, or "answers", of XQuAD in English.

    ``sizes``: how many questions the splits in the laboratory have, by default 4,000 to learn from,
    500 and 1,000. Raises ValueError for another name, and as `corpora.load` does.
    """
    if name not in ANSWERS:
        raise ValueError(f"there is no task {name!r}: take {' or '.join(ANSWERS)}")
    return AnswerTask(name, ANSWERS[name](sizes or {}))


def _laboratory(sizes: Mapping[str, int]) -> dict[str, list[Asked]]:
    from nnlm2bert.synthetic.tasks import load_task

    return {
        split: [_of_words(row, number) for number, row in enumerate(rows)]
        for split, rows in load_task("question", **sizes).items()
    }


def _of_words(row: Mapping[str, object], number: int) -> Asked:
    """A question of the laboratory, whose text is its words with a space between them."""
    words, begin, end = tuple(row["tokens"]), row["begin"], row["end"]
    places, first = [], 0
    for word in words:
        places.append((first, first + len(word)))
        first += len(word) + 1
    answered = (begin, end, " ".join(words[begin:end]), " ".join(words), tuple(places), number)
    return Asked(tuple(row["question"]), words, *answered)


def _published(sizes: Mapping[str, int]) -> dict[str, list[Asked]]:
    from nnlm2bert.corpora import load

    return {split: [_of_row(row) for row in rows] for split, rows in load("xquad-en").items()}


def _of_row(row: Mapping[str, object]) -> Asked:
    answered = (row["begin"], row["end"], row["answer"], row["text"])
    places = tuple((first, after) for first, after in row["places"])
    words = tuple(row["question"]), tuple(row["tokens"])
    return Asked(*words, *answered, places, row["paragraph"])


ANSWERS = {"laboratory answers": _laboratory, "answers": _published}
