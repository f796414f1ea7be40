"""What an asset's code stands for: the units that the verifier knows without being told.

A manifest that contradicts them is false; of other units its word is all there is. The table is
``units.csv`` beside this file, the bytes of spec/units.csv; `verifier.units.make` checks it.
Sources: spec/protocol.md 2.1, docs/decisions/0021-unit-table.md.

It is read at the first look-up, in a millisecond, since a customer's check needs it and ``--help``
does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

TABLE: Final = Path(__file__).with_name("units.csv")
COLUMNS: Final = "code,chain,contract,decimals,kind,reason"


class Kind(StrEnum):
    """Who says what a unit is.

    NATIVE is a chain's own coin, or a currency; ISSUER a token whose issuer names its contract;
    BRIDGED one that a bridge or a custodian stands for, besides the issuer; UNCONFIRMED is in the
    table and counts as unknown, since no page of an issuer was seen. NAMED is what the user adds.
    """

    NATIVE = "native"
    ISSUER = "issuer"
    BRIDGED = "bridged"
    UNCONFIRMED = "unconfirmed"
    NAMED = "named"


class KnownUnit(NamedTuple):
    """An asset's code and one unit it is held in; ``contract`` is empty for a native coin."""

    code: str
    chain: str
    contract: str
    decimals: int


class Entry(NamedTuple):
    """A row of the table: a unit, who says so, and why, with the page that shows it."""

    unit: KnownUnit
    kind: Kind
    reason: str


@cache
def entries() -> tuple[Entry, ...]:
    """Return the table's rows, in their order."""
    header, *lines = TABLE.read_text("utf-8").splitlines()
    if header != COLUMNS:
        raise ValueError(f"{TABLE}: other columns than {COLUMNS}")
    return tuple(_entry(*line.split(",")) for line in lines)


def _entry(code: str, chain: str, contract: str, decimals: str, kind: str, reason: str) -> Entry:
    return Entry(KnownUnit(code, chain, contract, int(decimals)), Kind(kind), reason)


@cache
def known_units() -> frozenset[KnownUnit]:
    """Return the units that every reader knows: all of the table but the unconfirmed."""
    return frozenset(entry.unit for entry in entries() if entry.kind is not Kind.UNCONFIRMED)


def known_first(codes: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part codes, in their order, into those that the table knows on some chain, and the others."""
    names = {unit.code for unit in known_units()}
    listed = list(codes)
    known = [code for code in listed if code in names]
    return known, [code for code in listed if code not in names]


def known_unit(code: str, chain: str) -> KnownUnit | None:
    """Return the unit that every reader knows of a code on a chain: there is one, or none."""
    return _core().by_code.get((code, chain))


class _Index(NamedTuple):
    """Of the table: known units by place and by code, and the kind of every place that it has."""

    by_contract: Mapping[tuple[str, str], KnownUnit]
    by_code: Mapping[tuple[str, str], KnownUnit]
    kinds: Mapping[KnownUnit, Kind]


@cache
def _core() -> _Index:
    known = known_units()
    return _Index(
        {(unit.chain, unit.contract): unit for unit in known},
        {(unit.code, unit.chain): unit for unit in known},
        {entry.unit: entry.kind for entry in entries()},
    )


class UnitTable:
    """What a reader knows of units: the table, and those that they named beside it.

    Raises:
        ValueError: a unit named contradicts the table, or another one.
    """

    def __init__(self, named: Iterable[KnownUnit] = ()) -> None:
        self._core = _core()
        self._named: dict[tuple[str, str], KnownUnit] = {}
        for unit in named:
            place = unit.chain, unit.contract
            if self._core.by_contract.get(place) == unit:
                continue
            if place in self._core.by_contract or (unit.code, unit.chain) in self._core.by_code:
                raise ValueError(f"{unit.code} on {unit.chain} is known to be something else")
            if self._named.setdefault(place, unit) != unit:
                raise ValueError(f"{unit.code} on {unit.chain} is named in two ways")

    def __contains__(self, unit: KnownUnit) -> bool:
        """Tell whether this very unit is known."""
        return self._at(unit) == unit

    def contradicts(self, unit: KnownUnit) -> bool:
        """Tell whether its contract is known as another unit, or its code has others there.

        What a user named says nothing of other contracts: they may know one token of two.
        """
        found = self._at(unit)
        if found is not None:
            return found != unit
        return (unit.code, unit.chain) in self._core.by_code

    def kind(self, unit: KnownUnit) -> Kind | None:
        """Return who says that it is this; UNCONFIRMED counts as unknown, None is nobody."""
        if self._named.get((unit.chain, unit.contract)) == unit:
            return Kind.NAMED
        return self._core.kinds.get(unit)

    def _at(self, unit: KnownUnit) -> KnownUnit | None:
        place = unit.chain, unit.contract
        return self._core.by_contract.get(place) or self._named.get(place)


def coins_text(units: int, decimals: int) -> str:
    """Return an amount of ledger units as a decimal number of whole coins."""
    whole, rest = divmod(units, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
