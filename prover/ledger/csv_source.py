"""CSV files: cut into blocks of whole records here, each block read by pyarrow in a thread.

Every value is read as bytes: no type is inferred, no text means null, and what is not UTF-8 is
found later, by row. pyarrow gets nothing but records that were looked at: it reads on where quotes
are wrong, and takes a file that ends inside a value for complete.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from prover.errors import Code
from prover.ledger import csv_shape
from prover.ledger.errors import Fault, Faults, Kind, LedgerError, Marks
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import DELIMITERS, CsvSource
from prover.ledger.text import Text
from verifier.ordered import in_order

BLOCK_BYTES = 1 << 20
"""Bytes read at once; no row may be longer."""

_UNPACK: Final = "unpack it first"
_EXPORT: Final = "export CSV in UTF-8"
_MAGIC: Final = (
    (b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (b"\xfd7zXZ\0", "compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed by LZ4", _UNPACK),
    (b"\x1f\x9d", "compressed by compress", _UNPACK),
    *((b"BZh%d1AY&SY" % level, "compressed by bzip2", _UNPACK) for level in range(1, 10)),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"\x5d\x00\x00", "compressed by LZMA", _UNPACK),
    (b"PK\x03\x04", "a ZIP archive, or an Excel workbook", _EXPORT),
    (b"PK\x05\x06", "an empty ZIP archive", _EXPORT),
    (b"{", "JSON", _EXPORT),
    (b"[", "JSON", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _EXPORT),
    (b"PAR1\x15", "a Parquet file", 'set ledger.format = "parquet"'),
    (b"SQLite format 3\0", "an SQLite database", 'set ledger.format = "sql"'),
)
_PACKED: Final = (".7z", ".Z", ".br", ".bz2", ".gz", ".lz4", ".lzma", ".xz", ".zip", ".zst")
_UTF_16_OR_32: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


_LEFT_OPEN: Final = Kind(Code.TRUNCATED, None, "a quote left open")
_NO_LINE_BREAK: Final = Kind(
    Code.TRUNCATED,
    None,
    "no line break at its end",
    "export the whole file anew; if it is whole, end it with a line break",
)
_WIDTH: Final = "quote values that hold the delimiter; if it is the last row, the file is cut off"


@dataclass(frozen=True)
class _Block:
    """Whole records, and what is wrong with the text where they end, if anything is."""

    text: bytes
    fault: Kind | None = None


@dataclass(frozen=True)
class _Cells:
    """The columns of those of a block's ``records`` that are ``kept`` (a mask or slice).

    ``marks`` tells what is wrong with the others, ``fault`` with what comes behind the records.
    """

    columns: dict[str, Any]
    records: int
    kept: Any
    marks: Marks
    fault: Kind | None


@dataclass(frozen=True)
class _Form:
    """What all records of a file are read by."""

    layout: Layout
    header: Sequence[str]
    delimiter: str

    def read(self, block: _Block) -> _Cells:
        """Read records up to a wrong quote, but for those that are not as wide as the header."""
        text, fault = block.text, block.fault
        if stray := csv_shape.stray_quote(text, self.delimiter):
            return self.read(_before(text, stray))
        if fault is not None:
            if stray := self._swallowed(text):
                return self.read(_before(text, stray))
            text = text[: csv_shape.end_of_records(text)]
        columns = self._parse(text)
        rows = None if columns is None else len(columns[self.layout.account])
        if csv_shape.may_hold_breaks(text, rows) and (stray := self._swallowed(text)):
            return self.read(_before(text, stray))
        if columns is None or rows is None or _has_empty(columns[self.layout.account]):
            return self._read_narrow(text, fault)  # of a blank line all cells are empty
        return _Cells(columns, rows, slice(None), {}, fault)

    def _swallowed(self, text: bytes) -> csv_shape.Stray | None:
        return csv_shape.swallowed_rows(text, self.delimiter, len(self.header))

    def _read_narrow(self, text: bytes, fault: Kind | None) -> _Cells:
        """Read the records that are as wide as the header, and note the others."""
        found, width = csv_shape.records(text, self.delimiter), len(self.header)
        good = ~found.blank & (found.values == width)
        bounds = zip(found.starts[good].tolist(), found.ends[good].tolist(), strict=True)
        columns = self._parse(b"".join(text[start:end] for start, end in bounds)) or {}
        marks: Marks = {}
        blank = Kind(Code.EMPTY_ID, self.layout.account, "a blank line", "remove it")
        for index in np.flatnonzero(~good).tolist():
            detail = f"{found.values[index]} values, where the header has {width}"
            kind = blank if found.blank[index] else Kind(Code.TRUNCATED, None, detail, _WIDTH)
            marks.setdefault(kind, []).append(index)
        return _Cells(columns, len(good), good, marks, fault)

    def _parse(self, text: bytes) -> dict[str, Any] | None:
        """Return the columns of whole records; None if one has not as many values as the header."""
        names = self.layout.names
        if not text:
            return {name: pa.array([], pa.binary()) for name in names}
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(text),
                pa.csv.ReadOptions(
                    use_threads=False, block_size=len(text) + 1, column_names=self.header
                ),
                pa.csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, ignore_empty_lines=False
                ),
                pa.csv.ConvertOptions(
                    check_utf8=False,
                    include_columns=names,
                    column_types=dict.fromkeys(names, pa.binary()),
                ),
            )
        except pa.ArrowInvalid:
            return None
        return {name: table.column(name).combine_chunks() for name in names}


def read_csv(source: CsvSource, layout: Layout, jobs: int) -> Batches:
    """Yield the rows of a CSV file a block at a time, read by ``jobs`` threads.

    Raises:
        LedgerError: the file, its header, or its quotes.
    """
    name = source.name
    try:
        with source.path.open("rb", buffering=0) as file:
            header, rest = _header(file, source, layout)
            form = _Form(layout, header, source.delimiter)
            with closing(in_order(form.read, _blocks(file, rest), jobs)) as blocks:
                yield from _numbered(name, layout, blocks)
    except OSError as error:
        fault = Fault.of(Code.UNREADABLE, detail=error.strerror or "")
        raise LedgerError(name, fault) from None


def _numbered(name: str, layout: Layout, blocks: Iterable[_Cells]) -> Batches:
    row = 2
    for cells in blocks:
        rows = np.arange(row, row + cells.records)
        faults = Faults()
        faults.add(cells.marks, rows)
        yield Batch.of(rows[cells.kept], layout, cells.columns, faults)
        row += cells.records
        if cells.fault is not None:
            raise LedgerError(name, Fault(cells.fault, (row,), 1))


def _header(file: io.FileIO, source: CsvSource, layout: Layout) -> tuple[Sequence[str], bytes]:
    """Return the names in the first row, and what was read behind it."""
    name, (record, rest) = source.name, _first_record(file, source.path)
    try:
        header = next(csv.reader([record.decode()], delimiter=source.delimiter, strict=True), [])
    except UnicodeDecodeError:
        raise LedgerError(name, Fault.of(Code.BAD_UNICODE, row=1)) from None
    except csv.Error:
        raise LedgerError(name, Fault.of(Code.BAD_QUOTE, row=1)) from None
    if len(header) == 1:
        _check_delimiter(source, header[0], layout)
    layout.check(name, header)
    if not record.endswith((b"\n", b"\r")):
        raise LedgerError(name, Fault(_NO_LINE_BREAK, (1,), 1))
    return header, rest


def _first_record(file: io.FileIO, path: Path) -> tuple[bytes, bytes]:
    """Return the first record, or what there is of it, and what was read behind it."""
    text = file.read(BLOCK_BYTES) or b""
    _check_format(path, text)
    text = text.removeprefix(codecs.BOM_UTF8)
    # A CR at the end may be half a line break.
    while not (end := csv_shape.end_of_first_record(text.removesuffix(b"\r"))):
        more = file.read(BLOCK_BYTES)
        if not more and not csv_shape.is_quote_open(text):
            return text, b""
        if not more or len(text) > BLOCK_BYTES:
            fault = _too_long() if more else _LEFT_OPEN
            raise LedgerError(str(path), Fault(fault, (1,), 1))
        text += more
    return text[:end], text[end:]


def _check_format(path: Path, text: bytes) -> None:
    """Refuse what is no text, by its first bytes, or is packed, by its name."""
    for magic, what, remedy in _MAGIC:
        if text.startswith(magic):
            fault = Fault.of(Code.WRONG_FORMAT, detail=what, remedy=remedy)
            raise LedgerError(str(path), fault)
    if path.suffix in _PACKED:
        fault = Fault.of(Code.WRONG_FORMAT, detail=f"{path.suffix} is packed", remedy=_UNPACK)
        raise LedgerError(str(path), fault)
    if text.startswith(_UTF_16_OR_32) or b"\0" in text.partition(b"\n")[0]:
        fault = Fault.of(Code.BAD_UNICODE, row=1, detail="UTF-16, or not text", remedy=_EXPORT)
        raise LedgerError(str(path), fault)


def _check_delimiter(source: CsvSource, header: str, layout: Layout) -> None:
    """Name the delimiter at which the one name of a header falls into those that are wanted."""
    for delimiter in DELIMITERS:
        if set(layout.names) <= {cell.strip(' "') for cell in header.split(delimiter)}:
            detail = f"the header is one column, with its names between {delimiter!r}"
            remedy = f"set ledger.delimiter = {json.dumps(delimiter)}"
            fault = Fault.of(
                Code.MISSING_COLUMN, column=layout.account, detail=detail, remedy=remedy
            )
            raise LedgerError(source.name, fault)


def _blocks(file: io.FileIO, text: bytes) -> Iterator[_Block]:
    """Cut the rest of a file, ``text`` and what can be read yet, behind whole records."""
    while data := file.read(BLOCK_BYTES):
        text += data
        end = csv_shape.end_of_records(text, may_go_on=True)
        if not end and len(text) > BLOCK_BYTES:
            yield _Block(text.removesuffix(b"\r"), _too_long())
            return
        if end:
            yield _Block(text[:end])
            text = text[end:]
    if csv_shape.is_quote_open(text):
        yield _Block(text, _LEFT_OPEN)
    elif text and not text.endswith((b"\n", b"\r", b'"')):
        yield _Block(text, _NO_LINE_BREAK)
    else:  # behind a closing quote nothing can be missing but the line break itself
        yield _Block(text)


def _before(text: bytes, stray: csv_shape.Stray) -> _Block:
    """Return the records before a wrong quote, which may stand lines below its row's first."""
    end = csv_shape.end_of_records(text[: stray.offset])
    lines = text.count(b"\n", end, stray.offset)
    below = f", {lines} lines below" if lines else ""
    return _Block(text[:end], Kind(Code.BAD_QUOTE, None, stray.rule + below))


def _has_empty(column: Any) -> bool:
    text = Text.of(column)
    return bool((text.starts == text.ends).any())


def _too_long() -> Kind:
    detail = f"no end of the row within {BLOCK_BYTES} bytes: a quote left open?"
    return Kind(Code.TRUNCATED, None, detail)
