"""The door through which a host talks to strangers' addresses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from verifier.bundle.http_source import HttpSource
from verifier.errors import CannotCheck
from verifier.host.door import LoopbackDoor, PublicDoor, is_public

# The registries of IANA for special purposes, row by row (IPv4 and IPv6, as of October 2025), the
# two that are older than they, and multicast. Some rows can be reached from everywhere (AS112, AMT,
# anycast of PCP and TURN, ORCHIDv2, DRIP): no host of files is there.
SPECIAL_V4 = [
    *("0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32"),
    *("192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24", "192.31.196.0/24"),
    *("192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32"),
    "224.0.0.0/4",
]
SPECIAL_V6 = [
    *("::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23"),
    *("2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48"),
    *("2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28"),
    *("2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
    *("fec0::/10", "ff00::/8", "::/96"),
]


def ends(network: str) -> list[str]:
    """First and last address of a network, and one in the middle."""
    found = ipaddress.ip_network(network)
    first, last = int(found[0]), int(found[-1])
    kind = type(found[0])
    return [str(kind(value)) for value in (first, (first + last) // 2, last)]


@pytest.mark.parametrize("network", [*SPECIAL_V4, *SPECIAL_V6])
def test_what_is_set_apart_is_not_public(network: str) -> None:
    assert not any(map(is_public, ends(network)))


@pytest.mark.parametrize("network", SPECIAL_V4)
def test_nor_is_it_in_the_disguise_of_another_address(network: str) -> None:
    for text in ends(network):
        number = int(ipaddress.IPv4Address(text))
        for base in (0xFFFF << 32, 0x64FF9B << 96):  # mapped, NAT64
            assert not is_public(str(ipaddress.IPv6Address(base + number)))
        assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) + (number << 80))))


@pytest.mark.parametrize(
    "address",
    [
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "1fff::1",
        "4000::1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "localhost",
        "",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.32.0.0"),
        *("192.0.1.0", "192.88.98.255", "192.88.100.0", "198.17.255.255", "198.20.0.0"),
        *("223.255.255.255", "2606:4700::1111", "2001:200::1", "2a00:1450::1", "2003::1"),
        *("3ffe::1", "3fff:1000::1", "2620:4f:8001::1"),
        *("::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
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
