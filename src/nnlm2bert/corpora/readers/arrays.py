"""What the readers of pictures share: arrays of pixels become encoded pictures with a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nnlm2bert.corpora.readers.columns import classes

if TYPE_CHECKING:
    import datasets
    import numpy as np


def saved_array(path: Path) -> np.ndarray:
    """The one array of an ``.npz`` file, which NumPy calls ``arr_0``."""
    import numpy as np

    with np.load(path) as arrays:
        return arrays["arr_0"]


def picture_rows(
    pictures: Iterable[bytes], labels: Iterable[int], names: Sequence[str]
) -> datasets.Dataset:
    """Columns ``image``, from encoded ``pictures``, and ``label``, one of ``names``."""
    import datasets

    features = datasets.Features(image=datasets.Image(), label=classes(names))
    columns = {
        "image": [{"bytes": picture, "path": None} for picture in pictures],
        "label": [int(label) for label in labels],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def encoded(pixels: np.ndarray) -> Iterator[bytes]:
    """Each of ``pixels``, (N, H, W) grey or (N, H, W, 3) colour, uint8, as the bytes of a PNG."""
    from PIL import Image

    for picture in pixels:
        stream = BytesIO()
        Image.fromarray(picture).save(stream, "PNG", compress_level=1)
        yield stream.getvalue()
