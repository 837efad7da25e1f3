"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from nnlm2bert.errors import UserError

REMEDY = "Make room there or name another folder."


@contextmanager
def whole_file(
    path: str | os.PathLike, problem: str | None = None, remedy: str = REMEDY
) -> Iterator[BinaryIO]:
    """Open a file of bytes that takes its place only when all of it is written and on the disk.

    Until then, and if the block is left by any error, ``path`` holds what it held before; nothing
    else is left behind. Of several that write the same file at once, the last one stands. The
    folder is made if there is none; a file that is replaced keeps its permissions.

    Args:
        path: where the file will be.
        problem: what to say if it cannot be written; "``path`` could not be written" if None.
        remedy: what to do then, in whole sentences.

    Raises:
        UserError: if the block or the system raises an OSError, as of a full disk.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            temporary = Path(folder, "unfinished")
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
    except OSError as error:
        problem = problem or f"{path} could not be written"
        raise UserError(f"{problem} ({error}). {remedy}") from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text in UTF-8 as `whole_file` does, its line ends as they are."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
