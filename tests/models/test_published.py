"""Files of published networks: found, read, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

from nnlm2bert.errors import UserError
from nnlm2bert.models.published import (
    Published,
    check_weights,
    read_json,
    write_json,
)

FILES = Published("someone/network", ("words.txt",))


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


def test_a_missing_and_a_damaged_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no a.json .*someone/network on the hub"):
        FILES.read(tmp_path / "a.json", read_json)
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"a.json cannot be read .*Delete it and fetch it again"):
        FILES.read(tmp_path / "a.json", read_json)


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
