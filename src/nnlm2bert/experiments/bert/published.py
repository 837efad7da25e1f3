"""The chapter's tests that ask for no training, on the published BERT of Devlin et al. (2018).

Its weights are read by `models.google_bert`, its words cut by its own tokenizer. Words that one
side decides, hidden in held-out sentences, and pairs of neighbouring sentences, which it was
trained to tell from others.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.corpora.running import RunningText
from nnlm2bert.experiments.bert.cloze import PAIRS
from nnlm2bert.models.bert import BERT, IS_NEXT
from nnlm2bert.models.google_bert import (
    CLS,
    MASK,
    PUBLISHED,
    SEP,
    load_google_bert,
    load_google_tokenizer,
)
from nnlm2bert.tokenizers.subwords import SubwordEncoder

MOST = 100
"""Places of a word, and couples of sentences of each kind, that are asked about."""
LONGEST = 100
"""Tokens of a sentence that is asked about, without marks."""
AT_ONCE = 16
Sentence = list[str]


def measure_published(
    source: str | Path = PUBLISHED, text: str = "wikitext-2", most: int = MOST
) -> dict[str, float]:
    """Return what a published BERT, by its name or its folder, gets right of `measure`.

    ``text`` is one of `corpora.running.HELD_OUT_TEXT`, fetched if it is not there. Raises
    `UserError` if anything cannot be had.
    """
    from nnlm2bert.corpora.running import load_held_out

    bert, tokenizer = load_google_bert(source), load_google_tokenizer(source)
    return measure(bert, tokenizer, documents(load_held_out(text, lower=True)), most)


def documents(text: RunningText) -> list[list[Sentence]]:
    """Return the documents of running text, each a list of sentences, each a list of words."""
    borders = np.flatnonzero(np.diff(text.sentences, prepend=-1))
    found: dict[int, list[Sentence]] = {}
    for begin, end in zip(borders, [*borders[1:], len(text)], strict=True):
        words = [text.types[number] for number in text.ids[begin:end]]
        found.setdefault(int(text.documents[begin]), []).append(words)
    return list(found.values())


def measure(
    bert: BERT, tokenizer: Tokenizer, texts: Sequence[Sequence[Sentence]], most: int = MOST
) -> dict[str, float]:
    """Return shares of what is right: "words that the left decides", "... the right", "next".

    Of each pair of `PAIRS` both words are hidden equally often, and the likelier one is taken, so
    that guessing gets half of them; likewise of couples of sentences that follow each other and
    couples that do not. Kinds that the texts do not hold are left out.
    """
    found, sentences = {}, [sentence for text in texts for sentence in text]
    for side, pairs in PAIRS.items():
        known = [pair for pair in pairs if all(map(tokenizer.token_to_id, pair))]
        right = [hit for pair in known for hit in hits(bert, tokenizer, sentences, pair, most)]
        if right:
            found[f"words that the {side} decides"] = float(np.mean(right))
    if told := told_apart(bert, tokenizer, texts, most):
        found["next"] = float(np.mean(told))
    return found


def hits(
    bert: BERT,
    tokenizer: Tokenizer,
    sentences: Sequence[Sentence],
    pair: tuple[str, str],
    most: int,
) -> list[bool]:
    """Return of hidden words of a pair, equally many of both, whether the right one is likelier."""
    encoder = SubwordEncoder(tokenizer)
    places: dict[str, list[tuple[list[int], int]]] = {word: [] for word in pair}
    for sentence in sentences:
        ids, borders = encoder.encode(sentence)
        for word in pair if len(ids) <= LONGEST else ():
            if word in sentence:
                places[word].append((ids, borders[sentence.index(word)]))
    count = min(most, *map(len, places.values()))
    numbers = [tokenizer.token_to_id(word) for word in pair]
    right = []
    for truth, word in enumerate(pair):
        rows = []
        for ids, place in (places[word][n * len(places[word]) // count] for n in range(count)):
            rows.append([*ids[:place], tokenizer.token_to_id(MASK), *ids[place + 1 :]])
        for tokens, inside, segments in batches(tokenizer, [(row,) for row in rows]):
            blanks = tokens == tokenizer.token_to_id(MASK)
            with torch.no_grad():
                logits = bert.logits(bert(tokens, inside, segments)[blanks])[:, numbers]
            right += (logits.argmax(dim=1) == truth).tolist()
    return right


def told_apart(
    bert: BERT, tokenizer: Tokenizer, texts: Sequence[Sequence[Sentence]], most: int
) -> list[bool]:
    """Return of couples of sentences whether the head for pairs says rightly if they are one."""
    encoder, generator = SubwordEncoder(tokenizer), random.Random(0)
    couples = [
        (n, at)
        for n, text in enumerate(texts)
        for at in range(len(text) - 1)
        if all(len(encoder.encode(text[at + k])[0]) <= LONGEST for k in (0, 1))
    ]
    others = [n for n, _ in couples]
    if len(set(others)) < 2:
        return []
    kept = generator.sample(couples, min(most, len(couples)))
    right = []
    for follows in (True, False):
        rows = []
        for number, at in kept:
            second = texts[number][at + 1]
            if not follows:
                other, place = generator.choice([c for c in couples if c[0] != number])
                second = texts[other][place]
            rows.append(tuple(encoder.encode(part)[0] for part in (texts[number][at], second)))
        for tokens, inside, segments in batches(tokenizer, rows):
            with torch.no_grad():
                said = bert.relation_logits(bert(tokens, inside, segments)).argmax(dim=1)
            right += ((said == IS_NEXT) == follows).tolist()
    return right


def batches(
    tokenizer: Tokenizer, rows: Sequence[tuple[list[int], ...]]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield tokens, which of them are no padding, and segments (B, T) of rows of one or two parts.

    ``[CLS]`` stands before a row and ``[SEP]`` behind each part.
    """
    first, after = (tokenizer.token_to_id(mark) for mark in (CLS, SEP))
    for begin in range(0, len(rows), AT_ONCE):
        told, parts = [], []
        for row in rows[begin : begin + AT_ONCE]:
            told.append(torch.tensor([first, *(n for part in row for n in (*part, after))]))
            sizes = [len(part) + 1 for part in row]
            sizes[0] += 1
            parts.append(torch.repeat_interleave(torch.arange(len(row)), torch.tensor(sizes)))
        inside = [torch.ones(len(row), dtype=torch.bool) for row in told]
        yield tuple(pad_sequence(each, batch_first=True) for each in (told, inside, parts))
