"""Vectors of words in their sentences, for another network: the layers of a frozen biLM.

Peters et al. (2018), "Deep contextualized word representations", sections 3.2 to 3.4. The biLM
reads every sentence once; what its layers say of a word never changes, so a task is learned from
stored features, and only how it mixes them (equation 1) is trained with the task.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.elmo import BiLM, ScalarMix
from nnlm2bert.objectives import both_directions
from nnlm2bert.tokenizers.characters import BEGIN, END, spell
from nnlm2bert.training import TrainingConfig, TrainingResult, adamw, train
from nnlm2bert.training.checkpoint import read_checkpoint, write_checkpoint
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.first_layer import SPREAD, UNKNOWN, FirstLayer, case_spelling
from nnlm2bert.transfer.layers import unfreeze
from nnlm2bert.transfer.training_recipe import at_own_rate

log = logging.getLogger(__name__)

Sentence = Sequence[str]
MIX = "mix"
WORDS_A_BATCH = 4096


@dataclass(frozen=True)
class Lexicon:
    """The words of some sentences, and the sentences as rows of them, without marks.

    ``words``: W input words, the marks first; ``spellings`` (W, C): their characters; ``rows``:
    for each sentence int64 (T,).
    """

    words: list[str]
    spellings: Tensor
    rows: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Contextual:
    """A biLM that reads sentences of word tokens, as they were published, case kept.

    bilm: the network; words: what its softmax predicts, in lower case, in the order of the outputs,
    the marks among them, and "<unk>" for all that have no output of their own; begin, end: the
    words that open and close a sequence; longest: bytes of a word that it reads
    (`characters.spell`). Words it has never seen are read by their characters.
    """

    bilm: BiLM
    words: Sequence[str]
    begin: str = BEGIN
    end: str = END
    longest: int = 16

    @cached_property
    def outputs(self) -> dict[str, int]:
        """The number of each word that can be predicted."""
        return {word: number for number, word in enumerate(self.words)}

    def lexicon(self, sentences: Sequence[Sentence]) -> Lexicon:
        """Return the sentences in rows of their words, each word spelled once."""
        spelled = {word: case_spelling(word) for sentence in sentences for word in sentence}
        marks = dict.fromkeys((self.begin, self.end))
        words = list(dict.fromkeys([*marks, *sorted(set(spelled.values()))]))
        places = {word: row for row, word in enumerate(words)}
        row = {word: places[written] for word, written in spelled.items()}
        rows = [np.array([row[word] for word in sentence], np.int64) for sentence in sentences]
        return Lexicon(words, spell(words, self.longest), rows)

    def targets(self, lexicon: Lexicon) -> Tensor:
        """Return the output word (W,) of each word of a lexicon.

        Raises ValueError if one has none and there is no "<unk>".
        """
        words = [word.lower() for word in lexicon.words]
        missing = [word for word in words if word not in self.outputs]
        if missing and UNKNOWN not in self.outputs:
            raise ValueError(
                f"{len(missing)} words, {missing[0]!r} first, are not among those predicted, and "
                f"{UNKNOWN!r} is not either: give sentences of predicted words alone"
            )
        return torch.tensor([self.outputs.get(w, self.outputs.get(UNKNOWN, -1)) for w in words])

    @torch.no_grad()
    def extract(
        self, sentences: Sequence[Sentence], words_a_batch: int = WORDS_A_BATCH
    ) -> list[Tensor]:
        """Return the layers (T, L + 1, 2P) of each sentence's words, float16 on the CPU.

        In evaluation mode; the marks are read and left out. Sentences of similar length are read
        together, at most `words_a_batch` places with marks and padding, or one sentence. float16
        keeps 11 bits of each number and halves the room: 1.5 KB a word at 2P = 256.
        """
        lexicon, device = self.lexicon(sentences), self._device
        spellings, began = lexicon.spellings.to(device), time.perf_counter()
        found: list[Tensor] = [torch.empty(0)] * len(sentences)
        with _evaluating(self.bilm):
            for numbers, words, lengths in self._once(lexicon, words_a_batch):
                layers = self.bilm(spellings, words.to(device), lengths.to(device))
                stacked = torch.stack(layers, dim=2).half().cpu()  # (B, T, L + 1, 2P)
                for number, vectors, length in zip(numbers.tolist(), stacked, lengths, strict=True):
                    found[number] = vectors[1 : length - 1].clone()
        read, seconds = sum(map(len, lexicon.rows)), time.perf_counter() - began
        log.info("The biLM read %d words, %.0f a second.", read, read / max(seconds, 1e-9))
        return found

    @torch.no_grad()
    def costs(self, sentences: Sequence[Sentence], words_a_batch: int = WORDS_A_BATCH) -> Tensor:
        """Return -log P (N, 2) in nats, float64, of each sentence from its left and its right.

        Each is the sum of T + 1 terms: from the left the T words and the mark of the end, from the
        right the T words and the mark of the begin. By the full softmax, in evaluation mode.
        """
        lexicon, device = self.lexicon(sentences), self._device
        spellings, outputs = lexicon.spellings.to(device), self.targets(lexicon)
        nats = torch.zeros(len(sentences), 2, dtype=torch.float64)
        with _evaluating(self.bilm):
            for numbers, words, lengths in self._once(lexicon, words_a_batch):
                batch = (words, lengths, outputs[words])
                sides = self.bilm.costs(spellings, *(tensor.to(device) for tensor in batch))
                nats[numbers] = torch.stack(sides, dim=2).double().sum(dim=1).cpu()
        return nats

    def perplexity(self, sentences: Sequence[Sentence]) -> dict[str, float]:
        """Return the perplexity "forward", "backward" and of both, "average", as `costs` counts."""
        terms = sum(len(sentence) + 1 for sentence in sentences)
        forward, backward = (self.costs(sentences).sum(dim=0) / terms).exp().tolist()
        average = (forward * backward) ** 0.5
        return {"forward": forward, "backward": backward, "average": average}

    def digest(self) -> str:
        """Return a name of all that `extract` depends on, but the sentences."""
        marks = json.dumps([self.begin, self.end, self.longest, repr(self.bilm.config)])
        checksum = hashlib.sha256(marks.encode("utf-8"))
        for parameter in self.bilm.layers.parameters():
            checksum.update(parameter.detach().cpu().contiguous().numpy().tobytes())
        return checksum.hexdigest()[:16]

    @property
    def _device(self) -> torch.device:
        return next(self.bilm.parameters()).device

    def batches(self, lexicon: Lexicon, words_a_batch: int, seed: int = 0) -> LengthBatches:
        """Return the sentences of a lexicon in batches of similar length, with their marks.

        A batch is the numbers of its sentences (B,), their rows (B, T) and their lengths (B,).
        """
        begin, end = (lexicon.words.index(mark) for mark in (self.begin, self.end))

        def collate(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            chosen = [lexicon.rows[number] for number in numbers.tolist()]
            return numbers, *both_directions(chosen, begin, end)

        lengths = [len(rows) + 2 for rows in lexicon.rows]
        return LengthBatches(lengths, words_a_batch, collate, seed)

    def _once(
        self, lexicon: Lexicon, words_a_batch: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield each batch once."""
        if lexicon.rows:
            batches = self.batches(lexicon, words_a_batch)
            yield from map(batches.batch, range(len(batches)))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Work in evaluation mode, then go back to what was."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


class SentenceReader(Protocol):
    """A frozen network that reads sentences: a `Contextual`, or a `causal_features.CausalReader`.

    ``extract`` returns the layers (T, L + 1, D), float16 on the CPU, of the T words of each
    sentence; ``digest`` names all that these depend on, but the sentences.
    """

    def extract(self, sentences: Sequence[Sentence]) -> list[Tensor]:
        """Return the layers of the words of each sentence."""
        ...

    def digest(self) -> str:
        """Return the name of the network and of how it reads."""
        ...


class Features(Mapping[Sentence, Tensor]):
    """The layers (T, L + 1, 2P), float16, of sentences that a biLM has read, by sentence.

    A sentence that is not there is read when it is first asked for, and kept.

    Args:
        contextual: the biLM, or another network that reads sentences.
        sentences: those to be read at once, which is faster.
        folder: where to keep what it said of them; a second call with the same biLM and the same
            sentences reads the file. None: in memory alone.
    """

    def __init__(
        self,
        contextual: SentenceReader,
        sentences: Sequence[Sentence] = (),
        folder: Path | None = None,
    ) -> None:
        self.contextual = contextual
        wanted = list(dict.fromkeys(map(tuple, sentences)))
        found = contextual.extract(wanted) if folder is None else self._kept(wanted, folder)
        self.found: dict[tuple[str, ...], Tensor] = dict(zip(wanted, found, strict=True))
        self.spreads: dict[str | int, float] = {}

    def __getitem__(self, sentence: Sentence) -> Tensor:
        """Return the layers (T, L + 1, 2P) of a sentence's words."""
        return self.of([sentence])[0]

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def of(self, sentences: Sequence[Sentence]) -> list[Tensor]:
        """Return the layers (T, L + 1, 2P) of each of some sentences."""
        keys = [tuple(sentence) for sentence in sentences]
        new = [key for key in dict.fromkeys(keys) if key not in self.found]
        if new:
            self.found.update(zip(new, self.contextual.extract(new), strict=True))
        return [self.found[key] for key in keys]

    def spread(self, layers: str | int = MIX) -> float:
        """Return the standard deviation of all entries: of a layer, or of the layers' mean.

        Over the sentences that are there when it is first asked for; then it stays.
        """
        if layers not in self.spreads:
            self.spreads[layers] = self._spread(layers)
        return self.spreads[layers]

    def _spread(self, layers: str | int) -> float:
        sums = np.zeros(3)
        for vectors in self.found.values():
            entries = _chosen(vectors.float(), layers)
            squares = float(entries.square().sum(dtype=torch.float64))
            sums += [entries.numel(), float(entries.sum(dtype=torch.float64)), squares]
        count, total, squares = sums
        return float(np.sqrt(squares / count - (total / count) ** 2))

    def _kept(self, sentences: Sequence[tuple[str, ...]], folder: Path) -> Sequence[Tensor]:
        """Return the layers of the sentences from a file in the folder, made if need be."""
        text = hashlib.sha256(json.dumps(sentences).encode("utf-8")).hexdigest()[:16]
        path = folder / f"{self.contextual.digest()}-{text}.pt"
        if not path.is_file():
            layers = torch.cat(self.contextual.extract(sentences))
            write_checkpoint(path, {"layers": layers})
        return read_checkpoint(path)["layers"].split([len(sentence) for sentence in sentences])


def _chosen(vectors: Tensor, layers: str | int) -> Tensor:
    """Return one layer (..., D) of vectors (..., L + 1, D), or the mean of all."""
    return vectors.mean(dim=-2) if layers == MIX else vectors[..., layers, :]


class ContextualEncoder(nn.Module):
    """A word's vector is what a frozen biLM says of it in its sentence: a `WordEncoder`.

    Args:
        features: what the biLM said of the task's sentences.
        layers: "mix", all of them by a `ScalarMix` that is trained with the task; or the number of
            one: 0, the characters alone; the last, which is the way of TagLM (Peters et al. 2017,
            section 2.4).
        pull: lambda of section 3.3; lambda * ||w||^2 of the mix is added to the loss, which draws
            it towards the plain average. The larger of the paper's, 1, keeps the average; the
            smaller, 0.001, lets the weights vary.
        beside: vectors that stand beside, [x_k; ELMo_k] as in section 3.3, or none.

    Features are divided by one number, so that the entries of the layer, or of the layers' mean,
    have the standard deviation `first_layer.SPREAD` over the sentences of ``features``, like all
    other word vectors of the book.

    Raises:
        ValueError: if there is no such layer, or ``features`` holds no sentence.
    """

    def __init__(
        self,
        features: Features,
        layers: str | int = MIX,
        pull: float = 0.001,
        beside: FirstLayer | None = None,
    ) -> None:
        super().__init__()
        if not len(features):
            raise ValueError("no sentence was read: give Features the sentences of the task")
        count, width = next(iter(features.values())).shape[1:]
        if layers != MIX and layers not in range(count):
            raise ValueError(f"layers={layers!r}: take {MIX!r} or a number below {count}")
        self.features, self.layers, self.pull = features, layers, pull
        self.beside = beside
        self.width = width + (beside.width if beside is not None else 0)
        self.mix = ScalarMix(count) if layers == MIX else None
        self.register_buffer("scale", torch.tensor(SPREAD / features.spread(layers)))

    def forward(self, sentences: Sequence[Sentence]) -> Tensor:
        """Return the vectors (B, T, D) of B sentences."""
        found = pad_sequence(self.features.of(sentences), batch_first=True)  # (B, T, L + 1, 2P)
        if self.mix is None:
            vectors = found[:, :, self.layers].to(self.scale.device).float()
        else:
            vectors = self.mix(found.to(self.scale.device).float().unbind(dim=2))
        vectors = vectors * self.scale
        return vectors if self.beside is None else torch.cat([self.beside(sentences), vectors], 2)

    def penalty(self) -> Tensor:
        """Return what `learn` adds to the loss, ()."""
        return (
            self.scale.new_zeros(()) if self.mix is None else self.pull * self.mix.w.square().sum()
        )

    def learned(self) -> dict[str, float]:
        """Return the task's s_j and gamma (equation 1) by name, {} for one layer alone."""
        if self.mix is None:
            return {}
        weights = {f"s{j}": s for j, s in enumerate(self.mix.weights.tolist())}
        return {**weights, "gamma": self.mix.gamma.item()}


@dataclass(frozen=True)
class Tuning:
    """How a language model goes on learning on the text of a task.

    Slanted triangular rates (Howard & Ruder 2018, equation 3): up to `learning_rate` over the first
    `cut` of the steps, then down to 1 / `ratio` of it. Discriminative rates (section 3.2): each
    layer learns `layer_factor` times more slowly than the one above; 1: all alike. `passes`: times
    that each sentence is read; `batch_words`: of a batch, marks and padding included.
    """

    passes: int = 1
    batch_words: int = 1024
    learning_rate: float = 1e-3
    cut: float = 0.1
    ratio: float = 32.0
    layer_factor: float = 2.6
    weight_decay: float = 0.01


def tune_language_model(
    contextual: Contextual,
    sentences: Sequence[Sentence],
    tuning: Tuning | None = None,
    seed: int = 0,
) -> tuple[Contextual, TrainingResult]:
    """Return a copy of the biLM that has gone on reading, on sentences without labels.

    The second of the three stages of ULMFiT (Howard & Ruder 2018, section 3.2); Peters et al.
    (2018), section 3.4, do one pass. Words that the softmax does not know count as "<unk>". The
    source stays as it is. Raises `UserError` without sentences.
    """
    tuning = tuning or Tuning()
    tuned = replace(contextual, bilm=unfreeze(copy.deepcopy(contextual.bilm)))
    lexicon = tuned.lexicon(sentences)
    place = next(tuned.bilm.parameters()).device
    spellings, outputs = lexicon.spellings.to(place), tuned.targets(lexicon).to(place)

    def loss(network: BiLM, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, int]:
        _, words, lengths = batch
        return network.loss(spellings, words, lengths, outputs[words])

    batches = tuned.batches(lexicon, tuning.batch_words, seed)
    result = train(
        tuned.bilm,
        loss,
        batches,
        _training_config(tuning, tuning.passes * len(batches), seed),
        optimizer=lambda bilm, config: layered_rates(bilm, config, tuning.layer_factor),
        progress=False,
    )
    return tuned, result


def layered_rates(bilm: BiLM, config: TrainingConfig, factor: float) -> torch.optim.Optimizer:
    """Return AdamW with a rate ``factor`` times lower in each layer than in the one above.

    Howard & Ruder (2018), section 3.2. The softmax learns like the last layer.
    """
    optimizer = adamw(bilm, config)
    for below, layer in enumerate(reversed(bilm.layers)):
        at_own_rate(optimizer, layer.parameters(), factor**-below)
    return optimizer


def _training_config(tuning: Tuning, steps: int, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=steps,
        batch_size=tuning.batch_words,
        learning_rate=tuning.learning_rate,
        warmup_steps=int(tuning.cut * steps),
        decay="linear",
        final_fraction=1 / tuning.ratio,
        weight_decay=tuning.weight_decay,
        seed=seed,
    )
