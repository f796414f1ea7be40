"""One connection of a client, bounded where the application does not yet, or no more, see it.

Invariants: a head has at most so many bytes and so much time, and so have the trailers of a body;
an idle connection ends; so does one whose client takes nothing of what it is sent; one address has
so many at most. uvicorn bounds none of these but the pause between two requests. A request is of
HTTP/1 and has one well-formed `Host` (RFC 9112, 3.2), which nothing here or above relies on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections import Counter
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from api.http.limits import client_network
from api.http.problems import MEDIA_TYPE, Problem, ServiceCode, problem_body
from api.settings import LimitSettings, ServerSettings

# uri-host [ ":" port ] of RFC 3986, 3.2.2; it may be empty.
_HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII
)
# Refusals that pass, and after how long to ask again.
_PASSING: Final = frozenset({ServiceCode.RATE, ServiceCode.UNAVAILABLE})
_RETRY_SECONDS: Final = 1


class Crowd:
    """The open connections of a server, of all clients and of each.

    A proxy that the settings name speaks for many clients, so only all together are bounded there.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._most = settings.connections
        self._most_of_one = settings.address_connections
        self._proxies = settings.proxies
        self._of_one: Counter[str] = Counter()
        self._all = 0

    def enter(self, host: str) -> ServiceCode | None:
        """Count a connection of an address; return why it cannot stay, if so. It leaves anyway."""
        client = client_network(host)
        self._all += 1
        self._of_one[client] += 1
        if self._all > self._most:
            return ServiceCode.UNAVAILABLE
        if self._of_one[client] > self._most_of_one and not self._is_proxy(host):
            return ServiceCode.RATE
        return None

    def leave(self, host: str) -> None:
        """Count one less."""
        client = client_network(host)
        self._all -= 1
        self._of_one[client] -= 1
        if not self._of_one[client]:
            del self._of_one[client]

    def _is_proxy(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in proxy for proxy in self._proxies)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds."""

    def __init__(
        self,
        limits: LimitSettings,
        crowd: Crowd,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._crowd = crowd
        self._host = ""
        self._refusal = ServiceCode.MALFORMED
        self._head_bytes = 0
        self._unparsed = 0
        self._in_head = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        self._host = self.client[0] if self.client else ""
        refusal = self._crowd.enter(self._host)
        if refusal is None:
            self._wait_for_head()
        else:
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._crowd.leave(self._host)
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; what neither ends a head nor adds to a body is counted."""
        self._unparsed += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unparsed > self._limits.head_bytes:
            self._refuse(ServiceCode.HEAD_TOO_LARGE)
        elif self._head_timer is None and (self._in_head or not self._busy()):
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        self._head_bytes += len(url)
        if self._head_bytes > self._limits.head_bytes:
            self._refuse_in_parser(ServiceCode.URL_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; drop a trailer, which uvicorn would let stand for one: of it a proxy in
        front, whose headers are believed, may have seen nothing (RFC 9110, 6.5.1).
        """
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._limits.head_bytes:
            self._refuse_in_parser(ServiceCode.HEAD_TOO_LARGE)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head, of which the rest is left to uvicorn."""
        if not self._is_well_formed():
            self._refuse_in_parser(ServiceCode.MALFORMED)
        self._in_head = False
        self._unparsed = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._unparsed = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused."""
        self._refuse(self._refusal)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what it was sent."""
        super().pause_writing()
        self._wait_for_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """End that."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def _is_well_formed(self) -> bool:
        """Tell whether version and `Host` are as RFC 9112 has them."""
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        return (
            (version == "1.1" and len(hosts) == 1) or (version == "1.0" and len(hosts) <= 1)
        ) and all(map(_HOST.fullmatch, hosts))

    def _busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.header_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._busy():
            self._wait_for_head()
        elif self._in_head:
            self._refuse(ServiceCode.TIMEOUT)
        else:
            self.transport.close()

    def _wait_for_reader(self, waiting: int) -> None:
        self._write_timer = self.loop.call_later(
            self._limits.idle_seconds, self._reader_is_late, waiting
        )

    def _reader_is_late(self, waiting: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now < waiting:
            self._wait_for_reader(now)
        else:
            self.transport.abort()

    def _refuse_in_parser(self, code: ServiceCode) -> None:
        """Stop the parser, which then calls :meth:`send_400_response`."""
        self._refusal = code
        raise httptools.HttpParserError(code)

    def _refuse(self, code: ServiceCode) -> None:
        """Answer and close; between the parts of another answer, close alone."""
        if not self._busy():
            problem = Problem(code)
            body = problem_body(problem, "")
            head = (
                f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
                "cache-control: no-store\r\nconnection: close\r\n"
                + f"retry-after: {_RETRY_SECONDS}\r\n" * (code in _PASSING)
                + "\r\n"
            )
            self.transport.write(STATUS_LINE[problem.status_code] + head.encode() + body)
        self.transport.close()
