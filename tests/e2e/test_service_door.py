"""The service at its door, as a process on loopback: what it refuses, how, and what it tells."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.service import BIN, Answer, Service, running

PAGE = "/snapshots/2026-q1/pages/BTC/0"
SETTINGS = """
[limits]
header_seconds = 0.5
body_seconds = 0.5
idle_seconds = 1
head_bytes = 4096
body_bytes = 1000
upload_bytes = 5000
[metrics]
token = "a secret of the metrics"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    file = folder / "published" / PAGE.removeprefix("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(20_000_000))
    with running(folder, SETTINGS, "--no-worker") as found:
        yield found


def check_problem(answer: Answer, status: HTTPStatus, code: str) -> None:
    """Check that ``answer`` is the problem ``code`` and echoes nothing."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:assay:problem:{code}"
    assert problem["title"]
    assert set(problem) <= {"type", "title", "status", "code", "detail", "request_id"}


def closes(connection: socket.socket) -> bool:
    """Say whether the server ends the connection within the socket's patience."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_what_is_not_there_is_a_problem(service: Service) -> None:
    check_problem(service.request("/nothing"), HTTPStatus.NOT_FOUND, "request.not-found")
    check_problem(
        service.request("/healthz", "POST"),
        HTTPStatus.METHOD_NOT_ALLOWED,
        "request.method-not-allowed",
    )
    check_problem(
        service.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
        HTTPStatus.NOT_FOUND,
        "request.not-found",
    )


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX-Host: x\r\n\r\n",
        b"GET http://x/healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nhOST: x\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        *(
            b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
            for host in (b"x y", b"x/y", b"u@x", b"x:http", b"[::1", b"x, y", b'"x"', b"x\x7f")
        ),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_a_problem(service: Service, request_bytes: bytes) -> None:
    answer = service.send(request_bytes)
    check_problem(answer, HTTPStatus.BAD_REQUEST, "request.malformed")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0",
        b"HTTP/1.0\r\nHost: x",
        *(
            b"HTTP/1.1\r\nHost: " + host
            for host in (b"x", b"", b"x:", b"a-b_c.example:8000", b"[::1]:80", b"127.0.0.1", b"%61")
        ),
    ],
)
def test_a_host_of_any_form_is_taken(service: Service, head: bytes) -> None:
    assert service.send(b"GET /healthz " + head + b"\r\n\r\n").status == HTTPStatus.OK


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (
            b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            HTTPStatus.REQUEST_URI_TOO_LONG,
            "request.url-too-long",
        ),
        (
            b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 5000 + b"\r\n\r\n",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "request.head-too-large",
        ),
        (
            b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "request.head-too-large",
        ),
        (
            b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 5000,  # a head without an end
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "request.head-too-large",
        ),
    ],
)
def test_heads_are_bounded(
    service: Service, request_bytes: bytes, status: HTTPStatus, code: str
) -> None:
    check_problem(service.send(request_bytes), status, code)


def test_trailers_are_bounded(service: Service) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with service.connect() as connection:
        connection.sendall(head + b"0\r\n" + b"X: a\r\n" * 50_000)
        assert closes(connection)


def test_trailers_are_no_headers(service: Service) -> None:
    head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\n"
    token = b"Authorization: Bearer a secret of the metrics\r\n"
    body = b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert service.send(head + token + body + b"\r\n").status == HTTPStatus.OK
    answer = service.send(head + body + token + b"\r\n")
    check_problem(answer, HTTPStatus.UNAUTHORIZED, "request.unauthenticated")


def test_a_slow_head_ends_the_wait(service: Service) -> None:
    parts = [b"GET /healthz HTTP/1.1\r\n", b"X-A: 1\r\n", b"X-B: 1\r\n", b"X-C: 1\r\n"]
    check_problem(service.send(*parts, pause=0.2), HTTPStatus.REQUEST_TIMEOUT, "request.timeout")


def test_silence_ends_the_connection(service: Service) -> None:
    with service.connect() as silent, service.connect() as blank, service.connect() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        started = time.monotonic()
        for _ in range(6):
            time.sleep(0.2)
            with contextlib.suppress(ConnectionError):
                blank.sendall(b"\r\n")
        assert all(closes(connection) for connection in (silent, blank, idle))
        assert time.monotonic() - started < 8


def test_one_who_takes_nothing_loses_the_connection(service: Service) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connection:
        connection.settimeout(10)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(f"GET {PAGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(2.5)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 20):
                received += len(part)
        assert 0 < received < 20_000_000


def test_request_ids(service: Service) -> None:
    assert service.request("/healthz", X_Request_ID="a-b.c_1").headers["x-request-id"] == "a-b.c_1"
    for given in ("", "a b", "a" * 65, 'a"b', "ä"):
        answer = service.request("/nothing", X_Request_ID=given)
        made = answer.headers["x-request-id"]
        assert made != given
        assert len(made) == 16
        assert json.loads(answer.body)["request_id"] == made


def test_answers_carry_security_headers(service: Service) -> None:
    for path in ("/healthz", "/nothing", PAGE):
        headers = service.request(path, "HEAD" if path == PAGE else "GET").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in headers


def test_health_and_readiness(service: Service) -> None:
    assert json.loads(service.request("/healthz").body) == {"status": "alive"}
    assert json.loads(service.request("/readyz").body) == {"status": "ready"}
    published = service.folder / "published"
    published.rename(service.folder / "aside")
    try:
        answer = service.request("/readyz")
        check_problem(answer, HTTPStatus.SERVICE_UNAVAILABLE, "service.unavailable")
        assert json.loads(answer.body)["detail"] == "published"
        assert service.request("/healthz").status == HTTPStatus.OK
    finally:
        (service.folder / "aside").rename(published)


def test_metrics_count_by_route_template(service: Service) -> None:
    for path in ("/nothing/1", "/nothing/2", "/snapshots/a/manifest.sig"):
        service.request(path)
    service.request("/healthz", "PROPFIND")
    text = service.request("/metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith("assay_requests_total")]
    assert any('route="none",status="404"' in line for line in lines)
    assert any('route="/snapshots/{snapshot_id}/{path:path}"' in line for line in lines)
    assert any('method="other"' in line for line in lines)
    assert not [line for line in lines if "nothing" in line or "PROPFIND" in line]


def test_metrics_are_for_those_who_may(service: Service) -> None:
    outside = {"X-Forwarded-For": "203.0.113.7"}
    answer = service.request("/metrics", **outside)
    check_problem(answer, HTTPStatus.UNAUTHORIZED, "request.unauthenticated")
    wrong = service.request("/metrics", Authorization="Bearer wrong")
    assert wrong.status == HTTPStatus.UNAUTHORIZED
    right = service.request("/metrics", Authorization="Bearer a secret of the metrics", **outside)
    assert right.status == HTTPStatus.OK


def test_the_log_tells_no_secret(service: Service) -> None:
    service.request(
        "/operator/nothing/alice@example.com?balance=87654.5",
        Authorization="Bearer a-token-to-hide",
    )
    service.request(PAGE, Range="bytes=0-9")
    service.send(b"GET /alice@example.com \x00\r\n\r\n")
    lines = service.lines()
    requests = [line for line in lines if line["message"] == "request"]
    assert requests
    for line in requests:
        assert set(line) == {
            *("time", "level", "logger", "message", "request_id"),
            *("method", "route", "status", "bytes", "seconds"),
        }
    text = service.log.read_text()
    for secret in ("alice", "87654", "a-token-to-hide", "a secret of the metrics", "2026-q1"):
        assert secret not in text
    assert "/snapshots" not in text  # who reads which page says whose it is


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    file = tmp_path / "service.toml"
    file.write_text(f'folder = "."\ndatabase = "postgresql://ops:hidden@127.0.0.1:{port}/assay"\n')
    command: list[str | Path] = [BIN / "assay", "serve", "--settings", file]
    command += ["--port", "0", "--no-worker"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    assert last == "assay: the service cannot start: its log says why"
    errors = [found for line in lines if (found := json.loads(line))["level"] == "error"]
    assert errors[0]["message"] == "cannot start"
    assert errors[0]["reason"] == "the database cannot be used: OperationalError"
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr
