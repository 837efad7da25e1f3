"""What a model is asked to predict: running text in, (inputs, targets) out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def next_word(
    ids: np.ndarray | Tensor, n: int, start: int = 0, stop: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the n - 1 words before each position and the word that stands there.

    The text is one stream, as in Bengio et al. (2003): a window may cross a sentence's end, and
    words before ``start`` serve as context. Positions with fewer than n - 1 words before them
    are left out.

    Args:
        ids: (T,), the stream.
        n: words in a window, the predicted one included; at least 2.
        start, stop: the positions to predict, as in a slice.

    Returns:
        contexts (N, n - 1) and targets (N,), int64, N = stop - max(start, n - 1).

    Raises:
        ValueError: if n is below 2 or no position is left.
    """
    if n < 2:
        raise ValueError(f"a window holds at least a word read and a word predicted, got n = {n}")
    stream = torch.as_tensor(ids).long()
    stop = len(stream) if stop is None else min(stop, len(stream))
    first = max(start, n - 1)
    if first >= stop:
        raise ValueError(f"no position from {start} to {stop} has {n - 1} words before it")
    windows = stream[first - n + 1 : stop].unfold(0, n, 1)  # (N, n)
    return windows[:, :-1].contiguous(), windows[:, -1].contiguous()
