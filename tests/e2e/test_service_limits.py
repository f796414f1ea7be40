"""What the service bounds and how it ends, over routes of the tests' own beside its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import StreamingResponse

from api import readiness as readiness_module
from api.app import create_app
from api.http.limits import allow_body
from api.log import JsonLines
from api.settings import Settings
from prover.commands.options import needs_extra
from tests.e2e.test_service_door import check_problem
from tests.support.service import Server, listening
from tests.support.service_http import until
from verifier.errors import Code, Rejected

BODY, UPLOAD = 1000, 50_000
LIMITS = {"body_bytes": BODY, "upload_bytes": UPLOAD, "body_seconds": 0.5, "body_rate": 10_000}


class Order(BaseModel):
    """A body of a route."""

    model_config = ConfigDict(extra="forbid")

    count: int


def service(folder: Path, **groups: Any) -> tuple[FastAPI, Settings]:
    """Return a service without a worker, with routes that read, fail, wait and stream."""
    server = {"port": 0, "worker": False, **groups.pop("server", {})}
    settings = Settings.model_validate({"folder": folder, "server": server, **groups})
    app = create_app(settings)

    @app.post("/order")
    def order(given: Order) -> int:
        return given.count

    @app.post("/upload")
    async def upload(request: Request) -> int:
        allow_body(request, settings.limits.upload_bytes)
        return sum([len(part) async for part in request.stream()])

    @app.get("/wait")
    async def wait(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @app.get("/stream")
    async def stream(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first\n"
            await request.app.state.service.stopping.wait()
            yield b"last\n"

        return StreamingResponse(parts())

    @app.get("/fail")
    def fail() -> None:
        raise ValueError("alice@example.com has 1.5 BTC")

    @app.get("/fail-late")
    async def fail_late() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first\n"
            raise ValueError("alice@example.com has 1.5 BTC")

        return StreamingResponse(parts())

    @app.get("/rejected")
    def rejected() -> None:
        raise Rejected(Code.MANIFEST_BAD_SUM, "manifest", "no point")

    return app, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    app, settings = service(tmp_path_factory.mktemp("service"), limits=LIMITS)
    with listening(app, settings) as (found, _):
        yield found


def post(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "\r\n"]).encode()


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"


def test_a_body_within_the_bound_is_read(server: Server) -> None:
    body = b'{"count": 5}'.ljust(BODY)
    answer = server.request("/order", "POST", body, Content_Type="application/json")
    assert (answer.status, answer.body) == (HTTPStatus.OK, b"5")
    chunked = server.send(post("/order", CHUNKED, JSON), chunk(body), b"0\r\n\r\n")
    assert (chunked.status, chunked.body) == (HTTPStatus.OK, b"5")
    assert server.request("/upload", "POST", bytes(UPLOAD)).body == b"%d" % UPLOAD


@pytest.mark.parametrize(("path", "most"), [("/order", BODY), ("/upload", UPLOAD)])
def test_a_larger_body_is_refused(server: Server, path: str, most: int) -> None:
    # Its first byte is never sent: what is declared is enough.
    declared = server.send(post(path, f"Content-Length: {most + 1}", JSON))
    check_problem(declared, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request.body-too-large")
    assert declared.headers["connection"] == "close"
    chunked = server.send(post(path, CHUNKED, JSON), chunk(bytes(most)), chunk(b"1"))
    check_problem(chunked, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request.body-too-large")
    assert chunked.headers["connection"] == "close"


def test_one_who_asks_first_is_not_told_to_go_on(server: Server) -> None:
    refused = post("/order", f"Content-Length: {BODY + 1}", JSON, "Expect: 100-continue")
    assert server.send(refused).status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    with server.connect() as connection:
        connection.sendall(post("/order", "Content-Length: 12", JSON, "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")


def test_a_body_that_nobody_reads_ends_the_connection(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert b"connection: close" in connection.recv(4096).lower()
        connection.settimeout(3)
        with contextlib.suppress(ConnectionError):
            while connection.recv(100):
                pass


def test_a_slow_body_ends_the_wait(server: Server) -> None:
    head = post("/order", "Content-Length: 12", JSON)
    check_problem(server.send(head), HTTPStatus.REQUEST_TIMEOUT, "request.timeout")
    dripping = server.send(post("/upload", CHUNKED), *[chunk(b"1")] * 9, pause=0.1)
    check_problem(dripping, HTTPStatus.REQUEST_TIMEOUT, "request.timeout")


def test_a_large_body_may_take_its_time(server: Server) -> None:
    parts = [chunk(bytes(4000))] * 8
    answer = server.send(post("/upload", CHUNKED), *parts, b"0\r\n\r\n", pause=0.1)
    assert (answer.status, answer.body) == (HTTPStatus.OK, b"32000")


def test_an_invalid_body_is_not_echoed(server: Server) -> None:
    for body, status, code in (
        (b'{"count": "alice"}', HTTPStatus.UNPROCESSABLE_ENTITY, "request.invalid"),
        (b'{"alice": ', HTTPStatus.BAD_REQUEST, "request.malformed"),
        (b"\xff\xfe", HTTPStatus.BAD_REQUEST, "request.malformed"),
    ):
        answer = server.request("/order", "POST", body, Content_Type="application/json")
        check_problem(answer, status, code)
        assert b"alice" not in answer.body
    answer = server.request("/order", "POST", b"{}", Content_Type="application/json")
    assert json.loads(answer.body)["detail"] == "body.count: missing"
    strange = b'{"count": 1, "alice": 5}'
    answer = server.request("/order", "POST", strange, Content_Type="application/json")
    check_problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY, "request.invalid")
    assert b"alice" not in answer.body


def test_rejections_carry_the_verifiers_code(server: Server) -> None:
    answer = server.request("/rejected")
    check_problem(answer, HTTPStatus.UNPROCESSABLE_ENTITY, "manifest.bad-sum")


def test_an_unforeseen_exception_is_not_told(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = server.request("/fail")
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            server.request("/fail-late")
    check_problem(answer, HTTPStatus.INTERNAL_SERVER_ERROR, "service.internal")
    assert len(caplog.records) >= 2
    text = "\n".join(map(JsonLines().format, caplog.records))
    assert "ValueError" in text
    assert "test_service_limits.py" in text
    for secret in ("alice", "1.5"):
        assert secret not in text + answer.body.decode()


def test_rates_are_bounded_by_address(tmp_path: Path) -> None:
    app, settings = service(
        tmp_path,
        server={"proxies": ["127.0.0.1"], "connections": 3},
        limits={"address_rate": 3, "public_rate": 5},
    )
    with listening(app, settings) as (server, _):
        for client in ("203.0.113.1", "203.0.113.2", "2001:db8::1", "::ffff:203.0.113.3", "no"):
            for _ in range(3):
                assert server.request("/healthz", X_Forwarded_For=client).status == HTTPStatus.OK
            answer = server.request("/healthz", X_Forwarded_For=client)
            check_problem(answer, HTTPStatus.TOO_MANY_REQUESTS, "request.too-many")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        for same in ("2001:db8::ffff:1", "203.0.113.3", "198.51.100.9, 203.0.113.1", "none"):
            answer = server.request("/healthz", X_Forwarded_For=same)
            assert answer.status == HTTPStatus.TOO_MANY_REQUESTS
        for _ in range(5):
            assert server.request("/history.json").status == HTTPStatus.NOT_FOUND
        answer = server.request("/history.json")
        check_problem(answer, HTTPStatus.TOO_MANY_REQUESTS, "request.too-many")
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(server.connect())
            time.sleep(0.2)
            check_problem(server.send(b""), HTTPStatus.SERVICE_UNAVAILABLE, "service.unavailable")


def test_one_address_does_not_take_all_connections(tmp_path: Path) -> None:
    app, settings = service(tmp_path, server={"connections": 50, "address_connections": 20})
    with listening(app, settings) as (server, _), contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(server.connect())
        answer = server.send(b"")
        check_problem(answer, HTTPStatus.TOO_MANY_REQUESTS, "request.too-many")
        assert answer.headers["retry-after"] == "1"
        assert server.request("/healthz", source="127.0.0.2").status == HTTPStatus.OK
        stack.close()
        until(lambda: server.request("/healthz").status == HTTPStatus.OK)


def test_a_proxy_that_is_named_speaks_for_many(tmp_path: Path) -> None:
    server_settings = {"proxies": ["127.0.0.0/24"], "address_connections": 2}
    app, settings = service(tmp_path, server=server_settings)
    with listening(app, settings) as (server, _), contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(server.connect())
        assert server.request("/healthz").status == HTTPStatus.OK


@contextlib.contextmanager
def asked(server: Server, path: str) -> Iterator[Callable[[], http.client.HTTPResponse]]:
    """Ask for ``path``, and return how to wait for the head of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        yield connection.getresponse


def end(server: uvicorn.Server) -> None:
    """Tell the server to end as a signal does, a little later."""

    def tell() -> None:
        server.should_exit = True

    threading.Timer(0.3, tell).start()


def test_the_end_waits_for_requests_in_flight_and_ends_streams(tmp_path: Path) -> None:
    pages = tmp_path / "published/snapshots/2026-q1/pages/BTC/0"
    pages.parent.mkdir(parents=True)
    pages.write_bytes(bytes(20_000_000))
    app, settings = service(tmp_path, server={"stop_seconds": 20})
    with (
        listening(app, settings) as (server, running),
        asked(server, "/wait?seconds=1") as waiting,
        asked(server, "/stream") as streaming,
        asked(server, "/snapshots/2026-q1/pages/BTC/0") as reading,
        server.connect() as idle,
    ):
        stream, page = streaming(), reading()
        assert stream.readline() == b"first\n"
        first = page.read(1000)
        started = time.monotonic()
        end(running)
        assert waiting().read() == b'"done"'
        assert stream.read() == b"last\n"
        assert len(first) + len(page.read()) == 20_000_000
        assert idle.recv(100) == b""
        assert time.monotonic() - started < 15
        time.sleep(0.3)
        with pytest.raises(ConnectionError):
            server.request("/healthz")


def test_the_end_does_not_wait_without_end(tmp_path: Path) -> None:
    app, settings = service(tmp_path, server={"stop_seconds": 1})
    with (
        listening(app, settings) as (server, running),
        asked(server, "/wait?seconds=600") as waiting,
    ):
        end(running)
        response = waiting()
        assert response.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert json.loads(response.read())["code"] == "service.unavailable"


def test_answers_to_requests_sent_at_once_come_in_order(server: Server) -> None:
    first = b"GET /wait?seconds=0.2 HTTP/1.1\r\nHost: x\r\n\r\n"
    second = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(first + second)
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.index(b"HTTP/1.1 404 ") > answers.index(b'"done"')
    with server.connect() as connection:  # what follows is not taken for the first one's answer
        connection.sendall(first + b"NONSENSE\r\n\r\n")
        assert read_all(connection) == b""


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(functools.partial(connection.recv, 4096), b""))


def test_the_worker_is_kept_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_FOLDER", str(tmp_path))
    app, settings = service(tmp_path, server={"worker": True, "stop_seconds": 5})
    with listening(app, settings) as (server, _):
        (first,) = until(lambda: workers(tmp_path))
        until(lambda: server.request("/readyz").status == HTTPStatus.OK)
        os.kill(first, signal.SIGKILL)
        until(lambda: server.request("/readyz").status == HTTPStatus.SERVICE_UNAVAILABLE)
        (second,) = until(lambda: set(workers(tmp_path)) - {first})
        until(lambda: server.request("/readyz").status == HTTPStatus.OK)
    assert not psutil.pid_exists(second)


def workers(folder: Path) -> list[int]:
    """The workers over ``folder``, which they have from the environment."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.environ().get("ASSAY_FOLDER") == str(folder):
                found.append(process.pid)
    return found


def test_a_check_that_hangs_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_module, "CHECK_SECONDS", 0.05)
    go_on, begun = threading.Event(), []

    def hang() -> None:
        begun.append(1)
        go_on.wait(10)

    async def ask() -> None:
        readiness = readiness_module.Readiness({"fine": lambda: None, "hangs": hang})
        assert await readiness.failing() == ["hangs"]
        assert await readiness.failing() == ["hangs"]
        assert begun == [1]
        go_on.set()
        await asyncio.sleep(0.1)
        assert await readiness.failing() == []

    asyncio.run(ask())


def test_without_its_extra_a_command_says_what_to_install() -> None:
    said = r"fastapi is not installed.*'assay\[api\]'"
    with pytest.raises(SystemExit, match=said), needs_extra("api"):
        raise ModuleNotFoundError(name="fastapi.routing")
    with pytest.raises(ModuleNotFoundError), needs_extra("api"):
        raise ModuleNotFoundError(name="api.absent")
