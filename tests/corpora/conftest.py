"""Folders of our own, and a server of our own, for every test of the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pooch.core
import pytest
from loopback import Loopback, serving

from nnlm2bert.corpora.store import CACHE, MIRROR


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with serving() as running:
        yield running


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An empty cache, a mirror that is not yet named, no proxy, and no waiting between attempts."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))
    return SimpleNamespace(cache=tmp_path / "cache", mirror=tmp_path / "mirror")
