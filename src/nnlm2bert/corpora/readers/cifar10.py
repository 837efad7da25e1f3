"""CIFAR-10: small colour photographs of ten kinds of animals and vehicles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.readers.arrays import encoded, picture_rows, saved_array

if TYPE_CHECKING:
    import numpy as np
    from datasets import DatasetDict

NAMES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

_SHEETS = tuple(f"cifar10-4k/cifar10_batch_{number}.png" for number in range(4))


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """One split, train: the first 4,000 of the set's 50,000.

    Columns: ``image``, 32 x 32 in colour; ``label``, one of ``NAMES``. Pictures and labels were
    published apart; that they belong together is checked on pictures published with the labels.
    Raises ``CorpusError`` if they do not.
    """
    import datasets
    import numpy as np

    pixels = np.concatenate([_sheet(paths[name]) for name in _SHEETS])
    beside_labels = saved_array(paths["cifar10-4k/x_train_preview.npz"])
    if not np.array_equal(pixels[: len(beside_labels)], beside_labels):
        raise CorpusError(
            f"cifar10-4k: the first {len(beside_labels)} pictures of {_SHEETS[0]} are not those "
            "the labels are for. Run `python -m nnlm2bert data verify cifar10-4k`."
        )
    labels = saved_array(paths["cifar10-4k/y_train.npz"]).ravel()[: len(pixels)]
    return datasets.DatasetDict({"train": picture_rows(encoded(pixels), labels, NAMES)})


def _sheet(path: Path) -> np.ndarray:
    """Pictures (N, 32, 32, 3) of a sheet whose rows hold one picture each."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as sheet:
        return np.asarray(sheet).reshape(-1, 32, 32, 3)
