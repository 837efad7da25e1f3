"""A probabilistic finite-state grammar: a hidden Markov chain that writes documents.

A document begins in a state drawn from ``start``. Every state emits one word and moves on to
another state, until the chain enters the state ``end``. That state emits the end-of-document
symbol, and the next document begins, with nothing remembered. One after the other the documents
form an endless *stream*, which is itself a stationary hidden Markov chain; this is what makes exact
floors possible (``oracle.py``).

All probabilities are whole multiples of 1 / ``RESOLUTION``. Sampling therefore compares whole
numbers only, and one seed gives one text on every machine.

Source: Rabiner, L. R. (1989), A tutorial on hidden Markov models, Proceedings of the IEEE 77(2),
section II.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

RESOLUTION = 1 << 16
PARALLEL_DOCUMENTS = 256

Weights = Mapping[str, int]


def share_out(weights: Sequence[int], total: int = RESOLUTION) -> list[int]:
    """Divide ``total`` in proportion to whole ``weights``, at least 1 each (largest remainder).

    Whole numbers throughout. Raises ``ValueError`` for a weight below 1 or too many of them.
    """
    if not weights or min(weights) < 1 or len(weights) > total:
        raise ValueError(f"give between 1 and {total} weights, each a whole number of at least 1")
    spare, whole = total - len(weights), sum(weights)
    shares = [spare * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(spare * weights[i] % whole), i))
    for i in by_remainder[: spare - sum(shares)]:
        shares[i] += 1
    return [share + 1 for share in shares]


@dataclass(frozen=True)
class Chances:
    """Rows of probabilities as whole numbers, without the zeros.

    Row r owns the entries ``offsets[r]`` to ``offsets[r + 1]``. ``columns`` (E,) says which column
    an entry stands for, ``counts`` (E,) its share of ``RESOLUTION``.
    """

    offsets: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    width: int

    @classmethod
    def from_weights(cls, rows: Sequence[Weights], index: Mapping[str, int]) -> Chances:
        """One row a mapping name -> weight; ``index`` numbers the columns."""
        columns = [index[name] for row in rows for name in row]
        counts = [share for row in rows for share in share_out(list(row.values()))]
        offsets = np.cumsum([0] + [len(row) for row in rows])
        return cls(offsets, np.array(columns), np.array(counts), len(index))

    @cached_property
    def cumulative(self) -> np.ndarray:
        """(E,) Running sum of all counts; row r spans r * RESOLUTION to (r + 1) * RESOLUTION."""
        return np.cumsum(self.counts, dtype=np.int64)

    def draw(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """The column that each uniform whole number (below RESOLUTION) picks in its row."""
        entries = np.searchsorted(self.cumulative, rows * RESOLUTION + numbers, side="right")
        return self.columns[entries]

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(rows, width) The probabilities; exact in float64: RESOLUTION is a power of two."""
        shape = (len(self.offsets) - 1, self.width)
        return sparse.csr_array((self.counts / RESOLUTION, self.columns, self.offsets), shape=shape)


@dataclass(frozen=True, eq=False)
class Grammar:
    """States, where each leads, what each says.

    Args:
        states: names of the states, without ``end``.
        transitions: state -> {next state: whole-number weight}; ``end`` may be a next state.
        emissions: state -> {word: whole-number weight}.
        start: {first state of a document: whole-number weight}.
        end: name of the end-of-document state and of the one word it emits.
        vocabulary: words in the order of their ids; by default ``end``, then the sorted
            words.

    Weights are rounded to multiples of 1 / ``RESOLUTION`` once, here; the rounded chances *are* the
    grammar. Raises ``ValueError`` if a state is missing, leads nowhere, or can never be followed by
    ``end``.
    """

    states: Sequence[str]
    transitions: Mapping[str, Weights]
    emissions: Mapping[str, Weights]
    start: Weights
    end: str = "</d>"
    vocabulary: Sequence[str] = ()

    def __post_init__(self) -> None:
        words = {word for state in self.states for word in self.emissions.get(state, {})}
        if self.end in words:
            raise ValueError(
                f"{self.end!r} marks the end of a document: no other state may emit it"
            )
        if not self.vocabulary:
            object.__setattr__(self, "vocabulary", [self.end, *sorted(words)])
        missing = words - set(self.vocabulary)
        if missing:
            raise ValueError(f"words missing from the vocabulary: {sorted(missing)[:5]}")
        self._check_states()

    def _check_states(self) -> None:
        known = {*self.states, self.end}
        if len(known) != len(self.states) + 1:
            raise ValueError("state names must differ from one another and from the end")
        for state in self.states:
            following = self.transitions.get(state)
            if not following or not self.emissions.get(state) or not known.issuperset(following):
                raise ValueError(f"state {state!r} needs words to emit and known states to lead to")
        hopeless = known - self._reaching_end()
        if hopeless:
            raise ValueError(
                f"no document can end from {sorted(hopeless)[:5]}; lead them to the end"
            )

    def _reaching_end(self) -> set[str]:
        origins: dict[str, list[str]] = {}
        for state in self.states:
            for following in self.transitions[state]:
                origins.setdefault(following, []).append(state)
        reached, waiting = {self.end}, [self.end]
        while waiting:
            new = set(origins.get(waiting.pop(), ())) - reached
            reached |= new
            waiting.extend(new)
        return reached

    @property
    def end_state(self) -> int:
        """Number of the end state: the last one."""
        return len(self.states)

    @cached_property
    def word_index(self) -> dict[str, int]:
        """Id of each word: its place in the vocabulary."""
        return {word: i for i, word in enumerate(self.vocabulary)}

    @cached_property
    def state_index(self) -> dict[str, int]:
        """Number of each state, the end state included."""
        return {state: i for i, state in enumerate([*self.states, self.end])}

    @cached_property
    def moves(self) -> Chances:
        """(S, S) Chances of the next state; after the end comes the start of a document."""
        rows = [*(self.transitions[state] for state in self.states), self.start]
        return Chances.from_weights(rows, self.state_index)

    @cached_property
    def words(self) -> Chances:
        """(S, V) Chances of the word a state emits."""
        rows = [*(self.emissions[state] for state in self.states), {self.end: 1}]
        return Chances.from_weights(rows, self.word_index)

    @cached_property
    def stationary(self) -> np.ndarray:
        """(S,) Share of each state in the endless stream: the solution of p = p T with sum 1."""
        moves = self.moves.matrix.toarray()
        inner = moves[:-1, :-1]
        visits = np.linalg.solve(np.eye(len(inner)) - inner.T, moves[-1, :-1])
        visits = np.append(visits, 1.0)
        return visits / visits.sum()

    def write(self, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Documents for ever, each as (word ids, state numbers), both (length,), end included.

        ``PARALLEL_DOCUMENTS`` chains run side by side. Only raw 64-bit numbers of PCG64 are used,
        whose stream NumPy promises never to change: the top 16 bits move the chain, the next 16
        choose the word.
        """
        generator = np.random.PCG64(seed)
        while True:
            yield from self._write_side_by_side(generator)

    def _write_side_by_side(
        self, generator: np.random.PCG64
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        state = np.full(PARALLEL_DOCUMENTS, self.end_state)
        open_documents = np.ones(PARALLEL_DOCUMENTS, dtype=bool)
        words, states = [], []
        while open_documents.any():
            raw = generator.random_raw(PARALLEL_DOCUMENTS)
            state = self.moves.draw(state, (raw >> np.uint64(48)).astype(np.int64))
            choice = (raw >> np.uint64(32)).astype(np.int64) % RESOLUTION
            words.append(self.words.draw(state, choice))
            states.append(state)
            open_documents &= state != self.end_state
        words, states = np.stack(words, axis=1), np.stack(states, axis=1)
        lengths = np.argmax(states == self.end_state, axis=1) + 1
        for i, length in enumerate(lengths):
            yield words[i, :length], states[i, :length]
