"""What a model is asked to predict: running text in, (inputs, targets) out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


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


def keep_probabilities(counts: np.ndarray | Tensor, threshold: float) -> Tensor:
    """Return the probability with which sub-sampling keeps each word: min(1, sqrt(t / f)).

    f is the word's share of the text, t the threshold; a word is dropped with probability
    1 - sqrt(t / f) (Mikolov et al., 2013b, equation 5). The authors' program keeps a little more,
    sqrt(t / f) + t / f. A threshold of 0 keeps every word.

    Args:
        counts: (V,), how often each word occurs in the whole text.
        threshold: t, about 1e-5 for a billion words, 1e-4 or more for a million.

    Returns:
        (V,), float64.

    Raises:
        ValueError: if the threshold is negative or all counts are 0.
    """
    counts = torch.as_tensor(counts).double()
    if threshold < 0:
        raise ValueError(f"the threshold is a share of the text, 0 for none, got {threshold}")
    if not counts.sum() > 0:
        raise ValueError("the counts of all words are 0: count the words of the text first")
    if threshold == 0:
        return torch.ones_like(counts)
    frequencies = counts / counts.sum()
    return (threshold / frequencies).sqrt().clamp(max=1)


def subsample(
    ids: np.ndarray | Tensor,
    sentences: np.ndarray | Tensor,
    counts: np.ndarray | Tensor,
    threshold: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Drop frequent words from a text at random, each occurrence by itself.

    Done before windows are formed, as in the authors' program, so that the words left over move
    together and a window reaches further. Draw anew for every epoch.

    Args:
        ids: (T,), the text.
        sentences: (T,), the number of the sentence that each word stands in.
        counts, threshold: as in :func:`keep_probabilities`.

    Returns:
        the ids that are kept, (S,), and their sentences, (S,), both int64.
    """
    words, numbers = torch.as_tensor(ids).long(), torch.as_tensor(sentences).long()
    keep = keep_probabilities(counts, threshold)[words]  # (T,)
    kept = torch.rand(len(words), generator=generator, dtype=torch.float64) < keep
    return words[kept], numbers[kept]


def context_windows(
    ids: np.ndarray | Tensor,
    sentences: np.ndarray | Tensor,
    window: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return every word with the words around it, at most ``window`` to each side.

    With a generator each centre draws its radius from 1, ..., window, so that near words count
    more (Mikolov et al., 2013a, section 3.2); without one it is always ``window``. No window
    reaches into another sentence. Words that are alone are left out.

    Args:
        ids: (T,), the text; ids from 0.
        sentences: (T,), the number of the sentence that each word stands in, from 0, none twice.
        window: C, the largest distance; at least 1.

    Returns:
        centres (N,) and contexts (N, 2 window), int64, in the order of the text: the words from
        ``window`` places before to ``window`` places after the centre, -1 where there is none.

    Raises:
        ValueError: if the window is below 1 or ids and sentences differ in length.
    """
    words, numbers = torch.as_tensor(ids).long(), torch.as_tensor(sentences).long()
    if window < 1:
        raise ValueError(f"a window reaches at least one word to each side, got {window}")
    if len(words) != len(numbers):
        raise ValueError(f"{len(words)} words, but sentence numbers for {len(numbers)}")
    contexts, inside = _around(words, window), _around(numbers, window) == numbers.unsqueeze(1)
    if generator is not None:
        radius = torch.randint(1, window + 1, (len(words), 1), generator=generator)
        distance = torch.arange(-window, window + 1).abs()
        inside &= distance[distance > 0] <= radius
    rows = inside.any(dim=1)
    return words[rows], contexts.masked_fill_(~inside, -1)[rows]


def _around(values: Tensor, window: int) -> Tensor:
    """Return the ``window`` values to each side of every one, (T, 2 window), -1 past the ends."""
    spans = F.pad(values, (window, window), value=-1).unfold(0, 2 * window + 1, 1)
    return torch.cat([spans[:, :window], spans[:, window + 1 :]], dim=1)


def skip_gram_pairs(centres: Tensor, contexts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pairs (w_t, w_t+j) of which skip-gram predicts the second from the first.

    For CBOW no pairs are needed: the contexts are its inputs, the centres its targets.

    Args:
        centres: (N,); contexts: (N, 2 window), -1 for no word: see :func:`context_windows`.

    Returns:
        inputs (P,) and targets (P,), one for each word of a context, in the order of the text
        (Mikolov et al., 2013b, equation 1).
    """
    there = contexts >= 0
    return centres.unsqueeze(1).expand_as(contexts)[there], contexts[there]


def both_directions(
    sentences: Sequence[np.ndarray | Tensor], begin: int, end: int
) -> tuple[Tensor, Tensor]:
    """Return sentences between their marks, for a model that reads each from both sides.

    Whatever stands at a place is to be predicted from what is left of it, and from what is right
    of it (Peters et al. 2018, section 3.1): the first word from the mark of the begin alone, the
    mark of the end from the whole sentence.

    Args:
        sentences: B of them, ids (T,) each.
        begin, end: the ids of the marks.

    Returns:
        ids (B, T + 2), int64, padded with ``end``, and lengths (B,), marks included.
    """
    rows = [F.pad(torch.as_tensor(ids).long(), (1, 0), value=begin) for ids in sentences]
    closed = [F.pad(row, (0, 1), value=end) for row in rows]
    lengths = torch.tensor([len(row) for row in closed])
    return pad_sequence(closed, batch_first=True, padding_value=end), lengths
