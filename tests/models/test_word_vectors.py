import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlm2bert.errors import UserError
from nnlm2bert.models.word_vectors import WordVectors

PLANE = {
    "man": (3, 0),
    "woman": (3, 3),
    "king": (4, -3),
    "queen": (7, 1),
    "north": (0, 2),
    "nowhere": (0, 0),
}


@pytest.fixture
def plane():
    return WordVectors(list(PLANE), np.array(list(PLANE.values())))


def cloud(words=300, dimension=12, seed=0):
    rng = np.random.default_rng(seed)
    return WordVectors([f"w{i}" for i in range(words)], rng.normal(size=(words, dimension)))


def test_words_and_their_vectors(plane):
    assert len(plane) == 6 and "king" in plane and "bank" not in plane
    assert plane["queen"].tolist() == [7, 1] and plane["queen"].dtype == np.float32
    assert plane.words[plane.index["north"]] == "north"
    assert plane.matrix.shape == (6, 2)


def test_similarity_is_the_cosine(plane):
    assert plane.similarity("man", "woman") == pytest.approx(np.sqrt(0.5))
    assert plane.similarity("man", "north") == 0
    assert plane.similarity("man", "nowhere") == 0


def test_neighbours_of_a_word_leave_it_out(plane):
    assert [word for word, _ in plane.neighbours("man", 2)] == ["queen", "king"]
    near = plane.neighbours("man", 2, exclude=["queen"])
    assert [word for word, _ in near] == ["king", "woman"]
    assert near[0][1] == pytest.approx(0.8)


def test_neighbours_of_a_vector(plane):
    assert plane.neighbours(np.array([2, 2]), 1) == [("woman", pytest.approx(1))]


def test_there_are_no_more_neighbours_than_words(plane):
    assert len(plane.neighbours("man", 100)) == 5


def test_analogy_adds_the_difference_of_unit_vectors(plane):
    query = np.array([np.sqrt(0.5) - 1 + 0.8, np.sqrt(0.5) - 0.6])
    answers = plane.analogy("man", "woman", "king", n=3)
    assert [word for word, _ in answers] == ["queen", "north", "nowhere"]
    cosine = query @ [7, 1] / np.linalg.norm(query) / np.sqrt(50)
    assert answers[0][1] == pytest.approx(cosine, abs=1e-6)


def test_inputs_of_an_analogy_may_be_let_in():
    vectors = WordVectors("abcd", np.array([[1, 0], [1, 0.1], [0, 1], [-1, 1]]))
    assert vectors.analogy("a", "b", "c")[0][0] == "d"
    assert vectors.analogy("a", "b", "c", exclude_inputs=False)[0][0] == "c"


def test_the_farthest_word_is_nearer_than_an_input():
    vectors = WordVectors("abcd", np.array([[1, 0], [1, 0.1], [1, -0.1], [-1, 0]]))
    assert vectors.analogies(np.array([[0, 1, 2]])).tolist() == [3]
    assert vectors.analogy("a", "b", "c", n=5)[0][0] == "d"


@pytest.mark.parametrize("exclude_inputs", [True, False])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_many_analogies_are_answered_as_one_by_one(batch, exclude_inputs):
    vectors = cloud()
    questions = np.random.default_rng(1).integers(len(vectors), size=(40, 4))
    answers = vectors.analogies(questions, batch=batch, exclude_inputs=exclude_inputs)
    for question, answer in zip(questions, answers, strict=True):
        a, b, c = (vectors.words[row] for row in question[:3])
        ((word, _),) = vectors.analogy(a, b, c, exclude_inputs=exclude_inputs)
        assert word == vectors.words[answer]


def test_answers_can_be_restricted_to_the_first_words():
    vectors = cloud()
    questions = np.random.default_rng(1).integers(len(vectors), size=(40, 3))
    answers = vectors.analogies(questions, restrict=20)
    queries = vectors.unit[questions[:, 1]] - vectors.unit[questions[:, 0]]
    scores = (queries + vectors.unit[questions[:, 2]]) @ vectors.unit[:20].T
    for row, question in enumerate(questions):
        scores[row, question[question < 20]] = -9
    assert answers.tolist() == scores.argmax(axis=1).tolist()


def test_questions_with_unknown_words_have_no_answer():
    answers = cloud().analogies(np.array([[0, 1, -1, 2], [0, 1, 2, -1], [-1, 0, 1, 2]]))
    assert answers[0] == answers[2] == -1 and answers[1] >= 0
    assert cloud().analogies(np.empty((0, 4), dtype=int)).shape == (0,)


@pytest.mark.parametrize("ask", [lambda v: v["bank"], lambda v: v.similarity("man", "bank")])
def test_an_unknown_word_is_named(plane, ask):
    with pytest.raises(KeyError, match="'bank' is not among the 6 words"):
        ask(plane)


@pytest.mark.parametrize(
    ("words", "shape", "message"),
    [("ab", (3, 2), "2 words"), ("ab", (2,), "shape"), ("aba", (3, 2), "1 words come more")],
)
def test_words_and_vectors_that_do_not_match_are_refused(words, shape, message):
    with pytest.raises(ValueError, match=message):
        WordVectors(words, np.ones(shape))


numbers = st.floats(width=32, allow_nan=False)
letters = st.text(st.characters(exclude_characters=" \n", codec="utf-8"), min_size=1, max_size=5)


@given(arrays(np.float32, (4, 3), elements=numbers), st.lists(letters, min_size=4, unique=True))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path, matrix, words):
    path = tmp_path / "vectors.txt"
    WordVectors(words[:4], matrix).save(path)
    loaded = WordVectors.load(path)
    assert loaded.words == tuple(words[:4])
    assert loaded.matrix.tobytes() == matrix.tobytes()


def test_the_format_is_that_of_word2vec(plane, tmp_path):
    plane.save(tmp_path / "plane.txt")
    lines = (tmp_path / "plane.txt").read_text(encoding="utf-8").split("\n")
    assert lines[:3] == ["6 2", "man 3 0", "woman 3 3"] and lines[-1] == "" and len(lines) == 8


def test_files_of_the_original_program_end_their_lines_with_a_space(tmp_path):
    (tmp_path / "c.txt").write_text("1 2\n</s> 0.004003 -0.5 \n", encoding="utf-8")
    vectors = WordVectors.load(tmp_path / "c.txt")
    np.testing.assert_array_equal(vectors["</s>"], np.float32([0.004003, -0.5]))


@pytest.mark.parametrize("word", ["", "new york", "a\nb"])
def test_words_that_the_format_cannot_keep_are_refused(tmp_path, word):
    with pytest.raises(ValueError, match="no words with spaces"):
        WordVectors([word], np.ones((1, 2))).save(tmp_path / "vectors.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(plane, tmp_path, monkeypatch):
    path = tmp_path / "plane.txt"
    plane.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"plane.txt could not be written \(no room\)"):
        cloud().save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "after 0 words"),
        ("word 1 2\n", "after 0 words"),
        ("2 2\na 1 2\n", "after 1 words, 0 numbers instead of 2"),
        ("2 2\na 1 2\nb 3\n", "after 1 words, 1 numbers instead of 2"),
        ("2 2\na 1 2\nb 3 x\n", "after 1 words, could not convert"),
        ("2 2\na 1 2\na 1 2\n", "come more than once"),
    ],
)
def test_files_in_another_format_are_refused(tmp_path, text, message):
    (tmp_path / "bad.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"bad.txt is not .*{message}"):
        WordVectors.load(tmp_path / "bad.txt")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "vectors.bin").write_bytes(b"1 2\nword \xff\xfe\x00\x80\n")
    with pytest.raises(UserError, match="save the vectors as text"):
        WordVectors.load(tmp_path / "vectors.bin")
