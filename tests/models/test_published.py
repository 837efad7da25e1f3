"""Files of published networks: found, read, and written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nnlm2bert.errors import UserError
from nnlm2bert.models.google_bert import load_google_bert
from nnlm2bert.models.openai_gpt import load_openai_gpt
from nnlm2bert.models.published import (
    Published,
    check_weights,
    read_json,
    write_json,
)

FILES = Published("Network", "someone/network", ("words.txt",))
LOADERS = [
    (load_google_bert, "google-bert/bert-base-uncased"),
    (load_openai_gpt, "openai-community/openai-gpt"),
]


def test_a_folder_is_taken_as_it_is_and_a_name_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        return f"{name} {' '.join(allow_patterns)}"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert FILES.folder(tmp_path) == FILES.folder(str(tmp_path)) == tmp_path
    found = FILES.folder("another/network")
    assert found == Path("another/network config.json model.safetensors words.txt")


def test_both_forms_of_weights_are_read_the_new_one_first(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert FILES.state(tmp_path)["x"].tolist() == [1, 1]
    save_file({"x": torch.zeros(2)}, tmp_path / "model.safetensors")
    assert FILES.state(tmp_path)["x"].tolist() == [0, 0]


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"x": Path("somewhere")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin cannot be read"):
        FILES.state(tmp_path)


def test_a_missing_and_a_damaged_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no a.json .*someone/network on the hub"):
        FILES.read(tmp_path / "a.json", read_json)
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"a.json cannot be read .*Delete it and fetch it again"):
        FILES.read(tmp_path / "a.json", read_json)


def test_missing_and_damaged_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model.safetensors or pytorch_model.bin in .*network"):
        FILES.state(tmp_path)
    save_file({"x": torch.zeros(2)}, tmp_path / "model.safetensors")
    os.truncate(tmp_path / "model.safetensors", 40)
    with pytest.raises(UserError, match=r"model.safetensors cannot be read .*fetch it again"):
        FILES.state(tmp_path)


@pytest.mark.parametrize(("load", "name"), LOADERS)
def test_each_network_names_what_is_missing_or_broken(
    load: Callable[..., nn.Module], name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"There is no config.json in .*Copy it there from {name}"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"n_embd": 8', encoding="utf-8")
    with pytest.raises(UserError, match=r"config.json cannot be read .*Delete it"):
        load(tmp_path)


@pytest.mark.parametrize(("load", "name"), LOADERS)
def test_without_a_network_the_reader_learns_what_to_do(
    load: Callable[..., nn.Module], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    said = r"no route \(ConnectionError\)\. Check the network; or put its config.json, model"
    with pytest.raises(UserError, match=f"{name} could not be had from the hub: {said}"):
        load()


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: tmp_path)
    for source in (tmp_path / "network", Path("some/network"), "network", "my/own/network"):
        with pytest.raises(UserError, match=f"There is no folder {source}.*as someone/network"):
            FILES.folder(source)


def test_what_belongs_to_another_network_is_told() -> None:
    said = "config.json is not one of Network: 'width' is missing .*the file of someone/network"
    assert re.match(said, str(FILES.wrong_config(KeyError("width"))))
    said = "'wte.bias' is no part of Network: .* Take those of someone/network"
    assert re.match(said, str(FILES.wrong_weight("wte.bias")))


def test_weights_that_fit_pass_and_others_are_told(tmp_path: Path) -> None:
    wanted = {"a": torch.zeros(2), "b": torch.zeros(3, 1)}
    check_weights(wanted, wanted, tmp_path)
    with pytest.raises(UserError, match=r"b is \(1, 3\) and not \(3, 1\)\. Take both"):
        check_weights(wanted | {"b": torch.zeros(1, 3)}, wanted, tmp_path)
    with pytest.raises(UserError, match="a is missing, and 2 more"):
        check_weights({"c": torch.zeros(2)}, wanted, tmp_path)


def test_a_file_of_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "\\u00e9",\n  "b": 1\n}\n'
    assert read_json(path) == {"a": "é", "b": 1}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(UserError, match=r"b.json could not be written"):
        write_json(path / "b.json", {})
    assert read_json(path) == {"a": "é", "b": 1}
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]
