"""The experiment of Bengio et al. (2003), section 4, on the Brown corpus: Table 1.

Every arm reads the same tokens in the same vocabulary: 800,000 to learn from, 200,000 to choose
by, the rest to be measured on. n-gram models and networks alike are tuned on the middle part
alone. At scale ``smoke`` the text is Pocket English and every size is small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnlm2bert.evaluation.perplexity import by_document, mix, mixture_weights
from nnlm2bert.experiments.runner import Arm, Experiment, Result
from nnlm2bert.models.ngram import JelinekMercer, KneserNey, NgramModel
from nnlm2bert.models.nnlm import NNLM, NNLMConfig
from nnlm2bert.objectives import next_word
from nnlm2bert.tokenizers import Vocabulary
from nnlm2bert.training import ShuffledBatches, TrainingConfig, seed_everything, train

RARE = 3
QUERIES = ("was", "two", "his", "said", "good", "France", "Mr.", "year", "house", "never")
NEIGHBOURS = 8

RECIPES: dict[str, dict[str, Any]] = {
    "smoke": {
        "epochs": 3,
        "batch_size": 128,
        "learning_rate": 5e-3,
        "epsilon": 1e-8,
        "dropout": 0.1,
        "weight_decay": 0.01,
        "precision": "float32",
    },
    "laptop": {
        "epochs": 6,
        "batch_size": 1024,
        "learning_rate": 1e-2,
        "epsilon": 3e-4,
        "dropout": 0.25,
        "weight_decay": 0.01,
        "precision": "bfloat16",
    },
    "gpu": {
        "epochs": 15,
        "batch_size": 1024,
        "learning_rate": 1e-2,
        "epsilon": 3e-4,
        "dropout": 0.3,
        "weight_decay": 0.01,
        "precision": "bfloat16",
    },
}
"""How the networks are trained, chosen on the validation part alone.

The large epsilon matters: Adam divides every gradient by its usual size, so that with the common
1e-8 the vector of a word seen once an epoch takes as long a step as that of *the*, and rare words
are learned by heart.
"""

NETWORKS: dict[str, dict[str, Any]] = {
    "MLP9": {"order": 5, "hidden": 100, "features": 30, "direct": False},
    "MLP5": {"order": 5, "hidden": 50, "features": 30, "direct": True},
    "MLP7": {"order": 3, "hidden": 50, "features": 30, "direct": True},
    "MLP1": {"order": 5, "hidden": 50, "features": 60, "direct": True},
    "MLP3": {"order": 5, "hidden": 0, "features": 60, "direct": True},
}
MEASURED = {
    "smoke": ("MLP9", "MLP5", "MLP7"),
    "laptop": ("MLP9", "MLP5", "MLP7"),
    "gpu": tuple(NETWORKS),
}


@dataclass(frozen=True)
class Text:
    """A stream of word ids (T,), the document of each, and where what is measured begins and ends.

    ``sizes``: words to learn from, and words to choose by; the rest is the test.
    """

    ids: np.ndarray
    documents: np.ndarray
    vocabulary: Vocabulary
    sizes: tuple[int, int]
    parts: dict[str, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        train_end, validation_end = self.sizes[0], sum(self.sizes)
        learned = train_end // 8  # the last eighth stands for all that was learned from
        parts = {
            "train": (train_end - learned, train_end),
            "validation": (train_end, validation_end),
            "test": (validation_end, len(self.ids)),
        }
        object.__setattr__(self, "parts", parts)

    def part(self, name: str) -> np.ndarray:
        """Return the ids of one part."""
        return self.ids[slice(*self.parts[name])]

    @property
    def learn(self) -> np.ndarray:
        """The ids of the training part."""
        return self.ids[: self.sizes[0]]

    @cached_property
    def trigram(self) -> JelinekMercer:
        """The interpolated trigram, with which the networks are mixed."""
        return fit_ngrams({"model": "deleted interpolation", "order": 3}, self)

    @cached_property
    def trigram_losses(self) -> dict[str, np.ndarray]:
        """Its loss on every token of the validation and the test part, in nats."""
        return {name: ngram_losses(self.trigram, self, name) for name in ("validation", "test")}


def prepare(scale: str) -> Text:
    """Return the text of a scale: Pocket English for ``smoke``, else Brown as in the paper."""
    if scale == "smoke":
        from nnlm2bert.synthetic import PocketEnglish

        language = PocketEnglish()
        sample = language.sample(words=12_000, seed=0)
        vocabulary = Vocabulary(language.vocabulary)
        return Text(sample.ids, sample.document_ids, vocabulary, (8_000, 2_000))
    from nnlm2bert.corpora import load_brown_stream

    stream = load_brown_stream()
    vocabulary = Vocabulary.from_tokens(stream.tokens, min_count=RARE + 1)
    ids = vocabulary.encode(stream.tokens)
    return Text(ids, stream.documents, vocabulary, (800_000, 200_000))


def arms(scale: str) -> tuple[Arm, ...]:
    """Return the rows of Table 1 measured at a scale: five n-gram models, then the networks."""
    ngrams = [Arm("trigram", {"model": "deleted interpolation", "order": 3}, seeds=False)]
    for order in (3, 4, 5):
        config = {"model": "Kneser-Ney", "order": order, "discounts": "tuned"}
        ngrams.append(Arm(f"KN{order}", config, seeds=False))
    config = {"model": "Kneser-Ney", "order": 5, "discounts": "estimated"}
    ngrams.append(Arm("KN5-estimated", config, seeds=False))
    networks = [
        Arm(name, {"model": "NNLM", **NETWORKS[name], **RECIPES[scale]}) for name in MEASURED[scale]
    ]
    return (*ngrams, *networks)


def run(arm: Arm, seed: int, data: Text, workspace: Path, device: str = "cpu") -> Result:
    """Fit or train one row of the table and measure it."""
    if arm.config["model"] == "NNLM":
        return run_network(arm.config, seed, data, workspace, device)
    return run_ngrams(arm.config, data)


def run_ngrams(config: dict[str, Any], data: Text) -> Result:
    """Count, tune on the validation part, measure on the test part."""
    model = fit_ngrams(config, data)
    losses = {name: ngram_losses(model, data, name) for name in data.parts}
    return Result(
        figures={f"{name} perplexity": perplexity_of(loss) for name, loss in losses.items()}
        | {"parameters": sum(len(order.keys) for order in model.counts.orders)},
        groups={"test": group(losses["test"], data)},
    )


def fit_ngrams(config: dict[str, Any], data: Text) -> NgramModel:
    """Return the model of an n-gram arm."""
    order, size = config["order"], len(data.vocabulary)
    learn, choose = data.learn, data.part("validation")
    if config["model"] == "deleted interpolation":
        return JelinekMercer.fit(learn, choose, order, size)
    model = KneserNey.fit(learn, order, size)
    return model.tune_discounts(choose) if config["discounts"] == "tuned" else model


def ngram_losses(model: NgramModel, data: Text, name: str) -> np.ndarray:
    """Return the loss (T,) of every token of a part, in nats; words before it are context."""
    start, stop = data.parts[name]
    before = min(start, model.n - 1)
    return -model.log_probabilities(data.ids[start - before : stop])[before:]


def run_network(
    config: dict[str, Any], seed: int, data: Text, workspace: Path, device: str
) -> Result:
    """Train one network, keep its best weights by validation, measure it alone and mixed."""
    seed_everything(seed)
    model = build_network(config, data)
    examples = next_word(data.learn, config["order"])
    batches = ShuffledBatches(
        [part.to(device) for part in examples], config["batch_size"], seed=seed
    )
    training = training_config(config, len(batches), seed)
    result = train(
        model,
        lambda network, batch: network.loss(*batch),
        batches,
        training,
        evaluate=lambda network: {
            "validation perplexity": perplexity_of(network_losses(network, data, "validation"))
        },
        checkpoint=workspace / "checkpoint.pt",
        device=device,
    )
    return measure_network(model, data, result)


def build_network(config: dict[str, Any], data: Text) -> NNLM:
    """Return an untrained network whose output bias is each word's log frequency."""
    sizes = {name: config[name] for name in ("order", "hidden", "features", "direct", "dropout")}
    model = NNLM(NNLMConfig(len(data.vocabulary), **sizes))
    counts = np.bincount(data.learn, minlength=len(data.vocabulary)) + 0.5
    with torch.no_grad():
        model.output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    return model


def training_config(config: dict[str, Any], batches: int, seed: int) -> TrainingConfig:
    """Return how an arm is trained: one warm-up, one half cosine, measured three times."""
    return TrainingConfig(
        steps=config["epochs"] * batches,
        batch_size=config["batch_size"],
        learning_rate=config["learning_rate"],
        warmup_steps=min(300, batches),
        final_fraction=0.02,
        weight_decay=config["weight_decay"],
        betas=(0.9, 0.99),
        epsilon=config["epsilon"],
        precision=config["precision"],
        evaluate_every=config["epochs"] * batches // 3,
        keep_best="validation perplexity",
        checkpoint_every=max(1, batches // 4),
        seed=seed,
    )


def network_losses(model: NNLM, data: Text, name: str) -> np.ndarray:
    """Return the loss (T,) of every token of a part, in nats, computed in float32."""
    device = next(model.parameters()).device
    contexts, targets = next_word(data.ids, model.config.order, *data.parts[name])
    rows = zip(contexts.split(4096), targets.split(4096), strict=True)
    losses = [-model.log_probabilities(x.to(device), y.to(device)) for x, y in rows]
    return torch.cat(losses).double().cpu().numpy()


def measure_network(model: NNLM, data: Text, training: Any) -> Result:
    """Measure a trained network alone, in the paper's mixture, and in the best one."""
    loss = {name: network_losses(model, data, name) for name in data.parts}
    trigram = data.trigram_losses
    mixed = {name: mix([loss[name], trigram[name]]) for name in trigram}
    share = mixture_weights([loss["validation"], trigram["validation"]])[0]
    best = mix([loss["test"], trigram["test"]], [share, 1 - share])
    figures = {f"{name} perplexity": perplexity_of(nats) for name, nats in loss.items()}
    figures |= {f"mixed {name} perplexity": perplexity_of(nats) for name, nats in mixed.items()}
    figures |= {
        "network's share in the best mixture": share,
        "best mixture's test perplexity": perplexity_of(best),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "words a second": training.examples_per_second,
    }
    return Result(
        figures=figures,
        series={
            "validation perplexity at each third": training.history.measures[
                "validation perplexity"
            ],
            "training loss": training.history.losses,
        },
        groups={"test": group(loss["test"], data), "test mixed": group(mixed["test"], data)},
        words={"neighbours in C": neighbours(model, data.vocabulary)},
    )


def neighbours(model: NNLM, vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Return the words whose vectors in C have the highest cosine with those of some words."""
    vectors = torch.nn.functional.normalize(model.C.weight.detach().cpu(), dim=1)
    found = {}
    for word in (query for query in QUERIES if query in vocabulary):
        cosines = vectors @ vectors[vocabulary[word]]
        near = cosines.topk(NEIGHBOURS + 1).indices.tolist()[1:]
        found[word] = vocabulary.decode(near)
    return found


def group(nats: np.ndarray, data: Text) -> dict[str, list[float]]:
    """Return tokens and summed loss of each document of the test part."""
    tokens, sums = by_document(nats, data.documents[slice(*data.parts["test"])])
    return {"tokens": tokens, "nats": sums}


def perplexity_of(nats: np.ndarray) -> float:
    """Return exp of the mean loss."""
    return math.exp(float(np.mean(nats)))


EXPERIMENT = Experiment(
    name="nnlm",
    title="NNLM on the Brown corpus",
    arms=arms,
    prepare=prepare,
    run=run,
    corpora=("brown",),
    on_gpu=lambda arm: arm.config["model"] == "NNLM",
)
