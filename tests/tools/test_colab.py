"""A chapter opened alone, as on Colab: its set-up cell installs the book and leaves torch alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from canonical import ROOT, chapter_paths, read_notebook
from new_chapter import create
from sync import sync

ADDRESS = "https://github.com/someone/some-book"
OWN = re.compile(r"nnlm2bert|__editable__")
PROBE = "import json, nnlm2bert, torch\nprint(json.dumps([nnlm2bert.__file__, torch.__file__]))"


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A repository of this working tree as it were published: with an address, and in step."""
    root = tmp_path_factory.mktemp("published")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in ("src", "results", "notebooks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=junk, symlinks=True)
    project = root / "pyproject.toml"
    text = project.read_text("utf-8").replace('repository = ""', f'repository = "{ADDRESS}"')
    project.write_text(text, encoding="utf-8")
    if not chapter_paths(root):
        create(root, "08_sequel", "The sequel")
    sync(root, write=True)
    commit(root)
    return root


def commit(root: Path) -> None:
    """Everything below ``root`` as one commit on the branch main."""
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-f", "."],
        ["commit", "-q", "-m", "all"],
    ):
        subprocess.run(["git", "-C", str(root), *author, *command], check=True)


@pytest.fixture
def colab(tmp_path) -> Path:
    """A fresh environment that sees this one's packages, torch among them, but not the book."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    seen = home / "seen"
    seen.mkdir()
    for folder in (*site.getsitepackages(), site.getusersitepackages()):
        for entry in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if not OWN.search(entry.name) and not (seen / entry.name).exists():
                (seen / entry.name).symlink_to(entry)
    packages(home).joinpath("seen.pth").write_text(f"{seen}\n", encoding="utf-8")
    return home


def packages(home: Path) -> Path:
    """Where an environment keeps what is installed into it."""
    return next(home.glob("lib/python*/site-packages"))


def opening(path: Path) -> NotebookNode:
    """A chapter's cells up to its head card, as they stand, and a look at what was imported."""
    notebook = read_notebook(path)
    last = next(at for at, cell in enumerate(notebook.cells) if "head(" in cell.source)
    notebook.cells = [*notebook.cells[: last + 1], new_code_cell(PROBE)]
    return notebook


@pytest.mark.skipif(sys.platform == "win32", reason="the environment is put together of links")
def test_a_chapter_alone_installs_the_book_and_keeps_torch(published, colab, tmp_path, monkeypatch):
    folder = tmp_path / "content"
    folder.mkdir()
    kernel = tmp_path / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    launch = [str(colab / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": launch, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    redirected = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{published}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as: build with the setuptools at hand
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    notebook = opening(chapter_paths(published)[0])
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="colab", resources=place)
    client.execute(env={**os.environ, **redirected})
    book, torch = json.loads(notebook.cells[-1].outputs[0].text)
    assert Path(book).is_relative_to(packages(colab))
    assert Path(torch).is_relative_to(colab / "seen")
    installed = {entry.name for entry in packages(colab).iterdir()} - {"seen.pth"}
    assert installed and all(name.startswith("nnlm2bert") for name in installed)
