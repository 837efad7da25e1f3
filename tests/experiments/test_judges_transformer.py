"""The verdicts on the Transformer, on made-up records with known answers."""

from __future__ import annotations

import math
import random

import pytest

from nnlm2bert.experiments.claims import claim
from nnlm2bert.experiments.transformer import judges
from nnlm2bert.experiments.transformer.judges import KINDS, LENGTHS, SIZES, crossing, slope

UNITS, TESTED = 12, 500
CASES = ("training step", "one sequence")


def times(kind, rises, level=1.0):
    """Milliseconds by length: a power of it, each kind with its own."""
    return {n: level * (n / 32) ** rises[kind] for n in LENGTHS}


@pytest.fixture
def speed(make_record):
    """Makes the record of the speeds, by how each kind rises with the length."""

    def record(rises, levels=(1.0, 1.0, 1.0), noise=0.01, rounds=9):
        lots = random.Random(0)
        series = {
            f"{kind} {n}, {case}": [ms * math.exp(lots.gauss(0, noise)) for _ in range(rounds)]
            for kind, level in zip(KINDS, levels, strict=True)
            for n, ms in times(kind, rises, level).items()
            for case in CASES
        }
        return [make_record(experiment="transformer", arm="speed", series=series)]

    return record


def rises(attention, lstm, convolution=0.0):
    return dict(zip(KINDS, (attention, lstm, convolution), strict=True))


@pytest.mark.parametrize(
    ("steeper", "expected"),
    [
        (rises(0.1, 0.6), "holds"),
        (rises(0.6, 0.1), "does not hold"),
        (rises(0.3, 0.3), "cannot tell at this scale"),
    ],
)
def test_recurrence_must_rise_more_steeply(speed, steeper, expected):
    finding = claim(20).find(speed(steeper))
    assert finding.verdict == expected
    assert finding.estimate == pytest.approx(steeper["lstm"] - steeper["attention"], abs=0.01)
    assert finding.interval[0] < finding.estimate < finding.interval[1]


def test_only_lengths_up_to_512_count(speed):
    records = speed(rises(0.1, 0.6))
    for n in (1_024, 2_048):
        series = records[0].series[f"lstm {n}, training step"]
        series[:] = [0.001 for _ in series]
    assert claim(20).find(records).estimate == pytest.approx(0.5, abs=0.01)


def test_times_slopes_and_crossings_are_told(speed):
    ours = claim(20).find(speed(rises(1, 0, 2), levels=(1, 8, 0.25), noise=0)).ours
    assert "attention 1, 4, 16, 64 (slope 1.00)" in ours and "LSTM 8, 8, 8, 8 (slope 0.00)" in ours
    assert "from about 256 words on attention is slower than the LSTM" in ours
    assert "attention is faster than the convolution, without" in ours


def test_single_sequences_have_a_finding_of_their_own(speed):
    records = speed(rises(0.2, 1.0))
    assert judges.waits_for_each_word(records).verdict == "holds"
    for name in list(records[0].series):
        if "one sequence" in name:
            del records[0].series[name]
    assert "has no series" in judges.waits_for_each_word(records).note
    assert claim(20).find(records).verdict == "holds"


def test_slope_is_the_power():
    assert slope((32, 64, 128), (5, 20, 80)) == pytest.approx(2)
    assert slope((10, 100, 1000), (7, 7, 7)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("ours", "rival", "expected"),
    [
        ((1, 2, 8), (2, 2, 2), 20),
        ((1, 4, 16), (2, 2, 2), 10 * 2**0.5),
        ((1, 1, 1), (2, 2, 2), None),
        ((3, 3, 3), (2, 2, 2), None),
        ((3, 2, 1), (2, 2, 2), None),
        ((1, 4, 1, 4), (2, 2, 2, 2), 40 * 2**0.5),
    ],
)
def test_crossing_is_where_ours_becomes_the_slower(ours, rival, expected):
    found = crossing((10, 20, 40, 80)[: len(ours)], ours, rival)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.fixture
def texts(make_record):
    """Makes the records of the small texts, from the gap at each size."""

    def records(gaps, seeds=range(3)):
        return [
            make_record(
                experiment="transformer",
                arm=f"small-text-{size}",
                seed=seed,
                groups={
                    "attention": group(4 - SIZES[size] / 4e6, f"a {size}", seed),
                    "lstm": group(4 - SIZES[size] / 4e6 + gap, f"l {size}", seed),
                },
            )
            for size, gap in zip(SIZES, gaps, strict=True)
            for seed in seeds
        ]

    return records


def group(score, name, seed):
    """Blocks that are hard or easy for all, with a little chance of their own."""
    own = random.Random(f"{name} {seed}")
    hard = [0.05 * (unit - (UNITS - 1) / 2) for unit in range(UNITS)]
    nats = [TESTED * (score + unit + own.gauss(0, 0.004)) for unit in hard]
    return {"tokens": [TESTED] * UNITS, "nats": nats}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ((-0.10, -0.05, 0.0, 0.05), "holds"),
        ((-0.10, -0.10, -0.10, -0.05), "holds"),
        ((0.05, 0.05, 0.0, -0.05), "does not hold"),
        ((0.02, 0.05, 0.0, 0.02), "cannot tell at this scale"),
    ],
)
def test_the_lstm_must_be_further_ahead_on_the_smallest_text(texts, gaps, expected):
    finding = claim(21).find(texts(gaps))
    assert finding.verdict == expected
    assert finding.estimate == pytest.approx(gaps[0] - gaps[-1], abs=0.005)
    assert f"100,000 tokens {gaps[0]:+.2f}"[:-1] in finding.ours
    assert finding.note == "3 seeds, 12 blocks of held-out text"


def test_a_size_that_is_not_recorded_is_named(texts):
    records = [record for record in texts((0, 0, 0, 0)) if record.arm != "small-text-1m"]
    finding = claim(21).find(records)
    assert finding.verdict == "not yet measured" and "small-text-1m" in finding.note


@pytest.fixture
def readers(make_record):
    """Makes the records of three readers in one part of the experiment, by score of each."""

    def records(arm, name, scores, **figures):
        return [
            make_record(
                experiment="transformer",
                arm=f"{arm}-{kind}",
                seed=seed,
                groups={name: group(score, kind, seed)},
                figures={key.replace("_", " "): value for key, value in figures.items()},
            )
            for kind, score in zip(KINDS, scores, strict=True)
            for seed in range(3)
        ]

    return records


def test_recall_compares_attention_with_either_rival(readers):
    records = readers("recall", "64", (0.99, 0.5, 0.99))
    lstm = judges.recall["lstm", 64](records)
    assert lstm.verdict == "holds" and lstm.estimate == pytest.approx(0.49, abs=0.01)
    assert lstm.ours.startswith("Recall at distance 64: attention 9")
    assert judges.recall["convolution", 64](records).verdict == "cannot tell at this scale"
    assert judges.recall["lstm", 32](records).verdict == "not yet measured"


def test_agreement_and_limit_are_compared_by_sign(readers):
    agreement = judges.agreement["lstm", 3](readers("laboratory", "agreement 3", (0.8, 0.9, 0.9)))
    assert agreement.verdict == "does not hold"
    limit = readers("laboratory", "model", (2.4, 2.3, 2.5), above_the_limit=0.05)
    assert judges.nearer_the_limit["lstm"](limit).verdict == "does not hold"
    nearer = judges.nearer_the_limit["convolution"](limit)
    assert nearer.verdict == "holds"
    assert nearer.estimate == pytest.approx(-0.1 / math.log(2), abs=0.01)
