"""The server's worker: started again when it ends, ended with the server, however that ends."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.http.observe import Metrics
from api.snapshots import supervise
from api.snapshots.supervise import Supervisor

# Writes that it started, and works until it is told to end, or does not listen.
WORKER = """
import os, signal, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
if sys.argv[2] == "fails":
    sys.exit(7)
time.sleep(600)
"""

# A server of its own, which starts a worker and tells so.
SERVER = """
import asyncio, sys
from api.http.observe import Metrics
from api.snapshots.supervise import Supervisor
async def main():
    async with Supervisor(sys.argv[1:], 5, Metrics()).running(asyncio.Event()):
        await asyncio.sleep(600)
asyncio.run(main())
"""


def worker(file: Path, kind: str) -> list[str]:
    return [sys.executable, "-c", WORKER, str(file), kind]


def started(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


async def until_started(file: Path, count: int) -> list[int]:
    for _ in range(1000):
        if len(found := started(file)) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(found)} starts of {count}")


def ended(process: int) -> bool:
    """Say whether a process runs no more; who inherits it may be late to notice."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    """Log all that there is to log."""
    caplog.set_level(logging.INFO, "assay")


def test_a_worker_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.01)
    start, file = asyncio.create_subprocess_exec, tmp_path / "starts"
    refusals = [BlockingIOError(errno.EAGAIN, "no process is left")] * 2

    async def scarce(*words: str, **options: Any) -> asyncio.subprocess.Process:
        if refusals:
            raise refusals.pop()
        return await start(*words, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)

    async def run() -> None:
        async with Supervisor(worker(file, "listens"), 5, Metrics()).running(asyncio.Event()):
            await until_started(file, 1)

    asyncio.run(run())
    assert [r.message for r in caplog.records].count("worker not started") == 2
    assert "worker started" in [r.message for r in caplog.records]


def test_a_worker_that_ends_is_started_again_after_ever_longer_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.05)
    file, metrics = tmp_path / "starts", Metrics()
    pauses: list[float] = []

    async def sleep(seconds: float, stopping: asyncio.Event) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(supervise, "_sleep", sleep)

    async def run() -> None:
        stopping = asyncio.Event()
        async with Supervisor(worker(file, "fails"), 5, metrics).running(stopping):
            await until_started(file, 4)
            stopping.set()

    asyncio.run(run())
    assert pauses[:3] == [0.05, 0.1, 0.2]
    starts = value(metrics, "assay_worker_starts_total")
    assert starts is not None
    assert starts >= 4
    assert value(metrics, "assay_worker_up") == 0


@pytest.mark.parametrize("kind", ["listens", "deaf"])
def test_the_worker_ends_with_its_server(tmp_path: Path, kind: str) -> None:
    file, metrics = tmp_path / "starts", Metrics()

    async def run() -> int:
        stopping = asyncio.Event()
        supervisor = Supervisor(worker(file, kind), 0.5, metrics)
        with pytest.raises(RuntimeError, match="does not run"):
            supervisor.check()
        async with supervisor.running(stopping):
            (process,) = await until_started(file, 1)
            supervisor.check()
            assert value(metrics, "assay_worker_up") == 1
            stopping.set()
        with pytest.raises(RuntimeError, match="does not run"):
            supervisor.check()
        return process

    process = asyncio.run(run())
    assert not psutil.pid_exists(process)


def test_a_killed_server_leaves_no_worker(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    server = subprocess.Popen([sys.executable, "-c", SERVER, *worker(file, "deaf")])
    try:
        (process,) = asyncio.run(until_started(file, 1))
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        for _ in range(500):
            if ended(process):
                return
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)
        pytest.fail("the worker outlived its server")
    finally:
        server.kill()
        server.wait()
