"""WordPiece as BERT uses it, by the plainest means: from raw text to pieces of words, in two steps.

1. *Basic tokenization* makes words of any text, without a list of words and alike for all
   languages: what cannot be seen is thrown away, ideographs and punctuation stand alone, upper case
   and accents are given up. As in the program published with Devlin et al. (2019),
   ``tokenization.py``, and its counterpart in the library `tokenizers`; where the two differ, as in
   the library.
2. *WordPiece* cuts each word into pieces that are in the vocabulary (Schuster and Nakajima, 2012;
   Wu et al., 2016, section 4.1), always the longest that fits. A piece that goes on with a word is
   marked: "unaffable" is ``un ##aff ##able``.

From byte-pair encoding it differs in what is marked (there the end of a word), in what is kept (the
pieces, not the order of their merges), and in how a word is cut (there merge by merge).
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from nnlm2bert.tokenizers.bpe import Tokens, count_pairs, merge, most_frequent_pair

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The tokens that no word is made of, ids 0 to 4: they fill up, stand for what is not known, are
read for a whole text, end each of its parts, and hide a word (Devlin et al., 2019, section 3)."""
PADDING, UNKNOWN, CLASS, SEPARATOR, MASK = SPECIAL
PADDING_ID, UNKNOWN_ID, CLASS_ID, SEPARATOR_ID, MASK_ID = range(len(SPECIAL))
CONTINUATION = "##"
LONGEST_WORD = 100
"""Characters; a longer word is `UNKNOWN`. As in the library; the published program allows 200."""

KEPT_CONTROLS = "\t\n\r"
INVISIBLE = ("Cc", "Cf", "Co", "Cs")
"""Unicode's categories of control and format characters, private use, and halves of a pair."""
IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),  # the block begins at 2B820, where the published program has it
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Chinese characters, of which words are written without spaces; not kana, not Hangul."""


def clean(text: str) -> str:
    """Return the text without invisible characters, all its white space made spaces."""
    seen = (c for c in text if c in KEPT_CONTROLS or unicodedata.category(c) not in INVISIBLE)
    return "".join(" " if c.isspace() else c for c in seen if c != "\N{REPLACEMENT CHARACTER}")


def is_ideograph(character: str) -> bool:
    """Tell whether a character is in one of the blocks of `IDEOGRAPHS`."""
    return any(first <= ord(character) <= last for first, last in IDEOGRAPHS)


def is_punctuation(character: str) -> bool:
    """Tell whether Unicode calls it punctuation, or it is one of $+<=>^`|~, which ASCII adds."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def strip_accents(text: str) -> str:
    """Return the text without marks on its letters: "é" is taken apart, the accent left out."""
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if unicodedata.category(c) != "Mn")


def lower(text: str) -> str:
    """Return the text in lower case, letter by letter: Σ is σ at the end of a word, too."""
    return "".join(c.lower() for c in text)


def basic_tokenize(text: str) -> list[str]:
    """Return the words of any text; each ideograph and each punctuation mark is a word.

    >>> basic_tokenize("Zoë's naïve café-bar,\\t北京!")
    ['zoe', "'", 's', 'naive', 'cafe', '-', 'bar', ',', '北', '京', '!']
    """
    parted = "".join(f" {c} " if is_ideograph(c) else c for c in clean(text))
    plain = lower(strip_accents(parted))
    return "".join(f" {c} " if is_punctuation(c) else c for c in plain).split()


BEGIN = " "
"""Marks the begin of a word while pieces are learnt. Wu et al. (2016) write "_"; BERT marks all
other pieces instead, which comes to the same."""


def spell(word: str) -> Tokens:
    """Return the characters of a word, its begin marked: "low" is (" l", "o", "w")."""
    return (BEGIN + word[:1], *word[1:])


def alphabet(words: Iterable[str]) -> list[str]:
    """Return the tokens to begin with: all characters as begins, sorted; those seen within words.

    Characters that words never go on with, as punctuation, need no second token.
    """
    words = list(words)
    within = sorted({character for word in words for character in word[1:]})
    return [*(BEGIN + character for character in sorted(set("".join(words)))), *within]


def written(token: str) -> str:
    """Return a token as BERT writes it: " lo" is "lo", "w" is "##w"."""
    return token[len(BEGIN) :] if token.startswith(BEGIN) else CONTINUATION + token


def learn_pieces(word_counts: Mapping[str, int], size: int) -> list[str]:
    """Return a vocabulary: `SPECIAL`, the characters, then pieces in the order they were merged.

    This is byte-pair encoding with another mark: the pair seen most often becomes one piece, again
    and again, as in the library `tokenizers` (its WordPieceTrainer is its BpeTrainer). How Google
    learnt BERT's 30,522 pieces was never published as code. Schuster and Nakajima (2012) describe
    another choice: of all pairs the one by which the likelihood of the text, under a language model
    of its pieces, rises most. There a pair counts that meets more often than its parts would by
    chance; here one that meets often.

    Args:
        word_counts: occurrences of each word, as `basic_tokenize` makes them.
        size: pieces in all; fewer are found if every word has become one piece.
    """
    tokens = alphabet(word_counts)
    ids = {token: number for number, token in enumerate(tokens)}
    words = {spell(word): count for word, count in word_counts.items()}
    while len(SPECIAL) + len(ids) < size and (counts := count_pairs(words)):
        pair = most_frequent_pair(counts, ids)
        words = {merge(spelled, pair): count for spelled, count in words.items()}
        ids["".join(pair)] = len(ids)
    return [*SPECIAL, *map(written, ids)]


class WordPiece:
    """A vocabulary of pieces, and how words are cut into them.

    >>> pieces = WordPiece([*SPECIAL, "un", "want", "##want", "##aff", "##ed", "##able", "!"])
    >>> pieces.tokenize("Unwanted! UNAFFABLE!")
    ['un', '##want', '##ed', '!', 'un', '##aff', '##able', '!']
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self.ids = {token: number for number, token in enumerate(self.tokens)}

    @classmethod
    def learn(cls, word_counts: Mapping[str, int], size: int) -> WordPiece:
        """Learn at most so many pieces, special tokens included, as `learn_pieces` does."""
        return cls(learn_pieces(word_counts, size))

    def cut(self, word: str) -> list[str]:
        """Return the pieces of a word, each the longest that fits; `UNKNOWN` if one is missing.

        A whole word is given up for one character that is not known: greedy cutting never goes
        back, either, to try a shorter piece.
        """
        if len(word) > LONGEST_WORD:
            return [UNKNOWN]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            end = self._end_of_longest(word, start)
            if end == start:
                return [UNKNOWN]
            pieces.append(self._piece(word, start, end))
            start = end
        return pieces

    def _end_of_longest(self, word: str, start: int) -> int:
        ends = range(len(word), start, -1)
        return next((end for end in ends if self._piece(word, start, end) in self.ids), start)

    def _piece(self, word: str, start: int, end: int) -> str:
        return (CONTINUATION if start else "") + word[start:end]

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of raw text."""
        return [piece for word in basic_tokenize(text) for piece in self.cut(word)]

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces of raw text."""
        return [self.ids[piece] for piece in self.tokenize(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the words of the pieces, a space between them: what was plain stays plain."""
        return " ".join(self.tokens[number] for number in ids).replace(f" {CONTINUATION}", "")
