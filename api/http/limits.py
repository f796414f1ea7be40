"""What one client may ask for: how often, how much, and how slowly.

Invariants: a body is bounded before it is read, whatever length it declares; no request waits for
its client without end. Heads are bounded by ``api/http/connection.py``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import threading
import time
from collections import Counter
from typing import Final, Literal

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import Problem, ServiceCode
from api.settings import LimitSettings

BODY_LIMIT: Final = "assay.body_limit"
_WINDOW_SECONDS: Final = 60
_PUBLIC: Final = ("/snapshots/", "/history.json", "/check.html")

Kind = Literal["public", "address", "operator", "customer"]


class Rates:
    """How many requests each client made in the current minute, in the memory of one process.

    Counted here and not by the library `limits`, whose storage in memory starts a thread every
    10 ms and walks all clients in it: that took about a third of a page's time, profiled.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self._most: dict[Kind, int] = {
            "public": settings.public_rate,
            "address": settings.address_rate,
            "operator": settings.operator_rate,
            "customer": settings.customer_rate,
        }
        self._minute = 0.0
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._lock = threading.Lock()

    def spend(self, kind: Kind, who: str) -> None:
        """Count one request of ``who``.

        Raises:
            Problem: that was one too many.
        """
        minute, second = divmod(time.monotonic(), _WINDOW_SECONDS)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._counts.clear()
            self._counts[kind, who] += 1
            made = self._counts[kind, who]
        if made > self._most[kind]:
            wait = math.ceil(_WINDOW_SECONDS - second)
            raise Problem(ServiceCode.RATE, headers={"Retry-After": str(wait)})


def client_network(host: str) -> str:
    """Return the client that an address stands for: of IPv6, where one client has many, the /64.

    What a proxy may say instead of an address is one client, "".
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def allow_body(request: Request, most: int) -> None:
    """Let the body of ``request`` have up to ``most`` bytes; call it before anything is read."""
    request.scope[BODY_LIMIT] = most


class Limited:
    """Middleware: rates by address, bodies by length and time."""

    def __init__(self, app: ASGIApp, rates: Rates, settings: LimitSettings) -> None:
        self._app = app
        self._rates = rates
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Problem: one too many, or its body is too large or too slow.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not scope["path"].startswith("/"):  # `OPTIONS *`, which the framework cannot route
            raise Problem(ServiceCode.NOT_FOUND)
        client = scope.get("client")
        kind: Kind = "public" if scope["path"].startswith(_PUBLIC) else "address"
        self._rates.spend(kind, client_network(client[0]) if client else "")
        fields = dict(scope["headers"])
        if b"content-length" in fields or b"transfer-encoding" in fields:
            body = _Body(scope, receive, send, self._settings)
            receive, send = body.receive, body.send
        await self._app(scope, receive, send)


class _Body:
    """The body of one request, as its reader meets it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: LimitSettings) -> None:
        scope[BODY_LIMIT] = settings.body_bytes
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._declared = int(dict(scope["headers"]).get(b"content-length", b"0"))
        self._started: float | None = None
        self._received = 0
        self._complete = False

    async def receive(self) -> Message:
        """Return the next part.

        Raises:
            Problem: more bytes, declared or sent, than this request may have, or too late.
        """
        if self._complete:
            return await self._receive()
        if self._declared > self._scope[BODY_LIMIT]:
            raise Problem(ServiceCode.BODY_TOO_LARGE)
        now = asyncio.get_running_loop().time()
        self._started = self._started or now
        allowed = self._settings.body_seconds + self._received / self._settings.body_rate
        try:
            async with asyncio.timeout_at(self._started + allowed):
                message = await self._receive()
        except TimeoutError:
            raise Problem(ServiceCode.TIMEOUT) from None
        self._received += len(message.get("body", b""))
        if self._received > self._scope[BODY_LIMIT]:
            raise Problem(ServiceCode.BODY_TOO_LARGE)
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send; a connection on which the rest of a body would follow ends with the answer."""
        if message["type"] == "http.response.start" and not self._complete:
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await self._send(message)
