"""MNIST: handwritten digits, the first of each split.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.arrays import encoded, picture_rows, saved_array

if TYPE_CHECKING:
    from datasets import DatasetDict

NAMES = tuple("0123456789")


def read(paths: Mapping[str, Path]) -> DatasetDict:
    """Splits train, the first 20,000 of the set's 60,000, and test, the first 2,000 of its 10,000.

    Columns: ``image``, 28 x 28 in grey, the digit white on black; ``label``, one of ``NAMES``.
    """
    import datasets

    return datasets.DatasetDict(
        {
            split: picture_rows(
                encoded(saved_array(paths[f"mnist-22k/x_{split}.npz"])),
                saved_array(paths[f"mnist-22k/y_{split}.npz"]),
                NAMES,
            )
            for split in ("train", "test")
        }
    )
