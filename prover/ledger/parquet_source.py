"""Parquet files, a few columns and some thousand rows at a time.

Text, integers and decimals are exact and read as their decimal text; binary floating point is
refused for the whole column, since 0.1 is not among its numbers.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from prover.errors import Code
from prover.ledger.errors import Fault, Faults, LedgerError
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import ParquetSource
from verifier.ordered import in_order

BATCH_ROWS = 1 << 16
_BUFFER_BYTES = 1 << 20
_MAGIC = b"PAR1"


def read_parquet(source: ParquetSource, columns: Layout, jobs: int) -> Batches:
    """Yield the rows of a Parquet file; ``jobs`` threads make them text.

    Raises:
        LedgerError: the file, or the types of its columns.
    """
    name = source.name
    row = 1
    _check_begin(source)
    try:
        with pa.parquet.ParquetFile(
            source.path,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            page_checksum_verification=True,
        ) as file:
            schema = file.schema_arrow
            columns.check(name, schema.names)
            _check_types(name, columns, schema)
            blocks = file.iter_batches(BATCH_ROWS, columns=columns.names, use_threads=False)
            with closing(in_order(partial(_cells, columns.names), blocks, jobs)) as converted:
                for cells in converted:
                    rows = np.arange(row, row + len(cells[columns.account]))
                    row += len(rows)
                    yield Batch.of(rows, columns, cells, Faults())
    except pa.ArrowInvalid:
        fault = Fault.of(
            Code.TRUNCATED, row=row if row > 1 else None, detail="not a whole Parquet file"
        )
        raise LedgerError(name, fault) from None
    except (OSError, pa.ArrowException):
        fault = Fault.of(Code.UNREADABLE, row=row, detail="damaged here or further on")
        raise LedgerError(name, fault) from None


def _check_begin(source: ParquetSource) -> None:
    """Refuse what cannot be opened, and what is no Parquet file, not even one that was cut."""
    try:
        with source.path.open("rb") as file:
            begin = file.read(len(_MAGIC))
    except OSError as error:
        fault = Fault.of(Code.UNREADABLE, detail=error.strerror or "")
        raise LedgerError(source.name, fault) from None
    if not _MAGIC.startswith(begin):
        remedy = 'set ledger.format = "csv" if it is text; unpack it if it is compressed'
        fault = Fault.of(Code.WRONG_FORMAT, detail="no Parquet file", remedy=remedy)
        raise LedgerError(source.name, fault)


def _cells(columns: list[str], block: Any) -> dict[str, Any]:
    return {column: _exact(block.column(column)) for column in columns}


def _check_types(name: str, columns: Layout, schema: Any) -> None:
    faults, types = [], []
    for column in columns.names:
        kind = schema.field(column).type
        inner = kind.value_type if _is_dictionary(kind) else kind
        rule = _broken_rule(columns, column, inner)
        types.append(str(inner))
        if rule is not None:
            faults.append(Fault.of(rule, column=column, detail=f"of type {kind}"))
    if faults:
        raise LedgerError(name, *faults)
    columns.check_types(name, types)


def _broken_rule(columns: Layout, column: str, kind: Any) -> Code | None:
    """Return the rule that a column's type breaks, None if none."""
    types = pa.types
    if _is_text(kind):
        return None
    if column == columns.account:
        return None if types.is_integer(kind) else Code.BAD_ID
    if column == columns.asset:
        return Code.UNKNOWN_ASSET
    if types.is_floating(kind):
        return Code.NOT_EXACT
    if types.is_decimal(kind):
        return Code.NOT_WHOLE if columns.reading.in_units and kind.scale > 0 else None
    return None if types.is_integer(kind) else Code.NOT_A_NUMBER


def _is_dictionary(kind: Any) -> bool:
    return bool(pa.types.is_dictionary(kind))


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
