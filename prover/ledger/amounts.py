"""Decimal text to exact ledger units, a column at a time.

A balance is written ``digits[.digits][e[+-]digits]``: at most 40 digits before the exponent, at
most 30 decimals after it is applied. It becomes a whole number of ledger units, rounded down,
and a tail: the 30 decimal digits of a ledger unit that follow, as three words of ten digits. So
rows add up exactly, and rounding waits until an account is complete.

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

from prover.ledger.errors import CellFault
from prover.ledger.text import Text

LIMIT: Final = 1 << 63
"""Every balance and every total stays below this many ledger units."""

MAX_DIGITS: Final = 40
MAX_SCALE: Final = 30
TAIL_WORDS: Final = 3
WORD_DIGITS: Final = 10
WORD: Final = 10**WORD_DIGITS

# Units of at most 19 digits do not overflow 64 bits.
_FAST_DIGITS: Final = 19

_NUMBER: Final = re.compile(rb"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?")
_NON_FINITE: Final = re.compile(rb"[+-]?(?:s?nan|inf(?:inity)?)", re.IGNORECASE)

U64 = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


class BalanceError(ValueError):
    """A text that is not an acceptable balance; ``rule`` says why, never what it was."""

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail


@dataclass(frozen=True)
class Amounts:
    """Balances of n rows: ``units`` (n), and for those with a tail, their row and tail words."""

    units: U64
    tail_rows: Indices
    tail_words: U64


def parse(text: bytes, decimals: int) -> tuple[int, int]:
    """Return one balance as (whole ledger units, tail in units of 10^-30 ledger units).

    Raises:
        BalanceError: not a balance, or beyond the bounds.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise _refusal(text)
    whole, fraction, exponent = match[1], match[2] or b"", int(match[3] or 0)
    scale = len(fraction) - exponent
    if scale > MAX_SCALE:
        raise BalanceError("not-exact", f"more than {MAX_SCALE} decimals")
    if len(whole) + len(fraction) > MAX_DIGITS or scale < -MAX_DIGITS:
        raise BalanceError("too-large", f"more than {MAX_DIGITS} digits")
    shifted = int(whole + fraction) * 10 ** (MAX_SCALE + decimals - scale)
    units, tail = divmod(shifted, 10**MAX_SCALE)
    if units >= LIMIT:
        raise BalanceError("too-large", "2^63 ledger units or more")
    return units, tail


def _refusal(text: bytes) -> BalanceError:
    if _NON_FINITE.fullmatch(text):
        return BalanceError("non-finite")
    if text.startswith(b"-") and _NUMBER.fullmatch(text, 1):
        return BalanceError("negative")
    return BalanceError("not-a-number", "empty" if not text else "")


def parse_cells(cells: Any, decimals: int, column: str) -> Amounts:
    """Read the balances of all rows: a ``pyarrow.BinaryArray`` or ``Decimal128Array``, no nulls.

    Raises:
        CellFault: the first row that is refused, and its rule.
    """
    if pa.types.is_decimal(cells.type):
        units = _whole_units(cells, decimals)
        if units is not None:
            return Amounts(units, np.empty(0, np.int64), np.empty((0, TAIL_WORDS), np.uint64))
        cells = cells.cast(pa.string()).cast(pa.binary())
    return parse_column(Text.of(cells), decimals, column)


def parse_column(text: Text, decimals: int, column: str) -> Amounts:
    """Read the balances of all rows of ``text``.

    Raises:
        CellFault: the first row that is refused, and its rule.
    """
    units, words, exact = _parse_plain(text, decimals)
    for row in np.flatnonzero(~exact | (units >= np.uint64(LIMIT))):
        try:
            whole, tail = parse(text.row(row), decimals)
        except BalanceError as error:
            raise CellFault(int(row), column, error.rule, error.detail) from None
        units[row] = whole
        high, low = divmod(tail, WORD)
        words[row] = (*divmod(high, WORD), low)
    tail_rows = np.flatnonzero(words.any(axis=1))
    return Amounts(units, tail_rows, words[tail_rows])


def _whole_units(cells: Any, decimals: int) -> U64 | None:
    """Return a column of decimals in ledger units; None unless all are whole, and below 2^63.

    A decimal is two words, the low one first; any with a high word is left to `parse`.
    """
    words = np.frombuffer(cells.buffers()[1] or b"", np.uint64).reshape(-1, 2)
    low, high = words[cells.offset : cells.offset + len(cells)].T
    shift = decimals - cells.type.scale
    if abs(shift) >= _FAST_DIGITS or high.any():
        return None
    factor = np.uint64(10 ** abs(shift))
    if shift < 0:
        units, rest = np.divmod(low, factor)
        return None if rest.any() or units.max(initial=0) >= LIMIT else units
    return None if low.max(initial=0) > np.uint64(LIMIT - 1) // factor else low * factor


def _parse_plain(text: Text, decimals: int) -> tuple[U64, U64, npt.NDArray[np.bool_]]:
    """Read rows in plain notation that fit; the last array tells which they are."""
    point = text.find(ord("."))
    whole = point - text.starts
    places = text.ends - point - 1
    np.maximum(places, 0, out=places)
    exact = (whole >= 1) & (whole + decimals <= _FAST_DIGITS) & (whole + places <= MAX_DIGITS)
    exact &= (places <= MAX_SCALE) & ((places >= 1) | (point == text.ends))
    whole[~exact] = 0
    places[~exact] = 0
    units = np.zeros(len(text), dtype=np.uint64)
    words = np.zeros((len(text), TAIL_WORDS), dtype=np.uint64)

    def digits(at: Indices, present: npt.NDArray[np.bool_]) -> U64:
        digit = text.data.take(at, mode="clip") - np.uint8(ord("0"))
        digit[~present] = 0
        np.logical_and(exact, digit <= 9, out=exact)
        return digit.astype(np.uint64)

    for place in range(int(whole.max(initial=0))):
        units += digits(point - 1 - place, whole > place) * np.uint64(10 ** (decimals + place))
    for place in range(1, int(places.max(initial=0)) + 1):
        digit = digits(point + place, places >= place)
        if place <= decimals:
            units += digit * np.uint64(10 ** (decimals - place))
        else:
            word, position = divmod(place - decimals - 1, WORD_DIGITS)
            words[:, word] += digit * np.uint64(10 ** (WORD_DIGITS - 1 - position))
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


def settle(balances: U64, tails: U64) -> None:
    """Add the sums of each account's tail words (3, n) to its balance (n), in place, and round up.

    A word is below 10^10 < 2^33.3: with at most 2^30 rows no sum, nor its carry, reaches 2^64.
    """
    carry = np.zeros_like(balances)
    rest = np.zeros(len(balances), dtype=np.bool_)
    for word in reversed(tails):
        carry, digits = np.divmod(word + carry, np.uint64(WORD))
        rest |= digits != 0
    balances += carry + rest


def total(units: U64) -> int:
    """Return the sum of fewer than 2^32 numbers, which need not fit into 64 bits."""
    low = np.uint64((1 << 32) - 1)
    return (int((units >> np.uint64(32)).sum()) << 32) + int((units & low).sum())
