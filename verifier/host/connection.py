"""One connection of a client to the host, bounded where the application sees nothing of it.

Invariants: without a request being answered a connection lives so many seconds, whatever of a head
or of a body comes meanwhile; one whose client takes nothing of what it is sent ends; so many are
open, and so many of one client with a public address. uvicorn bounds none of these. The bytes of a
head are bounded by h11, and a body says its length before it comes.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from verifier.host.door import client_network, is_public

HEAD_SECONDS = 10.0
READER_SECONDS = 30.0
MAX_CONNECTIONS, MAX_OF_CLIENT = 1000, 64
MAX_HEAD_BYTES = 65_536


class _Lengths(h11.Connection):
    """Takes no body but one of a stated length.

    A body in chunks is bounded in bytes at best: each of its chunks costs an event, however small,
    and all that are read at once are parsed before anybody else has a turn.
    """

    is_refused = False

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what came next.

        Raises:
            h11.RemoteProtocolError: it is no HTTP, or a request whose body is in chunks.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.is_refused = any(name == b"transfer-encoding" for name, _ in event.headers)
            if self.is_refused:
                raise h11.RemoteProtocolError("a body without its length")
        return event


class Connection(H11Protocol):
    """uvicorn's protocol over h11, with bounds."""

    conn: _Lengths
    _network = ""
    _idle_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        self.conn = _Lengths(h11.SERVER, MAX_HEAD_BYTES)
        address = self.client[0] if self.client else ""
        self._network = client_network(address)
        others = [cast(Connection, one)._network for one in self.connections]
        of_client = others.count(self._network)
        if len(others) > MAX_CONNECTIONS or (of_client > MAX_OF_CLIENT and is_public(address)):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._idle_timer, self._reader_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; the wait is over once that ends a head."""
        super().data_received(data)
        if self._is_busy() and self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there."""
        super().on_response_complete()
        if self._idle_timer is None and not self._is_busy():
            self._wait_for_request()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or a body whose length is not stated."""
        is_refused = self.conn.is_refused
        self._refuse(HTTPStatus.LENGTH_REQUIRED if is_refused else HTTPStatus.BAD_REQUEST)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what it was sent."""
        super().pause_writing()
        self._wait_for_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """End that."""
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
        super().resume_writing()

    def _is_busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for_request(self) -> None:
        self._idle_timer = self.loop.call_later(HEAD_SECONDS, self._request_is_late)

    def _request_is_late(self) -> None:
        self._idle_timer = None
        has_begun = bool(self.conn.trailing_data[0])
        if has_begun:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        self.transport.close()

    def _wait_for_reader(self, waiting: int) -> None:
        self._reader_timer = self.loop.call_later(READER_SECONDS, self._reader_is_late, waiting)

    def _reader_is_late(self, waiting: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now < waiting:
            self._wait_for_reader(now)
        else:
            self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without a word, where an answer can be begun, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            headers = [
                ("content-length", "0"),
                ("cache-control", "no-store"),
                ("connection", "close"),
            ]
            answer = h11.Response(
                status_code=status, headers=headers, reason=status.phrase.encode()
            )
            for event in (answer, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
