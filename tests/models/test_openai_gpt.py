"""The published weights of GPT, in files of their format that the tests make."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.models.openai_gpt import (
    PUBLISHED,
    from_openai,
    load_openai_gpt,
    load_openai_tokenizer,
    openai_config,
)

SETTINGS = {
    "afn": "gelu",
    "vocab_size": 30,
    "n_positions": 12,
    "n_embd": 8,
    "n_head": 2,
    "n_layer": 2,
    "resid_pdrop": 0.2,
    "layer_norm_epsilon": 1e-4,
}
WORDS = ["<unk>", "h", "e", "l", "o", "h</w>", "e</w>", "o</w>", "!</w>", "he", "ll", "hell"]
VOCABULARY = {word: number for number, word in enumerate([*WORDS, "hello</w>"])}
MERGES = ["#version: 0.2", "h e", "l l", "he ll", "hell o</w>"]


def published_names(layer: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a block of width 8, as they were published."""
    parts = {"attn.c_attn": (8, 24), "attn.c_proj": (8, 8), "mlp.c_fc": (8, 32)}
    shapes = {f"h.{layer}.{name}.weight": shape for name, shape in parts.items()}
    shapes |= {f"h.{layer}.{name}.bias": shape[1:] for name, shape in parts.items()}
    norms = [f"h.{layer}.ln_{number}.{kind}" for number in (1, 2) for kind in ("weight", "bias")]
    shapes |= {f"h.{layer}.mlp.c_proj.weight": (32, 8), f"h.{layer}.mlp.c_proj.bias": (8,)}
    return shapes | dict.fromkeys(norms, (8,)) | {f"h.{layer}.attn.bias": (1, 1, 12, 12)}


def published() -> dict[str, Tensor]:
    """Weights as those that were published, but small and random."""
    shapes = {"tokens_embed.weight": (30, 8), "positions_embed.weight": (12, 8)}
    for layer in range(2):
        shapes |= published_names(layer)
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files of a model."""
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("\n".join([*MERGES, ""]), encoding="utf-8")
    save_file(published(), tmp_path / "model.safetensors")
    return tmp_path


# Weights.


def test_each_weight_goes_where_it_belongs() -> None:
    state = published()
    found = from_openai(state)
    assert torch.equal(found["layers.0.tokens.weight"], state["tokens_embed.weight"])
    assert torch.equal(found["layers.0.positions"], state["positions_embed.weight"])
    assert torch.equal(
        found["layers.1.attention.queries_keys_values.weight"], state["h.0.attn.c_attn.weight"].T
    )
    assert torch.equal(found["layers.1.attention.output.bias"], state["h.0.attn.c_proj.bias"])
    assert torch.equal(found["layers.2.feed_forward.inner.weight"], state["h.1.mlp.c_fc.weight"].T)
    assert torch.equal(found["layers.2.attention_norm.weight"], state["h.1.ln_1.weight"])
    assert torch.equal(found["layers.2.feed_forward_norm.bias"], state["h.1.ln_2.bias"])
    assert torch.equal(found["bias"], torch.zeros(30))
    assert all(values.is_contiguous() for values in found.values())


def test_weights_saved_with_the_output_layer_are_the_same() -> None:
    state = published()
    prefixed = {f"transformer.{name}": values for name, values in state.items()}
    prefixed["lm_head.weight"] = state["tokens_embed.weight"]
    found, plain = from_openai(prefixed), from_openai(state)
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name]) for name in plain)


def test_weights_of_another_network_are_refused() -> None:
    for name in ("wte.weight", "h.0.attn.c_query.weight", "h.0.ln_1.gamma", "tokens_embed.bias"):
        with pytest.raises(UserError, match=f"'{name}' is no part of GPT.*{PUBLISHED}"):
            from_openai(published() | {name: torch.zeros(3)})


def test_a_folder_gives_the_network_with_its_weights(folder: Path) -> None:
    model = load_openai_gpt(folder)
    assert model(torch.tensor([[1, 2, 3]])).shape == (1, 3, 8)
    assert not model.training
    wanted = from_openai(published())
    assert wanted.keys() == model.state_dict().keys()
    assert all(torch.equal(values, wanted[name]) for name, values in model.state_dict().items())


# Config.


def test_the_config_tells_sizes_and_kind() -> None:
    config = openai_config(SETTINGS)
    sizes = (config.vocabulary_size, config.context, config.width, config.inner)
    assert sizes == (30, 12, 8, 32)
    assert (config.heads, config.layers, config.dropout, config.epsilon) == (2, 2, 0.2, 1e-4)
    assert (config.activation, config.norm, config.positions) == ("gelu-tanh", "post", "learned")
    assert config.causal
    assert openai_config(SETTINGS | {"afn": "relu"}).activation == "relu"


def test_the_config_of_another_network_is_refused() -> None:
    with pytest.raises(UserError, match="not one of GPT: 'silu' is missing or unknown"):
        openai_config(SETTINGS | {"afn": "silu"})
    with pytest.raises(UserError, match="'n_embd' is missing"):
        openai_config({"hidden_size": 8})


# What is missing or broken.


def test_weights_of_one_shape_too_many_axes_are_refused(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["h.0.ln_1.bias"] = torch.zeros(2, 8)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"layers.1.attention_norm.bias is \(8, 2\) and not \(8,\)"):
        load_openai_gpt(folder)


# The hub.


def test_a_name_is_looked_up_on_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, sorted(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert load_openai_gpt().config.width == 8
    assert load_openai_tokenizer().token_to_id("hello</w>") == 12
    files = ["config.json", "merges.txt", "model.safetensors", "vocab.json"]
    assert asked == [(PUBLISHED, files)] * 2


# Tokens.


def test_text_is_lowered_and_cut_by_the_merges(folder: Path) -> None:
    tokenizer = load_openai_tokenizer(folder)
    encoded = tokenizer.encode("Hello hoe, hello!")
    cut = ["hello</w>", "h", "o", "e</w>", "<unk>", "hello</w>", "!</w>"]
    assert encoded.tokens == cut
    assert encoded.ids == [VOCABULARY[token] for token in cut]
    assert tokenizer.decode(tokenizer.encode("hoe hello").ids) == "hoe hello"


def test_files_of_tokens_that_do_not_fit_are_refused(folder: Path) -> None:
    path = folder / "merges.txt"
    path.write_text("\n".join([*MERGES, "x y"]), encoding="utf-8")
    with pytest.raises(UserError, match=r"do not belong together .*from the same model"):
        load_openai_tokenizer(folder)
    path.write_text("h e l", encoding="utf-8")
    with pytest.raises(UserError, match=r"merges.txt cannot be read .*'h e l' is no pair"):
        load_openai_tokenizer(folder)
    path.unlink()
    with pytest.raises(UserError, match=r"There is no merges.txt"):
        load_openai_tokenizer(folder)
