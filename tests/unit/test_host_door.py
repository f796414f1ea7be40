"""The door through which a host talks to strangers' addresses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from verifier.errors import CannotCheck
from verifier.host.door import LoopbackDoor, PublicDoor, is_public
from verifier.http_source import HttpSource


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "224.0.0.1",
        "192.0.2.1",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fe80::1%eth0",
        "localhost",
        "",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_what_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:8443/",
        "https://user@example.com/",
        "ftp://example.com/",
    ],
)
def test_only_https_on_its_port(url: str) -> None:
    door = PublicDoor(lambda host, port: ["8.8.8.8"])
    with pytest.raises(CannotCheck, match="only https"):
        door.connect(urlsplit(url), 1)


@pytest.mark.parametrize("addresses", [[], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"]])
def test_every_address_of_a_name_must_be_public(addresses: list[str]) -> None:
    door = PublicDoor(lambda host, port: addresses)
    with pytest.raises(CannotCheck, match="not public"):
        door.connect(urlsplit("https://example.com/"), 1)


def test_a_name_without_address() -> None:
    def fail(host: str, port: int) -> list[str]:
        raise socket.gaierror

    with pytest.raises(CannotCheck, match="no address"):
        PublicDoor(fail).connect(urlsplit("https://example.com/"), 1)


def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: public when checked, this machine when connected to. One question is asked."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    reached: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    connection = PublicDoor(rebinding).connect(urlsplit("https://example.com/"), 1)
    with pytest.raises(ConnectionRefusedError):
        connection.request("GET", "/")
    assert reached == [("8.8.8.8", 443)]
    assert asked == ["example.com"]


def test_a_redirect_comes_through_the_same_door(
    redirecting: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = redirecting("http://169.254.169.254/latest/meta-data")
    with pytest.raises(CannotCheck, match="only http://127"):
        HttpSource(url, door=LoopbackDoor()).read("manifest.msgpack", 10)


def test_at_most_three_redirects(redirecting: Callable[[str], str]) -> None:
    url = redirecting("")
    with pytest.raises(CannotCheck, match="too many redirects"):
        HttpSource(url, door=LoopbackDoor()).read("manifest.msgpack", 10)


@pytest.fixture
def redirecting() -> object:
    """Start hosts that redirect everything: to an address, or in a circle."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    servers = []

    def start(location: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", location or self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
