"""Assets that a snapshot's TOML does not list one by one: from a CSV, or from the ledger's codes.

Either way what comes out is what ``[[assets]]`` tables hold, to be read as those are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prover.errors import Code, InputError, Refusals
from prover.files.lists import read_list
from prover.files.toml_table import Table
from verifier.format.units import KnownUnit, known_units

COLUMNS: Final = ("code", "decimals", "ratio", "capacity", "chain", "contract", "unit_decimals")
_REQUIRED: Final = frozenset({"code", "decimals", "chain"})
_OF_UNIT: Final = {"chain": "chain", "contract": "contract", "decimals": "unit_decimals"}
_OF_ASSET: Final = ("decimals", "ratio", "capacity")
_NUMBERS: Final = ("decimals", "capacity", "unit_decimals")

MOST_DECIMALS: Final = 8
"""An asset that comes from the ledger has no more, however many its units have."""

_NUMBER: Final = re.compile("[0-9]{1,9}")


class _Row(Table):
    """A row of a CSV as a table: its errors name row and column."""

    def __init__(
        self, file: Path, row: int, values: dict[str, Any], columns: Mapping[str, str]
    ) -> None:
        super().__init__(file, f"row {row}", values, None)
        self._columns = columns

    def _path(self, key: str) -> str:
        return f"{self.where}, column {self._columns.get(key, key)}"


def listed_assets(file: Path) -> list[Table]:
    """Read the assets of a CSV; a code that comes again has a further unit.

    Raises:
        ProverError: unreadable or malformed; the message names file, row and column.
    """
    assets: dict[str, dict[str, Any]] = {}
    rows: dict[str, int] = {}
    refusals = Refusals()
    for number, cells in read_list(file, COLUMNS, _REQUIRED):
        with refusals.part():
            given = dict(_values(file, number, cells))
            where = f"row {number}"
            code = given.get("code")
            if code is None:
                raise InputError(f"{file}: {where}, column code", Code.MISSING_KEY, "missing")
            asset: dict[str, Any] = {name: given[name] for name in _OF_ASSET if name in given}
            unit = {own: given[name] for own, name in _OF_UNIT.items() if name in given}
            first = assets.setdefault(code, {"code": code, "units": [], **asset})
            rows.setdefault(code, number)
            for name in asset:
                if first.get(name) != asset[name]:
                    words = f"row {rows[code]} has another {name} for {code}"
                    place = f"{file}: {where}, column {name}"
                    remedy = "leave it empty in further rows of an asset"
                    raise InputError(place, Code.CONTRADICTION, words, remedy)
            first["units"].append(_Row(file, number, unit, _OF_UNIT))
    refusals.settle()
    return [_Row(file, rows[code], assets[code], {"units": "chain"}) for code in assets]


def _values(file: Path, number: int, cells: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the cells of a row that are not empty, numbers as such."""
    for column, text in cells.items():
        if text == "":
            continue
        where = f"{file}: row {number}, column {column}"
        if not isinstance(text, str):
            raise InputError(where, Code.BAD_CELL, "must be text")
        is_number = column in _NUMBERS and text != "auto"
        if is_number and not _NUMBER.fullmatch(text):
            raise InputError(where, Code.WRONG_TYPE, "must be a whole number")
        yield column, int(text) if is_number else text


def ledger_assets(
    table: Table, codes: Collection[str], chains: Collection[str], known_keys: Collection[str]
) -> list[Table]:
    """Return assets for the codes of a ledger that the verifier's table has, or ``table`` does.

    ``table`` is ``[assets]`` of the TOML, in which ``[assets.CODE]`` says what is to be otherwise
    than the table has it. Units are those on ``chains``, of which the snapshot has blocks. Other
    codes are left out: reading the ledger refuses them.

    Raises:
        InputError: a code has units on other chains alone.
    """
    known: dict[str, list[KnownUnit]] = defaultdict(list)
    for unit in known_units():
        known[unit.code].append(unit)
    assets = []
    for code in sorted(codes):
        own = table.take(code, dict) if table.has(code) else {}
        where = f"{table.where}.{code}"
        units = [unit for unit in known[code] if unit.chain in chains]
        if known[code] and not units and "units" not in own:
            on = ", ".join(sorted(unit.chain for unit in known[code]))
            words = f"the ledger has {code}, which is held on {on}: no block given"
            remedy = f"give [chains.NAME], or units in [assets.{code}], or list it in ledger.skip"
            raise table.error("from", words, Code.MISSING_KEY, remedy)
        values: dict[str, Any] = {"code": code}
        if units:
            values["decimals"] = min(MOST_DECIMALS, *(unit.decimals for unit in units))
            values["units"] = [{"chain": unit.chain} for unit in sorted(units)]
        if units or own:
            assets.append(Table(table.file, where, values | own, known_keys))
    return assets
