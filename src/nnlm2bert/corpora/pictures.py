"""Pictures in arrays, all of one size and light on dark, as a network takes them.

The small sets of the registry, and the full ones of ``corpora.hub``, by the same code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.hub import FULL_SETS, load_full
from nnlm2bert.corpora.readers import load

if TYPE_CHECKING:
    import datasets
    import numpy as np

SMALL_SETS = ("mnist-22k", "fashion-mnist-2k", "cifar10-4k", "omniglot-small")
PICTURES = (*SMALL_SETS, *FULL_SETS)
DARK_ON_LIGHT = ("omniglot-small",)
MARGIN = 2  # pixels


@dataclass(frozen=True)
class PictureSet:
    """N pictures of C channels, S pixels wide and high, each of one of K classes.

    ``images`` (N, C, S, S) uint8, light on dark, C = 1 grey or 3 red, green, blue; ``labels`` (N,)
    int64 index ``names``, the K classes. ``drawers`` (N,) int64 says who drew it, where known (the
    drawers of one alphabet of Omniglot: 1 to 20).
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    drawers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, numbers: np.ndarray) -> PictureSet:
        """The pictures of ``numbers`` (M,), or those where a mask (N,) is true; all classes."""
        drawers = None if self.drawers is None else self.drawers[numbers]
        return replace(
            self, images=self.images[numbers], labels=self.labels[numbers], drawers=drawers
        )

    def of_classes(self, chosen: Sequence[int]) -> PictureSet:
        """The pictures of the ``chosen`` classes, in their order here, labels by place in it.

        Raises ``ValueError`` if a class is named twice or is not there.
        """
        import numpy as np

        if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(len(self.names))):
            raise ValueError(f"classes must be different numbers below {len(self.names)}: {chosen}")
        places = np.full(len(self.names), -1)
        places[list(chosen)] = np.arange(len(chosen))
        kept = self.take(places[self.labels] >= 0)
        return replace(
            kept, labels=places[kept.labels], names=tuple(self.names[each] for each in chosen)
        )


def load_pictures(name: str, split: str = "train", size: int = 32) -> PictureSet:
    """A split of one of ``PICTURES``, every picture ``size`` pixels wide and high.

    A picture that is larger (Omniglot: 105 x 105) is reduced to ``size`` - 4, each pixel the mean
    of the area it covers (Pillow's BOX); then what is smaller is padded evenly with black. Dark on
    light is inverted.
    Raises ``CorpusError`` for a set that has no pictures or not that split, and as ``fetch`` and
    ``load_full`` do.
    """
    if name not in PICTURES:
        raise CorpusError(
            f"{name!r} is no set of pictures; load_pictures reads {', '.join(PICTURES)}."
        )
    splits = load_full(name) if name in FULL_SETS else load(name)
    if split not in splits:
        raise CorpusError(f"{name} has no split {split!r}, only {', '.join(splits)}.")
    return _picture_set(splits[split], size, inverted=name in DARK_ON_LIGHT)


def few(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The numbers of ``count`` examples of each of K classes, drawn by ``seed``: (count * K,).

    First one example of each class of ``labels`` (N,), then the second of each, and so on: the
    draw of 3 a class begins with that of 1. Raises ``ValueError`` if a class has too few.
    """
    import numpy as np

    labels = np.asarray(labels)
    classes, sizes = np.unique(labels, return_counts=True)
    if count < 1 or count > sizes.min(initial=len(labels)):
        raise ValueError(
            f"{count} examples a class cannot be drawn: class {classes[sizes.argmin()]} has "
            f"{sizes.min()}"
        )
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    drawn = [shuffled[labels[shuffled] == label][:count] for label in classes]
    return np.stack(drawn, axis=1).ravel()


def statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) of each channel of ``images`` (N, C, S, S), 255 being 1."""
    return (
        images.mean(axis=(0, 2, 3), dtype="float64") / 255,
        images.std(axis=(0, 2, 3), dtype="float64") / 255,
    )


def standardise(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """``images`` (N, C, S, S) uint8, less ``mean`` (C,), in units of ``std`` (C,): float32."""
    import numpy as np

    scale, shift = (np.asarray(each, dtype=np.float32)[:, None, None] for each in (std, mean))
    standard = images.astype(np.float32)
    standard /= 255
    standard -= shift
    standard /= scale
    return standard


def fingerprint(pictures: PictureSet) -> str:
    """The SHA-256 of images, labels and names, as records keep it for what has no file hashes."""
    found = hashlib.sha256(repr((pictures.images.shape, pictures.names)).encode())
    found.update(pictures.images.tobytes())
    found.update(pictures.labels.astype("<i8").tobytes())
    return found.hexdigest()


def _picture_set(rows: datasets.Dataset, size: int, inverted: bool) -> PictureSet:
    import datasets
    import numpy as np

    columns = rows.cast_column("image", datasets.Image(decode=False))[:]
    pixels = np.stack([_pixels(cell["bytes"], size, inverted) for cell in columns["image"]])
    missing = [size - side for side in pixels.shape[1:3]]
    padding = [(0, 0), *((each // 2, each - each // 2) for each in missing), (0, 0)]
    drawers = np.array(columns["drawer"], dtype=np.int64) if "drawer" in columns else None
    return PictureSet(
        np.ascontiguousarray(np.pad(pixels, padding).transpose(0, 3, 1, 2)),
        np.array(columns["label"], dtype=np.int64),
        tuple(rows.features["label"].names),
        drawers,
    )


def _pixels(encoded: bytes, size: int, inverted: bool) -> np.ndarray:
    """A picture (H, W, C), decoded, and reduced if it is larger than ``size``."""
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(BytesIO(encoded)) as picture:
        decoded = picture if picture.mode in ("L", "RGB") else picture.convert("L")
        if inverted:
            decoded = ImageOps.invert(decoded)
        if max(decoded.size) > size:
            decoded = decoded.resize((size - 2 * MARGIN,) * 2, Image.Resampling.BOX)
        return np.atleast_3d(np.asarray(decoded))
