"""BERT pre-trained on the text of a task itself, or on as much text from outside.

Krishna et al. (2022). Both texts are single sentences, the task's without its labels, and those
drawn from the running text of about as many tokens; the tokens, the network, the recipe and the
steps are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnlm2bert.experiments.bert.pretraining import (
    AROUND,
    Pieces,
    TrainingTask,
    begun,
    formed,
    hiding,
    training_config,
)
from nnlm2bert.experiments.bert.recipes import OBJECTIVES, BERTRecipe, Stage
from nnlm2bert.models.bert import BERT
from nnlm2bert.tokenizers.sentences import find_sentences
from nnlm2bert.tokenizers.subwords import SubwordEncoder, TokenStream
from nnlm2bert.tokenizers.wordpiece import SEPARATOR_ID
from nnlm2bert.training import derived_seed
from nnlm2bert.training.packed_batches import StagedBatches
from nnlm2bert.transfer import Task
from nnlm2bert.transfer.input_transformations import spelled

TEXTS = ("own", "outside")


@dataclass(frozen=True)
class SelfTraining:
    """How long BERT is trained on a small text: steps of so many tokens, many times through it."""

    steps: int
    batch_tokens: int


def sentences_of(task: Task, encoder: SubwordEncoder) -> TokenStream:
    """Return the sentences that a task is learned from, each once, as a stream of documents."""
    found = dict.fromkeys(s for example in task.splits["train"] for s in example.sentences)
    return stream_of([spelled(sentence, encoder) for sentence in found], encoder)


def sentences_outside(stream: TokenStream, tokens: int, seed: int) -> TokenStream:
    """Return sentences drawn from a stream, of about so many tokens in all, ends included."""
    sentences = find_sentences(stream.ids, stream.starts, stream.sentences, end=SEPARATOR_ID)
    generator = np.random.default_rng(derived_seed("outside", seed))
    order = generator.permutation(len(sentences))
    lengths = (sentences.ends - sentences.begins).numpy()[order] + 1
    chosen = order[: max(1, int((lengths.cumsum() <= tokens).sum()))]
    rows = [stream.ids[sentences.begins[n] : sentences.ends[n]].tolist() for n in chosen.tolist()]
    return stream_of(rows, SubwordEncoder(stream.tokenizer))


def stream_of(rows: Sequence[Sequence[int]], encoder: SubwordEncoder) -> TokenStream:
    """Return sentences as a stream, each a document with its end."""
    ids = np.array([token for row in rows for token in (*row, SEPARATOR_ID)], np.int32)
    ends = np.cumsum([len(row) + 1 for row in rows])
    starts = np.append(0, ends[:-1])
    return TokenStream(ids, starts, len(ids) - len(rows), encoder.tokenizer, starts)


def self_trained(
    text: TokenStream,
    recipe: BERTRecipe,
    how: SelfTraining,
    seed: int,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> BERT:
    """Return a BERT trained to restore words of single sentences; the seed is of its start, too."""
    objective = OBJECTIVES["masked"]
    own = replace(recipe, batch_tokens=how.batch_tokens, stages=(Stage(1.0, recipe.context),))
    room = own.context - AROUND
    sentences = find_sentences(
        text.ids, text.starts, text.sentences, end=SEPARATOR_ID, longest=room
    )
    pieces = Pieces(text.ids, sentences, sentences.pack(room))
    packed = pieces.batches(own.batch_tokens, seed, None)
    masking = hiding(text.tokenizer.get_vocab_size(), objective, own.stages[0].hidden)
    batches = StagedBatches([(how.steps, formed(packed, objective, masking, seed))])
    network = begun(text, objective, own, seed)
    task = TrainingTask(network, batches, training_config(own, how.steps, seed))
    task.train(checkpoint, device=device)
    return network.to("cpu")
