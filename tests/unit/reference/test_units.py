"""The reference's table of units and its lists: the same units as the verifier's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spec.reference.units import KNOWN, Unit, all_known, read_units
from verifier.bundle.unit_lists import parse_units
from verifier.format.units import KnownUnit, UnitTable, entries, known_units

HEADER = "code,chain,contract,decimals\n"
A = "0x" + "1" * 40
TRON = "TXLAQ63Xg1NAzckPwKHvzw7CSEmLMEqcdj"


def of_reference(unit: KnownUnit) -> Unit:
    return Unit(unit.code, unit.chain, unit.contract, unit.decimals)


def test_both_know_the_same_units() -> None:
    assert set(KNOWN) == set(map(of_reference, known_units()))


def test_both_think_alike_of_every_row() -> None:
    """Also of each under another code, and with other decimals."""
    known, table = all_known(()), UnitTable()
    changes: tuple[dict[str, Any], ...] = ({}, {"code": "XYZ"}, {"decimals": 1}, {"contract": A})
    for entry in entries():
        for change in changes:
            unit = entry.unit._replace(**change)
            assert known.fits(of_reference(unit)) != table.contradicts(unit), unit


def test_a_list_is_read_as_the_verifier_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"\ufeff{HEADER}OWN,base,{A},6\n\nOWN,tron,{TRON},8\nXUA,fiat,XUA,2\n")
    found = read_units(path)
    assert [unit.chain for unit in found] == ["base", "tron", "fiat"]
    theirs = parse_units(path.name, path.read_bytes()).units
    assert found == list(map(of_reference, theirs))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 0: the columns are not"),
        ("chain,code,contract,decimals\n", "line 1: the columns are not"),
        (f"{HEADER}OWN,base,{A}\n", "line 2: not four fields"),
        (f"{HEADER}\nown,base,{A},6\n", "line 3: a code is"),
        (f"{HEADER}OWN,nowhere,{A},6\n", "line 2: this version does not know the chain nowhere"),
        (f"{HEADER}OWN,base,{A},37\n", "line 2: decimals are"),
        (f"{HEADER}OWN,base,{A[:-1]},6\n", "line 2: "),
        (f"{HEADER}OWN,tron,{TRON[:-1]}k,6\n", "line 2: "),
        (f"{HEADER}OWN,bitcoin,{A},6\n", "line 2: bitcoin has no contracts"),
        (f"{HEADER}OWN,fiat,eur,2\n", "line 2: no currency's code"),
    ],
)
def test_a_malformed_list_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"own\.csv, {said}"):
        read_units(path)
