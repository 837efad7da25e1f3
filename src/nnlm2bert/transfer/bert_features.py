"""Vectors of words in their sentences from a frozen BERT, or from what it is held against.

The place of a `contextual.Contextual` for networks that read pieces of words between BERT's marks:
`Features` and `ContextualEncoder` take either, so that all stand below the same heads. Devlin et
al. (2018), section 5.3.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.bert_inputs import (
    MarkedBatch,
    MarkedSequence,
    Network,
    at_spans,
    layer_vectors,
    word_by_word,
)
from nnlm2bert.transfer.contextual import SentenceReader
from nnlm2bert.transfer.marked_words import MarkedWords

log = logging.getLogger(__name__)

TOKENS_AT_ONCE = 4_096


@dataclass(frozen=True, eq=False)
class MarkedReader:
    """A network that reads sentences of word tokens, as they were published, in lower case.

    Each stands between ``[CLS]`` and ``[SEP]``; a word's vectors are those of `at_spans`.
    ``encoder``: how words become tokens.
    """

    network: Network
    encoder: SubwordEncoder | MarkedWords

    @torch.no_grad()
    def extract(
        self, sentences: Sequence[Sequence[str]], tokens_a_batch: int = TOKENS_AT_ONCE
    ) -> list[Tensor]:
        """Return the layers (T, L + 1, D) of each sentence's T words, float16 on the CPU.

        In evaluation mode; sentences of similar length are read together.
        """
        began, was_training = time.perf_counter(), self.network.training
        context, encode = self.network.config.context, MarkedWords.of(self.encoder)
        parts = [word_by_word(sentence, encode, context) for sentence in sentences]
        found = [sequence for part in parts for sequence in part]
        self.network.eval()
        read = self._read(found, tokens_a_batch) if found else []
        self.network.train(was_training)
        words, seconds = sum(map(len, sentences)), time.perf_counter() - began
        log.info("%d words were read, %.0f a second.", words, words / max(seconds, 1e-9))
        pieces = iter(read)
        return [torch.cat([next(pieces) for _ in part]) for part in parts]

    def _read(self, found: Sequence[MarkedSequence], tokens_a_batch: int) -> list[Tensor]:
        """Return the layers (P, L + 1, D) at the spans of each sequence."""
        read: list[Tensor] = [torch.empty(0)] * len(found)
        lengths = [len(sequence.tokens) for sequence in found]
        batches = LengthBatches(lengths, tokens_a_batch, Tensor.tolist, seed=0)
        for number in range(len(batches)):
            chosen = batches.batch(number)
            batch = MarkedBatch.of([found[n] for n in chosen], _device(self.network))
            vectors = at_spans(self.network, layer_vectors(self.network, batch), batch)
            spans = [len(found[n].spans) for n in chosen]
            for n, part in zip(chosen, vectors.half().cpu().split(spans), strict=True):
                read[n] = part
        return read

    def digest(self) -> str:
        """Return a name of all that `extract` depends on, but the sentences."""
        kind = type(self.network).__name__
        settings = f"{kind} {self.network.config!r} {_tokens(self.encoder)}"
        checksum = hashlib.sha256(settings.encode("utf-8"))
        for parameter in self.network.parameters():
            checksum.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return checksum.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Concatenated:
    """Several layers of another reader side by side, as if they were one.

    What Devlin et al. (2018), table 7, find best of the frozen: the last four.
    """

    reader: SentenceReader
    layers: tuple[int, ...]

    def extract(self, sentences: Sequence[Sequence[str]]) -> list[Tensor]:
        """Return (T, 1, N D) of each sentence's T words for N layers."""
        found = self.reader.extract(sentences)
        return [vectors[:, list(self.layers)].flatten(1).unsqueeze(1) for vectors in found]

    def digest(self) -> str:
        """Return a name of all that `extract` depends on, but the sentences."""
        return "-".join([self.reader.digest(), *map(str, self.layers)])


def _tokens(encoder: SubwordEncoder | MarkedWords) -> str:
    """All that a word's tokens depend on."""
    if isinstance(encoder, MarkedWords):
        return f"{encoder.cls} {encoder.sep} {sorted(encoder.vocabulary.items())}"
    return encoder.tokenizer.to_str()


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device
