"""The columnar ledger against a slow one that is exact by construction: one row, one Fraction."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import get_args
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prover.ledger import (
    CsvSource,
    LedgerAsset,
    LedgerError,
    LongColumns,
    csv_source,
    parquet_source,
    ranks,
    read_ledger,
    spool,
)
from prover.ledger.amounts import TAIL_WORDS, parse_column, settle
from prover.ledger.errors import CellFault
from prover.ledger.identifiers import canonical_column
from prover.ledger.text import Text
from tests.unit.ledger_tables import Table, write_csv, write_parquet
from verifier.account import AccountError, IdType, canonical_account_id

LIMIT = 2**63
COLUMNS = LongColumns("id", "asset", "balance")

Row = tuple[bytes, bytes, bytes]
Fault = tuple[str, int | None, str | None]


class Refused(Exception):
    """The reference's verdict: a rule."""


def reference_balance(text: bytes) -> Fraction:
    """Return an acceptable balance; raise `Refused` with the rule it breaks."""
    word = text.decode(errors="replace")
    if word.lower().lstrip("+-") in ("nan", "snan", "inf", "infinity") and word[:2].count("-") < 2:
        raise Refused("non-finite" if not re.match("[+-][+-]", word) else "not-a-number")
    mantissa, mark, exponent = re.fullmatch("([^eE]*)([eE]?)(.*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    negative = mantissa.startswith("-")
    whole, point, fraction = mantissa.removeprefix("-").partition(".")
    number = exponent.removeprefix("-") if exponent.startswith("-") else exponent.removeprefix("+")
    groups = [whole, *([fraction] if point else []), *([number] if mark else [])]
    if not all(group and set(group) <= set("0123456789") for group in groups) or len(number) > 3:
        raise Refused("not-a-number")
    if negative:
        raise Refused("negative")
    decimals = len(fraction) - int(exponent or 0)
    if decimals > 30:
        raise Refused("not-exact")
    if len(whole + fraction) > 40 or decimals < -40:
        raise Refused("too-large")
    return Fraction(word)


def reference_id(text: bytes, id_type: IdType) -> str:
    try:
        return canonical_account_id(text.decode(), id_type)
    except UnicodeDecodeError:
        raise Refused("bad-unicode") from None
    except AccountError as error:
        known = {"empty": "empty-id", "too-long": "too-long-id"}
        raise Refused(known.get(error.rule, "bad-id")) from None


def reference(
    rows: Sequence[Row], decimals: dict[str, int], id_type: IdType, merge: bool
) -> dict[str, list[int]] | Fault:
    """Return the ledger, or the first fault: rule, row (0-based) and column."""
    sums: dict[str, dict[str, Fraction]] = {}
    spellings: dict[str, dict[bytes, int]] = {}
    floors = dict.fromkeys(decimals, 0)
    for number, (account, asset, balance) in enumerate(rows):
        column = "id"
        try:
            name = reference_id(account, id_type)
            column = "asset"
            code = asset.decode(errors="replace")
            if code not in decimals:
                raise Refused("unknown-asset")
            column = "balance"
            units = reference_balance(balance) * 10 ** decimals[code]
            floors[code] += math.floor(units)
            if floors[code] >= LIMIT:
                raise Refused("too-large")
        except Refused as refused:
            return str(refused), number, column
        held = sums.setdefault(name, dict.fromkeys(decimals, Fraction(0)))
        held[code] += units
        spellings.setdefault(name, {}).setdefault(account, number)
    doubled = [sorted(seen.values())[1] for seen in spellings.values() if len(seen) > 1]
    if doubled and not merge:
        return "duplicate-id", min(doubled), "id"
    ledger = {
        name: [math.ceil(held[code]) for code in sorted(decimals)] for name, held in sums.items()
    }
    if any(sum(column) >= LIMIT for column in zip(*ledger.values(), strict=True)):
        return "too-large", None, None
    return ledger


digits = st.text("0123456789", min_size=1, max_size=14)
plain = st.one_of(
    digits,
    st.builds("{}.{}".format, digits, st.text("0123456789", min_size=1, max_size=32)),
    st.builds("{}.{}".format, st.sampled_from(["0", "1", "00"]), st.text("09", min_size=1)),
)
exotic = st.one_of(
    st.builds("{}{}{}".format, plain, st.sampled_from("eE"), st.integers(-45, 45)),
    st.text("0123456789", min_size=15, max_size=45),
    st.sampled_from(["NaN", "-inf", "+Infinity", "", "-0", ".5", "5.", "1e+3", "1e1000", "\xb2"]),
    st.text("0123456789.eE+-, ", max_size=8),
)
balances = st.one_of(plain, plain, plain, exotic)

names: dict[IdType, st.SearchStrategy[str]] = {
    "email": st.sampled_from(["a@x", "A@x", " a@X", "b@x", "B@x", "h\u0331@x", "H\u0331@x"]),
    "phone": st.sampled_from(["+1234567", "+123 45-67", "+1234568", " +1234568"]),
    "opaque": st.sampled_from(["a", "a ", "A", "e\u0301", "\u00e9", "x" * 128, "+1", "a@x"]),
}
bad_names = st.sampled_from(["", " ", "\x00", "\u0378", "x" * 129, "a@@x", "a b@x", "+12a4567"])


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[Row], dict[str, int], IdType]:
    id_type = draw(st.sampled_from(get_args(IdType)))
    decimals = draw(
        st.dictionaries(
            st.sampled_from(["BTC", "ETH", "B", "BTC2"]), st.integers(0, 18), min_size=1
        )
    )
    faulty = draw(st.sampled_from([0, 0, 1]))
    codes = st.sampled_from(sorted(decimals))
    row = st.tuples(
        st.one_of(*[names[id_type]] * 20, *[bad_names, names["email"]] * faulty),
        st.one_of(*[codes] * 20, *[st.just("XYZ")] * faulty),
        balances if faulty else plain.filter(lambda text: len(text.partition(".")[2]) <= 30),
    )
    rows = draw(st.lists(row, max_size=40))
    return [(a.encode(), b.encode(), c.encode()) for a, b, c in rows], decimals, id_type


@settings(max_examples=250, deadline=None)
@given(
    ledgers(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 3, 7, 1000]),
)
def test_ledger(
    drawn: tuple[list[Row], dict[str, int], IdType], merge: bool, as_csv: bool, size: int
) -> None:
    rows, decimals, id_type = drawn
    expected = reference(rows, decimals, id_type, merge)
    table = Table(["id", "asset", "balance"], rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write = write_csv if as_csv else write_parquet
        source = write(folder, table, COLUMNS)
        with (
            patch.object(csv_source, "BLOCK_BYTES", size * 250),
            patch.object(parquet_source, "BATCH_ROWS", size),
            patch.object(ranks, "BUCKET", size),
            patch.object(spool, "_PIECE_ITEMS", size),
        ):
            found: dict[str, list[int]] | Fault
            try:
                ledger = read_ledger(
                    source,
                    [LedgerAsset(code, places) for code, places in decimals.items()],
                    id_type,
                    merge_duplicates=merge,
                    work_dir=folder,
                    progress=lambda rows: None,
                )
            except LedgerError as error:
                first = 2 if isinstance(source, CsvSource) else 1
                row = None if error.row is None else error.row - first
                found = (error.rule, row, error.column)
            else:
                found = {
                    ledger.account_id(i).decode(): [int(b[i]) for b in ledger.balances.values()]
                    for i in range(len(ledger))
                }
                assert list(found) == sorted(found, key=str.encode)
    assert found == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(balances, min_size=1, max_size=30), st.integers(0, 18))
@example(["9223372036854775807", "0.9", "00.1"], 0)
@example(["9223372036854775808"], 0)
@example(["9.223372036854775808"], 18)
@example(["9999999999.999999999"], 9)
def test_column_of_balances(texts: list[str], decimals: int) -> None:
    cells = [text.encode() for text in texts]
    expected: list[Fraction] | tuple[str, int] = []
    for index, cell in enumerate(cells):
        try:
            units = reference_balance(cell) * 10**decimals
            if units >= LIMIT:
                raise Refused("too-large")
        except Refused as refused:
            expected = (str(refused), index)
            break
        assert isinstance(expected, list)
        expected.append(units)
    padded = pa.array([b"77.77", *cells, b"99"], pa.binary()).slice(1, len(cells))
    if isinstance(expected, tuple):
        with pytest.raises(CellFault) as caught:
            parse_column(Text.of(padded), decimals, "balance")
        assert (caught.value.rule, caught.value.index) == expected
        return
    amounts = parse_column(Text.of(padded), decimals, "balance")
    tails = np.zeros((TAIL_WORDS, len(cells)), np.uint64)
    tails[:, amounts.tail_rows] = amounts.tail_words.T
    found = [
        int(units) + sum(Fraction(int(word), 10 ** (10 + 10 * i)) for i, word in enumerate(tail))
        for units, tail in zip(amounts.units, tails.T, strict=True)
    ]
    assert found == expected
    rounded = amounts.units.copy()
    settle(rounded, tails)
    assert rounded.tolist() == [math.ceil(units) for units in found]


texts = st.one_of(
    st.text(st.sampled_from("aZ@ +-019\t\n\x7f\u00e9e\u0301hH\u0331\u0378"), max_size=12),
    st.text(max_size=6),
    st.sampled_from(["x" * 128, "x" * 129, "+" + "1" * 15, "+" + "1" * 16, "+123456"]),
).map(str.encode)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(texts, st.binary(max_size=6)), max_size=12),
    st.sampled_from(get_args(IdType)),
)
def test_column_of_ids(cells: list[bytes], id_type: IdType) -> None:
    expected: list[bytes] | tuple[str, int] = []
    for index, cell in enumerate(cells):
        try:
            name = reference_id(cell, id_type).encode()
        except Refused as refused:
            expected = (str(refused), index)
            break
        assert isinstance(expected, list)
        expected.append(name)
    padded = pa.array([b"A@", *cells, b"Z"], pa.binary()).slice(1, len(cells))
    if isinstance(expected, tuple):
        with pytest.raises(CellFault) as caught:
            canonical_column(padded, id_type, "id")
        assert (caught.value.rule, caught.value.index) == expected
        return
    canonical = canonical_column(padded, id_type, "id")
    assert canonical.ids.to_pylist() == expected
    assert canonical.changed.tolist() == [a != b for a, b in zip(cells, expected, strict=True)]
