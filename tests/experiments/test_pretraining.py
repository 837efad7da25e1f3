"""The vectors that the scoreboard hands down: trained once, kept, and the same for all."""

import numpy as np
import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.experiments import pretraining
from nnlm2bert.experiments.pretraining import POCKET_ENGLISH_SEED, pocket_english, pretrained
from nnlm2bert.synthetic import PocketEnglish

LABORATORY = "Pocket English"


@pytest.fixture(scope="module")
def text():
    return pocket_english(5_000)


def test_types_fall_in_frequency_and_counts_are_theirs(text):
    assert (np.diff(text.counts) <= 0).all() and text.counts.sum() == len(text.ids)
    np.testing.assert_array_equal(np.bincount(text.ids), text.counts)
    assert text.types[0] in (".", "the") and "</d>" not in text.types


def test_the_text_is_that_of_the_laboratory(text):
    sample = PocketEnglish().sample(words=5_000, seed=POCKET_ENGLISH_SEED)
    words = sample.text.replace("</d>", "").split()
    assert [text.types[number] for number in text.ids] == words
    assert (np.diff(text.sentences) >= 0).all()
    assert text.sentences[-1] + 1 >= words.count(".")


def test_vectors_are_trained_once_and_then_read(tmp_path, monkeypatch):
    first = pretrained("NNLM", 0, "smoke", tmp_path, LABORATORY)
    monkeypatch.setattr(pretraining, "train", None)
    again = pretrained("NNLM", 0, "smoke", tmp_path, LABORATORY)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    assert [path.suffix for path in tmp_path.iterdir()] == [".txt"]


def test_another_seed_gives_other_vectors(tmp_path):
    zero, one = (pretrained("NNLM", seed, "smoke", tmp_path, LABORATORY) for seed in (0, 1))
    assert zero.words == one.words and not np.allclose(zero.matrix, one.matrix)


def test_what_is_rare_becomes_unknown_for_the_nnlm(text, tmp_path):
    config = {**pretraining.RECIPES[LABORATORY]["NNLM"], "vocabulary": 50}
    vectors = pretraining.nnlm_vectors(text, config, 0, tmp_path / "checkpoint.pt")
    assert vectors.words == ("<unk>", *text.types[:49])
    assert vectors.matrix.shape == (50, config["features"])


def test_settings_name_the_stage_and_the_text():
    config = pretraining.settings("CBOW", "smoke", LABORATORY)
    assert config["stage"] == "CBOW" and config["text"]["words"] == 20_000
    assert config != pretraining.settings("CBOW", "laptop", LABORATORY)


@pytest.mark.parametrize(("stage", "text"), [("GloVe", LABORATORY), ("NNLM", "the web")])
def test_an_unknown_stage_or_text_is_named(stage, text, tmp_path):
    with pytest.raises(UserError, match="Choose a stage"):
        pretrained(stage, 0, "smoke", tmp_path, text)
