"""From what went wrong on the way to a file to a message that says what to do next."""

from __future__ import annotations

import errno

import requests

from nnlm2bert.corpora.errors import CorpusError
from nnlm2bert.corpora.registry import Corpus, File
from nnlm2bert.corpora.store import CACHE, MIRROR, cache_folder

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY = 429


class BrokenTransfer(ValueError):
    """Fewer or more bytes came than the file has."""


class Refused(Exception):
    """The server will not give the file; asking again changes nothing."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"{response.status_code} {response.reason}")
        self.response = response


class FetchError(CorpusError):
    """A file could not be fetched. ``hopeless``: now no other file could be, either."""

    def __init__(self, message: str, hopeless: bool) -> None:
        super().__init__(message)
        self.hopeless = hopeless


def check_status(response: requests.Response) -> None:
    """Raise for a response without the file: ``Refused``, or ``HTTPError`` where it may pass."""
    if 400 <= response.status_code < 500 and response.status_code != _TOO_MANY:
        raise Refused(response)
    response.raise_for_status()


def fetch_error(error: Exception, corpus: Corpus, file: File) -> FetchError:
    """``error``, met while fetching ``file``, as an error that names the set and the next step."""
    what, next_step = _explain(error, corpus, file)
    return FetchError(
        f"{corpus.name}: {file.path} could not be fetched: {what}. {next_step}.",
        hopeless=_is_hopeless(error),
    )


def _is_hopeless(error: Exception) -> bool:
    if isinstance(error, requests.RequestException):
        return isinstance(error, requests.ConnectionError | requests.Timeout)
    return isinstance(error, OSError)


def _explain(error: Exception, corpus: Corpus, file: File) -> tuple[str, str]:
    by_hand = f"set {MIRROR} to a folder that holds it as {file.path} (its SHA-256 is checked)"
    match error:
        case Refused():
            what = f"the server answered {error} for {file.url}"
            return what, f"The source may have moved; get the file elsewhere and {by_hand}"
        case requests.HTTPError():
            return f"the server failed: {error}", "Try again in a few minutes"
        case requests.ConnectionError() | requests.Timeout():
            what = f"{file.url} cannot be reached ({type(error).__name__})"
            return what, f"Check the network, or {by_hand}"
        case BrokenTransfer() | requests.RequestException():
            return f"the transfer broke off ({error})", "Try again"
        case ValueError():
            what = "what came has another SHA-256 than the registry's"
            return what, f"Try again from another network (no proxy, no log-in page), or {by_hand}"
        case OSError():
            return _explain_disk(error, corpus)
    raise error


def _explain_disk(error: OSError, corpus: Corpus) -> tuple[str, str]:
    if error.errno in _FULL_DISK:
        what = f"no space is left in {cache_folder()}"
        size = f"{corpus.total_bytes / 1e6:,.1f} MB"
        return what, f"Free {size} there, or set {CACHE} to a folder on a larger disk"
    what = f"{cache_folder()} cannot be written to ({error.strerror or error})"
    return what, f"Set {CACHE} to a folder you may write to"
