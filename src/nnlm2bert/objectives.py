"""What a model is asked to predict: running text in, (inputs, targets) out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.tokenizers.sentences import Sentences

IGNORED = -100
"""In the place of a target: nothing is to be predicted there."""
IS_NEXT, NOT_NEXT = 0, 1
"""Whether a second segment is what follows the first."""
STARTS_TRIED = 64
"""Places at which a segment of another document is tried, to find one of the right length."""


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


def next_tokens(tokens: Tensor, inside: Tensor | None = None) -> Tensor:
    """Return what follows each of tokens (B, T), `IGNORED` where nothing does: (B, T).

    ``inside`` (B, T): False at padding, which is at the right and never to be predicted.
    """
    targets = F.pad(tokens[:, 1:], (0, 1), value=IGNORED)
    if inside is None:
        return targets
    return targets.masked_fill(~F.pad(inside[:, 1:], (0, 1)), IGNORED)


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden from a model that is to restore them (Devlin et al. 2018, task 1).

    mask: the id of the blank. vocabulary_size: V. special: ids that are neither chosen nor put in
    another's place, such as marks and padding; the blank is always one of them. share: of a
    sequence's other tokens that is chosen, at least one. Of those chosen the share ``masked``
    becomes the blank, the share ``random`` any ordinary token, and the rest stays as it is; of the
    paper's table 8 each row is a choice of these two.

    Raises:
        ValueError: for shares that are none, or ids beyond the vocabulary.
    """

    mask: int
    vocabulary_size: int
    special: tuple[int, ...] = ()
    share: float = 0.15
    masked: float = 0.8
    random: float = 0.1

    def __post_init__(self) -> None:
        kept = 1 - self.masked - self.random
        if not 0 < self.share <= 1 or min(self.masked, self.random, round(kept, 9)) < 0:
            raise ValueError(
                f"share={self.share} is to lie above 0 and up to 1; masked={self.masked} and "
                f"random={self.random} are not below 0 and together at most 1"
            )
        if not all(0 <= number < self.vocabulary_size for number in self.never):
            raise ValueError(f"not all of {self.never} are ids of {self.vocabulary_size} tokens")

    @property
    def never(self) -> tuple[int, ...]:
        """The ids that are neither chosen nor put in another's place."""
        return tuple(sorted({self.mask, *self.special}))

    def ordinary(self) -> Tensor:
        """Return all other ids."""
        kept = torch.ones(self.vocabulary_size, dtype=torch.bool)
        kept[list(self.never)] = False
        return kept.nonzero().squeeze(1)


def masked_words(
    tokens: Tensor,
    masking: Masking,
    generator: torch.Generator,
    continuing: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide some of tokens (B, T), drawn anew at each call, and return inputs and targets (B, T).

    The targets are the tokens that were chosen, `IGNORED` elsewhere. In each sequence the share
    is kept to, up to rounding.

    Args:
        continuing: (V,), whether a token continues the word of the one before. With it whole words
            are chosen, each token of theirs hidden by a draw of its own, as in the later releases
            of the authors' program; a word that would exceed the share is passed over.
    """
    free = ~torch.isin(tokens, torch.tensor(masking.never))
    counts = (masking.share * free.sum(dim=1)).round().long().clamp(min=1)  # (B,)
    if continuing is None:
        chosen = _tokens_chosen(free, counts, generator)
    else:
        chosen = _words_chosen(free, counts, _word_numbers(tokens, free, continuing), generator)
    fate = torch.rand(tokens.shape, generator=generator)
    ordinary = masking.ordinary()
    others = ordinary[torch.randint(len(ordinary), tokens.shape, generator=generator)]
    inputs = tokens.masked_fill(chosen & (fate < masking.masked), masking.mask)
    changed = chosen & (fate >= masking.masked) & (fate < masking.masked + masking.random)
    return torch.where(changed, others, inputs), tokens.masked_fill(~chosen, IGNORED)


def _tokens_chosen(free: Tensor, counts: Tensor, generator: torch.Generator) -> Tensor:
    """Choose so many (B,) of each sequence's free places: (B, T)."""
    order = torch.rand(free.shape, generator=generator).masked_fill(~free, 2).argsort(dim=1)
    ranks = order.argsort(dim=1)
    return (ranks < counts.unsqueeze(1)) & free


def _word_numbers(tokens: Tensor, free: Tensor, continuing: Tensor) -> Tensor:
    """Return the number of each place's word in its sequence, from 0: (B, T)."""
    begins = ~continuing[tokens] | ~free
    begins[:, 0] = True
    return begins.cumsum(dim=1) - 1


def _words_chosen(
    free: Tensor, counts: Tensor, numbers: Tensor, generator: torch.Generator
) -> Tensor:
    """Choose whole words of each sequence, together at most so many tokens (B,): (B, T)."""
    sizes = torch.zeros_like(numbers).scatter_add(1, numbers, free.long())  # 0: no word
    order = torch.rand(free.shape, generator=generator).argsort(dim=1)
    taken = torch.zeros_like(free)
    rows = zip(order.tolist(), sizes.tolist(), counts.tolist(), strict=True)
    for row, (words, lengths, left) in enumerate(rows):
        for word in words:
            if 0 < lengths[word] <= left:
                taken[row, word] = True
                left -= lengths[word]
            if not left:
                break
    return taken.gather(1, numbers) & free


class Pairs(NamedTuple):
    """Two segments a row, ``[begin, end)`` in the text (N, 2) each, and their relation (N,)."""

    first: Tensor
    second: Tensor
    relations: Tensor


def next_sentence(
    sentences: Sentences, pieces: Tensor, generator: torch.Generator, true: float = 0.5
) -> Pairs:
    """Cut pieces of text in two, and put a segment of another document for some of the seconds.

    Task 2 of Devlin et al. (2018). Both segments begin and end with a sentence, so that only their
    content tells. The other document's segment is one of the same length if `STARTS_TRIED` draws
    find one, else the longest that is shorter, cut if even its first sentence is too long.

    Args:
        pieces: (N, 2), first sentence and the one after the last: `Sentences.pack`. At least two
            sentences each.
        true: probability of the true second segment.

    Returns:
        the pairs; their relation is `IS_NEXT` or `NOT_NEXT`.

    Raises:
        ValueError: for a piece of one sentence, or a text of one document.
    """
    first, second = _halves(sentences, pieces, generator)
    relations = (torch.rand(len(pieces), generator=generator) >= true).long()
    false = relations == NOT_NEXT
    lengths = (second[:, 1] - second[:, 0])[false]
    second[false] = _elsewhere(sentences, pieces[false, 0], lengths, generator)
    return Pairs(first, second, relations)


def sentence_order(sentences: Sentences, pieces: Tensor, generator: torch.Generator) -> Pairs:
    """Cut pieces of text in two, and exchange the halves of half of them.

    The task of ALBERT (Lan et al. 2020, section 3.1): what the two are about says nothing. As
    `next_sentence`, but ``NOT_NEXT`` is a pair in the wrong order.
    """
    first, second = _halves(sentences, pieces, generator)
    relations = (torch.rand(len(pieces), generator=generator) >= 0.5).long()
    turned = (relations == NOT_NEXT).unsqueeze(1)
    return Pairs(torch.where(turned, second, first), torch.where(turned, first, second), relations)


def _halves(
    sentences: Sentences, pieces: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut each piece between two of its sentences: two segments (N, 2)."""
    begin, end = pieces.unbind(dim=1)
    if (end - begin < 2).any():
        raise ValueError("a piece of one sentence has no second half: leave such pieces out")
    draws = torch.rand(len(pieces), generator=generator, dtype=torch.float64)
    border = begin + 1 + (draws * (end - begin - 1)).long()
    first = torch.stack([sentences.begins[begin], sentences.ends[border - 1]], dim=1)
    return first, torch.stack([sentences.begins[border], sentences.ends[end - 1]], dim=1)


def _elsewhere(
    sentences: Sentences, own: Tensor, lengths: Tensor, generator: torch.Generator
) -> Tensor:
    """Return segments (M, 2) of such lengths (M,) in other documents than sentences ``own`` (M,).

    A start is any sentence elsewhere; the segment ends with its last sentence that fits.
    """
    documents, ends = sentences.documents, sentences.ends
    low = torch.searchsorted(documents, documents[own])
    own_count = torch.searchsorted(documents, documents[own], right=True) - low
    if (own_count == len(sentences)).any():
        raise ValueError("a text of one document has no other to take a segment from")
    draws = torch.rand(len(own), STARTS_TRIED, generator=generator, dtype=torch.float64)
    starts = (draws * (len(sentences) - own_count).unsqueeze(1)).long()
    starts += own_count.unsqueeze(1) * (starts >= low.unsqueeze(1))
    most = sentences.begins[starts] + lengths.unsqueeze(1)
    last = torch.searchsorted(documents, documents[starts], right=True) - 1
    last = torch.minimum(torch.searchsorted(ends, most, right=True) - 1, last)
    whole = last >= starts
    stops = torch.where(whole, ends[last], most)
    missing = torch.where(whole, most - stops, lengths.unsqueeze(1))
    best = missing.argmin(dim=1, keepdim=True)
    return torch.cat([sentences.begins[starts].gather(1, best), stops.gather(1, best)], dim=1)
