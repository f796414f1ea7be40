"""The service's one database: SQLite in the service's folder, or PostgreSQL by URL.

Invariants: a transaction that writes on SQLite holds the write lock from its first statement on, so
none fails for a lock that another one took in between; two processes that start at once migrate one
after the other; no wait for the database is without end, not even for one whose processes are
stopped or whose network is cut, which no time-out of its own would end.
"""

from __future__ import annotations

import math
import select
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from dbos import DBOS

from api.database.lock import beside
from prover.errors import ProverError
from prover.files.storage import locked

# Held by whoever migrates a PostgreSQL database: "assay" in ASCII.
_MIGRATION_LOCK: Final = 0x6173736179

# How long those wait for the database who have the time: migrations, the worker, commands.
PATIENCE_SECONDS: Final = 30.0

# Connections of one process, at most.
CONNECTIONS: Final = 15

_DISK_FULL: Final = "53100"
# Of connections, operator intervention and connections that are too many (PostgreSQL, appendix A).
_AWAY: Final = ("08", "57P", "533")


def open_database(url: str, seconds: float = PATIENCE_SECONDS) -> sa.Engine:
    """Return the engine of a database; nothing is connected yet.

    ``seconds`` bounds each wait: for a connection, for a statement, for another one's lock.

    Raises:
        ProverError: the URL is malformed, or of neither a file of SQLite nor PostgreSQL.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # a port that is no number
        raise ProverError("the database's URL is malformed") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return _open_sqlite(parsed, seconds)
        case "postgresql":
            return _open_postgresql(parsed.set(drivername="postgresql+psycopg"), seconds)
    raise ProverError("the database is neither a file of SQLite nor PostgreSQL")


@contextmanager
def migrated(url: str) -> Iterator[sa.Engine]:
    """Give the engine of a database that is brought to the version of this service, for a while.

    Raises:
        ProverError: as `open_database` and `migrate` do.
    """
    engine = open_database(url)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def migrate(engine: sa.Engine) -> None:
    """Bring the tables, and those of the job queue, to the version of this service.

    Raises:
        ProverError: the database cannot be reached, or is of a later version.
    """
    try:
        with _in_turn(engine):
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                command.upgrade(migrations(connection), "head")
            DBOS.migrate(engine.url.render_as_string(hide_password=False))
    except CommandError:
        raise ProverError("the database is of a later version of the service") from None
    except sa.exc.DBAPIError as error:
        raise ProverError(f"the database cannot be used: {type(error.orig).__name__}") from None


def _in_turn(engine: sa.Engine) -> AbstractContextManager[None]:
    """Let processes migrate one file of SQLite one after the other, from the first connection on.

    SQLite has no patience with two that switch a file to its log for writing at once.
    """
    if engine.dialect.name != "sqlite":
        return nullcontext()
    refusal = "another process migrates the database"
    return locked(beside(engine, "migration"), refusal, PATIENCE_SECONDS)


def check_version(connection: sa.Connection) -> None:
    """Check that the tables are those of this service.

    Raises:
        ProverError: they are not.
    """
    found = MigrationContext.configure(connection).get_current_heads()
    wanted = ScriptDirectory.from_config(migrations(connection)).get_heads()
    if set(found) != set(wanted):
        raise ProverError("the database is of another version of the service")


def migrations(connection: sa.Connection) -> Config:
    """Return what Alembic works by, inside the transaction of ``connection``."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "api.database:migrations")
    return config


def is_away(error: Exception) -> bool:
    """Tell whether an error says that the server of the database cannot be reached now."""
    cause = getattr(error, "orig", None)
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(_AWAY)


def is_full(error: Exception) -> bool:
    """Tell whether an error says that the database has no room left on its disk."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(cause, psycopg.Error) and cause.sqlstate == _DISK_FULL


def _open_sqlite(url: sa.URL, seconds: float) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=seconds)
    Path(str(url.database)).touch(mode=0o600)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={math.ceil(1000 * seconds)}")
        # Readers go on while a writer writes.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _open_postgresql(url: sa.URL, seconds: float) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=seconds)

    @sa.event.listens_for(engine, "do_connect")
    def connect(_: object, __: object, words: Any, names: dict[str, Any]) -> _Connection:
        names.setdefault("connect_timeout", math.ceil(seconds))
        connection = _Connection.connect(*words, **names)
        connection.seconds = seconds
        return connection

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: _Connection, _: object) -> None:
        # A server that answers at all ends by itself, and earlier, what takes too long.
        connection.execute(f"SET statement_timeout = {math.ceil(800 * seconds)}".encode())
        connection.commit()

    @sa.event.listens_for(engine, "checkout")
    def check(connection: _Connection, _: object, __: object) -> None:
        if connection.is_ended():
            raise sa.exc.DisconnectionError

    return engine


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up a server which does not answer within ``seconds``."""

    seconds = PATIENCE_SECONDS

    def wait(self, gen: Any, *words: Any, **names: Any) -> Any:
        """Let psycopg wait for what ``gen`` reads and writes, but not for ever.

        Raises:
            psycopg.OperationalError: too long; the connection is closed.
        """
        try:
            return super().wait(_until(gen, time.monotonic() + self.seconds), *words, **names)
        except _TooLong:
            self.close()
            raise psycopg.OperationalError("the server does not answer") from None

    def is_ended(self) -> bool:
        """Tell whether the server ended it while it was idle: then there is something to read."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))


class _TooLong(Exception):
    pass


def _until(gen: Generator[Any, Any, Any], end: float) -> Generator[Any, Any, Any]:
    """Pass a generator of psycopg's on; it is resumed ten times a second while nothing happens.

    Raises:
        _TooLong: nothing has happened by ``end``, of the monotonic clock.
    """
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise _TooLong
            wanted = gen.send(ready)
    except StopIteration as stop:
        return stop.value
