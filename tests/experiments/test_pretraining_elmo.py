"""The biLM that is trained once on each text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.elmo import pretraining as pretraining_elmo
from nnlm2bert.experiments.elmo.pretraining import (
    LONGEST,
    Sequences,
    place,
    pretrained_bilm,
    recipe,
    sequences,
    train_bilm,
)
from nnlm2bert.synthetic import PocketEnglish
from nnlm2bert.tokenizers.characters import BEGIN, END, spell

TYPES = ["the", "The", "dog", "Bank", "rare"]
IDS = np.array([1, 2, 0, 3, 4, 0, 2, 1, 3, 0, 2, 3, 0, 2, 3, 0, 2, 3, 1, 3])
BORDERS = np.array([0] * 5 + [3] * 2 + [4] * 13)


def text() -> Sequences:
    return sequences(TYPES, IDS, BORDERS, np.bincount(IDS))


def test_words_are_read_as_spelled_and_predicted_in_lower_case() -> None:
    read = text()
    assert read.words == [END, BEGIN, *TYPES]
    assert read.vocabulary == [END, BEGIN, "<unk>", "the", "bank", "dog"]
    predicted = [read.vocabulary[target] for target in read.targets.tolist()]
    assert predicted == [END, BEGIN, "the", "the", "dog", "bank", "<unk>"]


def test_a_sequence_is_a_sentence_between_its_marks() -> None:
    read = text()
    assert read.lengths.tolist() == [7, 4, 15]
    words, lengths, targets = read.collate(torch.tensor([1, 0]))
    assert lengths.tolist() == [4, 7] and words.shape == targets.shape == (2, 7)
    assert [read.words[w] for w in words[0, :4]] == [BEGIN, "the", "dog", END]
    assert [read.words[w] for w in words[1]] == [BEGIN, "The", "dog", "the", "Bank", "rare", END]
    assert targets.equal(read.targets[words])


def test_long_sentences_are_cut_and_nothing_is_lost() -> None:
    ids = np.zeros(2 * LONGEST + 3, dtype=int)
    read = sequences(["so"], ids, np.zeros_like(ids), np.array([len(ids)]))
    assert (read.lengths - 2).tolist() == [LONGEST, LONGEST, 3]


def test_spellings_are_those_of_the_words() -> None:
    assert torch.equal(text().spellings, spell([END, BEGIN, *TYPES]))


def test_a_word_of_the_text_may_be_called_unk() -> None:
    read = sequences(["<unk>", "a"], np.array([0, 1] * 6), np.zeros(12, int), np.array([6, 6]))
    assert read.vocabulary == [END, BEGIN, "<unk>", "a"]


def test_training_is_the_same_again() -> None:
    small = replace(recipe("Pocket English", "smoke"), batch_words=32)
    one, other = (train_bilm(text(), small, seed=3)[0] for _ in range(2))
    differs = train_bilm(text(), small, seed=4)[0]
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(one.output.weight, differs.output.weight)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    pretrained_bilm(0, "smoke", folder, "Pocket English")
    return folder


def test_it_is_trained_once_and_then_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining_elmo, "train_bilm", None)
    read = pretrained_bilm(0, "smoke", cache, "Pocket English")
    assert not read.bilm.training
    assert [path.name for path in cache.iterdir()] == [
        place(0, "smoke", cache, "Pocket English").name
    ]


def test_it_has_learned_something(cache: Path) -> None:
    read = pretrained_bilm(0, "smoke", cache, "Pocket English")
    language = PocketEnglish()
    sample = language.sample(words=400, seed=5)
    unseen = [language.decode(sample.ids[part]).split() for part in sample.sentences()]
    assert 1 < read.perplexity(unseen)["average"] < len(read.words) / 5


def test_another_recipe_is_another_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = place(0, "smoke", cache, "Pocket English")
    assert place(1, "smoke", cache, "Pocket English") != before
    assert place(0, "laptop", cache, "Pocket English") != before
    monkeypatch.setattr(pretraining_elmo, "LONGEST", 10)
    assert place(0, "smoke", cache, "Pocket English") != before


def test_an_unknown_text_is_refused(cache: Path) -> None:
    with pytest.raises(UserError, match="no biLM of 'Latin'"):
        pretrained_bilm(0, "smoke", cache, "Latin")
