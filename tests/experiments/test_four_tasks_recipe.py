"""The recipe of the experiment `four_tasks`, run at scale smoke."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nnlm2bert.experiments.four_tasks import experiment as four_tasks
from nnlm2bert.experiments.four_tasks.answers import SCALES
from nnlm2bert.experiments.four_tasks.material import STAGES, Material, asked_of, name_at, text_for
from nnlm2bert.experiments.records import Record
from nnlm2bert.experiments.runner import run
from nnlm2bert.experiments.scoreboard import score
from nnlm2bert.transfer import SpanRecipe, TranslationRecipe
from nnlm2bert.transfer.translation import WAYS as TRANSLATED_WAYS

pytest.importorskip("sacrebleu")

MEASURED = (
    "answers-tuned answers-left-to-right answers-vectors-random answers-vectors-word2vec "
    "answers-vectors-ELMo answers-vectors-GPT answers-vectors-BERT laboratory-answers-scratch "
    "translation-both-few laboratory-translation-scratch"
).split()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("four-tasks")


@pytest.fixture(scope="module")
def records(places: Path) -> Iterator[dict[str, Record]]:
    folders = {"results": places / "results", "workspace": places / "work"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNLM2BERT_CACHE", str(places / "cache"))
        found = run(four_tasks.EXPERIMENT, "smoke", seeds=[0], arms=MEASURED, **folders)
        yield {record.arm: record for record in found}


def test_every_stage_and_every_way_is_there_for_both_languages() -> None:
    names = [arm.name for arm in four_tasks.arms("laptop")]
    assert len(names) == len(set(names)) == 2 * (4 + 5 + 6) + 1
    for where in ("", "laboratory-"):
        assert {f"{where}answers-vectors-{stage}" for stage in STAGES} <= set(names)
        assert {f"{where}translation-{b}-few" for b in ("scratch", "encoder", "both")} <= set(names)
    ways = {a.config["way"] for a in four_tasks.arms("laptop") if a.config["kind"] == "translation"}
    assert ways < set(TRANSLATED_WAYS)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_a_record_tells_all_that_an_arm_depends_on(scale: str) -> None:
    for arm in four_tasks.arms(scale):
        config = json.loads(json.dumps(arm.config))
        kind = TranslationRecipe if config["kind"] == "translation" else SpanRecipe
        assert kind(**config["recipe"]).steps > 0
        assert ("pretraining" in config) is (config.get("stage") != "random")
        for made in config.get("pretraining", {}).values():
            assert made["text"] == text_for(name_at(config["task"], scale))
        if config["kind"] == "network":
            chosen = SCALES[name_at(config["task"], scale)][
                "smoke" if scale == "smoke" else "laptop"
            ]
            wanted = chosen.frozen if config["way"] == "frozen" else chosen.network
            assert config["recipe"]["steps"] == wanted.steps


def test_ways_of_translating_differ_in_their_beginning_alone() -> None:
    arms = {arm.name: dict(arm.config) for arm in four_tasks.arms("laptop")}
    for where in ("translation", "laboratory-translation"):
        for few in ("", "-few"):
            configs = [arms[f"{where}-{name}{few}"] for name in ("scratch", "encoder", "both")]
            assert len({config.pop("way") for config in configs}) == 3
            assert configs[0] == configs[1] == configs[2]


def test_one_side_is_compared_with_both_after_as_much_text() -> None:
    arms = {arm.name: dict(arm.config) for arm in four_tasks.arms("laptop")}
    for one, two in (
        ("answers-left-to-right", "answers-both-sides"),
        ("laboratory-answers-left-to-right", "laboratory-answers-tuned"),
    ):
        (left,), (both,) = (arms[name].pop("pretraining").values() for name in (one, two))
        assert left.pop("objective") != both.pop("objective") and left == both
        assert arms[one].pop("objective") != arms[two].pop("objective")
        assert arms[one] == arms[two]


def test_few_pairs_are_learned_in_fewer_steps() -> None:
    steps = {arm.name: arm.config["recipe"]["steps"] for arm in four_tasks.arms("laptop")}
    for task in four_tasks.TRANSLATED:
        name = four_tasks.arm_name(task, "both")
        assert 0 < steps[f"{name}-few"] < steps[name]


def test_only_the_laboratory_is_read_at_scale_smoke() -> None:
    assert name_at("answers", "smoke") == name_at("laboratory answers", "smoke")
    assert name_at("answers", "laptop") == "answers"
    assert (text_for("answers"), text_for("laboratory answers")) == (
        "running text",
        "Pocket English",
    )


@pytest.mark.parametrize("arm", MEASURED)
def test_figures_are_those_of_the_groups(records: dict[str, Record], arm: str) -> None:
    record = records[arm]
    wanted = {"sentences", "words"} if "translation" in arm else {"exact match", "F1"}
    assert set(record.groups) == wanted
    for name, group in record.groups.items():
        assert record.figures[name] == pytest.approx(score(group), abs=1e-4)


def test_records_are_small(places: Path, records: dict[str, Record]) -> None:
    paths = list((places / "results").rglob("*.json"))
    assert len(paths) == len(MEASURED)
    assert all(len(path.read_text(encoding="utf-8")) < 50 * 1024 for path in paths)


def test_all_are_asked_the_same(records: dict[str, Record]) -> None:
    sizes = [records[arm].groups["F1"]["tokens"] for arm in MEASURED if "answers" in arm]
    assert sizes == [sizes[0]] * len(sizes) and sum(sizes[0]) == 12


def test_a_seed_gives_the_same_and_another_one_not(
    records: dict[str, Record], places: Path
) -> None:
    (arm,) = (a for a in four_tasks.arms("smoke") if a.name == "translation-both-few")
    data = Material("smoke")
    again, other = (four_tasks.run(arm, seed, data, places) for seed in (0, 1))
    assert again.figures["nats"] == pytest.approx(
        records["translation-both-few"].figures["nats"], abs=1e-3
    )
    assert abs(other.figures["nats"] - again.figures["nats"]) > 1e-3


@pytest.mark.parametrize("stage", ["word2vec", "BERT"])
def test_vectors_of_a_stage_stay_as_they_are(records: dict[str, Record], stage: str) -> None:
    data = Material("smoke")
    task = data.answers("answers")
    encoder = data.encoder(stage, task)()
    (one, *_) = asked_of(task)
    with torch.no_grad():
        vectors = encoder([one.paragraph])
    assert vectors.shape == (1, len(one.paragraph), encoder.width)
    learned = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert learned == (set() if stage == "word2vec" else {"mix.w", "mix.gamma"})
