"""Steps of gensim's compiled code, its Huffman tree, and its reading of our files.

Chance is taken out of gensim: a window of 1 has one radius, sentences have two words, nothing is
sub-sampled, and the table from which noise is drawn holds a single word. Its logistic function is
a table with steps of 0.012, so that its steps are ours to within three per cent only.
"""

import numpy as np
import pytest
import torch

from nnlm2bert.models.word2vec import (
    HierarchicalSoftmax,
    NegativeSampling,
    Word2Vec,
    Word2VecConfig,
    huffman,
)
from nnlm2bert.models.word_vectors import WordVectors

gensim = pytest.importorskip("gensim.models", reason="gensim is not installed")

COUNTS = {"a": 8, "b": 4, "c": 2, "d": 1, "e": 17}
ORDER = sorted(COUNTS, key=COUNTS.get, reverse=True)
D, RATE, NOISE = 6, 0.01, 2


def theirs(architecture, output):
    """gensim's model with vectors of our choice; it learns from one sentence."""
    model = gensim.Word2Vec(
        vector_size=D,
        window=1,
        min_count=1,
        sample=0,
        workers=1,
        seed=1,
        sg=int(architecture == "skip-gram"),
        hs=int(output == "hierarchical"),
        negative=int(output == "negative"),
        alpha=RATE,
        min_alpha=RATE,
    )
    model.build_vocab_from_freq(dict(COUNTS))
    assert model.wv.index_to_key == ORDER
    rng = np.random.default_rng(0)
    model.wv.vectors[:] = rng.normal(size=(len(COUNTS), D))
    if output == "hierarchical":
        model.syn1[:] = rng.normal(size=model.syn1.shape)
    else:
        model.syn1neg[:] = rng.normal(size=model.syn1neg.shape)
        model.cum_table[:NOISE] = 0
        model.cum_table[NOISE:] = 2**31 - 1
    return model


def ours(architecture, output, v, v_out):
    """Our model with the same vectors."""
    counts = [COUNTS[word] for word in ORDER]
    layer = (
        HierarchicalSoftmax(counts, D)
        if output == "hierarchical"
        else NegativeSampling(counts, D, negatives=1)
    )
    model = Word2Vec(Word2VecConfig(len(counts), D, architecture), layer)
    with torch.no_grad():
        model.v.weight.copy_(torch.from_numpy(v))
        layer.v.weight.copy_(torch.from_numpy(v_out))
    return model


def learn(model, architecture, sentence):
    """Two steps, as gensim takes them: each word of the two is predicted from the other."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    noise = () if isinstance(model.output, HierarchicalSoftmax) else (torch.tensor([[NOISE]]),)
    for read, predicted in (sentence[::-1], sentence):
        inputs = torch.tensor([read] if architecture == "skip-gram" else [[read]])
        optimizer.zero_grad()
        model.output.loss(model.hidden(inputs), torch.tensor([predicted]), *noise).backward()
        optimizer.step()


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("output", ["negative", "hierarchical"])
def test_steps_are_those_of_gensim(architecture, output):
    rival = theirs(architecture, output)
    rival_out = rival.syn1 if output == "hierarchical" else rival.syn1neg
    before = rival.wv.vectors.copy(), rival_out.copy()
    rows = len(COUNTS) - (output == "hierarchical")
    model = ours(architecture, output, before[0], before[1][:rows])
    rival.train([["e", "d"]], total_examples=1, epochs=1)
    learn(model, architecture, [ORDER.index("e"), ORDER.index("d")])
    pairs = (model.v, rival.wv.vectors, before[0]), (model.output.v, rival_out, before[1])
    for table, found, start in pairs:
        moved = table.weight.detach().numpy() - start[: len(table.weight)]
        most = np.abs(moved).max()
        assert most > RATE / 2
        np.testing.assert_allclose(moved, (found - start)[: len(moved)], rtol=0, atol=most / 33)


def test_tree_is_that_of_gensim():
    """Counts without ties, for which there is one tree only."""
    counts = {f"w{n}": 3**n for n in range(7)} | {f"x{n}": 3**n + 1 for n in range(2, 7)}
    order = sorted(counts, key=counts.get, reverse=True)
    rival = gensim.Word2Vec(vector_size=2, min_count=1, hs=1, negative=0)
    rival.build_vocab_from_freq(counts)
    assert rival.wv.index_to_key == order
    tree = huffman([counts[word] for word in order])
    for row, word in enumerate(order):
        length = tree.lengths[row]
        assert tree.codes[row, :length].tolist() == rival.wv.get_vecattr(word, "code").tolist()
        assert tree.points[row, :length].tolist() == rival.wv.get_vecattr(word, "point").tolist()


@pytest.fixture
def both(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)
    vectors = WordVectors([f"词{i}" for i in range(400)], matrix)
    vectors.save(tmp_path / "vectors.txt")
    path = str(tmp_path / "vectors.txt")
    return vectors, gensim.KeyedVectors.load_word2vec_format(path)


def same(found, expected):
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], atol=1e-6)


def test_gensim_reads_our_files_to_the_last_bit(both):
    vectors, rival = both
    assert rival.index_to_key == list(vectors.words)
    np.testing.assert_array_equal(rival.vectors, vectors.matrix)


def test_we_read_the_files_of_gensim(both, tmp_path):
    vectors, rival = both
    rival.save_word2vec_format(str(tmp_path / "theirs.txt"))
    loaded = WordVectors.load(tmp_path / "theirs.txt")
    assert loaded.words == vectors.words
    np.testing.assert_array_equal(loaded.matrix, vectors.matrix)


def test_neighbours_and_analogies_are_those_of_gensim(both):
    vectors, rival = both
    for i in range(30):
        a, b, c = (vectors.words[j] for j in (i, 3 * i + 50, 5 * i + 200))
        same(vectors.neighbours(a, 8), rival.most_similar(a, topn=8))
        same(vectors.neighbours(vectors[b] + 1, 8), rival.most_similar([rival[b] + 1], topn=8))
        asked = rival.most_similar(positive=[b, c], negative=[a], topn=8)
        same(vectors.analogy(a, b, c, n=8), asked)
        assert vectors.similarity(a, b) == pytest.approx(rival.similarity(a, b), abs=1e-6)


def test_many_analogies_are_those_of_gensim(both):
    vectors, rival = both
    questions = np.random.default_rng(1).integers(400, size=(50, 4))
    answers = vectors.analogies(questions, restrict=300)
    for (a, b, c, _), answer in zip(questions, answers, strict=True):
        words = [vectors.words[row] for row in (b, c, a)]
        asked = rival.most_similar(words[:2], words[2:], topn=1, restrict_vocab=300)
        assert asked[0][0] == vectors.words[answer]
