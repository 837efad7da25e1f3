"""The published weights of GPT (Radford et al. 2018), read into the book's `GPT` by their names.

They are files of the hub, `PUBLISHED`: 12 layers, 117 million numbers, 480 MB. Any folder with
files of that form will do: ``config.json``, ``model.safetensors`` or ``pytorch_model.bin``, and
for the tokens ``vocab.json`` and ``merges.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from nnlm2bert.errors import UserError
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.published import CONFIG, Published, check_weights, read_json
from nnlm2bert.models.transformer import TransformerConfig

VOCABULARY, MERGES = "vocab.json", "merges.txt"
HUB = Published("GPT", "openai-community/openai-gpt", (VOCABULARY, MERGES))
PUBLISHED = HUB.name
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


def load_openai_gpt(source: str | Path = PUBLISHED) -> GPT:
    """Return GPT with the weights of a folder, or with those of a model of the hub by its name.

    It is in evaluation mode, and its bias of the softmax is 0: the paper has none.

    Raises:
        UserError: if the files cannot be had or read, or are those of another kind of network.
    """
    folder = HUB.folder(source)
    config = openai_config(HUB.read(folder / CONFIG, read_json))
    model = GPT(config)
    found = from_openai(HUB.state(folder))
    check_weights(found, model.state_dict(), folder)
    model.load_state_dict(found)
    return model.eval()


def load_openai_tokenizer(source: str | Path = PUBLISHED) -> Tokenizer:
    """Return the tokenizer of the published model: lower-case, its ids those of the weights.

    Words and marks are told apart as by `transformers`; the paper's own text went through spaCy
    first. Raises `UserError` as `load_openai_gpt` does.
    """
    folder = HUB.folder(source)
    vocabulary, merges = (
        HUB.read(folder / VOCABULARY, read_json),
        HUB.read(folder / MERGES, _merges),
    )
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
        raise HUB.wrong_config(error) from error


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
        raise HUB.wrong_weight(name)
    return f"layers.{int(of_block[1]) + 1}.{PARTS[of_block[2]]}.{of_block[3]}"


def _merges(path: Path) -> list[tuple[str, str]]:
    """Pairs in the order in which they are joined; the first line names the version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if wrong := next((pair for pair in pairs if len(pair) != 2), None):
        raise ValueError(f"{' '.join(wrong)!r} is no pair")
    return pairs
