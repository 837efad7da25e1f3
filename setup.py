"""Puts the records of `results/` into the built package, where notebooks find them without a clone.

Everything else about the package stands in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RESULTS = Path("results")


class BuildWithRecords(build_py):
    """The usual build, and the records as data of the package."""

    def run(self) -> None:
        """Copy the records beside the modules; an editable install reads them where they are."""
        super().run()
        if self.editable_mode or not RESULTS.is_dir():
            return
        shipped = Path(self.build_lib, "nnlm2bert", "results")
        shutil.rmtree(shipped, ignore_errors=True)
        shutil.copytree(RESULTS, shipped)

    def get_source_files(self) -> list[str]:
        """Name the records for the source distribution, too."""
        return super().get_source_files() + [path.as_posix() for path in RESULTS.rglob("*.json")]


setup(cmdclass={"build_py": BuildWithRecords})
