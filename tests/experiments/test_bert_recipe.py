"""The recipe of the experiment `bert`, run at scale smoke."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlm2bert.experiments.bert import cloze as bert_cloze
from nnlm2bert.experiments.bert import experiment as bert
from nnlm2bert.experiments.bert import measures as bert_measures
from nnlm2bert.experiments.bert import own_text
from nnlm2bert.experiments.bert import runs as bert_runs
from nnlm2bert.experiments.bert.material import Material
from nnlm2bert.experiments.bert.recipes import CHOSEN, COMPARED, OBJECTIVES, SEARCHED, TRIED, tried
from nnlm2bert.experiments.claims import CLAIMS
from nnlm2bert.experiments.records import Record, read_records
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import BLOCKS, score
from nnlm2bert.tokenizers.wordpiece import MASK_ID, SEPARATOR_ID
from nnlm2bert.transfer import FineTuning, Recipe

ARMS = {arm.name: arm for arm in bert.arms("smoke")}
MEASURED = (
    "recipes-two-one-way masked+next left-to-right cloze-masked cloze-left-to-right "
    "cloze-two-one-way chunks-masked-frozen sentiment-two-one-way-tuned entailment-masked-tuned "
    "entailment-own-text entailment-outside-text entailment-scratch entities-layers-last-four "
    "same-sense-masked-frozen same-sense-masked+next-tuned"
).split()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bert")


@pytest.fixture(scope="module")
def records(places: Path) -> Iterator[dict[str, Record]]:
    folders = {"results": places / "results", "workspace": places / "work"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        found = run(bert.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
        yield {record.arm: record for record in found}


@pytest.fixture(scope="module")
def material(records: dict[str, Record]) -> Material:
    return Material("smoke")


# The list of arms.


def test_each_objective_meets_each_task_in_both_ways() -> None:
    names = {arm.name for arm in bert.arms("laptop")}
    assert len(names) == len(bert.arms("laptop"))
    for task in bert.TASKS:
        assert f"{task}-scratch" in names
        for objective in COMPARED:
            for way in bert.WAYS:
                assert f"{task}-{bert.named(objective)}-{way}" in names


def test_claims_22_to_25_are_judged() -> None:
    assert [claim.id for claim in CLAIMS if claim.experiment == "bert"] == [22, 23, 24, 25]


def test_settings_of_a_record_make_the_recipes_again() -> None:
    for arm in bert.arms("laptop"):
        config = json.loads(json.dumps(arm.config))
        kind = {"frozen": bert_runs.as_head}.get(config.get("way"), lambda s: FineTuning(**s))
        kind = bert_runs.as_recipe if config["kind"] == "recipes" else kind
        for settings in config.get("recipes", {}).values():
            for one in settings if isinstance(settings, list) else [settings]:
                assert json.loads(json.dumps(dataclasses.asdict(kind(one)))) == one


def test_networks_learn_tasks_alike_but_for_their_rate() -> None:
    arms = {arm.name: arm.config for arm in bert.arms("laptop")}
    for task in bert.TASKS:
        ways = [arms[f"{task}-{bert.named(o)}-tuned"]["recipes"]["1,000"] for o in COMPARED]
        shared = [{k: v for k, v in way.items() if k != "encoder_rate"} for way in ways]
        assert all(one == shared[0] for one in shared) and ways[0]["auxiliary"] == 0.0
        heads = [arms[f"{task}-{bert.named(o)}-frozen"]["recipes"]["1,000"] for o in COMPARED]
        assert heads == [heads[0]] * 4 and Recipe(heads[0]["steps"]).batch_size == 32


def _recorded(arm: str) -> Record:
    found = [r for r in read_records() if (r.experiment, r.arm) == ("bert", arm)]
    if not found:
        pytest.skip(f"the arm {arm!r} is not recorded")
    return found[0]


def test_chosen_rates_are_the_best_of_those_tried() -> None:
    """Once they are recorded: of equal ones the first."""
    record = _recorded("rates")
    for name, changes in bert.TRIED_RATES.items():
        scores = [record.figures[f"{name} {n}"] for n in range(len(changes))]
        best = changes[scores.index(max(scores))]
        chosen = bert.tuning(name, "1,000", "laptop")
        assert {key: chosen[key] for key in best} == best


@pytest.mark.parametrize("objective", SEARCHED)
def test_chosen_recipes_are_the_best_of_those_tried(objective: str) -> None:
    """Once they are recorded: by the nats of held-out text."""
    record = _recorded(f"recipes-{bert.named(objective)}")
    nats = {name: record.figures[f"{name}, nats"] for name in record.config["recipes"]}
    best = min(nats, key=nats.__getitem__)
    kind = OBJECTIVES[objective].network
    alike = [name for name, own in OBJECTIVES.items() if own.network == kind]
    assert {CHOSEN[name] for name in alike} == {best}
    assert set(nats) == set(tried(objective, "laptop")) <= set(TRIED)


# What is recorded.


def test_records_are_small(places: Path, records: dict[str, Record]) -> None:
    paths = list((places / "results").rglob("*.json"))
    assert len(paths) == len(MEASURED)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        form = json.loads(text)
        names = [*form["figures"], *form["series"], *form["groups"]]
        assert len(text) < 50 * 1024 and max(map(len, names)) <= 60


@pytest.mark.parametrize("arm", [name for name in MEASURED if ARMS[name].config.get("task")])
def test_figures_are_those_of_the_groups(records: dict[str, Record], arm: str) -> None:
    record = records[arm]
    assert list(record.groups) == list(ARMS[arm].config["recipes"])
    for labels, group in record.groups.items():
        figure = next(value for name, value in record.figures.items() if name.startswith(labels))
        assert figure == pytest.approx(score(group), abs=1e-4)
        assert len(group["tokens"]) <= BLOCKS


def test_a_seed_gives_the_same_and_another_one_not(
    records: dict[str, Record], material: Material, places: Path
) -> None:
    arm = ARMS["entailment-own-text"]
    folders = [places / name for name in ("again", "other")]
    again, other = (bert.run(arm, seed, material, folder) for seed, folder in enumerate(folders))
    assert dict(again.groups) == records["entailment-own-text"].groups != dict(other.groups)


def test_a_search_tells_of_each_recipe(records: dict[str, Record]) -> None:
    record = records["recipes-two-one-way"]
    for name in record.config["recipes"]:
        assert 0 < record.figures[f"{name}, nats"] < 20
        assert len(record.series[f"{name}, losses"]) == len(record.series[f"{name}, steps"])


def test_the_way_begins_untrained_and_doubles(records: dict[str, Record]) -> None:
    for name in ("masked+next", "left-to-right"):
        series = records[name].series
        steps = series["step"]
        assert steps[0] == 0 and steps[2:] == [2 * step for step in steps[1:-1]]
        assert len(series["nats"]) == len(steps)
    assert {"next", "order"} <= set(records["masked+next"].groups)
    assert "next" not in records["left-to-right"].groups
    assert len(records["masked+next"].series["order"]) == len(steps)
    nats = records["left-to-right"].series["nats"]
    assert nats[-1] < nats[0]


def test_all_networks_are_asked_for_the_same_words(records: dict[str, Record]) -> None:
    groups = [records[f"cloze-{n}"].groups for n in ("masked", "left-to-right", "two-one-way")]
    for name in ("cloze", "cloze right", "right", "left"):
        sizes = [group[name]["tokens"] for group in groups]
        assert sizes == [sizes[0]] * 3 and sum(sizes[0]) > 20
    assert [("right, whole" in group) for group in groups] == [False, True, False]


def test_as_much_is_read_from_outside(records: dict[str, Record]) -> None:
    own, outside = (
        records[f"entailment-{text}-text"].figures["tokens read"] for text in own_text.TEXTS
    )
    assert 0.95 * own < outside <= own


def test_only_what_a_task_is_learned_from_is_its_own_text(material: Material) -> None:
    task, stream = material.task("entailment"), material.stream(material.text)
    found = own_text.sentences_of(task, bert_runs.SubwordEncoder(stream.tokenizer))
    sentences = {s for example in task.splits["train"] for s in example.sentences}
    assert len(found.starts) == len(sentences) == int((found.ids == SEPARATOR_ID).sum())


# Words left out.


class Told:
    """Stands for a network: says of the blanks what it is told."""

    def __init__(self, chances: torch.Tensor) -> None:
        self.chances = chances
        self.asked: list[tuple] = []

    def __call__(self, network, tokens, blanks, frequencies, inside, segments) -> torch.Tensor:
        self.asked.append((tokens, blanks, segments))
        return self.chances.expand(len(tokens), -1)


def test_places_are_equally_many_of_both_words_and_in_order(material: Material) -> None:
    texts = material.held_out_pieces(material.text, 64, 1_500)
    for side in bert_cloze.PAIRS:
        asked = bert_cloze.places(texts, material.pairs(side))
        counts = Counter((place.pair, place.tokens[place.place]) for place in asked)
        for name, pair in material.pairs(side).items():
            assert counts[name, pair[0]] == counts[name, pair[1]]
        assert asked and all(p.other != p.tokens[p.place] for p in asked)


def test_a_word_is_preferred_beside_its_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    chances = torch.tensor([[-9.0] * 5 + [-1.0, -2.0]])
    frequencies = torch.tensor([-9.0] * 5 + [-0.5, -3.0])
    told = Told(chances)
    monkeypatch.setattr(bert_cloze, "blank_log_probabilities", told)
    common = bert_cloze.Place((2, 5, 3, 6, 3), 1, 6, "5 / 6")
    rare = bert_cloze.Place((2, 6, 3), 1, 5, "5 / 6")
    right = bert_cloze.decided(None, frequencies, [common, rare])
    assert right.tolist() == [False, True]
    ((tokens, blanks, segments),) = told.asked
    assert tokens[blanks].tolist() in ([5, 6], [6, 5]) and blanks.sum() == 2
    assert segments[tokens[:, 3] == 6].tolist() == [[0, 0, 0, 1, 1]]
    assert bert_cloze.by_pair(right, [common, rare]) == {"5 / 6": 0.5}


@pytest.mark.parametrize("objective", ["masked", "left-to-right", "two one-way"])
def test_what_stands_at_a_blank_is_not_read(material: Material, objective: str) -> None:
    network = material.pretrained(objective).network
    tokens = torch.tensor([[2, 9, 10, 11, 12, 3]])
    blanks = torch.tensor([[False, False, True, False, False, False]])
    frequencies = material.frequencies()
    found = [
        bert_cloze.blank_log_probabilities(network, row, blanks, frequencies)
        for row in (tokens, tokens.masked_fill(blanks, 20))
    ]
    assert torch.equal(*found)
    assert float(found[0].exp().sum()) == pytest.approx(1, rel=1e-4)
    moved = torch.where(torch.arange(6) == 3, 30, tokens)
    other = bert_cloze.blank_log_probabilities(network, moved, blanks, frequencies)
    assert torch.equal(found[0], other) is (objective == "left-to-right")


def test_the_whole_is_read_with_the_one_and_the_other_word(material: Material) -> None:
    gpt, frequencies = material.pretrained("left-to-right").network, material.frequencies()
    place = bert_cloze.Place((2, 9, 10, 11, 12, 3), 2, 13, "pair")
    totals = []
    for word in (10, 13):
        row = torch.tensor([[2, 9, word, 11, 12, 3]])
        with torch.no_grad():
            chances = gpt.logits(gpt(row))[0, :-1].log_softmax(dim=1)
        totals.append(float(chances[torch.arange(5), row[0, 1:]].sum() - frequencies[word]))
    (right,) = bert_cloze.decided_by_whole(gpt, frequencies, [place]).tolist()
    assert right is (totals[0] > totals[1])


# Held-out text.


def test_a_hidden_word_costs_what_the_network_says(material: Material) -> None:
    bert_network = material.pretrained("masked").network
    texts = material.held_out_pieces(material.text, 64, 300)
    found = bert_measures.held_out(bert_network, OBJECTIVES["masked"], texts)
    words = [text.sentences.lengths(text.pieces).sum() for text in texts]
    assert sum(found["tokens"]) == pytest.approx(0.15 * int(sum(words)), rel=0.2)
    batch = {
        "tokens": torch.tensor([[2, 9, MASK_ID, 3], [2, MASK_ID, 3, 0]]),
        "targets": torch.tensor([[-100, -100, 8, -100], [-100, 9, -100, -100]]),
        "inside": torch.tensor([[True] * 4, [True, True, True, False]]),
    }
    costs = bert_measures.predicted(bert_network, batch)
    with torch.no_grad():
        vectors = bert_network(batch["tokens"], batch["inside"])
        wanted = -bert_network.logits(vectors).log_softmax(dim=2)
    np.testing.assert_allclose(costs, [wanted[0, 2, 8], wanted[1, 1, 9]], rtol=1e-4)


def test_both_directions_of_two_readers_count(material: Material) -> None:
    network = material.pretrained("two one-way").network
    inside = torch.tensor([[True] * 4, [True, True, True, False]])
    batch = {"tokens": torch.tensor([[2, 9, 10, 3], [2, 9, 3, 0]]), "inside": inside}
    assert len(bert_measures.predicted(network, batch)) == 2 * (3 + 2)


def test_pairs_are_told_by_the_likelier_relation(material: Material) -> None:
    network = copy.deepcopy(material.pretrained("masked+next").network)
    texts = material.held_out_pieces(material.text, 64, 600)
    for constant in (0, 1):
        network.relation.weight.data.zero_()
        network.relation.bias.data = torch.tensor([1.0 - constant, float(constant)])
        sources = bert_measures.in_blocks(texts, "next")
        found = bert_measures.relation_answers(network, sources)
        relations = [b["relations"] for packed in sources for b in bert_measures.once(packed)]
        assert sum(found["nats"]) == int((torch.cat(relations) == constant).sum()) > 0
