"""ELMo: an update of the biLM against its LSTMs alone, and features read in batches of one length.

The first comparison says what characters, highways, both marks, the sampled softmax and the order
of words read backwards cost on top of what nobody can do without: the rival is torch's own
`nn.LSTM`, two layers with projection for each direction, of the same sizes, on vectors that are
there already. The second is of features for a task: sentences of one
length together against one after the other, which must give the same vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nnlm2bert.experiments.bench import REPEATS, Report, compare
from nnlm2bert.experiments.elmo.pretraining import MARKS, RECIPES
from nnlm2bert.models.elmo import BiLM
from nnlm2bert.objectives import both_directions
from nnlm2bert.tokenizers.characters import BEGIN, END, spell
from nnlm2bert.tokenizers.vocabulary import UNKNOWN
from nnlm2bert.training.randomness import isolated_randomness
from nnlm2bert.transfer.contextual import Contextual

TYPES, OUTPUTS = 8_000, 30_000
WORDS = 2_816
LENGTH = 24
"""Words of every sentence of the batch: batches of training are of one length."""
SENTENCES = 100
LENGTHS = (3, 45)
"""Of the sentences that features are extracted of, any length from the first to the second."""
TOLERANCE = 1e-2
"""Of a feature: two roundings to float16, of numbers of a size of about 1."""

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Problem:
    """A biLM of the size of the running text's, words it knows the letters of, and a batch."""

    bilm: BiLM
    words: Sequence[str]
    spellings: Tensor
    batch: Batch

    @property
    def read(self) -> int:
        """Words of the batch, marks included, padding not."""
        return int(self.batch[1].sum())


def bench(repeats: int = REPEATS) -> Report:
    """Time the loss of a batch and all its gradients, then the extraction of features."""
    given = problem()
    main = compare(own_step(given), plain_step(given), repeats)
    ways = extraction(given)
    reading = compare(ways["in batches"], ways["one by one"], max(1, repeats // 4), warmup=1)
    worst = largest_difference(ways["in batches"](), ways["one by one"]())
    return Report(
        name="elmo",
        unit="words/s of an update, forward and backward",
        ours=given.read / main.ours,
        rival=given.read / main.rival,
        ratio=main.ratio,
        equal=worst <= TOLERANCE,
        repeats=repeats,
        details={
            "ours": f"characters, two LSTM layers each way, {given.bilm.config.samples} of "
            f"{OUTPUTS:,} words drawn for the softmax",
            "rival": "torch's nn.LSTM alone, the same sizes, float32 like ours",
            "features in batches, times as fast as one by one": round(reading.ratio, 2),
            "features, words/s in batches": round(words_of(sentences(given)) / reading.ours),
            f"largest difference of a feature (at most {TOLERANCE})": worst,
        },
    )


def problem() -> Problem:
    """Return a biLM without training, and as many sentences of one length as fill a batch."""
    generator = torch.Generator().manual_seed(0)
    with isolated_randomness(0, torch.device("cpu")):
        bilm = replace(RECIPES["running text"], dropout=0.0).model(OUTPUTS)
    words = [*MARKS, *made_up_words(TYPES - len(MARKS), generator)]
    rows = torch.randint(len(MARKS), TYPES, (WORDS // (LENGTH + 2), LENGTH), generator=generator)
    ids, sizes = both_directions(list(rows), MARKS.index(BEGIN), MARKS.index(END))
    return Problem(bilm, words, spell(words), (ids, sizes, ids))


def made_up_words(count: int, generator: torch.Generator) -> list[str]:
    """Words of 2 to 10 letters, each another one."""
    words: dict[str, None] = {}
    while len(words) < count:
        size = int(torch.randint(2, 11, (1,), generator=generator))
        letters = torch.randint(97, 123, (size,), generator=generator).tolist()
        words["".join(map(chr, letters))] = None
    return list(words)


def own_step(given: Problem) -> Callable[[], object]:
    """Return what is timed of ours: the loss and the gradients of all parameters."""
    parameters = list(given.bilm.parameters())
    return lambda: torch.autograd.grad(
        given.bilm.loss(given.spellings, *given.batch)[0], parameters
    )


def plain_step(given: Problem) -> Callable[[], object]:
    """Return what is timed of torch's own: both directions of nn.LSTM, forward and backward."""
    config = given.bilm.config
    sizes = {"num_layers": config.layers, "proj_size": config.width, "batch_first": True}
    stacks = [nn.LSTM(config.width, config.states, **sizes) for _ in range(2)]
    parameters = [parameter for stack in stacks for parameter in stack.parameters()]
    generator = torch.Generator().manual_seed(1)
    shape = (*given.batch[0].shape, config.width)
    vectors = torch.randn(shape, generator=generator).requires_grad_()
    return lambda: torch.autograd.grad(
        sum(stack(vectors)[0].sum() for stack in stacks), [vectors, *parameters]
    )


def sentences(given: Problem) -> list[tuple[str, ...]]:
    """Return sentences of all lengths for extraction, in no order of length."""
    generator = torch.Generator().manual_seed(2)
    lengths = torch.randint(*LENGTHS, (SENTENCES,), generator=generator).tolist()
    ids = (torch.randint(len(MARKS), TYPES, (n,), generator=generator) for n in lengths)
    return [tuple(given.words[word] for word in row.tolist()) for row in ids]


def words_of(found: Sequence[Sequence[str]]) -> int:
    """Return how many words some sentences have."""
    return sum(map(len, found))


def extraction(given: Problem) -> dict[str, Callable[[], list[Tensor]]]:
    """Return both ways to extract the same features."""
    contextual, found = Contextual(given.bilm, [*MARKS, UNKNOWN]), sentences(given)
    return {
        "in batches": lambda: contextual.extract(found),
        "one by one": lambda: [contextual.extract([sentence])[0] for sentence in found],
    }


def largest_difference(ours: Sequence[Tensor], rival: Sequence[Tensor]) -> float:
    """Return the largest difference of two entries of features (T, L + 1, 2P)."""
    pairs = zip(ours, rival, strict=True)
    return max(float((one.float() - other.float()).abs().max()) for one, other in pairs)
