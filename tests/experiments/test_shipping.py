"""An installed package brings the records along, so that a notebook alone can show them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = "nnlm/laptop/KN5/seed-0.json"


@pytest.fixture
def project(tmp_path):
    """The project with one module and one record."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("src/nnlm2bert/__init__.py", f"results/{RECORD}"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    return tmp_path


def build(project):
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", "built"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    package = project / "built" / "nnlm2bert"
    return {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}


def test_records_are_built_into_the_package(project):
    assert build(project) == {"__init__.py", f"results/{RECORD}"}


def test_records_that_are_gone_are_not_shipped(project):
    build(project)
    (project / "results" / RECORD).rename(project / "results" / "nnlm" / "other.json")
    assert build(project) == {"__init__.py", "results/nnlm/other.json"}
