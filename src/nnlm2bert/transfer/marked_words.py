"""How words become the tokens of a network that reads between BERT's marks, and which these are.

Networks of running text read pieces of words, those of the laboratory whole words; what is asked of
either is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.wordpiece import CLASS_ID, CONTINUATION, PADDING_ID, SEPARATOR_ID
from nnlm2bert.transfer.first_layer import spelling

if TYPE_CHECKING:
    from nnlm2bert.synthetic import PocketEnglish


@dataclass(frozen=True, eq=False)
class MarkedWords:
    """Words as tokens, and the ids of the marks before a sequence and after each segment.

    pieces: from a word, as it was published, to its tokens, at least one. vocabulary: the id of
    each token by how it is written. The id of padding is 0.
    """

    pieces: Callable[[str], Sequence[int]]
    vocabulary: Mapping[str, int]
    cls: int
    sep: int

    @classmethod
    def of(cls, tokens: SubwordEncoder | MarkedWords) -> MarkedWords:
        """Return those of a network that reads WordPiece; what is that already stays as it is."""
        return tokens if isinstance(tokens, MarkedWords) else cls.of_pieces(tokens)

    @classmethod
    def of_pieces(cls, encoder: SubwordEncoder) -> MarkedWords:
        """Return those of a network that reads WordPiece, in lower case."""
        vocabulary = encoder.tokenizer.get_vocab(with_added_tokens=True)
        return cls(lambda word: encoder.word(spelling(word)), vocabulary, CLASS_ID, SEPARATOR_ID)

    @classmethod
    def of_laboratory(cls, language: PocketEnglish) -> MarkedWords:
        """Return those of a network that reads whole words of Pocket English.

        A word that is not of the language, as *who* is not, is unknown.
        """
        vocabulary = {word: number for number, word in enumerate(language.vocabulary)}
        unknown = vocabulary["<unk>"]
        return cls(
            lambda word: [vocabulary.get(word, unknown)],
            vocabulary,
            vocabulary["<cls>"],
            vocabulary["<sep>"],
        )

    def __post_init__(self) -> None:
        """Refuse what batches would pad with a token that means something."""
        if min(self.cls, self.sep) <= PADDING_ID:
            raise ValueError(f"the id {PADDING_ID} is that of padding, and of no mark")

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the tokens of some words, without marks."""
        return [piece for word in words for piece in self.pieces(word)]

    def same(self, written: Iterable[tuple[str, bool]]) -> list[tuple[int, int]]:
        """Return (place, id) of each of some tokens that this vocabulary has, too.

        A token is what is written and whether it begins a word; capitals do not matter, so that two
        of them may be one here.
        """
        forms = (low if begins else f"{CONTINUATION}{low}" for low, begins in _lower(written))
        found = ((place, self.vocabulary.get(form)) for place, form in enumerate(forms))
        return [(place, number) for place, number in found if number is not None]


def _lower(written: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    return ((token.lower(), begins) for token, begins in written)
