"""One head a kind of task: shapes, padding, learning by heart, and what each of them reads."""

import pytest
import torch

from nnlm2bert.transfer import Example, FirstLayer, HeadConfig, Task, build_model
from nnlm2bert.transfer.heads import BothDirections, SentenceCNN, capitals, loss

SHORT, LONG = ("a", "dog"), ("the", "Dog", "sleeps", "on", "the", "mat", "NASA")
KINDS = {
    "sentence": [Example((SHORT,), 0), Example((LONG,), 1)],
    "tags": [Example((SHORT,), (0, 1)), Example((LONG,), (2, 1, 0, 1, 2, 0, 1))],
    "word": [Example((SHORT,), 1, 1), Example((LONG,), 2, 5)],
    "pair": [Example((SHORT, LONG), 0), Example((LONG, LONG), 1)],
    "word-pair": [Example((SHORT, LONG), 0, (1, 5)), Example((LONG, LONG), 1, (0, 5))],
    "score": [Example((SHORT, LONG), -1.5), Example((LONG, LONG), 1.0)],
}


def task_of(kind):
    labels = () if kind == "score" else ("a", "b", "c")
    measure = "Spearman" if kind == "score" else "accuracy"
    return Task("toy", kind, measure, labels, {"train": KINDS[kind]})


def model_of(kind, dropout=0.0):
    torch.manual_seed(0)
    return build_model(
        task_of(kind), FirstLayer(LONG + SHORT), HeadConfig(dropout=dropout, tagger_dropout=dropout)
    )


SHAPES = {
    "sentence": (2, 3),
    "tags": (2, 7, 3),
    "word": (2, 3),
    "pair": (2, 3),
    "word-pair": (2, 3),
    "score": (2, 1),
}


@pytest.mark.parametrize(("kind", "shape"), SHAPES.items())
def test_shapes(kind, shape):
    assert model_of(kind)(KINDS[kind]).shape == shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_neighbour_pads_without_changing_anything(kind):
    model = model_of(kind).eval()
    (together, _), alone = model(KINDS[kind]), model(KINDS[kind][:1])
    if kind == "tags":
        together = together[: len(SHORT)]
    torch.testing.assert_close(together, alone[0])


@pytest.mark.parametrize("kind", KINDS)
def test_overfits_one_batch_and_every_parameter_learns(kind):
    model, examples = model_of(kind), KINDS[kind]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        mean, _ = loss(task_of(kind), model(examples), examples)
        mean.backward()
        optimizer.step()
    assert mean < 0.02
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_only(kind):
    model = model_of(kind, dropout=0.5)
    assert not torch.equal(model(KINDS[kind]), model(KINDS[kind]))
    assert torch.equal(model.eval()(KINDS[kind]), model(KINDS[kind]))


def test_loss_of_tags_is_the_mean_over_words():
    examples, logits = KINDS["tags"], torch.randn(2, 7, 3, generator=torch.manual_seed(0))
    mean, words = loss(task_of("tags"), logits, examples)
    rows = logits.log_softmax(dim=2)
    right = [
        -rows[i, t, tag]
        for i, example in enumerate(examples)
        for t, tag in enumerate(example.label)
    ]
    assert words == 9 and float(mean) == pytest.approx(float(sum(right)) / 9, rel=1e-5)


def test_the_word_in_question_is_the_one_at_its_position():
    model = model_of("word").eval()
    here, there = Example((LONG,), 0, 0), Example((LONG,), 0, 6)
    torch.testing.assert_close(
        model([here, there])[1], model.output(model.read([there])[0, 6]), rtol=1e-4, atol=1e-5
    )
    assert not torch.allclose(model([here]), model([there]))


def test_both_directions_are_those_of_torch():
    torch.manual_seed(0)
    ours = BothDirections(4, 3)
    theirs = torch.nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    state = {name: tensor for name, tensor in ours.left.state_dict().items()}
    state |= {f"{name}_reverse": tensor for name, tensor in ours.right.state_dict().items()}
    theirs.load_state_dict(state)
    x, lengths = torch.randn(3, 6, 4), torch.tensor([6, 2, 4])
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    inside = torch.arange(6) < lengths.unsqueeze(1)
    torch.testing.assert_close(ours(x, lengths)[inside], expected[inside])


def test_convolution_takes_the_maximum_of_all_windows_of_a_sentence():
    torch.manual_seed(0)
    reader = SentenceCNN(4, HeadConfig(filters=5, widths=(3,)))
    x = torch.randn(1, 6, 4)
    kernel, bias = reader.convolutions[0].weight, reader.convolutions[0].bias
    padded = torch.cat([torch.zeros(2, 4), x[0], torch.zeros(2, 4)])
    windows = [(kernel * padded[i : i + 3].T).sum((1, 2)) + bias for i in range(8)]
    expected = torch.stack(windows).relu().amax(0)
    torch.testing.assert_close(reader(x, torch.tensor([6]))[0], expected)


def test_order_of_a_pair_matters_where_it_should():
    model = model_of("pair").eval()
    one, other = Example((SHORT, LONG), 0), Example((LONG, SHORT), 0)
    assert not torch.allclose(model([one]), model([other]))


def test_the_four_kinds_of_capitals():
    words = ("dog", "Dog", "NASA", "iPhone", "I", "1,000", "McDonald")
    assert capitals(words).tolist() == [0, 1, 2, 3, 1, 0, 3]


def test_the_tagger_sees_capitals_that_the_first_layer_does_not():
    model = model_of("tags").eval()
    low, high = (Example(((word, "sleeps"),), (0, 0)) for word in ("dog", "Dog"))
    torch.testing.assert_close(model.encoder(low.sentences), model.encoder(high.sentences))
    assert not torch.allclose(model([low]), model([high]))


def with_output(kind, dropout=0.0):
    torch.manual_seed(0)
    config = HeadConfig(dropout=dropout, tagger_dropout=dropout)
    below, above = FirstLayer(LONG + SHORT), FirstLayer(LONG + SHORT, dimension=7)
    return build_model(task_of(kind), below, config, above)


@pytest.mark.parametrize("kind", ["tags", "word"])
def test_vectors_of_an_output_encoder_stand_beside_the_states(kind):
    model, examples = with_output(kind).eval(), KINDS[kind]
    sentences = [example.sentences[0] for example in examples]
    states, vectors = model.read(examples).split([100, 7], dim=2)
    torch.testing.assert_close(vectors, model.output_encoder(sentences))
    model.output_encoder = None
    torch.testing.assert_close(states, model.read(examples))
    assert with_output(kind)(examples).shape == SHAPES[kind]


@pytest.mark.parametrize("kind", ["tags", "word"])
def test_an_output_encoder_pads_learns_and_is_dropped_out(kind):
    model, examples = with_output(kind).eval(), KINDS[kind]
    together, alone = model(examples)[0], model(examples[:1])[0]
    torch.testing.assert_close(together[: len(alone)] if kind == "tags" else together, alone)
    mean, _ = loss(task_of(kind), model(examples), examples)
    mean.backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in model.output_encoder.parameters())
    noisy = with_output(kind, dropout=0.5)
    noisy.reader.eval()
    assert not torch.equal(noisy(examples), noisy(examples))


@pytest.mark.parametrize("kind", ["sentence", "pair", "score"])
def test_heads_without_states_of_words_refuse_an_output_encoder(kind):
    with pytest.raises(ValueError, match="goes with tasks of tags or of a word"):
        with_output(kind)


@pytest.mark.parametrize("kind", ["tags", "word"])
def test_without_an_output_encoder_nothing_is_named_or_drawn_otherwise(kind):
    names = {name.split(".")[0] for name in model_of(kind).state_dict()}
    assert names == {"encoder", "capitals", "reader", "output"}
    ours, theirs = model_of(kind).state_dict(), with_output(kind).state_dict()
    torch.testing.assert_close(ours["encoder.rows.weight"], theirs["encoder.rows.weight"])
