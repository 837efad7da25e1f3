"""A GPU is used where there is one and it is of use; what cannot use it says so and runs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import torch

from nnlm2bert import experiments
from nnlm2bert.__main__ import main
from nnlm2bert.errors import UserError
from nnlm2bert.experiments import devices, runner
from nnlm2bert.experiments.bert.material import Material as BERTMaterial
from nnlm2bert.experiments.elmo.material import Material as ELMoMaterial
from nnlm2bert.experiments.family_tree.running import FamilyMaterial
from nnlm2bert.experiments.four_tasks.material import Material as FourTasksMaterial
from nnlm2bert.experiments.gpt.material import Material as GPTMaterial
from nnlm2bert.experiments.runner import Arm, Experiment, Result

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CPU_ONLY = {"word2vec", "bert_laboratory"}
CARD = "Tesla T4"
NETWORKS = runner.OfKinds(("network",))
ARMS = (Arm("count", {"kind": "n-gram"}, seeds=False), Arm("learn", {"kind": "network"}))


class Stop(Exception):
    """Raised where training would begin."""


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: CARD)


@pytest.fixture
def toy():
    """An experiment one of whose two arms can use a GPU; its figure is where it was measured."""

    def run(arm, seed, data, workspace, *, device):
        return Result({"on the GPU": float(device == "cuda")})

    def make(on_gpu=NETWORKS) -> Experiment:
        return Experiment("toy", "A toy", lambda scale: ARMS, str, run, on_gpu=on_gpu)

    return make


def measured(experiment, tmp_path, **options):
    """Run all arms and return their records by arm."""
    folders = {"results": tmp_path / "results", "workspace": tmp_path / "runs"}
    return {r.arm: r for r in runner.run(experiment, "laptop", **folders, **options)}


def test_each_record_says_where_it_was_measured(gpu, toy, tmp_path):
    found = measured(toy(), tmp_path, device="cuda")
    assert found["learn"].device == CARD and found["learn"].command.endswith("--device cuda")
    assert found["count"].device != CARD and "--device" not in found["count"].command
    assert {arm: r.figures["on the GPU"] for arm, r in found.items()} == {"count": 0, "learn": 1}


def test_what_cannot_use_a_gpu_runs_without_one(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = measured(toy(runner.never), tmp_path, device="cuda")
    assert {r.figures["on the GPU"] for r in found.values()} == {0}
    assert measured(toy(), tmp_path, device="cuda", arms=["count"], force=True)
    with pytest.raises(UserError, match="No CUDA device is at hand"):
        measured(toy(), tmp_path, device="cuda", force=True)


def test_gpu_is_chosen_where_it_is_there_and_of_use(gpu, toy, monkeypatch):
    assert devices.choose_device(toy()) == "cuda"
    assert devices.choose_device(toy(runner.never)) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose_device(toy()) == "cpu"


def test_a_sentence_says_where(toy):
    expected = "A toy: measured on the GPU; 1 of 2 settings, which cannot use it, on the CPU."
    assert devices.where(toy(), "laptop", "cuda") == expected
    assert devices.where(toy(), "laptop", "cuda", ["learn"]) == "A toy: measured on the GPU."
    assert devices.where(toy(), "laptop", "cpu") == "A toy: measured on the CPU."
    for asked in (toy(runner.never), None), (toy(), ["count"]):
        assert "cannot use a GPU" in devices.where(asked[0], "laptop", "cuda", asked[1])


def test_command_tells_what_cannot_use_a_gpu(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiments, "load", lambda name: toy(runner.never))
    monkeypatch.setenv("NNLM2BERT_CACHE", str(tmp_path))
    command = ["reproduce", "toy", "--device", "cuda", "--results", str(tmp_path / "results")]
    assert main(command) == 0
    assert "cannot use a GPU" in capsys.readouterr().err


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_every_experiment_knows_its_arms_that_can(name, scale):
    experiment = experiments.load(name)
    able = [experiment.on_gpu(arm) for arm in experiment.arms(scale)]
    assert any(able) == (name not in CPU_ONLY)


@pytest.mark.parametrize("name", sorted(set(experiments.EXPERIMENTS) - CPU_ONLY))
def test_kinds_named_are_kinds_there_are(name):
    """A kind that is misspelt would send its arms to the CPU."""
    experiment = experiments.load(name)
    kinds = {arm.config.get("kind") for arm in experiment.arms("laptop") if experiment.on_gpu(arm)}
    named = getattr(experiment.on_gpu, "kinds", kinds)
    assert set(named) == kinds


@pytest.mark.parametrize(
    ("material", "trainer", "ask"),
    [
        (GPTMaterial, "gpt.material.pretrained_gpt", lambda m: m.pretrained("running text")),
        (ELMoMaterial, "elmo.material.pretrained_bilm", lambda m: m.contextual),
        (BERTMaterial, "bert.material.pretrained_bert", lambda m: m.pretrained("masked")),
        (FamilyMaterial, "family_tree.running.pretrained", lambda m: m.pretrained("masked")),
        (
            FourTasksMaterial,
            "four_tasks.material.pretraining_bert.pretrained_bert",
            lambda m: m.network("masked", "running text"),
        ),
        (
            FourTasksMaterial,
            "four_tasks.material.pretraining_gpt.pretrained_gpt",
            lambda m: m.reader("GPT", "running text"),
        ),
    ],
)
def test_pretraining_is_where_the_arm_is_measured(material, trainer, ask, monkeypatch):
    told = []

    def train(*arguments):
        told.append(arguments[-1])
        raise Stop

    monkeypatch.setattr(f"nnlm2bert.experiments.{trainer}", train)
    data = material("laptop")
    data.device = "cuda"
    with pytest.raises(Stop):
        ask(data)
    assert told == ["cuda"]


@pytest.mark.parametrize("name", ["elmo", "gpt", "bert", "four_tasks", "family_tree"])
def test_run_tells_its_material_the_device(name):
    experiment = experiments.load(name)
    data = experiment.prepare("smoke")
    assert data.device == "cpu"
    with pytest.raises(KeyError):
        experiment.run(Arm("none", {"kind": None}), 0, data, Path(), device="cuda")
    assert data.device == "cuda"


def test_transformer_reads_real_text_on_the_device(monkeypatch):
    told = {}

    def train(*arguments, device="cpu", **options):
        told["device"] = device
        raise Stop

    monkeypatch.setattr("nnlm2bert.experiments.transformer.text.train", train)
    monkeypatch.setattr(
        "nnlm2bert.experiments.transformer.text.tuned", lambda *_: {"rate 0.001, dropout 0": 1.0}
    )
    monkeypatch.setattr("nnlm2bert.experiments.transformer.text.best", lambda tried: (1e-3, 0.0))
    experiment = experiments.load("transformer")
    (arm,) = [a for a in experiment.arms("smoke") if a.config["kind"] == "small text"][:1]
    with pytest.raises(Stop):
        experiment.run(arm, 0, experiment.prepare("smoke"), Path(), device="cuda")
    assert told == {"device": "cuda"}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_switch_of_a_chapter_chooses_openly(path):
    """Where a chapter runs an experiment, its cell chooses the device and says so."""
    cells = nbformat.read(path, as_version=4).cells
    running = [c.source for c in cells if c.cell_type == "code" and "runner.run(" in c.source]
    for source in running:
        assert "device = devices.choose_device(experiment)" in source
        assert "print(devices.where(experiment" in source
        assert "device=device" in source
