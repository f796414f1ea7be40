"""Parquet files, a few columns and some thousand rows at a time.

Text, integers and decimals are exact and read as their decimal text; binary floating point is
refused for the whole column, since 0.1 is not among its numbers.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from prover.ledger.errors import LedgerError
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import ParquetSource
from prover.ordered import in_order

BATCH_ROWS = 1 << 16
_BUFFER_BYTES = 1 << 20


def read_parquet(source: ParquetSource, columns: Layout, jobs: int) -> Batches:
    """Yield the rows of a Parquet file; ``jobs`` threads make them text.

    Raises:
        LedgerError: the file, or the type of a column.
    """
    name = source.name
    row = 1
    try:
        with pa.parquet.ParquetFile(
            source.path,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            page_checksum_verification=True,
        ) as file:
            schema = file.schema_arrow
            columns.check(name, schema.names)
            for column in columns.names:
                _check_type(name, columns, column, schema.field(column).type)
            blocks = file.iter_batches(BATCH_ROWS, columns=columns.names, use_threads=False)
            with closing(in_order(partial(_cells, columns.names), blocks, jobs)) as converted:
                for cells in converted:
                    batch = Batch.of(row, columns, cells)
                    row += len(batch)
                    yield batch
    except FileNotFoundError as error:
        raise LedgerError(name, "unreadable", detail=error.strerror or "no such file") from None
    except pa.ArrowInvalid:
        detail = "not a whole Parquet file"
        raise LedgerError(name, "truncated", row=row if row > 1 else None, detail=detail) from None
    except (OSError, pa.ArrowException):
        raise LedgerError(
            name, "unreadable", row=row, detail="damaged here or further on"
        ) from None


def _cells(columns: list[str], block: Any) -> dict[str, Any]:
    return {column: _exact(block.column(column)) for column in columns}


def _check_type(name: str, columns: Layout, column: str, kind: Any) -> None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        return
    if column == columns.account:
        accepted, rule = pa.types.is_integer(kind), "bad-id"
    elif column == columns.asset:
        accepted, rule = False, "unknown-asset"
    else:
        accepted = pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        rule = "not-exact" if pa.types.is_floating(kind) else "not-a-number"
    if not accepted:
        raise LedgerError(name, rule, column=column, detail=f"of type {kind}")


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def _exact(column: Any) -> Any:
    if pa.types.is_decimal128(column.type) and not column.null_count:
        return column
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    return column.cast(pa.binary())
