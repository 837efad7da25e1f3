"""Byte-pair encoding of real text, by the library `tokenizers`.

The word-level encoding of Sennrich, Haddow and Birch (2016, section 3.2), with which GPT (Radford
et al., 2018, section 4.1) was pre-trained: a word is its characters, the last of them marked by
`END_OF_WORD`; the pair of neighbours seen most often becomes one new token, again and again, and no
token reaches across two words. What the library does is taught, and done again, in
`nnlm2bert.tokenizers.bpe`.

Words are what `corpora.words` makes of a text, in lower case, as those of the published GPT are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from nnlm2bert.tokenizers import subwords
from nnlm2bert.tokenizers.bpe import END_OF_WORD, alphabet
from nnlm2bert.tokenizers.subwords import TokenStream
from nnlm2bert.tokenizers.vocabulary import UNKNOWN

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText

PADDING, START, END, DELIMITER = "<pad>", "<s>", "<e>", "<$>"
SPECIAL = (PADDING, UNKNOWN, START, END, DELIMITER)
"""The tokens that no word is made of: ids 0 to 4.

`START`, `END` (GPT's *extract*, at which a task is read; here it also ends a document) and
`DELIMITER` (between two sentences) are those of Radford et al. (2018), section 3.3.
"""
PADDING_ID, UNKNOWN_ID, START_ID, END_ID, DELIMITER_ID = range(5)


def train_bpe(
    counts: Mapping[str, int],
    vocabulary_size: int,
    special: Sequence[str] = SPECIAL,
    min_character_count: int = 1,
) -> Tokenizer:
    """Learn a vocabulary from words and how often each was seen.

    Ids: `special`; the characters, sorted; the characters that end a word, sorted; then each merge
    in the order learnt. Of two pairs seen equally often, that of the lower ids is merged first. The
    library by itself numbers the ends of words at random, so that two runs would differ.

    Args:
        counts: occurrences of each word.
        vocabulary_size: tokens in all; fewer are found if every word has become one token.
        special: tokens that no word is made of; `UNKNOWN` must be among them.
        min_character_count: a character seen less often has no token: it is read as `UNKNOWN`, and
            nothing is learnt from the words that hold it.

    Raises:
        ValueError: if there is no room for all characters, if `UNKNOWN` is not in `special`, or if
            a word holds white space.
    """
    characters, words = subwords.spellable(counts, min_character_count)
    spelled = f"{len(characters)} characters, each within a word and at its end"
    first = subwords.first_tokens(vocabulary_size, special, alphabet(characters), spelled)
    if UNKNOWN not in special:
        raise ValueError(f"the special tokens {list(special)} lack {UNKNOWN!r}")
    trained = _tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=first,
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    trained.train_from_iterator(subwords.occurrences(words), trainer)
    return _without_special_characters(trained, special)


def _tokenizer(model: models.BPE | None = None) -> Tokenizer:
    model = model or models.BPE(unk_token=UNKNOWN, end_of_word_suffix=END_OF_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.BPEDecoder(suffix=END_OF_WORD)
    return tokenizer


def _without_special_characters(trained: Tokenizer, special: Sequence[str]) -> Tokenizer:
    """The same model, but characters are no longer special; only `special` is."""
    learnt = json.loads(trained.to_str())["model"]
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in learnt["merges"])
    model = models.BPE(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in pairs],
        unk_token=UNKNOWN,
        end_of_word_suffix=END_OF_WORD,
    )
    tokenizer = _tokenizer(model)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def encode_text(tokenizer: Tokenizer, text: RunningText) -> TokenStream:
    """Return the tokens of running text, `END` after each document, as `subwords.encode_text`."""
    return subwords.encode_text(tokenizer, text, END)
