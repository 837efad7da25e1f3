"""The published weights of BERT, in files of their format that the tests make."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.google_bert import (
    PUBLISHED,
    fill_blanks,
    from_google,
    google_config,
    google_folder,
    google_settings,
    load_google_bert,
    load_google_tokenizer,
    save_google_bert,
    to_google,
)

SETTINGS = {
    "vocab_size": 14,
    "max_position_embeddings": 12,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 20,
    "hidden_dropout_prob": 0.2,
    "hidden_act": "gelu",
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-10,
}
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat Cat sat on mat ##s . é".split()
LAYER = "bert.encoder.layer.1"


def published() -> dict[str, Tensor]:
    """Weights under the names of the published file, but small and random."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "bert.embeddings.word_embeddings.weight": (14, 8),
        "bert.embeddings.position_embeddings.weight": (12, 8),
        "bert.embeddings.token_type_embeddings.weight": (2, 8),
        "cls.predictions.bias": (14,),
        "cls.seq_relationship.weight": (2, 8),
        "cls.seq_relationship.bias": (2,),
    }
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    dense = {"bert.pooler.dense": (8, 8), "cls.predictions.transform.dense": (8, 8)}
    for layer in range(2):
        block = f"bert.encoder.layer.{layer}"
        norms += [f"{block}.attention.output.LayerNorm", f"{block}.output.LayerNorm"]
        names = ("self.query", "self.key", "self.value", "output.dense")
        dense |= {f"{block}.attention.{name}": (8, 8) for name in names}
        dense |= {f"{block}.intermediate.dense": (20, 8), f"{block}.output.dense": (8, 20)}
    shapes |= {f"{name}.{kind}": (8,) for name in norms for kind in ("gamma", "beta")}
    shapes |= {f"{name}.weight": shape for name, shape in dense.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in dense.items()}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files of a model, as the oldest ones."""
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, ""]), encoding="utf-8")
    save_file(published(), tmp_path / "model.safetensors")
    return tmp_path


# Weights.


def test_each_weight_goes_where_it_belongs() -> None:
    state = published()
    found = from_google(state)
    for ours, theirs in (
        ("layers.0.tokens.weight", "bert.embeddings.word_embeddings.weight"),
        ("layers.0.positions", "bert.embeddings.position_embeddings.weight"),
        ("layers.0.segments.weight", "bert.embeddings.token_type_embeddings.weight"),
        ("layers.0.norm.weight", "bert.embeddings.LayerNorm.gamma"),
        ("layers.2.attention.output.bias", f"{LAYER}.attention.output.dense.bias"),
        ("layers.2.attention_norm.bias", f"{LAYER}.attention.output.LayerNorm.beta"),
        ("layers.2.feed_forward.inner.weight", f"{LAYER}.intermediate.dense.weight"),
        ("layers.2.feed_forward.output.weight", f"{LAYER}.output.dense.weight"),
        ("layers.2.feed_forward_norm.weight", f"{LAYER}.output.LayerNorm.gamma"),
        ("pooler.weight", "bert.pooler.dense.weight"),
        ("transform.weight", "cls.predictions.transform.dense.weight"),
        ("transform_norm.bias", "cls.predictions.transform.LayerNorm.beta"),
        ("bias", "cls.predictions.bias"),
        ("relation.weight", "cls.seq_relationship.weight"),
    ):
        assert torch.equal(found[ours], state[theirs]), ours
    for number, name in enumerate(("query", "key", "value")):
        third = slice(8 * number, 8 * number + 8)
        rows = found["layers.2.attention.queries_keys_values.weight"][third]
        assert torch.equal(rows, state[f"{LAYER}.attention.self.{name}.weight"])


def test_what_is_said_twice_is_read_once() -> None:
    table = "bert.embeddings.word_embeddings.weight"
    twice = {
        "cls.predictions.decoder.weight": published()[table],
        "cls.predictions.decoder.bias": published()["cls.predictions.bias"],
        "bert.embeddings.position_ids": torch.arange(12),
    }
    assert from_google(published() | twice).keys() == from_google(published()).keys()


def test_the_way_back_is_the_way_there() -> None:
    ours = from_google(published())
    back = to_google(ours)
    assert back.keys() == {
        name.replace("gamma", "weight").replace("beta", "bias") for name in published()
    }
    again = from_google(back)
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[name], ours[name]) for name in ours)


def test_weights_of_another_network_are_refused() -> None:
    for name in ("wte.weight", f"{LAYER}.attention.self.rotary.weight", "bert.pooler.dense.scale"):
        with pytest.raises(UserError, match=f"{name}' is no part of BERT.*{PUBLISHED}"):
            from_google(published() | {name: torch.zeros(3)})
    state = published()
    del state[f"{LAYER}.attention.self.key.bias"]
    with pytest.raises(UserError, match="but not all of attention"):
        from_google(state)


def test_a_folder_gives_the_network_with_its_weights(folder: Path) -> None:
    model = load_google_bert(folder)
    assert model(torch.tensor([[1, 2, 3]])).shape == (1, 3, 8)
    assert not model.training
    wanted = from_google(published())
    assert wanted.keys() == model.state_dict().keys()
    assert all(torch.equal(values, wanted[name]) for name, values in model.state_dict().items())


def test_an_encoder_without_its_heads_is_told_apart(folder: Path) -> None:
    bare = {
        name.removeprefix("bert."): values
        for name, values in load_file(folder / "model.safetensors").items()
        if name.startswith("bert.")
    }
    assert from_google(bare).keys() < from_google(published()).keys()
    save_file(bare, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"do not fit its config.json: bias is missing, and 6 more"):
        load_google_bert(folder)


# Config.


def test_the_config_tells_sizes_and_kind() -> None:
    config = google_config(SETTINGS)
    sizes = {"context": 12, "width": 8, "heads": 2, "layers": 2, "inner": 20, "dropout": 0.2}
    assert config == bert_config(14, **sizes, epsilon=1e-10)
    assert google_config(SETTINGS | {"hidden_act": "gelu_new"}).activation == "gelu-tanh"


def test_the_config_of_another_network_is_refused() -> None:
    with pytest.raises(UserError, match="not one of BERT: 'silu' is missing or unknown"):
        google_config(SETTINGS | {"hidden_act": "silu"})
    with pytest.raises(UserError, match="'vocab_size' is missing"):
        google_config({"n_embd": 8})


@pytest.mark.parametrize("activation", ["gelu", "gelu-tanh", "relu"])
def test_a_config_is_written_as_it_is_read(activation: str) -> None:
    config = replace(google_config(SETTINGS), activation=activation)
    settings = google_settings(config)
    assert google_config(settings) == config
    assert (settings["model_type"], settings["pad_token_id"]) == ("bert", 0)
    assert settings["attention_probs_dropout_prob"] == settings["hidden_dropout_prob"] == 0.2


@pytest.mark.parametrize(
    "change", [{"norm": "pre"}, {"positions": "sinusoidal"}, {"segments": 0}, {"causal": True}]
)
def test_a_network_of_another_kind_has_no_such_config(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="build it with bert_config"):
        google_settings(replace(google_config(SETTINGS), **change))


# The hub.


@pytest.mark.parametrize("name", [PUBLISHED, "bert-base-uncased"])
def test_a_name_is_looked_up_on_the_hub(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, sorted(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert load_google_bert(name).config.width == 8
    assert load_google_tokenizer(name).token_to_id("cat") == 6
    files = "config.json model.safetensors tokenizer.json tokenizer_config.json vocab.txt".split()
    assert asked == [(PUBLISHED, files)] * 2


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: tmp_path)
    for source in (tmp_path / "bert-base", "mine", "my/own/bert"):
        with pytest.raises(UserError, match=f"There is no folder {source}"):
            google_folder(source)
    assert google_folder(str(tmp_path)) == tmp_path


# Tokens and blanks.


def test_text_is_lowered_and_cut_unless_its_settings_say_no(folder: Path) -> None:
    cut = ["[CLS]", "the", "cat", "##s", "[MASK]", "[UNK]", ".", "[SEP]"]
    encoded = load_google_tokenizer(folder).encode("The Cats [MASK] é.")
    assert encoded.tokens == cut and encoded.ids == [VOCABULARY.index(token) for token in cut]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    encoded = load_google_tokenizer(folder).encode("The Cats é")
    assert encoded.tokens == ["[CLS]", "[UNK]", "Cat", "##s", "é", "[SEP]"]


def test_a_missing_or_damaged_vocabulary_is_named(folder: Path) -> None:
    (folder / "vocab.txt").write_text("the\ncat\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"vocab.txt cannot be read"):
        load_google_tokenizer(folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(UserError, match=r"There is no tokenizer.json or vocab.txt in"):
        load_google_tokenizer(folder)


def test_blanks_are_filled_in_their_order(folder: Path) -> None:
    model, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    found = fill_blanks(model, tokenizer, "the [MASK] sat on [MASK] mat.", count=3)
    assert [len(blank) for blank in found] == [3, 3]
    ids = torch.tensor([tokenizer.encode("the [MASK] sat on [MASK] mat.").ids])
    with torch.no_grad():
        shares = model.logits(model(ids)).softmax(dim=2)[0]
    for place, blank in zip((2, 5), found, strict=True):
        best = shares[place].sort(descending=True)
        assert [token for token, _ in blank] == [VOCABULARY[n] for n in best.indices[:3]]
        assert [share for _, share in blank] == pytest.approx(best.values[:3].tolist())


def test_a_text_without_blanks_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"write \[MASK\] where a word is asked for"):
        fill_blanks(load_google_bert(folder), load_google_tokenizer(folder), "the cat")


# Saving.


def test_what_is_saved_is_read_again(folder: Path, tmp_path: Path) -> None:
    model, tokenizer = load_google_bert(folder), load_google_tokenizer(folder)
    saved = tmp_path / "new" / "folder"
    save_google_bert(model, tokenizer, saved)
    files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert sorted(path.name for path in saved.iterdir()) == files
    again = load_google_bert(saved)
    assert again.config == model.config
    wanted = model.state_dict()
    assert all(torch.equal(values, wanted[name]) for name, values in again.state_dict().items())
    assert load_google_tokenizer(saved).to_str() == tokenizer.to_str()
    marks = json.loads((saved / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert marks["mask_token"] == "[MASK]" and marks["cls_token"] == "[CLS]"


def test_marks_that_a_tokenizer_has_not_are_not_given_to_it(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "[MASK]": 1}, unk_token="<unk>"))
    save_google_bert(BERT(google_config(SETTINGS)), tokenizer, tmp_path)
    marks = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert [name for name in marks if name.endswith("_token")] == ["mask_token"]
    settings = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert settings["pad_token_id"] is None


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path, tmp_path: Path) -> None:
    model = BERT(google_config(SETTINGS | {"vocab_size": 13}))
    with pytest.raises(ValueError, match="the tokenizer has 14 tokens and the model 13"):
        save_google_bert(model, load_google_tokenizer(folder), tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_folder_that_cannot_be_written_to_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    given = load_google_bert(folder), load_google_tokenizer(folder)
    with pytest.raises(UserError, match=r"config.json could not be written .*another folder"):
        save_google_bert(*given, tmp_path / "taken")
