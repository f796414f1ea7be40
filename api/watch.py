"""Watching a snapshot by server-sent events, for as long as a worker is at it.

An event's id is the revision of the snapshot that it shows, so a client that comes back with the
last id it saw hears only of what is new, and is told to stay away once nothing more will come. A
stream ends after a minute at most: whoever comes back proves anew who they are, so a token that is
revoked or over shows nothing for long, and the rate of an operator bounds their streams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event

from api.snapshots import MOVING, Row

POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 10.0
STREAM_SECONDS: Final = 60.0
_RETRY_MILLISECONDS: Final = 2000


async def watch(
    find: Callable[[], Row],
    show: Callable[[Row], str],
    seen: str | None,
    stopping: asyncio.Event,
) -> AsyncIterator[bytes]:
    """Yield an event for every change from the revision ``seen`` on, until the state rests, or
    for `STREAM_SECONDS`.

    ``find`` reads the snapshot, in a thread; ``show`` makes the data of an event.
    """
    heard = time.monotonic()
    end = heard + STREAM_SECONDS
    while True:
        row = await run_in_threadpool(find)
        if str(row.revision) != seen:
            seen, heard = str(row.revision), time.monotonic()
            yield format_sse_event(
                data_str=show(row), event="snapshot", id=seen, retry=_RETRY_MILLISECONDS
            )
        elif time.monotonic() - heard >= HEARTBEAT_SECONDS:
            heard = time.monotonic()
            yield format_sse_event(comment="still at it")
        if row.state not in MOVING or time.monotonic() > end or await _is_set(stopping):
            return


async def _is_set(event: asyncio.Event) -> bool:
    """Wait for an event, but no longer than until the next look at the database."""
    try:
        await asyncio.wait_for(event.wait(), POLL_SECONDS)
    except TimeoutError:
        return False
    return True
