"""What jobs do, in a worker: prove, publish, retire.

Each may be killed at any point and is begun again. Proving goes on by what `make_snapshot` left
on the disk, publishing by what `publish` finds at the target; erasing has no order. A task
ends in a state of its snapshot, whatever happens, and raises nothing: an error's text that nobody
foresaw might hold what no log may. The one exception is the database. Without it no state can be
written, so the process ends, and the next one takes the job up again.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from api.log import LOG
from api.snapshots import instance
from api.snapshots import states as snapshots
from api.snapshots.folder import ServedFolder
from api.snapshots.jobs import JobKind, Queue, Task, step
from api.snapshots.states import Overtaken, Row, State, States
from prover.commands.prove import outcome_of
from prover.errors import AssetsShort, ProverError, words_of
from prover.files.storage import fresh_file, sync_file
from prover.progress import Progress
from prover.publish.publish import publish
from prover.snapshot.make import make_snapshot

# The stage from which on a folder that is not there was erased by us.
_ERASING: Final = "erasing"

# How often progress is written, and an operator's wish to cancel is read.
_REPORT_SECONDS: Final = 0.2


class Cancelled(Exception):
    """The operator wishes it, or the snapshot is another job's by now."""


class Tasks:
    """The tasks over one folder of snapshots.

    targets: URLs of published folders, the local one first; jobs: cores that proving may use;
    queue: where it is told that a job ended.
    """

    def __init__(
        self,
        engine: sa.Engine,
        folder: Path,
        targets: Sequence[str],
        jobs: int,
        queue: Queue,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._targets = targets
        self._jobs = jobs
        self._queue = queue

    def by_kind(self) -> dict[JobKind, Task]:
        """Return the task of every kind of job."""
        return {
            JobKind.PROVE: self.prove,
            JobKind.PUBLISH: self.publish,
            JobKind.RETIRE: self.retire,
        }

    def prove(self, job: str, snapshot_id: str) -> None:
        """Make the snapshot's bundle, or go on with it."""
        running = self._running(job, snapshot_id, State.PROVING)
        with running.ending(cancelled=State.CANCELLED, failed=State.FAILED):
            running.begin(frozenset({State.QUEUED, State.PROVING}))
            folder = ServedFolder(self._folder / snapshot_id)
            try:
                with running.reporting() as progress:
                    made = make_snapshot(folder.config, folder.path, self._jobs, progress)
            except AssetsShort as error:
                with fresh_file(folder.shortfall) as file:
                    file.write(f"{error.words}\n".encode())
                running.settle(State.SHORT)
            else:
                with fresh_file(folder.outcome) as file:
                    file.write(f"{outcome_of(folder)}\n".encode())
                running.settle(State.PROVEN, manifest=made.manifest_digest)

    def publish(self, job: str, snapshot_id: str) -> None:
        """Put the bundle into every target."""
        running = self._running(job, snapshot_id, State.PUBLISHING)
        with running.ending(cancelled=State.UNPUBLISHED, failed=State.UNPUBLISHED):
            running.begin(frozenset({State.PUBLISHING}))
            for number, target in enumerate(self._targets):
                refusal = step(f"target {number}", partial(self._publish, running, target))
                if refusal:
                    running.settle(State.UNPUBLISHED, detail=refusal)
                    return
            running.settle(State.PUBLISHED)

    def _publish(self, running: _Running, target: str) -> str:
        """Publish to one target; return why not, or nothing."""
        try:
            with running.reporting() as progress:
                publish(ServedFolder(self._folder / running.snapshot_id).bundle, target, progress)
        except Cancelled:
            return "cancelled"
        except Exception as error:
            return _told(error, running.job)
        return ""

    def retire(self, job: str, snapshot_id: str) -> None:
        """Erase all that the service keeps of a snapshot; what was published stays."""
        running = self._running(job, snapshot_id, State.RETIRING)
        with running.ending(cancelled=State.RETIRING, failed=State.RETIRING):
            row = running.begin(frozenset({State.RETIRING}))
            folder = self._folder / snapshot_id
            if folder.exists():
                running.note(_ERASING)
                shutil.rmtree(folder)
            elif row.stage != _ERASING:  # no run before this one found it there
                raise ProverError(
                    f"{folder} is not there, so nothing was erased. If it is gone for good, make "
                    "an empty folder of this name, and retire the snapshot again"
                )
            sync_file(self._folder)  # nothing comes back once the state says that it is gone
            running.settle(State.RETIRED)

    def _running(self, job: str, snapshot_id: str, during: State) -> _Running:
        return _Running(self._engine, self._folder, self._queue, job, snapshot_id, during)


class _Running:
    """One run of a job: what it writes of its snapshot, as long as the snapshot is the job's."""

    def __init__(
        self,
        engine: sa.Engine,
        folder: Path,
        queue: Queue,
        job: str,
        snapshot_id: str,
        during: State,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._queue = queue
        self.job = job
        self.snapshot_id = snapshot_id
        self._during = during

    def begin(self, origin: States) -> Row:
        """Take the job up; return its snapshot.

        Raises:
            Cancelled: the operator wished it before.
            Overtaken: the snapshot is another job's, or this one is done.
            Foreign: the folder is not the one that the database serves.
        """
        try:
            with self._transaction() as connection:
                snapshots.take_up(connection, self.snapshot_id, self.job, origin, self._during)
            with self._transaction() as connection:
                instance.check(connection, self._folder)
                return snapshots.find(connection, self.snapshot_id)
        except Overtaken:
            with self._transaction() as connection:
                row = snapshots.find(connection, self.snapshot_id)
            if (row.job, row.state) == (self.job, State.CANCELLING):
                raise Cancelled from None
            raise

    def settle(self, target: State, **values: Any) -> None:
        """End in a state, even if the operator wished to cancel in the meantime.

        Raises:
            Overtaken: the snapshot is another job's.
        """
        fresh = {"stage": None, "done": None, "total": None, "began": None, "detail": None}
        origin = frozenset({self._during, State.CANCELLING})
        with self._transaction() as connection:
            snapshots.settle(
                connection, self.snapshot_id, self.job, origin, target, **(fresh | values)
            )
            self._queue.put_end(connection, self.job, self.snapshot_id, target)

    @contextmanager
    def ending(self, *, cancelled: State, failed: State) -> Iterator[None]:
        """End in a state, whatever the body raises; an overtaken job ends without a word."""
        try:
            try:
                yield
            except Cancelled:
                self.settle(cancelled)
            except Overtaken:
                raise
            except Exception as error:
                self.settle(failed, detail=_told(error, self.job))
        except Overtaken:
            LOG.info("job overtaken", extra={"job": self.job})

    def note(self, stage: str) -> None:
        """Write that a stage begins, before it does.

        Raises:
            Overtaken: the snapshot is another job's.
        """
        progress = {"stage": stage, "done": 0, "total": None, "began": time.time()}
        with self._transaction() as connection:
            snapshots.report(connection, self.snapshot_id, self.job, progress)

    @contextmanager
    def reporting(self) -> Iterator[Progress]:
        """Give what reports progress, and raises `Cancelled` once the operator wishes it."""
        reporter = _Reporter(self)
        thread = threading.Thread(target=reporter.run, name=f"progress of {self.snapshot_id}")
        thread.start()
        try:
            yield reporter
        finally:
            reporter.end()
            thread.join()

    def report(self, progress: dict[str, Any]) -> bool:
        """Write progress, if there is any; tell whether to go on."""
        with self._transaction() as connection:
            try:
                if progress:
                    state = snapshots.report(connection, self.snapshot_id, self.job, progress)
                else:
                    state = snapshots.find(connection, self.snapshot_id).state
            except Overtaken:
                return False
        return state is self._during

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """Give a transaction, or end the process: without a database no job can end well."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            LOG.critical("no database", exc_info=error)
            os._exit(1)


class _Reporter:
    """Progress of one stage after the other, written now and then by a thread of its own."""

    def __init__(self, running: _Running) -> None:
        self._running = running
        self._ended = threading.Event()
        self._stopped = threading.Event()
        self._progress: dict[str, Any] = {}

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage."""
        self._progress = {"stage": name, "done": 0, "total": total, "began": time.time()}
        self._check()

    def advance(self, done: int) -> None:
        """Add to what is done."""
        self.reach(self._progress.get("done", 0) + done)

    def reach(self, done: int) -> None:
        """Set what is done."""
        # A new dictionary each time, so that the thread never writes half of a change.
        self._progress = {**self._progress, "done": done}
        self._check()

    def run(self) -> None:
        """Write what is new until the end."""
        written: dict[str, Any] = {}
        while not self._ended.wait(_REPORT_SECONDS):
            progress = self._progress
            if not self._running.report({} if progress is written else progress):
                self._stopped.set()
            written = progress

    def end(self) -> None:
        """Let `run` return."""
        self._ended.set()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Cancelled


def _told(error: Exception, job: str) -> str:
    """Return what operators are told of an error; of an unforeseen one, its kind alone."""
    if (words := words_of(error)) is not None:
        return words
    LOG.error("job failed", extra={"job": job}, exc_info=error)
    return f"unforeseen: {type(error).__name__}; the worker's log says where"
