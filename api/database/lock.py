"""The lock of the one worker of a database; it dies with the process, or with its connection.

On PostgreSQL a session holds it, so it reaches as far as the database does. A database of SQLite is
a file, and so is its lock, beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from prover.errors import ProverError
from prover.files.storage import locked

# "worker" in ASCII: of a key of 64 bits PostgreSQL shows the halves.
_KEY: Final = 0x776F726B6572
_KEY_HALVES: Final = {"classid": _KEY >> 32, "objid": _KEY & 0xFFFFFFFF, "objsubid": 1}

# A machine that vanished is noticed after 25 seconds; its session ends with that.
_KEEPALIVES: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_WORKER: Final = "worker"
_HELD: Final = "a worker is at work on this database"


def beside(engine: sa.Engine, name: str) -> Path:
    """Return a file beside a database of SQLite, one for whatever links lead to it."""
    database = Path(str(engine.url.database)).resolve()
    return database.with_name(f"{database.name}.{name}")


def hold_lock(engine: sa.Engine, held: ExitStack) -> Callable[[], object]:
    """Hold the lock until ``held`` is closed; return what raises once it is lost.

    Raises:
        ProverError: another process holds it.
        sqlalchemy.exc.DBAPIError: the database cannot be used.
    """
    if engine.dialect.name == "sqlite":
        held.enter_context(locked(beside(engine, _WORKER), _HELD))
        return lambda: None
    session = held.enter_context(engine.connect()).execution_options(isolation_level="AUTOCOMMIT")
    if not session.scalar(sa.select(sa.func.pg_try_advisory_lock(_KEY))):
        raise ProverError(_HELD)
    session.detach()  # the lock ends with it, and no other use of the pool goes on with it
    for name, value in _KEEPALIVES.items():
        session.execute(sa.select(sa.func.set_config(name, value, False)))
    return lambda: session.execute(sa.select(1))


def is_held(connection: sa.Connection) -> bool:
    """Tell whether a worker holds the lock."""
    if connection.dialect.name == "sqlite":
        return _is_locked(beside(connection.engine, _WORKER))
    query = sa.text(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND granted "
        "AND classid = :classid AND objid = :objid AND objsubid = :objsubid"
    )
    return bool(connection.scalar(query, _KEY_HALVES))


def _is_locked(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with locked(file, _HELD):
            return False
    except ProverError:
        return True
