"""Tasks of all kinds as sequences of tokens, which one network that reads from the left can take.

Radford et al. (2018), section 3.3 and figure 1. ``<s>`` begins, ``<$>`` parts, ``<e>`` ends::

    sentence      <s> sentence <e>
    pair          <s> first <$> second <e>
    score         <s> first <$> second <e>  and  <s> second <$> first <e>, their vectors added
    choice        <s> text <$> answer <e>, one for each answer

The network is read at ``<e>``, where it has seen everything. Two kinds are ours::

    word          <s> sentence <$> word <e>
    tags          <s> sentence, read at the last token of each word

A word in question is said again, so that the whole sentence has been read before the answer: the
task takes the shape of the network. Tags have no such way out: at the last token of a word nothing
of what follows has been read.

What is too long for the context loses tokens at the end of its longest part, one by one, until all
parts and the marks fit; tags go on in a second sequence instead, as each word needs its vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nnlm2bert.tokenizers.fast_bpe import DELIMITER_ID, END_ID, START_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.transfer.first_layer import spelling
from nnlm2bert.transfer.tasks import Example


@dataclass(frozen=True)
class TokenSequence:
    """The ids of T tokens, and the P places at which the network is read."""

    tokens: tuple[int, ...]
    places: tuple[int, ...]


Transformation = Callable[[Example, SubwordEncoder, int], list[TokenSequence]]


def spelled(words: Sequence[str], encoder: SubwordEncoder) -> list[int]:
    """Return the tokens of words, spelled as the running text spells them (`spelling`)."""
    return encoder.encode([spelling(word) for word in words])[0]


def joined(parts: Sequence[Sequence[int]], context: int) -> TokenSequence:
    """Return ``<s> part <$> part ... <e>``, cut to ``context`` tokens, read at ``<e>``.

    Raises:
        ValueError: if there is no room for the marks and a token of each part.
    """
    tokens = [START_ID]
    for part in shortened(parts, context - len(parts) - 1):
        tokens += [*part, DELIMITER_ID]
    tokens[-1] = END_ID
    return TokenSequence(tuple(tokens), (len(tokens) - 1,))


def shortened(parts: Sequence[Sequence[int]], room: int) -> list[list[int]]:
    """Return the parts without the ends of the longest ones, together at most ``room`` tokens.

    Of parts of one length the last is cut first. Raises ValueError if ``room`` does not leave a
    token for each part.
    """
    if room < len(parts):
        raise ValueError(
            f"a context with room for {room} tokens besides the marks cannot hold {len(parts)} "
            "parts: build the network with a longer one"
        )
    lengths = [len(part) for part in parts]
    for _ in range(sum(lengths) - room):
        longest = max(range(len(lengths)), key=lambda n: (lengths[n], n))
        lengths[longest] -= 1
    return [list(part[:length]) for part, length in zip(parts, lengths, strict=True)]


def sentence(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return ``<s> sentence <e>``."""
    return [joined([spelled(example.sentences[0], encoder)], context)]


def pair(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return ``<s> first <$> second <e>``."""
    return [joined([spelled(side, encoder) for side in example.sentences], context)]


def both_orders(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return the pair and the pair turned round: neither sentence is the first by nature."""
    sides = [spelled(side, encoder) for side in example.sentences]
    return [joined(sides, context), joined(sides[::-1], context)]


def answers(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return ``<s> text <$> answer <e>`` for each answer: the sentences after the first."""
    text, *given = (spelled(side, encoder) for side in example.sentences)
    return [joined([text, answer], context) for answer in given]


def word(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return ``<s> sentence <$> word <e>`` for the word at the example's position."""
    words = example.sentences[0]
    asked = [words[example.position]]
    return [joined([spelled(words, encoder), spelled(asked, encoder)], context)]


def tags(example: Example, encoder: SubwordEncoder, context: int) -> list[TokenSequence]:
    """Return ``<s> sentence``, read at the last token of each word."""
    return word_by_word(example.sentences[0], encoder, context)


def word_by_word(
    words: Sequence[str], encoder: SubwordEncoder, context: int, first: int = START_ID
) -> list[TokenSequence]:
    """Return the words after the token ``first``, read at the last token of each word.

    Words that do not fit any more begin a new sequence; a word longer than the context is cut.
    """
    found, tokens, places = [], [first], []
    for each in words:
        pieces = encoder.word(spelling(each))[: context - 1]
        if len(tokens) + len(pieces) > context:
            found.append(TokenSequence(tuple(tokens), tuple(places)))
            tokens, places = [first], []
        tokens += pieces
        places.append(len(tokens) - 1)
    return [*found, TokenSequence(tuple(tokens), tuple(places))]


TRANSFORMATIONS: Mapping[str, Transformation] = {
    "sentence": sentence,
    "pair": pair,
    "score": both_orders,
    "choice": answers,
    "word": word,
    "tags": tags,
}
"""By the kind of a task (`transfer.tasks.Task`); "choice" is one more: which answer is right."""
