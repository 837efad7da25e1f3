"""BERT, and what it is held against, trained once on each of the book's texts and objectives.

The running text is read in pieces of words (WordPiece), Pocket English word by word; both in pieces
of whole sentences, ``[CLS] first half [SEP] second half [SEP]``, alike for all objectives. Devlin
et al. (2018), sections 3.1 and 5.1, of which the four objectives of `recipes.COMPARED` are
those of table 5. On the way the weights are kept at steps that double.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.bert.beginnings import Words, begin, tied_softmax
from nnlm2bert.experiments.bert.recipes import (
    NETWORKS,
    OBJECTIVES,
    BERTRecipe,
    Objective,
    recipe,
    stage_steps,
)
from nnlm2bert.experiments.gpt.pretraining import (
    Snapshots,
    log_frequencies,
    snapshot_folder,
    snapshot_steps,
    weights,
    word_tokenizer,
)
from nnlm2bert.experiments.pretraining import (
    TEXTS,
    WORDS,
    digest,
    pocket_english,
    text_settings,
)
from nnlm2bert.experiments.token_streams import VOCABULARY_SIZE, running_tokens
from nnlm2bert.models.other_blocks import rescale
from nnlm2bert.objectives import Masking, next_tokens
from nnlm2bert.tokenizers.sentences import Sentences, find_sentences
from nnlm2bert.tokenizers.subwords import TokenStream, encode_text
from nnlm2bert.tokenizers.wordpiece import (
    CLASS_ID,
    MASK_ID,
    PADDING_ID,
    SEPARATOR,
    SEPARATOR_ID,
    SPECIAL,
    UNKNOWN,
)
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.batches import Batches
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.training.packed_batches import Marks, MaskedBatches, PackedBatches, StagedBatches
from nnlm2bert.transfer.bert_inputs import Network

log = logging.getLogger(__name__)

MARKS = Marks(CLASS_ID, SEPARATOR_ID, PADDING_ID)
AROUND = 3
"""Marks around the two halves of a piece."""
FINAL_FRACTION = 0.02
"""What is left of the learning rate at the end."""

Batch = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A trained network, how it cuts words into tokens, and how its training went.

    ``losses`` are nats a token, of the second task, too, if there is one, means over the steps
    before each of ``steps``.
    """

    objective: str
    network: Network
    tokenizer: Tokenizer
    tokens_per_second: float
    steps: Sequence[int]
    losses: Sequence[float]


def pretrained_bert(
    objective: str,
    seed: int,
    scale: str,
    cache: Path,
    text: str = "running text",
    device: str = "cpu",
) -> Pretrained:
    """Return the network of an objective and a text, from the folder `cache` or trained for it.

    An interrupted training goes on from its checkpoint in `cache`. Raises `UserError` for an
    unknown objective or text.
    """
    path = place(objective, seed, scale, cache, text)
    if not path.is_file():
        log.info("Training on %s: %s.", text, settings(objective, text, scale))
        train_and_keep(path, objective, seed, scale, text, device)
    return load(path, objective, scale, text)


def load(path: Path, objective: str, scale: str, text: str) -> Pretrained:
    """Return what `train_and_keep` wrote."""
    return restored(path, objective, OBJECTIVES[objective], recipe(objective, text, scale))


def restored(path: Path, name: str, objective: Objective, chosen: BERTRecipe) -> Pretrained:
    """Return what `keep` wrote of an objective, under a name, by a recipe."""
    kept = read_checkpoint(path)
    tokenizer = Tokenizer.from_str(kept["tokenizer"])
    kind = objective.network
    network = NETWORKS[kind](chosen.config(tokenizer.get_vocab_size(), kind))
    network.load_state_dict(kept["weights"])
    told = (kept["tokens a second"], kept["steps"], kept["losses"])
    return Pretrained(name, network.eval(), tokenizer, *told)


def settings(objective: str, text: str, scale: str) -> dict[str, Any]:
    """Return all that a network depends on, but the seed."""
    for name, known in ((objective, OBJECTIVES), (text, TEXTS)):
        if name not in known:
            raise UserError(f"There is no BERT of '{name}'. Choose one of: {', '.join(known)}.")
    return {
        "stage": "BERT",
        "objective": asdict(OBJECTIVES[objective]),
        **asdict(recipe(objective, text, scale)),
        "tokens": VOCABULARY_SIZE if text == "running text" else "words",
    }


def place(objective: str, seed: int, scale: str, cache: Path, text: str) -> Path:
    """Return the file that a network is kept in."""
    name = digest({**settings(objective, text, scale), "text": text_settings(text, scale)})
    words = f"BERT {objective} {text}".replace(" ", "-")
    return cache / f"{words}-{name}-seed-{seed}.pt"


def read(text: str, scale: str, cache: Path) -> TokenStream:
    """Return a text in tokens, `SEPARATOR` after each document."""
    if text == "running text":
        return running_tokens(cache=cache, kind="wordpiece")
    found = pocket_english(WORDS[scale])
    return encode_text(word_tokenizer(found.types, SPECIAL, UNKNOWN), found, SEPARATOR)


def train_and_keep(
    path: Path, objective: str, seed: int, scale: str, text: str, device: str
) -> None:
    """Train a network and write it, its tokenizer and how it went, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream, chosen = read(text, scale, path.parent), recipe(objective, text, scale)
    task = training_task(stream, OBJECTIVES[objective], chosen, seed)
    keep(path, task, stream.tokenizer, chosen.batch_tokens, device)


def keep(
    path: Path, task: TrainingTask, tokenizer: Tokenizer, batch_tokens: int, device: str
) -> None:
    """Train what a task says, and write the network, its tokenizer and how it went, to a file."""
    checkpoint = path.with_suffix(".checkpoint.pt")
    result = task.train(checkpoint, snapshot_folder(path), device)
    kept = {
        "weights": weights(task.network),
        "tokenizer": tokenizer.to_str(),
        "tokens a second": result.step * batch_tokens / result.training_seconds,
        "steps": result.history.steps,
        "losses": result.history.losses,
    }
    write_checkpoint(path, kept)
    checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """A network as it begins, its batches, and how it is to be trained on them."""

    network: Network
    batches: StagedBatches
    config: TrainingConfig

    def train(
        self, checkpoint: Path | None = None, kept: Path | None = None, device: str = "cpu"
    ) -> TrainingResult:
        """Train the network; ``kept``: a folder for its weights at `snapshot_steps`, or None."""
        keep = None if kept is None else Snapshots(self.batches, self.config.steps, kept)
        return train(
            self.network,
            lambda network, batch: network.loss(**batch),
            self.batches,
            self.config,
            evaluate=keep,
            checkpoint=checkpoint,
            device=device,
        )


def training_task(
    stream: TokenStream,
    objective: Objective,
    chosen: BERTRecipe,
    seed: int,
    steps: int | None = None,
) -> TrainingTask:
    """Return what is to be trained on a stream; as many steps as its passes make, or ``steps``."""
    contexts = dict.fromkeys(stage.context for stage in chosen.stages)
    sources = {context: Pieces.of(stream, context) for context in contexts}
    if steps is None:
        longest = sources[chosen.context].batches(chosen.batch_tokens, seed, "following")
        steps = max(len(chosen.stages), round(chosen.passes * len(longest)))
    staged = []
    for stage, count in zip(chosen.stages, stage_steps(chosen.stages, steps), strict=True):
        pieces = sources[stage.context]
        packed = pieces.batches(chosen.batch_tokens, seed, objective.pairs)
        masking = hiding(stream.tokenizer.get_vocab_size(), objective, stage.hidden)
        staged.append((count, formed(packed, objective, masking, seed)))
    network = begun(stream, objective, chosen, seed)
    return TrainingTask(network, StagedBatches(staged), training_config(chosen, steps, seed))


@dataclass(frozen=True, eq=False)
class Pieces:
    """A stream cut into pieces of at least two whole sentences that fit into a context.

    A sentence longer than half of the room is cut, so that nearly all of the text is kept.
    """

    ids: np.ndarray
    sentences: Sentences
    pieces: Tensor

    @classmethod
    def of(cls, stream: TokenStream, context: int) -> Pieces:
        """Cut up a stream; sequences are at most ``context`` tokens, marks included."""
        room = context - AROUND
        where = (stream.ids, stream.starts, stream.sentences)
        sentences = find_sentences(*where, end=SEPARATOR_ID, longest=room // 2)
        return cls(stream.ids, sentences, sentences.pack(room, sentences=2))

    def batches(self, tokens: int, seed: int, pairs: str | None) -> PackedBatches:
        """Return them in batches of at most so many tokens."""
        return PackedBatches(self.ids, self.sentences, self.pieces, MARKS, tokens, seed, pairs)


def hiding(vocabulary_size: int, objective: Objective, share: float) -> Masking:
    """Return how an objective hides a share of a text's tokens, none of the special ones."""
    return Masking(
        MASK_ID,
        vocabulary_size,
        special=tuple(range(len(SPECIAL))),
        share=share,
        masked=objective.masked,
        random=objective.random,
    )


def formed(packed: PackedBatches, objective: Objective, masking: Masking, seed: int) -> Batches:
    """Return batches as the network of an objective takes them."""
    if objective.network == "BERT":
        return MaskedBatches(packed, masking, seed)
    return FormedBatches(packed, {"GPT": left_to_right}.get(objective.network, both_ways))


def left_to_right(batch: Batch) -> Batch:
    """Return the tokens (B, T) of a batch, and what follows each (B, T)."""
    tokens = batch["tokens"]
    return {"tokens": tokens, "targets": next_tokens(tokens, batch.get("inside"))}


def both_ways(batch: Batch) -> Batch:
    """Return the tokens (B, T) of a batch, and where there is no padding, if there is any."""
    return {name: batch[name] for name in ("tokens", "inside") if name in batch}


class FormedBatches:
    """The batches of another source, each in the form that a network takes."""

    def __init__(self, source: Batches, form: Callable[[Batch], Batch]) -> None:
        self.source, self.form = source, form

    def __len__(self) -> int:
        """Return the number of batches of one epoch."""
        return len(self.source)

    def batch(self, step: int) -> Batch:
        """Return the batch of update ``step``, counted from 0 over all epochs."""
        return self.form(self.source.batch(step))

    def identity(self) -> dict[str, Any]:
        """Return what tells this source from another."""
        return {"form": self.form.__name__, "source": self.source.identity()}


def begun(stream: TokenStream, objective: Objective, chosen: BERTRecipe, seed: int) -> Network:
    """Return a network as it begins: its weights drawn, its bias the tokens' log-frequencies."""
    size = stream.tokenizer.get_vocab_size()
    seed_everything(derived_seed("BERT", seed) % 2**32)
    network = NETWORKS[objective.network](chosen.config(size, objective.network))
    ids = torch.from_numpy(stream.ids.astype(np.int32))
    rescale(network, chosen.spread)
    with torch.no_grad():
        tied_softmax(network)[1].copy_(log_frequencies(ids, size))
    begin(network, chosen.beginning, words(stream), seed)
    return network


def words(stream: TokenStream) -> Words:
    """Return the tokens of a stream, sentence by sentence, as `beginnings` reads them."""
    lengths = np.diff(stream.sentences, append=len(stream))
    owners = np.arange(len(lengths), dtype=np.int32).repeat(lengths)
    return Words(stream.ids, owners, stream.tokenizer.get_vocab_size())


def training_config(chosen: BERTRecipe, steps: int, seed: int) -> TrainingConfig:
    """Return how a recipe trains a network in so many steps."""
    return TrainingConfig(
        steps=steps,
        batch_size=1,
        learning_rate=chosen.learning_rate,
        warmup_steps=int(chosen.warmup * steps),
        final_fraction=FINAL_FRACTION,
        betas=(0.9, 0.99),
        clip=chosen.clip,
        precision=chosen.precision,
        evaluate_every=snapshot_steps(steps)[0],
        checkpoint_every=500,
        log_every=max(1, steps // 60),
        seed=seed,
    )
