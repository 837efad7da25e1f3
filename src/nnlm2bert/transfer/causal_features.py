"""Vectors of words in what stands before them: the layers of a frozen GPT, for another network.

The place of a `contextual.Contextual` for a network that reads from the left alone: `Features` and
`ContextualEncoder` take either, so that both stand below the same heads.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import Transformer
from nnlm2bert.tokenizers.fast_bpe import END_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.fine_tuning import padded
from nnlm2bert.transfer.input_transformations import TokenSequence, word_by_word

log = logging.getLogger(__name__)

TOKENS_AT_ONCE = 4096


def layer_vectors(network: Transformer, tokens: Tensor) -> list[Tensor]:
    """Return the vectors (B, T, D) of each layer for tokens (B, T), the embedding's first."""
    found = [network.layers[0](tokens)]
    for block in network.layers[1:]:
        found.append(block(found[-1]))
    return found


@dataclass(frozen=True, eq=False)
class CausalReader:
    """A GPT that reads sentences of word tokens, as they were published, in lower case.

    A word's vectors are those at its last token, where all of the word has been read and nothing of
    what follows. A sentence stands after the mark that ends a document, as in pre-training; what
    does not fit into the context is read on its own.
    """

    gpt: GPT
    encoder: SubwordEncoder

    @torch.no_grad()
    def extract(
        self, sentences: Sequence[Sequence[str]], tokens_a_batch: int = TOKENS_AT_ONCE
    ) -> list[Tensor]:
        """Return the layers (T, L + 1, D) of each sentence's T words, float16 on the CPU.

        In evaluation mode; sentences of similar length are read together.
        """
        began, was_training = time.perf_counter(), self.gpt.training
        parts = [self._sequences(sentence) for sentence in sentences]
        sequences = [sequence for part in parts for sequence in part]
        self.gpt.eval()
        read = self._read(sequences, tokens_a_batch) if sequences else []
        self.gpt.train(was_training)
        words, seconds = sum(map(len, sentences)), time.perf_counter() - began
        log.info("GPT read %d words, %.0f a second.", words, words / max(seconds, 1e-9))
        pieces = iter(read)
        return [torch.cat([next(pieces) for _ in part]) for part in parts]

    def _sequences(self, sentence: Sequence[str]) -> list[TokenSequence]:
        return word_by_word(sentence, self.encoder, self.gpt.config.context, first=END_ID)

    def _read(self, sequences: Sequence[TokenSequence], tokens_a_batch: int) -> list[Tensor]:
        """Return the layers (P, L + 1, D) at the places of each sequence."""
        found: list[Tensor] = [torch.empty(0)] * len(sequences)
        lengths = [len(sequence.tokens) for sequence in sequences]
        batches = LengthBatches(lengths, tokens_a_batch, Tensor.tolist, seed=0)
        for number in range(len(batches)):
            chosen = batches.batch(number)
            tokens, _ = padded([sequences[n] for n in chosen], self.gpt.bias.device)
            stacked = torch.stack(layer_vectors(self.gpt, tokens), dim=2).half().cpu()
            for n, vectors in zip(chosen, stacked, strict=True):
                found[n] = vectors[list(sequences[n].places)]
        return found

    def digest(self) -> str:
        """Return a name of all that `extract` depends on, but the sentences."""
        settings = f"{self.gpt.config!r} {self.encoder.tokenizer.to_str()}"
        checksum = hashlib.sha256(settings.encode("utf-8"))
        for parameter in self.gpt.layers.parameters():
            checksum.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return checksum.hexdigest()[:16]
