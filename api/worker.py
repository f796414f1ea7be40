"""The worker: the process in which snapshots are proved, published and erased.

Invariants: one of a service folder works at a time, the one that holds the lock on ``worker.lock``;
others stand by, and the kernel drops the lock when its holder dies. A worker may end at any moment,
so it ends at once when it is told to, or cannot go on; what it was at, the next one goes on with.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from typing import Final, NoReturn

from api.database import migrate, open_database
from api.jobs import run_jobs
from api.observe import LOG
from api.settings import Settings
from api.tasks import Tasks
from prover.errors import ProverError
from prover.storage import locked

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
    """Work until told to end.

    Raises:
        ProverError: the database cannot be used.
        OSError: the folder cannot.
    """
    settings.snapshots.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        while not told.is_set():
            try:
                held.enter_context(locked(settings.folder / _LOCK, "another worker is at work"))
            except ProverError:
                told.wait(_POLL_SECONDS)
                continue
            _begin(settings)
            told.wait()


def _begin(settings: Settings) -> None:
    """Begin to run jobs."""
    engine = open_database(settings.database_url)
    migrate(engine)
    targets = [settings.published.absolute().as_uri(), *settings.publish_to]
    tasks = Tasks(engine, settings.snapshots, targets, settings.jobs)
    run_jobs(engine, tasks.by_kind())
    LOG.info("worker ready")
