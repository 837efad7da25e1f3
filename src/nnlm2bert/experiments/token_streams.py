"""The running text in tokens, as GPT and BERT read it: learnt and cut up once, then kept.

What is kept are ids, in the reader's own cache folder; no text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from nnlm2bert.corpora.registry import hashes
from nnlm2bert.corpora.running import RUNNING_TEXT, load_held_out, load_running_text
from nnlm2bert.errors import UserError
from nnlm2bert.tokenizers import fast_bpe, fast_wordpiece, wordpiece
from nnlm2bert.tokenizers.subwords import TokenStream, encode_text, save_tokenizer, token_file

VOCABULARY_SIZE = 8_000
RARE_CHARACTER = 100
"""A character seen less often in 25 million words is read as unknown: 68 are left."""
_FORM = 1  # of the files; to be raised when the same settings give other tokens


@dataclass(frozen=True)
class _Kind:
    """How words are cut: the name of the files, what else tells them apart, and what does it."""

    files: str
    settings: tuple[Any, ...]
    train: Callable[..., Tokenizer]
    end: str
    sentences: bool


_KINDS = MappingProxyType(
    {
        "bpe": _Kind(
            files="running-tokens",
            settings=(fast_bpe.SPECIAL,),
            train=fast_bpe.train_bpe,
            end=fast_bpe.END,
            sentences=False,
        ),
        "wordpiece": _Kind(
            files="running-pieces",
            settings=("wordpiece", wordpiece.SPECIAL),
            train=fast_wordpiece.train_wordpiece,
            end=wordpiece.SEPARATOR,
            sentences=True,
        ),
    }
)


def running_tokens(
    vocabulary_size: int = VOCABULARY_SIZE, *, cache: Path, kind: str = "bpe"
) -> TokenStream:
    """Return the running text of `corpora.running`, lower-case, in tokens learnt from itself.

    The first call takes about a minute and a half and 2 GB, and leaves two files in the folder
    `cache`; later ones read them. Raises `UserError` if a file there is damaged or the folder
    cannot be written to, and as `load_running_text` does.

    Args:
        vocabulary_size: tokens in all.
        cache: the folder.
        kind: "bpe", as GPT reads, `<e>` after each document; or "wordpiece", as BERT reads,
            `[SEP]` after each, and with the places of the sentences.
    """
    path = cache / f"{_kind(kind).files}-{vocabulary_size}-{_digest(vocabulary_size, kind)}.npz"
    if not (path.is_file() and path.with_suffix(".json").is_file()):
        _make(vocabulary_size, path, _kind(kind))
    return _read(path)


def held_out_tokens(name: str, tokenizer: Tokenizer, kind: str = "bpe") -> TokenStream:
    """Return the validation split of a set of `HELD_OUT_TEXT`, lower-case, in tokens.

    The perplexity by the word is e to the nats of all tokens over ``words``: that does not depend
    on how words are cut up. Raises `CorpusError` as `load_held_out` does.
    """
    return encode_text(tokenizer, load_held_out(name, lower=True), _kind(kind).end)


def _kind(name: str) -> _Kind:
    if name not in _KINDS:
        raise ValueError(f"kind={name!r}: words are cut by {' or '.join(map(repr, _KINDS))}")
    return _KINDS[name]


def _digest(vocabulary_size: int, kind: str) -> str:
    files = {path: sha for name in RUNNING_TEXT for path, sha in hashes(name).items()}
    settings = [_FORM, vocabulary_size, RARE_CHARACTER, *_kind(kind).settings, files]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _make(vocabulary_size: int, path: Path, kind: _Kind) -> None:
    text = load_running_text(lower=True)
    counts = dict(zip(text.types, text.counts.tolist(), strict=True))
    tokenizer = kind.train(counts, vocabulary_size, min_character_count=RARE_CHARACTER)
    stream = encode_text(tokenizer, text, kind.end)
    arrays = {"ids": stream.ids, "starts": stream.starts, "words": np.int64(stream.words)}
    if kind.sentences:
        arrays["sentences"] = stream.sentences
    save_tokenizer(tokenizer, path.with_suffix(".json"))
    with token_file(path) as file:
        np.savez(file, **arrays)


def _read(path: Path) -> TokenStream:
    try:
        tokenizer = Tokenizer.from_file(str(path.with_suffix(".json")))
        with np.load(path) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        return TokenStream(tokenizer=tokenizer, words=int(kept.pop("words")), **kept)
    except Exception as error:  # the library knows no other kind
        raise UserError(
            f"The tokens in {path} cannot be read ({error}). Delete that file and the .json beside "
            "it; they are then made anew."
        ) from error
