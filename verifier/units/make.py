"""Compare the table of units with lists of others, and check it.

``python -m verifier.units.make LIST.csv …`` prints every row of the table with the words of each
list, and what all lists have and the table lacks. A list has the columns code, chain, contract and
decimals, and chains by the names of `verifier.format.chains`. A person judges: what lists agree on
is not always right (docs/decisions/0021-unit-table.md).

``--check`` tells what is wrong with the table itself; ``make lint`` runs it.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from verifier.format.chains import CHAINS, Family
from verifier.format.units import TABLE, Entry, Kind, KnownUnit, entries
from verifier.ownership.unit_form import unit_fault

SPECIFIED = Path(__file__).parents[2] / "spec" / "units.csv"

_REASON = re.compile(r"[ !#-+\--~]{1,250}")  # ASCII without the comma and the quotation mark
_URL = re.compile(r"(?<![!-~])https://[!-~]+$")


def faults(table: Sequence[Entry]) -> Iterator[str]:
    """Yield what is wrong with the table's rows, each with its row."""
    contracts: dict[tuple[str, str], KnownUnit] = {}
    codes: dict[tuple[str, str], KnownUnit] = {}
    for unit, kind, reason in table:
        row = ",".join(map(str, unit))
        if fault := unit_fault(unit):
            yield f"{row}: {fault}"
            continue
        coin = not unit.contract or CHAINS[unit.chain].family is Family.FIAT
        if coin != (kind is Kind.NATIVE):
            yield f"{row}: a chain's own coin and a currency are native, and nothing else is"
        if kind is Kind.NAMED:
            yield f"{row}: named is what a user adds"
        if not _REASON.fullmatch(reason):
            yield f"{row}: the reason is not 1 to 250 ASCII characters without comma and quotation"
        if kind is Kind.ISSUER and not _URL.search(reason):
            yield f"{row}: an issuer's row ends with the https URL of the page that shows it"
        if contracts.setdefault((unit.chain, unit.contract), unit) is not unit:
            yield f"{row}: its contract has two rows"
        if kind is not Kind.UNCONFIRMED and codes.setdefault(unit[:2], unit) is not unit:
            yield f"{row}: its code counts twice on its chain"
    if [entry.unit for entry in table] != sorted(entry.unit for entry in table):
        yield "the rows are not in ascending order"
    have = {entry.unit.chain for entry in table if entry.kind is Kind.NATIVE}
    for chain in sorted(CHAINS.keys() - have):
        yield f"no coin of {chain}"


def differences(table: Sequence[Entry], lists: Mapping[str, Sequence[KnownUnit]]) -> Iterator[str]:
    """Yield every row with what each list says of it, then what all lists have beside the rows."""
    for unit, kind, reason in table:
        said = ", ".join(f"{name}: {_words(unit, found)}" for name, found in lists.items())
        yield f"{','.join(map(str, unit))},{kind} ({said}) {reason}"
    places = {(unit.chain, unit.contract) for unit, _, _ in table}
    agreed = set.intersection(*(set(found) for found in lists.values())) if lists else set()
    for unit in sorted(agreed):
        if unit.chain in CHAINS and (unit.chain, unit.contract) not in places:
            yield f"not in the table: {','.join(map(str, unit))}"


def _words(unit: KnownUnit, found: Sequence[KnownUnit]) -> str:
    """Return a list's words for a contract, else for a code on its chain."""
    here = [item for item in found if item[1:3] == unit[1:3]]
    if here:
        words = ("the same" if item == unit else f"{item.code} {item.decimals}" for item in here)
        return "; ".join(words)
    other = [item.contract for item in found if item[:2] == unit[:2]]
    return f"{unit.code} is {' and '.join(other)}" if other else "nothing"


def read_list(path: Path) -> list[KnownUnit]:
    """Read a list of others."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            KnownUnit(row["code"], row["chain"], row["contract"], int(row["decimals"]))
            for row in csv.DictReader(file, strict=True)
        ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 1 where the table has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="tell what is wrong with the table")
    parser.add_argument("lists", nargs="*", type=Path, metavar="LIST.csv")
    arguments = parser.parse_args(argv)
    if not arguments.check:
        lists = {path.name: read_list(path) for path in arguments.lists}
        print("\n".join(differences(entries(), lists)))
        return 0
    found = list(faults(entries()))
    if SPECIFIED.read_bytes() != TABLE.read_bytes():
        found.append(f"{SPECIFIED} has other bytes: copy the table there")
    for fault in found:
        print(f"{TABLE.name}: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
