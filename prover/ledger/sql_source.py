"""The rows of a query, streamed from the database and turned into columns.

The query is sent as it stands, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, CursorResult, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from prover.ledger.errors import CellFault, LedgerError
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import SqlSource

BATCH_ROWS = 1 << 14


def read_sql(source: SqlSource, columns: Layout) -> Batches:
    """Yield the rows of a query, in the order in which they come; the first is row 1.

    Raises:
        LedgerError: the connection, the query, its columns, or the type of a value.
    """
    name = source.name
    connected, row = False, None
    try:
        with create_engine(source.url, poolclass=NullPool).connect() as connection:
            connected = True
            with _execute(connection, source.query) as result:
                if not result.returns_rows:
                    raise LedgerError(name, "unreadable", detail="the query returns no rows")
                names = list(result.keys())
                columns.check(name, names)
                row = 1
                for rows in result.partitions(BATCH_ROWS):
                    batch, fault = _batch(row, columns, names, rows)
                    yield batch
                    row += len(batch)
                    if fault is not None:
                        raise LedgerError(
                            name, fault.rule, row=row, column=fault.column, detail=fault.detail
                        )
    except (SQLAlchemyError, ImportError) as error:
        raise LedgerError(name, "unreadable", row=row, detail=_cause(error, connected)) from None


def _execute(connection: Connection, query: str) -> CursorResult[Any]:
    if connection.dialect.name == "sqlite":
        # Text that is not UTF-8 is then found by row, as in any other source.
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda text: text.decode(errors="surrogateescape")
    options = {"stream_results": True, "max_row_buffer": BATCH_ROWS, "no_parameters": True}
    return connection.exec_driver_sql(query, execution_options=options)


def _cause(error: Exception, connected: bool) -> str:
    """Name the error; repeat its message only where that cannot quote a value.

    Such are a failed connection, PostgreSQL's class 42 (syntax, unknown names, access rights), and
    SQLite's general error.
    """
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    cause = error.orig
    about_query = str(getattr(cause, "sqlstate", "")).startswith("42")
    about_query |= getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    if about_query or not connected:
        return f"{type(cause).__name__}: {cause}".splitlines()[0]
    return type(cause).__name__


def _batch(
    row: int, columns: Layout, names: Sequence[str], rows: Sequence[Any]
) -> tuple[Batch, CellFault | None]:
    """Make columns of the rows up to the first value of a type that its column cannot hold."""
    values = dict(zip(names, zip(*rows, strict=True), strict=True))
    whole, fault = len(rows), None
    cells = {}
    for column in columns.names:
        try:
            cells[column] = _encode(values[column][:whole], column, columns)
        except CellFault as found:
            whole, fault = found.index, found
            cells[column] = _encode(values[column][:whole], column, columns)
    arrays = {name: pa.array(part[:whole], pa.binary()) for name, part in cells.items()}
    return Batch.of(row, columns, arrays), fault


def _encode(values: Sequence[Any], column: str, columns: Layout) -> list[bytes]:
    exact = (str, bytes, int, Decimal) if column in columns.amounts else (str, bytes, int, UUID)
    cells = []
    for index, value in enumerate(values):
        if isinstance(value, str):
            cells.append(value.encode(errors="surrogateescape"))
        elif isinstance(value, bytes):
            cells.append(value)
        elif value is None:
            cells.append(b"")
        elif isinstance(value, exact) and not isinstance(value, bool):
            cells.append(str(value).encode())
        else:
            raise CellFault(index, column, _rule(value, column, columns), type(value).__name__)
    return cells


def _rule(value: Any, column: str, columns: Layout) -> str:
    if column == columns.account:
        return "bad-id"
    if column == columns.asset:
        return "unknown-asset"
    return "not-exact" if isinstance(value, float) else "not-a-number"
