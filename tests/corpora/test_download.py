"""Files come whole and right or not at all, and every failure says what to do next."""

from __future__ import annotations

import errno
import io
import logging
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pooch
import pytest
import requests
from loopback import corpus_of, send, written

from nnlm2bert.corpora import CorpusError, available, fetch, locate, transfer, verify

CONTENT = b"the bank of the river\n" * 5000


def test_good_download(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT, "sub/b.txt": b"bank"}, loopback.url)
    loopback.answers |= {"/a.txt": CONTENT, "/sub/b.txt": b"bank"}
    places = fetch(corpus, progress=False)
    assert list(places) == ["toy/a.txt", "toy/sub/b.txt"]
    assert places["toy/a.txt"].read_bytes() == CONTENT
    assert places["toy/sub/b.txt"] == folders.cache / "toy/sub/b.txt"
    assert written(folders.cache) == ["toy/a.txt", "toy/sub/b.txt"]


def test_what_is_there_is_neither_fetched_nor_hashed_again(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT
    fetch(corpus, progress=False)
    monkeypatch.setattr(pooch, "file_hash", lambda *_, **__: pytest.fail("hashed again"))
    fetch(corpus, progress=False)
    assert loopback.asked == ["/a.txt"]


def test_a_changed_file_of_the_cache_is_fetched_anew(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT
    path = fetch(corpus, progress=False)["toy/a.txt"]
    path.write_bytes(CONTENT.swapcase())
    assert fetch(corpus, progress=False)["toy/a.txt"].read_bytes() == CONTENT
    assert loopback.asked == ["/a.txt", "/a.txt"]


def test_wrong_hash(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT.swapcase()
    with pytest.raises(CorpusError, match=r"^toy: toy/a.txt .*another SHA-256.*another network"):
        fetch(corpus, progress=False)
    assert written(folders.cache) == []


def test_half_a_file(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = lambda handler: send(handler, CONTENT[:70000], len(CONTENT))
    with pytest.raises(CorpusError, match=r"^toy: toy/a.txt .*broke off.*Try again"):
        fetch(corpus, progress=False)
    assert len(loopback.asked) == 1 + transfer.RETRIES
    assert written(folders.cache) == []


def test_half_a_file_that_the_server_takes_for_the_whole(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT[:70000]
    with pytest.raises(CorpusError, match=r"broke off \(70,000 of 110,000 bytes came\)"):
        fetch(corpus, progress=False)
    assert written(folders.cache) == []


def test_half_a_file_then_the_whole(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)

    def fail_once(handler):
        loopback.answers["/a.txt"] = CONTENT
        send(handler, CONTENT[:70000], len(CONTENT))

    loopback.answers["/a.txt"] = fail_once
    assert fetch(corpus, progress=False)["toy/a.txt"].read_bytes() == CONTENT


def test_server_stopped(folders):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        corpus = corpus_of({"a.txt": CONTENT}, f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(
            CorpusError, match=r"^toy: toy/a.txt .*reached.*network.*NNLM2BERT_DATA"
        ):
            fetch(corpus, progress=False)
    assert written(folders.cache) == []


def test_without_network_not_every_file_is_tried(folders, monkeypatch):
    tried = []

    def no_network(url, **_):
        tried.append(url)
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", no_network)
    corpus = corpus_of({f"{n}.txt": CONTENT for n in range(200)}, "http://127.0.0.1:1")
    with pytest.raises(CorpusError, match=r"toy/\d+.txt .*cannot be reached.* 0 of 200 files came"):
        fetch(corpus, progress=False)
    assert len(tried) <= transfer.WORKERS * (1 + transfer.RETRIES)


def test_server_that_answers_nothing(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = lambda handler: time.sleep(0.3)
    monkeypatch.setattr(transfer, "TIMEOUT", 0.05)
    with pytest.raises(CorpusError, match=r"cannot be reached \((Read|Connect)Timeout\)"):
        fetch(corpus, progress=False)
    assert written(folders.cache) == []


def test_404_is_asked_for_once(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    with pytest.raises(CorpusError, match=r"^toy: toy/a.txt .*404 Not Found.*/a.txt.*moved"):
        fetch(corpus, progress=False)
    assert loopback.asked == ["/a.txt"]
    assert written(folders.cache) == []


def test_500_then_the_file(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)

    def fail_once(handler):
        loopback.answers["/a.txt"] = CONTENT
        handler.send_error(500)

    loopback.answers["/a.txt"] = fail_once
    assert fetch(corpus, progress=False)["toy/a.txt"].read_bytes() == CONTENT
    assert len(loopback.asked) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_goes_on_failing(loopback, folders, status):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = lambda handler: handler.send_error(status)
    with pytest.raises(CorpusError, match=rf"^toy: toy/a.txt .*{status}.*in a few minutes"):
        fetch(corpus, progress=False)
    assert len(loopback.asked) == 1 + transfer.RETRIES
    assert written(folders.cache) == []


class _FullDisk(io.FileIO):
    """An open file on a disk that has room for one piece only."""

    def write(self, chunk):
        if self.tell():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(chunk)


def test_disk_full(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT
    monkeypatch.setattr(transfer, "open", _FullDisk, raising=False)
    with pytest.raises(CorpusError, match=r"^toy: toy/a.txt .*no space.*0\.1 MB.*NNLM2BERT_CACHE"):
        fetch(corpus, progress=False)
    assert loopback.asked == ["/a.txt"]
    assert written(folders.cache) == []


def test_with_a_full_disk_not_every_file_is_tried(loopback, folders, monkeypatch):
    contents = {f"{n}.txt": CONTENT for n in range(100)}
    loopback.answers |= {f"/{stem}": CONTENT for stem in contents}
    monkeypatch.setattr(transfer, "open", _FullDisk, raising=False)
    with pytest.raises(CorpusError, match=r"no space is left.* 0 of 100 files came"):
        fetch(corpus_of(contents, loopback.url), progress=False)
    assert len(loopback.asked) <= 2 * transfer.WORKERS
    assert written(folders.cache) == []


def test_cache_that_cannot_be_made(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    folders.cache.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"^toy: toy/a.txt .*written.*Set NNLM2BERT_CACHE"):
        fetch(corpus, progress=False)


def _fill(folder, contents):
    for stem, content in contents.items():
        (folder / "toy" / stem).parent.mkdir(parents=True, exist_ok=True)
        (folder / "toy" / stem).write_bytes(content)


def test_read_only_mirror_is_used_in_place(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    _fill(folders.mirror, {"a.txt": CONTENT})
    for path in (folders.mirror / "toy/a.txt", folders.mirror / "toy", folders.mirror):
        path.chmod(0o555)
    monkeypatch.setenv("NNLM2BERT_DATA", str(folders.mirror))
    try:
        assert fetch(corpus, progress=False)["toy/a.txt"] == folders.mirror / "toy/a.txt"
    finally:
        for path in (folders.mirror, folders.mirror / "toy"):
            path.chmod(0o755)
    assert loopback.asked == []
    assert [p.name for p in folders.mirror.rglob("*")] == ["toy", "a.txt"]
    assert written(folders.cache) == []


def test_what_the_mirror_lacks_is_fetched(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT, "b.txt": b"bank"}, loopback.url)
    _fill(folders.mirror, {"a.txt": CONTENT})
    loopback.answers["/b.txt"] = b"bank"
    monkeypatch.setenv("NNLM2BERT_DATA", str(folders.mirror))
    fetch(corpus, progress=False)
    assert [copy.place for copy in locate(corpus)] == ["mirror", "cache"]
    assert loopback.asked == ["/b.txt"]


@pytest.mark.parametrize(
    ("content", "fault"), [(CONTENT[:7], "7 bytes, not 110,000"), (CONTENT.swapcase(), "SHA-256")]
)
def test_corrupt_mirror(loopback, folders, monkeypatch, content, fault):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    _fill(folders.mirror, {"a.txt": content})
    monkeypatch.setenv("NNLM2BERT_DATA", str(folders.mirror))
    with pytest.raises(CorpusError, match=rf"^toy: .*toy/a.txt is wrong.*{fault}.*Replace.*unset"):
        fetch(corpus, progress=False)
    assert loopback.asked == []


def test_one_bad_file_of_many(loopback, folders):
    contents = {f"{n}.txt": f"text {n}".encode() * 999 for n in range(30)}
    corpus = corpus_of(contents, loopback.url)
    loopback.answers |= {f"/{stem}": content for stem, content in contents.items()}
    del loopback.answers["/17.txt"]
    with pytest.raises(CorpusError, match=r"^toy: toy/17.txt .*404.* 29 of 30 files came"):
        fetch(corpus, progress=False)
    assert len(written(folders.cache)) == 29
    assert not available(corpus)
    loopback.answers["/17.txt"] = contents["17.txt"]
    loopback.asked.clear()
    assert len(fetch(corpus, progress=False)) == 30
    assert loopback.asked == ["/17.txt"]
    assert available(corpus)


def test_several_bad_files_are_counted(loopback, folders):
    contents = {f"{n}.txt": b"text" for n in range(5)}
    loopback.answers |= {f"/{n}.txt": b"text" for n in range(2)}
    with pytest.raises(CorpusError, match=r"^toy: toy/2.txt .* 2 of 5 files came and are kept"):
        fetch(corpus_of(contents, loopback.url), progress=False)
    assert written(folders.cache) == ["toy/0.txt", "toy/1.txt"]


def test_interrupted_by_the_reader(loopback, folders, monkeypatch):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        for start in range(0, len(CONTENT), 1000):
            handler.wfile.write(CONTENT[start : start + 1000])
            time.sleep(0.01)

    def interrupt(_):
        while not list((folders.cache / "toy").glob("tmp*")):
            time.sleep(0.005)
        raise KeyboardInterrupt

    contents = {f"{n}.txt": CONTENT for n in range(30)}
    loopback.answers |= {f"/{stem}": trickle for stem in contents}
    monkeypatch.setattr(transfer, "as_completed", interrupt)
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    with pytest.raises(KeyboardInterrupt):
        fetch(corpus_of(contents, loopback.url), progress=False)
    assert written(folders.cache) == []
    assert len(loopback.asked) <= transfer.WORKERS


def test_two_fetches_at_once(loopback, folders):
    contents = {f"{n}.txt": f"text {n}".encode() * 9999 for n in range(12)}
    corpus = corpus_of(contents, loopback.url)
    loopback.answers |= {f"/{stem}": content for stem, content in contents.items()}
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: fetch(corpus, progress=False), range(2))
    assert first == second
    assert written(folders.cache) == sorted(f"toy/{stem}" for stem in contents)
    assert verify(corpus) == []


def test_one_progress_bar_counts_the_bytes(loopback, folders, capsys):
    contents = {f"{n}.txt": CONTENT for n in range(3)}
    loopback.answers |= {f"/{stem}": CONTENT for stem in contents}
    fetch(corpus_of(contents, loopback.url))
    shown = capsys.readouterr().err
    assert "toy, 3 files: 100%" in shown
    assert "330k/330k" in shown
    assert shown.count("\n") == 1


def test_nothing_but_the_bar_is_said(loopback, folders):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger, level = pooch.get_logger(), pooch.get_logger().level
    loopback.answers["/a.txt"] = CONTENT
    logger.addHandler(handler)
    try:
        fetch(corpus_of({"a.txt": CONTENT}, loopback.url), progress=False)
    finally:
        logger.removeHandler(handler)
    assert records == []
    assert logger.level == level


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_others_may_read_the_cache(loopback, folders):
    loopback.answers["/a.txt"] = CONTENT
    path = fetch(corpus_of({"a.txt": CONTENT}, loopback.url), progress=False)["toy/a.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_verify_hashes_always(loopback, folders):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    loopback.answers["/a.txt"] = CONTENT
    path = fetch(corpus, progress=False)["toy/a.txt"]
    before = path.stat()
    path.write_bytes(CONTENT.swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (problem,) = verify(corpus)
    assert "its SHA-256 is not" in problem and "data fetch toy" in problem
    fetch(corpus, progress=False)
    assert verify(corpus) == []


def test_verify_names_what_is_missing_and_what_is_wrong_in_the_mirror(folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT, "b.txt": b"bank"}, "http://127.0.0.1:1")
    _fill(folders.mirror, {"a.txt": b"bank"})
    monkeypatch.setenv("NNLM2BERT_DATA", str(folders.mirror))
    wrong, missing = verify(corpus)
    assert "4 bytes, not 110,000" in wrong and "unset NNLM2BERT_DATA" in wrong
    assert missing.startswith("toy: toy/b.txt is missing")


def test_stamps_that_cannot_be_kept_cost_nothing_else(loopback, folders, monkeypatch):
    corpus = corpus_of({"a.txt": CONTENT}, loopback.url)
    _fill(folders.mirror, {"a.txt": CONTENT})
    monkeypatch.setenv("NNLM2BERT_DATA", str(folders.mirror))
    folders.cache.write_text("a file where the folder should be", encoding="utf-8")
    assert fetch(corpus, progress=False)["toy/a.txt"].read_bytes() == CONTENT
