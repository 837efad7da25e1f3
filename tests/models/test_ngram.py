"""Counts by hand and by dictionary, distributions that sum to 1, smoothing that does its work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlm2bert.models.ngram import (
    UNDEFINED_DISCOUNT,
    AddK,
    JelinekMercer,
    KneserNey,
    NgramModel,
    coordinate_search,
    estimate_discounts,
    fit_mixture,
    kneser_ney_counts,
)
from nnlm2bert.models.ngram_counts import UNSEEN, NgramCounts, count_ngrams

V = 12
ABABAC = np.array([0, 1, 0, 1, 0, 2])  # a b a b a c


def markov_chain(length: int, seed: int, v: int = V) -> tuple[np.ndarray, np.ndarray]:
    """Return a text (length,) of a first-order chain over v words, and its transitions (v, v)."""
    transitions = np.random.default_rng(7).dirichlet(np.full(v, 0.3), size=v)
    draws = np.random.default_rng(seed).random(length)
    steps = transitions.cumsum(1)
    text = np.zeros(length, dtype=np.int64)
    for t in range(1, length):
        text[t] = min(np.searchsorted(steps[text[t - 1]], draws[t]), v - 1)
    return text, transitions


def entropy_rate(transitions: np.ndarray) -> float:
    """Return the entropy, in nats a word, of a stationary chain (v, v)."""
    stationary = np.linalg.matrix_power(transitions, 1000)[0]
    return float(-(stationary[:, None] * transitions * np.log(transitions + 1e-300)).sum())


def spelled_out(counts: NgramCounts, k: int, gram: int) -> tuple[int, ...]:
    """Return the words of an n-gram of `orders[k]`."""
    word = int(counts.orders[k].keys[gram] % counts.vocabulary_size)
    context = int(counts.orders[k].contexts[gram])
    return (*spelled_out(counts, k - 1, context), word) if k else (word,)


def dictionary_counts(text: np.ndarray, length: int) -> Counter:
    """Count the n-grams of one length the slow way."""
    words = text.tolist()
    return Counter(tuple(words[t : t + length]) for t in range(len(words) - length + 1))


TEXT, TRANSITIONS = markov_chain(400, seed=0)
VALIDATION, _ = markov_chain(300, seed=1)
MODELS = {
    "add-k": AddK.fit(TEXT, 3, V, k=0.1),
    "unigram": AddK.fit(TEXT, 1, V),
    "deleted interpolation": JelinekMercer.fit(TEXT, VALIDATION, 3, V),
    "modified interpolated": KneserNey.fit(TEXT, 4, V),
    "modified back-off": KneserNey.fit(TEXT, 4, V, interpolated=False),
    "single interpolated": KneserNey.fit(TEXT, 3, V, modified=False),
    "single back-off": KneserNey.fit(TEXT, 3, V, modified=False, interpolated=False),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


# Counting


def test_counts_by_hand():
    counts = count_ngrams(ABABAC, 2, vocabulary_size=3)
    unigrams, bigrams = counts.orders
    assert unigrams.counts.tolist() == [3, 2, 1]
    assert [spelled_out(counts, 1, g) for g in range(3)] == [(0, 1), (0, 2), (1, 0)]
    assert bigrams.counts.tolist() == [2, 1, 2]
    assert bigrams.contexts.tolist() == [0, 0, 1]
    assert bigrams.suffixes.tolist() == [1, 2, 0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=5, max_size=60))
def test_counts_are_those_of_a_dictionary(words):
    text = np.array(words)
    counts = count_ngrams(text, 5, vocabulary_size=5)
    for k, order in enumerate(counts.orders):
        grams = [spelled_out(counts, k, g) for g in range(len(order.keys))]
        found = dict(zip(grams, order.counts.tolist(), strict=True))
        assert found == dictionary_counts(text, k + 1)
        if k:
            below = [spelled_out(counts, k - 1, g) for g in order.suffixes]
            assert below == [gram[1:] for gram in grams]


def test_five_grams_of_a_large_vocabulary_do_not_overflow():
    text = np.random.default_rng(0).integers(0, 2**31, size=1000)
    text = np.append(text, text)
    counts = count_ngrams(text, 5, vocabulary_size=2**31)
    for k, order in enumerate(counts.orders):
        assert len(order.keys) == 1000
        assert order.counts.sum() == 2000 - k
    assert (counts.locate(text).grams[4, 4:] != UNSEEN).all()


def test_locate_finds_each_n_gram_or_says_unseen():
    counts = count_ngrams(TEXT, 3, V)
    places = counts.locate(VALIDATION)
    for k in range(3):
        seen = dictionary_counts(TEXT, k + 1)
        for t in range(len(VALIDATION)):
            words = tuple(VALIDATION[max(t - k, 0) : t + 1].tolist())
            gram = places.grams[k, t]
            if len(words) <= k or words not in seen:
                assert gram == UNSEEN
            else:
                assert spelled_out(counts, k, gram) == words
            if k and t:
                assert places.contexts[k, t] == places.grams[k - 1, t - 1]


@pytest.mark.parametrize(
    ("ids", "n", "message"),
    [
        (np.array([0.0, 1.0]), 1, "encode the words"),
        (np.array([[0, 1]]), 1, "1-D array"),
        (np.array([0, V]), 1, "must lie in 0 ... 11"),
        (np.array([0, -1]), 1, "must lie in 0 ... 11"),
        (np.array([0, 1]), 3, "n must lie in 1 ... 2"),
        (np.array([0, 1]), 0, "n must lie in 1 ... 2"),
    ],
)
def test_what_cannot_be_counted_is_refused(ids, n, message):
    with pytest.raises(ValueError, match=message):
        count_ngrams(ids, n, V)


def test_a_model_refuses_words_it_does_not_know():
    with pytest.raises(ValueError, match="vocabulary that the model was fitted with"):
        MODELS["add-k"].log_probabilities(np.array([0, V]))


# All models


@every_model
@pytest.mark.parametrize("length", [0, 1, 2, 3, 9])
def test_distributions_sum_to_one(model: NgramModel, length: int):
    random = np.random.default_rng(length)
    seen = [TEXT[t : t + length] for t in random.integers(0, 380, size=10)]
    contexts = [*seen, *random.integers(0, V, size=(10, length)), TEXT[len(TEXT) - length :]]
    for context in contexts:
        distribution = model.distribution(context)
        assert distribution.shape == (V,) and (distribution > 0).all()
        assert distribution.sum() == pytest.approx(1, abs=1e-12)


@every_model
def test_each_word_is_predicted_from_the_words_before_it(model: NgramModel):
    log_probabilities = model.log_probabilities(VALIDATION)
    assert log_probabilities.shape == (300,) and log_probabilities.dtype == np.float64
    for t in (0, 1, 2, 3, 50, 299):
        expected = model.distribution(VALIDATION[:t])[VALIDATION[t]]
        assert log_probabilities[t] == pytest.approx(np.log(expected), abs=1e-12)


@every_model
def test_perplexity_is_the_exponential_of_the_mean_loss(model: NgramModel):
    losses = [-np.log(model.distribution(VALIDATION[:t])[w]) for t, w in enumerate(VALIDATION)]
    assert model.perplexity(VALIDATION) == pytest.approx(np.exp(np.mean(losses)))


@pytest.mark.parametrize("model", ["interpolation", "interpolated", "back-off"])
def test_more_text_lowers_the_loss_to_the_entropy(model: str):
    test, transitions = markov_chain(20_000, seed=2)
    losses = []
    for length in (100, 1_000, 10_000, 100_000):
        train, _ = markov_chain(length, seed=3)
        if model == "interpolation":
            fitted = JelinekMercer.fit(train, VALIDATION, 3, V)
        else:
            fitted = KneserNey.fit(train, 3, V, interpolated=model == "interpolated")
        losses.append(np.log(fitted.perplexity(test)))
    assert losses == sorted(losses, reverse=True)
    # What is left is the test text's own chance deviation from the source, and overfitting.
    floor = -np.log(transitions[test[:-1], test[1:]]).mean()
    assert floor == pytest.approx(entropy_rate(transitions), abs=0.02)
    assert floor < losses[-1] < floor + 0.02


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=40),
    st.lists(st.integers(0, 4), max_size=4),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)
def test_kneser_ney_sums_to_one_on_any_text(words, context, n, modified, interpolated):
    model = KneserNey.fit(np.array(words), n, 5, modified, interpolated)
    distribution = model.distribution(np.array(context, dtype=int))
    assert distribution.sum() == pytest.approx(1, abs=1e-12) and (distribution > 0).all()


# Additive smoothing


def test_add_k_by_hand():
    model = AddK.fit(ABABAC, 2, vocabulary_size=3, k=1)
    assert model.distribution(np.array([0])) == pytest.approx([1 / 6, 3 / 6, 2 / 6])
    assert model.distribution(np.array([2])) == pytest.approx([1 / 3] * 3)


def test_add_k_runs_from_relative_frequencies_to_uniform():
    context = TEXT[:1]
    followers = np.bincount(TEXT[1:][TEXT[:-1] == context], minlength=V)
    small, large = (AddK.fit(TEXT, 2, V, k=k).distribution(context) for k in (1e-9, 1e9))
    assert small == pytest.approx(followers / followers.sum(), abs=1e-8)
    assert large == pytest.approx(np.full(V, 1 / V), abs=1e-8)


def test_tuned_k_beats_its_neighbours():
    tuned = AddK.fit(TEXT, 2, V).tune(VALIDATION)
    best = tuned.perplexity(VALIDATION)
    for factor in (0.5, 0.9, 1.1, 2):
        assert best < replace(tuned, k=tuned.k * factor).perplexity(VALIDATION)


def test_k_must_be_positive():
    with pytest.raises(ValueError, match="k must be above 0"):
        AddK.fit(TEXT, 2, V, k=0)


# Deleted interpolation


def test_components_are_relative_frequencies_and_fall_back_on_shorter_contexts():
    counts = count_ngrams(ABABAC, 3, vocabulary_size=4)
    model = JelinekMercer(counts, weights=np.full((3, 4), 1 / 4))
    # b after "b a", which is followed by b and by c, once each
    components = model.components(counts.locate_next(np.array([1, 0])))
    assert components[:, 1] == pytest.approx([1 / 4, 2 / 6, 2 / 3, 1 / 2])
    # after "d c" nothing is known but the words themselves
    components = model.components(counts.locate_next(np.array([3, 2])))
    assert components[:, 0] == pytest.approx([1 / 4, 3 / 6, 3 / 6, 3 / 6])


def test_bins_follow_the_paper():
    model = MODELS["deleted interpolation"]
    frequency = dictionary_counts(TEXT[:-1], 2)  # of contexts: the last one has no next word
    bins = model.bins(model.counts.locate(VALIDATION))
    for t in range(2, len(VALIDATION)):
        x = frequency[tuple(VALIDATION[t - 2 : t].tolist())]
        assert bins[t] == np.ceil(-np.log((1 + x) / len(TEXT)))


def test_one_step_of_em_by_hand():
    components = np.array([[0.5, 0.2], [0.1, 0.6]])  # two components, two words
    bins, start = np.array([0, 0]), np.array([[0.5, 0.5], [0.5, 0.5]])
    weights, trace = fit_mixture(components, bins, start, iterations=1)
    from_first = 0.5 / 0.6 + 0.2 / 0.8  # of two words, and half a made-up one
    assert weights[0] == pytest.approx([(from_first + 0.5) / 3, (2 - from_first + 0.5) / 3])
    assert weights[1] == pytest.approx([0.5, 0.5])  # a bin that no word visits
    assert trace == pytest.approx([(np.log(0.3) + np.log(0.4)) / 2])


def test_em_never_lowers_the_likelihood_of_the_validation_text():
    text, _ = markov_chain(3_000, seed=4)
    model = JelinekMercer.fit(text, VALIDATION, 3, V)
    places = model.counts.locate(VALIDATION)
    start = np.full_like(model.weights, 1 / 4)
    weights, trace = fit_mixture(model.components(places), model.bins(places), start, 50)
    assert (np.diff(trace) > -1e-9).all()
    assert trace[-1] > trace[0] + 0.1
    assert weights == pytest.approx(model.weights)
    assert -trace[-1] == pytest.approx(np.log(model.perplexity(VALIDATION)), abs=1e-4)


def test_weights_trust_frequent_contexts_more():
    text, _ = markov_chain(1_000, seed=4)
    weights = JelinekMercer.fit(text, markov_chain(2_000, seed=5)[0], 3, V).weights
    assert weights.sum(1) == pytest.approx(np.ones(len(weights)))
    assert (weights > 0).all()
    assert (np.diff(weights[3:7, 3]) < 0).all()  # the bins that the validation text visits
    assert (weights[3:7, 2] > 0.7).all()  # bigrams say all there is to know of this chain


# Kneser-Ney


def test_francisco_is_frequent_but_follows_one_word_only():
    san, francisco, glasses, a, b, c = range(6)
    text = [san, francisco] * 10 + [a, glasses, b, glasses, c, glasses]
    model = KneserNey.fit(np.array(text), 2, vocabulary_size=6)
    assert model.counts.orders[0].counts[[francisco, glasses]].tolist() == [10, 3]
    assert kneser_ney_counts(model.counts, 0)[[francisco, glasses]].tolist() == [1, 3]
    unseen = model.distribution(np.array([], dtype=int))
    assert unseen[glasses] > unseen[francisco]


def test_interpolated_kneser_ney_by_hand():
    model = replace(
        KneserNey.fit(ABABAC, 2, vocabulary_size=3, modified=False),
        discounts=np.array([[0.0], [0.5]]),
    )
    # Continuations: a and b and c follow one word each, so P(b) = P(c) = 1/3. After a: b, b, c;
    # two discounts of 0.5 free 1/3.
    expected = [1 / 9, (2 - 0.5) / 3 + 1 / 9, (1 - 0.5) / 3 + 1 / 9]
    assert model.distribution(np.array([0])) == pytest.approx(expected)


def test_back_off_kneser_ney_by_hand():
    model = replace(
        KneserNey.fit(ABABAC, 2, vocabulary_size=4, modified=False, interpolated=False),
        discounts=np.array([[0.3], [0.5]]),
    )
    # No context: 0.7/3 for the three words seen, and what they free, 0.3, for d. After a: b and c
    # were seen, a and d share the 1/3 freed as 0.7/3 to 0.3.
    short = np.array([0.7, 0.7, 0.7, 0.9]) / 3
    assert model.distribution(np.array([3])) == pytest.approx(short)
    left = short[0] + short[3]
    expected = [short[0] / left / 3, 1.5 / 3, 0.5 / 3, short[3] / left / 3]
    assert model.distribution(np.array([0])) == pytest.approx(expected)


def test_back_off_interpolates_where_every_word_was_seen():
    text = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1])  # after each of the two words, both
    both = [KneserNey.fit(text, 2, 2, interpolated=choice) for choice in (True, False)]
    for context in ([0], [1]):
        interpolated, backed_off = (m.distribution(np.array(context)) for m in both)
        assert backed_off == pytest.approx(interpolated)


def test_interpolation_and_back_off_part_where_words_were_seen():
    interpolated, backed_off = MODELS["modified interpolated"], MODELS["modified back-off"]
    places = interpolated.counts.locate_next(TEXT[:3])
    seen = places.grams[3] != UNSEEN
    more, less = (m.distribution(TEXT[:3]) for m in (interpolated, backed_off))
    assert seen.any() and not seen.all()
    assert (more[seen] > less[seen]).all()
    assert more[~seen].sum() < less[~seen].sum()


def test_words_that_only_open_the_text_are_counted_as_nothing():
    text = np.array([3, 0, 1, 0, 1, 2, 0, 1])  # 3 opens the text and never comes again
    for interpolated in (True, False):
        model = KneserNey.fit(text, 3, 4, interpolated=interpolated)
        assert kneser_ney_counts(model.counts, 0)[3] == 0
        for context in ([], [3], [3, 0], [2, 3]):
            distribution = model.distribution(np.array(context, dtype=int))
            assert distribution.sum() == pytest.approx(1) and (distribution > 0).all()


def test_discounts_of_chen_and_goodman():
    counts = np.repeat([1, 2, 3, 4, 9], [40, 20, 10, 5, 3])
    y = 40 / (40 + 2 * 20)
    expected = [1 - 2 * y * 20 / 40, 2 - 3 * y * 10 / 20, 3 - 4 * y * 5 / 10]
    assert estimate_discounts(counts, 3) == pytest.approx(expected)
    assert estimate_discounts(counts, 1) == pytest.approx([y])
    assert estimate_discounts(counts[counts != 2], 1) == pytest.approx([UNDEFINED_DISCOUNT])
    assert estimate_discounts(counts[counts != 4], 3) == pytest.approx([UNDEFINED_DISCOUNT] * 3)
    odd = np.repeat([1, 2, 3, 4], [40, 5, 40, 5])  # 2 - 3 y n3 / n2 is below 0
    assert estimate_discounts(odd, 3)[1] == UNDEFINED_DISCOUNT


@pytest.mark.parametrize("modified", [True, False])
@pytest.mark.parametrize("interpolated", [True, False])
def test_tuned_discounts_predict_validation_better(modified: bool, interpolated: bool):
    model = KneserNey.fit(TEXT, 3, V, modified, interpolated)
    tuned = model.tune_discounts(VALIDATION)
    assert tuned.discounts.shape == (3, 3 if modified else 1)
    assert tuned.perplexity(VALIDATION) < model.perplexity(VALIDATION)
    assert (tuned.discounts > 0).all()
    assert (tuned.discounts < [1, 2, 3][: tuned.discounts.shape[1]]).all()


def test_coordinate_search_finds_the_lowest_point():
    lowest = np.array([0.3, -1.7])
    found = coordinate_search(lambda x: float(((x - lowest) ** 2).sum()), np.zeros(2), 1.0, 1e-4)
    assert found == pytest.approx(lowest, abs=1e-3)
