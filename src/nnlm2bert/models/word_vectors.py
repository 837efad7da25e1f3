"""Words and their vectors: neighbours, analogies, and the text format of word2vec (2013)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from nnlm2bert.errors import UserError
from nnlm2bert.files import whole_file


class WordVectors:
    """A vector for each word, whatever model it comes from.

    Attributes:
        words: the V words.
        matrix: (V, D), float32, a row a word.
        index: the row of each word.
    """

    def __init__(self, words: Sequence[str], matrix: np.ndarray) -> None:
        """Join words and rows; raises ValueError if they do not match or a word comes twice."""
        self.words = tuple(words)
        self.matrix = np.ascontiguousarray(matrix, dtype=np.float32)
        self.index = {word: row for row, word in enumerate(self.words)}
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise ValueError(f"{len(self.words)} words, but vectors of shape {self.matrix.shape}")
        if len(self.index) < len(self.words):
            raise ValueError(f"{len(self.words) - len(self.index)} words come more than once")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        return self.matrix[self._row(word)]

    def _row(self, word: str) -> int:
        try:
            return self.index[word]
        except KeyError:
            raise KeyError(
                f"{word!r} is not among the {len(self):,} words; ask `word in vectors` first"
            ) from None

    @cached_property
    def unit(self) -> np.ndarray:
        """The vectors divided by their lengths, (V, D); a vector of zeros stays one."""
        return _unit(self.matrix)

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine of the angle between the vectors of two words."""
        return float(self.unit[self._row(a)] @ self.unit[self._row(b)])

    def neighbours(
        self, word: str | np.ndarray, n: int = 10, exclude: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """Return the n words of highest cosine with a word (itself left out) or a vector (D,)."""
        left_out = {self._row(other) for other in exclude}
        if isinstance(word, str):
            left_out.add(self._row(word))
            word = self[word]
        cosines = self.unit @ _unit(np.asarray(word, dtype=np.float32))
        nearest = np.argsort(-cosines)[: n + len(left_out)]
        rows = [row for row in nearest.tolist() if row not in left_out][:n]
        return [(self.words[row], float(cosines[row])) for row in rows]

    def analogy(
        self, a: str, b: str, c: str, n: int = 1, exclude_inputs: bool = True
    ) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to ...?" with the n words nearest to b - a + c.

        The question of Mikolov et al. (2013a, section 4), with all vectors brought to length 1 as
        in the authors' program; Levy & Goldberg (2014) call it 3CosAdd. The three words themselves
        are no answers, unless ``exclude_inputs`` is False.
        """
        row_a, row_b, row_c = map(self._row, (a, b, c))
        query = self.unit[row_b] - self.unit[row_a] + self.unit[row_c]
        return self.neighbours(query, n, exclude=(a, b, c) if exclude_inputs else ())

    def analogies(
        self,
        questions: np.ndarray,
        restrict: int | None = None,
        batch: int = 256,
        exclude_inputs: bool = True,
    ) -> np.ndarray:
        """Answer many questions as :meth:`analogy` does, some at a time in one matrix product.

        Args:
            questions: (N, 3) or (N, 4), rows of a, b, c (and d, not looked at); -1 for no word.
            restrict: only the first so many words may be answers; None: all.
            batch: questions in one matrix product.
            exclude_inputs: whether a, b and c are no answers.

        Returns:
            the row of the answer to each question, (N,), int64; -1 if a, b or c is none.
        """
        questions = np.asarray(questions)[:, :3]
        candidates = self.unit[:restrict]  # (R, D)
        answers = np.full(len(questions), -1)
        whole = np.flatnonzero((questions >= 0).all(axis=1))
        for start in range(0, len(whole), batch):
            rows = whole[start : start + batch]
            a, b, c = self.unit[questions[rows].T]  # each (B, D)
            cosines = (b - a + c) @ candidates.T  # (B, R), times the length of b - a + c
            if exclude_inputs:
                which, column = np.nonzero(questions[rows] < len(candidates))
                cosines[which, questions[rows[which], column]] = -np.inf
            answers[rows] = cosines.argmax(axis=1)
        return answers

    def save(self, path: str | os.PathLike) -> None:
        """Write the text format of word2vec, from which :meth:`load` gets the same numbers.

        A line with V and D, then a line a word: the word and its D numbers, with spaces between.
        Raises ValueError if a word is empty or holds a space or line end, UserError if the file
        cannot be written.
        """
        bad = [word for word in self.words if not word or " " in word or "\n" in word]
        if bad:
            raise ValueError(
                f"the format keeps no words with spaces and no empty ones, such as {bad[:5]}: "
                "rename or leave them out first"
            )
        numbers = " ".join(["%.9g"] * self.matrix.shape[1])  # nine digits tell all float32 apart
        with whole_file(path) as file:
            file.write(f"{len(self)} {self.matrix.shape[1]}\n".encode())
            for word, vector in zip(self.words, self.matrix, strict=True):
                file.write(f"{word} {numbers % tuple(vector.tolist())}\n".encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> WordVectors:
        """Read the text format of word2vec, whatever program wrote it.

        Raises UserError if the file is in another format or not whole.
        """
        words: list[str] = []
        try:
            with open(path, encoding="utf-8", newline="\n") as file:
                size, dimension = map(int, file.readline().split())
                matrix = np.empty((size, dimension), dtype=np.float32)
                for row in range(size):
                    word, *numbers = file.readline().rstrip().split(" ")
                    if len(numbers) != dimension:
                        raise ValueError(f"{len(numbers)} numbers instead of {dimension}")
                    matrix[row] = numbers
                    words.append(word)
            return cls(words, matrix)
        except ValueError as error:
            raise UserError(
                f"{path} is not in word2vec's text format: after {len(words)} words, {error}. "
                "Copy the file again if it was cut short; else save the vectors as text, with a "
                "first line of their number and length."
            ) from error


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
