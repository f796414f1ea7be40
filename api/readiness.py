"""Whether the service can serve. A check says that it fails, and not how; the log does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from api.log import LOG

# Raises where the service lacks what the check is named after, or what `NotReady` names; called in
# a thread.
Check = Callable[[], None]

CHECK_SECONDS: Final = 5.0


class NotReady(Exception):
    """The service lacks something that is seen with what the check is named after."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


class Readiness:
    """The checks of what the service needs, by name. One that hangs is not begun a second time."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self.checks = checks
        self._running: dict[str, asyncio.Task[None]] = {}

    async def failing(self) -> list[str]:
        """Return what is not ready."""
        found = await asyncio.gather(*map(self._failing, list(self.checks)))
        return list(dict.fromkeys(filter(None, found)))

    async def _failing(self, name: str) -> str | None:
        task = self._running.get(name)
        if task is None or task.done():
            task = asyncio.create_task(asyncio.to_thread(self.checks[name]))
            self._running[name] = task
        try:
            await asyncio.wait_for(asyncio.shield(task), CHECK_SECONDS)
        except Exception as error:
            part = error.part if isinstance(error, NotReady) else name
            LOG.warning("not ready: %s", part, exc_info=error)
            return part
        return None


def check_space(folder: Path, least: int) -> None:
    """Check that there is room for so many bytes where a folder is.

    Raises:
        NotReady: there is not.
        OSError: the folder is not there.
    """
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < least:
        raise NotReady("disk")
