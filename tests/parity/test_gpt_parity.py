"""GPT and the reading of its published weights against transformers, at random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.openai_gpt import (
    from_openai,
    load_openai_gpt,
    load_openai_tokenizer,
    openai_config,
)

transformers = pytest.importorskip("transformers")

SIZES = {"vocab_size": 60, "n_positions": 16, "n_embd": 24, "n_head": 3, "n_layer": 3}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
LETTERS = "abcdefghijklmnopqrstuvwxyz.,!'"
MERGES = [("t", "h"), ("th", "e</w>"), ("a", "n"), ("an", "d</w>"), ("c", "a"), ("ca", "t</w>")]


def rival(kind: str = "OpenAIGPTLMHeadModel", **options: object) -> nn.Module:
    """A network of transformers, small, without dropout, all its weights far from 0."""
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    torch.manual_seed(0)
    config = transformers.OpenAIGPTConfig(**SIZES, **dropout, **options)
    model = getattr(transformers, kind)(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def ours(theirs: nn.Module) -> GPT:
    """Our network with the same weights."""
    model = GPT(openai_config(theirs.config.to_dict()))
    model.load_state_dict(from_openai(theirs.state_dict()))
    return model.eval()


@pytest.fixture
def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(SIZES["vocab_size"], (4, 16), generator=generator)


@pytest.mark.parametrize("options", [{}, {"afn": "relu"}, {"layer_norm_epsilon": 1e-2}])
def test_vectors_of_every_layer_are_those_of_transformers(
    options: dict[str, object], tokens: Tensor
) -> None:
    theirs = rival("OpenAIGPTModel", **options)
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(tokens, output_hidden_states=True)
        found = [model.layers[0](tokens)]
        for block in model.layers[1:]:
            found.append(block(found[-1]))
        torch.testing.assert_close(model(tokens), expected.last_hidden_state, **TOLERANCE)
    assert len(found) == len(expected.hidden_states) == 4
    for vectors, theirs_vectors in zip(found, expected.hidden_states, strict=True):
        torch.testing.assert_close(vectors, theirs_vectors, **TOLERANCE)


def test_logits_are_those_of_transformers(tokens: Tensor) -> None:
    theirs = rival()
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(tokens).logits
        torch.testing.assert_close(model.logits(model(tokens)), expected, **TOLERANCE)


def test_loss_and_gradients_are_those_of_transformers(tokens: Tensor) -> None:
    theirs = rival()
    model = ours(theirs)
    loss, terms = model.loss(tokens[:, :-1], tokens[:, 1:])
    expected = theirs(tokens, labels=tokens).loss
    assert terms == 4 * 15
    torch.testing.assert_close(loss, expected, **TOLERANCE)
    loss.backward()
    expected.backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    wanted = from_openai(gradients)
    for name, parameter in model.named_parameters():
        if name != "bias":
            torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-5)


def test_attention_maps_are_those_of_transformers(tokens: Tensor) -> None:
    theirs = rival("OpenAIGPTModel")
    with torch.no_grad():
        expected = theirs(tokens, output_attentions=True).attentions
    maps = ours(theirs).attention_maps(tokens)
    for weights, theirs_weights in zip(maps, expected, strict=True):
        torch.testing.assert_close(weights, theirs_weights, **TOLERANCE)


def test_greedy_text_is_that_of_transformers(tokens: Tensor) -> None:
    theirs, text = rival(), tokens[:1, :5]
    expected = text
    with torch.no_grad():
        for _ in range(11):
            following = theirs(expected).logits[:, -1].argmax(dim=1, keepdim=True)
            expected = torch.cat([expected, following], dim=1)
    assert torch.equal(ours(theirs).generate(text, 11, temperature=0), expected)


@pytest.mark.parametrize("kind", ["OpenAIGPTModel", "OpenAIGPTLMHeadModel"])
def test_a_saved_model_is_loaded_from_its_folder(kind: str, tmp_path: Path, tokens: Tensor) -> None:
    theirs = rival(kind)
    theirs.save_pretrained(tmp_path)
    model = load_openai_gpt(tmp_path)
    with torch.no_grad():
        expected = theirs(tokens, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(model(tokens), expected, **TOLERANCE)


def vocabulary() -> dict[str, int]:
    """Letters, letters that end a word, what the merges make, and the unknown token."""
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *map("".join, MERGES), "<unk>"]
    return {token: number for number, token in enumerate(tokens)}


def test_tokens_are_those_of_transformers(tmp_path: Path) -> None:
    pairs = [" ".join(pair) for pair in MERGES]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]), encoding="utf-8")
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    theirs = transformers.OpenAIGPTTokenizer.from_pretrained(tmp_path)
    tokenizer = load_openai_tokenizer(tmp_path)
    for text in ("The cat and the CAT.", "Café, naïve—the  cat's\nhat!", "bathe 42 猫 thecat", ""):
        assert tokenizer.encode(text).ids == theirs(text)["input_ids"]
        assert tokenizer.encode(text).tokens == theirs.tokenize(text)
