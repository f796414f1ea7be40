"""The service's one database: SQLite in the service's folder, or PostgreSQL by URL.

Invariants: a transaction that writes on SQLite holds the write lock from its first statement on, so
none fails for a lock that another one took in between; two processes that start at once migrate one
after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from dbos import DBOS

from prover.errors import ProverError

# Held by whoever migrates a PostgreSQL database: "assay" in ASCII.
_MIGRATION_LOCK: Final = 0x6173736179

# How long a writer waits for another one, in milliseconds.
_SQLITE_PATIENCE: Final = 30_000


def open_database(url: str) -> sa.Engine:
    """Return the engine of a database; nothing is connected yet.

    Raises:
        ProverError: the URL is malformed, or of neither SQLite nor PostgreSQL.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ProverError("the database's URL is malformed") from None
    match parsed.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(parsed)
            if parsed.database:
                Path(parsed.database).touch(mode=0o600)
            sa.event.listen(engine, "connect", _prepare_sqlite)
            return engine
        case "postgresql":
            # A connection that the server closed since is noticed before it is used.
            return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    raise ProverError("the database is neither SQLite nor PostgreSQL")


def migrate(engine: sa.Engine) -> None:
    """Bring the tables, and those of the job queue, to the version of this service.

    Raises:
        ProverError: the database cannot be reached, or is of a later version.
    """
    try:
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


def check_database(engine: sa.Engine) -> None:
    """Check that the database answers and that its tables are those of this service.

    Raises:
        ProverError: they are not.
        sqlalchemy.exc.SQLAlchemyError: it does not answer.
    """
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_heads()
        wanted = ScriptDirectory.from_config(migrations(connection)).get_heads()
    if set(found) != set(wanted):
        raise ProverError("the database is of another version of the service")


def migrations(connection: sa.Connection) -> Config:
    """Return what Alembic works by, inside the transaction of ``connection``."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "api:migrations")
    return config


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={_SQLITE_PATIENCE}")
    # Readers go on while a writer writes.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
