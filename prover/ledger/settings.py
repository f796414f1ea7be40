"""Section ``[ledger]`` of a snapshot file: where the ledger is, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from prover.errors import Code
from prover.files.toml_table import Table
from prover.ledger.expect import Bounds, Expect
from prover.ledger.source import (
    DELIMITERS,
    MAX_SOURCE_DECIMALS,
    URL_FORMS,
    Columns,
    CsvSource,
    LedgerSource,
    LongColumns,
    ParquetSource,
    SqlSource,
    WideColumns,
)

KEYS: Final = (
    "amounts",
    "columns",
    "decimals",
    "delimiter",
    "empty_is_zero",
    "expect",
    "format",
    "ignore",
    "layout",
    "merge_duplicates",
    "path",
    "query",
    "rename",
    "skip",
    "source_decimals",
    "url",
)
_COLUMNS: Final = ("account", "asset", "assets", "balance", "debts")
_EXPECT: Final = ("accounts", "allow_empty", "change_percent", "totals")
_AMOUNT: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,30})?")

_DRIVERLESS: Final = ("mariadb", "mssql", "mysql", "oracle", "postgres", "postgresql")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the section says."""

    source: LedgerSource
    merge_duplicates: bool
    expect: Expect


def read_settings(table: Table, assets: Mapping[str, int] | None) -> LedgerSettings:
    """Read the section; ``assets`` are the snapshot's, with their decimals.

    None: they are still to be found in the ledger, and what is said of them is not looked at.

    Raises:
        InputError: naming file, key and rule.
    """
    layout = _choice(table, "layout", ("long", "wide"))
    reading = _reading(table, layout, assets)
    with table.table("columns", _COLUMNS) as columns:
        chosen = _columns(columns, layout, assets, reading)
    _check_skipped(table, chosen, assets)
    merge_duplicates = table.take_or("merge_duplicates", bool, False)
    expect = Expect()
    if table.has("expect"):
        with table.table("expect", _EXPECT) as expected:
            expect = _expect(expected, assets)
    return LedgerSettings(_source(table, chosen), merge_duplicates, expect)


def _choice(table: Table, key: str, choices: tuple[str, ...]) -> str:
    choice = table.take(key, str)
    if choice not in choices:
        raise table.error(key, f"must be {', '.join(choices[:-1])} or {choices[-1]}")
    return choice


def _source(table: Table, columns: Columns) -> LedgerSource:
    match _choice(table, "format", ("csv", "parquet", "sql")):
        case "csv":
            delimiter = table.take_or("delimiter", str, ",")
            if delimiter not in DELIMITERS:
                shown = ", ".join(map(repr, DELIMITERS))
                raise table.error("delimiter", f"must be one of {shown}")
            return CsvSource(table.take_path("path"), columns, delimiter)
        case "parquet":
            return ParquetSource(table.take_path("path"), columns)
    return SqlSource(_url(table), table.take("query", str), columns)


def _url(table: Table) -> str:
    """Take a database's URL; what cannot be one is told apart before a driver is looked for."""
    url = table.take("url", str)
    if "$" in url.partition("://")[0] or "${" in url:
        raise table.error("url", "variables are not replaced", remedy=URL_FORMS)
    scheme = url.partition("://")[0]
    if scheme in _DRIVERLESS:
        raise table.error("url", f"{scheme}:// names no driver", remedy=URL_FORMS)
    return url


def _reading(table: Table, layout: str, assets: Mapping[str, int] | None) -> dict[str, Any]:
    """Return the fields of `prover.ledger.source.Reading`."""
    amounts = _choice(table, "amounts", ("coins", "units")) if table.has("amounts") else "coins"
    ignore = table.take_texts("ignore") if table.has("ignore") else ()
    for name in ignore:
        if name in (assets or ()):
            raise table.error("ignore", f"{name} is an asset of the snapshot", Code.CONTRADICTION)
    for key in ("decimals", "source_decimals"):
        if table.has(key) and amounts != "units":
            words = 'goes with amounts = "units" alone: coins have the decimals that they have'
            raise table.error(key, words, Code.CONTRADICTION)
    source_decimals: dict[str, int] = {}
    if table.has("decimals"):
        source_decimals = dict.fromkeys(assets or (), _source_decimals(table, "decimals"))
    if table.has("source_decimals"):
        with table.table("source_decimals", None) as given:
            source_decimals |= {
                code: _source_decimals(given, code) for code in _codes(given, assets)
            }
    return {
        "in_units": amounts == "units",
        "source_decimals": source_decimals,
        "empty_is_zero": table.take_or("empty_is_zero", bool, False),
        "ignore": ignore,
        "skip": _skip(table),
        "rename": _rename(table, layout, assets),
    }


def _source_decimals(table: Table, key: str) -> int:
    decimals = table.take(key, int)
    if not 0 <= decimals <= MAX_SOURCE_DECIMALS:
        raise table.error(key, f"must be 0 to {MAX_SOURCE_DECIMALS}")
    return decimals


def _skip(table: Table) -> tuple[str, ...]:
    """Take what is owed and not to be covered."""
    if not table.has("skip"):
        return ()
    with table.table("skip", ("assets",)) as skip:
        names = skip.take_texts("assets")
        if len(set(names)) != len(names):
            raise skip.error("assets", "must be all different", Code.CONTRADICTION)
    return names


def _rename(table: Table, layout: str, assets: Mapping[str, int] | None) -> dict[str, str]:
    """Take the codes of assets by the names that the source has for them."""
    if not table.has("rename"):
        return {}
    if layout == "wide":
        words = "goes with the long layout alone: ledger.columns.assets names columns already"
        raise table.error("rename", words, Code.CONTRADICTION)
    with table.table("rename", None) as given:
        codes = {name: given.take(name, str) for name in given.remaining()}
        for name, code in codes.items():
            if assets is not None and code not in assets:
                raise given.error(name, f"{code} is not an asset of the snapshot")
    return codes


def _check_skipped(table: Table, columns: Columns, assets: Mapping[str, int] | None) -> None:
    """Refuse to skip what is read, or ignored."""
    if isinstance(columns, LongColumns):
        read = {name for name in assets or () if columns.name_of(name)} | columns.rename.keys()
    else:
        read = {columns.account, *columns.assets.values(), *columns.debts.values()}
    for name in columns.skip:
        words = "is read" if name in read else "is ignored" if columns.is_ignored(name) else ""
        if words:
            raise table.error("skip.assets", f"{name} {words}, too", Code.CONTRADICTION)


def _columns(
    table: Table, layout: str, assets: Mapping[str, int] | None, reading: dict[str, Any]
) -> Columns:
    account = table.take("account", str)
    if layout == "long":
        asset, balance = table.take("asset", str), table.take("balance", str)
        return LongColumns(account, asset, balance, **reading)
    with table.table("assets", None) as given:
        columns = {code: given.take(code, str) for code in given.remaining()}
        for code in sorted(columns.keys() ^ (columns if assets is None else assets).keys()):
            words = "the columns and the snapshot's assets must be the same"
            raise given.error(code, words, Code.CONTRADICTION)
    owed: dict[str, str] = {}
    if table.has("debts"):
        with table.table("debts", None) as debts:
            owed = {code: debts.take(code, str) for code in _codes(debts, assets)}
    return WideColumns(account, columns, owed, **reading)


def _codes(table: Table, assets: Mapping[str, int] | None) -> list[str]:
    """Return the keys of a table by asset."""
    for code in table.remaining():
        if assets is not None and code not in assets:
            raise table.error(code, "not an asset of the snapshot")
    return table.remaining()


def _expect(table: Table, assets: Mapping[str, int] | None) -> Expect:
    totals: dict[str, Bounds] = {}
    if table.has("totals"):
        with table.table("totals", None) as given:
            totals = {code: _bounds(given, code) for code in _codes(given, assets)}
    percent = table.take("change_percent", int) if table.has("change_percent") else None
    if percent is not None and percent < 0:
        raise table.error("change_percent", "must be 0 or more")
    allow_empty = table.take_texts("allow_empty") if table.has("allow_empty") else ()
    for code in allow_empty:
        if assets is not None and code not in assets:
            raise table.error("allow_empty", f"{code} is not an asset of the snapshot")
    accounts = _bounds(table, "accounts") if table.has("accounts") else Bounds()
    return Expect(accounts, totals, percent, frozenset(allow_empty))


def _bounds(table: Table, key: str) -> Bounds:
    """Take ``{ least = …, most = … }``, either of which may be left out."""
    with table.table(key, ("least", "most")) as given:
        sides = {side: _amount(given, side) for side in given.remaining()}
        bounds = Bounds(**sides)
        if not sides or (len(sides) == 2 and sides["least"] > sides["most"]):
            raise table.error(key, "must have least, most, or both, least not above most")
    return bounds


def _amount(table: Table, key: str) -> Fraction:
    """Take a number: whole, or a decimal in text, for TOML's other numbers are binary."""
    given = table.take(key, object)
    text = str(given) if isinstance(given, str) or type(given) is int else ""
    if not _AMOUNT.fullmatch(text):
        raise table.error(key, 'must be a whole number, or a decimal as text, such as "1234.5"')
    return Fraction(text)
