"""BERT in Pocket English: networks that read both sides, one side, or each side by itself.

All read the same documents, ``<cls> document <sep>``, as many tokens a step, as many steps, and
begin alike; what differs is what they are asked, and what a place may see:

    masked          BERT: restore what was hidden (task 1 of Devlin et al. 2018)
    masked+next     and tell whether a second segment is what followed the first (task 2)
    masked+order    and tell whether two halves stand in their order (ALBERT's task)
    left-to-right   GPT: the next word
    two one-way     a GPT from either side, their predictions multiplied

Those that are asked about pairs read ``<cls> first <sep> second <sep>``, cut from the same
documents but those of one sentence. ``two one-way`` has two stacks, each of about .71 of the width,
so that all have about as many weights.

Costs are those of words: whoever predicts one knows that no mark stands there, as a blank says it
(`Oracle.hidden_floor`, `Oracle.word_floors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from nnlm2bert.experiments.bert.beginnings import HELPED, Beginning, Words, begin, tied_softmax
from nnlm2bert.experiments.bert.recipes import Stage, stage_steps
from nnlm2bert.experiments.elmo.laboratory import LEARN, VOCABULARY, Documents
from nnlm2bert.experiments.gpt.pretraining import log_frequencies, snapshot_steps, weights
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import INITIAL_SPREAD, Embedding, TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.objectives import Masking, next_tokens
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.synthetic.pocket_english import SPECIAL_TOKENS
from nnlm2bert.tokenizers.sentences import Sentences, find_sentences
from nnlm2bert.training import (
    TrainingConfig,
    TrainingResult,
    derived_seed,
    seed_everything,
    train,
)
from nnlm2bert.training.batches import Batches
from nnlm2bert.training.packed_batches import Marks, MaskedBatches, PackedBatches, StagedBatches

Network = BERT | GPT | TransformerBiLM
PAIRS: Mapping[str, str | None] = {
    "masked": None,
    "masked+next": "next",
    "masked+order": "order",
    "left-to-right": None,
    "two one-way": None,
}
"""What is asked about pairs of segments, by the name of the objective."""
OBJECTIVES = tuple(PAIRS)
MASKED = ("masked", "masked+next", "masked+order")
SPECIAL = tuple(range(len(SPECIAL_TOKENS)))
PADDING, BLANK, CLS, SEP = (
    SPECIAL_TOKENS.index(f"<{name}>") for name in "pad mask cls sep".split()
)
MARKS = Marks(CLS, SEP, PADDING)


@dataclass(frozen=True)
class Recipe:
    """How large all is at a scale.

    config: of BERT; the others have its sizes. words: of the text that is learned from; batch:
    tokens a step, at most; stages: of the steps, pieces of a text before whole documents; test:
    words to measure on, singles: of them that are hidden one at a time; known, asked: items that
    senses are read off, to learn from and to be measured on; on_the_way: the same for networks on
    the way, words and items; labels, updates: of the task that is taught at the end; beginning:
    what the networks know before.
    """

    config: TransformerConfig
    words: int
    batch: int
    steps: int
    stages: tuple[Stage, ...]
    learning_rate: float
    test: int
    singles: int
    known: int
    asked: int
    on_the_way: int
    labels: int
    updates: int
    beginning: Beginning = HELPED


_BERT = bert_config(
    VOCABULARY,
    context=512,
    width=96,
    heads=4,
    layers=3,
    inner=384,
    dropout=0.0,
    norm="pre",
)
"""Norms before each part, as in `gpt.laboratory`."""
HIDDEN = 0.3
"""The share of words that is hidden in training; in a language of 600 words one blank in three
leaves enough to go by."""
WHOLE = (Stage(1.0, 512, HIDDEN),)
SHORT_FIRST = (Stage(1 / 12, 27, HIDDEN), Stage(1 / 12, 35, HIDDEN), Stage(5 / 6, 512, HIDDEN))
"""Pieces of a sentence or two, then a little longer ones, then documents."""
RECIPES: dict[str, Recipe] = {
    "smoke": Recipe(
        replace(_BERT, width=32, heads=2, layers=2, inner=128),
        *(4_000, 512, 16, SHORT_FIRST, 6e-3, 1_500, 60, 150, 150, 60, 40, 8),
    ),
    "live": Recipe(
        _BERT,
        *(600_000, 1_024, 2_400, SHORT_FIRST, 4e-3),
        *(20_000, 1_000, 2_000, 2_000, 500, 1_000, 200),
    ),
    "laptop": Recipe(
        _BERT,
        *(2_000_000, 1_024, 8_192, SHORT_FIRST, 4e-3),
        *(60_000, 4_000, 4_000, 4_000, 1_000, 1_000, 400),
    ),
}
RECIPES |= {"long": replace(RECIPES["laptop"], words=6_000_000, steps=65_536)}


def recipe(scale: str) -> Recipe:
    """Return the sizes of a scale: ``smoke``, ``live`` (in the chapter), ``laptop`` or ``gpu``.

    ``long``: those of a laptop and eight times the steps, on three times the text.
    """
    return RECIPES["laptop" if scale == "gpu" else scale]


@dataclass(frozen=True)
class Schedule:
    """What becomes of a word that was chosen: the shares that are hidden, or put at random."""

    masked: float = 0.8
    random: float = 0.1


@dataclass(frozen=True, eq=False)
class LaboratoryText:
    """A text of D documents as sequences between ``<cls>`` and ``<sep>``."""

    documents: Documents

    @classmethod
    def of(cls, language: PocketEnglish, words: int, seed: int) -> LaboratoryText:
        """Write at least so many words."""
        return cls(Documents.of(language, words, seed))

    @property
    def language(self) -> PocketEnglish:
        """The language that it is written in."""
        return self.documents.sample.language

    def cut(self, longest: int | None = None) -> Sentences:
        """Return where its sentences stand, those of more words cut into equal parts."""
        sample = self.documents.sample
        begins = np.array([part.start for part in sample.sentences()])
        end = sample.language.end_id
        return find_sentences(sample.ids, self.documents.starts, begins, end, longest)

    def batches(
        self, chosen: Recipe, objective: str, schedule: Schedule, seed: int
    ) -> StagedBatches:
        """Return what an objective learns from: pieces of each stage, cut between sentences.

        Pairs are asked for in the last stage, whose pieces are long enough for two segments.
        """
        staged = []
        counts = stage_steps(chosen.stages, chosen.steps)
        for stage, count in zip(chosen.stages, counts, strict=True):
            kind = PAIRS[objective] if stage is chosen.stages[-1] else None
            batches: Batches = self.pairs(stage.context, chosen.batch, kind, seed)
            if objective in MASKED:
                hiding = (stage.hidden, schedule.masked, schedule.random)
                masking = Masking(BLANK, VOCABULARY, SPECIAL, *hiding)
                batches = MaskedBatches(batches, masking, seed)
            staged.append((count, batches))
        return StagedBatches(staged)

    def words(self) -> Words:
        """Return its words without the marks between documents, as `beginnings` reads them."""
        sample = self.documents.sample
        begins = np.zeros(len(sample.ids), dtype=np.int32)
        begins[self.cut().begins] = 1
        kept = sample.ids != sample.language.end_id
        return Words(sample.ids[kept], begins.cumsum(dtype=np.int32)[kept], VOCABULARY)

    def pairs(self, context: int, tokens: int, kind: str | None, seed: int) -> PackedBatches:
        """Return its documents in batches, whole (None) or as pairs of a kind."""
        room = context - 3
        sentences = self.cut(longest=room)
        pieces = sentences.pack(room, 1 if kind is None else 2)
        ids = self.documents.sample.ids
        return PackedBatches(ids, sentences, pieces, MARKS, tokens, seed, kind)

    def sequences(self, rows: np.ndarray) -> tuple[Tensor, Tensor, np.ndarray]:
        """Return tokens, and where they are no padding, of some documents; where each stands.

        All (B, T). Places are those in the text, -1 for padding and for ``<cls>``; that of
        ``<sep>`` is the place of the mark that ends the document.
        """
        tokens, lengths, _ = self.documents.sequences(rows)
        inside = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
        tokens = tokens.masked_fill(~inside, PADDING)
        tokens[:, 0] = CLS
        tokens[torch.arange(len(tokens)), lengths - 1] = SEP
        places = self.documents.places(rows)
        places[:, 0] = -1
        return tokens, inside, places


# Networks and how they learn.


def begun(objective: str, config: TransformerConfig, bias: Tensor) -> Network:
    """Return the network of an objective, before it has learned anything.

    All begin as `gpt.laboratory.begun`: weights as torch's own layers do, embeddings from
    N(0, 1 / width), the softmax at ``bias`` (V,), the logarithms of frequencies.
    """
    network = built(objective, config)
    tables: set[Tensor] = set()
    for part in network.modules():
        if isinstance(part, nn.Linear):
            part.reset_parameters()
        if isinstance(part, Embedding):
            tables |= {table for table in part.parameters() if table.ndim == 2}
    for table in tables:
        table.data.mul_(table.shape[1] ** -0.5 / INITIAL_SPREAD)
    tied_softmax(network)[1].data.copy_(bias)
    return network


def built(objective: str, config: TransformerConfig) -> Network:
    """Return the network of an objective, its weights drawn as those of GPT and BERT."""
    if objective == "two one-way":
        return TransformerBiLM(one_way(narrower(config)))
    return GPT(one_way(config)) if objective == "left-to-right" else BERT(config)


def one_way(config: TransformerConfig) -> TransformerConfig:
    """Return the sizes of a network that sees both sides for one that reads from the left."""
    return replace(config, causal=True, segments=0)


def narrower(config: TransformerConfig) -> TransformerConfig:
    """Return the sizes of one of two stacks that together have about as many weights."""
    width = round(config.width / 2**0.5 / config.heads) * config.heads
    return replace(config, width=width, inner=round(config.inner * width / config.width))


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, how its training went, and its weights ``on_the_way``, by step."""

    objective: str
    network: Network
    result: TrainingResult
    on_the_way: Mapping[int, Mapping[str, Tensor]] = field(default_factory=dict)

    def at(self, step: int) -> Network:
        """Return the network as it was after so many steps: another one."""
        earlier = deepcopy(self.network)
        earlier.load_state_dict(self.on_the_way[step])
        return earlier.eval()


def train_network(
    language: PocketEnglish,
    scale: str,
    seed: int,
    objective: str = "masked",
    schedule: Schedule = Schedule(),
    chosen: Recipe | None = None,
) -> Trained:
    """Train a network from the start; same seed, same weights.

    ``chosen``: another recipe than that of the scale.
    """
    chosen = chosen or recipe(scale)
    text = LaboratoryText.of(language, chosen.words, LEARN)
    seed_everything(derived_seed(seed, "BERT in the laboratory"))
    ids = np.where(text.documents.sample.ids == language.end_id, SEP, text.documents.sample.ids)
    bias = log_frequencies(torch.from_numpy(ids), VOCABULARY)
    network = begun(objective, chosen.config, bias)
    begin(network, chosen.beginning, text.words(), seed)
    batches = text.batches(chosen, objective, schedule, seed)
    kept = OnTheWay(batches, chosen.steps)
    config = training_config(chosen, seed)
    result = train(network, batch_loss, batches, config, evaluate=kept)
    return Trained(objective, network, result, kept.weights)


def batch_loss(network: Network, batch: Mapping[str, Tensor]) -> tuple[Tensor, int]:
    """Return what a network learns from a batch, and of how many words it is the mean."""
    if isinstance(network, GPT):
        tokens, inside = batch["tokens"], batch.get("inside")
        return network.loss(tokens, next_tokens(tokens, inside))
    return network.loss(**batch)


class OnTheWay:
    """Keeps the weights at `snapshot_steps`; to be called every so many steps as the first says."""

    def __init__(self, batches: Batches, steps: int) -> None:
        self.batches, self.steps = batches, snapshot_steps(steps)
        self.weights: dict[int, dict[str, Tensor]] = {}

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Keep the weights, if this is a step to keep; nothing is measured."""
        step = self.batches.step + 1
        if step in self.steps:
            self.weights[step] = weights(network)
        return {}


def training_config(chosen: Recipe, seed: int) -> TrainingConfig:
    """Return how a recipe trains its networks: all alike."""
    return TrainingConfig(
        steps=chosen.steps,
        batch_size=1,
        learning_rate=chosen.learning_rate,
        warmup_steps=chosen.steps // 10,
        final_fraction=0.02,
        betas=(0.9, 0.98),
        evaluate_every=snapshot_steps(chosen.steps)[0],
        seed=seed,
    )
