"""A worker that is killed at a named point of its job; and what a test needs to drive workers.

Points are the beginnings of stages, and the moments before and after a job writes a state.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from api.database.engine import migrate, open_database
from api.database.gate import Gate
from api.settings import Settings
from api.snapshots import tasks
from api.snapshots.folder import ServedFolder
from api.snapshots.instance import settle
from api.snapshots.jobs import Queue
from api.snapshots.operations import Operations
from api.snapshots.sources import read_draft
from api.snapshots.states import MOVING, Row, State
from api.snapshots.worker import work
from prover.files.keys import public_bytes, read_signing_key
from prover.snapshot.make import ownership_messages
from tests.support.served_exchange import LIST, TIME, Exchange, request

# A server that has loaded all modules already forks a worker in milliseconds.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.dying_service"])

PATIENCE = 60.0


class Service:
    """A service folder over a database, worked on by operators, and by workers as they come."""

    def __init__(self, folder: Path, database: str, publish_to: tuple[str, ...] = ()) -> None:
        folder.mkdir(parents=True)
        # Without the environment and files: nothing but what a test says.
        self.settings = Settings.model_validate(
            {"folder": folder, "database": database, "publish_to": publish_to, "jobs": 2}
        )
        self.engine = open_database(database)
        migrate(self.engine)
        settle(self.engine, self.settings.snapshots)
        self.database = Gate(self.engine, PATIENCE)
        self.operations = Operations(
            self.database, Queue(self.engine), self.settings.snapshots, self.settings.published
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def draft(
        self, exchange: Exchange, snapshot_id: str = "one", short_by: int = 0, time: int = TIME
    ) -> Path:
        """Create a snapshot and bring its evidence; return its folder."""
        self.operations.create("main", exchange.source, request(snapshot_id, time))
        folder = self.operations.folder(snapshot_id)
        folder.uploads.mkdir()
        (folder.uploads / LIST).write_bytes(evidence(exchange, folder.path, short_by))
        return folder.path

    def rest(self, snapshot_id: str = "one") -> Row:
        """Wait until no worker is at a snapshot; return it."""
        end = time.monotonic() + PATIENCE
        while (row := self.operations.find(snapshot_id)).state in MOVING:
            assert time.monotonic() < end, f"still {row}"
            time.sleep(0.02)
        return row

    def await_stage(self, stage: str, snapshot_id: str = "one") -> None:
        """Wait until a job reports a stage."""
        end = time.monotonic() + PATIENCE
        while (row := self.operations.find(snapshot_id)).stage != stage:
            assert row.state in MOVING, f"too late: {row}"
            assert time.monotonic() < end, f"still {row}"
            time.sleep(0.01)

    def worker(self, die_at: str = "", hold_at: str = "", seen: Path | None = None) -> BaseProcess:
        """Start a worker, which kills itself at a point, or waits there until `release`."""
        process = CONTEXT.Process(
            target=_work, args=(self.settings, die_at, hold_at, seen), daemon=True
        )
        process.start()
        return process

    def release(self) -> None:
        """Let a worker that waits go on, once it had the time to hear of what was asked."""
        time.sleep(3 * tasks._REPORT_SECONDS)
        (self.settings.folder / "release").touch()

    @contextmanager
    def working(self, seen: Path | None = None) -> Iterator[BaseProcess]:
        """Keep a worker for as long as the body runs; ``seen`` gets the points it comes by."""
        process = self.worker(seen=seen)
        try:
            yield process
        finally:
            kill(process)


def evidence(exchange: Exchange, folder: Path, short_by: int = 0) -> bytes:
    """Return the signed list of a drafted snapshot."""
    config = read_draft(ServedFolder(folder))
    key = public_bytes(read_signing_key(config.signing_key))
    return exchange.evidence(ownership_messages(config, key), short_by)


def kill(process: BaseProcess) -> None:
    """Kill a worker as nobody can refuse."""
    process.kill()
    process.join()


def _work(settings: Settings, die_at: str, hold_at: str, seen: Path | None) -> None:
    def reach(point: str) -> None:
        if seen is not None:
            with seen.open("a") as file:
                file.write(f"{point}\n")
        if point == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        while point == hold_at and not (settings.folder / "release").exists():
            time.sleep(0.01)

    _tell(tasks._Reporter, "stage", lambda _, name, total: name, reach)
    _tell(tasks._Running, "begin", lambda running, origin: f"begin {running._during}", reach)
    _tell(tasks._Running, "note", lambda _, stage: stage, reach)
    _tell(tasks._Running, "settle", lambda _, target, **values: f"settle {target}", reach)
    work(settings)


def _tell(
    kind: type, name: str, point: Callable[..., str | State], reach: Callable[[str], None]
) -> None:
    """Let a method tell ``reach`` before and after it does its work."""
    method = getattr(kind, name)

    def told(*arguments: Any, **values: Any) -> Any:
        at = point(*arguments, **values)
        reach(f"before {at}")
        found = method(*arguments, **values)
        reach(f"after {at}")
        return found

    setattr(kind, name, told)
