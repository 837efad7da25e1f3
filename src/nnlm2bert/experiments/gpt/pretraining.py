"""GPT, trained once on each of the book's texts, and kept with its way of cutting words.

The running text is read in tokens of byte-pair encoding, Pocket English word by word; both as one
stream, documents parted by a mark, in windows of the context's length (Radford et al. 2018, section
4.1). On the way the weights are kept at steps that double, to watch what the network learns when.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.pretraining import WORDS, digest, pocket_english, text_settings
from nnlm2bert.experiments.token_streams import VOCABULARY_SIZE, running_tokens
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.tokenizers.fast_bpe import SPECIAL, UNKNOWN, encode_text
from nnlm2bert.tokenizers.subwords import TokenStream
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.training.stream_batches import StreamBatches

log = logging.getLogger(__name__)

TEXTS = ("running text", "Pocket English")
SNAPSHOTS = 8
"""How often the weights are kept on the way: after 1/128, 1/64, ..., 1/2 and all of the steps."""


@dataclass(frozen=True)
class GPTRecipe:
    """How GPT is trained: its sizes, and passes over the text in batches of windows."""

    width: int
    heads: int
    layers: int
    context: int
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    precision: str

    def config(self, vocabulary_size: int) -> TransformerConfig:
        """Return the network's sizes; the feed-forward layer has four units for each number."""
        return TransformerConfig(
            vocabulary_size,
            context=self.context,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
            inner=4 * self.width,
            dropout=self.dropout,
        )


RECIPES: dict[str, GPTRecipe] = {
    "running text": GPTRecipe(256, 4, 4, 128, 0.0, 1, 16, 1e-3, "bfloat16"),
    "Pocket English": GPTRecipe(96, 4, 4, 128, 0.0, 3, 8, 2e-3, "float32"),
}
SMALL = GPTRecipe(32, 2, 2, 64, 0.0, 1, 8, 3e-3, "float32")
"""The recipe of scale smoke."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A trained GPT, how it cuts words into tokens, and how its training went.

    ``losses`` are nats a token, means over the steps before each of ``steps``.
    """

    gpt: GPT
    tokenizer: Tokenizer
    tokens_per_second: float
    steps: Sequence[int]
    losses: Sequence[float]


def pretrained_gpt(
    seed: int, scale: str, cache: Path, text: str = "running text", device: str = "cpu"
) -> Pretrained:
    """Return the GPT of a text, read from the folder `cache` or trained and put there.

    An interrupted training goes on from its checkpoint in `cache`. Raises `UserError` for an
    unknown text.
    """
    path = place(seed, scale, cache, text)
    if not path.is_file():
        log.info("Training GPT on %s: %s.", text, settings(text, scale))
        train_and_keep(path, seed, scale, text, device)
    return load(path, scale, text)


def load(path: Path, scale: str, text: str) -> Pretrained:
    """Return what `train_and_keep` wrote."""
    kept = read_checkpoint(path)
    tokenizer = Tokenizer.from_str(kept["tokenizer"])
    gpt = GPT(recipe(text, scale).config(tokenizer.get_vocab_size()))
    gpt.load_state_dict(kept["weights"])
    speed = kept["tokens a second"]
    return Pretrained(gpt.eval(), tokenizer, speed, kept["steps"], kept["losses"])


def snapshots(path: Path) -> dict[int, Path]:
    """Return the files of the weights that were kept on the way, by step."""
    found = {int(file.stem): file for file in snapshot_folder(path).glob("*.pt")}
    return dict(sorted(found.items()))


def settings(text: str, scale: str) -> dict[str, Any]:
    """Return all that a GPT depends on, but the seed."""
    if text not in TEXTS:
        raise UserError(f"There is no GPT of '{text}'. Choose one of: {', '.join(TEXTS)}.")
    tokens = VOCABULARY_SIZE if text == "running text" else "words"
    return {"stage": "GPT", **asdict(recipe(text, scale)), "tokens": tokens}


def recipe(text: str, scale: str) -> GPTRecipe:
    """Return how the GPT of a text is trained; at scale smoke a small one."""
    return SMALL if scale == "smoke" else RECIPES[text]


def place(seed: int, scale: str, cache: Path, text: str) -> Path:
    """Return the file that a GPT is kept in."""
    name = digest({**settings(text, scale), "text": text_settings(text, scale)})
    return cache / f"GPT-{text.replace(' ', '-')}-{name}-seed-{seed}.pt"


def read(text: str, scale: str, cache: Path) -> TokenStream:
    """Return one of `TEXTS` in tokens."""
    if text == "running text":
        return running_tokens(cache=cache)
    found = pocket_english(WORDS[scale])
    return encode_text(word_tokenizer(found.types), found)


def word_tokenizer(
    words: Sequence[str], special: Sequence[str] = SPECIAL, unknown: str = UNKNOWN
) -> Tokenizer:
    """Return a tokenizer whose tokens are the special ones and whole words, in that order."""
    tokens = [*special, *(word for word in words if word not in special)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))


def train_and_keep(path: Path, seed: int, scale: str, text: str, device: str) -> None:
    """Train the GPT of a text and write it, its tokenizer and how it went, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".checkpoint.pt")
    stream = read(text, scale, path.parent)
    gpt, result = train_gpt(stream, recipe(text, scale), seed, path, checkpoint, device)
    batch_tokens = recipe(text, scale).batch_size * recipe(text, scale).context
    kept = {
        "weights": weights(gpt),
        "tokenizer": stream.tokenizer.to_str(),
        "tokens a second": result.step * batch_tokens / result.training_seconds,
        "steps": result.history.steps,
        "losses": result.history.losses,
    }
    write_checkpoint(path, kept)
    checkpoint.unlink(missing_ok=True)


def train_gpt(
    stream: TokenStream,
    config: GPTRecipe,
    seed: int,
    path: Path,
    checkpoint: Path | None = None,
    device: str = "cpu",
) -> tuple[GPT, TrainingResult]:
    """Train a GPT on a stream, keeping snapshots beside ``path``."""
    seed_everything(derived_seed("GPT", seed) % 2**32)
    gpt = GPT(config.config(stream.tokenizer.get_vocab_size()))
    ids = torch.from_numpy(stream.ids.astype(np.int32))
    with torch.no_grad():
        gpt.bias.copy_(log_frequencies(ids, len(gpt.bias)))
    batches = StreamBatches(ids, config.context, config.batch_size, seed)
    training = _training_config(config, config.epochs * len(batches), seed)
    result = train(
        gpt,
        lambda network, batch: network.loss(*batch),
        batches,
        training,
        evaluate=Snapshots(batches, training.steps, snapshot_folder(path)),
        checkpoint=checkpoint,
        device=device,
    )
    return gpt, result


def log_frequencies(ids: torch.Tensor, size: int) -> torch.Tensor:
    """Return the logarithm of each token's share of a stream (V,), as if seen half a time more."""
    counts = torch.bincount(ids, minlength=size) + 0.5
    return (counts / counts.sum()).log()


class Snapshots:
    """Keeps the weights at `snapshot_steps`; to be called every so many steps as the first says."""

    def __init__(self, batches: StreamBatches, steps: int, folder: Path) -> None:
        self.batches, self.folder = batches, folder
        self.steps = snapshot_steps(steps)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Write the weights, if this is a step to keep; nothing is measured."""
        step = self.batches.step + 1
        if step in self.steps:
            write_checkpoint(self.folder / f"{step}.pt", {"weights": weights(model)})
        return {}


def snapshot_steps(steps: int) -> list[int]:
    """Return the steps after which weights are kept: doubling, the last of them at most ``steps``.

    The first is the largest of which 2^7 times as much is no more than all steps, at least 1.
    """
    first = max(1, steps >> (SNAPSHOTS - 1))
    return [first << k for k in range(SNAPSHOTS) if first << k <= steps]


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of a network's weights by name, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def snapshot_folder(path: Path) -> Path:
    """Return the folder of the weights on the way to those in the file ``path``."""
    return path.with_name(f"{path.stem}-snapshots")


def _training_config(config: GPTRecipe, steps: int, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=min(500, steps // 10),
        final_fraction=0.02,
        betas=(0.9, 0.99),
        precision=config.precision,
        evaluate_every=snapshot_steps(steps)[0],
        checkpoint_every=500,
        log_every=max(1, steps // 60),
        seed=seed,
    )
