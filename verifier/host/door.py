"""Which addresses a host talks to on behalf of strangers: public ones, over https, on port 443.

A name is resolved once for each connection, every address that it has must be public, and the
connection is made to the address that was checked, so that a name that changes its mind (DNS
rebinding) gains nothing. Each redirect comes through the same door.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from http.client import HTTPConnection, HTTPSConnection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult

from verifier.errors import CannotCheck, Code

HTTPS_PORT = 443

# Of the registries of IANA for special purposes, for IPv4 and IPv6 (RFC 6890): all that is set
# apart, whether it can be reached or not, since no file host is there; and multicast (RFC 1112).
_SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# All of IPv6 that is given out to networks of the internet (RFC 4291, 2.4), and what of it is not.
_UNICAST_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
)
# IPv6 addresses that stand for an IPv4 address, in their last 32 bits (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return every address that a host's name has, as text.

    Raises:
        OSError: it has none, or no resolver answers.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Tell whether an address is one of the public internet, and not another in disguise."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is None:
            is_unicast = address in _UNICAST_V6 and address.scope_id is None
            return is_unicast and not any(address in network for network in _SPECIAL_V6)
        address = inner
    return not any(address in network for network in _SPECIAL_V4)


def client_network(host: str) -> str:
    """Return the client that an address stands for: of IPv6, where one client has many, the /64.

    What a proxy may say instead of an address is one client, "".
    """
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address.packed, 64), strict=False))


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class PublicDoor:
    """Connects to public hosts alone. ``resolver`` and ``context`` stand in for the system's.

    For addresses of the operator's own, and not of strangers: ``networks`` are reached as public
    ones are, and with ``any_port`` any port.
    """

    max_redirects = 3

    def __init__(
        self,
        resolver: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        *,
        networks: Collection[IPv4Network | IPv6Network] = (),
        any_port: bool = False,
    ) -> None:
        self._resolve = resolver
        self._context = context or ssl.create_default_context()
        self._networks = networks
        self._any_port = any_port

    def admits(self, url: SplitResult) -> bool:
        """Tell whether a URL is one that is fetched at all, whatever its name leads to."""
        on_port = self._any_port or (url.port or HTTPS_PORT) == HTTPS_PORT
        return url.scheme == "https" and on_port and "@" not in url.netloc

    def connect(self, url: SplitResult, timeout: float) -> HTTPConnection:
        """See `verifier.bundle.http_source.Door`."""
        host, port = url.hostname or "", url.port or HTTPS_PORT
        if not self.admits(url):
            raise _refused("only https on port 443, without credentials")
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError):
            raise _refused("the name has no address") from None
        if not addresses or not all(map(self._is_reached, addresses)):
            raise _refused("the name leads to an address that is not public")
        return _PinnedConnection(host, port, addresses[0], timeout, self._context)

    def _is_reached(self, address: str) -> bool:
        if is_public(address):
            return True
        return any(ip_address(address) in network for network in self._networks)


class LoopbackDoor:
    """For tests: plain HTTP to this machine, and nothing else."""

    max_redirects = 3

    def admits(self, url: SplitResult) -> bool:
        """Tell whether a URL is one that is fetched at all."""
        return url.scheme == "http" and url.hostname == "127.0.0.1"

    def connect(self, url: SplitResult, timeout: float) -> HTTPConnection:
        """See `verifier.bundle.http_source.Door`."""
        if not self.admits(url):
            raise _refused("only http://127.0.0.1, in tests")
        return HTTPConnection("127.0.0.1", url.port, timeout=timeout)


HostDoor = PublicDoor | LoopbackDoor


class _PinnedConnection(HTTPSConnection):
    """TLS for a name, over a connection to one address."""

    def __init__(
        self, host: str, port: int, address: str, timeout: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        """Connect to the checked address, whatever the name says by now."""
        raw = socket.create_connection((self._address, self.port), self.timeout)
        try:
            # Where a watchdog finds it, before the other side has a say in how long it takes.
            self.sock = self._tls.wrap_socket(
                raw, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()
        except BaseException:
            raw.close()
            raise


def _refused(reason: str) -> CannotCheck:
    return CannotCheck(Code.CHECK_UNREADABLE, f"not fetched: {reason}")
