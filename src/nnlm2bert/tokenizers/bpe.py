"""Byte-pair encoding (Sennrich, Haddow and Birch, 2016, section 3.2), by the plainest means.

Between characters, of which sentences need many, and words, of which there are never enough: common
words are one token, rare ones are put together of pieces. Gage (1994) compressed files so, byte by
byte; here the units are the characters of a word, as in GPT (Radford et al., 2018, section 4.1).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice, pairwise

from nnlm2bert.tokenizers.vocabulary import UNKNOWN

END_OF_WORD = "</w>"
Tokens = tuple[str, ...]
Pair = tuple[str, str]


def spell(word: str) -> Tokens:
    """Return the characters of a word, its end marked: "low" is ("l", "o", "w</w>")."""
    return (*word[:-1], word[-1:] + END_OF_WORD)


def alphabet(words: Iterable[str]) -> list[str]:
    """Return the tokens to begin with: all characters, sorted, then the same as ends of a word."""
    characters = sorted(set("".join(words)))
    return [*characters, *(character + END_OF_WORD for character in characters)]


def count_pairs(words: Mapping[Tokens, int]) -> Counter[Pair]:
    """Return how often two tokens are neighbours within a word."""
    counts: Counter[Pair] = Counter()
    for tokens, count in words.items():
        for pair in pairwise(tokens):
            counts[pair] += count
    return counts


def most_frequent_pair(counts: Mapping[Pair, int], ids: Mapping[str, int]) -> Pair:
    """Return the pair with the highest count; of equals, the one of the oldest tokens.

    The paper leaves ties open, but they decide what is learnt. As in the library `tokenizers`: the
    lower id of the first token, then that of the second.
    """
    return min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))


def merge(tokens: Tokens, pair: Pair) -> Tokens:
    """Return the tokens with every such pair made one, from the left: a, a, a becomes aa, a."""
    merged: list[str] = []
    for token in tokens:
        if merged and (merged[-1], token) == pair:
            merged[-1] += token
        else:
            merged.append(token)
    return tuple(merged)


def learn_by_recounting(word_counts: Mapping[str, int], merges: int) -> list[Pair]:
    """Return the pairs in the order merged: the whole method, but all is counted for each."""
    ids = {token: number for number, token in enumerate(alphabet(word_counts))}
    words = {spell(word): count for word, count in word_counts.items()}
    learnt: list[Pair] = []
    while len(learnt) < merges and (counts := count_pairs(words)):
        pair = most_frequent_pair(counts, ids)
        words = {merge(tokens, pair): count for tokens, count in words.items()}
        ids["".join(pair)] = len(ids)
        learnt.append(pair)
    return learnt


class PairIndex:
    """Merges pair after pair; knows how often each is seen, and in which words.

    A merge looks only at words that hold its pair. The most frequent pair is on top of a heap,
    below entries that merges have made untrue: those are thrown away when they come up.
    """

    def __init__(self, word_counts: Mapping[str, int]) -> None:
        self.ids = {token: number for number, token in enumerate(alphabet(word_counts))}
        self.words = [(spell(word), count) for word, count in word_counts.items()]
        self.counts = count_pairs(dict(self.words))
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)
        for place, (tokens, _) in enumerate(self.words):
            for pair in pairwise(tokens):
                self.places[pair].add(place)
        self.heap = sorted(map(self._entry, self.counts))

    def _entry(self, pair: Pair) -> tuple[int, int, int, Pair]:
        return -self.counts[pair], self.ids[pair[0]], self.ids[pair[1]], pair

    def __iter__(self) -> Iterator[Pair]:
        while self.heap:
            entry = heappop(self.heap)
            pair = entry[-1]
            if self.counts[pair] and entry == self._entry(pair):
                self._merge(pair)
                yield pair

    def _merge(self, pair: Pair) -> None:
        self.ids["".join(pair)] = len(self.ids)
        changes: Counter[Pair] = Counter()
        for place in self.places.pop(pair):
            before, count = self.words[place]
            after = merge(before, pair)
            self.words[place] = after, count
            for old in pairwise(before):
                changes[old] -= count
            for new in pairwise(after):
                changes[new] += count
                self.places[new].add(place)
        for changed in filter(changes.get, changes):
            self.counts[changed] += changes[changed]
            heappush(self.heap, self._entry(changed))


class BPE:
    """Tokens, and the pairs that were merged to make them, in the order learnt.

    >>> bpe = BPE.learn({"low": 5, "lower": 2, "newest": 6, "widest": 3}, merges=10)
    >>> bpe.encode("lowest")
    ['lo', 'w', 'est</w>']
    """

    def __init__(self, characters: Sequence[str], merges: Sequence[Pair]) -> None:
        self.merges = tuple(merges)
        self.tokens = (*characters, *map("".join, self.merges))
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges)}

    @classmethod
    def learn(cls, word_counts: Mapping[str, int], merges: int) -> BPE:
        """Learn so many merges from words, each seen at least once, or until each is one token."""
        return cls(alphabet(word_counts), [*islice(PairIndex(word_counts), merges)])

    def encode(self, word: str) -> list[str]:
        """Return the tokens of any word, merged in the order learnt; new characters: `UNKNOWN`."""
        tokens = spell(word)
        while known := self.ranks.keys() & set(pairwise(tokens)):
            tokens = merge(tokens, min(known, key=self.ranks.__getitem__))
        return [token if token in self.ids else UNKNOWN for token in tokens]

    def decode(self, tokens: Iterable[str]) -> str:
        """Return the words of the tokens, a space between them."""
        return "".join(tokens).replace(END_OF_WORD, " ").removesuffix(" ")
