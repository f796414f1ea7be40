"""The rows of a query, streamed from the database and turned into columns.

The query is sent as it stands, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import URL, Connection, CursorResult, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from prover.errors import Code
from prover.ledger.errors import Fault, Faults, Kind, LedgerError, Marks
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import URL_FORMS, SqlSource

BATCH_ROWS = 1 << 14


def read_sql(source: SqlSource, columns: Layout) -> Batches:
    """Yield the rows of a query, in the order in which they come; the first is row 1.

    Raises:
        LedgerError: the connection, the query, or its columns.
    """
    name = source.name
    url = _checked_url(source)
    connected, row = False, None
    try:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            connected = True
            with _execute(connection, source.query) as result:
                if not result.returns_rows:
                    fault = Fault.of(Code.UNREADABLE, detail="the query returns no rows")
                    raise LedgerError(name, fault)
                names = list(result.keys())
                columns.check(name, names)
                row = 1
                for rows in result.partitions(BATCH_ROWS):
                    yield _batch(row, columns, names, rows)
                    row += len(rows)
    except (SQLAlchemyError, ImportError) as error:
        remedy = "" if isinstance(error, DBAPIError) else URL_FORMS
        detail = _cause(error, url, source.query if connected else None)
        fault = Fault.of(Code.UNREADABLE, row=row, detail=detail, remedy=remedy)
        raise LedgerError(name, fault) from None


def _checked_url(source: SqlSource) -> URL:
    """Return the URL of a database that may be there.

    Raises:
        LedgerError: it is malformed, or of a file that is not there.
    """
    try:
        url = make_url(source.url)
    except (ArgumentError, ValueError):
        detail = "not a database's URL"
    else:
        if "@" in (url.host or ""):
            detail = "an @ in a user's name or a password has to be written as %40"
        elif url.get_backend_name() != "sqlite" or _is_there(url.database):
            return url
        else:
            raise LedgerError(source.name, Fault.of(Code.UNREADABLE, detail="no such file"))
    raise LedgerError(source.name, Fault.of(Code.UNREADABLE, detail=detail, remedy=URL_FORMS))


def _is_there(database: str | None) -> bool:
    """Tell whether a database of SQLite is there, which would make an empty one."""
    return not database or database.startswith((":", "file:")) or Path(database).exists()


def _execute(connection: Connection, query: str) -> CursorResult[Any]:
    if connection.dialect.name == "sqlite":
        # Text that is not UTF-8 is then found by row, as in any other source.
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda text: text.decode(errors="surrogateescape")
    options = {"stream_results": True, "max_row_buffer": BATCH_ROWS, "no_parameters": True}
    return connection.exec_driver_sql(query, execution_options=options)


def _cause(error: Exception, url: URL, query: str | None) -> str:
    """Name the error; repeat a message only where that cannot quote a value: that of a connection
    that failed, without what is secret in its URL, or of a ``query`` that cannot even be planned.
    """
    if isinstance(error, ImportError):
        return f"its driver is not installed: {error.name}"
    if isinstance(error, ArgumentError):  # NoSuchModuleError is one
        return "not a database's URL, or of a database that is not known"
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    kind = type(error.orig).__name__
    if query is None:
        said = str(error.orig)
        for secret in filter(None, (url.username, url.password, *map(str, url.query.values()))):
            said = said.replace(str(secret), "***")
    else:
        said = _planning_error(url, query)
    return f"{kind}: {said}".splitlines()[0] if said else kind


def _planning_error(url: URL, query: str) -> str:
    """Return what the database says of a query that it does not plan, where no row is read."""
    try:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            connection.exec_driver_sql(
                f"EXPLAIN {query}", execution_options={"no_parameters": True}
            )
    except DBAPIError as error:
        return str(error.orig)
    except SQLAlchemyError:
        pass
    return ""


def _batch(row: int, columns: Layout, names: Sequence[str], rows: Sequence[Any]) -> Batch:
    """Make columns of the rows, but for those with a value of a type that no such column has."""
    values = dict(zip(names, zip(*rows, strict=True), strict=True))
    marks: Marks = {}
    cells = {column: _encode(values[column], column, columns, marks) for column in columns.names}
    numbers = np.arange(row, row + len(rows))
    faults = Faults()
    faults.add(marks, numbers)
    kept = np.ones(len(rows), np.bool_)
    kept[[index for indices in marks.values() for index in indices]] = False
    arrays = {name: pa.array(part, pa.binary()).filter(kept) for name, part in cells.items()}
    return Batch.of(numbers[kept], columns, arrays, faults)


def _encode(values: Sequence[Any], column: str, columns: Layout, marks: Marks) -> list[bytes]:
    exact = (str, bytes, int, Decimal) if column in columns.amounts else (str, bytes, int, UUID)
    cells = []
    for index, value in enumerate(values):
        cell = b""
        if isinstance(value, str):
            cell = value.encode(errors="surrogateescape")
        elif isinstance(value, bytes):
            cell = value
        elif isinstance(value, exact) and not isinstance(value, bool):
            cell = str(value).encode()
        elif value is not None:
            kind = Kind(_rule(value, column, columns), column, f"of type {type(value).__name__}")
            marks.setdefault(kind, []).append(index)
        cells.append(cell)
    return cells


def _rule(value: Any, column: str, columns: Layout) -> Code:
    if column == columns.account:
        return Code.BAD_ID
    if column == columns.asset:
        return Code.UNKNOWN_ASSET
    return Code.NOT_EXACT if isinstance(value, float) else Code.NOT_A_NUMBER
