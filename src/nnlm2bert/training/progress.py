"""Progress that suits where it is read: a bar for people, a few lines for a log."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

LINE = "{desc}: {percentage:3.0f}% of {total_fmt} steps [{elapsed}<{remaining}{postfix}]\n"
QUIET_SECONDS = 10


def progress_bar(total: int, done: int, wanted: bool | None, first: bool) -> tqdm:
    """Return tqdm's bar over ``total`` steps of which some are ``done``.

    In a terminal or a notebook it moves; elsewhere it writes one line for each tenth of the run,
    and none in the first ``QUIET_SECONDS``. It is silent when not ``wanted``, in all processes but
    the ``first``, and, if ``wanted`` is None, where the environment sets TQDM_DISABLE or CI.
    """
    if wanted is None:
        wanted = not any(os.environ.get(name) for name in ("TQDM_DISABLE", "CI"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets gets the text bar
        from tqdm.auto import tqdm
    if sys.stderr.isatty() or _in_notebook():
        return tqdm(
            total=total, initial=done, desc="training", disable=not (wanted and first), leave=False
        )
    return tqdm(
        total=total,
        initial=done,
        desc="training",
        disable=not (wanted and first),
        bar_format=LINE,
        miniters=-(-total // 10),
        mininterval=0,
        maxinterval=float("inf"),
        delay=QUIET_SECONDS,
    )


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "IPKernelApp" in getattr(shell, "config", {})
