"""One table of text cells, written as each kind of source that a ledger is read from."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet
from sqlalchemy import make_url

from prover.ledger.source import Columns, CsvSource, LedgerSource, ParquetSource, SqlSource

KINDS = ("csv", "parquet", "sqlite", "postgresql")


@dataclass(frozen=True)
class Table:
    """Rows of byte strings under column names."""

    names: Sequence[str]
    rows: Sequence[Sequence[bytes]]

    @classmethod
    def of(cls, names: str, rows: Sequence[Sequence[str]]) -> Table:
        """Take names in one string and cells as text."""
        return cls(names.split(), [[cell.encode() for cell in row] for row in rows])


Writer = Callable[[Table, Columns], LedgerSource]


def csv_bytes(table: Table) -> bytes:
    """Write with every cell quoted, so that any bytes but a quote are a cell."""
    lines = [[name.encode() for name in table.names], *table.rows]
    return b"".join(b",".join(b'"%b"' % cell for cell in line) + b"\n" for line in lines)


def write_csv(folder: Path, table: Table, columns: Columns) -> CsvSource:
    """Write ``ledger.csv``."""
    path = folder / "ledger.csv"
    path.write_bytes(csv_bytes(table))
    return CsvSource(path, columns)


def write_plain_csv(path: Path, table: Table) -> None:
    """Write as Python's csv module does, quotes only where needed."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.names)
        writer.writerows([[cell.decode() for cell in row] for row in table.rows])


def write_parquet(folder: Path, table: Table, columns: Columns) -> ParquetSource:
    """Write ``ledger.parquet``, all columns of bytes, in row groups of seven rows."""
    path = folder / "ledger.parquet"
    _write_parquet(path, table)
    return ParquetSource(path, columns)


def _write_parquet(path: Path, table: Table) -> None:
    cells = {
        name: pa.array([row[number] for row in table.rows], pa.binary())
        for number, name in enumerate(table.names)
    }
    pa.parquet.write_table(pa.table(cells), path, row_group_size=7)


def write_parts(
    folder: Path, table: Table, columns: Columns, bounds: Sequence[int], *, as_csv: bool
) -> CsvSource | ParquetSource:
    """Write ``parts/part-00000…``, a table that is cut before the rows at some bounds."""
    path = folder / "parts"
    path.mkdir()
    for number, (start, stop) in enumerate(pairwise([0, *bounds, len(table.rows)])):
        part, name = Table(table.names, table.rows[start:stop]), f"part-{number:05}"
        if as_csv:
            (path / f"{name}.csv").write_bytes(csv_bytes(part))
        else:
            _write_parquet(path / f"{name}.snappy.parquet", part)
    return CsvSource(path, columns) if as_csv else ParquetSource(path, columns)


def write_sqlite(folder: Path, table: Table, columns: Columns) -> SqlSource:
    """Write table ``ledger`` of ``ledger.sqlite``, all columns of text."""
    path = folder / "ledger.sqlite"
    path.unlink(missing_ok=True)
    names = ", ".join(f'"{name}" TEXT' for name in table.names)
    cells = ", ".join(["CAST(? AS TEXT)"] * len(table.names))
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE ledger ({names})")
    connection.executemany(f"INSERT INTO ledger VALUES ({cells})", table.rows)  # noqa: S608
    connection.commit()
    connection.close()
    return SqlSource(f"sqlite:///{path}", "SELECT * FROM ledger ORDER BY rowid", columns)


def write_postgresql(url: str, table: Table, columns: Columns) -> SqlSource:
    """Write table ``ledger``, all columns of bytes, as a database of no declared encoding has."""
    names = ", ".join(f'"{name}" bytea' for name in table.names)
    cells = ", ".join(["%s"] * len(table.names))
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS ledger")
        cursor.execute(f"CREATE TABLE ledger (number serial, {names})".encode())
        chosen = ", ".join(f'"{name}"' for name in table.names)
        insert = f"INSERT INTO ledger ({chosen}) VALUES ({cells})"  # noqa: S608
        cursor.executemany(insert.encode(), table.rows)
    return SqlSource(url, f"SELECT {chosen} FROM ledger ORDER BY number", columns)  # noqa: S608


def connect(url: str) -> psycopg.Connection:
    """Connect to the server of an SQLAlchemy URL."""
    parsed = make_url(url)
    host = parsed.query["host"]
    assert isinstance(host, str)
    return psycopg.connect(host=host, user=parsed.username, dbname=parsed.database)


def writer(kind: str, folder: Path, url: str) -> Writer:
    """Return what writes a table as a source of one kind."""
    if kind == "postgresql":
        return lambda table, columns: write_postgresql(url, table, columns)
    write: dict[str, Callable[[Path, Table, Columns], LedgerSource]] = {
        "csv": write_csv,
        "parquet": write_parquet,
        "sqlite": write_sqlite,
    }
    return lambda table, columns: write[kind](folder, table, columns)
