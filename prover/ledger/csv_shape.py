"""The shape of CSV text: where records end, how many values each has, and whether quotes are right.

Text is looked at in blocks that begin between two records. A quote turns "inside a quoted value" on
or off, a doubled one twice, so the parity of the quotes before a byte tells where it stands. That
is exact as long as quotes are as RFC 4180 has them: one opens at the beginning of a value, one
closes at its end, and any other is doubled inside. A reader that is less strict lets a quote that
was meant as text open a value, which ends at the next such quote, hundreds of customers further on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

QUOTE: Final = ord('"')
LF: Final = ord("\n")
CR: Final = ord("\r")


@dataclass(frozen=True)
class Records:
    """n records: where they begin, where they end (line breaks included), how many values."""

    starts: Offsets
    ends: Offsets
    values: npt.NDArray[np.int64]
    blank: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stray:
    """A wrong quote: at which offset, and why."""

    offset: int
    rule: str


def end_of_records(text: bytes, *, may_go_on: bool = False) -> int:
    """Return the length of the whole records that ``text`` begins with: 0 if there is none.

    If it ``may_go_on``, a CR that ends it may be half a line break, and ends no record.
    """
    at = text.rfind(b"\n")
    if at >= 0 and text.find(b"\r", at) < 0 and not is_quote_open(text[:at]):
        return at + 1
    breaks = _record_breaks(_array(text.removesuffix(b"\r") if may_go_on else text))
    return int(breaks[-1]) + 1 if breaks.size else 0


def end_of_first_record(text: bytes) -> int:
    """Return the length of the first record, its line break included: 0 if it does not end."""
    breaks = _record_breaks(_array(text))
    return int(breaks[0]) + 1 if breaks.size else 0


def is_quote_open(text: bytes) -> bool:
    """Tell whether ``text`` ends inside a quoted value."""
    return bool(np.count_nonzero(_array(text) == QUOTE) % 2)


def may_hold_breaks(text: bytes, rows: int | None) -> bool:
    """Tell whether a quoted value may hold a line break, in so many records (None: unknown)."""
    return b'"' in text and np.count_nonzero(_array(text) == LF) != rows


def records(text: bytes, delimiter: str) -> Records:
    """Cut text whose quotes are right into its records; the last needs no line break."""
    array = _array(text)
    ends = _record_breaks(array) + 1
    if not ends.size or ends[-1] < len(text):
        ends = np.append(ends, len(text))
    starts = np.append(0, ends[:-1])
    delimiters = _offsets(array, ord(delimiter))
    delimiters = delimiters[~_inside(_offsets(array, QUOTE), delimiters)]
    record_of = np.searchsorted(ends, delimiters, side="right")
    values = np.bincount(record_of, minlength=len(ends)) + 1
    is_break = (array == LF) | (array == CR)
    blank = is_break[starts] & (ends - starts <= 2)
    return Records(starts, ends, values, blank)


def stray_quote(text: bytes, delimiter: str) -> Stray | None:
    """Return the first quote that neither begins nor ends a value, nor is doubled; None if none."""
    array = _array(text)
    quotes = _offsets(array, QUOTE)
    if not quotes.size:
        return None
    beside = np.zeros(256, np.bool_)
    beside[[QUOTE, LF, CR, ord(delimiter)]] = True
    opening, closing = quotes[::2], quotes[1::2]
    opens = beside[array.take(opening - 1, mode="clip")] | (opening == 0)
    closes = beside[array.take(closing + 1, mode="clip")] | (closing == len(array) - 1)
    strays = [
        Stray(int(offsets[int(np.argmin(right))]), rule)
        for offsets, right, rule in (
            (opening, opens, "a quote inside a value that does not begin with one"),
            (closing, closes, "text behind a closing quote"),
        )
        if not right.all()
    ]
    return min(strays, key=lambda stray: stray.offset, default=None)


def swallowed_rows(text: bytes, delimiter: str, columns: int) -> Stray | None:
    """Return the quote that opens the first value which holds whole rows; None if none does.

    A quote that was meant as text, in column k of row r, and one at the end of column k' of row s,
    look like a quoted value. The row that comes of it has as many values as others only if k = k'.
    Then the value holds s - r line breaks and, at columns - 1 a row, (s - r)(columns - 1) or more
    delimiters: what no text of one customer looks like.
    """
    array = _array(text)
    quotes = _offsets(array, QUOTE)
    # Where doubled quotes are cut out, the pieces of a value lie between an opening and a closing.
    opening, closing = quotes[::2], quotes[1::2]
    begins = np.append(True, opening[1:] != closing[: len(opening) - 1] + 1)[: len(opening)]
    value_of = np.cumsum(begins) - 1
    inside = []
    for offsets in (_line_breaks(array), _offsets(array, ord(delimiter))):
        piece = np.searchsorted(quotes, offsets)
        counted = value_of[piece[piece % 2 == 1] // 2]
        inside.append(np.bincount(counted, minlength=int(begins.sum())))
    breaks, delimiters = inside
    is_whole = (breaks > 0) & (delimiters >= breaks * (columns - 1))
    if len(opening) > len(closing):
        is_whole[-1] = False  # it does not end
    found = np.flatnonzero(is_whole)
    if not found.size:
        return None
    return Stray(int(opening[begins][found[0]]), "a quoted value that holds whole rows")


def _array(text: bytes) -> Bytes:
    return np.frombuffer(text, np.uint8)


def _offsets(array: Bytes, byte: int) -> Offsets:
    return np.flatnonzero(array == byte)


def _line_breaks(array: Bytes) -> Offsets:
    """Return the last bytes of all line breaks: LF, CR LF, CR."""
    if not (array == CR).any():
        return _offsets(array, LF)
    alone = array == CR
    alone[:-1] &= array[1:] != LF
    return np.flatnonzero((array == LF) | alone)


def _record_breaks(array: Bytes) -> Offsets:
    """Return the last bytes of the line breaks that end records."""
    breaks = _line_breaks(array)
    return breaks[~_inside(_offsets(array, QUOTE), breaks)]


def _inside(quotes: Offsets, at: Offsets) -> npt.NDArray[np.bool_]:
    """Tell whether offsets, none of them a quote's, stand inside a quoted value."""
    inside: npt.NDArray[np.bool_] = np.searchsorted(quotes, at) % 2 == 1
    return inside
