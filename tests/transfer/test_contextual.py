"""A frozen biLM's layers: extracted, kept, mixed with a task; and the biLM tuned on its text."""

import copy

import numpy as np
import pytest
import torch

from nnlm2bert.errors import UserError
from nnlm2bert.models.elmo import BiLM, ELMoConfig
from nnlm2bert.tokenizers.characters import spell
from nnlm2bert.training import TrainingConfig
from nnlm2bert.transfer import Example, FirstLayer, Recipe, Task, freeze, learn, predict
from nnlm2bert.transfer.contextual import (
    Contextual,
    ContextualEncoder,
    Features,
    Tuning,
    layered_rates,
    tune_language_model,
)
from nnlm2bert.transfer.first_layer import SPREAD, case_spelling, spelling

WORDS = ["</s>", "<s>", "<unk>", "the", "dog", "cat", "sleeps", "barks", "."]
SENTENCES = [
    ("The", "dog", "barks", "."),
    ("the", "cat"),
    ("zyzzyva",),
    ("the", "dog", "sleeps", "beside", "the", "cat", "."),
]
CONFIG = ELMoConfig(len(WORDS), filters=((1, 4), (2, 6), (3, 6)), width=6, states=10)


@pytest.fixture
def contextual():
    torch.manual_seed(0)
    return Contextual(BiLM(CONFIG), WORDS)


def by_hand(contextual, sentence):
    """The layers (T + 2, 3, 2P) of one sentence with its marks, as the biLM alone says them."""
    sequence = ["<s>", *sentence, "</s>"]
    words, length = torch.arange(len(sequence)).unsqueeze(0), torch.tensor([len(sequence)])
    with torch.no_grad():
        return torch.stack(contextual.bilm.eval()(spell(sequence), words, length), dim=2)[0]


def test_layers_of_a_sentence_are_those_of_the_bilm_without_the_marks(contextual):
    found = contextual.extract(SENTENCES)
    assert [vectors.shape for vectors in found] == [(len(s), 3, 12) for s in SENTENCES]
    for sentence, vectors in zip(SENTENCES, found, strict=True):
        assert vectors.dtype == torch.float16
        expected = by_hand(contextual, sentence)[1:-1]
        torch.testing.assert_close(vectors.float(), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("words_a_batch", [1, 12, 10_000])
def test_the_size_of_a_batch_changes_nothing(contextual, words_a_batch):
    alone = [contextual.extract([sentence])[0] for sentence in SENTENCES]
    for ours, expected in zip(contextual.extract(SENTENCES, words_a_batch), alone, strict=True):
        torch.testing.assert_close(ours, expected, rtol=2e-3, atol=2e-4)


def test_a_word_has_one_vector_of_characters_and_as_many_others_as_sentences(contextual):
    one, other = contextual.extract([("the", "dog", "barks"), ("the", "dog", "sleeps")])
    assert torch.equal(one[:2, 0], other[:2, 0])
    assert all(
        not torch.equal(one[word, layer], other[word, layer]) for layer in (1, 2) for word in (0, 1)
    )
    half = one.shape[2] // 2
    torch.testing.assert_close(one[:2, 1:, :half], other[:2, 1:, :half])


def test_words_never_seen_and_capitals_are_read_by_their_characters(contextual):
    (vectors,) = contextual.extract([("zyzzyva", "zyzzyvas", "dog", "Dog")])
    types = vectors[:, 0]
    assert len({tuple(row.tolist()) for row in types}) == 4 and types.isfinite().all()


def test_words_are_written_as_the_running_text_writes_them(contextual):
    pairs = {"''": '"', "–": "--", "Mr.": "Mr.", "can't-cut": "can't-cut", "NASA": "NASA"}
    assert {word: case_spelling(word) for word in pairs} == pairs
    assert spelling("NASA") == "nasa"
    published, written = contextual.extract([("''", "dog", "–"), ('"', "dog", "--")])
    assert torch.equal(published, written)


def test_no_sentence_and_an_empty_sentence(contextual):
    assert contextual.extract([]) == []
    assert contextual.extract([()])[0].shape == (0, 3, 12)


@pytest.mark.parametrize("training", [True, False])
def test_the_bilm_is_left_as_it_was(contextual, training):
    before = copy.deepcopy(contextual.bilm.train(training).state_dict())
    first, second = contextual.extract(SENTENCES), contextual.extract(SENTENCES)
    assert contextual.bilm.training is training
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))  # no dropout
    assert all(torch.equal(before[k], v) for k, v in contextual.bilm.state_dict().items())


def test_costs_sum_what_each_direction_pays_for_the_words_and_one_mark(contextual):
    nats = contextual.costs(SENTENCES)
    assert nats.shape == (4, 2) and nats.dtype == torch.float64
    states = by_hand(contextual, ("The", "dog"))[:, 2]
    logp = contextual.bilm.output(torch.stack(states.chunk(2, dim=1))).log_softmax(dim=2)
    the, dog, begin, end = (WORDS.index(word) for word in ("the", "dog", "<s>", "</s>"))
    forward = logp[0, 0, the] + logp[0, 1, dog] + logp[0, 2, end]
    backward = logp[1, 3, dog] + logp[1, 2, the] + logp[1, 1, begin]
    expected = -torch.stack([forward, backward]).double()
    torch.testing.assert_close(contextual.costs([("The", "dog")])[0], expected, rtol=1e-5, atol=0)


def test_perplexity_counts_the_closing_mark(contextual):
    found, nats = contextual.perplexity(SENTENCES), contextual.costs(SENTENCES).sum(dim=0)
    terms = sum(len(sentence) + 1 for sentence in SENTENCES)
    assert found["forward"] == pytest.approx(float((nats[0] / terms).exp()))
    assert found["backward"] == pytest.approx(float((nats[1] / terms).exp()))
    assert found["average"] == pytest.approx(float((nats.sum() / (2 * terms)).exp()))


def test_unknown_words_need_an_output(contextual):
    without = Contextual(contextual.bilm, [w if w != "<unk>" else "rare" for w in WORDS])
    with pytest.raises(ValueError, match="2 words, 'beside' first"):
        without.costs(SENTENCES)
    assert len(without.extract(SENTENCES)) == 4


# ---- features ----


def counted(contextual, monkeypatch):
    """Count the sentences that the biLM reads."""
    read, extract = [], Contextual.extract

    def counting(self, sentences, **options):
        read.extend(sentences)
        return extract(self, sentences, **options)

    monkeypatch.setattr(Contextual, "extract", counting)
    return read


def test_each_sentence_is_read_once(contextual, monkeypatch):
    read = counted(contextual, monkeypatch)
    features = Features(contextual, [*SENTENCES, *SENTENCES])
    assert read == SENTENCES and list(features) == SENTENCES
    new = ("a", "new", "dog")
    found = features.of([new, list(SENTENCES[1]), new])
    assert read == [*SENTENCES, new] and found[0] is found[2]
    torch.testing.assert_close(
        found[1], contextual.extract([SENTENCES[1]])[0], rtol=2e-3, atol=2e-4
    )
    assert features[new] is found[0] and len(features) == 5


def test_what_a_folder_keeps_is_not_read_again(contextual, monkeypatch, tmp_path):
    first = Features(contextual, SENTENCES, tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == len(list(tmp_path.iterdir())) == 1
    read = counted(contextual, monkeypatch)
    second = Features(contextual, SENTENCES, tmp_path)
    assert not read and all(torch.equal(second[s], first[s]) for s in SENTENCES)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.values(), contextual.extract(SENTENCES), strict=True)
    )


def test_other_sentences_and_other_networks_have_files_of_their_own(contextual, tmp_path):
    Features(contextual, SENTENCES, tmp_path)
    Features(contextual, SENTENCES[:2], tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    before = contextual.digest()
    with torch.no_grad():
        contextual.bilm.output.weight.add_(1.0)  # no feature depends on the softmax
    assert contextual.digest() == before
    with torch.no_grad():
        contextual.bilm.layers[2].left_to_right.lstm.weight_hh_l0[0, 0] += 0.5
    assert contextual.digest() != before
    changed = Features(contextual, SENTENCES, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    torch.testing.assert_close(changed[SENTENCES[0]], contextual.extract(SENTENCES)[0])


# ---- the encoder ----


@pytest.mark.parametrize("layers", ["mix", 0, 1, 2])
def test_entries_have_the_spread_of_all_word_vectors(contextual, layers):
    encoder = ContextualEncoder(Features(contextual, SENTENCES), layers)
    vectors = torch.cat([encoder([sentence])[0] for sentence in SENTENCES])
    assert vectors.shape == (14, 12) and encoder.width == 12
    assert float(vectors.detach().std(correction=0)) == pytest.approx(SPREAD, rel=1e-4)


def test_the_mix_is_equation_1(contextual):
    features = Features(contextual, SENTENCES)
    encoder = ContextualEncoder(features)
    with torch.no_grad():
        encoder.mix.w.copy_(torch.tensor([0.5, -1.0, 2.0]))
        encoder.mix.gamma.fill_(1.7)
    s = np.exp([0.5, -1.0, 2.0]) / np.exp([0.5, -1.0, 2.0]).sum()
    expected = 1.7 * np.einsum("j,tjd->td", s, features[SENTENCES[3]].float().numpy())
    found = encoder(SENTENCES)[3].detach().numpy() / float(encoder.scale)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert encoder.learned() == pytest.approx({"s0": s[0], "s1": s[1], "s2": s[2], "gamma": 1.7})


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_one_layer_alone_has_nothing_to_learn(contextual, layer):
    features = Features(contextual, SENTENCES)
    encoder = ContextualEncoder(features, layer)
    expected = features[SENTENCES[0]][:, layer].float() * encoder.scale
    torch.testing.assert_close(encoder(SENTENCES)[0, :4], expected)
    assert not list(encoder.parameters()) and encoder.learned() == {} and encoder.penalty() == 0


def test_vectors_beside_come_first(contextual):
    torch.manual_seed(1)
    words = FirstLayer([word for sentence in SENTENCES for word in sentence], dimension=5).eval()
    features = Features(contextual, SENTENCES)
    encoder = ContextualEncoder(features, 2, beside=words)
    both = encoder(SENTENCES)
    assert encoder.width == 17 and both.shape == (4, 7, 17)
    torch.testing.assert_close(both[..., :5], words(SENTENCES))
    torch.testing.assert_close(both[..., 5:], ContextualEncoder(features, 2)(SENTENCES))


def test_no_weight_of_the_bilm_is_among_those_of_the_encoder(contextual):
    encoder = ContextualEncoder(Features(contextual, SENTENCES))
    assert set(encoder.state_dict()) == {"scale", "mix.w", "mix.gamma"}


@pytest.mark.parametrize("layers", [3, -1, "all"])
def test_a_layer_that_is_not_there_is_refused(contextual, layers):
    with pytest.raises(ValueError, match="take 'mix' or a number below 3"):
        ContextualEncoder(Features(contextual, SENTENCES), layers)


def test_features_of_no_sentence_are_refused(contextual):
    with pytest.raises(ValueError, match="give Features the sentences"):
        ContextualEncoder(Features(contextual))


# ---- learning with it ----


def neighbours(seed, count=60):
    """Pairs of words, each tagged by what the other one is."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        one, other = generator.integers(2, size=2).tolist()
        yield Example(((("a", "zebras")[one], ("a", "zebras")[other]),), (other, one))


@pytest.fixture(scope="module")
def task():
    names = ("train", "validation", "test")
    splits = {name: list(neighbours(seed)) for seed, name in enumerate(names)}
    return Task("toy", "tags", "accuracy", ("article", "noun"), splits)


def accuracy(predicted, examples):
    return float(np.mean([p == e.label for p, e in zip(predicted, examples, strict=True)]))


def learned(contextual, task, pull=0.0, **options):
    sentences = [example.sentences[0] for split in task.splits.values() for example in split]
    features = Features(contextual, sentences)
    recipe = Recipe(steps=150, batch_size=16)
    make = lambda: ContextualEncoder(features, pull=pull)  # noqa: E731
    return learn(task, make, task.splits["train"], recipe, accuracy, seed=0, **options)[0]


def test_a_task_is_learned_and_the_mix_with_it_but_not_the_bilm(contextual, task):
    before = copy.deepcopy(contextual.bilm.state_dict())
    model = learned(contextual, task)
    assert accuracy(predict(model, task, task.splits["test"]), task.splits["test"]) > 0.95
    weights = model.encoder.learned()
    assert max(abs(weights[f"s{j}"] - 1 / 3) for j in range(3)) > 0.01
    assert weights["gamma"] != 1.0
    assert all(torch.equal(before[k], v) for k, v in contextual.bilm.state_dict().items())


def test_a_strong_pull_keeps_the_average(contextual, task):
    free, held = (learned(contextual, task, pull).encoder.mix.w.norm() for pull in (0.0, 100.0))
    assert held < 0.3 * free


def test_a_pull_is_lambda_times_the_squared_norm(contextual):
    encoder = ContextualEncoder(Features(contextual, SENTENCES), pull=0.5)
    with torch.no_grad():
        encoder.mix.w.copy_(torch.tensor([1.0, 2.0, -1.0]))
    assert encoder.penalty().item() == pytest.approx(3.0)


def test_a_mix_at_the_output_is_learned_too(contextual, task):
    above = []

    def make_above():
        above.append(ContextualEncoder(Features(contextual, [("a", "zebras")])))
        return above[0]

    model = learned(contextual, task, make_output_encoder=make_above)
    assert model.output_encoder is above[0] and above[0].mix.gamma != 1.0
    assert model.encoder.learned() != above[0].learned()


# ---- tuning the language model ----

TEXT = [("the", "dog", "barks", "."), ("the", "cat", "sleeps", ".")] * 12


def test_tuning_lowers_perplexity_and_leaves_the_source_alone(contextual):
    before = copy.deepcopy(contextual.bilm.state_dict())
    tuning = Tuning(passes=25, batch_words=60, learning_rate=0.02)
    tuned, result = tune_language_model(contextual, TEXT, tuning)
    assert all(torch.equal(before[k], v) for k, v in contextual.bilm.state_dict().items())
    assert tuned.perplexity(TEXT)["average"] < 0.5 * contextual.perplexity(TEXT)["average"]
    assert result.history.losses[-1] < result.history.losses[0]
    assert tuned.words is contextual.words and tuned.digest() != contextual.digest()


def test_a_frozen_source_gives_a_tuned_copy(contextual):
    freeze(contextual.bilm)
    tuned, _ = tune_language_model(contextual, TEXT, Tuning(batch_words=60))
    pairs = zip(tuned.bilm.parameters(), contextual.bilm.parameters(), strict=True)
    assert all(not torch.equal(ours, theirs) for ours, theirs in pairs)
    assert not any(parameter.requires_grad for parameter in contextual.bilm.parameters())


def test_the_same_seed_tunes_alike(contextual):
    (one, _), (same, _), (other, _) = (
        tune_language_model(contextual, TEXT, Tuning(batch_words=30), seed) for seed in (0, 0, 1)
    )
    assert one.digest() == same.digest() != other.digest()


def test_passes_are_the_steps_and_rates_are_slanted_triangular(contextual):
    tuning = Tuning(passes=10, batch_words=60, learning_rate=0.01)
    _, result = tune_language_model(contextual, TEXT, tuning)
    batches = -(-len(TEXT) // 10)  # ten sentences of six words with their marks
    assert result.step == 10 * batches and result.history.steps == list(range(1, result.step + 1))
    rates, top = result.history.learning_rates, batches  # a tenth of the steps
    assert rates.index(max(rates)) == top - 1 and rates[:top] == pytest.approx(
        [0.01 / 3, 0.02 / 3, 0.01]
    )
    left = 1 - np.arange(result.step - top) / (result.step - top)
    np.testing.assert_allclose(rates[top:], 0.01 * (1 / 32 + 31 / 32 * left))


def test_lower_layers_learn_more_slowly(contextual):
    optimizer = layered_rates(contextual.bilm, TrainingConfig(steps=1, batch_size=1), 2.6)
    rate = {
        id(parameter): group.get("rate_factor", 1.0)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for layer, expected in zip(contextual.bilm.layers, (2.6**-2, 1 / 2.6, 1.0), strict=True):
        assert all(rate[id(p)] == pytest.approx(expected) for p in layer.parameters())
    assert {rate[id(p)] for p in contextual.bilm.output.parameters()} == {1.0}
    assert len(rate) == len(list(contextual.bilm.parameters()))


def test_tuning_needs_sentences(contextual):
    with pytest.raises(UserError, match="give at least one sequence"):
        tune_language_model(contextual, [])
