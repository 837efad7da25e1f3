"""The chapter's tests on BERT's published weights, here random ones that transformers has saved."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import nn

from nnlm2bert.corpora import running
from nnlm2bert.corpora.running import RunningText
from nnlm2bert.experiments.bert import published
from nnlm2bert.models.google_bert import load_google_bert, load_google_tokenizer

transformers = pytest.importorskip("transformers")

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] a an is are egg eggs cup ##s there here .".split()
DOCUMENTS = (
    ("there is an egg .", "here are cups .", "a cup is here ."),
    ("there are eggs .", "is an egg here", "an egg is there ."),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of transformers in the format of the published files, small and random."""
    home = tmp_path_factory.mktemp("bert")
    sizes = {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 2}
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), intermediate_size=40, max_position_embeddings=32, **sizes
    )
    model = transformers.BertForPreTraining(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(home)
    (home / "vocab.txt").write_text("\n".join([*VOCABULARY, ""]), encoding="utf-8")
    return home


@pytest.fixture
def text() -> RunningText:
    """The documents above as running text."""
    words, sentences, documents, at = [], [], [], 0
    for number, document in enumerate(DOCUMENTS):
        for sentence in document:
            words += sentence.split()
            sentences += [at] * len(sentence.split())
            documents += [number] * len(sentence.split())
            at += 1
    types = sorted(set(words))
    ids = np.array([types.index(word) for word in words], np.int32)
    counts = np.bincount(ids)
    return RunningText(ids, types, counts, np.array(sentences), np.array(documents), ("a", "b"))


@cache
def loaded(folder: Path) -> nn.Module:
    """The saved network, as transformers loads it."""
    return transformers.BertForPreTraining.from_pretrained(folder).eval()


def theirs(
    folder: Path, first: str, second: str | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the words and of the pair, by transformers from its own tokens."""
    model = loaded(folder)
    tokenizer = transformers.BertTokenizer.from_pretrained(folder)
    asked = tokenizer(first, second, return_tensors="pt")
    with torch.no_grad():
        found = model(**asked)
    blanks = asked["input_ids"] == tokenizer.mask_token_id
    return found.prediction_logits[blanks], found.seq_relationship_logits[0]


def test_documents_are_those_of_the_text(text: RunningText) -> None:
    found = published.documents(text)
    assert [[" ".join(words) for words in document] for document in found] == [
        list(document) for document in DOCUMENTS
    ]


def test_hidden_words_are_judged_as_by_transformers(folder: Path, text: RunningText) -> None:
    bert, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    sentences = [sentence for document in published.documents(text) for sentence in document]
    found = published.hits(bert, tokenizer, sentences, ("is", "are"), most=2)
    asked = [
        ("there [MASK] an egg .", "is"),
        ("[MASK] an egg here", "is"),
        ("here [MASK] cups .", "are"),
        ("there [MASK] eggs .", "are"),
    ]
    numbers = [VOCABULARY.index(word) for word in ("is", "are")]
    wanted = []
    for said, truth in asked:
        logits = theirs(folder, said)[0][0, numbers]
        wanted.append(("is", "are")[int(logits.argmax())] == truth)
    assert found == wanted


def test_pairs_are_judged_as_by_transformers(folder: Path, text: RunningText) -> None:
    bert, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    texts = published.documents(text)
    encoder = published.SubwordEncoder(tokenizer)
    for first, second in (DOCUMENTS[0][:2], DOCUMENTS[1][1:]):
        row = tuple(encoder.encode(part.split())[0] for part in (first, second))
        tokens, inside, segments = next(published.batches(tokenizer, [row, row[::-1]]))
        with torch.no_grad():
            ours = bert.relation_logits(bert(tokens, inside, segments))[0]
        torch.testing.assert_close(ours, theirs(folder, first, second)[1], rtol=1e-4, atol=1e-5)
    told = published.told_apart(bert, tokenizer, texts, most=3)
    assert len(told) == 6
    follows = bert.relation.bias.data
    follows.copy_(torch.tensor([1e4, 0.0]))
    assert published.told_apart(bert, tokenizer, texts, most=3) == [True] * 3 + [False] * 3


def test_a_second_that_does_not_follow_is_of_another_document(
    folder: Path, text: RunningText, monkeypatch: pytest.MonkeyPatch
) -> None:
    bert, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    asked, batches = [], published.batches

    def noted(tokenizer: Tokenizer, rows: list[tuple[list[int], ...]]) -> Iterator:
        asked.append([[tokenizer.decode(part) for part in row] for row in rows])
        return batches(tokenizer, rows)

    monkeypatch.setattr(published, "batches", noted)
    published.told_apart(bert, tokenizer, published.documents(text), most=4)
    numbers = {
        tokenizer.decode(tokenizer.encode(sentence, add_special_tokens=False).ids): (n, place)
        for n, document in enumerate(DOCUMENTS)
        for place, sentence in enumerate(document)
    }
    following, others = ([[numbers[part] for part in row] for row in rows] for rows in asked)
    assert len(following) == len(others) == 4
    assert all(second == (n, place + 1) for (n, place), second in following)
    assert all(first[0] != second[0] for first, second in others)


def test_all_figures_are_shares(
    folder: Path, text: RunningText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "load_held_out", lambda name, lower: text)
    found = published.measure_published(folder, most=5)
    assert set(found) == {"words that the left decides", "words that the right decides", "next"}
    assert all(0 <= share <= 1 for share in found.values())
    bert, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    alone = published.measure(bert, tokenizer, published.documents(text)[:1])
    assert "next" not in alone
