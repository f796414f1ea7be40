"""Decimal text to exact ledger units, a column at a time.

A balance is written ``[+]digits[.digits][e[+-]digits]``, where one side of the point may be empty:
at most 40 digits before the exponent, at most 30 decimals after it is applied. Minus zero is zero.
Where a source counts in units of its own, it is digits alone. A balance becomes a whole number of
ledger units, rounded down, and a tail: the 30 decimal digits of a ledger unit that follow, as three
words of ten digits. So rows add up exactly, and rounding waits until an account is complete.

A column of binary decimals that are all whole ledger units is read as the numbers it is. Otherwise
rows in plain notation are read in numpy, one decimal place of all rows at a time; the others, and
those that are refused, one by one through `parse`, which decides alone what a balance is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prover.errors import Code
from prover.ledger.errors import Kind, Marks
from prover.ledger.text import Text

LIMIT: Final = 1 << 63
"""Every balance and every total stays below this many ledger units."""

MAX_DIGITS: Final = 40
MAX_SCALE: Final = 30
TAIL_WORDS: Final = 3
WORD_DIGITS: Final = 10
WORD: Final = 10**WORD_DIGITS

MAX_TERMS: Final = 1 << 30
"""So many tail words may be added up before they are carried: each is below 10^10 < 2^33.3, so that
neither their sum nor what is carried into it reaches 2^64."""

# Units of at most 19 digits do not overflow 64 bits.
_FAST_DIGITS: Final = 19

_NUMBER: Final = re.compile(rb"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")
_MINUS_ZERO: Final = re.compile(rb"-(?:0+\.?0*|\.0+)(?:[eE].*)?", re.DOTALL)
_NON_FINITE: Final = re.compile(rb"[+-]?(?:s?nan|inf(?:inity)?)", re.IGNORECASE)

U64 = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


class BalanceError(ValueError):
    """A text that is not an acceptable balance; ``rule`` says why, never what it was."""

    def __init__(self, rule: Code, detail: str = "", remedy: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail
        self.remedy = remedy


@dataclass(frozen=True)
class Notation:
    """How a column writes balances: one is 10^power ledger units.

    Of whole coins ``power`` is the ledger's decimals, 0 to 18. ``in_units``: digits alone, and
    ``power`` is the ledger's decimals minus the source's, -30 to 18. ``empty_is_zero``: an empty
    cell is a balance of zero.
    """

    power: int
    in_units: bool = False
    empty_is_zero: bool = False


@dataclass(frozen=True)
class Amounts:
    """Balances of n rows: ``units`` (n), and for those with a tail, their row and tail words."""

    units: U64
    tail_rows: Indices
    tail_words: U64


def parse(text: bytes, notation: Notation) -> tuple[int, int]:
    """Return one balance as (whole ledger units, tail in units of 10^-30 ledger units).

    Raises:
        BalanceError: not a balance, or beyond the bounds.
    """
    if not text and notation.empty_is_zero:
        return 0, 0
    unsigned = text[1:] if text[:1] == b"+" or _MINUS_ZERO.fullmatch(text) else text
    match = _NUMBER.fullmatch(unsigned)
    if match is None:
        raise _refusal(text)
    whole, fraction, exponent = match[1], match[2] or b"", int(match[3] or 0)
    if notation.in_units and not unsigned.isdigit():
        raise BalanceError(Code.NOT_WHOLE)
    scale = len(fraction) - exponent
    if scale > MAX_SCALE:
        raise BalanceError(
            Code.NOT_EXACT, f"more than {MAX_SCALE} decimals", "round up in the export"
        )
    if len(whole) + len(fraction) > MAX_DIGITS or scale < -MAX_DIGITS:
        raise BalanceError(
            Code.TOO_LARGE, f"more than {MAX_DIGITS} digits", "write a number without padding"
        )
    shifted = int(whole + fraction) * 10 ** (MAX_SCALE + notation.power - scale)
    units, tail = divmod(shifted, 10**MAX_SCALE)
    if units >= LIMIT:
        raise BalanceError(Code.TOO_LARGE)
    return units, tail


def _refusal(text: bytes) -> BalanceError:
    if _NON_FINITE.fullmatch(text):
        return BalanceError(Code.NON_FINITE)
    if text.startswith(b"-") and _NUMBER.fullmatch(text, 1):
        return BalanceError(Code.NEGATIVE)
    rule = Code.NOT_A_NUMBER
    if not text:
        return BalanceError(rule, "empty", "write 0, or set ledger.empty_is_zero = true")
    if text != text.strip():
        return BalanceError(rule, "a space or line break beside the number", "export it without")
    if b"," in text:
        return BalanceError(rule, "a comma", "write a point, and group no digits")
    return BalanceError(rule)


def parse_cells(cells: Any, notation: Notation, column: str, marks: Marks) -> Amounts:
    """Read the balances of all rows: a ``pyarrow.BinaryArray`` or ``Decimal128Array``, no nulls.

    Rows that are refused are noted in ``marks``, and count nothing.
    """
    if pa.types.is_decimal(cells.type):
        units = _whole_units(cells, notation.power)
        if units is not None:
            return Amounts(units, np.empty(0, np.int64), np.empty((0, TAIL_WORDS), np.uint64))
        cells = cells.cast(pa.string()).cast(pa.binary())
    return parse_column(Text.of(cells), notation, column, marks)


def parse_column(text: Text, notation: Notation, column: str, marks: Marks) -> Amounts:
    """Read the balances of all rows of ``text``, as `parse_cells` does."""
    units, words, exact = _parse_plain(text, notation)
    for row in np.flatnonzero(~exact | (units >= np.uint64(LIMIT))):
        try:
            whole, tail = parse(text.row(row), notation)
        except BalanceError as error:
            kind = Kind(error.rule, column, error.detail, error.remedy)
            marks.setdefault(kind, []).append(int(row))
            whole = tail = 0
        units[row] = whole
        high, low = divmod(tail, WORD)
        words[row] = (*divmod(high, WORD), low)
    tail_rows = np.flatnonzero(words.any(axis=1))
    return Amounts(units, tail_rows, words[tail_rows])


def _whole_units(cells: Any, power: int) -> U64 | None:
    """Return a column of decimals in ledger units; None unless all are whole, and below 2^63.

    A decimal is two words, the low one first; any with a high word is left to `parse`.
    """
    words = np.frombuffer(cells.buffers()[1] or b"", np.uint64).reshape(-1, 2)
    low, high = words[cells.offset : cells.offset + len(cells)].T
    shift = power - cells.type.scale
    if abs(shift) >= _FAST_DIGITS or high.any():
        return None
    factor = np.uint64(10 ** abs(shift))
    if shift < 0:
        units, rest = np.divmod(low, factor)
        return None if rest.any() or units.max(initial=0) >= LIMIT else units
    return None if low.max(initial=0) > np.uint64(LIMIT - 1) // factor else low * factor


def _parse_plain(text: Text, notation: Notation) -> tuple[U64, U64, npt.NDArray[np.bool_]]:
    """Read rows in plain notation that fit; the last array tells which they are."""
    point = text.find(ord("."))
    whole = point - text.starts
    places = text.ends - point - 1
    np.maximum(places, 0, out=places)
    exact = (whole + places >= 1) & (whole + notation.power <= _FAST_DIGITS)
    exact &= (whole + places <= MAX_DIGITS) & (places <= MAX_SCALE)
    if notation.in_units:
        exact &= point == text.ends
    if notation.empty_is_zero:
        exact |= text.starts == text.ends
    whole[~exact] = 0
    places[~exact] = 0
    units = np.zeros(len(text), dtype=np.uint64)
    words = np.zeros((len(text), TAIL_WORDS), dtype=np.uint64)

    def add(at: Indices, present: npt.NDArray[np.bool_], power: int) -> None:
        """Add the digits at these offsets, each 10^power ledger units, of the rows that have one.

        The tail begins at power -1. It ends at -30, for no balance has more decimals, and none
        that is whole a lower power than its notation's.
        """
        digit = text.data.take(at, mode="clip") - np.uint8(ord("0"))
        digit[~present] = 0
        np.logical_and(exact, digit <= 9, out=exact)
        if power >= 0:
            np.add(units, digit.astype(np.uint64) * np.uint64(10**power), out=units)
        else:
            word, position = divmod(-power - 1, WORD_DIGITS)
            words[:, word] += digit.astype(np.uint64) * np.uint64(
                10 ** (WORD_DIGITS - 1 - position)
            )

    for place in range(int(whole.max(initial=0))):
        add(point - 1 - place, whole > place, notation.power + place)
    for place in range(1, int(places.max(initial=0)) + 1):
        add(point + place, places >= place, notation.power - place)
    return units, words, exact


def net(balances: Amounts, debts: Amounts) -> Amounts:
    """Return balance minus debt of each row, exactly, and 0 where the debt is greater."""
    rows = np.union1d(balances.tail_rows, debts.tail_rows)
    words = np.zeros((len(rows), TAIL_WORDS), dtype=np.int64)
    words[np.searchsorted(rows, balances.tail_rows)] += balances.tail_words.astype(np.int64)
    words[np.searchsorted(rows, debts.tail_rows)] -= debts.tail_words.astype(np.int64)
    borrow = np.zeros(len(rows), dtype=np.int64)
    for word in reversed(range(TAIL_WORDS)):
        borrow, words[:, word] = np.divmod(words[:, word] + borrow, WORD)
    # Both are below 2^63, so their difference is a signed word.
    units = balances.units.astype(np.int64) - debts.units.astype(np.int64)
    units[rows] += borrow
    words[units[rows] < 0] = 0
    kept = words.any(axis=1)
    whole = np.maximum(units, 0).astype(np.uint64)
    return Amounts(whole, rows[kept], words[kept].astype(np.uint64))


def carry(balances: U64, tails: U64) -> None:
    """Move what is whole in the sums of each account's tail words (3, n) to its balance (n), in
    place. The sums are of `MAX_TERMS` words or fewer, and become one word each.
    """
    more = np.zeros_like(balances)
    for word in reversed(tails):
        word += more
        np.divmod(word, np.uint64(WORD), out=(more, word))
    balances += more


def settle(balances: U64, tails: U64) -> None:
    """Carry the sums of each account's tail words (3, n) into its balance (n), and round it up."""
    carry(balances, tails)
    balances += tails.any(axis=0)


def total(units: U64) -> int:
    """Return the sum of fewer than 2^32 numbers, which need not fit into 64 bits."""
    low = np.uint64((1 << 32) - 1)
    return (int((units >> np.uint64(32)).sum()) << 32) + int((units & low).sum())
