"""The files of the page are those that the manifest describes, and the code that made them."""

from __future__ import annotations

import argparse
import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nnlm2bert.__main__ import main
from nnlm2bert.experiments.live import examples, export, files, grammar, networks
from nnlm2bert.experiments.live.answers import Answers, among_words, gap
from nnlm2bert.experiments.live.letters import Letters, unspelled
from nnlm2bert.experiments.live.networks import COMMON_SOURCES, NETWORKS
from nnlm2bert.models.elmo import BiLM
from nnlm2bert.synthetic import PocketEnglish

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / files.FOLDER
MANIFEST = files.read_manifest(FOLDER)
EXPORTED = list(MANIFEST["networks"])
MOST_BYTES, MOST_CODE = 300_000, 50_000
PAGES = {"bert": ("gpt", "bert")}


def copied(folder: Path) -> Path:
    """The files of the page in another folder."""
    return Path(shutil.copytree(FOLDER, folder / "live"))


def test_files_and_recipes_fit_the_manifest() -> None:
    assert EXPORTED and files.misfits(FOLDER) == []


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    path = folder / files.file_name(EXPORTED[0])
    path.write_text(path.read_text(encoding="utf-8").replace("A", "B", 1), encoding="utf-8")
    assert any(path.name in line for line in files.misfits(folder))


def test_a_changed_recipe_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    name = EXPORTED[0]
    recipe = replace(NETWORKS[name].recipe, words=7)
    changed = {**NETWORKS, name: replace(NETWORKS[name], recipe=recipe)}
    monkeypatch.setattr(files, "NETWORKS", changed)
    assert [line for line in files.misfits(FOLDER) if line.startswith(f"{name}: the recipe")]


def test_networks_older_than_their_code_are_told_of() -> None:
    """No failure: what has changed may not matter. The warning says what to look at."""
    for line in files.stale(FOLDER):
        warnings.warn(f"{line}; python -m nnlm2bert export-live renews it", stacklevel=1)


def test_changed_code_is_noticed(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    manifest = files.read_manifest(folder)
    name = EXPORTED[0]
    manifest["networks"][name]["sources"][COMMON_SOURCES[0]] = "000000000000"
    files.write_manifest(folder, manifest)
    assert [line for line in files.stale(folder) if COMMON_SOURCES[0] in line]
    assert main(["export-live", "--check", "--folder", str(folder)]) == 1


def test_notes_do_not_change_the_hash_of_code() -> None:
    plain = 'def f(x):\n    """Say."""\n    return x\n'
    noted = '"""Module."""\n\n\ndef f(x):\n    """Say more\n    of it."""\n    # so\n    return x\n'
    assert files.code_hash(plain) == files.code_hash(noted)
    assert files.code_hash(plain) != files.code_hash(plain.replace("x\n", "x + 1\n"))


def test_every_source_is_there() -> None:
    named = {source for name in NETWORKS for source in files.sources(name)}
    assert [source for source in sorted(named) if not (files.PACKAGE / source).is_file()] == []


@pytest.mark.parametrize("name", EXPORTED)
def test_what_a_page_computes_with_is_less_than_300_kb(name: str) -> None:
    parts = ("language", *PAGES.get(name, (name,)))
    assert sum((FOLDER / files.file_name(part)).stat().st_size for part in parts) < MOST_BYTES


def test_the_code_of_a_page_is_small() -> None:
    code = [path for path in FOLDER.iterdir() if path.suffix in (".js", ".css")]
    own = [path for path in code if not path.name.startswith("data-")]
    assert len(own) == 5 and sum(path.stat().st_size for path in own) < MOST_CODE


def test_the_language_is_written_whole() -> None:
    language = PocketEnglish()
    told, chances = grammar.written(language), language.grammar.moves
    assert told == files.read(FOLDER, files.LANGUAGE)
    table = told["moves"]
    lengths, which = unspelled(table["lengths"], 2), unspelled(table["which"], 2)
    starts = np.cumsum(lengths) - lengths
    shares = unspelled(table["shares"], 3)
    counts = [shares[starts[row] : starts[row] + lengths[row]] for row in which]
    assert np.array_equal(np.concatenate(counts), chances.counts)
    assert np.array_equal(unspelled(table["columns"], 2), chances.columns)


@pytest.mark.parametrize("name", EXPORTED)
def test_examples_are_what_the_files_answer(name: str) -> None:
    needed = PAGES.get(name, (name,))
    answers = Answers({part: files.load_network(FOLDER, part) for part in needed})
    found = json.loads(json.dumps(examples.example(name, answers)))
    kept = MANIFEST["networks"][name]["examples"]
    assert [entry["inputs"] for entry in found] == [entry["inputs"] for entry in kept]
    assert [entry["columns"] for entry in found] == [entry["columns"] for entry in kept]
    for one, other in zip(found, kept, strict=True):
        assert numbers(one["rows"]) == pytest.approx(numbers(other["rows"]), abs=2e-5)


def numbers(rows: list[list]) -> list[float]:
    """The numbers of a table, row by row, without what is left open."""
    return [value for row in rows for value in row[1:] if value is not None]


def test_figures_are_those_of_good_networks() -> None:
    """A network that is exported must be worth showing: near its limit, or at least right."""
    figures = {name: entry["figures"] for name, entry in MANIFEST["networks"].items()}
    for name, most in (("nnlm", 1.15), ("gpt", 1.05), ("bert", 1.25)):
        if name in figures:
            own = figures[name]
            assert own["limit"] < own["network"] < most * own["limit"]
    if "elmo" in figures:
        topics = [figures["elmo"][f"layer {layer}, topic"] for layer in range(3)]
        assert topics == sorted(topics) and topics[2] > topics[0] + 15


def test_a_text_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="'the' cannot stand there"):
        Answers({}).next_word("gpt", "the the king")


def test_gap_is_the_cross_entropy_above_the_entropy() -> None:
    limit, network = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert gap(limit, network) == pytest.approx((1.0, 0.5))
    assert among_words(np.full(8, 0.1)).tolist() == [0.0] * 6 + [0.5, 0.5]


def test_terms_of_a_sum() -> None:
    assert examples.terms("0.5 king - man + 2 woman") == [(0.5, "king"), (-1, "man"), (2, "woman")]


def test_a_bilm_is_the_same_from_its_table_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "PROBE_WORDS", 2_000)
    config = replace(NETWORKS["elmo"].recipe.config, width=8, states=8, filters=((1, 4),))
    torch.manual_seed(0)
    bilm = BiLM(config).eval()
    tensors = {key: weights.numpy() for key, weights in networks.reading_weights(bilm).items()}
    exact = {key: Letters.of(weights, 2) for key, weights in tensors.items()}
    chosen = {**NETWORKS, "elmo": replace(NETWORKS["elmo"], recipe=tiny(config))}
    monkeypatch.setattr(files, "NETWORKS", chosen)
    reader = Answers({"elmo": files.with_weights("elmo", exact)})
    ids = reader.language.encode("he hunts near the bank .")
    words = torch.tensor([[reader.language.end_id, *ids, reader.language.end_id]])
    rows = networks.elmo_laboratory.spellings(reader.language)
    with torch.no_grad():
        wanted = bilm(rows, words, torch.tensor([words.shape[1]]))
    for one, other in zip(reader.elmo_layers(ids), wanted, strict=True):
        assert torch.allclose(one, other, atol=5e-3)


def tiny(config: object) -> networks.Recipe:
    """A recipe for a network that is not trained."""
    return replace(NETWORKS["elmo"].recipe, config=config)


def test_an_unknown_network_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-live", "gpt9"]) == 1
    assert "Name some of: nnlm, word2vec, elmo, gpt, bert" in capsys.readouterr().err


def test_export_writes_what_a_page_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = NETWORKS["nnlm"].recipe
    short = replace(recipe, words=3_000, training=replace(recipe.training, steps=3, warmup_steps=1))
    changed = {**NETWORKS, "nnlm": replace(NETWORKS["nnlm"], recipe=short)}
    monkeypatch.setattr(files, "NETWORKS", changed)
    monkeypatch.setattr(networks, "NETWORKS", changed)
    arguments = argparse.Namespace(names=["nnlm"], folder=tmp_path, check=False, keep_weights=False)
    assert export.run(arguments) == 0
    assert files.misfits(tmp_path) == [] and files.stale(tmp_path) == []
    entry = files.read_manifest(tmp_path)["networks"]["nnlm"]
    assert entry["weights"] == 602 * 30 + 120 * 100 + 100 + 100 * 602 + 602
    assert entry["figures"]["network"] > entry["figures"]["limit"]
