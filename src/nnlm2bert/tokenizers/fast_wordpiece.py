"""WordPiece of real text, by the library `tokenizers`: what BERT reads (Devlin et al., 2019).

What the library does is taught, and done again, in `nnlm2bert.tokenizers.wordpiece`: any text is
made words by BERT's basic tokenization, in lower case and without accents, and each word cut into
the longest pieces of the vocabulary (Wu et al., 2016, section 4.1).

Words are what `corpora.words` makes of a text. Basic tokenization takes some of them apart: "n't"
is three words to it. A tokenizer is kept and read by `subwords.save_tokenizer` and
`subwords.load_tokenizer`; as ``tokenizer.json`` it is read by transformers' ``BertTokenizerFast``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from nnlm2bert.tokenizers import subwords
from nnlm2bert.tokenizers.subwords import TokenStream
from nnlm2bert.tokenizers.wordpiece import (
    CLASS,
    CONTINUATION,
    LONGEST_WORD,
    SEPARATOR,
    SPECIAL,
    UNKNOWN,
    alphabet,
    written,
)

if TYPE_CHECKING:
    from nnlm2bert.corpora.running import RunningText


def train_wordpiece(
    counts: Mapping[str, int], vocabulary_size: int, min_character_count: int = 1
) -> Tokenizer:
    """Learn a vocabulary from words and how often each was seen.

    Ids: `SPECIAL`, 0 to 4; the characters, sorted; those that words go on with, sorted; then each
    piece in the order it was merged, of two pairs seen equally often that of the lower ids. The
    library by itself numbers characters within words at random, so that two runs would differ.

    Args:
        counts: occurrences of each word, before or after basic tokenization.
        vocabulary_size: pieces in all; fewer are found if every word has become one piece.
        min_character_count: a character seen less often has no piece: words that hold it are read
            as `UNKNOWN`, and nothing is learnt from them.

    Raises:
        ValueError: if there is no room for all characters.
    """
    _, words = subwords.spellable(_basic_counts(counts), min_character_count)
    characters = [*map(written, alphabet(words))]
    spelled = f"{len(characters)} characters, as begins and within words"
    first = subwords.first_tokens(vocabulary_size, SPECIAL, characters, spelled)
    trained = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    trained.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        special_tokens=first,
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    trained.train_from_iterator(subwords.occurrences(words), trainer)
    return bert_tokenizer(trained.get_vocab(with_added_tokens=True))


def _basic_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Occurrences of each word of basic tokenization."""
    basic = bert_tokenizer({token: number for number, token in enumerate(SPECIAL)})
    seen: Counter[str] = Counter()
    for word, count in counts.items():
        for part in subwords.basic_words(basic, word):
            seen[part] += count
    return seen


def bert_tokenizer(vocabulary: Mapping[str, int]) -> Tokenizer:
    """Return the tokenizer of lower-case BERT for pieces and their ids, those of `SPECIAL` too.

    ``encode`` puts ``[CLS]`` before a text and ``[SEP]`` behind it and behind a second one, whose
    type ids are 1 (Devlin et al., 2019, figure 2).
    """
    model = models.WordPiece(
        vocab=dict(vocabulary),
        unk_token=UNKNOWN,
        continuing_subword_prefix=CONTINUATION,
        max_input_chars_per_word=LONGEST_WORD,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        (SEPARATOR, vocabulary[SEPARATOR]), (CLASS, vocabulary[CLASS])
    )
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUATION)
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def encode_text(tokenizer: Tokenizer, text: RunningText) -> TokenStream:
    """Return the pieces of running text, ``[SEP]`` after each document.

    As `subwords.encode_text`: a word of which basic tokenization leaves nothing is `UNKNOWN`.
    """
    return subwords.encode_text(tokenizer, text, SEPARATOR)
