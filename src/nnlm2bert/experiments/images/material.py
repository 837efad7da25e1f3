"""What the experiment `images` learns from and is tested on: tasks, and pairs of them.

Real pictures are CIFAR-10, cut into two parts by class, and Omniglot, MNIST and Fashion-MNIST;
those of the laboratory are pocket pictures in three families. At scale ``smoke`` all are pocket
pictures, under the names of the sets that they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnlm2bert.corpora.pictures import (
    PictureSet,
    few,
    fingerprint,
    load_pictures,
    standardise,
    statistics,
)
from nnlm2bert.synthetic.drawings import FAMILIES, Pictures, Style, sample
from nnlm2bert.training import derived_seed

SMALL_SETS: Mapping[str, str] = {
    "CIFAR-10": "cifar10-4k",
    "MNIST": "mnist-22k",
    "Fashion-MNIST": "fashion-mnist-2k",
    "Omniglot": "omniglot-small",
}
SETS: Mapping[str, Mapping[str, str]] = {
    "laptop": SMALL_SETS,
    "gpu": {
        **SMALL_SETS,
        "CIFAR-10": "cifar-10",
        "MNIST": "mnist",
        "Fashion-MNIST": "fashion-mnist",
    },
}
SETTINGS = ("CIFAR-random", "CIFAR-distant", "pocket-near", "pocket-far", "MNIST", "Fashion")
MAN_MADE = ("airplane", "automobile", "ship", "truck")
CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
PARTS = ("part of 4", "part of 6")
TESTED_OF_A_CLASS = 100
"""Of the small CIFAR-10, the last so many pictures of each class are kept for the test."""
LABELLED_OF_A_CLASS = 100
"""Of the small Fashion-MNIST, the first so many pictures of each class are there to learn from."""
STYLE = Style(
    size=13.5,
    shrink=0.35,
    shift=4.0,
    rotation=25.0,
    shear=0.2,
    mirror=0.5,
    jitter=0.04,
    stretch=0.12,
    tilt=8.0,
    thinnest=0.8,
    thickest=1.3,
    clutter=7,
    noise=0.22,
)
"""How pocket pictures differ: so much that networks from scratch do not get all of them right.
Chosen by the accuracy of these alone, and written out here to stay as it was measured."""
DRAWERS_TESTED = (19, 20)
UNITS = 100
"""Groups of neighbouring test pictures, whose right answers are added up in the records."""


class Examples(NamedTuple):
    """Standardised pictures (N, C, 32, 32) float32 and their classes (N,) int64."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """Classes to be told apart, pictures to learn them from, and pictures to be tested on.

    ``places`` (M,): where each of the M test pictures stands among all that are tested; ``mark``:
    what tells the pictures to learn from from others, for the name of a file.
    """

    name: str
    classes: tuple[str, ...]
    learn: Examples
    test: Examples
    places: np.ndarray
    mark: str

    def with_labels(self, count: int, seed: int) -> Task:
        """The same task with ``count`` pictures a class to learn from, drawn by ``seed``."""
        numbers = torch.from_numpy(few(self.learn.labels.numpy(), count, seed))
        learn = Examples(self.learn.images[numbers], self.learn.labels[numbers])
        return replace(self, learn=learn, mark=f"{self.mark}, {count} of seed {seed}")


class Direction(NamedTuple):
    """From one task to another: A to B in Yosinski et al. (2014)."""

    source: Task
    target: Task


@dataclass(frozen=True)
class Sizes:
    """Numbers of pocket pictures a class: to learn from, and to be tested on."""

    learn: int
    test: int


SIZES: Mapping[str, Sizes] = {
    "smoke": Sizes(100, 5),
    "laptop": Sizes(400, 125),
    "gpu": Sizes(400, 125),
}


@dataclass
class Material:
    """All that the arms share; sets are read when they are first asked for."""

    scale: str
    _sets: dict[tuple[str, str], PictureSet] = field(default_factory=dict)

    def directions(self, setting: str, seed: int) -> tuple[Direction, ...]:
        """The transfers of a setting; together they test each of its test pictures once."""
        if setting.startswith("CIFAR-"):
            one, other = self.halves(setting.removeprefix("CIFAR-"), seed)
            return Direction(other, one), Direction(one, other)
        if setting.startswith("pocket-"):
            near_or_far = self.pocket(setting.removeprefix("pocket-"), seed)
            return (Direction(self.pocket("source", seed), near_or_far),)
        return (Direction(self.omniglot(), self.drawn(setting)),)

    def halves(self, split: str, seed: int) -> tuple[Task, Task]:
        """The two tasks of CIFAR-10: 4 classes, man-made or drawn by ``seed``, and the 6 others."""
        learn, test = self._cifar()
        drawn = np.random.default_rng(derived_seed("images", "split", seed)).permutation(10)
        made = [learn.names.index(name) for name in MAN_MADE]
        four = sorted(drawn[:4].tolist() if split == "random" else made)
        six = [number for number in range(10) if number not in four]
        mean, std = statistics(learn.images)
        return tuple(
            _task(
                f"CIFAR-10, {part}",
                mirrored(learn.of_classes(chosen)),
                test.of_classes(chosen),
                np.flatnonzero(np.isin(test.labels, chosen)),
                (mean, std),
            )
            for part, chosen in zip(PARTS, (four, six), strict=True)
        )

    def _cifar(self) -> tuple[PictureSet, PictureSet]:
        if self.scale == "smoke":
            return self._stand_in("CIFAR-10", 20), self._stand_in("CIFAR-10", 4)
        if self.scale == "gpu":
            return self._read("CIFAR-10", "train"), self._read("CIFAR-10", "test")
        return cut_by_class(self._read("CIFAR-10", "train"), -TESTED_OF_A_CLASS)

    def pocket(self, family: str, seed: int) -> Task:
        """One family of pocket pictures: "source", "near" or "far"."""
        learn, test = (self.pictures(family, part, seed) for part in ("learn", "test"))
        sets = [_as_set(pictures) for pictures in (learn, test)]
        return _task(f"pocket {family}", *sets, np.arange(len(sets[1])))

    def pictures(self, family: str, part: str, seed: int) -> Pictures:
        """The pocket pictures of a family to "learn" from, or to be "test"ed on, with all labels.

        Those to be tested on are the same for all seeds.
        """
        drawn = derived_seed("images", family, part, seed if part == "learn" else "all seeds")
        return _drawings(FAMILIES[family], getattr(SIZES[self.scale], part), drawn % 2**32)

    def omniglot(self) -> Task:
        """Every character of every alphabet a class; two of its twenty drawers are the test."""
        if self.scale == "smoke":
            return self.pocket("source", 0)
        pictures = self._read("Omniglot", "train")
        tested = np.isin(pictures.drawers, DRAWERS_TESTED)
        learn, test = pictures.take(~tested), pictures.take(tested)
        return _task("Omniglot", learn, test, np.arange(len(test)))

    def drawn(self, setting: str) -> Task:
        """MNIST or Fashion-MNIST, with everything there is to draw labels from."""
        name = {"MNIST": "MNIST", "Fashion": "Fashion-MNIST"}[setting]
        learn, test = self._few_labelled(name)
        return _task(name, learn, test, np.arange(len(test)))

    def _few_labelled(self, name: str) -> tuple[PictureSet, PictureSet]:
        if self.scale == "smoke":
            family = "near" if name == "MNIST" else "far"
            parts = (self.pictures(family, part, 0) for part in ("learn", "test"))
            return tuple(_as_set(pictures) for pictures in parts)
        if self.scale == "laptop" and name == "Fashion-MNIST":
            return cut_by_class(self._read(name, "test"), LABELLED_OF_A_CLASS)
        return self._read(name, "train"), self._read(name, "test")

    @property
    def fingerprints(self) -> dict[str, list[str]]:
        """The SHA-256 of the pictures of each set and split read so far."""
        return {
            f"{SETS[self.scale][name]}/{split}": [fingerprint(pictures)]
            for (name, split), pictures in self._sets.items()
        }

    def _read(self, name: str, split: str) -> PictureSet:
        key = name, split
        if key not in self._sets:
            self._sets[key] = load_pictures(SETS[self.scale][name], split)
        return self._sets[key]

    def _stand_in(self, name: str, count: int) -> PictureSet:
        """Ten classes of pocket pictures in three equal colours, called as those of CIFAR-10."""
        objects = (*FAMILIES["source"], *FAMILIES["near"])[: len(CIFAR_CLASSES)]
        grey = _as_set(_drawings(objects, count, derived_seed(name, count) % 2**32))
        return replace(grey, images=grey.images.repeat(3, axis=1), names=CIFAR_CLASSES)


@lru_cache(maxsize=8)
def _drawings(objects: tuple[str, ...], count: int, seed: int) -> Pictures:
    return sample(objects, count * len(objects), seed, STYLE)


def _as_set(pictures: Pictures) -> PictureSet:
    """Pocket pictures as those of any other set: bytes, 255 being white."""
    images = np.round(255 * np.clip(pictures.images, 0, 1)).astype(np.uint8)
    return PictureSet(images, pictures.labels, tuple(pictures.objects))


def _task(
    name: str,
    learn: PictureSet,
    test: PictureSet,
    places: np.ndarray,
    scale: tuple[np.ndarray, np.ndarray] | None = None,
) -> Task:
    """A task on standardised pictures: by ``scale``, else by the pictures there to learn from."""
    mean, std = scale or statistics(learn.images)
    examples = (
        Examples(
            torch.from_numpy(standardise(part.images, mean, std)), torch.from_numpy(part.labels)
        )
        for part in (learn, test)
    )
    return Task(name, learn.names, *examples, places, fingerprint(learn))


def mirrored(pictures: PictureSet) -> PictureSet:
    """Each picture and then, after all of them, each mirrored: left becomes right."""
    return replace(
        pictures,
        images=np.concatenate([pictures.images, pictures.images[..., ::-1]]),
        labels=np.tile(pictures.labels, 2),
    )


def cut_by_class(pictures: PictureSet, count: int) -> tuple[PictureSet, PictureSet]:
    """The first ``count`` pictures of each class, and the others; below 0, all but the last so."""
    first = np.zeros(len(pictures), dtype=bool)
    for label in range(len(pictures.names)):
        first[np.flatnonzero(pictures.labels == label)[:count]] = True
    return pictures.take(first), pictures.take(~first)


def unit_of(tested: int) -> np.ndarray:
    """The number (N,) of the unit of each of N test pictures: 100 units of neighbours, or fewer."""
    units = min(UNITS, tested // 2)
    return np.arange(tested) * units // tested


def summed(right: Sequence[float] | np.ndarray) -> dict[str, list[float]]:
    """A record's group: for each unit its test pictures, and the right answers among them."""
    hits = np.asarray(right, dtype=np.float64)
    units = unit_of(len(hits))
    return {
        "tokens": np.bincount(units).tolist(),
        "nats": np.bincount(units, weights=hits).tolist(),
    }
