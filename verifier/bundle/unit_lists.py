"""Lists of units in files of the user's own: token lists of the ecosystem, and CSV.

Who names a file vouches for what is in it, so nothing in it is guessed: what is malformed, what has
two meanings and what contradicts the verifier's table is an error with its place. Left out, and
counted, is what a token list says of chains, symbols and decimals that Assay has no room for.
Source: the schema of ``@uniswap/token-lists``; docs/auditing.md.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePath
from typing import Any, Final

from verifier.bundle.json_text import no_duplicates, parse_json
from verifier.bundle.source import read_file
from verifier.errors import Misuse
from verifier.format.chains import CHAINS, Family, of_caip2, of_chain_id
from verifier.format.params import ASSET_CODE, MAX_UNIT_DECIMALS
from verifier.format.units import KnownUnit, UnitTable
from verifier.ownership.unit_form import contract_text, unit_fault

MAX_LIST_BYTES: Final = 2**23
MAX_LIST_UNITS: Final = 10_000

_COLUMNS = ["code", "chain", "contract", "decimals"]
_LONGEST_LINE = 1_000
_DEEPEST = 16
_COIN = "0x" + "e" * 40
_COIN_DECIMALS = 18
_TRON_ID = 728126428
_MAX_SCHEMA_DECIMALS = 255


@dataclass(frozen=True)
class UnitList:
    """The units of a file, and of what was left out how many for which reason."""

    path: str
    units: tuple[KnownUnit, ...]
    skipped: Mapping[str, int]

    @property
    def warning(self) -> str:
        """What to tell of the units that were left out; empty where none was."""
        if not self.skipped:
            return ""
        parts = ", ".join(f"{count} of {why}" for why, count in sorted(self.skipped.items()))
        return f"{self.path}: left out {parts}"


class _Malformed(Exception):
    """What is wrong, and where in the file."""


def read_units(path: str) -> UnitList:
    """Read a list of units: ``.json`` is a token list, ``.csv`` has code,chain,contract,decimals.

    Raises:
        CannotCheck: it cannot be read.
        Misuse: it is malformed, names something twice in two ways, or contradicts the table.
    """
    if PurePath(path).suffix not in _FORMATS:
        raise Misuse(f"{path}: a list of units is a token list, .json, or .csv")
    return parse_units(path, read_file(path, MAX_LIST_BYTES, "list of units"))


def parse_units(path: str, data: bytes) -> UnitList:
    """Parse the bytes of a list of units; the end of ``path`` tells its format.

    Raises:
        Misuse: see `read_units`.
    """
    skipped: Counter[str] = Counter()
    try:
        if len(data) > MAX_LIST_BYTES:
            raise _Malformed(f"larger than {MAX_LIST_BYTES >> 20} MiB; split it")
        units = _distinct(_FORMATS[PurePath(path).suffix](_text(data), skipped))
    except _Malformed as error:
        raise Misuse(f"{path}: {error}") from None
    return UnitList(path, units, dict(skipped))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Malformed(f"line {line}: not UTF-8; save it as UTF-8") from None


def _distinct(found: Iterator[tuple[str, KnownUnit]]) -> tuple[KnownUnit, ...]:
    """Check places and their units against the table and each other."""
    table = UnitTable()
    places: dict[tuple[str, str], KnownUnit] = {}
    codes: dict[tuple[str, str], KnownUnit] = {}
    for count, (place, unit) in enumerate(found, 1):
        if count > MAX_LIST_UNITS:
            raise _Malformed(f"{place}: more than {MAX_LIST_UNITS:,} units; split the file")
        where = f"{place}: {unit.code} on {unit.chain}"
        if fault := unit_fault(unit):
            raise _Malformed(f"{where}: {fault}")
        if table.contradicts(unit):
            raise _Malformed(
                f"{where} is known to be something else (see assay-verify units show {unit.code}); "
                "take it out"
            )
        other = places.setdefault((unit.chain, unit.contract), unit)
        if other != unit:
            raise _Malformed(
                f"{where} is before it {other.code} with {other.decimals} decimals; take one out"
            )
        other = codes.setdefault((unit.code, unit.chain), unit)
        if other != unit:
            raise _Malformed(
                f"{where} is both {_contract(other)} and {_contract(unit)}; take one out, or name "
                "both with --unit"
            )
    return tuple(places.values())


def _contract(unit: KnownUnit) -> str:
    return unit.contract or "the chain's own coin"


def _csv(text: str, skipped: Counter[str]) -> Iterator[tuple[str, KnownUnit]]:
    """Yield the rows; a chain is given by its name or its CAIP-2 id."""
    rows = _rows(text)
    place, columns = next(rows, ("line 1", []))
    if columns != _COLUMNS:
        raise _Malformed(f"{place}: the columns are not {','.join(_COLUMNS)}")
    for place, row in rows:
        yield place, _row(place, row)


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of each line that is not blank, of bounded length; no row spans two."""
    for number, line in enumerate(StringIO(text, newline=None), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        if len(line) > _LONGEST_LINE:
            raise _Malformed(f"{place}: longer than {_LONGEST_LINE:,} characters")
        try:
            yield place, next(csv.reader([line], strict=True))
        except csv.Error as error:
            raise _Malformed(f"{place}: {error}") from None


def _row(place: str, row: list[str]) -> KnownUnit:
    if len(row) != len(_COLUMNS):
        raise _Malformed(f"{place}: {len(row)} fields, not {len(_COLUMNS)}")
    code, name, contract, decimals = row
    chain = CHAINS.get(name) or of_caip2(name)
    if chain is None:
        raise _Malformed(f"{place}: this version does not know the chain {name}; take it out")
    if not (decimals.isascii() and decimals.isdigit() and len(decimals) <= 2):
        raise _Malformed(f"{place}: the decimals are not 0 to {MAX_UNIT_DECIMALS}")
    return KnownUnit(code, chain.name, contract_text(chain.name, contract), int(decimals))


def _token_list(text: str, skipped: Counter[str]) -> Iterator[tuple[str, KnownUnit]]:
    """Yield the tokens of chains, symbols and decimals that Assay has room for."""
    try:
        found = parse_json(
            text, _DEEPEST, object_pairs_hook=no_duplicates, parse_constant=_no_constant
        )
    except ValueError as error:
        raise _Malformed(f"not JSON: {error}") from None
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not isinstance(tokens, list):
        raise _Malformed("no object with an array of tokens: not a token list")
    if len(tokens) > MAX_LIST_UNITS:
        raise _Malformed(f"more than {MAX_LIST_UNITS:,} tokens; split the file")
    for at, token in enumerate(tokens, 1):
        place = f"token {at}"
        chain_id = _field(place, token, "chainId", int)
        address = _field(place, token, "address", str)
        symbol = _field(place, token, "symbol", str)
        decimals = _field(place, token, "decimals", int)
        if not 0 <= decimals <= _MAX_SCHEMA_DECIMALS:
            raise _Malformed(f"{place}: the decimals are not 0 to {_MAX_SCHEMA_DECIMALS}")
        chain = CHAINS["tron"] if chain_id == _TRON_ID else of_chain_id(chain_id)
        # A letter of another alphabet may be of A to Z in upper case.
        code = symbol.upper() if symbol.isascii() else ""
        if chain is None:
            skipped["chains that this version does not know"] += 1
        elif not ASSET_CODE.fullmatch(code):
            skipped["symbols that are no code"] += 1
        elif decimals > MAX_UNIT_DECIMALS:
            skipped[f"more than {MAX_UNIT_DECIMALS} decimals"] += 1
        elif chain.family is Family.EVM and address.lower() == _COIN:
            if decimals != _COIN_DECIMALS:
                raise _Malformed(f"{place}: the chain's own coin has {_COIN_DECIMALS} decimals")
            yield place, KnownUnit(code, chain.name, "", decimals)
        elif not address:
            raise _Malformed(f"{place}: the address is empty")
        else:
            yield place, KnownUnit(code, chain.name, contract_text(chain.name, address), decimals)


def _field(place: str, token: Any, name: str, kind: type) -> Any:
    value = token.get(name) if isinstance(token, dict) else None
    if type(value) is not kind:
        raise _Malformed(f"{place}: no {name}, or one of another type than {kind.__name__}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


_FORMATS = {".csv": _csv, ".json": _token_list}
