"""BERT, and what it is held against, learn tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models

from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.tokenizers.wordpiece import SPECIAL, UNKNOWN
from nnlm2bert.transfer import (
    BERTReader,
    Example,
    FineTuning,
    Task,
    fine_tune,
    predict,
    renewed,
)
from nnlm2bert.transfer.marked_words import MarkedWords

WORDS = "bad good very film the of".split()
CONFIG = bert_config(
    len(SPECIAL) + len(WORDS), context=16, width=16, heads=2, layers=1, inner=32, dropout=0.0
)
ONE_WAY = replace(CONFIG, causal=True, segments=0)
KINDS = ("sentence", "pair", "score", "choice", "word", "word-pair", "tags")


@pytest.fixture(scope="module")
def tokens() -> SubwordEncoder:
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    return SubwordEncoder(Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN)))


def networks() -> dict[str, torch.nn.Module]:
    torch.manual_seed(1)
    return {"BERT": BERT(CONFIG), "GPT": GPT(ONE_WAY), "two": TransformerBiLM(ONE_WAY)}


def examples(kind: str, count: int = 8) -> list[Example]:
    generator = np.random.default_rng(0)
    sides = {"sentence": 1, "word": 1, "tags": 1, "choice": 4}.get(kind, 2)
    found = []
    for number in range(count):
        lengths = generator.integers(2, 6, size=sides)
        sentences = tuple(tuple(generator.choice(WORDS, n).tolist()) for n in lengths)
        label = {"score": float(number % 3), "tags": (number % 2,) * len(sentences[0])}
        position = {"word": 1, "word-pair": (0, 1)}.get(kind)
        found.append(Example(sentences, label.get(kind, number % 2), position))
    return found


def task_of(kind: str, **splits: list[Example]) -> Task:
    return Task("toy", kind, "accuracy", () if kind == "score" else ("no", "yes"), splits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["BERT", "GPT", "two"])
def test_an_example_is_answered_alike_alone_and_among_others(
    tokens: SubwordEncoder, kind: str, name: str
) -> None:
    reader = BERTReader(networks()[name], tokens, task_of(kind), dropout=0.0).eval()
    given = examples(kind)
    together = reader(given)
    shape = {"score": (8, 1), "choice": (8, 3), "tags": (8, 5, 2)}
    assert together.shape == shape.get(kind, (8, 2))
    for row, example in zip(together, given, strict=True):
        alone = reader([example])[0]
        torch.testing.assert_close(row[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def test_the_whole_is_read_by_the_pooler_and_a_word_is_not(tokens: SubwordEncoder) -> None:
    bert = networks()["BERT"]
    for kind, pooled in (
        ("sentence", True),
        ("pair", True),
        ("word", False),
        ("tags", False),
        ("word-pair", False),
    ):
        reader = BERTReader(bert, tokens, task_of(kind), dropout=0.0).eval()
        before = reader(examples(kind))
        bert.pooler.bias.data += 1.0
        assert torch.equal(reader(examples(kind)), before) is not pooled


def test_two_words_are_read_where_they_stand(tokens: SubwordEncoder) -> None:
    reader = BERTReader(networks()["BERT"], tokens, task_of("word-pair"), dropout=0.0).eval()
    (example,) = examples("word-pair", 1)
    plain = reader([example])
    for position in ((1, 1), (0, 0)):
        assert not torch.equal(reader([replace(example, position=position)]), plain)


def test_words_of_the_laboratory_are_read_with_its_own_marks() -> None:
    language = PocketEnglish()
    network = BERT(replace(CONFIG, vocabulary_size=len(language.vocabulary)))
    reader = BERTReader(network, MarkedWords.of_laboratory(language), task_of("sentence"))
    (found,) = reader.sequences(Example((("the", "bank", "is"),), 0))
    assert [language.vocabulary[n] for n in found.tokens] == "<cls> the bank is <sep>".split()


def test_lengths_are_those_of_what_is_read(tokens: SubwordEncoder) -> None:
    (example,) = examples("pair", 1)
    reader = BERTReader(networks()["BERT"], tokens, task_of("pair"))
    assert reader.lengths([example]) == [len(example.words) + 3]


@pytest.mark.parametrize("name", ["BERT", "GPT", "two"])
def test_a_renewed_network_is_a_copy_or_begins_at_random(name: str) -> None:
    source = networks()[name]
    copied, begun = renewed(source, dropout=0.3), renewed(source, scratch=True, spread=0.1)
    assert copied.config == replace(source.config, dropout=0.3)
    for one, other in zip(copied.parameters(), source.parameters(), strict=True):
        assert torch.equal(one, other) and one is not other
    weight = begun.state_dict()[
        "layers.0.tokens.weight"
        if name != "two"
        else next(key for key in begun.state_dict() if key.endswith("tokens.weight"))
    ]
    assert float(weight.std()) == pytest.approx(0.1, rel=0.25)


def labelled(count: int, seed: int) -> list[Example]:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        label = int(generator.integers(2))
        noise = generator.choice(["film", "the", "of"], int(generator.integers(2, 8))).tolist()
        found.append(Example(((*noise, WORDS[label], *noise[:2]),), label))
    return found


def accuracy(predicted: list[int], given: list[Example]) -> float:
    return float(np.mean([p == e.label for p, e in zip(predicted, given, strict=True)]))


@pytest.mark.parametrize("name", ["BERT", "GPT", "two"])
def test_a_task_is_learned_and_the_source_stays(tokens: SubwordEncoder, name: str) -> None:
    names = ("train", "validation", "test")
    splits = {part: labelled(40, seed) for seed, part in enumerate(names)}
    task, source = task_of("sentence", **splits), networks()[name]
    before = {key: tensor.clone() for key, tensor in source.state_dict().items()}
    recipe = FineTuning(
        60, 10, 1e-2, auxiliary=0.0, dropout=0.0, evaluations=2, precision="float32"
    )

    def make() -> BERTReader:
        return BERTReader(renewed(source, dropout=0.0), tokens, task, 0.0)

    reader, _ = fine_tune(task, make, task.splits["train"], recipe, accuracy, 0)
    assert accuracy(predict(reader, task, splits["test"]), splits["test"]) > 0.9
    assert all(torch.equal(before[key], value) for key, value in source.state_dict().items())
