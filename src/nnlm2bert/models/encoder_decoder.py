"""An encoder that reads a text and a decoder that writes another (Vaswani et al. 2017).

Where both begin as BERT: Rothe, Narayan & Severyn (2020), "Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks". The published BERT has no decoder, and its authors generate nothing with
it; this is what others made of its weights two years later, and what is said here of BERT writing
texts is theirs.

The encoder is BERT without its heads. A block of the decoder is one of BERT's that sees only the
left, with a second attention put in, over what the encoder said. That one alone has no counterpart
in BERT and begins at random (section 3 of their paper).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlm2bert.models.bert import BERT
from nnlm2bert.models.gpt import IGNORED
from nnlm2bert.models.softmax import softmax_cross_entropy, softmax_log_probabilities
from nnlm2bert.models.transformer import (
    ACTIVATIONS,
    Block,
    Embedding,
    KeysAndValues,
    Transformer,
    TransformerConfig,
    attention,
    fused_attention,
    fused_is_faster,
    initialise,
)


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """Sizes of both parts.

    encoder: of the blocks that read, BERT's. decoder: of the blocks that write, causal, of the same
    width; its vocabulary is that of the text that is written.
    """

    encoder: TransformerConfig
    decoder: TransformerConfig

    def __post_init__(self) -> None:
        if self.encoder.causal or not self.decoder.causal:
            raise ValueError("the encoder reads both sides, causal=False; the decoder is causal")
        if self.encoder.width != self.decoder.width:
            raise ValueError(
                f"an encoder of width {self.encoder.width} and a decoder of width "
                f"{self.decoder.width}: give both the same"
            )

    @classmethod
    def like(cls, encoder: TransformerConfig, vocabulary_size: int) -> EncoderDecoderConfig:
        """Return the sizes for an encoder and a decoder of its kind, for another vocabulary."""
        return cls(encoder, replace(encoder, vocabulary_size=vocabulary_size, causal=True))


class CrossAttention(nn.Module):
    """Places of the text that is written look at those of the text that was read.

    Vaswani et al. (2017), section 3.2.3: queries are the decoder's, keys and values the encoder's.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.queries = nn.Linear(config.width, config.width)
        self.keys_values = nn.Linear(config.width, 2 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(
        self,
        x: Tensor,
        source: Tensor,
        inside: Tensor | None = None,
        past: KeysAndValues | None = None,
    ) -> Tensor:
        """Return what each place x (B, T, D) read from the source (B, S, D): (B, T, D).

        Args:
            inside: (B, S), whether a place of the source holds a token.
            past: keys and values of the source, kept from the first call on.
        """
        keys, values = self.remembered(source, past)
        allowed = None if inside is None else inside[:, None, None, :]
        queries = self.queries(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        if fused_is_faster(queries, keys):
            read = fused_attention(queries, keys, values, allowed, dropout)
        else:
            read, _ = attention(queries, keys, values, allowed, dropout)
        return self.output(read.transpose(1, 2).flatten(2))

    def remembered(self, source: Tensor, past: KeysAndValues | None) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, H, S, d) of the source, from memory if they are there."""
        if past is not None and len(past):
            return past.keys, past.values
        parts = self.keys_values(source).unflatten(2, (2, self.heads, -1))  # (B, S, 2, H, d)
        keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        return (keys, values) if past is None else past.extend(keys, values)

    @torch.no_grad()
    def weights(self, x: Tensor, source: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return the attention (B, H, T, S) of each place of x to those of the source."""
        keys, values = self.remembered(source, None)
        allowed = None if inside is None else inside[:, None, None, :]
        queries = self.queries(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        return attention(queries, keys, values, allowed)[1]


class DecoderBlock(Block):
    """A block of `transformer` with an attention over the source between its two parts."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.cross_attention = CrossAttention(config)
        self.cross_attention_norm = nn.LayerNorm(config.width, config.epsilon)

    def forward(
        self,
        x: Tensor,
        source: Tensor,
        inside: Tensor | None = None,
        past: tuple[KeysAndValues, KeysAndValues] | None = None,
    ) -> Tensor:
        """Return (B, T, D) for x (B, T, D) and source (B, S, D), of which ``inside`` (B, S) counts.

        ``past``: what both attentions remember, of the text so far and of the source.
        """
        before, read = past or (None, None)
        if self.pre:
            x = x + self.dropout(self.attention(self.attention_norm(x), None, before))
            x = x + self.dropout(
                self.cross_attention(self.cross_attention_norm(x), source, inside, read)
            )
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, None, before)))
        x = self.cross_attention_norm(
            x + self.dropout(self.cross_attention(x, source, inside, read))
        )
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class Decoder(nn.Module):
    """An embedding, decoder blocks, and BERT's tied softmax over the vocabulary that is written.

    ``layers[0]`` is the embedding, ``layers[1:]`` are the blocks. ``bias`` (V,) as in `bert.BERT`.
    The network is that of Rothe et al. (2020) for a decoder that begins as BERT.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        blocks = [DecoderBlock(config) for _ in range(config.layers)]
        self.layers = nn.ModuleList([Embedding(config), *blocks])
        self.norm = (
            nn.LayerNorm(config.width, config.epsilon) if config.norm == "pre" else nn.Identity()
        )
        self.transform = nn.Linear(config.width, config.width)
        self.activation = ACTIVATIONS[config.activation]
        self.transform_norm = nn.LayerNorm(config.width, config.epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.apply(initialise)

    def forward(
        self,
        tokens: Tensor,
        source: Tensor,
        inside: Tensor | None = None,
        past: list[tuple[KeysAndValues, KeysAndValues]] | None = None,
    ) -> Tensor:
        """Return the vectors (B, T, D) of the last layer for tokens (B, T) and source (B, S, D).

        Padding of the tokens stands on the right, where no place looks. ``past``: one entry a
        block, as in `DecoderBlock`; it grows by T.

        Raises:
            ValueError: if the places would be more than the context.
        """
        before = len(past[0][0]) if past else 0
        if before + tokens.shape[1] > self.config.context:
            raise ValueError(
                f"{before + tokens.shape[1]} tokens do not fit into a context of "
                f"{self.config.context}: write less, or build the network with a longer one"
            )
        x = self.layers[0](tokens, before=before)
        for number, block in enumerate(self.layers[1:]):
            x = block(x, source, inside, past[number] if past else None)
        return self.norm(x)

    def transformed(self, vectors: Tensor) -> Tensor:
        """Return what the softmax reads (..., D), as in `bert.BERT.transformed`."""
        return self.transform_norm(self.activation(self.transform(vectors)))

    def logits(self, vectors: Tensor) -> Tensor:
        """Return the scores (..., V) of the next token for vectors (..., D) of the last layer."""
        return F.linear(self.transformed(vectors), self.layers[0].tokens.weight, self.bias)

    @torch.no_grad()
    def begin_as(self, bert: BERT, same: Tensor | None = None) -> None:
        """Copy what BERT has of a decoder: all but the attentions over the source.

        ``same`` as in `EncoderDecoder.begin_as`.
        """
        embedding = bert.layers[0].state_dict()
        vectors = embedding.pop("tokens.weight")
        self.layers[0].load_state_dict(embedding, strict=False)
        for block, given in zip(self.layers[1:], bert.layers[1:], strict=True):
            block.load_state_dict(given.state_dict(), strict=False)
        for name in ("norm", "transform", "transform_norm"):
            getattr(self, name).load_state_dict(getattr(bert, name).state_dict())
        ours, theirs = (slice(None), slice(None)) if same is None else same.unbind(1)
        self.layers[0].tokens.weight[ours] = vectors[theirs]
        self.bias[ours] = bert.bias[theirs]


class EncoderDecoder(nn.Module):
    """Reads a text by BERT's blocks, writes another by a decoder: Rothe et al. (2020), section 3.

    A sequence that is written begins with a mark, ends with one, and is predicted token by token
    from what was written before and all of the source.
    """

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Transformer(config.encoder), Decoder(config.decoder)

    def begin_as(self, bert: BERT, decoder: bool = True, same: Tensor | None = None) -> None:
        """Copy BERT into the encoder and, unless it is to begin at random, into the decoder.

        Args:
            bert: of the same sizes, but for the vocabulary of the decoder; it stays as it is.
            decoder: whether the decoder begins as BERT, too, but for its attentions over the
                source.
            same: (K, 2), the numbers of tokens that both vocabularies have, in the decoder's and in
                BERT's: their vectors and biases are copied, the others begin at random. None: the
                vocabularies are one.

        Raises:
            RuntimeError: from torch, where shapes differ.
        """
        self.encoder.layers.load_state_dict(bert.layers.state_dict())
        self.encoder.norm.load_state_dict(bert.norm.state_dict())
        if decoder:
            self.decoder.begin_as(bert, same)

    def forward(self, sources: Tensor, tokens: Tensor, inside: Tensor | None = None) -> Tensor:
        """Return the last vectors (B, T, D) for tokens (B, T) written so far.

        ``sources`` (B, S) are the tokens that are read, of which ``inside`` (B, S) is no padding.
        """
        return self.decoder(tokens, self.encoder(sources, inside), inside)

    def loss(
        self, sources: Tensor, tokens: Tensor, targets: Tensor, inside: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """Return the mean of -log P(target | tokens up to its place, source), and of how many.

        ``targets`` (B, T): what follows each of ``tokens`` (B, T), or `IGNORED`.
        """
        wanted = targets != IGNORED
        features = self.decoder.transformed(self(sources, tokens, inside)[wanted])
        weight = self.decoder.layers[0].tokens.weight
        loss = softmax_cross_entropy(features, weight, self.decoder.bias, targets[wanted])
        return loss, int(wanted.sum())

    @torch.no_grad()
    def costs(
        self, sources: Tensor, tokens: Tensor, targets: Tensor, inside: Tensor | None = None
    ) -> Tensor:
        """Return -log P of each target (B, T) in nats, 0 where it is `IGNORED`."""
        wanted = targets != IGNORED
        features = self.decoder.transformed(self(sources, tokens, inside)[wanted])
        table = self.decoder.layers[0].tokens.weight, self.decoder.bias
        nats = features.new_zeros(targets.shape, dtype=torch.float32)
        nats[wanted] = -softmax_log_probabilities(features, *table, targets[wanted])
        return nats

    @torch.no_grad()
    def write(
        self,
        sources: Tensor,
        begin: int,
        end: int,
        longest: int,
        inside: Tensor | None = None,
        cache: bool = True,
    ) -> Tensor:
        """Return the likeliest next token, one after the other, for each source: (B, T), greedy.

        Args:
            sources: (B, S); inside: (B, S), False at padding.
            begin, end: the marks; after its ``end`` a row holds nothing but ``end``.
            longest: T at most; it is less once all rows have ended.
            cache: keep keys and values, so that each step reads one token instead of all again.

        Dropout acts in training mode: call ``eval()`` first.
        """
        source = self.encoder(sources, inside)
        past = [(KeysAndValues(), KeysAndValues()) for _ in self.decoder.layers[1:]]
        tokens = sources.new_full((len(sources), 1), begin)
        ended = torch.zeros_like(tokens, dtype=torch.bool)
        while tokens.shape[1] <= longest and not ended.all():
            unread = tokens[:, -1:] if cache else tokens
            last = self.decoder(unread, source, inside, past if cache else None)[:, -1]
            chosen = self.decoder.logits(last).argmax(dim=1, keepdim=True)
            tokens = torch.cat([tokens, chosen.masked_fill(ended, end)], dim=1)
            ended |= chosen == end
        return tokens[:, 1:]
