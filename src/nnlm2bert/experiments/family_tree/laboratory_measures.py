"""What is measured of a network of the factorial in Pocket English, the same of all.

Groups are sums in blocks of neighbouring documents, items or test examples; costs in nats, else
right answers:

    one word: ...       words hidden one at a time: the network, and the exact limits
    sense: ...          the sense of a word, read off by a linear probe at the word, by its cue
    laboratory ... frozen, tuned    the tasks of the scoreboard, from few labels
    window n: limit     what whoever knows n words to either side must pay
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from nnlm2bert.experiments.bert.laboratory_measures import Asked, measure_senses
from nnlm2bert.experiments.bert.laboratory_networks import LaboratoryText, Recipe
from nnlm2bert.experiments.bert.runs import Start, tuned
from nnlm2bert.experiments.elmo.laboratory import READ_OUT, TEST, Costs
from nnlm2bert.experiments.family_tree.cells import WAYS
from nnlm2bert.experiments.gpt.laboratory import Groups, seen_items
from nnlm2bert.experiments.scoreboard import LABORATORY_SIZES, EncoderMaker, measure_for, units
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.transfer import (
    Example,
    Features,
    FineTuning,
    MarkedReader,
    MarkedWords,
    Task,
    draw,
    learn,
    load_task,
    predict,
)
from nnlm2bert.transfer import Recipe as HeadRecipe
from nnlm2bert.transfer.bert_inputs import Network
from nnlm2bert.transfer.tasks import LABORATORY
from nnlm2bert.transfer.training_recipe import spread

EVALUATIONS = 4
"""How often the validation part is measured while a task is learned."""
WINDOWS = (1, 2, 4, 8, 16)
AT_ONCE = 256
"""Documents of which all but a window is hidden at a time."""


def tuning(updates: int, rate: float) -> FineTuning:
    """Return how a network learns a task itself, at ``rate`` times the rate of the new layer."""
    own = {"auxiliary": 0.0, "evaluations": EVALUATIONS, "precision": "float32"}
    return FineTuning(updates, encoder_rate=rate, **own)


def heading(updates: int) -> HeadRecipe:
    """Return how a head above a frozen network learns a task: all alike."""
    return HeadRecipe(updates, evaluations=EVALUATIONS)


def measure_language(network: Network, chosen: Recipe, seed: int = TEST) -> Groups:
    """Return the groups "one word" and "sense" on texts that the network never saw."""
    language = PocketEnglish()
    words = Asked.of(LaboratoryText.of(language, chosen.test, seed), chosen.singles)
    costs = words.costs(network).groups()
    known, asked = (
        seen_items(language, count, part)
        for count, part in ((chosen.known, READ_OUT), (chosen.asked, TEST))
    )
    senses = measure_senses(network, known, asked)
    return {**{f"one word: {name}": group for name, group in costs.items()}, **senses}


def measure_tasks(
    network: Network, chosen: Recipe, rate: float, scale: str, seed: int, device: str = "cpu"
) -> Groups:
    """Return right answers on the test part of each task, the network frozen and tuned."""
    language, found = PocketEnglish(), {}
    read = MarkedWords.of_laboratory(language)
    for name in LABORATORY:
        task = load_task(name, LABORATORY_SIZES[scale])
        labelled, test = draw(task, chosen.labels, seed), task.splits["test"]
        how = tuning(chosen.updates, rate)
        for way in WAYS:
            if way == "tuned":
                model = tuned(Start(network, read), task, labelled, how, seed, device)
            else:
                model = headed(network, read, task, labelled, chosen.updates, seed, device)
            found[f"{name} {way}"] = units(task, predict(model, task, test), test)
    return found


def headed(
    network: Network,
    read: MarkedWords,
    task: Task,
    labelled: Sequence[Example],
    updates: int,
    seed: int,
    device: str,
) -> nn.Module:
    """Return a head of the scoreboard on what a frozen network says of words, after learning."""
    examples = [example for split in task.splits.values() for example in split]
    sentences = [sentence for example in examples for sentence in example.sentences]
    make = EncoderMaker(task, labelled, Features(MarkedReader(network, read), sentences), "frozen")
    how = heading(updates)
    return learn(task, make, labelled, how, measure_for(task), seed, device)[0]


def validation_score(
    network: Network, task: Task, chosen: Recipe, rate: float, seed: int, device: str = "cpu"
) -> float:
    """Return what a network, tuned at a rate, scores on the validation part of a task."""
    read, how = MarkedWords.of_laboratory(PocketEnglish()), tuning(chosen.updates, rate)
    labelled = draw(task, chosen.labels, seed)
    model = tuned(Start(network, read), task, labelled, how, seed, device)
    validation = spread(task.splits["validation"], how.validation)
    return measure_for(task)(predict(model, task, validation), validation)


def measure_windows(chosen: Recipe, windows: Sequence[int] = WINDOWS) -> Groups:
    """Return the exact limits of windows, and of both sides, on the words that networks are asked.

    They know where in the document the word stands, too; bags do not, and not the words' order.
    """
    words = Asked.of(LaboratoryText.of(PocketEnglish(), chosen.test, TEST), chosen.singles)
    nats = {f"window {n}: limit": window_limit(words.text, words.places, n) for n in windows}
    nats["window all: limit"] = words.limits["both"]
    owners = words.text.documents.sample.document_ids[words.places]
    return Costs(owners, nats).groups()


def window_limit(text: LaboratoryText, places: np.ndarray, window: int) -> np.ndarray:
    """Return the least that words at places (M,) cost whoever knows ``window`` on either side.

    In nats: all the rest of each word's document is hidden.
    """
    documents, oracle = text.documents, Oracle(text.language)
    owners = documents.sample.document_ids[places]
    found = []
    for part in np.array_split(np.arange(len(places)), -(-len(places) // AT_ONCE)):
        starts, lengths = documents.starts[owners[part]], documents.lengths[owners[part]] - 1
        rows = [documents.sample.ids[a : a + n] for a, n in zip(starts, lengths, strict=True)]
        begins = np.append(0, np.cumsum(lengths)[:-1])
        asked = begins + places[part] - starts
        ids = np.concatenate(rows)
        own = asked.repeat(lengths)
        distance = np.abs(np.arange(len(ids)) - own)
        hidden = ((distance > window) | (distance == 0)) & (ids != text.language.end_id)
        found.append(oracle.hidden_floor(ids, hidden)[asked])
    return np.concatenate(found)
