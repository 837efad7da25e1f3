"""What a language model can do of a task that it was never taught.

Radford et al. (2018), section 5: sentiment by appending *very* to a sentence and asking which of
*positive* and *negative* is likelier to follow; acceptability by the mean log-probability of a
sentence's tokens. Every text begins after the mark that ends a document, as in pre-training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nnlm2bert.models.gpt import GPT, IGNORED
from nnlm2bert.tokenizers.fast_bpe import END_ID
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training.length_batches import LengthBatches
from nnlm2bert.transfer.fine_tuning import padded
from nnlm2bert.transfer.input_transformations import TokenSequence, spelled

TOKENS_AT_ONCE = 4096


@torch.no_grad()
def log_probabilities(gpt: GPT, prompts: Sequence[Sequence[int]], given: Sequence[int]) -> Tensor:
    """Return log P (N,) in nats of the tokens ``given`` after each of N prompts, all together.

    A prompt that is too long for the context loses tokens at its beginning, but for the first.
    """
    room = gpt.config.context - len(given)
    rows = [[*prompt[:1], *prompt[1:][-(room - 1) :], *given] for prompt in prompts]
    return -_costs(gpt, rows, len(given))


def choose(
    gpt: GPT,
    encoder: SubwordEncoder,
    sentences: Sequence[Sequence[str]],
    words: Sequence[str],
    hint: Sequence[str] = ("very",),
    begin: int = END_ID,
) -> Tensor:
    """Return log P (N, W) in nats of each of W words after each sentence and the words ``hint``.

    A word of several tokens has the sum of theirs. ``begin``: the token before each sentence.
    """
    prompts = [[begin, *spelled([*sentence, *hint], encoder)] for sentence in sentences]
    columns = [log_probabilities(gpt, prompts, spelled([word], encoder)) for word in words]
    return torch.stack(columns, dim=1)


@torch.no_grad()
def mean_log_likelihood(
    gpt: GPT,
    encoder: SubwordEncoder,
    sentences: Sequence[Sequence[str]],
    begin: int = END_ID,
) -> Tensor:
    """Return the mean of log P (N,) in nats over the tokens of each sentence, cut to the context.

    ``begin`` is the token before each sentence, which costs nothing. Section 5 of the paper: what
    is likelier by it is held to be better English.
    """
    room = gpt.config.context - 1
    rows = [[begin, *spelled(sentence, encoder)[:room]] for sentence in sentences]
    counts = torch.tensor([max(1, len(row) - 1) for row in rows])
    return -_costs(gpt, rows) / counts


def _costs(gpt: GPT, rows: Sequence[Sequence[int]], last: int | None = None) -> Tensor:
    """Return nats (N,), the sum over the last tokens of each row, or over all but the first."""
    was_training, device = gpt.training, gpt.bias.device
    gpt.eval()
    nats = torch.zeros(len(rows))
    batches = LengthBatches([len(row) for row in rows], TOKENS_AT_ONCE, torch.Tensor.tolist, 0)
    for number in range(len(batches)):
        chosen = batches.batch(number)
        sequences = [TokenSequence(tuple(rows[n]), ()) for n in chosen]
        tokens, inside = padded(sequences, device)
        wanted = inside if last is None else inside & _last(inside, last)
        targets = tokens[:, 1:].masked_fill(~wanted[:, 1:], IGNORED)
        nats[chosen] = gpt.costs(tokens[:, :-1], targets).sum(dim=1).cpu()
    gpt.train(was_training)
    return nats


def _last(inside: Tensor, count: int) -> Tensor:
    """Return where the last ``count`` tokens of each row stand, and all after them (R, T)."""
    places = torch.arange(inside.shape[1], device=inside.device)
    return places >= inside.sum(dim=1, keepdim=True) - count
