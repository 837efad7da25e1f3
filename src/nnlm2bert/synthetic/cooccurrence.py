"""How often each word stands in the window of each other, exactly.

What word2vec and the counting of pairs learn from a text is one table: the chance that a word and
one of its context words, drawn from the endless stream, are w and c (Levy & Goldberg 2014, section
3). The grammar tells it without any sample. Let pi (S,) be the share of each state in the stream, T
(S, S) its moves and E (S, V) its words. For two tokens d apart the table is then

    J_d = E^T diag(pi) T^d E

and with the moves left out that cross the end of a sentence it holds for those within one. All
distances together, weighed, make J, and the context words to both sides J + J^T.

Sub-sampling (Mikolov et al. 2013b, section 2.3) drops words before windows are formed, so that far
words come near. Dropped words are steps of the same chain that are not counted: with D the moves
over a dropped word, any number of them is I + D + D^2 + ... = (I - D)^(-1), the fundamental matrix
of Kemeny & Snell (1960), theorem 3.2.1. No inverse is formed, only a sparse system solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from nnlm2bert.synthetic.grammar import Grammar
from nnlm2bert.synthetic.pocket_english import PocketEnglish

Matrix = sparse.csr_array


def exact_cooccurrences(
    language: PocketEnglish | Grammar,
    window: int,
    shrinking: bool = True,
    *,
    stops: Sequence[str] = (".",),
    keep: np.ndarray | None = None,
) -> np.ndarray:
    """Return the chance (V, V) of each pair of a word and a context word; their sum is 1.

    Windows stay within sentences as :attr:`Sample.sentence_ids` numbers them: a sentence ends after
    a stop, a document after ``</d>``, and ``</d>`` belongs to the last sentence of its document.
    The table is symmetric. It is the limit of the counts of an ever longer sample.

    Args:
        language: Pocket English, or any grammar.
        window: the largest distance, at least 1.
        shrinking: weigh a distance of d with (window - d + 1) / window, as a window does whose
            radius is drawn uniformly from 1 to ``window``; else all distances alike.
        stops: the words that end a sentence; none if only documents end.
        keep: (V,) chance of each word to be kept in sub-sampling, 0 to leave it out (``</d>``, for
            example); None: all are kept. A window reaches over what is dropped, not over its end.

    Raises:
        ValueError: for a window below 1, an unknown stop, or a ``keep`` that leaves no pairs.
    """
    grammar = language.grammar if isinstance(language, PocketEnglish) else language
    if window < 1:
        raise ValueError(f"window={window}: a window reaches at least one word far")
    walk = _walk(grammar, stops, _checked(grammar, keep))
    skip = splu(sparse.csc_array(sparse.eye_array(len(grammar.stationary)) - walk.dropped.T))
    reached, after = walk.first, np.zeros((len(grammar.vocabulary),) * 2)
    for distance in range(1, window + 1):
        reached = skip.solve(reached.T).T
        weight = (window + 1 - distance) / window if shrinking else 1.0
        after += weight * (reached @ walk.says)
        reached = reached @ walk.kept
    if not after.any():
        raise ValueError("no pair of words is left; keep more words, or name fewer stops")
    return (after + after.T) / (2 * after.sum())


class _Walk(NamedTuple):
    """The stream within a sentence, sub-sampled.

    ``first`` (V, S): chance of a kept word and of the state after it. ``kept``, ``dropped`` (S, S):
    moves from a state to the next over a word that is kept or dropped. ``says`` (S, V): chance that
    a state says a word and the word is kept. No move crosses a sentence's end.
    """

    first: np.ndarray
    kept: Matrix
    dropped: Matrix
    says: Matrix


def _walk(grammar: Grammar, stops: Sequence[str], keep: np.ndarray) -> _Walk:
    """A sentence goes on after its inner words, after a stop only to ``</d>``, and then no more."""
    index = grammar.word_index
    unknown = [word for word in stops if word not in index]
    if unknown:
        raise ValueError(
            f"stops={unknown}: not in this language; name the words that end sentences"
        )
    is_stop, is_end = np.zeros(len(index)), np.zeros(len(index))
    is_stop[[index[word] for word in stops]] = 1
    is_end[index[grammar.end]] = 1
    to_end = np.zeros(len(grammar.stationary))
    to_end[grammar.end_state] = 1
    moves, says = grammar.moves.matrix, grammar.words.matrix
    closing = sparse.csr_array(moves * to_end)
    inside = says * (1 - is_stop - is_end)
    final = says * is_stop
    prior = grammar.stationary[:, None]
    first = (inside * keep * prior).T @ moves + (final * keep * prior).T @ closing
    kept = _scaled(moves, inside @ keep) + _scaled(closing, final @ keep)
    dropped = _scaled(moves, inside @ (1 - keep)) + _scaled(closing, final @ (1 - keep))
    return _Walk(first.toarray(), kept, dropped, sparse.csr_array(says * keep))


def _scaled(moves: Matrix, chances: np.ndarray) -> Matrix:
    return sparse.csr_array(moves * chances[:, None])


def _checked(grammar: Grammar, keep: np.ndarray | None) -> np.ndarray:
    size = len(grammar.vocabulary)
    chances = np.ones(size) if keep is None else np.asarray(keep, dtype=np.float64)
    if chances.shape != (size,) or not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(f"keep must hold a chance from 0 to 1 for each of the {size} words")
    return chances


def exact_pmi(
    joint: np.ndarray, power: float = 1.0, contexts: np.ndarray | None = None
) -> np.ndarray:
    r"""Return the pointwise mutual information (V, V) in nats; minus infinity for impossible pairs.

    .. math:: PMI(w, c) = \log \frac{P(w, c)}{P(w) P_n(c)}, \qquad P_n(c) \propto P(c)^{power}

    Levy & Goldberg 2014, section 3.1: skip-gram with k negative samples is at its optimum where the
    product of the two vectors is PMI - log k, with P_n the distribution that the samples are drawn
    from. word2vec's is ``power`` = 3/4 of the shares of words in the text: give them as
    ``contexts``.

    Args:
        joint: (V, V), as :func:`exact_cooccurrences` returns it.
        power: smooths the distribution of contexts.
        contexts: (V,) shares of context words; None: those in ``joint``.
    """
    noise = (joint.sum(axis=0) if contexts is None else np.asarray(contexts)) ** power
    alone = np.outer(joint.sum(axis=1), noise / noise.sum())
    table = np.full(joint.shape, -np.inf)
    possible = joint > 0
    table[possible] = np.log(joint[possible] / alone[possible])
    return table
