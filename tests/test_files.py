"""Files are written whole, or stay what they were."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nnlm2bert.errors import UserError
from nnlm2bert.files import whole_file, write_text


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is there already."""
    (tmp_path / "a.txt").write_text("old", encoding="utf-8")
    return tmp_path / "a.txt"


def is_untouched(path: Path) -> bool:
    """Whether a file holds what it held before, and nothing else lies beside it."""
    return path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


def test_bytes_and_text_are_written_as_they_are(tmp_path: Path) -> None:
    with whole_file(tmp_path / "bytes") as file:
        file.write(b"\x00\xff")
        file.write(b"\r\n")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff\r\n"
    write_text(str(tmp_path / "text"), "é\n猫\r\n")
    assert (tmp_path / "text").read_bytes() == "é\n猫\r\n".encode()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bytes", "text"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    write_text(tmp_path / "one" / "two" / "a.txt", "new")
    assert (tmp_path / "one" / "two" / "a.txt").read_text(encoding="utf-8") == "new"


def test_the_old_content_stands_until_all_is_written(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        assert path.parent in Path(file.name).parents, "only within a disk is a file moved whole"
        assert list(path.parent.rglob("*.txt")) == [path], "what is unfinished has another ending"
    assert path.read_bytes() == b"new"


def test_all_is_on_the_disk_before_it_takes_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fsync(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "newer")
    assert seen == [(5, b"old")] and path.read_bytes() == b"newer"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), whole_file(path) as file:
        file.write(b"half")
        raise error
    assert is_untouched(path)


@pytest.mark.parametrize("broken", [(os, "fsync"), (os, "replace"), (shutil, "copymode")])
def test_what_the_system_refuses_leaves_the_old_file_and_no_other(
    path: Path, broken: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*broken, fail)
    with pytest.raises(UserError, match="No space left"):
        write_text(path, "new")
    assert is_untouched(path)


def test_a_full_disk_is_told_with_what_to_do(path: Path) -> None:
    with pytest.raises(UserError) as told, whole_file(path):
        fail()
    assert str(told.value) == (
        f"{path} could not be written ([Errno 28] No space left on device). Make room there or "
        "name another folder."
    )
    with pytest.raises(UserError) as told, whole_file(path, "The words are lost", "Begin anew."):
        fail()
    expected = "The words are lost ([Errno 28] No space left on device). Begin anew."
    assert str(told.value) == expected
    assert is_untouched(path)


def test_a_folder_that_cannot_be_made_is_told(path: Path) -> None:
    place = path / "below" / "b.txt"
    with pytest.raises(UserError, match=r"b.txt could not be written .*name another folder"):
        write_text(place, "new")
    assert is_untouched(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission_is_told(path: Path) -> None:
    path.parent.chmod(0o555)
    try:
        with pytest.raises(UserError, match=r"a.txt could not be written .*Permission denied"):
            write_text(path, "new")
        assert is_untouched(path)
    finally:
        path.parent.chmod(0o755)


def test_two_that_write_the_same_file_do_not_meet(path: Path) -> None:
    with whole_file(path) as one:
        one.write(b"one")
        with whole_file(path) as other:
            other.write(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one" and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions as of POSIX")
def test_a_new_file_has_the_permissions_of_any_and_a_replaced_one_keeps_its_own(path: Path) -> None:
    path.chmod(0o640)
    write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640
    write_text(path.with_name("new"), "new")
    path.with_name("usual").touch()
    assert path.with_name("new").stat().st_mode == path.with_name("usual").stat().st_mode
