"""The host's connections over raw sockets: bounded in time, bytes and number."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from verifier.host import connection, requests
from verifier.host.connection import Connection
from verifier.host.requests import Refused, page_number, read_body, sender

LIMIT = 1000
LARGE = 20_000_000


async def echo(request: Request) -> Response:
    """Answer with how many bytes came, or why they are refused."""
    try:
        return PlainTextResponse(str(len(await read_body(request, LIMIT))))
    except Refused as error:
        return PlainTextResponse(error.reason, error.status, error.headers)


async def large(request: Request) -> Response:
    return Response(bytes(LARGE))


async def slow(request: Request) -> Response:
    await asyncio.sleep(1)
    return PlainTextResponse("slow")


ROUTES = [
    Route("/", echo, methods=["GET", "POST"]),
    Route("/large", large),
    Route("/slow", slow),
]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server with short limits."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connection, "READER_SECONDS", 0.5)
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 8)
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(requests, "BODY_BYTES_PER_SECOND", 100)
    config = uvicorn.Config(Starlette(routes=ROUTES), port=0, http=Connection, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as made:
        yield made


def answer(made: socket.socket) -> bytes:
    """All that comes until the server closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := made.recv(1 << 16):
            data += part
    return data


def ask(port: int, *parts: bytes, pause: float = 0.2) -> bytes:
    """Send parts of a request one after the other; return what came until the server closed."""
    with connected(port) as made:
        for part in parts:
            with contextlib.suppress(ConnectionError):
                made.sendall(part)
                time.sleep(pause)
        return answer(made)


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


def test_an_answer_and_the_next(port: int) -> None:
    both = ask(port, HEAD + b"\r\n" + HEAD + b"\r\n", pause=0)
    assert both.count(b"HTTP/1.1 200 OK") == 2
    assert ask(port, HEAD + b"\r\n", HEAD + b"\r\n").count(b"HTTP/1.1 200 OK") == 2


def test_what_takes_long_to_answer_is_answered(port: int) -> None:
    assert ask(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"slow")


def test_silence_ends_a_connection(port: int) -> None:
    assert ask(port) == b""
    assert ask(port, HEAD + b"\r\n").count(b"HTTP/1.1 200 OK") == 1  # and then nothing more


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET"],
        [HEAD, *([b"X: 1\r\n"] * 20)],
        [HEAD + b"\r\n", HEAD, *([b"X: 1\r\n"] * 20)],
    ],
)
def test_a_head_has_a_time(port: int, parts: list[bytes]) -> None:
    assert b"HTTP/1.1 408 Request Timeout\r\n" in ask(port, *parts)


def test_a_body_has_a_time(port: int) -> None:
    start = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"
    said = ask(port, start, *([b"1\r\na\r\n"] * 20))
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"took too long" in said


def test_a_body_that_nobody_reads_ends_the_connection(port: int) -> None:
    start = b"GET /large HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    assert len(ask(port, start, b"a")) > LARGE


def test_a_body_has_a_length(port: int) -> None:
    start = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65535\r\n\r\n"
    assert ask(port, start, b"a" * 0xFFFF, pause=0).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("heads", [b"", b"Content-Length: 5\r\n"], ids=["alone", "beside a length"])
def test_a_body_in_chunks_is_refused_before_it_is_parsed(port: int, heads: bytes) -> None:
    """Each chunk of a byte costs as much as a large one: seconds of everybody's, for a megabyte."""
    start = b"POST / HTTP/1.1\r\nHost: x\r\n" + heads + b"Transfer-Encoding: chunked\r\n\r\n"
    said = ask(port, start, b"1\r\nx\r\n", pause=0)
    assert said.startswith(b"HTTP/1.1 411 ")
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(port: int, request_bytes: bytes) -> None:
    said = ask(port, request_bytes, pause=0)
    # Where the rest of a head would still be coming, the close may take the answer along.
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")) or len(request_bytes) > 10**6
    assert b" 200 " not in said


def test_one_who_takes_nothing_loses_the_connection(port: int) -> None:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with made:
        made.settimeout(60)
        made.connect(("127.0.0.1", port))
        made.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(3)
        assert 0 < len(answer(made)) < LARGE


def test_connections_are_bounded(port: int) -> None:
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connected(port)) for _ in range(8)]
        time.sleep(0.1)
        assert ask(port).startswith(b"HTTP/1.1 503 ")
        assert [answer(made) for made in kept] == [b""] * 8
    assert ask(port, HEAD + b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_of_one_public_client_fewer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_OF_CLIENT", 2)
    assert ask(port) == b""  # loopback may be a proxy
    monkeypatch.setattr(connection, "is_public", lambda address: address == "127.0.0.1")
    with connected(port), connected(port):
        time.sleep(0.1)
        assert ask(port).startswith(b"HTTP/1.1 503 ")


def request_from(host: str | None, query: bytes = b"") -> Request:
    client = None if host is None else (host, 1)
    return Request({"type": "http", "client": client, "query_string": query})


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:9::", "2001:db8:1:2::/64"),
        ("unix:", ""),
        (None, ""),
    ],
)
def test_who_asks(host: str | None, found: str) -> None:
    assert sender(request_from(host)) == found


@pytest.mark.parametrize(("query", "number"), [(b"", 1), (b"page=7", 7), (b"page=0", 0)])
def test_the_number_of_a_page(query: bytes, number: int) -> None:
    assert page_number(request_from(None, query)) == number


@pytest.mark.parametrize("text", ["", "-1", "1.0", "x", "%D9%A3", "10000", "1e3"])
def test_what_is_no_number_of_a_page(text: str) -> None:
    with pytest.raises(Refused):
        page_number(request_from(None, f"page={text}".encode()))
