"""Questions to a node that hangs, drips, floods, redirects or talks nonsense: never a verdict."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from verifier import CannotCheck, Code, Misuse
from verifier.nodes.json_rpc import JsonRpc, NodeError

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """Give each connection to ``serve``; yield the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(connection)
            worker = threading.Thread(target=run, args=(connection,))
            workers.append(worker)
            worker.start()

    def run(connection: socket.socket) -> None:
        try:
            serve(connection)
        except OSError:
            return
        finally:
            connection.close()

    workers: list[threading.Thread] = []
    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in open_sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for worker in workers:
            worker.join()


def question(connection: socket.socket) -> tuple[str, dict[str, object]]:
    """Read one request: its head, and the JSON of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise OSError("gone")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    lengths = [line for line in text.splitlines() if line.lower().startswith("content-length")]
    length = int(lengths[0].split(":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return text, json.loads(body)


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def answering(make: Callable[[int], bytes], rounds: int = 1) -> Serve:
    """Answer each question, by its id, with the bytes of a whole response."""

    def serve(connection: socket.socket) -> None:
        for _ in range(rounds):
            _, asked = question(connection)
            connection.sendall(make(int(str(asked["id"]))))

    return serve


def result(value: object, number: int) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "id": number, "result": value}).encode())


def fault(serve: Serve, *, timeout: float = 5.0, limit: int = 1000) -> CannotCheck:
    with server(serve) as url:
        rpc = JsonRpc(url, timeout=timeout)
        with pytest.raises(CannotCheck) as raised:
            rpc.call("method", limit=limit)
        rpc.close()
    assert raised.value.code is Code.CHECK_UNREADABLE
    assert len(raised.value.message) < 400
    return raised.value


def test_results_come_back_on_one_connection():
    numbers: list[int] = []

    def make(number: int) -> bytes:
        numbers.append(number)
        return http(b'{"id": %d, "result": [0.00000001, null, "x"]}' % number)

    with server(answering(make, rounds=3)) as url:
        rpc = JsonRpc(url)
        for _ in range(3):
            assert rpc.call("m", 1, "two") == [Decimal("1e-8"), None, "x"]
        rpc.close()
    assert numbers == [1, 2, 3]


def test_an_idle_connection_that_was_closed_is_opened_again():
    with server(answering(lambda number: result(number, number))) as url:
        rpc = JsonRpc(url)
        assert [rpc.call("m") for _ in range(3)] == [1, 2, 3]
        rpc.close()


@pytest.mark.parametrize("given", ["url", "argument"])
def test_credentials_are_sent_and_never_shown(given):
    heads: list[str] = []

    def serve(connection: socket.socket) -> None:
        heads.append(question(connection)[0])
        connection.sendall(http(b"no", "401 Unauthorized"))

    with server(serve) as url:
        if given == "url":
            rpc = JsonRpc(url.replace("http://", "http://us%40er:se%3Acret@") + "/key?token=hidden")
        else:
            rpc = JsonRpc(url + "/key?token=hidden", credentials="us@er:se:cret")
        with pytest.raises(CannotCheck) as raised:
            rpc.call("m")
        rpc.close()
    assert f"Authorization: Basic {b64encode(b'us@er:se:cret').decode()}" in heads[0]
    assert heads[0].startswith("POST /key?token=hidden HTTP/1.1")
    for secret in ("se:cret", "se%3Acret", "hidden", "us@er", b64encode(b"us@er").decode()[:6]):
        assert secret not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "node:8545",
        "ftp://node",
        "http://",
        "http://node:0",
        "http://node:99999",
        "http://node/#part",
        "http://node/a b",
        "http://nöde",
        "http://[::1",
    ],
)
def test_what_is_no_url(url):
    with pytest.raises(Misuse):
        JsonRpc(url)


def test_a_node_that_never_answers_times_out():
    def serve(connection: socket.socket) -> None:
        question(connection)
        connection.recv(1)

    started = time.monotonic()
    assert "no answer in time" in fault(serve, timeout=0.2).message
    assert time.monotonic() - started < 20


def test_a_node_that_drips_times_out():
    def serve(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    assert "no answer in time" in fault(serve, timeout=0.3).message


def test_a_flood_is_cut_off():
    def serve(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    assert "more than 1000 bytes" in fault(serve).message


def test_no_node_at_all():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CannotCheck, match=f"node 127.0.0.1:{port}: no answer: "):
        JsonRpc(f"http://127.0.0.1:{port}").call("m")


def named(text: bytes) -> Callable[[int], bytes]:
    return lambda number: http(text.replace(b"ID", str(number).encode()))


@pytest.mark.parametrize(
    "make",
    [
        named(b""),
        named(b"hello"),
        named(b"\xff\xfe"),
        named(b"null"),
        named(b"[]"),
        named(b"{}"),
        named(b'{"id": ID}'),
        named(b'{"id": 999, "result": 1}'),
        named(b'{"id": "ID", "result": 1}'),
        named(b'{"result": 1}'),
        named(b'{"id": ID, "result": ' + b"[" * 400),
        named(b'{"id": ID, "result": ' + b"[" * 300 + b"]" * 300 + b"}x"),
        named(b'{"id": ID, "result": ' + b"9" * 900),
        lambda number: http(b'{"id": %d, "result": 1}' % number, "500 Oops"),
        lambda number: http(b"", "302 Found", "Location: http://elsewhere/\r\n"),
        lambda number: b"not HTTP at all\r\n\r\n",
        lambda number: b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        lambda number: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        lambda number: b"",
    ],
)
def test_nonsense_is_no_answer(make):
    fault(answering(make))


@pytest.mark.parametrize(
    ("error", "number", "said"),
    [
        ({"code": -32000, "message": "missing trie node"}, -32000, "missing trie node"),
        ({"code": 3, "message": "x" * 10_000}, 3, "xxx"),
        ({"code": "3", "message": 7}, 0, "an error"),
        ("no", 0, "an error"),
        ([], 0, "an error"),
    ],
)
def test_an_error_is_the_nodes_own(error, number, said):
    def make(asked: int) -> bytes:
        return http(json.dumps({"id": asked, "error": error}).encode(), "500 Oops")

    raised = fault(answering(make), limit=20_000)
    assert isinstance(raised, NodeError)
    assert raised.number == number
    assert said in raised.message
