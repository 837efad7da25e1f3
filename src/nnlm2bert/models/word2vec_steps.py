"""The inner loops of word2vec, compiled with numba (Mikolov et al., 2013a, 2013b; Ji et al., 2016).

Everything here runs without Python's lock. A *step* is one step of gradient descent on the summed
loss of m hidden vectors that share K targets, three small products of matrices (Ji et al., 2016,
section 3): scores (m, D) x (D, K), then the changes of the K output and of the m input vectors.
With m = 1 it is the loop of the original C code. All scores are computed before anything changes,
so that a step is exact even if a word occurs twice in it.

The letters: V words, D dimensions, N windows, m vectors read and K targets in a step, T words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnlm2bert.errors import UserError

try:
    from numba import njit
except ImportError as missing:
    raise UserError(
        "The compiled word2vec needs numba, which is not installed. Install it with "
        "`pip install numba`, or train with nnlm2bert.models.word2vec, which needs only torch."
    ) from missing

# Sums may be taken in any order, which lets the compiler use vector instructions; infinities and
# NaN keep their meaning.
compiled = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})


class Scratch(NamedTuple):
    """Room for one step: x (m, D) hidden vectors, y (K, D) output vectors, errors both ways."""

    x: np.ndarray
    y: np.ndarray
    errors: np.ndarray  # (m, K)
    turned: np.ndarray  # (K, m)


@compiled
def make_scratch(inputs: np.ndarray, rows: int, targets: int) -> Scratch:
    """Return room for steps of up to `rows` hidden vectors and `targets` targets."""
    d, kind = inputs.shape[1], inputs.dtype
    return Scratch(
        np.empty((rows, d), kind),
        np.empty((targets, d), kind),
        np.empty((rows, targets), kind),
        np.empty((targets, rows), kind),
    )


@compiled
def gather(matrix: np.ndarray, ids: np.ndarray, n: int, out: np.ndarray) -> None:
    """Copy the rows `ids[:n]` of a matrix to `out`."""
    for i in range(n):
        row, copy = matrix[ids[i]], out[i]
        for d in range(out.shape[1]):
            copy[d] = row[d]


@compiled
def products(x: np.ndarray, m: int, y: np.ndarray, k: int, out: np.ndarray) -> None:
    """Write the inner products of m and k vectors to `out`, three at a time."""
    for i in range(m):
        a = x[i]
        for j in range(0, k - 2, 3):
            b, c, e = y[j], y[j + 1], y[j + 2]
            first = second = third = x.dtype.type(0)
            for d in range(x.shape[1]):
                first += a[d] * b[d]
                second += a[d] * c[d]
                third += a[d] * e[d]
            out[i, j], out[i, j + 1], out[i, j + 2] = first, second, third
        for j in range(k - k % 3, k):
            b, first = y[j], x.dtype.type(0)
            for d in range(x.shape[1]):
                first += a[d] * b[d]
            out[i, j] = first


@compiled
def add_weighted(row: np.ndarray, weights: np.ndarray, y: np.ndarray, k: int) -> None:
    """Add the first k vectors of y, each times its weight, to a row (D,)."""
    for j in range(0, k - 2, 3):
        b, c, e = y[j], y[j + 1], y[j + 2]
        first, second, third = weights[j], weights[j + 1], weights[j + 2]
        for d in range(row.size):
            row[d] += first * b[d] + second * c[d] + third * e[d]
    for j in range(k - k % 3, k):
        b, first = y[j], weights[j]
        for d in range(row.size):
            row[d] += first * b[d]


@compiled
def set_errors(scratch: Scratch, m: int, labels: np.ndarray, k: int, rate: float) -> None:
    """Turn scores into learning rate x (label - sigmoid), both ways round."""
    errors, turned = scratch.errors, scratch.turned
    one, rate = errors.dtype.type(1), errors.dtype.type(rate)
    for i in range(m):
        for j in range(k):
            error = rate * (labels[j] - one / (one + np.exp(-errors[i, j])))
            errors[i, j] = error
            turned[j, i] = error


@compiled
def mean_rows(matrix: np.ndarray, ids: np.ndarray, n: int, out: np.ndarray) -> None:
    """Write the mean of the rows `ids[:n]` of a matrix to `out` (D,)."""
    share = out.dtype.type(1) / out.dtype.type(n)
    out[:] = 0
    for i in range(n):
        row = matrix[ids[i]]
        for d in range(out.size):
            out[d] += share * row[d]


@compiled
def step(
    inputs: np.ndarray,
    outputs: np.ndarray,
    contexts: np.ndarray,
    m: int,
    targets: np.ndarray,
    labels: np.ndarray,
    k: int,
    rate: float,
    cbow: bool,
    scratch: Scratch,
) -> None:
    """One step in which m context words predict k targets: each by itself, or their mean (cbow).

    labels (K,) of the matrices' type: 1 for what is there, 0 for noise. For the mean each context
    word gets the true gradient, a part of 1/m. The C code and gensim leave out that division
    (Irsoy, Benton & Stratos, 2021), so that a learning rate there is m times as high one here.
    """
    hidden = 1 if cbow else m
    if cbow:
        mean_rows(inputs, contexts, m, scratch.x[0])
    else:
        gather(inputs, contexts, m, scratch.x)
    gather(outputs, targets, k, scratch.y)
    products(scratch.x, hidden, scratch.y, k, scratch.errors)
    set_errors(scratch, hidden, labels, k, rate)
    for j in range(k):
        add_weighted(outputs[targets[j]], scratch.turned[j], scratch.x, hidden)
    if cbow:
        for j in range(k):
            scratch.errors[0, j] /= scratch.errors.dtype.type(m)
    for i in range(m):
        add_weighted(inputs[contexts[i]], scratch.errors[0 if cbow else i], scratch.y, k)


@compiled
def count_valid(row: np.ndarray) -> int:
    """Count the entries before the first -1."""
    n = 0
    while n < row.size and row[n] >= 0:
        n += 1
    return n


@compiled
def train_windows(
    inputs: np.ndarray,
    outputs: np.ndarray,
    contexts: np.ndarray,
    targets: np.ndarray,
    labels: np.ndarray,
    rate: float,
    cbow: bool,
) -> None:
    """Train on N windows whose draws are given, one step each, in turn.

    contexts (N, C) and targets (N, K), int64, padded with -1 at the end; labels (N, K), of the
    matrices' type. The matrices, inputs (V, D) and outputs (V or V - 1, D), change in place.
    """
    scratch = make_scratch(inputs, contexts.shape[1], targets.shape[1])
    for n in range(len(contexts)):
        c, t, y = contexts[n], targets[n], labels[n]
        m, k = count_valid(c), count_valid(t)
        if m > 0:
            step(inputs, outputs, c, m, t, y, k, rate, cbow, scratch)
