"""CSV files, by pyarrow's streaming reader.

Every value is read as bytes: no type is inferred, no text means null, and what is not UTF-8 is
found later, by row. The reader is one thread, which is what makes it number rows.

pyarrow takes a file that ends inside a quoted value for complete. So a last row is added behind
the file, with one value too many and a text that no file holds: pyarrow reports it as malformed
exactly if the file ended outside quotes.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv

from prover.ledger.errors import LedgerError
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import CsvSource

BLOCK_BYTES = 1 << 20
"""Bytes read at once; no row may be longer."""


class _WithLastRow:
    """The bytes of a file, then those of ``row``, on a line of its own."""

    closed = False

    def __init__(self, file: io.FileIO, row: bytes) -> None:
        self._file = file
        self._row = row
        self._ends_line = True

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        data = self._file.read(size)
        if data:
            self._ends_line = data.endswith((b"\n", b"\r"))
        elif self._row:
            data = self._row if self._ends_line else b"\n" + self._row
            self._row = b""
        return data


class _Malformed:
    """The rows that pyarrow could not fit into the columns: the first one, and the added one."""

    def __init__(self, last_row: str) -> None:
        self._last_row = last_row
        self.first: int | None = None
        self.complete = False

    def skip(self, row: Any) -> str:
        """Note a row; pyarrow goes on behind it."""
        if row.text == self._last_row:
            self.complete = True
        elif self.first is None:
            self.first = row.number
        return "skip"


def read_csv(source: CsvSource, columns: Layout) -> Batches:
    """Yield the rows of a CSV file a block of text at a time.

    Raises:
        LedgerError: the file, its header, or the shape of a row.
    """
    name = source.name
    try:
        with source.path.open("rb", buffering=0) as file:
            header = _header(file, name)
            columns.check(name, header)
            file.seek(0)
            yield from _rows(file, name, header, columns)
    except OSError as error:
        raise LedgerError(name, "unreadable", detail=error.strerror or "") from None


def _header(file: io.FileIO, name: str) -> Sequence[str]:
    head = io.BytesIO((file.read(BLOCK_BYTES) or b"") + b"\n")
    parsing = _parsing(lambda _: "skip")
    reading = pa.csv.ReadOptions(use_threads=False, block_size=2 * BLOCK_BYTES)
    try:
        with pa.csv.open_csv(head, read_options=reading, parse_options=parsing) as reader:
            return list(reader.schema.names)
    except UnicodeDecodeError:
        raise LedgerError(name, "bad-unicode", row=1) from None
    except pa.ArrowInvalid:
        raise LedgerError(name, "truncated", row=1, detail="no header") from None


def _parsing(malformed: Callable[[Any], str]) -> Any:
    return pa.csv.ParseOptions(
        newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=malformed
    )


def _rows(file: io.FileIO, name: str, header: Sequence[str], columns: Layout) -> Batches:
    last_row = secrets.token_hex(16) + "," * len(header)
    malformed = _Malformed(last_row)
    row, fault, detail = 2, None, ""
    held: Batch | None = None
    try:
        with pa.csv.open_csv(
            _WithLastRow(file, last_row.encode() + b"\n"),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=_parsing(malformed.skip),
            convert_options=pa.csv.ConvertOptions(
                check_utf8=False,
                include_columns=columns.names,
                column_types=dict.fromkeys(columns.names, pa.binary()),
            ),
        ) as reader:
            for block in reader:
                if held is not None:
                    yield held
                held = Batch.of(row, columns, {k: block.column(k) for k in columns.names})
                row += len(held)
                if malformed.first is not None:
                    break
    except pa.ArrowInvalid:
        fault, detail = row, f"no end of the row within {BLOCK_BYTES} bytes: a quote left open?"
    if malformed.first is not None:
        fault, detail = malformed.first, f"not {len(header)} values as in the header"
    elif fault is None and not malformed.complete:
        fault, detail = row - 1, "a quote left open"
    if held is not None:
        yield held if fault is None else held.head(fault - held.first_row)
    if fault is not None:
        raise LedgerError(name, "truncated", row=fault, detail=detail)
