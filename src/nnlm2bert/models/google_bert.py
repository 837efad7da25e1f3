"""The published weights of BERT (Devlin et al. 2018), read into the book's `BERT` and written back.

They are files of the hub, `PUBLISHED`: 12 layers, 110 million numbers, 440 MB. Any folder with
files of that form will do: ``config.json``, ``model.safetensors`` or ``pytorch_model.bin``, and for
the tokens ``tokenizer.json`` or ``vocab.txt``. A BERT of ours is saved in the same form, so that
transformers reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.files import whole_file, write_text
from nnlm2bert.models.bert import BERT, bert_config
from nnlm2bert.models.published import (
    CONFIG,
    WEIGHTS,
    Published,
    check_weights,
    read_json,
    write_json,
)
from nnlm2bert.models.transformer import TransformerConfig

PUBLISHED = "google-bert/bert-base-uncased"
TOKENIZER, VOCABULARY, TOKENIZER_CONFIG = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
FILES = Published("BERT", PUBLISHED, (TOKENIZER, VOCABULARY, TOKENIZER_CONFIG))
PADDING, UNKNOWN, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
"""What transformers' tokenizer makes of a text for BERT."""
SHORT_NAME = re.compile(r"bert-[\w-]+")
"""A name without its owner, as `bert-base-uncased`."""

OUTSIDE = {
    "bert.embeddings.word_embeddings.weight": "layers.0.tokens.weight",
    "bert.embeddings.position_embeddings.weight": "layers.0.positions",
    "bert.embeddings.token_type_embeddings.weight": "layers.0.segments.weight",
    "cls.predictions.bias": "bias",
}
HEADS = {
    "bert.embeddings.LayerNorm": "layers.0.norm",
    "bert.pooler.dense": "pooler",
    "cls.predictions.transform.dense": "transform",
    "cls.predictions.transform.LayerNorm": "transform_norm",
    "cls.seq_relationship": "relation",
}
PARTS = {
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "feed_forward.inner",
    "output.dense": "feed_forward.output",
    "output.LayerNorm": "feed_forward_norm",
}
THREE = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))
TOGETHER = "attention.queries_keys_values"
"""What is one layer here are the three of `THREE` there."""
OF_A_BLOCK = re.compile(r"bert\.encoder\.layer\.(\d+)\.(.+)")
NO_WEIGHTS = re.compile(r"cls\.predictions\.decoder\.(weight|bias)|.*\.position_ids")
"""The table of tokens and the bias once more, and numbers of places."""
OLD_KINDS = {"gamma": "weight", "beta": "bias"}
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "relu": "relu",
}


def load_google_bert(source: str | Path = PUBLISHED) -> BERT:
    """Return BERT with the weights of a folder, or with those of a model of the hub by its name.

    It is in evaluation mode.

    Raises:
        UserError: if the files cannot be had or read, or are those of another kind of network.
    """
    folder = google_folder(source)
    model = BERT(google_config(FILES.read(folder / CONFIG, read_json)))
    found = from_google(FILES.state(folder))
    check_weights(found, model.state_dict(), folder)
    model.load_state_dict(found)
    return model.eval()


def load_google_tokenizer(source: str | Path = PUBLISHED) -> Tokenizer:
    """Return the tokenizer of a model; what it encodes stands between ``[CLS]`` and ``[SEP]``.

    Raises `UserError` as `load_google_bert` does.
    """
    folder = google_folder(source)
    if (folder / TOKENIZER).is_file():
        return FILES.read(folder / TOKENIZER, lambda path: Tokenizer.from_file(str(path)))
    settings = {}
    if (folder / TOKENIZER_CONFIG).is_file():
        settings = FILES.read(folder / TOKENIZER_CONFIG, read_json)
    return FILES.read(
        folder / VOCABULARY,
        partial(_from_vocabulary, lower=settings.get("do_lower_case", True)),
        f"{TOKENIZER} or {VOCABULARY}",
    )


def save_google_bert(model: BERT, tokenizer: Tokenizer, folder: str | Path) -> None:
    """Write a model and its tokenizer in the form of the published files.

    `load_google_bert` and `load_google_tokenizer` read them again, and so do transformers'
    ``BertForPreTraining.from_pretrained`` and ``AutoTokenizer.from_pretrained``.

    Raises:
        UserError: if a file cannot be written.
        ValueError: if the tokenizer has more tokens than the model, or if the model is of a kind
            that the form has no words for.
    """
    size = tokenizer.get_vocab_size()
    if size > model.config.vocabulary_size:
        raise ValueError(
            f"the tokenizer has {size} tokens and the model {model.config.vocabulary_size}: save "
            "it with the one it was trained with"
        )
    folder, settings = Path(folder), google_settings(model.config, tokenizer.token_to_id(PADDING))
    state = to_google({name: tensor.detach() for name, tensor in model.state_dict().items()})
    marks = [token for token in SPECIAL if tokenizer.token_to_id(token) is not None]
    named: dict[str, Any] = {f"{token[1:-1].lower()}_token": token for token in marks}
    named |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": INPUTS}
    write_json(folder / CONFIG, settings)
    with whole_file(folder / WEIGHTS) as file:
        file.write(save(state, {"format": "pt"}))
    write_text(folder / TOKENIZER, tokenizer.to_str(pretty=True))
    write_json(folder / TOKENIZER_CONFIG, named)


def google_folder(source: str | Path = PUBLISHED) -> Path:
    """Return the folder of a model's files, as `Published.folder`; the owner may be left out."""
    short = isinstance(source, str) and SHORT_NAME.fullmatch(source) and not Path(source).is_dir()
    return FILES.folder(f"{PUBLISHED.split('/')[0]}/{source}" if short else source)


def google_config(settings: Mapping[str, Any]) -> TransformerConfig:
    """Return the sizes that a ``config.json`` tells. Raises `UserError` if it is another's."""
    try:
        return bert_config(
            settings["vocab_size"],
            context=settings["max_position_embeddings"],
            width=settings["hidden_size"],
            heads=settings["num_attention_heads"],
            layers=settings["num_hidden_layers"],
            inner=settings["intermediate_size"],
            dropout=settings.get("hidden_dropout_prob", 0.1),
            activation=ACTIVATIONS[settings.get("hidden_act", "gelu")],
            segments=settings["type_vocab_size"],
            epsilon=settings.get("layer_norm_eps", 1e-12),
        )
    except KeyError as error:
        raise FILES.wrong_config(error) from error


def google_settings(config: TransformerConfig, padding: int | None = 0) -> dict[str, Any]:
    """Return what a ``config.json`` says of a BERT: the reverse of `google_config`.

    Raises ValueError for a network of another kind than the published ones.
    """
    kind = bert_config(config.vocabulary_size)
    own = ("causal", "positions", "norm", "embedding_norm")
    if any(getattr(config, name) != getattr(kind, name) for name in own) or not config.segments:
        raise ValueError(
            "only a BERT as published can be written in its form: build it with bert_config"
        )
    named = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    return {
        "architectures": ["BertForPreTraining"],
        "model_type": "bert",
        "vocab_size": config.vocabulary_size,
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "intermediate_size": config.inner,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "hidden_act": named[config.activation],
        "type_vocab_size": config.segments,
        "layer_norm_eps": config.epsilon,
        "pad_token_id": padding,
    }


def from_google(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights under the names, and in the shapes, of `BERT`.

    The weights of the encoder alone may lack the ``bert.`` before their names. Raises `UserError`
    for a name that BERT has not.
    """
    found = {}
    for name, values in state.items():
        whole = name if name.startswith(("bert.", "cls.")) else f"bert.{name}"
        if not NO_WEIGHTS.fullmatch(whole):
            found[_own_name(whole)] = values
    for first in [name for name in found if f".{THREE[0]}." in name]:
        three = [found.pop(first.replace(THREE[0], part), None) for part in THREE]
        if any(part is None for part in three):
            raise UserError(f"The weights hold {first}, but not all of {', '.join(THREE)}.")
        found[first.replace(THREE[0], TOGETHER)] = torch.cat(three)
    return found


def _own_name(name: str) -> str:
    """Return a published name as ours; queries, keys and values keep their part of it."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    layer, _, kind = name.rpartition(".")
    kind = OLD_KINDS.get(kind, kind)
    of_block = OF_A_BLOCK.fullmatch(layer)
    part = of_block[2] if of_block else layer
    known = {**PARTS, **dict(zip(THREE, THREE, strict=True))} if of_block else HEADS
    if part not in known or kind not in ("weight", "bias"):
        raise FILES.wrong_weight(name)
    before = f"layers.{int(of_block[1]) + 1}." if of_block else ""
    return f"{before}{known[part]}.{kind}"


def to_google(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a `BERT` under their published names: the reverse of `from_google`."""
    names = {ours: theirs for theirs, ours in {**OUTSIDE, **HEADS, **PARTS}.items()}
    found = {}
    for name, values in state.items():
        layer, _, kind = name.rpartition(".")
        of_block = re.fullmatch(r"layers\.([1-9]\d*)\.(.+)", layer)
        before = f"bert.encoder.layer.{int(of_block[1]) - 1}." if of_block else ""
        part = of_block[2] if of_block else layer
        if name in names:
            found[names[name]] = values.contiguous()
        elif part == TOGETHER:
            for own, third in zip(THREE, values.chunk(3), strict=True):
                found[f"{before}{own}.{kind}"] = third.contiguous()
        else:
            found[f"{before}{names[part]}.{kind}"] = values.contiguous()
    return found


def fill_blanks(
    model: BERT, tokenizer: Tokenizer, text: str, count: int = 5
) -> list[list[tuple[str, float]]]:
    """Return the likeliest tokens for each ``[MASK]`` of a text, and their probabilities.

    The tokenizer is one that puts ``[CLS]`` and ``[SEP]`` around a text, as `load_google_tokenizer`
    returns it. Raises ValueError if the text has no blank.
    """
    tokens = torch.tensor([tokenizer.encode(text).ids], device=model.bias.device)
    blanks = tokens == tokenizer.token_to_id(MASK)
    if not blanks.any():
        raise ValueError(f"nothing is to be filled in: write {MASK} where a word is asked for")
    ids, shares = model.fill(tokens, blanks, count)
    return [
        [(tokenizer.id_to_token(number), share) for number, share in zip(*row, strict=True)]
        for row in zip(ids.tolist(), shares.tolist(), strict=True)
    ]


def _from_vocabulary(path: Path, lower: bool) -> Tokenizer:
    """The tokenizer of a list of tokens, one a line, their ids in that order."""
    tokens = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [(SEP, vocabulary[SEP]), (CLS, vocabulary[CLS])]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    tokenizer.add_special_tokens([token for token in SPECIAL if token in vocabulary])
    return tokenizer
