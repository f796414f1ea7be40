"""The rows of a query, streamed from the database and turned into columns.

The query is sent as it stands, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, CursorResult, create_engine
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
    connected, row = False, None
    try:
        with create_engine(source.url, poolclass=NullPool).connect() as connection:
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
        detail = _cause(error, connected)
        fault = Fault.of(Code.UNREADABLE, row=row, detail=detail, remedy=remedy)
        raise LedgerError(name, fault) from None


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
    if isinstance(error, ImportError):
        return f"its driver is not installed: {error.name}"
    if isinstance(error, ArgumentError):  # NoSuchModuleError is one
        return "not a database's URL, or of a database that is not known"
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    cause = error.orig
    about_query = str(getattr(cause, "sqlstate", "")).startswith("42")
    about_query |= getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    if about_query or not connected:
        return f"{type(cause).__name__}: {cause}".splitlines()[0]
    return type(cause).__name__


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
