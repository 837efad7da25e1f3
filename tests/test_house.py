"""What is written in several places says the same in all of them; and what must not be, is not."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# What a distribution is called when one imports it, where the names differ.
IMPORT_NAMES = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "beautifulsoup4": "bs4",
    "pyyaml": "yaml",
}
# Written in parts, since this file is searched as well.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs"),
        ("download", "pytorch", "org"),
        ("conda", "anaconda", "org"),
        ("deb", "debian", "org"),
    )
]


def read(name: str) -> str:
    """Return the text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(*groups: str) -> dict[str, Requirement]:
    """Return the package's own requirements and those of some groups, by name."""
    lines = list(PROJECT["project"]["dependencies"])
    for group in groups:
        lines += PROJECT["dependency-groups"][group]
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def extras() -> dict[str, Requirement]:
    """Return what the package asks for only where a reader wants it, by name."""
    lines = [
        line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra
    ]
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def pins() -> list[Requirement]:
    """Return the lines of the lock."""
    lines = read("requirements.lock").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def make_variable(name: str) -> str:
    """Return the value that the Makefile gives a variable."""
    found = re.search(rf"^{name} := (.*)$", read("Makefile"), flags=re.MULTILINE)
    assert found, f"the Makefile has no {name}"
    return found[1]


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file under version control, and of those about to be."""
    command = "git ls-files --cached --others --exclude-standard"
    listed = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy of the book is not a git repository")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            yield name, (ROOT / name).read_text(encoding="utf-8", errors="replace")


def imported(folder: str) -> set[str]:
    """Return the modules that the Python files below a folder import, by their first name."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def foreign(folder: str) -> set[str]:
    """Return what a folder imports that is neither Python's nor the project's own."""
    own = {"nnlm2bert"} | {
        path.stem for path in ROOT.glob("*/**/*.py") if ".venv" not in path.parts
    }
    return imported(folder) - set(sys.stdlib_module_names) - own


def importable(declared: dict[str, Requirement]) -> set[str]:
    """Return the names under which declared distributions are imported."""
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in declared}


def test_package_declares_what_it_imports() -> None:
    declared = importable(requirements() | extras())
    assert foreign("src") - declared - {"IPython", "matplotlib_inline"} == set()


def test_extras_are_tested_and_ask_for_the_same_versions() -> None:
    tested = requirements("test")
    assert {name: str(wanted) for name, wanted in extras().items()}.items() <= {
        name: str(wanted) for name, wanted in tested.items()
    }.items()


def test_tools_and_tests_declare_what_they_import() -> None:
    declared = importable(requirements("book", "test"))
    assert (foreign("tools") | foreign("tests")) - declared == set()


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_package_is_content_with_what_colab_has(name: str) -> None:
    specifier = requirements()[name].specifier
    assert specifier.contains({"torch": "2.3.0", "numpy": "1.26.4"}[name])
    assert all(part.operator == ">=" for part in specifier)


def test_lock_pins_exactly() -> None:
    for pin in pins():
        assert [part.operator for part in pin.specifier] == ["=="] and not pin.extras, pin


def test_lock_has_all_requirements_within_their_bounds() -> None:
    groups = list(PROJECT["dependency-groups"])
    for name, wanted in requirements(*groups).items():
        locked = [pin for pin in pins() if canonicalize_name(pin.name) == name]
        assert locked, f"requirements.lock lacks {name}: run make lock"
        for pin in locked:
            version = next(iter(pin.specifier)).version
            assert wanted.specifier.contains(version), f"{pin} does not satisfy {wanted}"


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_one_version_for_each_python(python: str) -> None:
    machine = {"python_version": python, "python_full_version": f"{python}.0"}
    linux = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    valid = [
        canonicalize_name(pin.name)
        for pin in pins()
        if not pin.marker or pin.marker.evaluate(machine | linux)
    ]
    assert len(valid) == len(set(valid))
    assert {"torch", "numpy", "jupyter-book"} <= set(valid)


def test_lock_leaves_cuda_to_the_build_of_torch() -> None:
    names = [pin.name for pin in pins()]
    assert [name for name in names if name.startswith(("nvidia", "cuda", "triton"))] == []
    assert f"torch=={make_variable('TORCH')}" in map(str, pins())


def test_environment_is_in_step_with_the_project() -> None:
    environment = yaml.safe_load(read("environment.yml"))["dependencies"]
    installed = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    names = {canonicalize_name(line) for line in installed if not line.startswith("-")}
    assert names == set(requirements("book", "lab")) - {"pip"}
    assert "--constraint requirements.lock" in installed and "--editable ." in installed


def test_python_versions_are_in_step() -> None:
    project: dict[str, Any] = PROJECT["project"]
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    classified = [line.split()[-1] for line in project["classifiers"] if ":: 3." in line]
    assert tuple(classified) == PYTHONS
    assert project["requires-python"] == f">={oldest}"
    assert (make_variable("OLDEST"), make_variable("NEWEST")) == (oldest, newest)
    assert f"({oldest.replace('.', ', ')}) <= v <= ({newest.replace('.', ', ')})" in read(
        "Makefile"
    )
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    python = next(
        entry
        for entry in yaml.safe_load(read("environment.yml"))["dependencies"]
        if str(entry).startswith("python")
    )
    bounds = SpecifierSet(python.removeprefix("python"))
    assert [version for version in ("3.9", *PYTHONS, "3.14") if version in bounds] == list(PYTHONS)
    for page in ("README.md", "book/how-to-use.md"):
        assert f"Python {oldest} to {newest}" in read(page)


def test_versions_are_in_step() -> None:
    version = PROJECT["project"]["version"]
    assert f'__version__ = "{version}"' in read("src/nnlm2bert/__init__.py")
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    assert f"Version {version}." in read("book/intro.md")


def test_no_file_names_a_package_registry() -> None:
    named = [(name, host) for name, text in tracked_texts() for host in REGISTRIES if host in text]
    assert named == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    folders = [f"/{first}/{second}" for first, second in (("work", "shared"), ("work", "main"))]
    named = [name for name, text in tracked_texts() for folder in folders if folder in text]
    assert named == []


def test_continuous_integration_runs_what_a_newcomer_runs() -> None:
    script = read(".ci/run")
    assert script.splitlines()[-1] == "make test"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_explains_itself_without_a_python(tmp_path: Path) -> None:
    result = run_make(tmp_path, "")
    assert result.returncode and "No Python 3.10 to 3.13 was found" in result.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("version", ["3, 9", "3, 14"])
def test_make_refuses_a_python_that_the_lock_is_not_for(tmp_path: Path, version: str) -> None:
    python = tmp_path / "python"
    code = f"import sys; sys.version_info = ({version}, 0); "
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}$2"\n', encoding="utf-8")
    python.chmod(0o755)
    result = run_make(tmp_path, str(python))
    assert result.returncode and "this book needs 3.10 to 3.13" in result.stderr
    assert not (tmp_path / "venv").exists()


def run_make(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Ask for the virtual environment, in a folder of its own, with a given Python."""
    command = ["make", f"VENV={folder / 'venv'}", f"PYTHON={python}", f"{folder}/venv/.ready-venv"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
