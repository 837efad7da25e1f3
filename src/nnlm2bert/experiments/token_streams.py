"""The running text in tokens, as GPT and BERT read it: learnt and cut up once, then kept.

What is kept are ids, in the reader's own cache folder; no text.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from nnlm2bert.corpora.registry import hashes
from nnlm2bert.corpora.running import RUNNING_TEXT, load_held_out, load_running_text
from nnlm2bert.errors import UserError
from nnlm2bert.tokenizers.fast_bpe import SPECIAL, TokenStream, encode_text, train_bpe

VOCABULARY_SIZE = 8_000
RARE_CHARACTER = 100
"""A character seen less often in 25 million words is read as unknown: 68 are left."""
_FORM = 1  # of the files; to be raised when the same settings give other tokens


def running_tokens(vocabulary_size: int = VOCABULARY_SIZE, *, cache: Path) -> TokenStream:
    """Return the running text of `corpora.running`, lower-case, in tokens learnt from itself.

    The first call takes about a minute and a half and 2 GB, and leaves two files in the folder
    `cache`; later ones read them. Raises `UserError` if a file there is damaged or the folder
    cannot be written to, and as `load_running_text` does.
    """
    path = cache / f"running-tokens-{vocabulary_size}-{_digest(vocabulary_size)}.npz"
    if not (path.is_file() and path.with_suffix(".json").is_file()):
        _make(vocabulary_size, path)
    return _read(path)


def held_out_tokens(name: str, tokenizer: Tokenizer) -> TokenStream:
    """Return the validation split of a set of `HELD_OUT_TEXT`, lower-case, in tokens.

    The perplexity by the word is e to the nats of all tokens over ``words``: that does not depend
    on how words are cut up. Raises `CorpusError` as `load_held_out` does.
    """
    return encode_text(tokenizer, load_held_out(name, lower=True))


def _digest(vocabulary_size: int) -> str:
    files = {path: sha for name in RUNNING_TEXT for path, sha in hashes(name).items()}
    settings = [_FORM, vocabulary_size, RARE_CHARACTER, SPECIAL, files]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _make(vocabulary_size: int, path: Path) -> None:
    text = load_running_text(lower=True)
    counts = dict(zip(text.types, text.counts.tolist(), strict=True))
    tokenizer = train_bpe(counts, vocabulary_size, min_character_count=RARE_CHARACTER)
    stream = encode_text(tokenizer, text)
    arrays = {"ids": stream.ids, "starts": stream.starts, "words": np.int64(stream.words)}
    _write(path.with_suffix(".json"), lambda place: tokenizer.save(str(place), pretty=False))
    _write(path, lambda place: np.savez(place, **arrays))


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make the file beside its place, then move it there whole."""
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"The tokens could not be kept in {path} ({error}). Make room there or name another "
            "folder, then start the same command again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> TokenStream:
    try:
        tokenizer = Tokenizer.from_file(str(path.with_suffix(".json")))
        with np.load(path) as arrays:
            return TokenStream(arrays["ids"], arrays["starts"], int(arrays["words"]), tokenizer)
    except Exception as error:  # the library knows no other kind
        raise UserError(
            f"The tokens in {path} cannot be read ({error}). Delete that file and the .json beside "
            "it; they are then made anew."
        ) from error
