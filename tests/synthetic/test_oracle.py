"""The oracles against brute force: sums over every path of states through a tiny grammar."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from nnlm2bert.synthetic import Grammar, Oracle, PocketEnglish

TEXTS = ["x y </d>", "x z z y </d> z x", "x y y </d> x y </d>", "x", "z z x y </d> x y z </d> x z"]
ONE_WAY = ("left", "right", "both", "product")


class Tables(NamedTuple):
    """A grammar as plain nested lists, for sums without any matrix algebra."""

    moves: list[list[float]]
    words: list[list[float]]
    start: list[float]
    prior: list[float]

    @classmethod
    def of(cls, grammar: Grammar) -> Tables:
        moves = grammar.moves.matrix.toarray().tolist()
        words = grammar.words.matrix.toarray().tolist()
        return cls(moves, words, moves[grammar.end_state], grammar.stationary.tolist())


def paths(tables: Tables, ids: list[int], begin: list[float]) -> Iterator[tuple[list[int], float]]:
    """Every path of states that can say ``ids``, with its probability."""
    waiting = [([], 1.0)]
    while waiting:
        path, chance = waiting.pop()
        if len(path) == len(ids):
            yield path, chance
            continue
        row = tables.moves[path[-1]] if path else begin
        for state, step in enumerate(row):
            said = step * tables.words[state][ids[len(path)]]
            if said:
                waiting.append(([*path, state], chance * said))


def brute(tables: Tables, ids: list[int], begin: list[float]) -> float:
    """P(these words | chances of the first state): one term for every path."""
    return sum(chance for _, chance in paths(tables, ids, begin))


def normalised(values: list[float]) -> np.ndarray:
    return np.array(values) / sum(values)


def fillings(grammar: Grammar, ids: list[int], position: int) -> list[list[int]]:
    """The text with every word of the vocabulary in turn at ``position``."""
    return [[*ids[:position], w, *ids[position + 1 :]] for w in range(len(grammar.vocabulary))]


def brute_left(grammar: Grammar, ids: list[int], position: int) -> np.ndarray:
    tables = Tables.of(grammar)
    texts = fillings(grammar, ids[: position + 1], position)
    return normalised([brute(tables, text, tables.start) for text in texts])


def brute_right(grammar: Grammar, ids: list[int], position: int) -> np.ndarray:
    tables = Tables.of(grammar)
    texts = fillings(grammar, ids[position:], 0)
    return normalised([brute(tables, text, tables.prior) for text in texts])


def brute_both(grammar: Grammar, ids: list[int], position: int) -> np.ndarray:
    tables = Tables.of(grammar)
    return normalised([brute(tables, t, tables.start) for t in fillings(grammar, ids, position)])


def brute_window(grammar: Grammar, ids: list[int], position: int, n: int) -> np.ndarray:
    """P(w | last n-1 words) from the stationary stream; the text follows a document's end."""
    tables = Tables.of(grammar)
    window = [grammar.word_index[grammar.end], *ids[:position]][-(n - 1) :] if n > 1 else []
    texts = fillings(grammar, [*window, 0], len(window))
    return normalised([brute(tables, text, tables.prior) for text in texts])


def brute_product(grammar: Grammar, ids: list[int], position: int) -> np.ndarray:
    alone = grammar.stationary @ grammar.words.matrix.toarray()
    left, right = brute_left(grammar, ids, position), brute_right(grammar, ids, position)
    return normalised(left * right / alone)


def encoded(grammar: Grammar, text: str) -> list[int]:
    return [grammar.word_index[word] for word in text.split()]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "name, brute_force",
    [
        ("left", brute_left),
        ("right", brute_right),
        ("both", brute_both),
        ("product", brute_product),
    ],
)
def test_sides_equal_brute_force(tiny: Grammar, text: str, name: str, brute_force) -> None:
    ids = encoded(tiny, text)
    oracle = Oracle(tiny)
    table = getattr(oracle, f"{name}_distribution")(np.array(ids))
    truth = np.stack([brute_force(tiny, ids, i) for i in range(len(ids))])
    np.testing.assert_allclose(table, truth, rtol=1e-10, atol=1e-12)
    costs = getattr(oracle, f"{name}_floor")(np.array(ids))
    np.testing.assert_allclose(costs, -np.log(truth[np.arange(len(ids)), ids]), rtol=1e-10)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_windows_equal_brute_force(tiny: Grammar, text: str, n: int) -> None:
    ids = encoded(tiny, text)
    truth = np.stack([brute_window(tiny, ids, i, n) for i in range(len(ids))])
    oracle = Oracle(tiny)
    np.testing.assert_allclose(
        oracle.ngram_distribution(np.array(ids), n), truth, rtol=1e-10, atol=1e-12
    )
    costs = oracle.ngram_floor(np.array(ids), n)
    np.testing.assert_allclose(costs, -np.log(truth[np.arange(len(ids)), ids]), rtol=1e-10)


def test_label_posterior_equals_brute_force(tiny: Grammar) -> None:
    ids = encoded(tiny, "x z z y </d> z x")
    tables = Tables.of(tiny)
    truth = np.zeros((len(ids), len(tables.moves)))
    for path, chance in paths(tables, ids, tables.start):
        truth[np.arange(len(ids)), path] += chance
    truth /= truth.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        Oracle(tiny).label_posterior(np.array(ids), np.arange(4)), truth, atol=1e-12
    )


@pytest.mark.parametrize("chunk", [1, 7, 40])
def test_memory_limit_changes_nothing(monkeypatch, tiny: Grammar, chunk: int) -> None:
    ids = np.concatenate([words for words, _ in itertools.islice(tiny.write(seed=3), 30)])
    whole = Oracle(tiny).floors(ids)
    windows = Oracle(tiny).ngram_floor(ids, 4)
    monkeypatch.setattr("nnlm2bert.synthetic.oracle.NUMBERS_AT_ONCE", chunk * 4)
    monkeypatch.setattr("nnlm2bert.synthetic.oracle.PARALLEL_DOCUMENTS", 3)
    for name, costs in Oracle(tiny).floors(ids).items():
        np.testing.assert_allclose(costs, whole[name], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(Oracle(tiny).ngram_floor(ids, 4), windows, rtol=1e-12)


def test_floor_of_trigrams_is_what_counting_approaches(tiny: Grammar) -> None:
    documents = itertools.islice(tiny.write(seed=0), 20_000)
    ids = np.concatenate([words for words, _ in documents])
    size = len(tiny.vocabulary)
    counts = np.zeros((size, size, size))
    np.add.at(counts, (ids[:-2], ids[1:-1], ids[2:]), 1)
    counted = counts[ids[:-2], ids[1:-1], ids[2:]] / counts.sum(axis=2)[ids[:-2], ids[1:-1]]
    floor = Oracle(tiny).ngram_floor(ids, 3)[2:]
    assert abs(-np.log(counted).mean() - floor.mean()) < 0.002


@pytest.mark.parametrize("name", ONE_WAY)
def test_probabilities_sum_to_one_in_pocket_english(language, oracle, name: str) -> None:
    ids = language.sample(300, seed=5).ids
    table = getattr(oracle, f"{name}_distribution")(ids)
    assert table.shape == (len(ids), len(language))
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-12)
    costs = getattr(oracle, f"{name}_floor")(ids)
    actual = table[np.arange(len(ids)), ids]
    np.testing.assert_allclose(costs, -np.log(actual), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_window_probabilities_sum_to_one_in_pocket_english(language, oracle, n: int) -> None:
    ids = language.sample(300, seed=5).ids
    table = oracle.ngram_distribution(ids, n)
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-12)


def test_more_knowledge_costs_less(language, oracle) -> None:
    bits = {k: b.mean for k, b in oracle.entropies(language.sample(8_000, seed=2).ids).items()}
    order = ["blind", *(f"n={n}" for n in range(2, 7)), "left", "product", "both"]
    assert all(bits[more] < bits[less] for less, more in itertools.pairwise(order))
    assert bits["n=2"] > bits["right"] > bits["product"]


def test_floors_in_one_go_equal_the_single_ones(language, oracle) -> None:
    ids = language.sample(500, seed=9).ids
    for name, costs in oracle.floors(ids).items():
        np.testing.assert_allclose(costs, getattr(oracle, f"{name}_floor")(ids), atol=1e-11)


def test_blind_entropy_is_the_mean_of_its_floor(language, oracle) -> None:
    p = oracle.unigram[oracle.unigram > 0]
    bits = oracle.entropies(language.sample(8_000, seed=4).ids, orders=())["blind"]
    assert abs(bits.mean + (p * np.log2(p)).sum()) < 4 * bits.error


@pytest.mark.parametrize(
    "ids, message",
    [
        (np.array([], dtype=int), "stream of word ids"),
        (np.array([[6, 7]]), "stream of word ids"),
        (np.array([0]), "never writes"),
        (np.array([10_000]), "never writes"),
    ],
)
def test_unusable_texts_are_refused(oracle, ids: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        oracle.left_floor(ids)


def test_impossible_text_is_refused(language: PocketEnglish, oracle: Oracle) -> None:
    with pytest.raises(ValueError, match="impossible here"):
        oracle.left_floor(language.encode("the the dog"))


def test_speed_of_the_next_word_floor(language, oracle) -> None:
    """At least 50,000 words a second of processor time on one core."""
    ids = language.sample(20_000, seed=1).ids
    begin = time.process_time()
    oracle.left_floor(ids)
    assert len(ids) / (time.process_time() - begin) > 50_000


def test_label_posteriors_of_all_sides_are_those_of_each(tiny: Grammar) -> None:
    ids, oracle = np.array(encoded(tiny, "x z z y </d> z x")), Oracle(tiny)
    found = oracle.label_posteriors(ids, np.arange(4))
    assert list(found) == ["left", "right", "both"]
    for side, table in found.items():
        assert np.array_equal(table, oracle.label_posterior(ids, np.arange(4), side))
    with pytest.raises(ValueError, match="choose left, right or both"):
        oracle.label_posteriors(ids, np.arange(4), ("left", "top"))


# Several words hidden at once.


def brute_hidden(grammar: Grammar, ids: list[int], hidden: list[int], position: int) -> np.ndarray:
    """P(w | all that is not hidden): every text is tried that has words in place of blanks."""
    tables, end = Tables.of(grammar), grammar.word_index[grammar.end]
    words = [w for w in range(len(grammar.vocabulary)) if w != end]
    total = np.zeros(len(grammar.vocabulary))
    for filling in itertools.product(words, repeat=len(hidden)):
        text = list(ids)
        for place, word in zip(hidden, filling, strict=True):
            text[place] = word
        total[text[position]] += brute(tables, text, tables.start)
    return total / total.sum()


@pytest.mark.parametrize("hidden", [[0], [1, 2], [0, 3, 5], [1, 2, 3, 6]])
def test_hidden_words_equal_brute_force(tiny: Grammar, hidden: list[int]) -> None:
    ids, oracle = encoded(tiny, "x z z y </d> z x"), Oracle(tiny)
    blanks = np.isin(np.arange(len(ids)), hidden)
    truth = np.stack([brute_hidden(tiny, ids, hidden, i) for i in hidden])
    table = oracle.hidden_distribution(np.array(ids), blanks)
    np.testing.assert_allclose(table, truth, rtol=1e-10, atol=1e-12)
    costs = oracle.hidden_floor(np.array(ids), blanks)
    own = [ids[i] for i in hidden]
    np.testing.assert_allclose(costs[hidden], -np.log(truth[np.arange(len(own)), own]), rtol=1e-10)
    assert np.isnan(costs[~blanks]).all()


def test_one_hidden_word_costs_what_both_sides_leave(tiny: Grammar) -> None:
    """Within the document, where no mark can stand, and as `word_floors` has it everywhere."""
    ids, oracle = np.array(encoded(tiny, "x z z y </d> z x y y </d>")), Oracle(tiny)
    alone = [
        oracle.hidden_floor(ids, np.arange(len(ids)) == i)[i]
        for i in np.flatnonzero(ids != oracle.end)
    ]
    floors = oracle.word_floors(ids)
    assert all(np.isnan(costs[ids == oracle.end]).all() for costs in floors.values())
    np.testing.assert_allclose(floors["both"][ids != oracle.end], alone, rtol=1e-10)
    assert alone[0] == pytest.approx(oracle.both_floor(ids)[0], rel=1e-10)


@pytest.mark.parametrize("side", ["left", "product"])
def test_floors_of_words_leave_marks_out(language, oracle, side: str) -> None:
    ids = language.sample(300, seed=5).ids
    table = getattr(oracle, f"{side}_distribution")(ids)
    words = np.flatnonzero(ids != oracle.end)
    table = table[words]
    table[:, oracle.end] = 0
    costs = -np.log(table[np.arange(len(words)), ids[words]] / table.sum(axis=1))
    np.testing.assert_allclose(oracle.word_floors(ids)[side][words], costs, rtol=1e-8)


def test_more_blanks_cost_more(language, oracle) -> None:
    ids = language.sample(1_500, seed=2).ids
    draws = np.random.default_rng(0).random(len(ids)) + (ids == oracle.end)
    few = draws < 0.05
    costs = [oracle.hidden_floor(ids, draws < share)[few].mean() for share in (0.05, 0.15, 0.4, 1)]
    assert all(more > less for less, more in itertools.pairwise(costs))


@pytest.mark.parametrize("hidden", [[4], [0, 4], []])
def test_blanks_that_cannot_be_are_refused(tiny: Grammar, hidden: list[int]) -> None:
    ids = np.array(encoded(tiny, "x z z y </d> z x"))
    blanks = np.isin(np.arange(len(ids)), hidden) if hidden else np.zeros(3, dtype=bool)
    with pytest.raises(ValueError, match="cannot be hidden"):
        Oracle(tiny).hidden_floor(ids, blanks)
