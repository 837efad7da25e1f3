"""Fashion-MNIST: photographs of clothes, in the form of MNIST.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms" (2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.arrays import encoded, picture_rows, saved_array

if TYPE_CHECKING:
    from datasets import DatasetDict

NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_SPLITS = {"train": "train_preview", "test": "test"}


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, the first 100 of the set's 60,000, and test, the first 2,000 of its 10,000.

    Columns: ``image``, 28 x 28 in grey, the thing bright on black; ``label``, one of ``NAMES``.
    """
    import datasets

    return datasets.DatasetDict(
        {
            split: picture_rows(
                encoded(saved_array(paths[f"fashion-mnist-2k/x_{stem}.npz"])),
                saved_array(paths[f"fashion-mnist-2k/y_{stem}.npz"]),
                NAMES,
            )
            for split, stem in _SPLITS.items()
        }
    )
