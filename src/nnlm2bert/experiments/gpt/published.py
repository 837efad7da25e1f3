"""The chapter's tests that ask for no training, on the published GPT of Radford et al. (2018).

Its weights are read by `models.openai_gpt`, its words cut by its own tokenizer. It never saw a mark
between documents; a full stop stands wherever ours reads one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tokenizers import Tokenizer

from nnlm2bert.errors import UserError
from nnlm2bert.experiments.gpt.material import PROMPTS, Prompt, acceptability
from nnlm2bert.experiments.gpt.measures import (
    perplexity_by_word,
    stream_costs,
    untaught_acceptability,
    untaught_sentiment,
)
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.openai_gpt import (
    END_OF_WORD,
    PUBLISHED,
    load_openai_gpt,
    load_openai_tokenizer,
)
from nnlm2bert.tokenizers.subwords import SubwordEncoder, TokenStream, encode_text
from nnlm2bert.transfer import Task, load_task

TOKENS = 20_000
"""Of each held-out text; ours was measured on all of it."""
STOP = f".{END_OF_WORD}"
MEASURES = ("zero-shot", "zero-shot by rank", "zero-shot acceptability")


def measure_published(source: str | Path = PUBLISHED, tokens: int = TOKENS) -> dict[str, float]:
    """Return what a published GPT, by its name or its folder, scores on the chapter's tests.

    Named as in the record of our own network (`MEASURES`, "books, perplexity a word"). The data
    sets are fetched if they are not there. Raises `UserError` if anything cannot be had.
    """
    from nnlm2bert.corpora.running import HELD_OUT_TEXT, load_held_out

    gpt, tokenizer = load_openai_gpt(source), load_openai_tokenizer(source)
    held_out = {
        name: encode_text(tokenizer, load_held_out(name, lower=True), stop(tokenizer))
        for name in HELD_OUT_TEXT
    }
    asked = load_task("sentiment"), acceptability()
    return measure(gpt, tokenizer, asked, PROMPTS["running text"], held_out, tokens)


def measure(
    gpt: GPT,
    tokenizer: Tokenizer,
    asked: tuple[Task, Task],
    prompt: Prompt,
    held_out: Mapping[str, TokenStream],
    tokens: int = TOKENS,
) -> dict[str, float]:
    """Return the same for a network and its tokenizer.

    ``asked`` are sentiment and acceptability; of each held-out text ``tokens`` are read.
    """
    encoder, begin = SubwordEncoder(tokenizer), tokenizer.token_to_id(stop(tokenizer))
    likelier, by_rank, _ = untaught_sentiment(gpt, encoder, asked[0], prompt, begin)
    judged = untaught_acceptability(gpt, encoder, asked[1], begin)[1]
    found = dict(zip(MEASURES, (score(likelier), score(by_rank), judged), strict=True))
    for name, stream in held_out.items():
        nats = stream_costs(gpt, stream.ids[:tokens])
        found[f"{name}, perplexity a word"] = perplexity_by_word(stream, nats)
    return found


def stop(tokenizer: Tokenizer) -> str:
    """Return the token that ends a sentence. Raises `UserError` if there is none."""
    if tokenizer.token_to_id(STOP) is None:
        raise UserError(f"The tokenizer has no {STOP!r}: take that of {PUBLISHED}.")
    return STOP
