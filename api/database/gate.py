"""The database as requests meet it: nobody waits for one that was just seen not to answer.

Each wait for it is bounded (`api.database.engine`), but whoever waits holds one of few threads. So
the first who waits in vain closes the gate. Everybody else is refused at once, and one in a second
goes to see whether it is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import sqlalchemy as sa

from api.database.engine import CONNECTIONS, is_away, is_full
from api.errors import DatabaseAway, DatabaseFull
from api.log import LOG

_Opened = AbstractContextManager[sa.Connection]

# Between two who go to see.
_PAUSE_SECONDS: Final = 1.0


class Gate:
    """The way to a database; ``seconds`` is how long one waits for it, as its engine has it."""

    def __init__(self, engine: sa.Engine, seconds: float) -> None:
        self._engine = engine
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        self._lock = threading.Lock()
        self._away = False
        self._closed_until = 0.0  # of the monotonic clock; it matters while the database is away

    def begin(self) -> _Opened:
        """Give a connection in a transaction, which is committed at the end.

        Raises:
            DatabaseAway: the database does not answer.
            DatabaseFull: it has no room.
        """
        return self._through(self._engine.begin)

    def connect(self) -> _Opened:
        """Give a connection to read by.

        Raises:
            DatabaseAway: the database does not answer.
        """
        return self._through(self._engine.connect)

    @contextmanager
    def _through(self, opened: Callable[[], _Opened]) -> Iterator[sa.Connection]:
        if not self._places.acquire(timeout=self._seconds):
            raise DatabaseAway("the database does not answer")
        try:
            self._enter()
            with self._watched(), opened() as connection:
                yield connection
        finally:
            self._places.release()

    def _enter(self) -> None:
        """Pass, or be refused; of those who come while it is away one a second passes."""
        with self._lock:
            now = time.monotonic()
            if self._away and now < self._closed_until:
                raise DatabaseAway("the database does not answer")
            self._closed_until = now + self._seconds + _PAUSE_SECONDS

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """See how the database answers, and let its failures be the service's own."""
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            self._note(error)
            if is_full(error):
                raise DatabaseFull from error
            raise DatabaseAway("the database does not answer") from error
        except Exception:
            self._note(None)  # which the body raised over what the database answered
            raise
        self._note(None)

    def _note(self, error: Exception | None) -> None:
        away = error is not None and is_away(error)
        with self._lock:
            changed, self._away = away != self._away, away
            self._closed_until = time.monotonic() + _PAUSE_SECONDS
        if error is not None and (changed or not away):
            LOG.error("database failed", exc_info=error)
        elif changed:
            LOG.info("database is back")
