"""The server's worker: one child process, started again whenever it ends.

Invariant: no worker outlives the server that started it, however that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Final

from api.http.observe import Metrics
from api.log import LOG

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
# A worker that ran for so many seconds was well; its end is no failure in a row.
WELL_SECONDS: Final = 60.0

# The kernel kills what runs this once its parent ends (PR_SET_PDEATHSIG, SIGKILL), which execv
# keeps; a parent that ended before is seen by who the parent is now.
_TIE: Final = """
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0) and sys.exit("prctl failed")
os.getppid() == int(sys.argv[1]) or sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command``, killed when this process ends.

    To be started by the main thread: the kernel counts a thread's end as that of the parent.
    """
    return [sys.executable, "-I", "-c", _TIE, str(os.getpid()), *command]


class Supervisor:
    """Keeps ``command`` running until it is told to stop."""

    def __init__(self, command: Sequence[str], stop_seconds: float, metrics: Metrics) -> None:
        self._command = command
        self._stop_seconds = stop_seconds
        self._metrics = metrics
        self._process: asyncio.subprocess.Process | None = None

    def check(self) -> None:
        """Raise unless the worker runs.

        Raises:
            RuntimeError: it does not.
        """
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError("the worker does not run")

    @contextlib.asynccontextmanager
    async def running(self, stopping: asyncio.Event) -> AsyncIterator[None]:
        """Keep the worker until ``stopping`` is set, at the latest by the end of the context."""
        task = asyncio.create_task(self._keep(stopping))
        try:
            yield
        finally:
            stopping.set()
            await task

    async def _keep(self, stopping: asyncio.Event) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            started = loop.time()
            code: int | None = None
            try:
                code = await self._run_once(stopping)
            except OSError as error:  # no process or memory is left for it
                LOG.error("worker not started", exc_info=error)
            if stopping.is_set():
                return
            if loop.time() - started >= WELL_SECONDS:
                pause = FIRST_PAUSE
            LOG.error("worker ended", extra={"exit_code": code, "starts_again_in": pause})
            await _sleep(pause, stopping)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run_once(self, stopping: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(
            *tied(self._command), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        self._process = process
        self._metrics.worker_starts.inc()
        self._metrics.worker_up.set(1)
        LOG.info("worker started", extra={"child": process.pid})
        ended = asyncio.ensure_future(process.wait())
        told = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await asyncio.wait({ended}, timeout=self._stop_seconds)
        finally:
            told.cancel()
            if process.returncode is None:
                process.kill()
            await ended
            self._metrics.worker_up.set(0)
        return ended.result()


async def _sleep(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
