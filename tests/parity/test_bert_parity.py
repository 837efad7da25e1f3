"""BERT, and the reading and writing of its published weights, against transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nnlm2bert.models.bert import BERT, IGNORED, bert_config
from nnlm2bert.models.google_bert import (
    from_google,
    google_config,
    load_google_bert,
    load_google_tokenizer,
    save_google_bert,
)

transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 60,
    "max_position_embeddings": 16,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "num_hidden_layers": 3,
    "intermediate_size": 40,
}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
LENGTHS = torch.tensor([16, 9, 4, 12])
INSIDE = torch.arange(16) < LENGTHS.unsqueeze(1)
SEGMENTS = ((torch.arange(16) >= LENGTHS.unsqueeze(1) // 2) & INSIDE).long()
RELATIONS = torch.tensor([0, 1, 1, 0])
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on mat ##s ##ting cafe , . ! a ##t 猫"
TEXTS = (
    "The cats sat on THE mat.",
    "Café, satting [MASK]!",
    "猫 sat—a  mat",
    "",
    "dog\u0000 \tcat",
)


def rival(kind: str = "BertForPreTraining", **options: object) -> nn.Module:
    """A network of transformers, small, without dropout, all its weights far from 0."""
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    torch.manual_seed(0)
    config = transformers.BertConfig(**SIZES, **dropout, **options)
    config._attn_implementation = "eager"
    model = getattr(transformers, kind)(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def ours(theirs: nn.Module) -> BERT:
    """Our network with the same weights."""
    model = BERT(google_config(theirs.config.to_dict()))
    model.load_state_dict(from_google(theirs.state_dict()))
    return model.eval()


@pytest.fixture
def tokens() -> Tensor:
    """Tokens (B, T), 0 at padding, for which transformers' table never gets a gradient."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, SIZES["vocab_size"], (4, 16), generator=generator) * INSIDE


def hidden(tokens: Tensor) -> Tensor:
    """Targets: the tokens at some places within the lengths."""
    chosen = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(2)) < 0.3
    return tokens.masked_fill(~(chosen & INSIDE), IGNORED)


def given(**options: Tensor) -> dict[str, Tensor]:
    """Padding and segments under the names of transformers."""
    return {"attention_mask": INSIDE.long(), "token_type_ids": SEGMENTS, **options}


@pytest.mark.parametrize(
    "options", [{}, {"hidden_act": "gelu_new"}, {"hidden_act": "relu"}, {"layer_norm_eps": 1e-2}]
)
def test_vectors_of_every_layer_are_those_of_transformers(
    options: dict[str, object], tokens: Tensor
) -> None:
    theirs = rival(**options)
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(tokens, **given(), output_hidden_states=True).hidden_states
        found = [model.layers[0](tokens, SEGMENTS)]
        for block in model.layers[1:]:
            found.append(block(found[-1], INSIDE))
        assert torch.equal(model(tokens, INSIDE, SEGMENTS), found[-1])
    assert len(found) == len(expected) == 4
    for vectors, theirs_vectors in zip(found, expected, strict=True):
        torch.testing.assert_close(vectors[INSIDE], theirs_vectors[INSIDE], **TOLERANCE)


def test_scores_of_both_heads_are_those_of_transformers(tokens: Tensor) -> None:
    theirs = rival()
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(tokens, **given())
        vectors = model(tokens, INSIDE, SEGMENTS)
        logits = model.logits(vectors)
        torch.testing.assert_close(logits[INSIDE], expected.prediction_logits[INSIDE], **TOLERANCE)
        found = model.relation_logits(vectors)
        torch.testing.assert_close(found, expected.seq_relationship_logits, **TOLERANCE)


def test_both_losses_are_those_of_transformers(tokens: Tensor) -> None:
    theirs, targets = rival(), hidden(tokens)
    model = ours(theirs)
    found, terms = model.loss(tokens, targets, INSIDE, SEGMENTS, RELATIONS)
    expected = theirs(tokens, **given(labels=targets, next_sentence_label=RELATIONS)).loss
    assert terms == int((targets != IGNORED).sum())
    torch.testing.assert_close(found, expected, **TOLERANCE)
    alone = transformers.BertForMaskedLM(theirs.config).eval()
    alone.load_state_dict(theirs.state_dict(), strict=False)
    expected = alone(tokens, **given(labels=targets)).loss
    found, _ = model.loss(tokens, targets, INSIDE, SEGMENTS)
    torch.testing.assert_close(found, expected, **TOLERANCE)


def test_gradients_are_those_of_transformers(tokens: Tensor) -> None:
    theirs, targets = rival(), hidden(tokens)
    model = ours(theirs)
    model.loss(tokens, targets, INSIDE, SEGMENTS, RELATIONS)[0].backward()
    theirs(tokens, **given(labels=targets, next_sentence_label=RELATIONS)).loss.backward()
    wanted = from_google({name: p.grad for name, p in theirs.named_parameters()})
    named = dict(model.named_parameters())
    assert named.keys() == wanted.keys()
    for name, parameter in named.items():
        torch.testing.assert_close(parameter.grad, wanted[name], **TOLERANCE)


def test_attention_maps_are_those_of_transformers(tokens: Tensor) -> None:
    theirs = rival("BertForPreTraining")
    with torch.no_grad():
        expected = theirs(tokens, **given(), output_attentions=True).attentions
    maps = ours(theirs).attention_maps(tokens, INSIDE, SEGMENTS)
    for weights, theirs_weights in zip(maps, expected, strict=True):
        torch.testing.assert_close(weights, theirs_weights, **TOLERANCE)


def test_a_model_that_transformers_saved_is_loaded(tmp_path: Path, tokens: Tensor) -> None:
    theirs = rival()
    theirs.save_pretrained(tmp_path)
    model = load_google_bert(tmp_path)
    with torch.no_grad():
        expected = theirs(tokens, **given()).prediction_logits
        logits = model.logits(model(tokens, INSIDE, SEGMENTS))
    torch.testing.assert_close(logits[INSIDE], expected[INSIDE], **TOLERANCE)


def write_vocabulary(folder: Path) -> None:
    """Write the list of tokens, one a line."""
    text = "\n".join([*VOCABULARY.split(" "), ""])
    (folder / "vocab.txt").write_text(text, encoding="utf-8")


def test_a_model_of_ours_is_loaded_by_transformers(tmp_path: Path, tokens: Tensor) -> None:
    torch.manual_seed(0)
    config = bert_config(60, context=16, width=24, heads=3, layers=2, inner=40, dropout=0.2)
    model = BERT(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    write_vocabulary(tmp_path)
    save_google_bert(model, load_google_tokenizer(tmp_path), tmp_path / "saved")
    theirs, report = transformers.BertForPreTraining.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    assert not any(report.values()), report
    assert theirs.config.hidden_dropout_prob == 0.2 and theirs.config.layer_norm_eps == 1e-12
    with torch.no_grad():
        expected, vectors = theirs(tokens, **given()), model(tokens, INSIDE, SEGMENTS)
        logits, scores = model.logits(vectors), model.relation_logits(vectors)
    torch.testing.assert_close(logits[INSIDE], expected.prediction_logits[INSIDE], **TOLERANCE)
    torch.testing.assert_close(scores, expected.seq_relationship_logits, **TOLERANCE)


def test_tokens_are_those_of_transformers(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    tokenizer = load_google_tokenizer(tmp_path)
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        assert tokenizer.encode(text).ids == theirs(text)["input_ids"]
    pair = tokenizer.encode(*TEXTS[:2])
    expected = theirs(*TEXTS[:2])
    assert (pair.ids, pair.type_ids) == (expected["input_ids"], expected["token_type_ids"])


def test_a_tokenizer_of_ours_is_loaded_by_transformers(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    tokenizer, model = load_google_tokenizer(tmp_path), BERT(bert_config(60, width=8, heads=2))
    save_google_bert(model, tokenizer, tmp_path / "saved")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    for text in TEXTS:
        encoded = tokenizer.encode(text, TEXTS[0])
        expected = theirs(text, TEXTS[0])
        assert expected["input_ids"] == encoded.ids
        assert expected["token_type_ids"] == encoded.type_ids
    marks = (theirs.pad_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id)
    assert marks == (0, 2, 3, 4) and len(theirs) == len(VOCABULARY.split(" "))
