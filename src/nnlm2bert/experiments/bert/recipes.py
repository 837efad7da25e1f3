"""How BERT and its rivals are trained on running text: sizes, stages, and the recipes tried.

Each kind of network tries the same recipes on as many tokens, in the experiment `bert`, arms
"recipes-...", and is trained by the one it does best with on held-out text. All objectives read the
same pieces of text in the same batches, and take as many steps.

A small network that is to restore hidden words first learns how frequent words are, and may stand
there for long. What may help it on its way (`beginnings`) is what the recipes differ in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from nnlm2bert.experiments.bert.beginnings import HELPED, PLAIN, Beginning
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
    "BERT": Objective("BERT", pairs="next"),
}
"""BERT without and with its second task, a GPT and two one-way readers of the same pieces; BERT
with all chosen words hidden, and with the order of sentences for a second task. "BERT" is the one
of the scoreboard, which reads all of the running text, as every stage does there."""
WHOLE = "BERT"
PASSES: Mapping[str, float] = {"laptop": 0.25, "gpu": 1.0}
"""Passes over the running text, or the part of one, that all other objectives take."""
COMPARED = ("masked", "masked+next", "left-to-right", "two one-way")
"""Those that claims 22 and 23 are about."""


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
    standard deviation of its first weights; beginning: what it knows before its first step;
    batch_tokens: of a step, marks and padding included; passes: over the text, or the part of one
    that is read, drawn at random; warmup: share of the steps; clip: the largest norm of the
    gradient.
    """

    stages: tuple[Stage, ...]
    width: int = 256
    heads: int = 4
    layers: int = 4
    one_way_width: int = 192
    norm: str = "post"
    spread: float = INITIAL_SPREAD
    beginning: Beginning = PLAIN
    batch_tokens: int = 2_048
    passes: float = 1
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


def stage_steps(stages: Sequence[Stage], steps: int) -> list[int]:
    """Return the steps of each stage: at least one, together ``steps`` or one a stage."""
    ends = list(accumulate(stage.share for stage in stages))
    places = [0, *(round(end / ends[-1] * steps) for end in ends)]
    return [max(1, stop - start) for start, stop in pairwise(places)]


LONG = (Stage(1.0, 128),)
SHORT_FIRST = (Stage(0.1, 32), Stage(0.1, 64), Stage(0.8, 128))
MORE_HIDDEN = tuple(replace(stage, hidden=2 * HIDDEN) for stage in SHORT_FIRST)
_HELPED = BERTRecipe(MORE_HIDDEN, norm="pre", spread=0.05, beginning=HELPED)
LESS_HIDDEN = "helped, 15 % hidden"
TRIED: Mapping[str, BERTRecipe] = {
    "plain": BERTRecipe(LONG),
    "helped": _HELPED,
    "helped, rate 5e-4": replace(_HELPED, learning_rate=5e-4),
    "helped, rate 2e-3": replace(_HELPED, learning_rate=2e-3),
    "helped, vectors at random": replace(_HELPED, beginning=replace(HELPED, vectors="random")),
    LESS_HIDDEN: replace(_HELPED, stages=SHORT_FIRST),
}
"""The recipes that each objective tries; where nothing is hidden the last is left out.

"plain" is the published one, but for the rate, which goes with so small a network. "helped": short
sequences before long ones; twice as many words hidden (Wettig et al. 2022); first weights two and a
half times as large, norms before each part (Xiong et al. 2020) and what `HELPED` says, as in Pocket
English. Then other rates, and two of the helps left out.
"""
TRIED_TOKENS: Mapping[str, int] = {"smoke": 3_000, "laptop": 750_000, "gpu": 750_000}
"""Tokens that each of them is tried on, its stages and rates shortened to these."""
SEARCHED = ("masked", "left-to-right", "two one-way")
"""The objectives that search their recipe; the others restore words and take that of "masked"."""
CHOSEN: Mapping[str, str] = dict.fromkeys(OBJECTIVES, "helped")
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
    if text != "running text":
        return POCKET
    chosen = TRIED[CHOSEN[objective]]
    return chosen if objective == WHOLE else replace(chosen, passes=PASSES[scale])


def tried(objective: str, scale: str) -> dict[str, BERTRecipe]:
    """Return the recipes that an objective tries, by name; at scale smoke two small ones."""
    if scale == "smoke":
        return {"small": SMALL, "small, post": replace(SMALL, norm="post")}
    hides = OBJECTIVES[objective].network == "BERT"
    return {name: one for name, one in TRIED.items() if hides or name != LESS_HIDDEN}
