"""GPT learns tasks: what is read, what is learned, what is copied, what stays."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models

from nnlm2bert.models.gpt import GPT
from nnlm2bert.models.transformer import TransformerConfig
from nnlm2bert.tokenizers.fast_bpe import SPECIAL, UNKNOWN
from nnlm2bert.tokenizers.subwords import SubwordEncoder
from nnlm2bert.training import seed_everything
from nnlm2bert.transfer import Example, FineTuning, GPTReader, Task, fine_tune, predict, transferred
from nnlm2bert.transfer import fine_tuning as module

WORDS = "bad good very film the of".split()
CONFIG = TransformerConfig(
    len(SPECIAL) + len(WORDS), context=16, width=16, heads=2, layers=2, inner=32, dropout=0.0
)
KINDS = ("sentence", "pair", "score", "choice", "word", "tags")


@pytest.fixture(scope="module")
def tokens():
    vocabulary = {token: n for n, token in enumerate((*SPECIAL, *WORDS))}
    return SubwordEncoder(Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN)))


@pytest.fixture
def gpt():
    seed_everything(1)
    gpt = GPT(CONFIG).eval()
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(2)) * 0.05)
    return gpt


def examples(kind, count=12):
    generator = np.random.default_rng(0)
    sizes = {"sentence": 1, "word": 1, "tags": 1, "choice": 4}
    found = []
    for number in range(count):
        lengths = generator.integers(2, 6, size=sizes.get(kind, 2))
        sentences = tuple(tuple(generator.choice(WORDS, n).tolist()) for n in lengths)
        label = {"score": float(number % 3), "tags": (number % 2,) * len(sentences[0])}
        position = 1 if kind == "word" else None
        found.append(Example(sentences, label.get(kind, number % 2), position))
    return found


def task_of(kind, labels=("no", "yes"), **splits):
    return Task("toy", kind, "accuracy", () if kind == "score" else labels, splits)


def reader_of(kind, gpt, tokens, **options):
    seed_everything(0)
    return GPTReader(gpt, tokens, task_of(kind), dropout=0.0, **options).eval()


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [("sentence", 2), ("pair", 2), ("word", 2), ("score", 1), ("choice", 3)],
)
def test_outputs_have_the_shape_of_the_task(gpt, tokens, kind, outputs):
    assert reader_of(kind, gpt, tokens)(examples(kind, 5)).shape == (5, outputs)


def test_tags_have_one_output_a_word(gpt, tokens):
    given = examples("tags", 5)
    outputs = reader_of("tags", gpt, tokens)(given)
    assert outputs.shape == (5, max(len(e.words) for e in given), 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [False, True])
def test_an_example_is_answered_alike_alone_and_among_others(gpt, tokens, kind, frozen):
    """Padding on the right is never read."""
    reader, given = reader_of(kind, gpt, tokens, frozen=frozen), examples(kind)
    together = reader(given)
    for row, example in zip(together, given, strict=True):
        alone = reader([example])[0]
        torch.testing.assert_close(row[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def test_a_sentence_is_read_at_its_end(gpt, tokens):
    reader, (example, *_) = reader_of("sentence", gpt, tokens), examples("sentence")
    (sequence,) = reader.sequences([example])
    vectors = gpt(torch.tensor([sequence.tokens]))
    torch.testing.assert_close(reader([example])[0], reader.output(vectors[0, -1]))


def test_the_vectors_of_both_orders_are_added(gpt, tokens):
    reader, (example, *_) = reader_of("score", gpt, tokens), examples("score")
    ends = [gpt(torch.tensor([s.tokens]))[0, -1] for s in reader.sequences([example])]
    torch.testing.assert_close(reader([example])[0], reader.output(ends[0] + ends[1]))
    turned = replace(example, sentences=example.sentences[::-1])
    torch.testing.assert_close(reader([example]), reader([turned]))


def test_each_answer_has_one_number_from_one_layer(gpt, tokens):
    reader, (example, *_) = reader_of("choice", gpt, tokens), examples("choice")
    text, *answers = example.sentences
    turned = replace(example, sentences=(text, *answers[::-1]))
    torch.testing.assert_close(reader([example]).flip(1), reader([turned]))
    assert reader.output.out_features == 1


def test_the_auxiliary_loss_is_that_of_the_next_token(gpt, tokens):
    reader, given = reader_of("pair", gpt, tokens), examples("pair", 5)
    outputs, language = reader.with_language(given)
    costs = []
    for sequence in reader.sequences(given):
        ids = torch.tensor([sequence.tokens])
        logits = gpt.logits(gpt(ids))[0, :-1]
        costs.append(F.cross_entropy(logits, ids[0, 1:], reduction="none"))
    torch.testing.assert_close(language, torch.cat(costs).mean())
    torch.testing.assert_close(outputs, reader(given))


def labelled(count, seed):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        label = int(generator.integers(2))
        noise = generator.choice(["film", "the", "of"], int(generator.integers(2, 8))).tolist()
        yield Example(((*noise, WORDS[label], *noise[:2]),), label)


def accuracy(predicted, given):
    return float(np.mean([p == e.label for p, e in zip(predicted, given, strict=True)]))


@pytest.fixture(scope="module")
def toy():
    names = ("train", "validation", "test")
    splits = {name: list(labelled(60, seed)) for seed, name in enumerate(names)}
    return task_of("sentence", **splits)


def learned(toy, gpt, tokens, layers=None, frozen=False, **options):
    settings = {"steps": 80, "batch_size": 10, "learning_rate": 2e-2, "precision": "float32"}
    recipe = FineTuning(**{**settings, "dropout": 0.0, **options})

    def make():
        return GPTReader(transferred(gpt, layers, 0.0), tokens, toy, 0.0, frozen)

    return fine_tune(toy, make, toy.splits["train"], recipe, accuracy, seed=0)


@pytest.mark.parametrize(("layers", "auxiliary"), [(None, 0.2), (None, 0.0), (0, 0.0)])
def test_a_simple_task_is_learned(toy, gpt, tokens, layers, auxiliary):
    reader, result = learned(toy, gpt, tokens, layers, auxiliary=auxiliary)
    assert accuracy(predict(reader, toy, toy.splits["test"]), toy.splits["test"]) > 0.9
    assert result.step == 80 and result.history.losses[-1] < result.history.losses[0]


def test_a_frozen_network_stays_and_reads_each_example_once(toy, gpt, tokens, monkeypatch):
    rows = []
    padded = module.padded

    def counting(sequences, device="cpu"):
        rows.extend(sequences)
        return padded(sequences, device)

    monkeypatch.setattr(module, "padded", counting)
    reader, _ = learned(toy, gpt, tokens, frozen=True, auxiliary=0.5)
    assert len(rows) == len({e for split in ("train", "validation") for e in toy.splits[split]})
    for ours, theirs in zip(reader.encoder.parameters(), gpt.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_fine_tuning_leaves_the_source_as_it_was(toy, gpt, tokens):
    before = copy.deepcopy(gpt.state_dict())
    reader, _ = learned(toy, gpt, tokens, steps=4)
    assert all(torch.equal(before[name], tensor) for name, tensor in gpt.state_dict().items())
    changed = [
        not torch.equal(tensor, before[n]) for n, tensor in reader.encoder.state_dict().items()
    ]
    assert sum(changed) > 20


def test_the_same_seed_gives_the_same_network(toy, gpt, tokens):
    (one, _), (other, _) = (learned(toy, gpt, tokens, steps=3, dropout=0.1) for _ in range(2))
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_auxiliary_loss_changes_what_is_learned(toy, gpt, tokens):
    (one, _), (other, _) = (learned(toy, gpt, tokens, steps=3, auxiliary=a) for a in (0.0, 0.5))
    assert torch.equal(one.encoder.bias, gpt.bias) and not torch.equal(other.encoder.bias, gpt.bias)


def test_the_network_below_has_a_learning_rate_of_its_own(toy, gpt, tokens):
    reader, _ = learned(toy, gpt, tokens, steps=3, encoder_rate=0.0)
    weights = zip(reader.encoder.parameters(), gpt.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in weights)


@pytest.mark.parametrize("layers", [0, 1, 2, 3, None])
def test_the_lowest_layers_are_copied_and_the_others_begin_anew(gpt, layers):
    seed_everything(5)
    found = transferred(gpt, layers, dropout=0.3)
    count = 3 if layers is None else layers
    same = [
        all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        for one, other in zip(found.layers, gpt.layers, strict=True)
    ]
    assert same == [n < count for n in range(3)] and found.config.dropout == 0.3
    assert torch.equal(found.bias, gpt.bias if count else torch.zeros_like(gpt.bias))
    given = torch.tensor([[2, 5, 6, 3]])
    assert torch.allclose(found.eval()(given), gpt(given)) == (count == 3)


def test_a_norm_above_all_layers_is_copied_with_the_last():
    source = GPT(replace(CONFIG, norm="pre"))
    source.norm.weight.data.fill_(2.0)
    assert torch.equal(transferred(source).norm.weight, source.norm.weight)
    assert not torch.equal(transferred(source, 2).norm.weight, source.norm.weight)


def test_weights_that_begin_at_random_are_spread_as_asked(gpt):
    wide = transferred(gpt, 2, spread=0.1)
    assert float(wide.layers[2].feed_forward.inner.weight.detach().std()) == pytest.approx(
        0.1, rel=0.2
    )
    one, other = (network.layers[1].feed_forward.inner.weight for network in (wide, gpt))
    assert torch.equal(one, other)
