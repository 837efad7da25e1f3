"""A server of our own on the loopback, sets that point to it, and the real data if at hand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nnlm2bert.corpora.registry import Corpus, File, Source, find
from nnlm2bert.corpora.store import CACHE, MIRROR, cache_folder, mirror_folder

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Loopback:
    """A server that gives what ``answers`` says for a path, 404 for the others."""

    url: str
    answers: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


def send(handler: BaseHTTPRequestHandler, body: bytes, promised: int | None = None) -> None:
    """Answer 200 with ``body`` and a Content-Length of ``promised`` bytes, by default its own."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(body)


def _handler(loopback: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            loopback.asked.append(self.path)
            answer = loopback.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            elif isinstance(answer, bytes):
                send(self, answer)
            else:
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # else the kernel lets simultaneous callers wait for a second

    def handle_error(self, *_: object) -> None:
        """A caller that hangs up is no error here."""


@contextmanager
def serving() -> Iterator[Loopback]:
    """A running server on a free port of the loopback."""
    state = Loopback(url="")
    server = _Server(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def corpus_of(contents: dict[str, bytes], url: str, name: str = "toy") -> Corpus:
    """A set whose files hold ``contents``, to be had at ``url``/FILE."""
    files = tuple(
        File(f"{name}/{stem}", f"{url}/{stem}", hashlib.sha256(content).hexdigest(), len(content))
        for stem, content in contents.items()
    )
    total = sum(file.bytes for file in files)
    source = Source("owner/repository", "0" * 40)
    notes = {"description": "d", "licence": "l", "licence_short": "l"}
    notes |= {"size_info": "s", "format_notes": "f", "hub_id": None, "hub_config": None}
    return Corpus(
        name=name, chapters=("c",), sources=(source,), total_bytes=total, files=files, **notes
    )


def written(folder: Path) -> list[str]:
    """All files under ``folder`` but the stamps, so also any that is half written."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.parts[0] != ".verified")


def use_real_data(patch: pytest.MonkeyPatch, cache: Path, *names: str) -> None:
    """Point to the folder that holds the sets, as a mirror, and skip the test if there is none."""
    paths = [file.path for name in names for file in find(name).files]
    for folder in filter(None, (mirror_folder(), cache_folder())):
        if all((folder / path).is_file() for path in paths):
            patch.setenv(MIRROR, str(folder))
            patch.setenv(CACHE, str(cache))
            return
    pytest.skip(f"{' and '.join(names)}: not in {MIRROR} nor in the cache")
