"""Judges of the claims of Bengio et al. (2003), from the records of the experiment `nnlm`."""

from __future__ import annotations

import math

from nnlm2bert.evaluation.intervals import Interval
from nnlm2bert.experiments.judges import Evidence, Finding, Part, Question, sign_verdict

MIXED = "test mixed"
NETWORK = (Part(1, "MLP9"), Part(-1, "KN5"))
MIXTURES = (
    (Part(1, "MLP9", MIXED), Part(-1, "MLP9")),
    (Part(1, "MLP9", MIXED), Part(-1, "trigram")),
)
CONTEXT = (Part(1, "MLP7"), Part(-1, "MLP5"), Part(-1, "KN3"), Part(1, "KN5"))


def _network_against_kneser_ney(evidence: Evidence) -> Finding:
    difference = evidence.contrast(*NETWORK)
    network, rival = _perplexity(evidence, "MLP9"), _perplexity(evidence, "KN5")
    return Finding(
        ours=f"Brown, test perplexity {network:.0f} against {rival:.0f}",
        quantity="ratio, network / Kneser-Ney 5",
        estimate=math.exp(difference.estimate),
        interval=_as_ratio(difference),
        verdict=sign_verdict([difference]),
    )


def _mixture_against_both(evidence: Evidence) -> Finding:
    to_network, to_trigram = (evidence.contrast(*parts) for parts in MIXTURES)
    closer = max(to_network, to_trigram, key=lambda interval: interval.high)
    rival = "network" if closer is to_network else "interpolated trigram"
    return Finding(
        ours=f"Brown, test perplexity {_perplexity(evidence, 'MLP9'):.0f} alone, "
        f"{_perplexity(evidence, 'MLP9', MIXED):.0f} with the trigram "
        f"({_perplexity(evidence, 'trigram'):.0f} alone)",
        quantity=f"ratio, mixture / {rival} (the closer of the two)",
        estimate=math.exp(closer.estimate),
        interval=_as_ratio(closer),
        verdict=sign_verdict([to_network, to_trigram]),
    )


def _context_in_both(evidence: Evidence) -> Finding:
    gain = evidence.contrast(*CONTEXT)
    perplexities = {arm: f"{_perplexity(evidence, arm):.0f}" for arm in evidence.arms}
    return Finding(
        ours="Brown, test perplexity from n = 3 to n = 5: network {MLP7} to {MLP5}, "
        "Kneser-Ney {KN3} to {KN5}".format(**perplexities),
        quantity="gain of the network minus gain of Kneser-Ney, nats a word",
        estimate=gain.estimate,
        interval=(gain.low, gain.high),
        verdict=sign_verdict([gain], above=True),
    )


def _perplexity(evidence: Evidence, arm: str, group: str = "test") -> float:
    """Of an arm: exp of the log-loss a word, in the mean over its seeds."""
    return math.exp(evidence.score(arm, group))


def _as_ratio(difference: Interval) -> tuple[float, float]:
    return math.exp(difference.low), math.exp(difference.high)


network_beats_kneser_ney = Question(_network_against_kneser_ney, (NETWORK,), counted=("KN5",))
mixture_beats_both = Question(_mixture_against_both, MIXTURES, counted=("trigram",))
context_helps_the_network_more = Question(_context_in_both, (CONTEXT,), counted=("KN3", "KN5"))
