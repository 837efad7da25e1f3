"""The recipe of the experiment `gpt`, run at scale smoke."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.gpt import experiment as gpt
from nnlm2bert.experiments.gpt import judges
from nnlm2bert.experiments.gpt import laboratory as gpt_laboratory
from nnlm2bert.experiments.gpt import measures as gpt_measures
from nnlm2bert.experiments.gpt.material import ANSWERS, CHOICE, POCKET, PROMPTS, Material
from nnlm2bert.experiments.records import read_records
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import BLOCKS, score
from nnlm2bert.synthetic.items import CUES
from nnlm2bert.tokenizers.fast_bpe import END_ID
from nnlm2bert.transfer import Example, FineTuning, Task, draw

ARMS = {arm.name: arm for arm in gpt.arms("smoke")}
MEASURED = (
    "GPT laboratory sentiment-tuned sentiment-scratch relatedness-frozen acceptability-scratch "
    "sentiment-layers-0 entailment-frozen"
).split()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("gpt")


@pytest.fixture(scope="module")
def records(places):
    folders = {"results": places / "results", "workspace": places / "work"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        found = run(gpt.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
        yield {record.arm: record for record in found}


@pytest.fixture(scope="module")
def material(records):
    return Material("smoke")


def test_arms_are_tasks_by_ways_and_layers():
    ways = {f"{task}-{way}" for task in gpt.TASKS for way in gpt.WAYS}
    layers = {f"{task}-layers-{k}" for task in gpt.BY_LAYER for k in range(4)}
    others = {"GPT", "GPT-Pocket-English", "rates", "laboratory", "choice-tuned", "choice-scratch"}
    assert {arm.name for arm in gpt.arms("laptop")} == ways | layers | others


def test_claims_17_to_19_are_judged():
    assert [claim.id for claim in CLAIMS if claim.experiment == "gpt"] == [17, 18, 19]


def test_records_are_small(places, records):
    for path in (places / "results").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        form = json.loads(text)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(text) < 50 * 1024 and max(map(len, names)) <= 60


def test_figures_are_those_of_the_groups(records):
    for arm in MEASURED[2:]:
        record = records[arm]
        assert list(record.groups) == list(ARMS[arm].config["recipes"])
        for labels, group in record.groups.items():
            figure = next(
                v for n, v in record.figures.items() if n.startswith(labels) and "examples" not in n
            )
            assert figure == pytest.approx(score(group), abs=1e-4)
            assert len(group["tokens"]) <= BLOCKS
    tuned, scratch = (records[f"sentiment-{way}"].groups["all"] for way in ("tuned", "scratch"))
    assert tuned["tokens"] == scratch["tokens"] and tuned["nats"] != scratch["nats"]


def test_acceptability_has_its_accuracy_beside(records):
    figures = records["acceptability-scratch"].figures
    assert {"30 Matthews", "30 accuracy", "all Matthews", "all accuracy"} <= set(figures)


def test_a_seed_gives_the_same_and_another_one_not(records, material, places):
    arm = ARMS["entailment-frozen"]
    again, other = (gpt.run(arm, seed, material, places) for seed in (0, 1))
    assert dict(again.groups) == records["entailment-frozen"].groups != dict(other.groups)


def test_settings_of_a_record_make_the_recipe_again():
    for arm in gpt.arms("laptop"):
        for settings in arm.config.get("recipes", {}).values():
            for one in settings if isinstance(settings, list) else [settings]:
                assert dataclasses.asdict(FineTuning(**one)) == one


def test_ways_share_steps_and_differ_as_told():
    arms = {arm.name: arm.config for arm in gpt.arms("laptop")}
    tuned, scratch, no_aux = (
        arms[f"sentiment-{way}"]["recipes"]["1,000"] for way in ("tuned", "scratch", "no-aux")
    )
    assert tuned == dataclasses.asdict(FineTuning(400))
    assert tuned["auxiliary"] == 0.5 and no_aux == {**tuned, "auxiliary": 0.0}
    assert scratch["steps"] == tuned["steps"] and arms["sentiment-scratch"]["layers"] == 0
    layers = arms["sentiment-layers-2"]
    assert layers["recipes"] == {"1,000": tuned} and layers["layers"] == 3


def test_chosen_rates_are_the_best_of_those_tried():
    """Once they are recorded: of equal ones the first."""
    found = [r for r in read_records() if (r.experiment, r.arm) == ("gpt", "rates")]
    if not found:
        pytest.skip("the arm 'rates' is not recorded")
    arms = {arm.name: arm.config for arm in gpt.arms("laptop")}
    for way, recipes in found[0].config["recipes"].items():
        scores = [found[0].figures[f"{way} {n}"] for n in range(len(recipes))]
        chosen = arms[f"sentiment-{way}"]["recipes"]["1,000"]
        best = gpt.TRIED[way][scores.index(max(scores))]
        assert {name: chosen[name] for name in best} == best


# The network itself, and on the way.


def test_the_way_begins_untrained_and_doubles(records):
    record = records["GPT"]
    steps = record.series["step"]
    assert steps[0] == 0 and all(b == 2 * a for a, b in pairwise(steps[1:]))
    names = ("zero-shot", "zero-shot by rank", "zero-shot area", "zero-shot acceptability", POCKET)
    assert all(len(record.series[name]) == len(steps) for name in names)
    for n in range(len(steps)):
        assert score(record.groups[f"zero-shot {n}"]) == pytest.approx(
            record.series["zero-shot"][n], abs=1e-6
        )
    perplexities = record.series[POCKET]
    assert perplexities[-1] < perplexities[0] and min(perplexities) > 1


def test_the_untrained_network_knows_how_frequent_tokens_are_and_no_more(material):
    untrained, trained = material.untrained(POCKET), material.pretrained(POCKET).gpt
    chances = untrained.bias.detach().softmax(dim=0)
    assert float(chances.sum()) == pytest.approx(1) and float(chances.max()) > 0.03
    weights = (network.layers[1].attention.output.weight for network in (untrained, trained))
    assert not torch.equal(*weights)


def test_each_token_of_a_stream_is_predicted_once_from_half_a_context_or_all(material):
    network = material.pretrained(POCKET).gpt
    ids = material.held_out(POCKET)[POCKET].ids[:200]
    found = gpt_measures.stream_costs(network, ids)
    half, tokens = network.config.context // 2, torch.from_numpy(ids.astype(np.int64))
    assert len(found) == len(ids) - 1
    for target in (1, 5, half, 2 * half, 2 * half + 1, 3 * half, 150, len(ids) - 1):
        start = 0 if target <= 2 * half else (target - 1) // half * half - half
        row = tokens[start:target].unsqueeze(0)
        with torch.no_grad():
            wanted = -network.logits(network(row))[0, -1].log_softmax(dim=0)[tokens[target]]
        assert float(found[target - 1]) == pytest.approx(float(wanted), rel=1e-3), target


def test_perplexity_by_the_word_does_not_depend_on_the_tokens():
    class Stream:
        words = 10

        def __init__(self, tokens):
            self.tokens = tokens

        def __len__(self):
            return self.tokens

    one = gpt_measures.perplexity_by_word(Stream(20), torch.full((7,), 1.0))
    other = gpt_measures.perplexity_by_word(Stream(40), torch.full((7,), 0.5))
    assert one == pytest.approx(math.exp(2)) == pytest.approx(other)


def test_by_rank_as_many_are_taken_as_told():
    scores = torch.tensor([0.3, -1.0, 2.0, 0.1, 5.0])
    assert gpt_measures.highest(scores, 0.4).tolist() == [False, False, True, False, True]
    assert gpt_measures.highest(scores, 0.0).sum() == 0 and gpt_measures.highest(scores, 1.0).all()


class Leaning:
    """Says of each prompt what it is told, in the place of `choose`."""

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, gpt, encoder, sentences, words, hint, begin):
        assert (words, hint, begin) == (("cry", "smile"), ("so", "they"), END_ID)
        assert not any("." in sentence for sentence in sentences)
        return torch.tensor(self.rows)


def test_sentiment_that_was_not_taught_is_the_likelier_word(monkeypatch):
    def example(label):
        return Example((("it", "is", "good", "."),), label)

    splits = {"train": [example(0), example(2)], "test": [*map(example, (0, 2, 1, 0, 2))]}
    task = Task("sentiment", "sentence", "accuracy", ("bad", "neither", "good"), splits)
    rows = [[-1.0, -3.0], [-2.0, -2.5], [-4.0, -7.0], [-5.0, -5.1]]  # the neutral one is left out
    monkeypatch.setattr(gpt_measures, "choose", Leaning(rows))
    likelier, by_rank, area = gpt_measures.untaught_sentiment(None, None, task, PROMPTS[POCKET])
    assert (sum(likelier["nats"]), sum(by_rank["nats"]), area) == (2, 4, 1.0)


def test_matthews_correlation_is_that_of_scikit_learn(material):
    from sklearn.metrics import matthews_corrcoef

    task = material.task("acceptability")
    test = task.splits["test"]
    generator = np.random.default_rng(0)
    said = [e.label if generator.random() < 0.7 else 1 - e.label for e in test]
    gold = [example.label for example in test]
    found = score(gpt_measures.units(task, said, test))
    assert found == pytest.approx(matthews_corrcoef(gold, said), abs=1e-3)
    assert gpt_measures.measure_for(task)([1] * len(test), test) == 0


# Tasks of the laboratory.


def test_four_documents_share_their_answers(material):
    task = material.task(CHOICE)
    assert {name: len(rows) for name, rows in task.splits.items()} == {
        "train": 88,
        "validation": 28,
        "test": 60,
    }
    for rows in task.splits.values():
        for start in range(0, len(rows), ANSWERS):
            four = rows[start : start + ANSWERS]
            assert len({frozenset(e.sentences[1:]) for e in four}) == 1
            assert len({e.sentences[1 + e.label] for e in four}) == ANSWERS
    split_of = {}
    for name, rows in task.splits.items():
        for sentence in {s for e in rows for s in e.sentences}:
            assert split_of.setdefault(sentence, name) == name


def test_right_answers_stand_anywhere(material):
    labels = [e.label for e in material.task(CHOICE).splits["train"]]
    assert {*labels} == {*range(ANSWERS)}
    assert len(draw(material.task(CHOICE), 30, 0)) == 30


def test_verbs_in_the_right_and_the_wrong_number_are_equally_many(material):
    task = material.task("acceptability")
    for rows in task.splits.values():
        assert abs(sum(e.label for e in rows) - len(rows) / 2) <= 1


# The laboratory.


def test_the_laboratory_is_measured_beside_its_limits(records):
    record = records["laboratory"]
    assert record.figures["GPT, bits"] > record.figures["limit, bits"] > 0
    assert record.groups["GPT"]["tokens"] == record.groups["limit"]["tokens"]
    whos = ("GPT at the word", "GPT and at the end", "best reader of left", "best reader of both")
    for cue in CUES:
        sizes = {str(record.groups[f"sense: {who}, cue {cue}"]["tokens"]) for who in whos}
        assert len(sizes) == 1
    for question in (judges.near_its_limit, judges.right_side_missing, judges.end_of_sentence):
        laptop = dataclasses.replace(record, scale="laptop")
        assert question([laptop]).verdict != "not yet measured"


def test_best_readers_know_what_the_cue_says(records):
    figures = records["laboratory"].figures
    told = {cue: figures[f"sense: best reader of left, cue {cue}"] for cue in CUES}
    assert told["left"] == told["either"] == 1 and told["right"] < 0.7
    assert all(figures[f"sense: best reader of both, cue {cue}"] == 1 for cue in CUES)
    costs = [figures[f"word: limit of {side}, cue right"] for side in ("the left", "both sides")]
    assert costs[0] > costs[1] + 1


@pytest.fixture(scope="module")
def items():
    from nnlm2bert.synthetic import PocketEnglish

    return gpt_laboratory.seen_items(PocketEnglish(), 12, 9)


def test_each_item_is_a_document_with_its_word(items):
    sample = items.seen.documents.sample
    assert (sample.ids == sample.language.end_id).sum() == 12
    assert items.seen.owners.tolist() == list(range(12)) and (items.seen.senses > 0).all()


def test_vectors_are_those_of_the_layers_at_the_place(items):
    chosen = gpt_laboratory.recipe("smoke").config
    torch.manual_seed(0)
    network = gpt_laboratory.begun(chosen).eval()
    found = gpt_laboratory.vectors_at(network, items.seen.documents, items.seen.places)
    words, _, _ = items.seen.documents.sequences(np.array([3]))
    place = int(items.seen.places[3] - items.seen.documents.starts[3]) + 1
    assert words[0, place] == items.seen.words[3]
    with torch.no_grad():
        layers = gpt_laboratory.layer_vectors(network, words)
    wanted = torch.cat([layer[0, place] for layer in layers])
    np.testing.assert_allclose(found[3], wanted.numpy(), rtol=1e-3, atol=1e-4)


def test_the_laboratorys_weights_begin_as_those_of_chapter_4():
    network = gpt_laboratory.begun(gpt_laboratory.recipe("laptop").config)
    spread = network.layers[0].tokens.weight.detach().std()
    assert float(spread) == pytest.approx(96**-0.5, rel=0.05)
    inner = network.layers[1].feed_forward.inner.weight
    assert float(inner.detach().abs().max()) <= 96**-0.5
