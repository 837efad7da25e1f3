"""The chapter's tests on GPT's published weights, here random ones that transformers has saved."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nnlm2bert.corpora import running
from nnlm2bert.corpora.running import RunningText
from nnlm2bert.errors import UserError
from nnlm2bert.experiments.gpt import published
from nnlm2bert.experiments.gpt.material import Prompt
from nnlm2bert.models.openai_gpt import load_openai_tokenizer
from nnlm2bert.transfer import Example, Task

transformers = pytest.importorskip("transformers")

LETTERS = "abcdefghijklmnopqrstuvwxyz."
MERGES = [("b", "a"), ("ba", "d</w>"), ("g", "o"), ("o", "d</w>"), ("t", "h"), ("th", "e</w>")]
SENTENCES = ("the film", "bad food", "a good film", "the end .", "so it goes", "fine", "food", "go")
LABELS = (0, 1, 1, 0, 1, 1, 1, 0)
PROMPT = Prompt(("very",), ("bad", "good"), (0, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of transformers in the format of the published files, small and random."""
    home = tmp_path_factory.mktemp("gpt")
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *map("".join, MERGES), "<unk>"]
    sizes = {"n_positions": 64, "n_embd": 24, "n_head": 3, "n_layer": 2}
    torch.manual_seed(0)
    config = transformers.OpenAIGPTConfig(vocab_size=len(tokens), **sizes)
    model = transformers.OpenAIGPTLMHeadModel(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=1.0)
    model.save_pretrained(home)
    numbers = {token: number for number, token in enumerate(tokens)}
    (home / "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
    lines = ["#version: 0.2", *map(" ".join, MERGES), ""]
    (home / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    return home


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> dict[str, Task]:
    """Sentences in the place of the data sets, and ten words of held-out text."""
    examples = [
        Example((tuple(text.split()),), label)
        for text, label in zip(SENTENCES, LABELS, strict=True)
    ]
    splits = {"train": examples, "test": examples}
    tasks = {
        name: Task(name, "sentence", measure, ("no", "yes"), splits)
        for name, measure in (("sentiment", "accuracy"), ("acceptability", "Matthews"))
    }
    text = RunningText(
        ids=np.array([0, 1, 2, 0, 1, 3, 2, 1, 0, 3], np.int32),
        types=["the", "film", "good", "end"],
        counts=np.array([3, 3, 2, 2]),
        sentences=np.repeat(np.arange(2), 5).astype(np.int32),
        documents=np.zeros(10, np.int32),
        names=("a",),
    )
    monkeypatch.setattr(published, "load_task", tasks.__getitem__)
    monkeypatch.setattr(published, "acceptability", lambda: tasks["acceptability"])
    monkeypatch.setattr(published, "PROMPTS", {"running text": PROMPT})
    monkeypatch.setattr(running, "HELD_OUT_TEXT", ("books",))
    monkeypatch.setattr(running, "load_held_out", lambda name, lower: text)
    return tasks


@cache
def theirs(folder: Path) -> nn.Module:
    """The saved network, as transformers loads it."""
    return transformers.OpenAIGPTLMHeadModel.from_pretrained(folder).eval()


def costs(folder: Path, text: str) -> np.ndarray:
    """Nats of each token of a text behind a full stop, by transformers."""
    ids = torch.tensor(load_openai_tokenizer(folder).encode(f". {text}").ids)
    with torch.no_grad():
        chances = theirs(folder)(ids[None]).logits[0].log_softmax(dim=1)
    return -chances[:-1].gather(1, ids[1:, None]).squeeze(1).numpy()


def test_figures_are_those_that_transformers_finds(folder: Path, data: dict[str, Task]) -> None:
    found = published.measure_published(folder)
    asked = [
        (costs(folder, f"{text} very {word}").sum() for word in PROMPT.words) for text in SENTENCES
    ]
    leaning = np.array([bad - good for bad, good in asked])
    labels, lower = np.array(LABELS), LABELS.count(0)
    ranked = leaning.argsort().argsort() >= lower
    assert found["zero-shot"] == pytest.approx(np.mean((leaning > 0) == labels))
    assert found["zero-shot by rank"] == pytest.approx(np.mean(ranked == labels))
    assert found["zero-shot"] != found["zero-shot by rank"]  # or none would see them exchanged
    likely = np.array([-costs(folder, text).mean() for text in SENTENCES])
    accepted = likely.argsort().argsort() >= lower
    matthews = np.corrcoef(accepted, labels)[0, 1]
    assert found["zero-shot acceptability"] == pytest.approx(matthews, abs=1e-4)


def test_perplexity_is_by_the_word(folder: Path, data: dict[str, Task]) -> None:
    text = "the film good the film end good film the end"
    ids = load_openai_tokenizer(folder).encode(f"{text} .").ids
    with torch.no_grad():
        nats = theirs(folder)(torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
    found = published.measure_published(folder)["books, perplexity a word"]
    assert found == pytest.approx(math.exp(nats * len(ids) / 10), rel=1e-4)


def test_a_tokenizer_without_a_full_stop_is_refused(folder: Path) -> None:
    tokenizer = load_openai_tokenizer(folder)
    assert published.stop(tokenizer) == ".</w>"
    vocabulary = {"a": 0, "<unk>": 1}
    bare = type(tokenizer)(type(tokenizer.model)(vocabulary, [], unk_token="<unk>"))
    with pytest.raises(UserError, match=r"has no '\.</w>': take that of openai-community"):
        published.stop(bare)
