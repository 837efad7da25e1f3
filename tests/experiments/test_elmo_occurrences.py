"""Occurrences of words in Pocket English: which are chosen, and what vectors tell of them."""

from __future__ import annotations

import numpy as np
import pytest

from nnlm2bert.evaluation.probes import TRAIN
from nnlm2bert.experiments.elmo import occurrences
from nnlm2bert.experiments.elmo.laboratory import TEST, Documents
from nnlm2bert.experiments.elmo.occurrences import Occurrences, read_senses, read_tags
from nnlm2bert.models.word_vectors import WordVectors
from nnlm2bert.synthetic import Oracle, PocketEnglish
from nnlm2bert.synthetic.pocket_english import PARTS_OF_SPEECH


@pytest.fixture(scope="module")
def documents():
    return Documents.of(PocketEnglish(), 20_000, TEST)


@pytest.fixture(scope="module")
def seen(documents):
    return occurrences.two_sense_words(documents, least=30)


@pytest.fixture(scope="module")
def few(documents):
    """The same in a text short enough for the exact readers."""
    language = documents.sample.language
    return occurrences.two_sense_words(Documents.of(language, 1_500, TEST), least=1)


def one_hot(numbers):
    """Vectors (N, D) that tell the numbers and nothing else."""
    return np.eye(numbers.max() + 1)[numbers]


def test_a_form_counts_once_a_document(seen):
    assert (seen.senses > 0).all()
    pairs = list(zip(seen.words.tolist(), seen.owners.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) > 100
    assert np.unique(seen.words, return_counts=True)[1].min() >= 30
    assert (np.diff(seen.places) > 0).all()
    sample = seen.documents.sample
    earlier = (sample.ids == seen.words[5]) & (sample.senses > 0)
    earlier &= sample.document_ids == seen.owners[5]
    assert np.flatnonzero(earlier)[0] == seen.places[5]


def test_a_split_keeps_documents_whole(seen):
    train = seen.splits == TRAIN
    assert 0.3 < train.mean() < 0.7
    assert not np.isin(seen.owners[train], seen.owners[~train]).any()


def test_words_to_be_tagged_are_whole_documents_without_marks(documents):
    chosen, sample = occurrences.tagged_words(documents, 500), documents.sample
    assert 300 < len(chosen.places) <= 500
    assert (chosen.words != sample.language.end_id).all()
    whole = (sample.ids != sample.language.end_id) & (sample.document_ids <= chosen.owners.max())
    assert chosen.places.tolist() == np.flatnonzero(whole).tolist()


def test_a_text_may_have_fewer_words_than_are_asked_for(documents):
    chosen = occurrences.tagged_words(documents, 10**6)
    assert len(chosen.places) == (documents.sample.ids != documents.sample.language.end_id).sum()


def test_snippets_stay_in_their_document(documents):
    second = int(documents.starts[1])
    words = documents.sample.language.decode(documents.sample.ids[second : second + 3])
    assert Occurrences(documents, np.array([second])).snippet(0) == words
    assert "</d>" not in Occurrences(documents, np.array([second - 2])).snippet(0, reach=4)


def test_static_vectors_are_the_same_everywhere(seen):
    known = np.unique(seen.words)[:3]
    names = [seen.documents.sample.language.vocabulary[word] for word in known]
    rows = occurrences.static_vectors(WordVectors(names, np.eye(3)), seen)
    for row, word in enumerate(known):
        assert (rows[seen.words == word] == np.eye(3)[row]).all()
    assert not rows[~np.isin(seen.words, known)].any()


def test_vectors_of_senses_tell_all_and_shuffled_ones_nothing(seen):
    found = read_senses(one_hot(seen.senses), seen).figures
    assert min(found["probe"], found["silhouette"]) > 0.98 and found["purity"] > 0.9
    assert found["control"] < 0.75 < found["probe"]
    assert found["selectivity"] == pytest.approx(found["probe"] - found["control"])


def test_static_vectors_score_chance_and_the_majority(seen):
    found = read_senses(np.eye(len(seen.documents.sample.language))[seen.words], seen)
    assert found.purity.mean == pytest.approx(found.purity.mean_chance)
    assert found.probe.accuracy == found.probe.majority_accuracy
    assert found.silhouette == 0


def test_shuffling_keeps_the_senses_of_each_word(seen):
    mixed = occurrences.shuffled_within(seen.senses, seen.words, np.random.default_rng(0))
    assert (mixed != seen.senses).any()
    for word in np.unique(seen.words):
        own = seen.words == word
        assert sorted(mixed[own]) == sorted(seen.senses[own])


def test_silhouette_is_that_of_two_senses_apart():
    vectors = np.array([[1, 0], [1, 0.0], [0, 1], [0, 1], [1, 1]])
    senses, words = np.array([1, 1, 2, 2, 3]), np.array([7, 7, 7, 7, 8])
    assert occurrences.silhouette(vectors, senses, words) == pytest.approx(1)
    assert occurrences.silhouette(vectors, np.array([1, 2, 1, 2, 3]), words) < 0


def test_readers_of_both_sides_are_best(few):
    readers = occurrences.best_readers(few)
    assert set(readers) == {"left", "right", "both"}
    for reader in readers.values():
        assert reader.chances.sum(axis=1) == pytest.approx(1)
        assert reader.chances[np.arange(len(few.senses)), few.senses].min() > 0
    sure = {side: reader.chances.max(axis=1).mean() for side, reader in readers.items()}
    assert sure["both"] > max(sure["left"], sure["right"]) > 0.7
    assert readers["both"].accuracy > 0.9


def test_readers_know_what_the_oracle_knows(few):
    """One occurrence by hand: the chances of the two topics it can be of."""
    sample = few.documents.sample
    language = sample.language
    nouns = language.state_labels["part_of_speech"] == PARTS_OF_SPEECH.index("NOUN")
    labels = np.where(nouns, language.state_labels["topic"], len(language.topics))
    posterior = Oracle(language).label_posterior(sample.ids, labels, "left")[few.places[0], :-1]
    column = language.sense_table[: len(language.topics), few.words[0]]
    own = [posterior[column == sense].sum() for sense in sorted(set(column.tolist()) - {0})]
    expected = np.array(own) / sum(own)
    found = occurrences.best_readers(few)["left"].chances[0]
    assert found[found > 0] == pytest.approx(expected[expected > 0])


def test_neighbours_stand_in_other_documents(seen):
    vectors = one_hot(seen.senses)
    number = int(np.flatnonzero(np.diff(seen.owners) == 0)[0])  # not alone in its document
    names = seen.documents.sample.language.senses
    near = occurrences.nearest(vectors, seen, number, count=3)
    assert [each.sense for each in near] == [names[seen.senses[number]]] * 3
    assert near[0].cosine >= near[-1].cosine > 0.9
    own = seen.owners == seen.owners[number]
    alone = Occurrences(seen.documents, seen.places[own])
    assert occurrences.nearest(vectors[own], alone, 0) == []


def test_parts_of_speech_are_told_by_vectors_that_know_them(documents):
    chosen = occurrences.tagged_words(documents, 1_500)
    found = read_tags(one_hot(chosen.parts_of_speech), chosen).figures
    assert found["probe"] == found["probe, ambiguous words"] == 1
    assert found["control"] < 0.7 and found["majority"] < 0.5
    by_word = read_tags(np.eye(len(documents.sample.language))[chosen.words], chosen).figures
    assert by_word["probe, ambiguous words"] < 1 and by_word["control"] > 0.8


def test_words_of_several_parts_of_speech_are_found(documents):
    language = documents.sample.language
    ambiguous = occurrences.ambiguous_words(documents)
    assert ambiguous[language.encode("ring")[0]] or ambiguous[language.encode("cooks")[0]]
    assert not ambiguous[language.stop_id]
