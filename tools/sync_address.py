"""Keep everything that names the repository's address in step with ``pyproject.toml``.

The one place is::

    [tool.nnlm2bert]
    repository = "https://github.com/owner/name"
    branch = "main"        # or a tag

With it, every chapter has a link that opens it in Colab and a set-up cell that installs the
package there, and ``_config.yml`` has launch buttons. As long as the address is empty there are
neither, because a button without an address leads to a stranger's repository.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from canonical import ROOT, chapter_paths, read_notebook, render, write_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COLAB = "https://colab.research.google.com"
SETUP = "# set-up: kept by tools/sync.py"
BADGE = re.compile(r"\n\n\*\*\[Open in Colab\]\([^)]*\)\*\*")
BUTTONS = re.compile(
    r"\n# launch buttons: kept by tools/sync\.py\n(?:(?:repository:|launch_buttons:|  \S).*\n)+"
)
ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)")

WITHOUT_ADDRESS = f"""{SETUP}
from importlib.util import find_spec

if find_spec("nnlm2bert") is None:
    raise ModuleNotFoundError(
        "The book's package is missing. In a clone of the book run `make lab`, or "
        "`pip install -e .` in its folder, and restart the kernel."
    )"""
WITH_ADDRESS = f"""{SETUP}
from importlib import invalidate_caches, metadata, util

if util.find_spec("nnlm2bert") is None:  # as on Colab, whose torch and numpy stay as they are
    kept = [name for name in ("torch", "numpy") if util.find_spec(name)]
    with open("kept.txt", "w", encoding="utf-8") as file:
        file.writelines(f"{{name}}=={{metadata.version(name)}}\\n" for name in kept)
    %pip install --quiet --constraint kept.txt "nnlm2bert @ git+ADDRESS@BRANCH"
    invalidate_caches()
    if util.find_spec("nnlm2bert") is None:
        raise ModuleNotFoundError(
            "The book's package could not be installed; pip says above why. Without a network, "
            "download ADDRESS on a machine that has one, and run `pip install -e .` in its folder."
        )"""


class AddressError(Exception):
    """The address cannot be used, or a chapter lacks the place for it."""


@dataclass(frozen=True)
class Address:
    """Where the repository is; empty as long as it is nowhere."""

    repository: str = ""
    branch: str = "main"

    def __bool__(self) -> bool:
        return bool(self.repository)

    def setup_cell(self) -> str:
        """The code of every chapter's set-up cell."""
        if not self:
            return WITHOUT_ADDRESS
        return WITH_ADDRESS.replace("ADDRESS", self.repository).replace("BRANCH", self.branch)

    def badge(self, notebook: str) -> str:
        """The link below a chapter's title."""
        if not self:
            return ""
        place = self.repository.removeprefix("https://github.com")
        address = f"{COLAB}/github{place}/blob/{self.branch}/notebooks/{notebook}"
        return f"\n\n**[Open in Colab]({address})**"

    def buttons(self) -> str:
        """What ``_config.yml`` says about the repository."""
        if not self:
            return ""
        return (
            "\n# launch buttons: kept by tools/sync.py\n"
            f"repository:\n  url: {self.repository}\n  branch: {self.branch}\n"
            f"launch_buttons:\n  colab_url: {COLAB}\n"
        )


def read_address(root: Path = ROOT) -> Address:
    """The address in ``pyproject.toml``; raises :class:`AddressError` if Colab cannot open it."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project.get("tool", {}).get("nnlm2bert", {})
    repository = settings.get("repository", "").rstrip("/").removesuffix(".git")
    if repository and not ADDRESS.fullmatch(repository):
        raise AddressError(
            f"pyproject.toml: repository = '{repository}' cannot be opened in Colab; "
            "write https://github.com/owner/name, or leave it empty"
        )
    return Address(repository, settings.get("branch", "main"))


def sync(root: Path = ROOT, write: bool = True) -> list[str]:
    """Compare all places with the address; rewrite them if ``write``.

    Returns the names of the files that were stale. Raises :class:`AddressError`.
    """
    address = read_address(root)
    current = {path: follow(path, address) for path in chapter_paths(root)}
    config = root / "_config.yml"
    if config.is_file():
        kept = BUTTONS.sub("", config.read_text(encoding="utf-8"))
        current[config] = kept + address.buttons()
    stale = {p: t for p, t in current.items() if p.read_text(encoding="utf-8") != t}
    if write:
        for path, text in stale.items():
            write_text(path, text)
    return [path.name for path in stale]


def follow(path: Path, address: Address) -> str:
    """The chapter's text with its link and its set-up cell as the address wants them."""
    notebook = read_notebook(path)
    title, setup = places(notebook, path)
    heading, *rest = BADGE.sub("", title.source).split("\n", 1)
    title.source = "\n".join([heading + address.badge(path.name), *rest])
    setup.source = address.setup_cell()
    return render(notebook)


def places(notebook: NotebookNode, path: Path) -> tuple[NotebookNode, NotebookNode]:
    """The cell of the title and the set-up cell."""
    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        raise AddressError(f"{path.name}: the first cell must be the title, '# ...'")
    setups = [cell for cell in cells if cell.source.split("\n", 1)[0] == SETUP]
    if len(setups) != 1:
        raise AddressError(f"{path.name}: one cell must begin with '{SETUP}', not {len(setups)}")
    return cells[0], setups[0]
