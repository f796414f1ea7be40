"""The table of OKX's lists: rows of cells by column, read as CSV, and as OKX's own reader does.

OKX writes JSON into cells without quoting it, and splits a line at the commas outside braces; a
line that is not as long as the header is read so, too. A line that is no row ends with itself: what
follows is still read.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prover.imports.rows import ImportFileError

_COLUMNS = {
    "coin": "coin",
    "digitalasset": "coin",
    "type": "type",
    "network": "network",
    "snapshotheight": "height",
    "address": "address",
    "amount": "amount",
    "balance": "amount",
    "message": "message",
    "signature1": "signature1",
    "signedmessage": "signature1",
    "signature2": "signature2",
    "signedmessage2": "signature2",
    "redeemscript": "script",
    "redeemscript/publickey": "script",
    "publickey": "script",
    "eoa1": "owner1",
    "owner1": "owner1",
    "eoa2": "owner2",
    "owner2": "owner2",
}
_REQUIRED = ("coin", "network", "address", "message", "signature1")
_TOTALS = frozenset({"coin", "amount"})

_MOST_LINES = 64  # of one row; our own messages have six
_MOST_CHARACTERS = 1 << 17  # of a line, as csv limits a field

Cells = Mapping[str, str]


@dataclass(slots=True)
class Told:
    """What a file says beside its rows: names and amounts of totals, and columns not known."""

    totals: list[tuple[str, str]] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def read_table(file: Path, lines: Iterable[str], told: Told) -> Iterator[tuple[int, Cells | str]]:
    """Yield each row of addresses with the line it begins in, or why it is none; fill ``told``.

    A cell that is called null is empty. ``file`` is for messages.

    Raises:
        ImportFileError: there are not the columns of a list.
    """
    header: list[str] = []
    line = 0
    for line, text, record in _records(lines):
        values = _values(text, record, len(header))
        if not values:
            header = [] if _is_totals(header) else header
        elif not header:
            if isinstance(values, str):
                raise ImportFileError(file, values, line)
            header = _header(file, line, values, told)
        elif isinstance(values, str):
            yield line, values
        elif _is_totals(header):
            cells = dict(zip(header, values, strict=False))
            told.totals.append((cells["coin"], cells.get("amount", "")))
        elif len(values) > len(header):
            yield line, f"{len(values)} values instead of {len(header)}"
        else:
            cells = dict(zip(header, values, strict=False))
            yield line, {name: "" if text == "null" else text for name, text in cells.items()}
    if not header or _is_totals(header):
        raise ImportFileError(file, "it has no table of addresses", line)


def _values(text: str, record: list[str] | str, columns: int) -> list[str] | str:
    """Return the values of a record, none where all are empty, or why it is no record."""
    is_odd = columns and len(record) != columns and len(text) <= _MOST_CHARACTERS
    if is_odd and not {"{", "["}.isdisjoint(text):
        cells = _split(text.rstrip("\r\n"))
        record = cells if len(cells) == columns else record
    if isinstance(record, str):
        return f"not a row of CSV: {record}"
    values = [value.strip() for value in record]
    return values if any(values) else []


def _split(text: str) -> list[str]:
    """Split a line at the commas that are in no braces or brackets."""
    cells, begin, depth = [], 0, 0
    for at, character in enumerate(text):
        depth = max(0, depth + (character in "{[") - (character in "}]"))
        if character == "," and not depth:
            cells.append(text[begin:at])
            begin = at + 1
    return [*cells, text[begin:]]


def _records(lines: Iterable[str]) -> Iterator[tuple[int, str, list[str] | str]]:
    """Yield each record: the line it begins in, its text, and its values or what is wrong.

    A record that is none is its first line alone.
    """
    source, again = iter(lines), deque[str]()
    number = 1
    while True:
        taken: list[str] = []

        def feed(taken: list[str] = taken) -> Iterator[str]:
            while len(taken) < _MOST_LINES:
                line = again.popleft() if again else next(source, None)
                if line is None:
                    return
                taken.append(line)
                yield line

        record: list[str] | str | None
        try:
            record = next(csv.reader(feed(), strict=True), None)
        except csv.Error as error:
            record = str(error)
            again.extendleft(reversed(taken[1:]))
            del taken[1:]
        if record is None:
            return
        yield number, "".join(taken), record
        number += len(taken)


def _is_totals(header: Collection[str]) -> bool:
    return "address" not in header and _TOTALS.issubset(header)


def _header(file: Path, line: int, values: list[str], told: Told) -> list[str]:
    """Return the names of the columns; one of no known name has the name that it is not read by."""
    names: dict[str, None] = {}
    for number, text in enumerate(values, 1):
        name = _COLUMNS.get("".join(text.lower().split()))
        if name is None:
            told.unread.add(text)
            name = f"unread {number}"
        if name in names:
            raise ImportFileError(file, "a column occurs twice", line, number)
        names[name] = None
    for name in _REQUIRED:
        if not _is_totals(names) and name not in names:
            raise ImportFileError(file, f"the column {name} is missing", line)
    return list(names)
