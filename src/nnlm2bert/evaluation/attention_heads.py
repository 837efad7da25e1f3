"""What single heads of attention look at, and what a network loses without them.

A head is asked a question that has an answer: how much weight the place that predicts a verb gives
to its subject. It is chosen on one half of the items and judged on the other, beside the weight
that a place would have by lot; and it is switched off, with every other head switched off in turn
for comparison (Michel, Levy & Neubig 2019; Voita et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

ITEMS_AT_ONCE = 64


class Item(Protocol):
    """A sentence up to its verb, as `synthetic.items.AgreementItem` has it."""

    context: np.ndarray
    right: int
    wrong: int
    distance: int


class Attentive(Protocol):
    """A causal network that predicts a next word and shows its attention."""

    def attention_maps(self, tokens: Tensor) -> list[Tensor]:
        """Return the weights (B, H, T, T) of each block on tokens (B, T)."""

    def logits(self, vectors: Tensor) -> Tensor:
        """Return the scores (..., V) of all tokens for vectors (..., D)."""

    def modules(self) -> Iterator[nn.Module]:
        """Return all modules, as `torch.nn.Module` does."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """Return vectors (B, T, D) for tokens (B, T)."""


class Head(NamedTuple):
    """A head: block and number, both from 0."""

    layer: int
    number: int

    def __str__(self) -> str:
        return f"layer {self.layer + 1}, head {self.number + 1}"


def subject_place(item: Item) -> int:
    """Return the place of the subject in the context of an item."""
    return len(item.context) - 1 - item.distance


@dataclass(frozen=True, eq=False)
class SubjectWeights:
    """What the place that predicts the verb gives to the subject, by N items.

    weights: (N, L, H), each head's weight on the subject. largest: (N, L, H), whether no other
    place has more. others: (N, L, H), the mean weight on the other nouns of the context; nan if
    there is none. uniform: (N,), 1 / T, the weight of a place if all had the same.
    """

    weights: np.ndarray
    largest: np.ndarray
    others: np.ndarray
    uniform: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(L, H) The mean weight on the subject."""
        return self.weights.mean(axis=0)

    @property
    def share_largest(self) -> np.ndarray:
        """(L, H) The share of items whose subject has the largest weight."""
        return self.largest.mean(axis=0)


def subject_weights(
    model: Attentive, items: Sequence[Item], nouns: Collection[int]
) -> SubjectWeights:
    """Measure what each head gives to the subject at the place that predicts the verb.

    ``nouns``: ids of the words that could be a subject. Raises ValueError without items.
    """
    if not items:
        raise ValueError("give at least one item: there is no weight to average")
    rows = [row for part in _parts(items) for row in _last_rows(model, part)]
    pairs = list(zip(rows, items, strict=True))
    weights = np.stack([row[:, :, subject_place(item)] for row, item in pairs])
    largest = np.stack([row.argmax(axis=2) == subject_place(item) for row, item in pairs])
    others = np.stack([_on_others(row, item, nouns) for row, item in pairs])
    return SubjectWeights(weights, largest, others, np.array([1 / row.shape[2] for row in rows]))


def _last_rows(model: Attentive, items: Sequence[Item]) -> list[np.ndarray]:
    """Return the weights (L, H, T) of the last place of each item on the places up to it."""
    maps = torch.stack(model.attention_maps(padded(items)))  # (L, B, H, T, T)
    lengths = [len(item.context) for item in items]
    return [maps[:, n, :, t - 1, :t].float().numpy() for n, t in enumerate(lengths)]


def _on_others(row: np.ndarray, item: Item, nouns: Collection[int]) -> np.ndarray:
    """Return the mean weight (L, H) on the nouns that are not the subject, nan if there is none."""
    words, subject = item.context.tolist(), subject_place(item)
    places = [n for n, word in enumerate(words) if word in nouns and n != subject]
    return row[:, :, places].mean(axis=2) if places else np.full(row.shape[:2], np.nan)


def padded(items: Sequence[Item]) -> Tensor:
    """Return the contexts (B, T) of items, zeros to the right of each."""
    contexts = [torch.as_tensor(item.context).long() for item in items]
    return nn.utils.rnn.pad_sequence(contexts, batch_first=True)


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for begin in range(0, len(items), ITEMS_AT_ONCE):
        yield items[begin : begin + ITEMS_AT_ONCE]


@torch.no_grad()
def agreement(model: Attentive, items: Sequence[Item]) -> np.ndarray:
    """Return of each item (N,) whether the right form of the verb is likelier than the wrong."""
    return np.concatenate([_agreed(model, part) for part in _parts(items)])


def _agreed(model: Attentive, items: Sequence[Item]) -> np.ndarray:
    last = torch.tensor([len(item.context) - 1 for item in items])
    rows = torch.arange(len(items))
    scores = model.logits(model(padded(items))[rows, last])  # (B, V)
    forms = torch.tensor([[item.right, item.wrong] for item in items])
    right, wrong = scores.gather(1, forms).unbind(1)
    return (right > wrong).numpy()


def attentions(model: Attentive) -> list[nn.Module]:
    """Return the multi-head attentions of a model from the first block to the last.

    They are the modules that have ``heads`` and an ``output`` layer, which reads the heads' parts
    side by side.
    """
    return [
        module
        for module in model.modules()
        if isinstance(getattr(module, "heads", None), int)
        and isinstance(getattr(module, "output", None), nn.Linear)
    ]


@contextmanager
def silenced(model: Attentive, *heads: Head) -> Iterator[None]:
    """Set what some heads have read to zero, before the output layer, as long as this lasts.

    Raises ValueError for a head that is not there.
    """
    layers = attentions(model)
    for head in heads:
        if not (0 <= head.layer < len(layers) and 0 <= head.number < layers[head.layer].heads):
            raise ValueError(f"there is no {head}")
    hooks = [
        layers[head.layer].output.register_forward_pre_hook(
            _zero(head.number, layers[head.layer].heads)
        )
        for head in heads
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _zero(number: int, heads: int) -> Callable[[nn.Module, tuple[Tensor, ...]], Tensor]:
    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
        parts = given[0].unflatten(-1, (heads, -1))
        kept = torch.arange(heads, device=parts.device) != number
        return (parts * kept.unsqueeze(1)).flatten(-2)

    return hook


def ablation(model: Attentive, items: Sequence[Item]) -> dict[Head, np.ndarray]:
    """Return of each head which items (N,) still agree once it alone is silenced."""
    found = {}
    for layer, attention in enumerate(attentions(model)):
        for number in range(attention.heads):
            head = Head(layer, number)
            with silenced(model, head):
                found[head] = agreement(model, items)
    return found


@dataclass(frozen=True, eq=False)
class SubjectHead:
    """The head that finds the subject, chosen on one half of the items and measured on the other.

    by_phrases: phrases between subject and verb -> what all heads give the subject, other half.
    agreed: phrases -> share right with all heads; without: head -> phrases -> share right.
    """

    head: Head
    by_phrases: Mapping[int, SubjectWeights]
    agreed: Mapping[int, float]
    without: Mapping[Head, Mapping[int, float]]

    @property
    def weight(self) -> dict[int, float]:
        """The chosen head's mean weight on the subject, by phrases between."""
        return {n: float(found.mean[self.head]) for n, found in self.by_phrases.items()}

    @property
    def largest(self) -> dict[int, float]:
        """The share of items in which it gives the subject most, by phrases between."""
        return {n: float(found.share_largest[self.head]) for n, found in self.by_phrases.items()}

    @property
    def other_nouns(self) -> dict[int, float]:
        """Its mean weight on another noun, by phrases between; nan where there is none."""
        return {
            n: _mean(found.others[(slice(None), *self.head)])
            for n, found in self.by_phrases.items()
        }

    @property
    def uniform(self) -> dict[int, float]:
        """The mean of 1 / T, by phrases between."""
        return {n: float(found.uniform.mean()) for n, found in self.by_phrases.items()}


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def halves(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Return two halves of items that come by turns with a singular and a plural subject.

    Two go into one half and the next two into the other, so that both have as many of each.
    """
    found: tuple[list[Item], list[Item]] = ([], [])
    for number, item in enumerate(items):
        found[number // 2 % 2].append(item)
    return found


def find_subject_head(
    model: Attentive, items: Mapping[int, Sequence[Item]], nouns: Collection[int]
) -> SubjectHead:
    """Choose the head that gives the subject most, and measure it on items it was not chosen by.

    Args:
        items: phrases between subject and verb -> items. Of each one half chooses (`halves`); those
            without a phrase have no say, as there the subject itself predicts the verb.
        nouns: ids of the words that could be a subject.
    """
    choosing = {n: subject_weights(model, halves(own)[0], nouns) for n, own in items.items() if n}
    mean = np.mean([found.mean for found in choosing.values()], axis=0)
    kept = {n: halves(own)[1] for n, own in items.items()}
    right = {n: ablation(model, own) for n, own in kept.items()}
    return SubjectHead(
        head=Head(*map(int, np.unravel_index(mean.argmax(), mean.shape))),
        by_phrases={n: subject_weights(model, own, nouns) for n, own in kept.items()},
        agreed={n: float(agreement(model, own).mean()) for n, own in kept.items()},
        without={
            head: {n: float(found[head].mean()) for n, found in right.items()}
            for head in next(iter(right.values()))
        },
    )
