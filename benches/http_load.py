"""A client that asks a server on loopback as fast as it answers, over connections kept open.

It reads every answer to its end and checks the status and, where the caller wants to, the body;
a process of its own and one core are enough for some ten thousand answers of 51 kB a second.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Exchange:
    """A request, whole, and how its answer is recognised as right.

    request: with `Host`, and `Content-Length` where it has a body. check: of the body; by default
    any of status ``status`` will do.
    """

    request: bytes
    status: int = 200
    check: Callable[[bytes], bool] | None = None


@dataclass
class Load:
    """What came of it: durations of right answers, seconds in all, wrong answers, bytes."""

    durations: list[float] = field(default_factory=list)
    wrong: int = 0
    seconds: float = 0.0
    received: int = 0

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return len(self.durations) / self.seconds

    def percentile(self, part: float) -> float:
        """Return the duration, in seconds, that ``part`` (0 … 1) of the answers did not exceed."""
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def put_load(port: int, exchanges: Sequence[Exchange], *, connections: int, seconds: float) -> Load:
    """Ask ``exchanges`` in turn over ``connections`` connections at once, for so many seconds."""
    load = Load()
    uvloop.run(_run(load, port, exchanges, connections, seconds))
    return load


async def _run(
    load: Load, port: int, exchanges: Sequence[Exchange], connections: int, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    clients = [
        _Client(load, exchanges, at * len(exchanges) // connections, started + seconds)
        for at in range(connections)
    ]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(client.ended for client in clients))
    load.seconds = time.perf_counter() - started


class _Client(asyncio.Protocol):
    """One connection: the next request goes out once the answer before is there."""

    def __init__(self, load: Load, exchanges: Sequence[Exchange], at: int, until: float) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._exchanges = exchanges
        self._at = at
        self._until = until
        self._parts: list[bytes] = []
        self._missing = 0
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.ended.done():
            if time.perf_counter() < self._until:
                self._load.wrong += 1
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self._parts:
            data = self._begin(data)
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing == 0:
            self._end()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        if self._asked >= self._until:
            self._transport.close()
            return
        self._exchange = self._exchanges[self._at % len(self._exchanges)]
        self._at += 1
        self._transport.write(self._exchange.request)

    def _begin(self, data: bytes) -> bytes:
        """Read a head, which servers on loopback send in one piece; none is longer than 4 KiB."""
        self._body_at = data.index(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, self._body_at)
        self._missing = self._body_at + (int(length[1]) if length else 0)
        return data

    def _end(self) -> None:
        self._load.received += sum(map(len, self._parts))
        right = self._parts[0].startswith(b"HTTP/1.1 %d " % self._exchange.status)
        if right and self._exchange.check is not None:
            right = self._exchange.check(b"".join(self._parts)[self._body_at :])
        if right:
            self._load.durations.append(time.perf_counter() - self._asked)
        else:
            self._load.wrong += 1
        self._parts.clear()
        self._ask()
