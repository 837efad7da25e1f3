"""The published weights of GPT (Radford et al. 2018), read into the book's `GPT` by their names.

They are files of the hub, `PUBLISHED`: 12 layers, 117 million numbers, 480 MB. Any folder with
files of that form will do: ``config.json``, ``model.safetensors`` or ``pytorch_model.bin``, and
for the tokens ``vocab.json`` and ``merges.txt``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig

PUBLISHED = "openai-community/openai-gpt"
CONFIG, WEIGHTS, OLD_WEIGHTS = "config.json", "model.safetensors", "pytorch_model.bin"
VOCABULARY, MERGES = "vocab.json", "merges.txt"
UNKNOWN, END_OF_WORD = "<unk>", "</w>"

OUTSIDE = {
    "tokens_embed.weight": "layers.0.tokens.weight",
    "positions_embed.weight": "layers.0.positions",
}
PARTS = {
    "attn.c_attn": "attention.queries_keys_values",
    "attn.c_proj": "attention.output",
    "ln_1": "attention_norm",
    "mlp.c_fc": "feed_forward.inner",
    "mlp.c_proj": "feed_forward.output",
    "ln_2": "feed_forward_norm",
}
OF_A_BLOCK = re.compile(r"h\.(\d+)\.(.+)\.(weight|bias)")
NO_WEIGHTS = re.compile(r"lm_head\.weight|position_ids|h\.\d+\.attn\.(bias|masked_bias)")
"""The table of tokens once more, numbers of places, and masks."""
ACTIVATIONS = {"gelu": "gelu-tanh", "relu": "relu"}

Read = TypeVar("Read")


def load_openai_gpt(source: str | Path = PUBLISHED) -> GPT:
    """Return GPT with the weights of a folder, or with those of a model of the hub by its name.

    It is in evaluation mode, and its bias of the softmax is 0: the paper has none.

    Raises:
        UserError: if the files cannot be had or read, or are those of another kind of network.
    """
    folder = openai_folder(source)
    config = openai_config(_read(folder / CONFIG, _json))
    path = folder / WEIGHTS
    if path.is_file():
        state = _read(path, load_file)
    else:
        state = _read(folder / OLD_WEIGHTS, _unpickled, f"{WEIGHTS} or {OLD_WEIGHTS}")
    model = GPT(config)
    found = from_openai(state)
    _check(found, model.state_dict(), folder)
    model.load_state_dict(found)
    return model.eval()


def load_openai_tokenizer(source: str | Path = PUBLISHED) -> Tokenizer:
    """Return the tokenizer of the published model: lower-case, its ids those of the weights.

    Words and marks are told apart as by `transformers`; the paper's own text went through spaCy
    first. Raises `UserError` as `load_openai_gpt` does.
    """
    folder = openai_folder(source)
    vocabulary, merges = _read(folder / VOCABULARY, _json), _read(folder / MERGES, _merges)
    options = {"unk_token": UNKNOWN, "end_of_word_suffix": END_OF_WORD}
    try:
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, **options))
    except Exception as error:  # the library knows no other kind
        raise UserError(
            f"{MERGES} and {VOCABULARY} in {folder} do not belong together ({error}). Take both "
            "from the same model."
        ) from error
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(END_OF_WORD)
    return tokenizer


def openai_folder(source: str | Path = PUBLISHED) -> Path:
    """Return the folder of a model's files: ``source`` itself, or where the hub's were put.

    Files that were fetched before are found without a network. Raises `UserError` if there is
    neither such a folder nor a way to the hub.
    """
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or source.count("/") != 1:
        raise UserError(
            f"There is no folder {source}. Name one that holds {CONFIG} and {WEIGHTS}, or a model "
            f"of the hub such as {PUBLISHED}."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=[CONFIG, WEIGHTS, VOCABULARY, MERGES]))
    except Exception as error:  # which ones, each version of the library decides anew
        raise UserError(
            f"{source} could not be had from the hub: {error} ({type(error).__name__}). Check the "
            f"network; or put its {CONFIG}, {WEIGHTS}, {VOCABULARY} and {MERGES} into a folder and "
            "name that folder instead."
        ) from error


def openai_config(settings: Mapping[str, Any]) -> TransformerConfig:
    """Return the sizes that a ``config.json`` tells. Raises `UserError` if it is another's."""
    try:
        width = settings["n_embd"]
        return TransformerConfig(
            vocabulary_size=settings["vocab_size"],
            context=settings["n_positions"],
            width=width,
            heads=settings["n_head"],
            layers=settings["n_layer"],
            inner=4 * width,
            dropout=settings.get("resid_pdrop", 0.1),
            activation=ACTIVATIONS[settings.get("afn", "gelu")],
            epsilon=settings.get("layer_norm_epsilon", 1e-5),
        )
    except KeyError as error:
        raise UserError(
            f"{CONFIG} is not one of GPT: {error} is missing or unknown. Take the file of "
            f"{PUBLISHED}."
        ) from error


def from_openai(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights under the names, and in the shapes, of `GPT`.

    A layer there keeps its weights as (in, out), here as (out, in). Raises `UserError` for a name
    that GPT has not.
    """
    found = {}
    for name, values in state.items():
        own = name.removeprefix("transformer.")
        if not NO_WEIGHTS.fullmatch(own):
            turned = own.startswith("h.") and values.ndim == 2
            found[_renamed(own)] = values.T.contiguous() if turned else values
    tokens = found.get(OUTSIDE["tokens_embed.weight"])
    if tokens is not None:
        found["bias"] = tokens.new_zeros(len(tokens))
    return found


def _renamed(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    of_block = OF_A_BLOCK.fullmatch(name)
    if of_block is None or of_block[2] not in PARTS:
        raise UserError(
            f"{name!r} is no part of GPT: these are the weights of another network. Take those of "
            f"{PUBLISHED}."
        )
    return f"layers.{int(of_block[1]) + 1}.{PARTS[of_block[2]]}.{of_block[3]}"


def _check(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse weights that are not those of the network of the config."""
    misfits = [f"{name} is missing" for name in wanted if name not in found]
    misfits += [f"{name} is one too many" for name in found if name not in wanted]
    misfits += [
        f"{name} is {tuple(found[name].shape)} and not {tuple(values.shape)}"
        for name, values in wanted.items()
        if name in found and found[name].shape != values.shape
    ]
    if misfits:
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise UserError(
            f"The weights in {folder} do not fit its {CONFIG}: {misfits[0]}{more}. Take both files "
            "from the same model."
        )


def _read(path: Path, how: Callable[[Path], Read], name: str | None = None) -> Read:
    """Return what a file holds; what is wrong with it as an error that says what to do."""
    if not path.is_file():
        raise UserError(
            f"There is no {name or path.name} in {path.parent}. Copy it there from {PUBLISHED} on "
            "the hub, or name the folder that holds it."
        )
    try:
        return how(path)
    except Exception as error:  # each format has kinds of its own
        raise UserError(
            f"{path} cannot be read ({error}). Delete it and fetch it again."
        ) from error


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _merges(path: Path) -> list[tuple[str, str]]:
    """Pairs in the order in which they are joined; the first line names the version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if wrong := next((pair for pair in pairs if len(pair) != 2), None):
        raise ValueError(f"{' '.join(wrong)!r} is no pair")
    return pairs


def _unpickled(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)
