"""BLEU (Papineni et al. 2002) from sums over blocks of sentences, so that it can be resampled.

Counting is left to the library sacrebleu (Post 2018), with its tokens (13a) and capitals kept;
what is left to do with the counts, `bleu`, is plain Python: a verdict needs records and nothing
else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from nnlm2bert.errors import UserError

ORDER = 4
"""The longest run of words that is compared."""
COUNTS = (
    *(f"right runs of {n}" for n in range(1, ORDER + 1)),
    *(f"runs of {n}" for n in range(1, ORDER + 1)),
    "words",
    "words of the reference",
)
"""What BLEU is computed from, in the order that `bleu` takes it in."""
Group = dict[str, list[float]]


def bleu(counts: Sequence[float]) -> float:
    """Return BLEU from 0 to 100 for the sums, or the means, of `COUNTS` over some sentences.

    Equations of section 2.3: BP exp(sum of log p_n / 4), BP = exp(1 - r / c) for c < r. Without
    smoothing: 0 if no run of some length is right.
    """
    right, said, (ours, reference) = counts[:ORDER], counts[ORDER : 2 * ORDER], counts[2 * ORDER :]
    if min(right) <= 0 or ours <= 0:
        return 0.0
    logs = [math.log(hit / run) for hit, run in zip(right, said, strict=True)]
    return 100 * math.exp(min(0.0, 1 - reference / ours) + sum(logs) / ORDER)


def bleu_units(said: Sequence[str], right: Sequence[str], blocks: int = 40) -> dict[str, Group]:
    """Return the counts of translations as groups of a record, one for each of `COUNTS`.

    A unit is one of at most ``blocks`` blocks of neighbouring sentences. BLEU of all is `bleu` of
    the groups' scores; its interval is that of `evaluation.intervals.bootstrap` with `bleu` as the
    function, the groups as systems, and paired seeds.

    Raises:
        UserError: if sacrebleu is not installed.
        ValueError: where lengths differ, or for no sentences.
    """
    if len(said) != len(right) or not said:
        raise ValueError(f"{len(said)} translations and {len(right)} references")
    count = min(blocks, len(said))
    borders = [len(said) * block // count for block in range(count + 1)]
    parts = [slice(*pair) for pair in pairwise(borders)]
    scorer = _scorer()
    columns = zip(*(_counts(scorer, said[part], right[part]) for part in parts), strict=True)
    sizes = [part.stop - part.start for part in parts]
    return {
        name: {"tokens": sizes, "nats": list(column)}
        for name, column in zip(COUNTS, columns, strict=True)
    }


def _counts(scorer: Any, said: Sequence[str], right: Sequence[str]) -> list[int]:
    found = scorer.corpus_score(list(said), [list(right)])
    return [*found.counts, *found.totals, found.sys_len, found.ref_len]


def _scorer() -> Any:
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        raise UserError(
            "BLEU is counted by the library sacrebleu, which is not installed. Install it with: "
            "pip install sacrebleu"
        ) from None
    return BLEU(max_ngram_order=ORDER, force=True)
