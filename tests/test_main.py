"""The command line, as a reader meets it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

from nnlm2bert import __version__, experiments
from nnlm2bert.__main__ import main
from nnlm2bert.errors import UserError
from nnlm2bert.experiments import bench
from nnlm2bert.experiments.bench import Bench, Report
from nnlm2bert.experiments.runner import Arm, Experiment, Result

BLOCKED = ("torch", "numpy", "datasets", "matplotlib", "pandas", "tqdm", "requests", "pooch")
WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Blocker())
from nnlm2bert.__main__ import main
sys.exit(main({argv}))
"""


@pytest.fixture(autouse=True)
def quiet():
    """Leave the package's logger as it was."""
    logger = logging.getLogger("nnlm2bert")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """An experiment `toy` with two arms, and a cache of its own."""

    def run(arm, seed, data, workspace, *, device):
        if arm.config["n"] == 0:
            raise UserError("The text is empty. Choose another.")
        return Result({"perplexity": 10.0 * arm.config["n"] + seed})

    arms = (Arm("one", {"n": 1}), Arm("two", {"n": 2}), Arm("none", {"n": 0}))
    experiment = Experiment("toy", "A toy", lambda scale: arms, lambda scale: None, run)
    monkeypatch.setattr(experiments, "load", lambda name: {"toy": experiment}[name])
    monkeypatch.setenv("NNLM2BERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NNLM2BERT_RESULTS", raising=False)


def without_heavy_modules(argv):
    code = WITHOUT.format(blocked=set(BLOCKED), argv=argv)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8"
    )


@pytest.mark.parametrize("format_", ["text", "json", "markdown"])
def test_claims_need_no_torch(format_):
    done = without_heavy_modules(["claims", "--format", format_])
    assert done.returncode == 0, done.stderr
    assert "Kneser-Ney" in done.stdout and done.stderr == ""


def test_claims_as_json(capsys):
    assert main(["claims", "--json", "--chapter", "1"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [5, 6, 7]


def test_claims_of_a_chapter_without_any(capsys):
    assert main(["claims", "--chapter", "12"]) == 1
    assert capsys.readouterr().err == "error: No claim belongs to chapter 12.\n"


def test_smoke_run_is_recorded_in_the_cache(toy, capsys, tmp_path):
    assert main(["reproduce", "toy", "--arms", "one", "two", "--seeds", "0", "1"]) == 0
    paths = capsys.readouterr().out.splitlines()
    root = tmp_path / "cache" / "results" / "toy" / "smoke"
    assert paths == [
        str(root / arm / f"seed-{seed}.json") for seed in (0, 1) for arm in ("one", "two")
    ]
    assert all(map(os.path.isfile, paths))
    assert main(["reproduce", "toy", "--arms", "one", "two", "--seeds", "0", "1"]) == 0
    assert capsys.readouterr().out == ""


def test_results_go_where_told(toy, tmp_path, capsys):
    folder = tmp_path / "here"
    assert main(["reproduce", "toy", "--arms", "two", "--results", str(folder)]) == 0
    assert (folder / "toy" / "smoke" / "two" / "seed-0.json").is_file()


def test_list_says_what_is_recorded(toy, capsys):
    main(["reproduce", "toy", "--arms", "two"])
    capsys.readouterr()
    assert main(["reproduce", "toy", "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "one, seed 0: not recorded",
        "two, seed 0: recorded",
        "none, seed 0: not recorded",
    ]


def test_list_of_experiments(toy, monkeypatch, capsys):
    monkeypatch.setattr(experiments, "EXPERIMENTS", ("toy",))
    assert main(["reproduce", "--list"]) == 0
    assert capsys.readouterr().out == "toy: A toy\n"
    assert main(["reproduce"]) == 1
    assert capsys.readouterr().err == "error: Which experiment? Name one of: toy.\n"


def test_error_of_the_reader_is_one_message(toy, capsys):
    assert main(["reproduce", "toy", "--arms", "none"]) == 1
    shown = capsys.readouterr().err
    assert shown.endswith("error: The text is empty. Choose another.\n")
    assert "Traceback" not in shown


def test_interruption_is_no_traceback(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nnlm2bert.experiments.claims.ledger", interrupt)
    assert main(["claims"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_unknown_experiment_and_bench_name_those_that_exist(capsys):
    assert main(["reproduce", "nlm"]) == 1
    assert "There is no experiment 'nlm'. Choose one of: images, nnlm" in capsys.readouterr().err
    assert main(["bench", "nlm"]) == 1
    assert "There is no bench 'nlm'. Choose one of: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["reproduce", "nnlm", "--seeds", "-1"],
        ["reproduce", "nnlm", "--scale", "desk"],
        ["reproduce", "nnlm", "--threads", "0"],
        ["train"],
        [],
    ],
)
def test_wrong_usage_exits_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: python -m nnlm2bert" in capsys.readouterr().err


@pytest.mark.parametrize(("equal", "code"), [(True, 0), (False, 1)])
def test_bench_prints_json_and_fails_if_results_differ(monkeypatch, capsys, equal, code):
    def run(repeats):
        return Report("toy", "ms", 1.0, 3.0, 3.0, equal, repeats)

    monkeypatch.setattr(bench, "load", lambda name: Bench(name, run))
    assert main(["bench", "toy", "--json", "--repeats", "5"]) == code
    shown = json.loads(capsys.readouterr().out)
    assert (shown["ratio"], shown["equal"], shown["repeats"]) == (3.0, equal, 5)


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"nnlm2bert {__version__}\n"


def test_reader_who_stops_reading_sees_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "nnlm2bert", "claims"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
