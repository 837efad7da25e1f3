"""Byte-pair encoding of texts that are to be written: joined again, the tokens are the text.

Sennrich, Haddow & Birch (2016), with the mark of the space *before* a word, as in SentencePiece
(Kudo & Richardson 2018, section 3.2), so that nothing need be known of a language to set spaces:
``▁Ein ▁Mann ▁läuft .`` No token holds a space or mixes punctuation with letters. Capitals and
accents are kept. By the library `tokenizers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PADDING, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<begin>", "<end>"
SPECIAL = (PADDING, UNKNOWN, BEGIN, END)
"""The tokens that no text is made of: ids 0 to 3."""
PADDING_ID, UNKNOWN_ID, BEGIN_ID, END_ID = range(4)
SPACE = "▁"


def train_text_bpe(texts: Sequence[str], vocabulary_size: int) -> Tokenizer:
    """Learn a vocabulary from texts.

    Ids: `SPECIAL`; the characters, sorted; then each merge in the order learnt. A character that
    was not seen is read as `UNKNOWN`. ``tokenizer.decode(tokenizer.encode(text).ids)`` is the text
    but for such characters, and for spaces at its ends.

    Raises:
        ValueError: if there is no room for all characters.
    """
    characters = {character for text in texts for character in text if character != " "}
    least = len(SPECIAL) + len(characters) + 1  # and that of the space
    if vocabulary_size < least:
        raise ValueError(
            f"vocabulary_size={vocabulary_size:,} leaves no room for {len(characters)} "
            f"characters: ask for {least} at least"
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    space = {"replacement": SPACE, "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(**space), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace(**space)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
