"""The columnar ledger against a slow one that is exact by construction: one row, one Fraction."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prover.ledger import csv_source, gather, parquet_source, ranks, spool
from prover.ledger.amounts import TAIL_WORDS, Notation, parse_column, settle
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import Faults, LedgerError, Marks
from prover.ledger.gather import read_ledger
from prover.ledger.identifiers import canonical_column
from prover.ledger.readers import Layout
from prover.ledger.source import CsvSource, LongColumns, ParquetSource
from prover.ledger.text import Text
from tests.support.ledger_tables import Table, write_csv, write_parquet, write_parts
from verifier.format.account import AccountError, IdType, canonical_account_id

LIMIT = 2**63
COLUMNS = LongColumns("id", "asset", "balance")

Row = tuple[bytes, bytes, bytes]
Fault = tuple[str, str | None, int | None, int]
"""Rule, column, first row (0-based), and how many rows."""


class Refused(Exception):
    """The reference's verdict: a rule."""


@dataclass(frozen=True)
class Settings:
    """How a ledger is read: decimals of each asset in the ledger, and in the source if in units."""

    decimals: dict[str, int]
    id_type: IdType
    merge: bool = False
    source_decimals: dict[str, int] | None = None
    empty_is_zero: bool = False
    ignore: tuple[str, ...] = ()

    def columns(self) -> LongColumns:
        """The settings of the reader under test."""
        return LongColumns(
            "id",
            "asset",
            "balance",
            in_units=self.source_decimals is not None,
            source_decimals=self.source_decimals or {},
            empty_is_zero=self.empty_is_zero,
            ignore=self.ignore,
        )

    def power(self, code: str) -> int:
        """A balance of 1 is so great a power of ten in ledger units."""
        given = self.decimals[code]
        return given if self.source_decimals is None else given - self.source_decimals[code]


def reference_balance(
    text: bytes, *, in_units: bool = False, empty_is_zero: bool = False
) -> Fraction:
    """Return an acceptable balance; raise `Refused` with the rule it breaks."""
    word = text.decode(errors="replace")
    if not word and empty_is_zero:
        return Fraction(0)
    if word.lower().lstrip("+-") in ("nan", "snan", "inf", "infinity") and word[:2].count("-") < 2:
        raise Refused("non-finite" if not re.match("[+-][+-]", word) else "not-a-number")
    sign = word[:1] if word[:1] in ("+", "-") else ""
    mantissa, mark, exponent = re.fullmatch(
        "([^eE]*)([eE]?)(.*)", word[len(sign) :], re.DOTALL
    ).groups()  # type: ignore[union-attr]
    whole, _, fraction = mantissa.partition(".")
    number = exponent.removeprefix("-") if exponent.startswith("-") else exponent.removeprefix("+")
    groups = [whole + fraction, *([number] if mark else [])]
    if not all(group and set(group) <= set("0123456789") for group in groups) or len(number) > 3:
        raise Refused("not-a-number")
    if sign == "-" and set(whole + fraction) != {"0"}:
        raise Refused("negative")
    if in_units and (mark or "." in mantissa):
        raise Refused("not-whole")
    decimals = len(fraction) - int(exponent or 0)
    if decimals > 30:
        raise Refused("not-exact")
    if len(whole + fraction) > 40 or decimals < -40:
        raise Refused("too-large")
    return Fraction(int(whole + fraction)) / Fraction(10) ** decimals


def reference_id(text: bytes, id_type: IdType) -> str:
    try:
        return canonical_account_id(text.decode(), id_type)
    except UnicodeDecodeError:
        raise Refused("bad-unicode") from None
    except AccountError as error:
        known = {"empty": "empty-id", "too-long": "too-long-id"}
        raise Refused(known.get(error.rule, "bad-id")) from None


def faults_of(row: Row, settings: Settings) -> Iterator[tuple[str, str]]:
    """Rule and column of all that is wrong with a row by itself."""
    account, asset, _ = row
    try:
        reference_id(account, settings.id_type)
    except Refused as refused:
        yield str(refused), "id"
    code = asset.decode(errors="replace")
    if code not in settings.decimals:
        yield "unknown-asset", "asset"
        return
    try:
        if units_of(row, settings) >= LIMIT:
            raise Refused("too-large")
    except Refused as refused:
        yield str(refused), "balance"


def units_of(row: Row, settings: Settings) -> Fraction:
    in_units = settings.source_decimals is not None
    amount = reference_balance(row[2], in_units=in_units, empty_is_zero=settings.empty_is_zero)
    return amount * Fraction(10) ** settings.power(row[1].decode())


def reference(rows: Sequence[Row], settings: Settings) -> dict[str, list[int]] | list[Fault]:
    """Return the ledger, or its faults: the first row's first, each rule and column once."""
    sums: dict[str, dict[str, Fraction]] = {}
    spellings: dict[str, dict[bytes, int]] = {}
    floors = dict.fromkeys(settings.decimals, 0)
    found: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        code = row[1].decode(errors="replace")
        if code in settings.ignore:
            continue
        wrong = list(faults_of(row, settings))
        for kind in wrong:
            found.setdefault(kind, []).append(number)
        if found:
            continue
        units = units_of(row, settings)
        floors[code] += math.floor(units)
        if floors[code] >= LIMIT:
            return [("too-large", "balance", number, 1)]
        name = reference_id(row[0], settings.id_type)
        held = sums.setdefault(name, dict.fromkeys(settings.decimals, Fraction(0)))
        held[code] += units
        spellings.setdefault(name, {}).setdefault(row[0], number)
    if found:
        return [(*kind, numbers[0], len(numbers)) for kind, numbers in found.items()]
    doubled = [sorted(seen.values())[1] for seen in spellings.values() if len(seen) > 1]
    if doubled and not settings.merge:
        return [("duplicate-id", "id", min(doubled), 1)]
    ledger = {
        name: [math.ceil(held[code]) for code in sorted(settings.decimals)]
        for name, held in sums.items()
    }
    if any(sum(column) >= LIMIT for column in zip(*ledger.values(), strict=True)):
        return [("too-large", None, None, 0)]
    return ledger


digits = st.text("0123456789", min_size=1, max_size=14)
plain = st.one_of(
    digits,
    st.builds("{}.{}".format, digits, st.text("0123456789", min_size=1, max_size=32)),
    st.builds("{}.{}".format, st.sampled_from(["0", "1", "00"]), st.text("09", min_size=1)),
)
wholes = st.one_of(digits, digits, st.text("0123456789", min_size=15, max_size=40))
exotic = st.one_of(
    st.builds("{}{}{}".format, plain, st.sampled_from("eE"), st.integers(-45, 45)),
    st.text("0123456789", min_size=15, max_size=45),
    st.sampled_from(
        [
            "NaN",
            "-inf",
            "+Infinity",
            "",
            "-0",
            "-0.0",
            ".5",
            "5.",
            "+1",
            "-.5",
            "1e+3",
            "1e1000",
            "\xb2",
        ]
    ),
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
def ledgers(draw: st.DrawFn) -> tuple[list[Row], Settings]:
    id_type = draw(st.sampled_from(get_args(IdType)))
    decimals = draw(
        st.dictionaries(
            st.sampled_from(["BTC", "ETH", "B", "BTC2"]), st.integers(0, 18), min_size=1
        )
    )
    faulty = draw(st.sampled_from([0, 0, 1]))
    in_units = draw(st.booleans())
    settings = Settings(
        decimals,
        id_type,
        merge=draw(st.booleans()),
        source_decimals={code: draw(st.integers(0, 30)) for code in decimals} if in_units else None,
        empty_is_zero=draw(st.booleans()),
        ignore=draw(st.sampled_from([(), ("XYZ",), ("XYZ", "ABC")])),
    )
    sound = wholes if in_units else plain.filter(lambda text: len(text.partition(".")[2]) <= 30)
    sound = st.one_of(sound, st.just("")) if settings.empty_is_zero else sound
    row = st.tuples(
        st.one_of(*[names[id_type]] * 20, *[bad_names, names["email"]] * faulty),
        st.one_of(
            *[st.sampled_from(sorted(decimals))] * 20,
            *[st.sampled_from(["XYZ", "ABC"])] * faulty,
            *map(st.just, settings.ignore),
        ),
        balances if faulty else sound,
    )
    rows = draw(st.lists(row, max_size=40))
    return [(a.encode(), b.encode(), c.encode()) for a, b, c in rows], settings


@settings(max_examples=300, deadline=None)
@given(
    ledgers(),
    st.booleans(),
    st.sampled_from([1, 2, 3, 7, 1000]),
    st.one_of(st.none(), st.lists(st.integers(0, 40), max_size=4).map(sorted)),
)
def test_ledger(
    drawn: tuple[list[Row], Settings], as_csv: bool, size: int, cuts: list[int] | None
) -> None:
    rows, given_settings = drawn
    bounds = [min(cut, len(rows)) for cut in cuts or ()]
    expected = reference(rows, given_settings)
    table = Table(["id", "asset", "balance"], rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source: CsvSource | ParquetSource
        if cuts is None:
            write = write_csv if as_csv else write_parquet
            source = write(folder, table, given_settings.columns())
        else:
            source = write_parts(folder, table, given_settings.columns(), bounds, as_csv=as_csv)
        with (
            patch.object(csv_source, "BLOCK_BYTES", size * 250),
            patch.object(parquet_source, "BATCH_ROWS", size),
            patch.object(ranks, "BUCKET", size),
            patch.object(spool, "_PIECE_ITEMS", size),
            patch.object(gather, "MAX_TERMS", size + 1),
        ):
            found: dict[str, list[int]] | list[Fault]
            try:
                ledger = read_ledger(
                    source,
                    [LedgerAsset(code, places) for code, places in given_settings.decimals.items()],
                    given_settings.id_type,
                    merge_duplicates=given_settings.merge,
                    work_dir=folder,
                    progress=lambda rows: None,
                    jobs=2,
                )
            except LedgerError as error:
                found = by_rule(error, 2 if as_csv else 1, [0, *bounds])
            else:
                found = {
                    ledger.account_id(i).decode(): [b.of(i) for b in ledger.balances.values()]
                    for i in range(len(ledger))
                }
                assert list(found) == sorted(found, key=str.encode)
                assert ledger.tally.rows == len(rows)
    assert found == expected


def by_rule(error: LedgerError, first: int, bounds: Sequence[int]) -> list[Fault]:
    """Return the faults of an error, those of one rule and column in one.

    The first row of the part at an index is row ``first``, and row ``bounds[index]`` of all.
    """
    found: dict[tuple[str, str | None], list[int | None]] = {}
    for fault in error.faults:
        row = None
        if fault.rows:
            part = re.search(r"part-(\d+)", fault.files[0])
            row = fault.rows[0] - first + bounds[int(part[1]) if part else 0]
            assert len(fault.files) == len(fault.rows)
        assert len(fault.rows) == min(fault.count, 10)
        kind = found.setdefault((str(fault.kind.rule), fault.kind.column), [row, 0])
        kind[1] = (kind[1] or 0) + fault.count
    return [(*kind, row, count or 0) for kind, (row, count) in found.items()]


@settings(max_examples=300, deadline=None)
@given(st.lists(balances, min_size=1, max_size=30), st.integers(0, 18))
@example(["9223372036854775807", "0.9", "00.1"], 0)
@example(["9223372036854775808"], 0)
@example(["9.223372036854775808"], 18)
@example(["9999999999.999999999"], 9)
@example([".5", "5.", "+.5", "-.0", "-0e9", "."], 8)
def test_column_of_balances(texts: list[str], decimals: int) -> None:
    check_column(texts, Notation(decimals))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(wholes, balances), min_size=1, max_size=30),
    st.integers(0, 18),
    st.integers(0, 30),
    st.booleans(),
)
@example(["1", "999999999999999999999999999999", "1" * 40, ""], 0, 30, True)
@example(["9223372036854775808", "-0", "+7", "1.0"], 18, 18, False)
def test_column_of_units(
    texts: list[str], decimals: int, source_decimals: int, empty_is_zero: bool
) -> None:
    check_column(texts, Notation(decimals - source_decimals, True, empty_is_zero))


def check_column(texts: list[str], notation: Notation) -> None:
    """Compare a column with the reference, row by row."""
    cells = [text.encode() for text in texts]
    expected: list[Fraction | str] = []
    for cell in cells:
        try:
            amount = reference_balance(
                cell, in_units=notation.in_units, empty_is_zero=notation.empty_is_zero
            )
            units = amount * Fraction(10) ** notation.power
            expected.append(units if units < LIMIT else "too-large")
        except Refused as refused:
            expected.append(str(refused))
    padded = pa.array([b"77.77", *cells, b"99"], pa.binary()).slice(1, len(cells))
    marks: Marks = {}
    amounts = parse_column(Text.of(padded), notation, "balance", marks)
    tails = np.zeros((TAIL_WORDS, len(cells)), np.uint64)
    tails[:, amounts.tail_rows] = amounts.tail_words.T
    read = [
        int(units) + sum(Fraction(int(word), 10 ** (10 + 10 * i)) for i, word in enumerate(tail))
        for units, tail in zip(amounts.units, tails.T, strict=True)
    ]
    refused_rows = {row: str(kind.rule) for kind, rows in marks.items() for row in rows}
    assert [refused_rows.get(row, units) for row, units in enumerate(read)] == expected
    assert not any(read[row] for row in refused_rows)
    rounded = amounts.units.copy()
    settle(rounded, tails)
    assert rounded.tolist() == [math.ceil(units) for units in read]


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
    expected: list[bytes | str] = []
    for cell in cells:
        try:
            expected.append(reference_id(cell, id_type).encode())
        except Refused as refused:
            expected.append(str(refused))
    padded = pa.array([b"A@", *cells, b"Z"], pa.binary()).slice(1, len(cells))
    marks: Marks = {}
    canonical = canonical_column(padded, id_type, "id", marks)
    wrong = {row: str(kind.rule) for kind, rows in marks.items() for row in rows}
    ids = canonical.ids.to_pylist()
    assert [wrong.get(row, found) for row, found in enumerate(ids)] == expected
    changed = [a != b for a, b in zip(cells, ids, strict=True)]
    assert canonical.changed.tolist() == changed


@dataclass
class Shape:
    """What a slow reader finds in CSV text behind its header: whole rows, and what is wrong."""

    rows: dict[int, list[bytes]]
    narrow: list[int]
    blank: list[int]
    fatal: tuple[str, int] | None = None
    longest: int = 0


def reference_csv(text: bytes, columns: int) -> Shape:
    """Read text byte by byte, as strictly as RFC 4180 has it; the first row is number 2."""
    shape, at, number = Shape({}, [], []), 0, 2
    while at < len(text):
        begin, cells, rule = at, [], ""
        while True:
            cell, at, rule = reference_value(text, at, columns)
            cells.append(cell)
            if rule or text[at : at + 1] != b",":
                break
            at += 1
        if rule or (at == len(text) and text[-1:] != b'"'):
            shape.fatal = (rule or "truncated", number)
            shape.longest = max(shape.longest, len(text) - begin)
            return shape
        if at == begin:
            shape.blank.append(number)
        elif len(cells) != columns:
            shape.narrow.append(number)
        else:
            shape.rows[number] = cells
        at += 2 if text[at : at + 2] == b"\r\n" else 1
        shape.longest = max(shape.longest, at - begin)
        number += 1
    return shape


def reference_value(text: bytes, at: int, columns: int) -> tuple[bytes, int, str]:
    """Return the value at an offset, the offset behind it, and the rule that it breaks."""
    if text[at : at + 1] != b'"':
        end = at
        while end < len(text) and text[end : end + 1] not in (b",", b"\n", b"\r"):
            if text[end : end + 1] == b'"':
                return b"", end, "bad-quote"
            end += 1
        return text[at:end], end, ""
    value, end = b"", at + 1
    while text[end : end + 2] == b'""' or text[end : end + 1] != b'"':
        if end >= len(text):
            return b"", end, "truncated"
        value += text[end : end + 1]
        end += 2 if text[end : end + 2] == b'""' else 1
    if text[end + 1 : end + 2] not in (b"", b",", b"\n", b"\r"):
        return b"", end, "bad-quote"
    breaks = len(re.findall(rb"\r\n|\r|\n", value))
    if breaks and value.count(b",") >= breaks * (columns - 1):
        return b"", end, "bad-quote"
    return value, end + 1, ""


PIECES = ('"', '""', "x", ",", "\n", "\r\n", "x,x,x\n", '"x",x,"x"\n', '"x\nx"')


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(st.sampled_from('x",\n\r'), max_size=40),
        st.lists(
            st.sampled_from(
                ['"', '""', "x", ",", "\n", "\r\n", "x,x,x\n", '"x",x,"x"\n', '"x\nx"']
            ),
            max_size=30,
        ).map("".join),
    ).map(str.encode),
    st.integers(1, 30),
)
@example(b'x,"x,x\nx,x",x\n', 1)
@example(b'x,"x\n""x",x\n', 1)
@example(b'"x",x,"x"', 1)
@example(b'"x",x,x', 1)
def test_shape_of_csv(text: bytes, longer: int) -> None:
    expected = reference_csv(text, 3)
    layout = Layout.of("f", COLUMNS, [LedgerAsset("BTC", 8)])
    # No row may be longer than a block.
    block_bytes = max(expected.longest + longer, len("id,asset,balance\n"))
    rows: dict[int, list[bytes]] = {}
    faults = Faults()
    fatal = None
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "f"
        path.write_bytes(b"id,asset,balance\n" + text)
        with patch.object(csv_source, "BLOCK_BYTES", block_bytes):
            try:
                for batch in csv_source.read_csv(CsvSource(path, COLUMNS), layout, 2):
                    assert batch.assets is not None
                    cells = (batch.accounts, batch.assets, batch.balances[0])
                    for at, row in enumerate(batch.rows.tolist()):
                        rows[row] = [column[at].as_py() for column in cells]
                    faults.merge(batch.faults)
            except LedgerError as error:
                fatal = (str(error.rule), error.row)
    assert (rows, fatal) == (expected.rows, expected.fatal)
    if faults:
        told = faults.error(["f"]).faults
        blank = [row for f in told if f.kind.rule == "empty-id" for row in f.rows]
        assert blank == expected.blank[:10]
        narrow = sum(f.count for f in told if f.kind.rule == "truncated")
        assert narrow == len(expected.narrow)
    else:
        assert not expected.blank
        assert not expected.narrow
