"""A whole corpus as one stream of tokens, as language models are trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from nnlm2bert.corpora.download import fetch

if TYPE_CHECKING:
    import numpy as np

    from nnlm2bert.corpora.readers.brown import BrownText

PARAGRAPH_MARK = "<p>"
TEXT_MARK = "<text>"


@dataclass(frozen=True)
class TokenStream:
    """Tokens in running order, and the document that each belongs to.

    ``documents`` has the shape (len(tokens),), int32, and indexes ``names``.
    """

    tokens: list[str]
    documents: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, *sizes: int) -> tuple[TokenStream, ...]:
        """Streams of ``sizes`` tokens each, from the start, and one of the rest.

        A document that a border cuts is in both streams. Raises ``ValueError`` if the stream is
        shorter than the sizes together.
        """
        borders = [0, *accumulate(sizes), len(self)]
        if min(sizes, default=0) < 0 or sum(sizes) > len(self):
            raise ValueError(f"cannot cut {sizes} tokens off a stream of {len(self):,}")
        return tuple(
            TokenStream(self.tokens[start:end], self.documents[start:end], self.names)
            for start, end in pairwise(borders)
        )


def load_brown_stream() -> TokenStream:
    """The Brown corpus as Bengio et al. (2003), section 4.1, ran through it: 1,177,359 tokens.

    Case and punctuation are kept; ``PARAGRAPH_MARK`` ends each of the 15,667 paragraphs,
    ``TEXT_MARK`` each of the 500 texts. The paper counts 1,181,041 in its copy. Its training,
    validation and test parts are ``load_brown_stream().split(800_000, 200_000)``.
    Raises ``CorpusError`` as ``fetch`` does.
    """
    import numpy as np

    from nnlm2bert.corpora.readers.brown import read_texts

    texts = list(read_texts(fetch("brown")))
    marked = [_marked(text) for text in texts]
    lengths = [len(tokens) for tokens in marked]
    return TokenStream(
        tokens=[token for tokens in marked for token in tokens],
        documents=np.repeat(np.arange(len(texts), dtype=np.int32), lengths),
        names=tuple(text.name for text in texts),
    )


def _marked(text: BrownText) -> list[str]:
    tokens = []
    for paragraph in text.paragraphs:
        tokens += [token for sentence in paragraph for token, _ in sentence]
        tokens.append(PARAGRAPH_MARK)
    return [*tokens, TEXT_MARK]
