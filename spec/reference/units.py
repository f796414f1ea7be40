"""What this verifier knows of units, by itself and from its user (protocol.md 2.1)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from spec.reference.address import check_contract
from spec.reference.chains import CHAINS

MAX_LIST_BYTES = 1 << 23
MAX_LIST_UNITS = 10_000
_COLUMNS = ["code", "chain", "contract", "decimals"]


class Unit(NamedTuple):
    """What an asset is held in: contract is empty for a native coin."""

    code: str
    chain: str
    contract: str
    decimals: int


class Known(NamedTuple):
    """The units known, by (chain, contract), and the (code, chain) that the table has."""

    units: dict[tuple[str, str], Unit]
    codes: frozenset[tuple[str, str]]

    def fits(self, unit: Unit) -> bool:
        """Whether a unit of a manifest contradicts nothing that is known."""
        known = self.units.get((unit.chain, unit.contract))
        return known == unit if known else (unit.code, unit.chain) not in self.codes


def parse_unit(text: str) -> Unit:
    """The unit of `CODE=chain:contract:decimals`; ValueError for another form."""
    code, _, rest = text.partition("=")
    parts = rest.split(":")
    if len(parts) != 3:
        raise ValueError("a unit is CODE=chain:contract:decimals; a coin's contract is empty")
    return _unit(code, *parts)


def _unit(code: str, chain: str, contract: str, decimals: str) -> Unit:
    if not re.fullmatch("[A-Z0-9]{1,16}", code):
        raise ValueError("a code is 1 to 16 of A-Z, 0-9")
    if not re.fullmatch("[0-9]{1,2}", decimals) or int(decimals) > 36:
        raise ValueError("decimals are 0 to 36")
    if chain not in CHAINS:
        raise ValueError(f"this version does not know the chain {chain}")
    check_contract(chain, contract)
    return Unit(code, chain, contract, int(decimals))


def read_units(path: Path) -> list[Unit]:
    """The units of a CSV file of the user's; ValueError with the line where it is malformed."""
    with path.open("rb") as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise ValueError(f"{path}: larger than 8 MiB")
    rows = csv.reader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    found: list[Unit] = []
    try:
        if next(rows, None) != _COLUMNS:
            raise ValueError(f"the columns are not {','.join(_COLUMNS)}")
        for row in rows:
            if row:
                if len(row) != 4 or len(found) == MAX_LIST_UNITS:
                    raise ValueError("not four fields, or more than 10,000 units")
                found.append(_unit(*row))
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}, line {rows.line_num}: {error}") from None
    return found


def _read_table() -> frozenset[Unit]:
    """The table beside this package; what is unconfirmed is not known."""
    table = Path(__file__).parent.parent / "units.csv"
    with table.open(newline="", encoding="utf-8") as file:
        return frozenset(
            Unit(row["code"], row["chain"], row["contract"], int(row["decimals"]))
            for row in csv.DictReader(file)
            if row["kind"] != "unconfirmed"
        )


KNOWN = _read_table()


def all_known(named: Iterable[Unit]) -> Known:
    """The units known, and those named, which may not contradict them."""
    codes = {(unit.code, unit.chain) for unit in KNOWN}
    known = {(unit.chain, unit.contract): unit for unit in KNOWN}
    for unit in named:
        place = unit.chain, unit.contract
        if place not in known and (unit.code, unit.chain) in codes:
            raise ValueError(f"another contract is known for {unit.code} on {unit.chain}")
        if known.setdefault(place, unit) != unit:
            raise ValueError(f"another unit is known for {unit.chain}:{unit.contract}")
    return Known(known, frozenset(codes))
