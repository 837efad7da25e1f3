"""The encoder and decoder against transformers' of the same weights, and against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.models.bert import bert_config
from nnlm2bert.models.encoder_decoder import (
    IGNORED,
    DecoderBlock,
    EncoderDecoder,
    EncoderDecoderConfig,
)
from nnlm2bert.models.google_bert import from_google

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
LENGTHS = torch.tensor([11, 6, 3])
INSIDE = torch.arange(11) < LENGTHS.unsqueeze(1)
SIZES = {"context": 16, "width": 24, "heads": 3, "layers": 2, "inner": 40, "dropout": 0.0}
BEGIN, END = 1, 2


@pytest.fixture
def given() -> dict[str, Tensor]:
    """Sources (3, 11), tokens and targets (3, 8), some of them ignored."""
    generator = torch.Generator().manual_seed(1)
    sources = torch.randint(3, 60, (3, 11), generator=generator)
    tokens = torch.randint(3, 50, (3, 8), generator=generator)
    targets = tokens.roll(-1, dims=1)
    targets[0, 5:], targets[1, 7:] = IGNORED, IGNORED
    return {"sources": sources, "tokens": tokens, "targets": targets, "inside": INSIDE}


def rival() -> nn.Module:
    """transformers' encoder and decoder, both BERT, without dropout, all weights far from 0."""
    transformers = pytest.importorskip("transformers")
    shared = {
        "max_position_embeddings": 16,
        "hidden_size": 24,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
        "intermediate_size": 40,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    torch.manual_seed(0)
    parts = [
        transformers.BertConfig(vocab_size=60, **shared),
        transformers.BertConfig(vocab_size=50, **shared, is_decoder=True, add_cross_attention=True),
    ]
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(*parts)
    config._attn_implementation = "eager"
    model = transformers.EncoderDecoderModel(config=config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def translated(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Weights, or gradients, of transformers by our names."""
    ours = {}
    parts = {
        "encoder": {f"bert.{n[8:]}": p for n, p in state.items() if n.startswith("encoder.")},
        "decoder": {n[8:]: p for n, p in state.items() if n.startswith("decoder.")},
    }
    crossing = {n: p for n, p in parts["decoder"].items() if "crossattention" in n}
    for side, found in parts.items():
        plain = {n: p for n, p in found.items() if n not in crossing}
        ours |= {f"{side}.{name}": p for name, p in from_google(plain).items()}
    for number in range(layers):
        theirs, own = f"bert.encoder.layer.{number}.crossattention", f"decoder.layers.{number + 1}"
        for kind in ("weight", "bias"):
            names = ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
            query, key, value, output, norm = (crossing[f"{theirs}.{n}.{kind}"] for n in names)
            ours[f"{own}.cross_attention.queries.{kind}"] = query
            ours[f"{own}.cross_attention.keys_values.{kind}"] = torch.cat([key, value])
            ours[f"{own}.cross_attention.output.{kind}"] = output
            ours[f"{own}.cross_attention_norm.{kind}"] = norm
    return ours


def ours(theirs: nn.Module) -> EncoderDecoder:
    """Our network with the same weights."""
    model = EncoderDecoder(EncoderDecoderConfig.like(bert_config(60, **SIZES), 50))
    state = translated(theirs.state_dict(), 2)
    named = dict(model.named_parameters())
    model.load_state_dict({name: state[name] for name in named})
    return model.eval()


def arguments(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch under the names of transformers."""
    return {
        "input_ids": given["sources"],
        "attention_mask": INSIDE.long(),
        "decoder_input_ids": given["tokens"],
    }


def test_scores_are_those_of_transformers(given: dict[str, Tensor]) -> None:
    theirs = rival()
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(**arguments(given)).logits
        found = model.decoder.logits(model(given["sources"], given["tokens"], INSIDE))
    torch.testing.assert_close(found, expected, **TOLERANCE)


def test_loss_and_gradients_are_those_of_transformers(given: dict[str, Tensor]) -> None:
    theirs = rival()
    model = ours(theirs)
    found, terms = model.loss(**given)
    logits = theirs(**arguments(given)).logits
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), given["targets"].flatten())
    torch.testing.assert_close(found, expected, **TOLERANCE)
    assert terms == int((given["targets"] != IGNORED).sum())
    found.backward()
    expected.backward()
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in theirs.named_parameters()
    }
    wanted = translated(grads, 2)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], **TOLERANCE)


def test_what_is_written_is_what_transformers_writes(given: dict[str, Tensor]) -> None:
    theirs = rival()
    told = theirs.generate(
        given["sources"],
        attention_mask=INSIDE.long(),
        decoder_start_token_id=BEGIN,
        eos_token_id=END,
        pad_token_id=END,
        max_new_tokens=9,
        do_sample=False,
    )
    found = ours(theirs).write(given["sources"], BEGIN, END, 9, INSIDE)
    assert torch.equal(found, told[:, 1:])


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_block_is_that_of_torch(norm: str) -> None:
    """`nn.TransformerDecoderLayer`, with its norms before or after each part."""
    config = EncoderDecoderConfig.like(
        bert_config(60, **SIZES, activation="relu", norm=norm, epsilon=1e-5), 50
    ).decoder
    torch.manual_seed(0)
    block = DecoderBlock(config).eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs = nn.TransformerDecoderLayer(
        24, 3, 40, dropout=0.0, batch_first=True, norm_first=norm == "pre"
    ).eval()
    theirs.load_state_dict(torch_state(block))
    x, source = (torch.randn(3, n, 24) for n in (8, 11))
    left = nn.Transformer.generate_square_subsequent_mask(8)
    expected = theirs(x, source, tgt_mask=left, memory_key_padding_mask=~INSIDE)
    torch.testing.assert_close(block(x, source, INSIDE), expected, **TOLERANCE)


def torch_state(block: DecoderBlock) -> dict[str, Tensor]:
    """The weights of a block by the names of torch's layer."""
    state = {}
    for kind in ("weight", "bias"):
        own, cross = block.attention, block.cross_attention
        joined = torch.cat([getattr(cross.queries, kind), getattr(cross.keys_values, kind)])
        state |= {
            f"self_attn.in_proj_{kind}": getattr(own.queries_keys_values, kind),
            f"self_attn.out_proj.{kind}": getattr(own.output, kind),
            f"multihead_attn.in_proj_{kind}": joined,
            f"multihead_attn.out_proj.{kind}": getattr(cross.output, kind),
            f"linear1.{kind}": getattr(block.feed_forward.inner, kind),
            f"linear2.{kind}": getattr(block.feed_forward.output, kind),
            f"norm1.{kind}": getattr(block.attention_norm, kind),
            f"norm2.{kind}": getattr(block.cross_attention_norm, kind),
            f"norm3.{kind}": getattr(block.feed_forward_norm, kind),
        }
    return state
