"""Translation by an encoder and a decoder, of which none, one, or both begin as BERT.

The ways of Rothe, Narayan & Severyn (2020), section 4, that have an encoder at all; see
`models.encoder_decoder`. The language that is written has its own vocabulary: what it shares with
BERT's, names, numbers and marks, begins with BERT's vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnlm2bert.models.bert import BERT
from nnlm2bert.models.encoder_decoder import IGNORED, EncoderDecoder, EncoderDecoderConfig
from nnlm2bert.models.transformer import INITIAL_SPREAD
from nnlm2bert.tokenizers.text_bpe import (
    BEGIN_ID,
    END_ID,
    PADDING_ID,
    SPACE,
    SPECIAL,
    UNKNOWN_ID,
)
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.layers import freeze
from nnlm2bert.transfer.marked_words import MarkedWords
from nnlm2bert.transfer.training_recipe import encoder_optimizer

WAYS = ("scratch", "encoder frozen", "encoder tuned", "both tuned")
"""Nothing of BERT; its encoder, as it stays or as it goes on learning; encoder and decoder."""
SENTENCES, BLEU = "sentences", "BLEU"
"""How translations are measured: by how many are right to the last word, or by BLEU."""
TINY = 0.5
"""Added to what a token was seen: nothing is impossible."""


@dataclass(frozen=True)
class Translated:
    """A sentence in words, as they were published, and what it is in the other language, a text."""

    source: tuple[str, ...]
    target: str


@dataclass(frozen=True, eq=False)
class Written:
    """The tokens that a decoder writes, `text_bpe.SPECIAL` first.

    tokens: as they are written; cut, join: from a text to ids without marks, and back.
    """

    tokens: Sequence[str]
    cut: Callable[[str], list[int]]
    join: Callable[[Sequence[int]], str]

    @classmethod
    def of_words(cls, texts: Sequence[str]) -> Written:
        """Return those of texts that are cut at white space alone: all their words, sorted."""
        words = sorted({word for text in texts for word in text.split()})
        tokens = [*SPECIAL, *words]
        ids = {token: number for number, token in enumerate(tokens)}
        return cls(
            tokens,
            lambda text: [ids.get(word, UNKNOWN_ID) for word in text.split()],
            lambda found: " ".join(tokens[number] for number in found),
        )

    @classmethod
    def of_pieces(cls, tokenizer: Tokenizer) -> Written:
        """Return those of a tokenizer of `tokenizers.text_bpe`."""
        size = tokenizer.get_vocab_size()
        tokens = [tokenizer.id_to_token(number) for number in range(size)]
        return cls(tokens, lambda text: tokenizer.encode(text).ids, tokenizer.decode)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def forms(self) -> list[tuple[str, bool]]:
        """What each token but the special ones writes, and whether it begins a word."""
        pieces = any(token.startswith(SPACE) for token in self.tokens)
        return [
            (
                token.removeprefix(SPACE),
                not pieces or token.startswith(SPACE) or not token.isalnum(),
            )
            for token in self.tokens[len(SPECIAL) :]
        ]

    def same_as(self, read: MarkedWords) -> Tensor:
        """Return the ids (K, 2), here and there, of tokens that a reader of BERT's kind has, too.

        The marks that begin and end a text are those before and after one there.
        """
        found = [(place + len(SPECIAL), number) for place, number in read.same(self.forms)]
        return torch.tensor([(BEGIN_ID, read.cls), (END_ID, read.sep), *found])


@dataclass(frozen=True)
class TranslationRecipe:
    """How a network learns to translate.

    steps: updates, of at most batch_tokens tokens of both languages, marks and padding included;
    encoder_rate: what the learning rate is multiplied by for the encoder; warmup: share of the
    steps in which the rate rises, before it falls to 0 along a line; spread: standard deviation of
    weights that begin at random; evaluations: how often held-out pairs are measured on the way, at
    most `validation` of them, to keep the weights that were best.
    """

    steps: int
    batch_tokens: int = 1_024
    learning_rate: float = 2e-3
    encoder_rate: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    spread: float = INITIAL_SPREAD
    evaluations: int = 8
    validation: int = 500
    precision: str = "float32"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sentences in tokens: what is read, between marks, and what is written, without them."""

    sources: Sequence[Sequence[int]]
    targets: Sequence[Sequence[int]]

    @classmethod
    def of(
        cls, examples: Sequence[Translated], read: MarkedWords, written: Written, context: int
    ) -> Pairs:
        """Cut sentences into tokens; what does not fit into a context is left out at its end."""
        sources = [read.encode(example.source)[: context - 2] for example in examples]
        targets = [written.cut(example.target)[: context - 1] for example in examples]
        return cls([[read.cls, *source, read.sep] for source in sources], targets)

    def batches(self, tokens: int, seed: int) -> LengthBatches:
        """Return batches for `EncoderDecoder.loss`, of pairs of about one length."""
        both = zip(self.sources, self.targets, strict=True)
        lengths = [len(source) + len(target) + 1 for source, target in both]
        return LengthBatches(lengths, tokens, self.collate, seed)

    def collate(self, numbers: Tensor) -> dict[str, Tensor]:
        """Return sources (B, S), inside (B, S), tokens (B, T) and targets (B, T) of some pairs."""
        chosen = numbers.tolist()
        sources, inside = padded([self.sources[number] for number in chosen])
        targets = [self.targets[number] for number in chosen]
        tokens, _ = padded([[BEGIN_ID, *target] for target in targets])
        wanted = [torch.tensor([*target, END_ID]) for target in targets]
        return {
            "sources": sources,
            "tokens": tokens,
            "targets": pad_sequence(wanted, batch_first=True, padding_value=IGNORED),
            "inside": inside,
        }

    def first(self, count: int) -> Pairs:
        """Return at most so many pairs."""
        return Pairs(self.sources[:count], self.targets[:count])

    def log_frequencies(self, size: int) -> Tensor:
        """Return log P (V,) of each token that is written, the mark of the end among them."""
        counts = Counter(token for target in self.targets for token in (*target, END_ID))
        seen = torch.tensor([counts[token] + TINY for token in range(size)])
        return (seen / seen.sum()).log()


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return tokens (B, T), padded on the right, and where they are no padding (B, T)."""
    tensors = [torch.tensor(row) for row in rows]
    tokens = pad_sequence(tensors, batch_first=True, padding_value=PADDING_ID)
    lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
    return tokens, torch.arange(tokens.shape[1]) < lengths


def translator(
    bert: BERT,
    way: str,
    pairs: Pairs,
    same: Tensor,
    size: int,
    recipe: TranslationRecipe,
) -> EncoderDecoder:
    """Return a network that is to learn to translate.

    Args:
        bert: whose sizes both parts have, and from which they may begin; it stays as it is.
        way: one of `WAYS`.
        pairs: what will be learned from; the softmax begins with how frequent their tokens are.
        same: (K, 2), as in `EncoderDecoder.begin_as`; size: tokens that can be written.
        recipe: its dropout and its spread are those of the network.

    Raises:
        ValueError: for another way.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r}: choose one of {', '.join(WAYS)}")
    sizes = replace(bert.config, dropout=recipe.dropout)
    network = EncoderDecoder(EncoderDecoderConfig.like(sizes, size))
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(recipe.spread / INITIAL_SPREAD)
    if way != "scratch":
        network.begin_as(bert, decoder=way == "both tuned", same=same)
    if way == "encoder frozen":
        freeze(network.encoder)
    network.decoder.bias.data.copy_(pairs.log_frequencies(size))
    return network


def learn_translation(
    make_network: Callable[[], EncoderDecoder],
    pairs: Pairs,
    validation: Pairs,
    recipe: TranslationRecipe,
    seed: int,
    device: str = "cpu",
) -> tuple[EncoderDecoder, TrainingResult]:
    """Return the network that learned from pairs, and how it went.

    ``make_network`` builds it after the seed is set; the weights are those that lost least on the
    held-out pairs.
    """
    seed_everything(derived_seed("translation", seed) % 2**32)
    network, held_out = make_network(), validation.first(recipe.validation)
    result = train(
        network,
        lambda model, batch: model.loss(**batch),
        pairs.batches(recipe.batch_tokens, seed),
        _training_config(recipe, seed),
        evaluate=lambda model: {"nats": held_out_nats(model, held_out, recipe.batch_tokens)},
        device=device,
        optimizer=lambda model, config: encoder_optimizer(model, config, recipe.encoder_rate),
        progress=False,
    )
    return network, result


def _training_config(recipe: TranslationRecipe, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=recipe.steps,
        batch_size=1,
        learning_rate=recipe.learning_rate,
        warmup_steps=int(recipe.warmup * recipe.steps),
        decay="linear",
        weight_decay=recipe.weight_decay,
        betas=(0.9, 0.98),
        evaluate_every=max(1, recipe.steps // recipe.evaluations),
        keep_best="nats",
        precision=recipe.precision,
        seed=seed,
    )


@torch.no_grad()
def held_out_nats(network: EncoderDecoder, pairs: Pairs, tokens: int = 4_096) -> float:
    """Return the mean nats that a token of what is to be written costs, its end included."""
    place, total, count = network.decoder.bias.device, 0.0, 0
    batches = pairs.batches(tokens, seed=0)
    for number in range(len(batches)):
        batch = {name: part.to(place) for name, part in batches.batch(number).items()}
        total += float(network.costs(**batch).double().sum())
        count += int((batch["targets"] != IGNORED).sum())
    return total / count


@torch.no_grad()
def translate(
    network: EncoderDecoder,
    sources: Sequence[Sequence[int]],
    longest: int,
    tokens: int = 4_096,
) -> list[list[int]]:
    """Return what is written for each source, tokens without marks: greedy, `longest` at most.

    Sources are tokens between their marks; those of similar length are read together.
    """
    was_training, place = network.training, network.decoder.bias.device
    network.eval()
    found: list[list[int]] = [[] for _ in sources]
    lengths = [len(source) for source in sources]
    batches = LengthBatches(lengths, tokens, Tensor.tolist, seed=0)
    for number in range(len(batches)):
        chosen = batches.batch(number)
        rows, inside = padded([sources[n] for n in chosen])
        told = network.write(rows.to(place), BEGIN_ID, END_ID, longest, inside.to(place))
        for n, row in zip(chosen, told.tolist(), strict=True):
            found[n] = row[: row.index(END_ID)] if END_ID in row else row
    network.train(was_training)
    return found


@dataclass(frozen=True)
class TranslationTask:
    """Pairs of sentences by split, and how translations are measured: `SENTENCES` or `BLEU`."""

    name: str
    measure: str
    splits: Mapping[str, Sequence[Translated]]


def load_translation(name: str, sizes: Mapping[str, int] | None = None) -> TranslationTask:
    """Return "laboratory translation", Pocket English to Voro, or "translation", Multi30k.

    ``sizes``: how many pairs the splits in the laboratory have, by default 4,000 to learn from, 500
    and 1,000. Raises ValueError for another name, and as `corpora.load` does.
    """
    if name not in TRANSLATIONS:
        raise ValueError(f"there is no translation {name!r}: take {' or '.join(TRANSLATIONS)}")
    measure, load = TRANSLATIONS[name]
    return TranslationTask(name, measure, load(sizes or {}))


def _laboratory(sizes: Mapping[str, int]) -> dict[str, list[Translated]]:
    from nnlm2bert.synthetic.tasks import load_task

    return {
        split: [Translated(tuple(row["source"]), " ".join(row["target"])) for row in rows]
        for split, rows in load_task("translation", **sizes).items()
    }


def _captions(sizes: Mapping[str, int]) -> dict[str, list[Translated]]:
    from nnlm2bert.corpora import load
    from nnlm2bert.corpora.words import split_words

    return {
        split: [Translated(tuple(split_words(row["english"])), row["german"]) for row in rows]
        for split, rows in load("multi30k").items()
    }


TRANSLATIONS = {
    "laboratory translation": (SENTENCES, _laboratory),
    "translation": (BLEU, _captions),
}
