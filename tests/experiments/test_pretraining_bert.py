"""The networks that are trained once for each objective: what they read, all of them alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlm2bert.corpora.running import RunningText
from nnlm2bert.errors import UserError
from nnlm2bert.experiments.bert import pretraining as pretraining_bert
from nnlm2bert.experiments.bert.beginnings import HELPED
from nnlm2bert.experiments.bert.pretraining import (
    Pieces,
    begun,
    place,
    pretrained_bert,
    snapshot_folder,
    stage_steps,
    tied_softmax,
    training_task,
)
from nnlm2bert.experiments.bert.recipes import (
    CHOSEN,
    COMPARED,
    OBJECTIVES,
    SEARCHED,
    SMALL,
    TRIED,
    WHOLE,
    BERTRecipe,
    Stage,
    recipe,
    tried,
)
from nnlm2bert.experiments.gpt.pretraining import snapshots, word_tokenizer
from nnlm2bert.experiments.scoreboard import BERT_OBJECTIVE
from nnlm2bert.models import word2vec_compiled
from nnlm2bert.models.transformer_bilm import TransformerBiLM
from nnlm2bert.models.word2vec_compiled import Trained
from nnlm2bert.objectives import IGNORED
from nnlm2bert.tokenizers.subwords import TokenStream, encode_text
from nnlm2bert.tokenizers.wordpiece import (
    CLASS_ID,
    MASK_ID,
    SEPARATOR,
    SEPARATOR_ID,
    SPECIAL,
    UNKNOWN,
)
from nnlm2bert.training.packed_batches import padding_share

TINY = replace(SMALL, stages=(Stage(0.5, 16, 0.4), Stage(0.5, 32)), batch_tokens=256)


def text(documents: int = 40) -> RunningText:
    """Documents of five sentences of three to nine words out of forty, one word far more often."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(3, 10, 5 * documents)
    sentences = np.arange(5 * documents, dtype=np.int32).repeat(lengths)
    ids = np.minimum(generator.integers(0, 80, lengths.sum()), 39).astype(np.int32)
    counts = np.bincount(ids, minlength=40)
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(40, dtype=np.int32)
    ranks[order] = np.arange(40)
    words = [f"w{number}" for number in order.tolist()]
    names = tuple(map(str, range(documents)))
    return RunningText(ranks[ids], words, counts[order], sentences, sentences // 5, names)


def stream_of(found: RunningText) -> TokenStream:
    return encode_text(word_tokenizer(found.types, SPECIAL, UNKNOWN), found, SEPARATOR)


@pytest.fixture(scope="module")
def stream() -> TokenStream:
    return stream_of(text())


def task(stream: TokenStream, objective: str, chosen: BERTRecipe = TINY, **options: int):
    return training_task(stream, OBJECTIVES[objective], chosen, seed=3, **options)


def rows_of(batch: dict[str, torch.Tensor]) -> list[list[int]]:
    """The sequences of a batch without padding, what was hidden put back."""
    tokens = batch["tokens"]
    if "targets" in batch and (batch["tokens"] == MASK_ID).any():
        tokens = torch.where(batch["targets"] == IGNORED, tokens, batch["targets"])
    inside = batch.get("inside", tokens > 0)
    return [row[keep].tolist() for row, keep in zip(tokens, inside, strict=True)]


# What is read.


def test_nearly_all_of_the_text_is_in_pieces_of_two_sentences(stream: TokenStream) -> None:
    for context in (16, 32):
        found = Pieces.of(stream, context)
        lengths = found.sentences.lengths(found.pieces)
        assert int(lengths.max()) <= context - 3
        assert ((found.pieces[:, 1] - found.pieces[:, 0]) >= 2).all()
        assert int(lengths.sum()) > 0.85 * stream.words


def test_all_objectives_read_the_same_pieces_in_as_many_steps(stream: TokenStream) -> None:
    tasks = {name: task(stream, name) for name in ("masked", "left-to-right", "two one-way")}
    steps = {one.config.steps for one in tasks.values()}
    assert len(steps) == 1 and {len(one.batches) for one in tasks.values()} == steps
    for step in (0, *steps, 1):
        first, *others = (
            sorted(map(tuple, rows_of(one.batches.batch(step)))) for one in tasks.values()
        )
        wanted = [row for row in first if MASK_ID not in row]
        assert wanted and others == [first] * 2


def test_the_second_task_reads_the_same_first_halves(stream: TokenStream) -> None:
    plain, pairs = (task(stream, name) for name in ("masked", "masked+next"))
    assert plain.config == pairs.config
    one, other = (rows_of(found.batches.batch(2)) for found in (plain, pairs))
    halves = [[row[: row.index(SEPARATOR_ID)] for row in rows] for rows in (one, other)]
    assert halves[0] == halves[1] and one != other
    batch = pairs.batches.batch(2)
    assert batch["segments"].unique().tolist() == [0, 1] and "relations" in batch
    assert "relations" not in plain.batches.batch(2) and "segments" in plain.batches.batch(2)


def test_sequences_stand_between_marks(stream: TokenStream) -> None:
    for row in rows_of(task(stream, "two one-way").batches.batch(0)):
        assert row[0] == CLASS_ID and row[-1] == SEPARATOR_ID and row.count(SEPARATOR_ID) == 2


def test_one_from_the_left_predicts_all_that_follows(stream: TokenStream) -> None:
    batch = task(stream, "left-to-right").batches.batch(1)
    assert "inside" not in batch and "segments" not in batch
    for tokens, targets in zip(batch["tokens"], batch["targets"], strict=True):
        length = int((tokens != 0).sum())
        assert targets[: length - 1].tolist() == tokens[1:length].tolist()
        assert (targets[length - 1 :] == IGNORED).all()


def test_stages_come_in_turn_with_their_length_and_share_of_blanks(stream: TokenStream) -> None:
    found = task(stream, "always masked")
    early, late = stage_steps(TINY.stages, found.config.steps)
    for first, steps, stage in zip((0, early), (early, late), TINY.stages, strict=True):
        batches = [found.batches.batch(step) for step in range(first, first + steps)]
        assert 0 < max(batch["tokens"].shape[1] for batch in batches) <= stage.context
        hidden = sum(int((batch["tokens"] == MASK_ID).sum()) for batch in batches)
        words = sum(int((batch["tokens"] >= len(SPECIAL)).sum()) for batch in batches) + hidden
        assert hidden / words == pytest.approx(stage.hidden, abs=0.03)


@pytest.mark.parametrize(("steps", "counts"), [(100, [10, 10, 80]), (4, [1, 1, 3])])
def test_stages_share_the_steps(steps: int, counts: list[int]) -> None:
    assert stage_steps(TRIED["helped"].stages, steps) == counts
    assert stage_steps(TRIED["plain"].stages, steps) == [steps]


@pytest.mark.parametrize("pairs", ["following", "next"])
def test_padding_is_less_than_a_twentieth(pairs: str) -> None:
    long = stream_of(text(documents=500))
    for context in (16, 32):
        packed = Pieces.of(long, context).batches(512, 0, pairs)
        assert 0 < padding_share(packed, range(len(packed))) < 0.05


# Networks.


@pytest.mark.parametrize("objective", ["left-to-right", "two one-way"])
@pytest.mark.parametrize("text", ["running text", "Pocket English"])
def test_all_networks_have_about_as_many_weights(objective: str, text: str) -> None:
    size = {"running text": 8_000, "Pocket English": 450}[text]

    def weights(name: str) -> int:
        kind = OBJECTIVES[name].network
        network = pretraining_bert.NETWORKS[kind](recipe(name, text, "laptop").config(size, kind))
        return sum(parameter.numel() for parameter in network.parameters())

    assert weights(objective) == pytest.approx(weights("masked"), rel=0.07)


@pytest.mark.parametrize("objective", ["masked", "left-to-right", "two one-way"])
def test_networks_begin_with_the_frequencies_and_the_spread(
    stream: TokenStream, objective: str
) -> None:
    network = begun(stream, OBJECTIVES[objective], replace(TINY, spread=0.1), 0)
    table, bias = tied_softmax(network)
    assert float(table.detach().std()) == pytest.approx(0.1, rel=0.1)
    words = bias.detach()[len(SPECIAL) :].softmax(0)
    assert int(words.argmax()) == 0 and float(words[0]) > 0.3
    if isinstance(network, TransformerBiLM):
        assert network.right_to_left.bias is bias


def test_vectors_of_word2vec_may_stand_at_the_beginning(
    stream: TokenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = torch.arange(45 * TINY.width).view(45, -1).float().numpy()
    asked: list[tuple] = []

    def train_compiled(*arguments: object) -> Trained:
        asked.append(arguments)
        return Trained(learned, learned, 1.0)

    monkeypatch.setattr(word2vec_compiled, "train_compiled", train_compiled)
    found = begun(stream, OBJECTIVES["masked"], replace(TINY, beginning=HELPED), 0)
    table = tied_softmax(found)[0].detach()
    seen = np.bincount(stream.ids, minlength=len(table)) > 0
    assert float(table[seen].std()) == pytest.approx(TINY.spread, rel=0.05)
    assert float((table[9] - table[8]).std()) < 1e-6 < float((table[9] - table[8]).mean())
    ((ids, owners, counts, how, _),) = asked
    assert len(ids) == len(owners) == counts.sum() and how.dimension == TINY.width
    assert np.flatnonzero(np.diff(owners)).tolist() == (stream.sentences[1:] - 1).tolist()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_learns(stream: TokenStream, objective: str) -> None:
    one, other = (task(stream, objective, steps=12) for _ in range(2))
    batch = one.batches.batch(0)
    before = float(one.network.loss(**batch)[0].detach())
    one.train()
    assert float(one.network.loss(**batch)[0].detach()) < before
    other.train()
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


# Recipes.


def test_all_objectives_try_the_same_recipes() -> None:
    assert tried("masked", "laptop") == TRIED and set(SEARCHED) < set(OBJECTIVES)
    searched = {OBJECTIVES[name].network for name in SEARCHED}
    assert searched == {one.network for one in OBJECTIVES.values()}
    for name in ("left-to-right", "two one-way"):
        left_out = TRIED.keys() - tried(name, "laptop").keys()
        assert left_out == {"helped, 15 % hidden"}


def test_compared_recipes_take_as_many_steps_of_as_many_tokens() -> None:
    chosen = [recipe(name, "running text", "laptop") for name in OBJECTIVES if name != WHOLE]
    shared = {(one.batch_tokens, one.passes, one.context, one.width) for one in chosen}
    assert len(shared) == 1 and set(CHOSEN) == set(OBJECTIVES) and set(COMPARED) < set(OBJECTIVES)


def test_the_network_of_the_scoreboard_reads_all_the_text() -> None:
    assert recipe(BERT_OBJECTIVE, "running text", "laptop").passes == 1
    assert recipe("masked+next", "running text", "laptop").passes < 1


def test_a_part_of_the_text_is_fewer_steps(stream: TokenStream) -> None:
    whole, part = (task(stream, "masked", replace(TINY, passes=share)) for share in (1, 0.5))
    assert part.config.steps == round(whole.config.steps / 2)


# What is kept.


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining_bert, "WORDS", {"smoke": 4_000})
        pretrained_bert("masked+next", 0, "smoke", folder, "Pocket English")
    return folder


def test_it_is_trained_once_and_then_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining_bert, "training_task", None)
    found = pretrained_bert("masked+next", 0, "smoke", cache, "Pocket English")
    assert not found.network.training and found.tokens_per_second > 0
    assert found.losses[-1] < found.losses[0] and len(found.steps) == len(found.losses)
    path = place("masked+next", 0, "smoke", cache, "Pocket English")
    assert {file.name for file in cache.iterdir()} == {path.name, snapshot_folder(path).name}


def test_weights_on_the_way_are_kept(cache: Path) -> None:
    path = place("masked+next", 0, "smoke", cache, "Pocket English")
    kept = snapshots(path)
    assert len(kept) >= 3 and list(kept) == sorted(kept)


def test_another_recipe_or_objective_is_another_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place("masked", 0, "laptop", cache, "Pocket English")
    assert place("masked", 1, "laptop", cache, "Pocket English") != before
    assert place("always masked", 0, "laptop", cache, "Pocket English").name != before.name
    monkeypatch.setattr(pretraining_bert, "VOCABULARY_SIZE", 10)
    assert place("masked", 0, "laptop", cache, "Pocket English") == before


@pytest.mark.parametrize(("objective", "text"), [("masked", "Latin"), ("reversed", "running text")])
def test_what_there_is_not_is_refused(cache: Path, objective: str, text: str) -> None:
    with pytest.raises(UserError, match=r"no BERT of '(Latin|reversed)'\. Choose"):
        pretrained_bert(objective, 0, "smoke", cache, text)
