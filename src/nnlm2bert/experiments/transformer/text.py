"""An LSTM and a Transformer with equally many parameters on growing amounts of real text.

Pieces of the running text are drawn by lot, so that each text has something of all its sets, and
each larger one holds the smaller ones; the vocabulary is that of all of it, so that losses compare.
Both are tuned alike: at every size the same learning rates and shares of dropout are tried in
short, on the validation part, and the best is trained in full, its weights kept where the
validation part is predicted best. At scale ``smoke`` the text is Pocket English.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from nnlm2bert.corpora.running import HELD_OUT_TEXT
from nnlm2bert.corpora.store import cache_folder
from nnlm2bert.experiments.gpt.pretraining import log_frequencies, word_tokenizer
from nnlm2bert.experiments.pretraining import digest, pocket_english
from nnlm2bert.experiments.runner import Result
from nnlm2bert.experiments.token_streams import held_out_tokens, running_tokens
from nnlm2bert.files import write_text
from nnlm2bert.models.sequence_readers import NextWordModel, ReaderConfig, equal_sizes
from nnlm2bert.tokenizers.fast_bpe import encode_text
from nnlm2bert.tokenizers.subwords import TokenStream
from nnlm2bert.training import TrainingConfig, derived_seed, seed_everything, train
from nnlm2bert.training.stream_batches import StreamBatches

COMPARED = ("attention", "lstm")
VOCABULARY_SIZE = 2_000
"""Tokens of byte-pair encoding: few, so that most of the time goes into the readers."""
PIECE = 1_000
"""Tokens of a piece of text that is drawn: few enough that no book fills a small text."""
BLOCKS = 50
"""Units of each held-out text."""
WINDOWS_AT_ONCE = 32
SHORT = 4
"""A setting is tried in so many times fewer steps than are trained in full."""
CANDIDATES: tuple[tuple[float, float], ...] = ((1e-3, 0.0), (1e-3, 0.2), (3e-3, 0.0), (3e-3, 0.2))
"""Learning rates and shares of dropout that are tried."""


@dataclass(frozen=True)
class TextRecipe:
    """How the comparison is made at a scale.

    reader: the Transformer that the LSTM is made equal to; its context is the length of a window.
    sizes: name -> tokens to learn from; steps: name -> updates in full. batch: windows a step.
    validation, test: tokens of each held-out text, at most.
    """

    reader: ReaderConfig
    sizes: Mapping[str, int]
    steps: Mapping[str, int]
    batch: int
    evaluations: int
    validation: int
    test: int


_READER = ReaderConfig(width=128, layers=2, inner=512, heads=4, context=64, norm="pre")
_LAPTOP = TextRecipe(
    reader=_READER,
    sizes={"100k": 100_000, "300k": 300_000, "1m": 1_000_000, "3m": 3_000_000},
    steps={"100k": 600, "300k": 1_000, "1m": 1_500, "3m": 3_000},
    batch=16,
    evaluations=8,
    validation=10_000,
    test=60_000,
)
RECIPES: Mapping[str, TextRecipe] = {
    "smoke": TextRecipe(
        reader=replace(_READER, width=32, inner=128, context=16),
        sizes={"100k": 600, "300k": 1_000, "1m": 2_000, "3m": 4_000},
        steps={"100k": 6, "300k": 6, "1m": 9, "3m": 12},
        batch=8,
        evaluations=2,
        validation=1_000,
        test=2_000,
    ),
    "laptop": _LAPTOP,
    "gpu": _LAPTOP,
}


@dataclass
class Texts:
    """What is learned from and measured on at a scale, in tokens."""

    scale: str

    @property
    def recipe(self) -> TextRecipe:
        """The sizes."""
        return RECIPES[self.scale]

    @cached_property
    def stream(self) -> TokenStream:
        """All that can be learned from."""
        if self.scale == "smoke":
            text = pocket_english(8_000)
            return encode_text(word_tokenizer(text.types), text)
        return running_tokens(VOCABULARY_SIZE, cache=cache_folder() / "vectors")

    def learn(self, size: str) -> np.ndarray:
        """Return the ids (T,) of pieces of the text drawn by lot, in that order.

        Raises ValueError if there are not so many tokens.
        """
        tokens, ids = self.recipe.sizes[size], self.stream.ids
        pieces = ids[: len(ids) // PIECE * PIECE].reshape(-1, PIECE)
        if tokens > pieces.size:
            raise ValueError(f"{tokens:,} tokens are more than the text has: {pieces.size:,}")
        lots = np.random.default_rng(derived_seed("pieces")).permutation(len(pieces))
        return pieces[lots[: -(-tokens // PIECE)]].flatten()[:tokens]

    @cached_property
    def held_out(self) -> dict[str, TokenStream]:
        """Texts that nothing is learned from, by name."""
        if self.scale != "smoke":
            return {name: held_out_tokens(name, self.stream.tokenizer) for name in HELD_OUT_TEXT}
        text = pocket_english(16_000)
        last = replace(
            text,
            ids=text.ids[-6_000:],
            sentences=text.sentences[-6_000:],
            documents=text.documents[-6_000:],
        )
        return {"Pocket English": encode_text(self.stream.tokenizer, last)}

    def part(self, name: str) -> dict[str, np.ndarray]:
        """Return the "validation" or the "test" part: windows (N, L + 1) of each text.

        They are of the first, and of the second half.
        """
        first, most = name == "validation", getattr(self.recipe, name)
        found = {}
        for title, stream in self.held_out.items():
            half = len(stream) // 2
            ids = stream.ids[:half] if first else stream.ids[half:]
            found[title] = _windows(ids[:most], self.recipe.reader.context)
        return found


def _windows(ids: np.ndarray, length: int) -> np.ndarray:
    """Return windows (N, L + 1), each beginning with the last token of the one before."""
    return np.lib.stride_tricks.sliding_window_view(ids, length + 1)[::length]


def window_costs(model: NextWordModel, windows: np.ndarray) -> np.ndarray:
    """Return -log P of the tokens of windows (N, L + 1), but their first, in nats: (N, L)."""
    place = model.bias.device
    rows = torch.from_numpy(windows.astype(np.int64)).split(WINDOWS_AT_ONCE)
    costs = [model.costs(row[:, :-1].to(place), row[:, 1:].to(place)) for row in rows]
    return torch.cat(costs).double().cpu().numpy()


def train_text_reader(
    texts: Texts,
    kind: str,
    size: str,
    setting: Sequence[float],
    seed: int,
    short: bool = False,
    device: str = "cpu",
) -> tuple[NextWordModel, float]:
    """Train a reader on a text of a size; return it and its best validation loss, nats a token.

    setting: learning rate and dropout. short: with `SHORT` times fewer steps.
    """
    chosen, (rate, dropout) = texts.recipe, setting
    ids = torch.from_numpy(texts.learn(size).astype(np.int32))
    seed_everything(derived_seed(seed, "text reader"))
    config = replace(equal_sizes(chosen.reader)[kind], dropout=dropout)
    model = NextWordModel(len(texts.stream.vocabulary), config)
    with torch.no_grad():
        model.bias.copy_(log_frequencies(ids, len(model.bias)))
    validation = texts.part("validation")
    steps = chosen.steps[size] // (SHORT if short else 1)
    result = train(
        model,
        lambda network, batch: network.loss(*batch),
        StreamBatches(ids, chosen.reader.context, chosen.batch, seed),
        _training_config(chosen, steps, rate, seed),
        evaluate=lambda network: {"nats": _mean_cost(network, validation)},
        device=device,
    )
    return model, float(result.best or math.nan)


def _mean_cost(model: NextWordModel, parts: Mapping[str, np.ndarray]) -> float:
    return float(np.mean([window_costs(model, windows).mean() for windows in parts.values()]))


def _training_config(chosen: TextRecipe, steps: int, rate: float, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=steps,
        batch_size=chosen.batch,
        learning_rate=rate,
        warmup_steps=steps // 10,
        final_fraction=0.02,
        betas=(0.9, 0.98),
        precision="auto",
        evaluate_every=max(1, steps // chosen.evaluations),
        keep_best="nats",
        seed=seed,
    )


def tuned(texts: Texts, kind: str, size: str, device: str = "cpu") -> dict[str, float]:
    """Return the validation loss in nats a token of each of `CANDIDATES`, tried in short, by title.

    Tried once for all seeds, and kept in the cache.
    """
    form = {"kind": kind, "size": size, "candidates": CANDIDATES, "shorter": SHORT}
    name = digest({**form, **text_settings(texts.scale, size), "scale": texts.scale})
    path = cache_folder() / "vectors" / f"tuning-{kind}-{size}-{name}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    tried = {
        title(setting): train_text_reader(texts, kind, size, setting, 0, True, device)[1]
        for setting in CANDIDATES
    }
    write_text(path, json.dumps(tried))
    return tried


def best(tried: Mapping[str, float]) -> tuple[float, float]:
    """Return the setting, of `CANDIDATES`, with the lowest loss."""
    return min(CANDIDATES, key=lambda setting: tried[title(setting)])


def title(setting: Sequence[float]) -> str:
    """Return the name of a setting."""
    return f"rate {setting[0]:g}, dropout {setting[1]:g}"


def measure_small_text(texts: Texts, size: str, seed: int, device: str = "cpu") -> Result:
    """Tune and train both kinds on a text of a size, and measure them on the test part.

    Groups "attention" and "lstm": blocks of all held-out texts, tokens and nats.
    """
    figures: dict[str, float] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for kind in COMPARED:
        tried = tuned(texts, kind, size, device)
        setting = best(tried)
        model, validation = train_text_reader(texts, kind, size, setting, seed, device=device)
        costs = {name: window_costs(model, rows) for name, rows in texts.part("test").items()}
        groups[kind] = _blocks(costs.values())
        own = {
            **{f"tried {setting}": nats for setting, nats in tried.items()},
            **dict(zip(("rate", "dropout"), setting, strict=True)),
            "validation nats": validation,
            "parameters": model.config.parameters,
            **_figures(texts, costs),
        }
        figures |= {f"{kind}, {name}": value for name, value in own.items()}
    return Result(figures=figures, groups=groups)


def _figures(texts: Texts, costs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return nats a token and perplexity by the word of each held-out text."""
    found = {}
    for name, nats in costs.items():
        stream, mean = texts.held_out[name], float(nats.mean())
        found[f"{name}, nats a token"] = mean
        found[f"{name}, perplexity by the word"] = math.exp(mean * len(stream) / stream.words)
    return found


def _blocks(costs: Iterable[np.ndarray]) -> dict[str, list[float]]:
    """Return neighbouring windows as the units of a group."""
    parts = [block for nats in costs for block in np.array_split(nats, BLOCKS) if len(block)]
    return {
        "tokens": [block.size for block in parts],
        "nats": [round(float(block.sum()), 3) for block in parts],
    }


def text_settings(scale: str, size: str) -> dict[str, Any]:
    """Return what both kinds are compared by on a text of a size."""
    form = asdict(RECIPES[scale])
    own = {"tokens": form.pop("sizes")[size], "steps": form.pop("steps")[size]}
    return {"vocabulary": VOCABULARY_SIZE, "piece": PIECE, **own, **form}
