"""The networks that answer in the page: the chapters' own, small enough to be sent to a reader.

NNLM and word2vec are those of their chapters, number by number. Of ELMo, GPT and BERT the chapters
train larger ones; here are their smaller sisters: same text, same code, narrower, and with only as
many places as a typed text needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from nnlm2bert.experiments.bert import laboratory_networks as bert_laboratory
from nnlm2bert.experiments.elmo import laboratory as elmo_laboratory
from nnlm2bert.experiments.elmo.laboratory import LEARN, READ_OUT, VOCABULARY, Documents
from nnlm2bert.experiments.gpt import laboratory as gpt_laboratory
from nnlm2bert.experiments.transformer.laboratory import Reading
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.elmo import BiLM, ELMoConfig
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.nnlm import NNLM, NNLMConfig
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.models.word2vec import NegativeSampling, Word2Vec, Word2VecConfig
from nnlm2bert.objectives import context_windows, next_word, skip_gram_pairs
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.training import ShuffledBatches, TrainingConfig, derived_seed, seed_everything, train
from nnlm2bert.training.length_batches import LengthBatches

SEED = 0
CHAPTER_WORDS = 200_000
"""Words that chapters 1 and 2 learn from in the laboratory."""
PROBE_WORDS = 60_000
"""Words of the text (seed `READ_OUT`) that the probes of ELMo's layers learn from."""
NEVER = -30.0
"""The score of a topic that no noun with two senses has."""


@dataclass(frozen=True)
class Recipe:
    """What a network is and how it learns: the whole of what its weights depend on.

    config: of the network; words: of the text that is learned from (seed `LEARN`); training: how;
    more: what else there is to say, such as the size of a window.
    """

    config: Any
    words: int
    training: TrainingConfig
    more: Mapping[str, Any]

    def written(self) -> dict[str, Any]:
        """The recipe as JSON."""
        parts = {"config": asdict(self.config), "training": asdict(self.training)}
        return {**parts, "words": self.words, "more": dict(self.more), "seed": SEED}


@dataclass(frozen=True)
class LiveNetwork:
    """A network of the page.

    title: what it is; letters: of a weight; recipe, train: how its weights come about; tensors:
    what is exported of it, by name; sources: below ``src/nnlm2bert``, the code that this depends
    on, beside what all depend on.
    """

    title: str
    letters: int
    recipe: Recipe
    train: Callable[[PocketEnglish, Recipe], nn.Module]
    tensors: Callable[[nn.Module], dict[str, Tensor]]
    sources: tuple[str, ...]


# Chapters 1 and 2.


def train_nnlm(language: PocketEnglish, recipe: Recipe) -> NNLM:
    """The network of order 5 of chapter 1."""
    ids = language.sample(recipe.words, LEARN).ids
    seed_everything(SEED)
    network = NNLM(recipe.config)
    batches = ShuffledBatches(
        next_word(ids, recipe.config.order), batch_size=recipe.training.batch_size, seed=SEED
    )
    train(network, lambda net, batch: net.loss(*batch), batches, recipe.training, progress=False)
    return network


def train_word2vec(language: PocketEnglish, recipe: Recipe) -> Word2Vec:
    """The skip-gram with negative sampling of chapter 2."""
    sample = language.sample(recipe.words, LEARN)
    inside = sample.ids != language.end_id
    ids, sentences = sample.ids[inside], sample.sentence_ids[inside]
    radii = torch.Generator().manual_seed(SEED)
    windows = context_windows(ids, sentences, recipe.more["window"], radii)
    seed_everything(SEED)
    counts = np.bincount(ids, minlength=len(language))
    negatives, width = recipe.more["negatives"], recipe.config.dimension
    network = Word2Vec(recipe.config, NegativeSampling(counts, width, negatives=negatives))
    batches = ShuffledBatches(
        skip_gram_pairs(*windows), batch_size=recipe.training.batch_size, seed=SEED
    )
    train(network, lambda net, batch: net.loss(*batch), batches, recipe.training, progress=False)
    return network


# Chapters 3, 5 and 6.


def train_elmo(language: PocketEnglish, recipe: Recipe) -> BiLM:
    """A biLM, as `elmo.laboratory` trains one."""
    documents = Documents.of(language, recipe.words, LEARN)
    seed_everything(derived_seed(SEED, "biLM"))
    bilm = BiLM(recipe.config)
    with torch.no_grad():
        bilm.output.bias.copy_(log_shares(documents.sample.ids))
    rows = elmo_laboratory.spellings(language)
    batches = LengthBatches(documents.lengths, recipe.more["batch"], documents.sequences, SEED)
    train(bilm, lambda net, batch: net.loss(rows, *batch), batches, recipe.training, progress=False)
    return bilm


def train_gpt(language: PocketEnglish, recipe: Recipe) -> GPT:
    """A GPT, as `gpt.laboratory` trains one, on the beginnings of documents."""
    documents, context = Documents.of(language, recipe.words, LEARN), recipe.config.context
    text = Reading(documents, context)
    seed_everything(derived_seed(SEED, "GPT in the laboratory"))
    gpt = gpt_laboratory.begun(recipe.config)
    with torch.no_grad():
        gpt.bias.copy_(log_shares(documents.sample.ids))
    lengths = np.minimum(documents.lengths - 1, context)
    batches = LengthBatches(lengths, recipe.more["batch"], text.pairs, SEED)
    train(gpt, lambda net, batch: net.loss(*batch), batches, recipe.training, progress=False)
    return gpt


def train_bert(language: PocketEnglish, recipe: Recipe) -> BERT:
    """A BERT that restores hidden words, as `bert.laboratory_networks` trains one."""
    more, training = recipe.more, recipe.training
    stages = [bert_laboratory.Stage(*stage, more["hidden"]) for stage in more["stages"]]
    chosen = replace(
        bert_laboratory.recipe("live"),
        config=recipe.config,
        words=recipe.words,
        batch=more["batch"],
        steps=training.steps,
        stages=tuple(stages),
        learning_rate=training.learning_rate,
    )
    schedule = bert_laboratory.Schedule(more["masked"], more["random"])
    trained = bert_laboratory.train_network(language, "live", SEED, "masked", schedule, chosen)
    return trained.network


def log_shares(ids: np.ndarray) -> Tensor:
    """The logarithms of the words' shares of a text (V,), as the laboratories count them."""
    counts = np.bincount(ids, minlength=VOCABULARY) + 0.5
    return torch.from_numpy(np.log(counts / counts.sum()))


# What is exported.


def whole(network: nn.Module) -> dict[str, Tensor]:
    """All weights."""
    return dict(network.state_dict())


def vectors(network: nn.Module) -> dict[str, Tensor]:
    """The input vectors of word2vec."""
    return {"v.weight": network.vectors()}


@torch.no_grad()
def reading_weights(network: nn.Module) -> dict[str, Tensor]:
    """What a biLM needs to read: the vectors of all words, made from their letters, and its LSTMs.

    The two biases of an LSTM are added up; the softmax is left out. `topic_probes` are added.
    """
    language = PocketEnglish()
    table = network.layers[0](elmo_laboratory.spellings(language))
    found = {"words": table, **topic_probes(network, language)}
    for name, weights in network.state_dict().items():
        if name.endswith("bias_ih_l0"):
            weights = weights + network.state_dict()[name.replace("_ih_", "_hh_")]
        if "lstm" in name and not name.endswith("bias_hh_l0"):
            found[name] = weights
    return found


def topic_probes(network: BiLM, language: PocketEnglish) -> dict[str, Tensor]:
    """Weights (topics, 2 P) and biases (topics,) that read off a layer's vector of a noun with two
    senses what it speaks of: a logistic regression for each layer."""
    documents = Documents.of(language, PROBE_WORDS, READ_OUT)
    places = np.flatnonzero(documents.sample.senses)
    labels, found = documents.sample.topics[places], {}
    for layer, vectors in enumerate(elmo_laboratory.vectors_at(network, documents, places)):
        centre, spread = vectors.mean(axis=0), vectors.std(axis=0)
        spread = np.maximum(spread, spread.max() / 5)  # what hardly moves is not to be magnified
        fitted = LogisticRegression(C=1.0, max_iter=500).fit((vectors - centre) / spread, labels)
        weight = np.zeros((len(language.topics), vectors.shape[1]))
        bias = np.full(len(language.topics), NEVER)
        weight[fitted.classes_] = fitted.coef_ / spread
        bias[fitted.classes_] = fitted.intercept_ - weight[fitted.classes_] @ centre
        found[f"topics.{layer}.weight"] = torch.from_numpy(weight).float()
        found[f"topics.{layer}.bias"] = torch.from_numpy(bias).float()
    return found


def predicting_weights(network: nn.Module) -> dict[str, Tensor]:
    """What BERT needs to restore words: all but the head for pairs of segments."""
    pairs = ("pooler.", "relation.")
    return {n: w for n, w in network.state_dict().items() if not n.startswith(pairs)}


# The recipes.


def schedule(steps: int, learning_rate: float, warmup: int, second: float) -> TrainingConfig:
    """How the laboratories train from chapter 3 on: batches of words, a cosine down to 2 %."""
    return TrainingConfig(
        steps=steps,
        batch_size=1,
        learning_rate=learning_rate,
        warmup_steps=warmup,
        final_fraction=0.02,
        betas=(0.9, second),
        seed=SEED,
    )


NNLM_RECIPE = Recipe(
    NNLMConfig(VOCABULARY, order=5, features=30, hidden=100),
    CHAPTER_WORDS,
    TrainingConfig(steps=1_170, batch_size=512, learning_rate=0.01, warmup_steps=100, seed=SEED),
    {},
)
WORD2VEC_RECIPE = Recipe(
    Word2VecConfig(VOCABULARY, 50),
    CHAPTER_WORDS,
    TrainingConfig(
        steps=798,
        batch_size=2_048,
        learning_rate=2e-2,
        warmup_steps=50,
        final_fraction=0.02,
        weight_decay=0.0,
        betas=(0.9, 0.99),
    ),
    {"window": 5, "negatives": 5},
)
ELMO_RECIPE = Recipe(
    ELMoConfig(
        VOCABULARY,
        filters=((1, 16), (2, 32), (3, 32)),
        highways=1,
        width=64,
        states=64,
        dropout=0.0,
    ),
    1_200_000,
    schedule(2_500, 1e-2, 20, 0.99),
    {"batch": 512},
)
_SMALL = {"heads": 4, "layers": 2, "dropout": 0.0, "norm": "pre"}
GPT_RECIPE = Recipe(
    TransformerConfig(VOCABULARY, context=48, width=64, inner=128, **_SMALL),
    1_200_000,
    schedule(3_000, 6e-3, 300, 0.98),
    {"batch": 1_024},
)
BERT_RECIPE = Recipe(
    bert_config(VOCABULARY, context=64, width=60, inner=120, **_SMALL),
    1_200_000,
    schedule(4_000, 4e-3, 400, 0.98),
    {
        "batch": 1_024,
        "stages": [[1 / 12, 27], [1 / 12, 35], [5 / 6, 64]],
        "hidden": 0.3,
        "masked": 0.8,
        "random": 0.1,
    },
)
_ELMO_LABORATORY = "experiments/elmo/laboratory.py"
_SPELLING = ("models/elmo.py", "tokenizers/characters.py", _ELMO_LABORATORY)
_BLOCKS = ("models/transformer.py", "models/gpt.py", _ELMO_LABORATORY)
NETWORKS: Mapping[str, LiveNetwork] = {
    "nnlm": LiveNetwork(
        "The NNLM of chapter 1", 2, NNLM_RECIPE, train_nnlm, whole, ("models/nnlm.py",)
    ),
    "word2vec": LiveNetwork(
        "The vectors of chapter 2",
        2,
        WORD2VEC_RECIPE,
        train_word2vec,
        vectors,
        ("models/word2vec.py",),
    ),
    "elmo": LiveNetwork(
        "A smaller sister of chapter 3's biLM",
        1,
        ELMO_RECIPE,
        train_elmo,
        reading_weights,
        _SPELLING,
    ),
    "gpt": LiveNetwork(
        "A smaller sister of chapter 5's GPT",
        1,
        GPT_RECIPE,
        train_gpt,
        whole,
        (*_BLOCKS, "experiments/gpt/laboratory.py", "experiments/transformer/laboratory.py"),
    ),
    "bert": LiveNetwork(
        "A smaller sister of chapter 6's BERT",
        1,
        BERT_RECIPE,
        train_bert,
        predicting_weights,
        (*_BLOCKS, "models/bert.py", "experiments/bert/laboratory_networks.py"),
    ),
}
"""The networks of the page, by the name that a chapter asks for them with."""
COMMON_SOURCES = (
    "objectives.py",
    "experiments/live/networks.py",
    "experiments/live/letters.py",
    *(f"synthetic/{name}.py" for name in ("lexicon", "machine", "grammar", "pocket_english")),
    *(f"training/{name}.py" for name in ("batches", "length_batches", "loop", "optimiser")),
)
"""The code that all of them depend on."""
