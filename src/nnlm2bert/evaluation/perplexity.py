"""Perplexity and what surrounds it: bits, floors, documents and mixtures.

A token's log-loss is -ln p in nats throughout. Arrays may be numpy's, torch's (on the CPU), lists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike


def perplexity(nats: float, tokens: int) -> float:
    """Return exp(nats / tokens): the number of equally likely words that lose as much.

    ``nats``: summed log-loss. Infinite where it exceeds what a float can hold.
    Jelinek et al. 1977; Bengio et al. 2003, section 4.
    """
    try:
        return math.exp(nats / tokens)
    except OverflowError:
        return math.inf


def bits_per_word(nats: float, tokens: int) -> float:
    """Return the mean log-loss in bits: log2 of the perplexity."""
    return nats / tokens / math.log(2)


def gap_to_floor(nats: float, floor: float, tokens: int) -> float:
    """Return by how many bits a word the summed log-loss ``nats`` exceeds the exact ``floor``."""
    return bits_per_word(nats - floor, tokens)


def by_document(nats: ArrayLike, documents: ArrayLike) -> tuple[list[int], list[float]]:
    """Return tokens and summed nats of each document, in the order the documents appear in.

    ``nats`` (N): log-loss of each token. ``documents`` (N): integer, the document of each token.
    These are what a record's group holds. Raises ValueError if the two differ in length.
    """
    import numpy as np

    losses, owners = _array(nats), np.asarray(documents)
    if losses.shape != owners.shape or losses.ndim != 1:
        raise ValueError(f"nats {losses.shape} and documents {owners.shape} must both be (N,).")
    _, first, place = np.unique(owners, return_index=True, return_inverse=True)
    order = np.argsort(first)
    tokens = np.bincount(place, minlength=len(first))[order]
    sums = np.bincount(place, weights=losses, minlength=len(first))[order]
    return tokens.tolist(), sums.tolist()


def mix(components: Sequence[ArrayLike], weights: Sequence[float] | None = None) -> np.ndarray:
    r"""Return each token's log-loss (N) under the mixture :math:`\sum_k w_k p_k`, in log space.

    ``components`` (K, N): log-losses of the same tokens under K models. ``weights`` (K): each at
    least 0, sum 1; None: all equal, 1/2 each for two models as in Bengio et al. 2003, section 4.
    """
    import numpy as np

    losses = _components(components)
    shares = np.full(len(losses), 1 / len(losses)) if weights is None else _array(weights)
    if shares.shape != (len(losses),) or shares.min() < 0 or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(f"Weights {shares.tolist()}: one for each component, >= 0, sum 1.")
    used = shares > 0
    return -np.logaddexp.reduce(np.log(shares[used])[:, None] - losses[used], axis=0)


def mixture_weights(
    components: Sequence[ArrayLike], tolerance: float = 1e-6, iterations: int = 1000
) -> list[float]:
    r"""Return the weights (K) that minimise the mixture's log-loss, by EM (Jelinek & Mercer 1980).

    E: :math:`r_{ki} = w_k p_k(i) / \sum_j w_j p_j(i)`; M: :math:`w_k = mean_i r_{ki}`
    (Dempster et al. 1977), until no weight moves by more than ``tolerance``. The log-loss is convex
    in the weights, so there is one optimum. Choose them on validation text, never on the test.

    Raises ValueError if a token has probability 0 in all components.
    """
    import numpy as np

    losses = _components(components)
    best = losses.min(axis=0)
    if not np.isfinite(best).all():
        raise ValueError("A token has probability 0 in all components: no weights can mend that.")
    chances = np.exp(best - losses)  # scaled for each token so that the likeliest has 1
    weights = np.full(len(losses), 1 / len(losses))
    for _ in range(iterations):
        joint = weights[:, None] * chances
        update = (joint / joint.sum(axis=0)).mean(axis=1)
        moved = np.abs(update - weights).max()
        weights = update
        if moved <= tolerance:
            break
    return (weights / weights.sum()).tolist()


def _array(values: ArrayLike) -> np.ndarray:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _components(components: Sequence[ArrayLike]) -> np.ndarray:
    """Return the components as one array (K, N)."""
    import numpy as np

    arrays = [_array(component) for component in components]
    if not arrays or any(array.shape != arrays[0].shape or array.ndim != 1 for array in arrays):
        raise ValueError("A mixture needs the log-losses (N,) of the same tokens for each model.")
    return np.stack(arrays)
