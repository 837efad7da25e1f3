"""The best possible predictions, exactly: forward-backward on the grammar itself.

The text is a *stream*: documents one after the other, each closed by ``</d>``, which is a token
like any other (the first document is preceded by one). ``</d>`` tells everything there is to know
about the position, so that nothing before it helps. In the stream, token t is emitted by state s_t
with chances T (S, S) and E (S, V).

    forward    f_t(s) = P(s_t = s | w_1 .. w_{t-1})    what the left says about the state
    backward   b_t(s) = P(w_{t+1} .. w_N | s_t = s)    what the right says, up to a factor
    prior      pi(s)  = share of state s in the endless stream

    blind      P(w)                  = sum_s pi(s) E(s, w)
    left       P(w | left)           = sum_s f_t(s) E(s, w)
    n-gram     P(w | last n-1)       = sum_s g_t(s) E(s, w);  g: forward from pi, n-1 words back
    right      P(w | right)          = sum_s pi(s) b_t(s) E(s, w) / Z
    both       P(w | left, right)    = sum_s f_t(s) b_t(s) E(s, w) / Z
    product    P(w | left) P(w | right) / P(w) / Z

The product is what two one-way models can say together: it would equal *both* if left and right
were independent given the word; dividing by P(w) keeps the prior from counting twice.

Where several words are hidden, a blank is seen in their places. It tells that a word stands there,
and not which: every state emits it with chance 1, but that of ``</d>``, which is never hidden.

    hidden     P(w | all that is not hidden)  = sum_s f_t(s) b_t(s) E(s, w) / Z, over words alone

A *floor* is the cost -ln P of the word that stands there, in nats; no model that sees the same can
cost less on average. The n-gram floor is the limit of every model that sees a window of n-1 tokens
of the stream, wherever the window falls; whether it is cut at document boundaries or runs over them
makes no difference, for the reason above.

Source: Rabiner (1989), Proceedings of the IEEE 77(2), equations 19-27 (with scaling, section V.A).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from nnlm2bert.synthetic.grammar import Grammar
from nnlm2bert.synthetic.pocket_english import PocketEnglish

PARALLEL_DOCUMENTS = 128
NUMBERS_AT_ONCE = 16_000_000  # float64 numbers of evidence held at once: about 130 MB
SIDES = ("left", "right", "both")
Measure = Callable[["Evidence"], np.ndarray]


class Bits(NamedTuple):
    """Bits a word: ``mean`` over tokens and its standard ``error`` over documents."""

    mean: float
    error: float

    @classmethod
    def of(cls, nats: np.ndarray, documents: np.ndarray) -> Bits:
        """From costs in nats (N,) and the document number of each token (N,)."""
        tokens, sums = np.bincount(documents), np.bincount(documents, weights=nats / np.log(2))
        mean = sums.sum() / tokens.sum()
        residuals = sums - mean * tokens
        return cls(float(mean), float(np.sqrt((residuals**2).sum()) / tokens.sum()))


class Evidence(NamedTuple):
    """Some positions of a stream: ``words`` (P,), ``forward`` and ``backward`` (S, P)."""

    words: np.ndarray
    forward: np.ndarray
    backward: np.ndarray


@dataclass(frozen=True)
class Documents:
    """The stream cut after each ``</d>``, longest document first, padded to a table.

    ``words`` (D, L) holds ids, ``positions`` (D, L) where each stands in the stream, ``lengths``
    (D,). ``order`` (D,) is the rank of each document in the stream.
    """

    words: np.ndarray
    positions: np.ndarray
    lengths: np.ndarray
    order: np.ndarray

    @classmethod
    def cut(cls, ids: np.ndarray, end: int) -> Documents:
        """Cut a stream of ids (N,) after each ``end`` into documents, the longest first."""
        stops = np.flatnonzero(ids == end) + 1
        edges = np.unique(np.concatenate([[0], stops, [len(ids)]]))
        lengths = np.diff(edges)
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
        columns = np.arange(lengths[0])
        positions = edges[:-1][order][:, None] + columns
        positions = np.where(columns < lengths[:, None], positions, edges[order + 1][:, None] - 1)
        return cls(ids[positions], positions, lengths, order)

    def running(self, step: int) -> int:
        """How many documents (the first ones) have a token number ``step``."""
        return int(np.searchsorted(-self.lengths, -step, side="left"))

    def parts(self, size: int) -> Iterator[Documents]:
        """The same documents, ``size`` at a time: each part is padded to its own longest only."""
        for begin in range(0, len(self.lengths), size):
            part, length = slice(begin, begin + size), int(self.lengths[begin])
            words, positions = self.words[part, :length], self.positions[part, :length]
            yield Documents(words, positions, self.lengths[part], self.order[part])


def _possible(chance: np.ndarray) -> np.ndarray:
    """The chances themselves, if none is zero."""
    if not chance.all():
        raise ValueError("the text cannot come from this grammar: a word is impossible here")
    return chance


class Oracle:
    """Exact predictions for a language or any other :class:`Grammar`.

    All methods take ``ids``, a stream of word ids (N,) as :meth:`PocketEnglish.sample` gives it: it
    begins with a document and may break off anywhere. They raise ``ValueError`` for an empty or
    impossible text. Floors are (N,) arrays in nats; divide by ``math.log(2)`` for bits.
    Distributions are (N, V).
    """

    def __init__(self, language: PocketEnglish | Grammar) -> None:
        grammar = language.grammar if isinstance(language, PocketEnglish) else language
        self.grammar = grammar
        self.end = grammar.word_index[grammar.end]
        self.moves = grammar.moves.matrix
        self.says = grammar.words.matrix
        self._moves_back = sparse.csr_array(self.moves.T)
        self._said_by = sparse.csr_array(self.says.T)
        any_word = np.ones(len(grammar.stationary))
        any_word[grammar.end_state] = 0
        self._blank = self.says.shape[1]
        self._chance = np.vstack([self.says.T.toarray(), any_word])  # its last row: a blank's
        self.prior = grammar.stationary

    @cached_property
    def unigram(self) -> np.ndarray:
        """(V,) P(w): the share of every word in the endless stream."""
        return self._said_by @ self.prior

    def _checked(self, ids: np.ndarray) -> np.ndarray:
        ids = np.asarray(ids, dtype=np.int64)
        if ids.ndim != 1 or not len(ids):
            raise ValueError(f"give a one-dimensional stream of word ids, not shape {ids.shape}")
        if ids.min() < 0 or ids.max() >= len(self.unigram) or (self.unigram[ids] == 0).any():
            raise ValueError("the text has words that this language never writes; encode it first")
        return ids

    def _observe(self, predicted: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States (S, P) before and words (P,) -> states after seeing them (S, P), P(word) (P,)."""
        joint = predicted * self._chance[words].T
        chance = _possible(joint.sum(axis=0))
        joint /= chance
        return joint, chance

    def blind_floor(self, ids: np.ndarray) -> np.ndarray:
        """(N,) Cost of every word when nothing is known, -ln P(w)."""
        return -np.log(self.unigram[self._checked(ids)])

    def entropies(self, ids: np.ndarray, orders: Sequence[int] = range(2, 7)) -> dict[str, Bits]:
        """Bits a word, with standard error over documents: the summary of a language.

        Keys: ``blind``, ``n=2`` ... ``n=6``, ``left``, ``right``, ``product``, ``both``. ``ids`` is
        a long sample; the error is that of a ratio of means, documents being independent of each
        other.
        """
        costs = {"blind": self.blind_floor(ids)}
        costs |= {f"n={n}": self.ngram_floor(ids, n) for n in orders}
        documents = np.cumsum(ids == self.end) - (ids == self.end)
        return {name: Bits.of(c, documents) for name, c in (costs | self.floors(ids)).items()}

    # The left.

    def _walk(self, documents: Documents) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Step by step through documents: (step, forward (S, P), P(word) (P,)), P still running."""
        count = len(self.prior)
        known = np.zeros((count, len(documents.lengths)))
        known[self.grammar.end_state] = 1.0
        for step in range(documents.words.shape[1]):
            running = documents.running(step)
            forward = self._moves_back @ known[:, :running]
            known, chance = self._observe(forward, documents.words[:running, step])
            yield step, forward, chance

    def left_floor(self, ids: np.ndarray) -> np.ndarray:
        """(N,) Cost of every word for whoever knows all words to its left."""
        ids = self._checked(ids)
        cost = np.empty(len(ids))
        for documents in Documents.cut(ids, self.end).parts(PARALLEL_DOCUMENTS):
            for step, _, chance in self._walk(documents):
                cost[documents.positions[: len(chance), step]] = -np.log(chance)
        return cost

    def left_distribution(self, ids: np.ndarray) -> np.ndarray:
        """(N, V) P(w | all words to the left) for every word w at every position."""
        return self._distributions(ids, lambda seen: self._spell(seen.forward))

    # A window.

    def ngram_floor(self, ids: np.ndarray, n: int) -> np.ndarray:
        """(N,) Cost of every word for whoever knows only the last n-1 tokens of the stream."""
        ids = self._checked(ids)
        cost = np.empty(len(ids))
        for positions, known in self._windows(ids, n):
            cost[positions] = -np.log(known.multiply(self._said_by[ids[positions]]).sum(axis=1))
        return cost

    def ngram_distribution(self, ids: np.ndarray, n: int) -> np.ndarray:
        """(N, V) P(w | last n-1 tokens)."""
        ids = self._checked(ids)
        table = np.empty((len(ids), len(self.unigram)))
        for positions, known in self._windows(ids, n):
            table[positions] = (known @ self.says).toarray()
        return table

    def _contexts(self, ids: np.ndarray, n: int) -> np.ndarray:
        """(N, n-1) The tokens before each position, with ``</d>`` for all before a ``</d>``."""
        padded = np.concatenate([np.full(n - 1, self.end), ids])
        windows = np.lib.stride_tricks.sliding_window_view(padded, n)[:, : n - 1]
        ended = np.logical_or.accumulate((windows == self.end)[:, ::-1], axis=1)[:, ::-1]
        return np.where(ended, self.end, windows)

    def _windows(self, ids: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, sparse.csr_array]]:
        """Groups of positions (P,) with the states (P, S) expected after their n-1 tokens."""
        if n < 1:
            raise ValueError(f"n={n}: an n-gram has at least one word")
        contexts = self._contexts(ids, n)
        by_context = np.lexsort(contexts.T[::-1]) if n > 1 else np.arange(len(ids))
        size = max(1, NUMBERS_AT_ONCE // len(self.prior))
        for begin in range(0, len(ids), size):
            positions = by_context[begin : begin + size]
            yield positions, self._after(contexts[positions])

    def _after(self, contexts: np.ndarray) -> sparse.csr_array:
        """(C, n-1) words -> (C, S) chances of the next state; equal contexts are computed once.

        A word leaves few states possible, so these rows are kept sparse.
        """
        if not contexts.shape[1]:
            return sparse.csr_array(np.repeat(self.prior[None], len(contexts), axis=0))
        contexts, which = np.unique(contexts, axis=0, return_inverse=True)
        saying = self._said_by[contexts[:, -1]]
        ended = (contexts[:, -1:] == self.end).astype(float)
        known = self._after(contexts[:, :-1]).multiply(saying) + saying.multiply(ended)
        known = known.multiply(1 / _possible(known.sum(axis=1))[:, None])
        known = sparse.csr_array(known) @ self.moves
        return known[which.reshape(-1)]

    # The right, and both sides.

    def right_floor(self, ids: np.ndarray) -> np.ndarray:
        """(N,) Cost of every word for whoever knows all words to its right."""
        return self._floors(ids, lambda seen: self._cost(seen, self._from_right(seen)))

    def both_floor(self, ids: np.ndarray) -> np.ndarray:
        """(N,) Cost of every word, masked, for whoever knows all others."""
        return self._floors(ids, lambda seen: self._cost(seen, seen.forward * seen.backward))

    def product_floor(self, ids: np.ndarray) -> np.ndarray:
        """(N,) Cost of every word under the renormalised product of the one-way predictions."""
        return self._floors(
            ids, lambda seen: -np.log(self._actual(self._product(seen), seen.words))
        )

    def right_distribution(self, ids: np.ndarray) -> np.ndarray:
        """(N, V) P(w | all words to the right)."""
        return self._distributions(ids, lambda seen: self._spell(self._from_right(seen)))

    def both_distribution(self, ids: np.ndarray) -> np.ndarray:
        """(N, V) P(w | all other words)."""
        return self._distributions(ids, lambda seen: self._spell(seen.forward * seen.backward))

    def product_distribution(self, ids: np.ndarray) -> np.ndarray:
        """(N, V) P(w | left) P(w | right) / P(w), renormalised."""
        return self._distributions(ids, self._product)

    def floors(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """``left``, ``right``, ``product`` and ``both`` in one go, each (N,) in nats."""
        names = ("left", "right", "product", "both")

        def measure(seen: Evidence) -> np.ndarray:
            left, right = self._spell(seen.forward), self._spell(self._from_right(seen))
            rows = (left, right, self._combine(left, right), None)
            costs = [-np.log(self._actual(row, seen.words)) for row in rows[:3]]
            return np.stack([*costs, self._cost(seen, seen.forward * seen.backward)], axis=1)

        table = self._floors(ids, measure, columns=len(names))
        return {name: table[:, i] for i, name in enumerate(names)}

    # Words that are known to be words.

    def word_floors(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """``left``, ``product`` and ``both`` for whoever knows that no ``</d>`` stands there.

        Each (N,) in nats, nan at ``</d>``; ``both`` is what :meth:`hidden_floor` gives for one word
        at a time.
        """
        names = ("left", "product", "both")

        def measure(seen: Evidence) -> np.ndarray:
            left, right = self._spell(seen.forward), self._spell(self._from_right(seen))
            both = self._spell(seen.forward * seen.backward)
            tables = (left, self._combine(left, right), both)
            return np.stack([self._among_words(rows, seen.words) for rows in tables], axis=1)

        table = self._floors(ids, measure, columns=len(names))
        return {name: table[:, i] for i, name in enumerate(names)}

    def _among_words(self, rows: np.ndarray, words: np.ndarray) -> np.ndarray:
        """-ln of the chance of words (P,) by distributions (P, V) without ``</d>``; nan for it."""
        costs, own = np.full(len(words), np.nan), words != self.end
        kept = np.delete(rows[own], self.end, axis=1)
        costs[own] = np.log(kept.sum(axis=1)) - np.log(self._actual(rows, words)[own])
        return costs

    def hidden_floor(self, ids: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """(N,) Cost of every hidden word for whoever knows all that are not; nan where none is.

        ``hidden`` (N,): which words are. Raises ``ValueError`` if a ``</d>`` is among them.
        """
        cost = np.full(len(ids), np.nan)
        for positions, weights in self._behind_blanks(ids, hidden):
            cost[positions] = self._cost(Evidence(ids[positions], weights, weights), weights)
        return cost

    def hidden_distribution(self, ids: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """(M, V) P(w | all that is not hidden) for each of the M hidden words, in their order."""
        order = np.cumsum(hidden) - 1
        table = np.empty((int(np.sum(hidden)), len(self.unigram)))
        for positions, weights in self._behind_blanks(ids, hidden):
            table[order[positions]] = self._spell(weights)
        return table

    def _behind_blanks(
        self, ids: np.ndarray, hidden: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Hidden positions (P,), in groups, and the weights (S, P) of the states behind them."""
        ids, hidden = self._checked(ids), np.asarray(hidden, dtype=bool)
        if hidden.shape != ids.shape or (ids[hidden] == self.end).any():
            raise ValueError(
                f"hidden, {hidden.shape}, says of each of {len(ids)} tokens whether it is a blank; "
                "marks of the end of a document cannot be hidden"
            )
        for positions, seen in self._evidence(np.where(hidden, self._blank, ids)):
            own = hidden[positions]
            if own.any():
                weights = seen.forward[:, own] * seen.backward[:, own]
                yield positions[own], weights * self._chance[self._blank][:, None]

    # Labels.

    def label_posterior(
        self, ids: np.ndarray, labels: np.ndarray, side: str = "both"
    ) -> np.ndarray:
        """(N, L) P(label of s_t | w_t and the words of one side or both): the best reader of
        labels.

        ``labels`` (S,) numbers the label of every state from 0; ``side`` is left, right or both.
        """
        return self.label_posteriors(ids, labels, (side,))[side]

    def label_posteriors(
        self, ids: np.ndarray, labels: np.ndarray, sides: Sequence[str] = SIDES
    ) -> dict[str, np.ndarray]:
        """Several of :meth:`label_posterior` in one go, by side, each (N, L)."""
        wrong = [side for side in sides if side not in SIDES]
        if wrong:
            raise ValueError(f"side={wrong[0]!r}: choose left, right or both")
        grouped = sparse.csr_array((np.ones(len(labels)), (labels, np.arange(len(labels)))))
        count = grouped.shape[0]

        def measure(seen: Evidence) -> np.ndarray:
            chance = self._chance[seen.words].T
            rows = []
            for side in sides:
                weights = self.prior[:, None] if side == "right" else seen.forward
                weights = weights if side == "left" else weights * seen.backward
                joint = grouped @ (weights * chance)
                rows.append((joint / joint.sum(axis=0)).T)
            return np.concatenate(rows, axis=1)

        table = self._floors(ids, measure, columns=count * len(sides))
        return {side: table[:, i * count : (i + 1) * count] for i, side in enumerate(sides)}

    def _from_right(self, seen: Evidence) -> np.ndarray:
        return self.prior[:, None] * seen.backward

    def _cost(self, seen: Evidence, weights: np.ndarray) -> np.ndarray:
        """-ln of the share that the actual words have under state weights (S, P)."""
        joint = np.einsum("sp,ps->p", weights, self._chance[seen.words])
        return np.log(weights.sum(axis=0)) - np.log(joint)

    def _spell(self, weights: np.ndarray) -> np.ndarray:
        """State weights (S, P) -> distributions over words (P, V)."""
        words = (self._said_by @ weights).T
        return words / words.sum(axis=1, keepdims=True)

    def _combine(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        product = left * right / np.where(self.unigram > 0, self.unigram, 1.0)
        return product / product.sum(axis=1, keepdims=True)

    def _product(self, seen: Evidence) -> np.ndarray:
        return self._combine(self._spell(seen.forward), self._spell(self._from_right(seen)))

    @staticmethod
    def _actual(rows: np.ndarray, words: np.ndarray) -> np.ndarray:
        return rows[np.arange(len(words)), words]

    def _distributions(self, ids: np.ndarray, measure: Measure) -> np.ndarray:
        return self._floors(ids, measure, columns=len(self.unigram))

    def _floors(self, ids: np.ndarray, measure: Measure, columns: int = 0) -> np.ndarray:
        """``measure`` applied to the evidence at every position: (N,), or (N, columns)."""
        ids = self._checked(ids)
        table = np.empty((len(ids), columns) if columns else len(ids))
        for positions, seen in self._evidence(ids):
            table[positions] = measure(seen)
        return table

    def _evidence(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, Evidence]]:
        """All positions, in groups: chunks of documents from the last to the first."""
        edges = np.flatnonzero(np.append(True, ids[:-1] == self.end))
        high, following = len(ids), np.ones(len(self.prior))
        while high:
            latest = int(np.searchsorted(edges, high)) - 1
            low = int(edges[min(latest, np.searchsorted(edges, high - self._chunk))])
            documents = Documents.cut(ids[low:high], self.end)
            ends = np.zeros((len(self.prior), len(documents.order)))
            beginnings = np.repeat(following[:, None], len(documents.order) + 1, axis=1)
            for positions, seen in self._inside(documents, ends, beginnings):
                yield low + positions, seen
            last = documents.positions[np.arange(len(ends.T)), documents.lengths - 1]
            yield low + last, Evidence(ids[low + last], ends, beginnings[:, documents.order + 1])
            high, following = low, beginnings[:, 0]

    @property
    def _chunk(self) -> int:
        """Tokens whose evidence is held at once."""
        return max(1, NUMBERS_AT_ONCE // len(self.prior))

    def _inside(
        self, documents: Documents, ends: np.ndarray, beginnings: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Evidence]]:
        """All positions but each document's last.

        For the last ones it leaves ``ends``, forward (S, D) in the order of ``documents``, and
        ``beginnings`` (S, D + 1), the backward that precedes each document, in the order of the
        stream.
        """
        forwards = [forward for _, forward, _ in self._walk(documents)]
        backward = np.ones((len(self.prior), 0))
        while forwards:
            step, forward = len(forwards) - 1, forwards.pop()
            older, running = backward.shape[1], forward.shape[1]
            words = documents.words[:running, step]
            ends[:, older:running] = forward[:, older:]
            if older:
                seen = Evidence(words[:older], forward[:, :older], backward)
                yield documents.positions[:older, step], seen
            backward = np.hstack([backward, np.ones((len(self.prior), running - older))])
            backward = self.moves @ (backward * self._chance[words].T)
            backward /= backward.max(axis=0)
        beginnings[:, documents.order] = backward
