"""The exact table of pairs, against sums over every path and against long samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

from nnlm2bert.models.sppmi import cooccurrences, pmi
from nnlm2bert.synthetic import Grammar, Oracle, PocketEnglish
from nnlm2bert.synthetic.cooccurrence import exact_cooccurrences, exact_pmi


def spellings(grammar: Grammar, length: int) -> dict[tuple[str, ...], float]:
    """Every text of so many words, from anywhere in the stream, with its chance."""
    moves, says = grammar.moves.matrix.toarray(), grammar.words.matrix.toarray()
    texts: dict[tuple[str, ...], float] = {}
    for path in itertools.product(range(len(moves)), repeat=length):
        chance = grammar.stationary[path[0]]
        chance *= np.prod([moves[a, b] for a, b in itertools.pairwise(path)])
        for words in itertools.product(*(np.flatnonzero(says[s]) for s in path)) if chance else ():
            text = tuple(grammar.vocabulary[w] for w in words)
            said = np.prod([says[s, w] for s, w in zip(path, words, strict=True)])
            texts[text] = texts.get(text, 0.0) + chance * said
    return texts


def sentences_of(text: tuple[str, ...], stops: tuple[str, ...], end: str) -> list[int]:
    """The number of each word's sentence: a new one after </d>, or after a stop without one."""
    numbers = [0]
    for before, word in itertools.pairwise(text):
        numbers.append(numbers[-1] + (before == end or (before in stops and word != end)))
    return numbers


def enumerated(grammar: Grammar, window: int, shrinking: bool, stops: tuple) -> np.ndarray:
    """Pairs of the first word with each later one, over all texts of window + 1 words."""
    index = grammar.word_index
    table = np.zeros((len(index), len(index)))
    for text, chance in spellings(grammar, window + 1).items():
        numbers = sentences_of(text, stops, grammar.end)
        for distance in range(1, window + 1):
            if numbers[distance] == 0:
                weight = (window + 1 - distance) / window if shrinking else 1
                pair = index[text[0]], index[text[distance]]
                table[pair] += chance * weight
                table[pair[::-1]] += chance * weight
    return table / table.sum()


@pytest.fixture(scope="module")
def sober() -> Grammar:
    """Documents of one sentence: *a b c .*, or *a b b c .* half of the time, and so on."""
    following = {"a": {"b": 1}, "b": {"b": 1, "c": 1}, "c": {".": 1}, ".": {"</d>": 1}}
    return Grammar(list(following), following, {w: {w: 1} for w in following}, {"a": 1})


@pytest.mark.parametrize("window", [1, 2, 3, 4])
@pytest.mark.parametrize("shrinking", [True, False])
@pytest.mark.parametrize("stops", [(), ("y",), ("x", "z")])
def test_table_equals_enumeration(
    tiny: Grammar, window: int, shrinking: bool, stops: tuple[str, ...]
) -> None:
    found = exact_cooccurrences(tiny, window, shrinking, stops=stops)
    np.testing.assert_allclose(found, enumerated(tiny, window, shrinking, stops), atol=1e-14)
    assert found.sum() == pytest.approx(1)


def test_sub_sampling_lets_windows_reach_further(sober: Grammar) -> None:
    """Without b every sentence is *a c . </d>*, with three pairs of neighbours."""
    keep = np.array([word != "b" for word in sober.vocabulary], dtype=float)
    table = exact_cooccurrences(sober, 1, keep=keep)
    index = sober.word_index
    expected = np.zeros_like(table)
    for one, other in itertools.pairwise(["a", "c", ".", "</d>"]):
        expected[index[one], index[other]] = expected[index[other], index[one]] = 1 / 6
    np.testing.assert_allclose(table, expected, atol=1e-15)


def test_dropped_stops_still_end_their_sentences(tiny: Grammar) -> None:
    """Over a dropped y a window reaches </d> and nothing else."""
    keep = np.array([word != "y" for word in tiny.vocabulary], dtype=float)
    index = tiny.word_index
    table = np.zeros((len(index), len(index)))
    for (first, second, third), chance in spellings(tiny, 3).items():
        if first in ("x", "z") and (second != "y" or third == "</d>"):
            neighbour = third if second == "y" else second
            table[index[first], index[neighbour]] += chance
    found = exact_cooccurrences(tiny, 1, stops=("y",), keep=keep)
    np.testing.assert_allclose(found, (table + table.T) / (2 * table.sum()), atol=1e-14)


@pytest.mark.parametrize("chance", [1.0, 0.25])
def test_sub_sampling_equals_sums_over_what_is_dropped(tiny: Grammar, chance: float) -> None:
    """Neighbours are all pairs with only dropped words between, here up to 200."""
    index, size = tiny.word_index, len(tiny.vocabulary)
    keep = np.array([chance if word == "x" else 1.0 for word in tiny.vocabulary])
    moves, says = tiny.moves.matrix.toarray(), tiny.words.matrix.toarray()
    table = np.zeros((size, size))
    for word in set(range(size)) - {index["</d>"]}:
        state = tiny.stationary * says[:, word] * keep[word] @ moves
        for _ in range(200):
            table[word] += state @ (says * keep)
            state = (state * (says[:, index["x"]] * (1 - chance))) @ moves
    expected = (table + table.T) / (2 * table.sum())
    found = exact_cooccurrences(tiny, 1, stops=(), keep=keep)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("sub_sampled", [False, True])
def test_long_samples_come_to_it(language: PocketEnglish, oracle, sub_sampled: bool) -> None:
    """Pairs scatter around what is expected as independent counts do, and none is impossible."""
    sample, size, window = language.sample(250_000, seed=1), len(language), 5
    shares = np.maximum(oracle.unigram, 1e-12)
    keep = np.minimum(1, np.sqrt(1e-3 / shares)) if sub_sampled else np.ones(size)
    kept = np.random.default_rng(2).random(len(sample)) < keep[sample.ids]
    ids, sentences = sample.ids[kept], sample.sentence_ids[kept]
    counts = cooccurrences(ids, sentences, size, window).toarray()
    exact = exact_cooccurrences(language, window, keep=keep)
    expected = exact * counts.sum()
    frequent = expected > 20
    deviations = ((counts - expected)[frequent]) / np.sqrt(expected[frequent])
    assert frequent.sum() > 900 and counts[exact == 0].sum() == 0
    assert 0.8 < deviations.std() < 1.2 and abs(deviations.mean()) < 0.1
    assert np.abs(counts.sum(axis=1) / counts.sum() - exact.sum(axis=1)).max() < 2e-3


def test_the_end_of_a_document_is_a_word_of_its_last_sentence(language: PocketEnglish) -> None:
    table = exact_cooccurrences(language, 2)
    end, stop = language.end_id, language.stop_id
    neighbours = np.flatnonzero(table[end])
    assert stop in neighbours and end not in neighbours
    keep = np.ones(len(language))
    keep[end] = 0
    without = exact_cooccurrences(language, 2, keep=keep)
    table[end], table[:, end] = 0, 0
    np.testing.assert_allclose(without, table / table.sum(), atol=1e-15)


def test_pmi_equals_that_of_counts(language: PocketEnglish) -> None:
    """The same formula as for a sample, on the exact table."""
    joint = exact_cooccurrences(language, 3)
    for power in (1.0, 0.75):
        found, theirs = exact_pmi(joint, power), pmi(sparse.csr_array(joint), power).toarray()
        np.testing.assert_allclose(found[joint > 0], theirs[joint > 0], atol=1e-12)
    assert (np.isneginf(found) == (joint == 0)).all()


def test_pmi_against_the_noise_of_word2vec(language: PocketEnglish, oracle: Oracle) -> None:
    joint = exact_cooccurrences(language, 3)
    found = exact_pmi(joint, 0.75, contexts=oracle.unigram)
    noise = oracle.unigram**0.75 / (oracle.unigram**0.75).sum()
    word, context = language.encode("bank river")
    chance = joint[word, context] / joint[word].sum()
    assert found[word, context] == pytest.approx(np.log(chance / noise[context]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "reaches at least one word"),
        ({"window": 1, "stops": ("?",)}, "not in this language; name the words"),
        ({"window": 1, "stops": (), "keep": np.ones(3)}, "for each of the 4 words"),
        ({"window": 1, "stops": (), "keep": np.full(4, 1.5)}, "a chance from 0 to 1"),
        ({"window": 1, "stops": (), "keep": np.zeros(4)}, "no pair of words is left"),
    ],
)
def test_impossible_tables_are_refused(tiny: Grammar, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        exact_cooccurrences(tiny, **options)
