"""A bundle on a static host: whole small files, and byte ranges of the pages.

A host is trusted with nothing: what it serves is checked like any other bytes. What it could waste
is bounded: bytes by the caller's limit, time by a watchdog on every request, redirects by number.
It must say how long a file is, and serve exactly the range it was asked for, unencoded.
Several threads may read at once: each request has a connection of its own while it lasts.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from verifier.bundle.deadline import deadline
from verifier.bundle.source import missing
from verifier.errors import CannotCheck, Code, Misuse

# No answer, or less than this many bytes a second, ends the check.
TIMEOUT_SECONDS = 30.0
LEAST_BYTES_PER_SECOND = 16 * 1024
# As many requests at once; so many connections are kept for the next ones.
_MAX_CONNECTIONS = 16

_URL = re.compile(r"https?://[!-~]+")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_EMPTY_FILE = re.compile(r"bytes \*/0+")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Door(Protocol):
    """Which hosts are talked to, and how they are reached."""

    max_redirects: int

    def connect(self, url: SplitResult, timeout: float) -> HTTPConnection:
        """Return a connection, not yet made, to the host of a URL.

        Raises:
            CannotCheck: it is not talked to.
        """


class AnyHost:
    """Whatever the user's URL and its redirects name."""

    max_redirects = 5

    def connect(self, url: SplitResult, timeout: float) -> HTTPConnection:
        """See `Door`."""
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        return kind(url.hostname or "", url.port, timeout=timeout)


def split_url(url: str) -> SplitResult | None:
    """Return the parts of an ``http`` or ``https`` URL with a host, None if it is no such URL."""
    try:
        parts = urlsplit(url)
        well_formed = parts.hostname and parts.port != 0 and _URL.fullmatch(url)
    except ValueError:
        return None
    return parts if well_formed else None


_Host = tuple[str, str]  # scheme, name and port


class _Answer(NamedTuple):
    status: int
    content_range: str
    location: str
    body: bytes


class HttpSource:
    """A bundle below an ``http`` or ``https`` URL. ``timeout`` is in seconds."""

    def __init__(
        self, url: str, *, timeout: float = TIMEOUT_SECONDS, door: Door | None = None
    ) -> None:
        parts = split_url(url)
        if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
            raise Misuse("the bundle's URL is not http(s)://HOST[:PORT]/PATH")
        self._base = url.rstrip("/") + "/"
        self._timeout = timeout
        self._door = door or AnyHost()
        self._turns = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: list[tuple[_Host, HTTPConnection]] = []
        self._sizes: dict[str, int] = {}

    def close(self) -> None:
        """Let go of what is held open."""
        with self._lock:
            while self._idle:
                self._idle.pop()[1].close()

    def read(self, path: str, limit: int) -> bytes:
        """See `Source`."""
        answer = self._get(path, {}, limit + 1)
        if answer.status != HTTPStatus.OK:
            raise _unreadable(path, f"the host answers {answer.status}")
        return answer.body

    def size(self, path: str) -> int:
        """See `Source`."""
        known = self._sizes.get(path)
        return self._note_size(path, self._ask_size(path)) if known is None else known

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """See `Source`."""
        body, total = self._ask_range(path, offset, length)
        self._note_size(path, total)
        return body

    def check_listing(self, paths: Iterable[str]) -> None:
        """Do nothing: a host cannot be asked what else it holds."""

    def check_present(self, paths: Iterable[str]) -> None:
        """Do nothing: a missing file shows when it is read."""

    def _note_size(self, path: str, found: int) -> int:
        """Keep the size that was said first, and require it of every answer."""
        with self._lock:
            known = self._sizes.setdefault(path, found)
        if found != known:
            raise _unreadable(path, "the file changed during the check")
        return known

    def _ask_size(self, path: str) -> int:
        answer = self._get(path, {"Range": "bytes=0-0"}, 1)
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and _EMPTY_FILE.fullmatch(
            answer.content_range
        ):
            return 0
        return _check_range(path, answer, 0, 1)

    def _ask_range(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        asked = {"Range": f"bytes={offset}-{offset + length - 1}"}
        answer = self._get(path, asked, length)
        return answer.body, _check_range(path, answer, offset, length)

    def _get(self, path: str, headers: dict[str, str], limit: int) -> _Answer:
        """Follow redirects, to the same scheme or to https, and return the last answer."""
        url = self._base + path
        for _ in range(self._door.max_redirects + 1):
            answer = self._exchange(path, urlsplit(url), headers, limit)
            if answer.status in _ABSENT:
                raise missing(path)
            if answer.status not in _REDIRECTS:
                return answer
            url = _redirected(path, url, answer.location)
        raise _unreadable(path, "too many redirects")

    def _exchange(
        self, path: str, url: SplitResult, headers: dict[str, str], limit: int
    ) -> _Answer:
        """Send one GET; return at most ``limit`` bytes of the body of a 200 or 206."""
        host = (url.scheme, url.netloc)
        with self._turns:
            try:
                connection, answer = self._send(path, host, url, headers, limit)
            except TimeoutError:
                raise _unreadable(path, "the host took too long") from None
            except HTTPException as error:
                raise _unreadable(path, f"no proper answer ({type(error).__name__})") from None
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                raise _unreadable(path, f"no connection: {reason}") from None
            self._keep(host, connection)
            return answer

    def _send(
        self, path: str, host: _Host, url: SplitResult, headers: dict[str, str], limit: int
    ) -> tuple[HTTPConnection, _Answer]:
        """Send it over an idle connection, or else a new one; return which, and the answer."""
        idle = self._take(host)
        if idle is not None:
            # A host may have closed an idle connection; a fresh one decides.
            with suppress(ConnectionError, HTTPException):
                return idle, self._send_over(path, idle, url, headers, limit)
        fresh = self._door.connect(url, self._timeout)
        return fresh, self._send_over(path, fresh, url, headers, limit)

    def _send_over(
        self,
        path: str,
        connection: HTTPConnection,
        url: SplitResult,
        headers: dict[str, str],
        limit: int,
    ) -> _Answer:
        try:
            with deadline(connection, self._timeout + limit / LEAST_BYTES_PER_SECOND):
                target = url.path + (f"?{url.query}" if url.query else "")
                connection.request(
                    "GET", target or "/", headers={"Accept-Encoding": "identity", **headers}
                )
                return _receive(path, connection, connection.getresponse(), limit)
        except BaseException:
            connection.close()
            raise

    def _take(self, host: _Host) -> HTTPConnection | None:
        """Return the idle connection to a host that was used last, if there is one."""
        with self._lock:
            for at in reversed(range(len(self._idle))):
                if self._idle[at][0] == host:
                    return self._idle.pop(at)[1]
        return None

    def _keep(self, host: _Host, connection: HTTPConnection) -> None:
        """Keep a connection for the next request; close the one that was idle longest."""
        with self._lock:
            self._idle.append((host, connection))
            if len(self._idle) > _MAX_CONNECTIONS:
                self._idle.pop(0)[1].close()


def _receive(path: str, connection: HTTPConnection, response: HTTPResponse, limit: int) -> _Answer:
    status = response.status
    content_range = response.getheader("Content-Range", "")
    location = response.getheader("Location", "")
    body = b""
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise _unreadable(path, "the host encodes the file (Content-Encoding)")
        declared = response.length
        if declared is None and not response.chunked:
            raise _unreadable(path, "the host does not say how long the file is")
        body = response.read(limit)
        if declared is not None and len(body) != min(declared, limit):
            raise _unreadable(path, "the host's answer was cut off")
    if not response.isclosed():
        connection.close()  # what was not read would be taken for the next answer
    return _Answer(status, content_range, location, body)


def _redirected(path: str, url: str, location: str) -> str:
    """Return where a redirect of ``url`` leads: http or https, and never from https to http."""
    try:
        target = urljoin(url, location)
        well_formed = location and _URL.fullmatch(target) and urlsplit(target).hostname
    except ValueError:
        well_formed = None
    if not well_formed:
        raise _unreadable(path, "the host redirects to a malformed URL")
    if url.startswith("https:") and not target.startswith("https:"):
        raise _unreadable(path, "the host redirects from https to http")
    return target


def _check_range(path: str, answer: _Answer, offset: int, length: int) -> int:
    """Check that the answer is the range that was asked for; return the file's length."""
    if answer.status == HTTPStatus.OK:
        raise _unreadable(path, "the host does not serve byte ranges")
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        raise _unreadable(path, f"the host answers {answer.status}")
    match = _CONTENT_RANGE.fullmatch(answer.content_range)
    if match is None:
        raise _unreadable(path, "the host does not say which range it serves")
    first, last, total = map(int, match.groups())
    if (first, last) != (offset, offset + length - 1) or last >= total:
        raise _unreadable(path, "the host serves another range than was asked for")
    if len(answer.body) != length:
        raise _unreadable(path, "the host's answer was cut off")
    return total


def _unreadable(path: str, message: str) -> CannotCheck:
    return CannotCheck(Code.CHECK_UNREADABLE, f"{path}: {message}")
