"""The durable queue of the service's long work, kept by DBOS in the service's database.

A job is its kind, its own id and a snapshot's id; nothing else of it is stored. That it ended is
told from a queue of its own, where the settings say to whom. It is put into the
queue in the transaction that changes the snapshot's state, so there is never one without the other.
A job that a dying worker leaves unfinished is run again by the next one, from its first step that
had not returned; so what a job does has to come out the same when it is begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Final, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

T = TypeVar("T", str, None)

_APPLICATION: Final = "assay"
# Jobs outlive the version of the service that put them in.
_VERSION: Final = "1"
_POLL_SECONDS: Final = 0.25


class JobKind(StrEnum):
    """What a job does to its snapshot."""

    PROVE = "prove"
    PUBLISH = "publish"
    RETIRE = "retire"


# Told job and snapshot.
Task = Callable[[str, str], None]

# Erasing does not wait for hours of proving. Within a queue one job runs at a time.
_QUEUES: Final = {
    JobKind.PROVE: "snapshots",
    JobKind.PUBLISH: "snapshots",
    JobKind.RETIRE: "retirement",
}


@dataclass(frozen=True, slots=True)
class JobEnd:
    """That a job ended: in which state of its snapshot, and when, in Unix seconds."""

    job: str
    snapshot_id: str
    state: str
    time: int


# The queue of ends to tell, each of which may wait for hours; and how many do at once.
_TELL: Final = "webhook"
_TOLD: Final = 16


class Queue:
    """Where jobs are put in, and what is told of their ends, if somebody ``listens``."""

    def __init__(self, engine: sa.Engine, *, listens: bool = False) -> None:
        self._listens = listens
        self._client = DBOSClient(
            system_database_engine=engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=_APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )

    def put(self, connection: sa.Connection, kind: JobKind, job: str, snapshot_id: str) -> None:
        """Add a job, in the transaction of ``connection``."""
        self._client.enqueue_in_transaction(
            connection,
            {"workflow_name": kind, "workflow_id": job, "queue_name": _QUEUES[kind]},
            snapshot_id,
        )

    def put_end(self, connection: sa.Connection, job: str, snapshot_id: str, state: str) -> None:
        """Let the end of a job be told, in the transaction that ends it."""
        if self._listens:
            self._client.enqueue_in_transaction(
                connection,
                {"workflow_name": _TELL, "workflow_id": f"{job}-ended", "queue_name": _TELL},
                *astuple(JobEnd(job, snapshot_id, state, int(time.time()))),
            )


def new_job() -> str:
    """Return the id of a job that there was not before."""
    return uuid4().hex


def run_jobs(
    engine: sa.Engine, tasks: Mapping[JobKind, Task], tell: Callable[[JobEnd], None]
) -> None:
    """Begin to run jobs, those first that another worker left unfinished; return at once.

    The caller sees to it that no other process runs jobs of this database. A task returns when its
    job is done, however it ended. ``tell`` is called with the ends that are to be told.
    """
    config = DBOSConfig(
        name=_APPLICATION,
        application_version=_VERSION,
        executor_id=_APPLICATION,
        system_database_engine=engine,
        system_database_url=engine.url.render_as_string(hide_password=False),
        serializer=DBOSPortableJSONSerializer(),
        run_migrations=False,
        use_listen_notify=False,
        log_level="WARNING",
    )
    DBOS(config=config)
    for kind, task in tasks.items():
        DBOS.workflow(name=kind, max_recovery_attempts=None)(_workflow(task))
    DBOS.workflow(name=_TELL, max_recovery_attempts=None)(_telling(tell))
    DBOS.launch()
    for queue in set(_QUEUES.values()):
        DBOS.register_queue(queue, global_concurrency=1, polling_interval_sec=_POLL_SECONDS)
    DBOS.register_queue(_TELL, global_concurrency=_TOLD, polling_interval_sec=_POLL_SECONDS)


def step(name: str, work: Callable[[], T]) -> T:
    """Do a part of a job; once it has returned, no other run of the job does it again.

    What it returns is kept in the database.
    """
    return DBOS.run_step({"name": name}, work)


def pause(seconds: float) -> None:
    """Wait inside a job; another run of it waits for what was left of that."""
    DBOS.sleep(seconds)


def _workflow(task: Task) -> Callable[[str], None]:
    def run(snapshot_id: str) -> None:
        job = DBOS.workflow_id
        if job is None:
            raise RuntimeError("not inside a job")
        task(job, snapshot_id)

    return run


def _telling(tell: Callable[[JobEnd], None]) -> Callable[[str, str, str, int], None]:
    def run(job: str, snapshot_id: str, state: str, time: int) -> None:
        tell(JobEnd(job, snapshot_id, state, time))

    return run
