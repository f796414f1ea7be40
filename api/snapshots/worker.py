"""The worker: the process in which snapshots are proved, published and erased.

Invariants: one of a database works at a time, the one that holds its lock (`lock`), and one of
a folder, by the lock on ``worker.lock``; others stand by. Both locks are dropped when their holder
dies. A worker may end at any moment, so it ends at once when it is told to, cannot go on, or lost
its lock; what it was at, the next one goes on with.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NoReturn

import sqlalchemy as sa

from api.database.engine import migrated
from api.database.lock import hold_lock
from api.log import LOG
from api.settings import Settings
from api.snapshots.instance import settle
from api.snapshots.jobs import JobEnd, Queue, run_jobs
from api.snapshots.tasks import Tasks
from api.snapshots.webhook import Webhook
from prover.errors import ProverError
from prover.files.storage import locked

_LOCK: Final = "worker.lock"
_POLL_SECONDS: Final = 0.5

# Proving leaves the processor to whoever answers requests.
_NICENESS: Final = 10


def work(settings: Settings) -> NoReturn:
    """Work until SIGINT or SIGTERM, or until something fails; then end the process.

    Threads of the job in hand are not waited for. The log says what failed.
    """
    os.umask(0o077)
    os.nice(_NICENESS)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    code = 0
    try:
        _work(settings, told)
    except Exception as error:
        LOG.critical("worker failed", exc_info=error)
        code = 1
    os._exit(code)


def _work(settings: Settings, told: threading.Event) -> None:
    """Stand by until no other worker is at work, then work until told to end.

    Raises:
        ProverError: the database cannot be used, or serves another folder.
        sqlalchemy.exc.SQLAlchemyError, OSError: database or folder is gone.
    """
    with migrated(settings.database_url) as engine:
        settle(engine, settings.snapshots)
        while not told.is_set():
            with ExitStack() as held:
                try:
                    held.enter_context(locked(settings.folder / _LOCK, "another worker is at work"))
                    check_lock = hold_lock(engine, held)
                except ProverError:
                    told.wait(_POLL_SECONDS)
                    continue
                settle(engine, settings.snapshots)  # another one may serve it by now
                _begin(engine, settings)
                while not told.wait(_POLL_SECONDS):
                    check_lock()


def _begin(engine: sa.Engine, settings: Settings) -> None:
    """Begin to run jobs."""
    targets = [settings.published.absolute().as_uri(), *settings.publish_to]
    queue = Queue(engine, listens=settings.webhook is not None)
    tasks = Tasks(engine, settings.snapshots, targets, settings.jobs, queue)
    run_jobs(engine, tasks.by_kind(), _teller(settings))
    LOG.info("worker ready")


def _teller(settings: Settings) -> Callable[[JobEnd], None]:
    """Return what tells the ends of jobs; what was put in for a webhook that is gone, nobody."""
    return (lambda _: None) if settings.webhook is None else Webhook(settings.webhook).tell
