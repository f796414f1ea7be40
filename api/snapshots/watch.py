"""Watching snapshots by server-sent events, for as long as a worker is at them.

One look at the database serves all streams of a snapshot, and there is none where nobody listens.
An event's id is the revision of the snapshot that it shows, so a client that comes back with the
last id it saw hears only of what is new, and is told to stay away once nothing more will come. A
stream ends after about a minute: whoever comes back proves anew who they are, so a token that is
revoked or over shows nothing for long.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event

from api.errors import ServiceError, StreamsOfAll, StreamsOfCaller
from api.settings import LimitSettings
from api.snapshots.states import MOVING, Row

POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 10.0
STREAM_SECONDS: Final = 60.0
_RETRY_MILLISECONDS: Final = 2000


@dataclass
class _Watched:
    """A snapshot that is watched: its latest revision and the event that shows it.

    news: set, and replaced, with every change and every heartbeat. over: nothing more will come.
    task: who watches.
    """

    revision: int
    event: bytes
    over: bool = False
    listeners: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)

    def tell(self) -> None:
        """Wake all who wait for news."""
        told, self.news = self.news, asyncio.Event()
        told.set()


class Watchers:
    """All that are watched, and the streams of them; of one event loop.

    ``find`` reads a snapshot, in a thread; ``show`` makes the data of an event.
    """

    def __init__(
        self,
        find: Callable[[str], Row],
        show: Callable[[Row], str],
        stopping: asyncio.Event,
        settings: LimitSettings,
    ) -> None:
        self._find = find
        self._show = show
        self._stopping = stopping
        self._most = settings.streams
        self._most_of_one = settings.operator_streams
        self._streams: Counter[str] = Counter()
        self._watched: dict[str, _Watched] = {}

    @contextmanager
    def place(self, caller: str) -> Iterator[None]:
        """Hold a place for one stream of a caller.

        Raises:
            StreamsOfCaller, StreamsOfAll: there is none left, for them or for anybody.
        """
        if self._streams[caller] >= self._most_of_one:
            raise StreamsOfCaller("too many streams at once")
        if self._streams.total() >= self._most:
            raise StreamsOfAll("too many streams at once")
        self._streams[caller] += 1
        try:
            yield
        finally:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]

    async def stream(self, row: Row, seen: str | None) -> AsyncGenerator[bytes, None]:
        """Yield an event for every change from the revision ``seen`` on, ``row`` being the snapshot
        now, until its state rests, or for `STREAM_SECONDS`.
        """
        end = time.monotonic() + STREAM_SECONDS
        if str(row.revision) != seen:
            yield self._event(row)
        if row.state not in MOVING:
            return
        shown = row.revision
        with self._listening(row) as watched:
            while True:
                news = watched.news
                if watched.revision > shown:
                    shown = watched.revision
                    yield watched.event
                elif watched.over or time.monotonic() >= end:
                    return
                else:
                    await news.wait()
                    if watched.revision <= shown and not watched.over:
                        yield format_sse_event(comment="still at it")

    @contextmanager
    def _listening(self, row: Row) -> Iterator[_Watched]:
        """Listen to who watches a snapshot: the first to listen sets them on, the last ends it."""
        snapshot_id = row.snapshot_id
        watched = self._watched.get(snapshot_id)
        if watched is None or watched.over:
            watched = self._watched[snapshot_id] = _Watched(row.revision, self._event(row))
            watched.task = asyncio.create_task(self._watch(snapshot_id, watched))
        watched.listeners += 1
        try:
            yield watched
        finally:
            watched.listeners -= 1
            if not watched.listeners:
                watched.task.cancel()
                if self._watched.get(snapshot_id) is watched:
                    del self._watched[snapshot_id]

    async def _watch(self, snapshot_id: str, watched: _Watched) -> None:
        """Look at a snapshot until its state rests; where it cannot be seen its streams end."""
        told = time.monotonic()
        try:
            while not await _is_set(self._stopping):
                row = await run_in_threadpool(self._find, snapshot_id)
                changed = row.revision > watched.revision
                if changed:
                    watched.revision, watched.event = row.revision, self._event(row)
                if row.state not in MOVING:
                    return
                if changed or time.monotonic() - told >= HEARTBEAT_SECONDS:
                    told = time.monotonic()
                    watched.tell()
        except ServiceError:
            pass  # whoever comes back is told
        finally:
            watched.over = True
            watched.tell()

    def _event(self, row: Row) -> bytes:
        return format_sse_event(
            data_str=self._show(row),
            event="snapshot",
            id=str(row.revision),
            retry=_RETRY_MILLISECONDS,
        )


async def _is_set(event: asyncio.Event) -> bool:
    """Wait for an event, but no longer than until the next look at the database."""
    try:
        await asyncio.wait_for(event.wait(), POLL_SECONDS)
    except TimeoutError:
        return False
    return True
