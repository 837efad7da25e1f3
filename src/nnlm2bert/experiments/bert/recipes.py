"""How BERT and its rivals are trained on running text: sizes, stages, and the recipes tried.

Every objective tries the same recipes on as many tokens, in the experiment `bert`, arms
"recipes-...", and is trained by the one it does best with on held-out text. All objectives read the
same pieces of text in the same batches, and take as many steps.

A small network that is to restore hidden words first learns how frequent words are, and may stand
there for long: from a blank and 128 neighbours, all weighed alike, little more can be said. What
may help it on its way is what the recipes differ in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import INITIAL_SPREAD, TransformerConfig
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.transfer.bert_inputs import Network

NETWORKS: Mapping[str, type[Network]] = {
    kind.__name__: kind for kind in (BERT, GPT, TransformerBiLM)
}
HIDDEN = 0.15
"""The share of hidden words in Devlin et al. (2018)."""


@dataclass(frozen=True)
class Objective:
    """What a network is trained to say, and which of `NETWORKS` it is.

    pairs: of `PackedBatches`; masked, random: what becomes of the words chosen, as in `Masking`.
    """

    network: str
    pairs: str = "following"
    masked: float = 0.8
    random: float = 0.1


OBJECTIVES: Mapping[str, Objective] = {
    "masked": Objective("BERT"),
    "masked+next": Objective("BERT", pairs="next"),
    "left-to-right": Objective("GPT"),
    "two one-way": Objective("TransformerBiLM"),
    "always masked": Objective("BERT", masked=1.0, random=0.0),
    "masked+order": Objective("BERT", pairs="order"),
}
"""BERT without and with its second task, a GPT and two one-way readers of the same pieces; BERT
with all chosen words hidden, and with the order of sentences for a second task."""
COMPARED = ("masked", "masked+next", "left-to-right", "two one-way")
"""Those that claim 22 is about, and that search their recipe; the others take that of "masked"."""


@dataclass(frozen=True)
class Stage:
    """A part of a training: a share of its steps, the longest sequence, the share of words hidden.

    The marks count as part of a sequence.
    """

    share: float
    context: int
    hidden: float = HIDDEN


@dataclass(frozen=True)
class BERTRecipe:
    """How a network is trained.

    width, heads, layers, context: its sizes; one_way_width: that of two one-way readers, which have
    about as many weights in all; norm: where the norms stand, as in `TransformerConfig`; spread:
    standard deviation of its first weights; begin: "random", or "skip-gram", the tokens' vectors
    trained before by word2vec; batch_tokens: of a step, marks and padding included; passes over the
    text; warmup: share of the steps; clip: the largest norm of the gradient.
    """

    stages: tuple[Stage, ...]
    width: int = 256
    heads: int = 4
    layers: int = 4
    one_way_width: int = 192
    norm: str = "post"
    spread: float = INITIAL_SPREAD
    begin: str = "random"
    batch_tokens: int = 2_048
    passes: int = 1
    learning_rate: float = 1e-3
    warmup: float = 0.05
    clip: float = 1.0
    precision: str = "bfloat16"

    @property
    def context(self) -> int:
        """The longest sequence of all stages."""
        return max(stage.context for stage in self.stages)

    def config(self, vocabulary_size: int, network: str = "BERT") -> TransformerConfig:
        """Return the sizes of one of `NETWORKS`; but for what its name says all are of one kind."""
        width = self.one_way_width if network == "TransformerBiLM" else self.width
        found = bert_config(
            vocabulary_size,
            context=self.context,
            width=width,
            heads=self.heads,
            layers=self.layers,
            inner=4 * width,
            dropout=0.0,
            norm=self.norm,
        )
        return found if network == "BERT" else replace(found, causal=True, segments=0)


LONG = (Stage(1.0, 128),)
SHORT_FIRST = (Stage(0.2, 32), Stage(0.2, 64), Stage(0.6, 128))
MORE_HIDDEN = (Stage(0.2, 32, 0.4), Stage(0.2, 64, 0.4), Stage(0.6, 128))
_WIDE = BERTRecipe(SHORT_FIRST, spread=0.05)
_PRE = replace(_WIDE, norm="pre")
TRIED: Mapping[str, BERTRecipe] = {
    "plain": BERTRecipe(LONG),
    "short first": BERTRecipe(SHORT_FIRST),
    "short first, wide": _WIDE,
    "short first, wide, pre": _PRE,
    "short first, wide, pre, rate 5e-4": replace(_PRE, learning_rate=5e-4),
    "short first, wide, pre, rate 2e-3": replace(_PRE, learning_rate=2e-3),
    "short first, wide, pre, skip-gram": replace(_PRE, begin="skip-gram"),
    "short first, wide, pre, more hidden": replace(_PRE, stages=MORE_HIDDEN),
}
"""The recipes that each objective tries; where nothing is hidden the last is left out.

As published, but for the rate, which goes with so small a network; short sequences before long
ones; first weights two and a half times as large; norms before each part (Xiong et al. 2020); other
rates; vectors of word2vec to begin with; more hidden words at first (Wettig et al. 2022).
"""
TRIED_TOKENS: Mapping[str, int] = {"smoke": 3_000, "laptop": 3_000_000, "gpu": 3_000_000}
"""Tokens that each of them is tried on, its stages and rates shortened to these."""
CHOSEN: Mapping[str, str] = dict.fromkeys(OBJECTIVES, "short first, wide, pre")
"""The recipe that each objective is trained by on the running text."""

POCKET = BERTRecipe(
    (Stage(0.3, 32), Stage(0.7, 128)),
    width=96,
    one_way_width=72,
    norm="pre",
    spread=0.1,
    batch_tokens=1_024,
    passes=3,
    learning_rate=2e-3,
    precision="float32",
)
"""The recipe for Pocket English."""
SMALL = BERTRecipe(
    (Stage(0.3, 24), Stage(0.7, 64)),
    width=32,
    heads=2,
    layers=2,
    one_way_width=24,
    norm="pre",
    spread=0.1,
    batch_tokens=512,
    learning_rate=5e-3,
    precision="float32",
)
"""The recipe of scale smoke."""


def recipe(objective: str, text: str, scale: str) -> BERTRecipe:
    """Return how an objective is trained on a text; at scale smoke a small one."""
    if scale == "smoke":
        return SMALL
    return TRIED[CHOSEN[objective]] if text == "running text" else POCKET


def tried(objective: str, scale: str) -> dict[str, BERTRecipe]:
    """Return the recipes that an objective tries, by name; at scale smoke two small ones."""
    if scale == "smoke":
        return {"small": SMALL, "small, post": replace(SMALL, norm="post")}
    hides = OBJECTIVES[objective].network == "BERT"
    return {
        name: one
        for name, one in TRIED.items()
        if hides or all(stage.hidden == HIDDEN for stage in one.stages)
    }
