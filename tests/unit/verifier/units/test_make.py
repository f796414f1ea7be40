"""How the table of units is checked, and compared with lists of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.format.units import Entry, Kind, KnownUnit, entries
from verifier.units.make import SPECIFIED, differences, faults, main, read_list

USDC = KnownUnit("USDC", "base", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6)
FREE = "0x" + "11" * 20
USDT_BUT_ONE = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"


def test_the_table_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_fault_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "units.csv"
    other.write_bytes(SPECIFIED.read_bytes() + b"\n")
    monkeypatch.setattr("verifier.units.make.SPECIFIED", other)
    assert main(["--check"]) == 1
    assert "has other bytes" in capsys.readouterr().err


def with_row(unit: KnownUnit, kind: Kind, reason: str = "y") -> list[Entry]:
    return sorted([*entries(), Entry(unit, kind, reason)])


X = KnownUnit("X", "base", FREE, 6)


@pytest.mark.parametrize(
    ("unit", "kind", "reason", "said"),
    [
        (X._replace(chain="kaspa"), Kind.BRIDGED, "y", "does not know the chain"),
        (X._replace(contract=USDC.contract.lower()), Kind.BRIDGED, "y", "EIP-55 checksum"),
        (X._replace(chain="tron", contract=USDT_BUT_ONE), Kind.BRIDGED, "y", "not base58"),
        (X._replace(chain="bitcoin"), Kind.BRIDGED, "y", "no contract of bitcoin"),
        (X._replace(code="x"), Kind.BRIDGED, "y", "the code is not"),
        (X._replace(decimals=37), Kind.BRIDGED, "y", "the decimals are not"),
        (X._replace(chain="fiat", contract=""), Kind.NATIVE, "y", "no coin of its own"),
        (X._replace(chain="fiat", contract="XXX"), Kind.BRIDGED, "y", "are native"),
        (X, Kind.NATIVE, "y", "are native"),
        (X, Kind.NAMED, "y", "what a user adds"),
        (X, Kind.BRIDGED, "", "the reason is not"),
        (X, Kind.BRIDGED, "a,b", "the reason is not"),
        (X, Kind.BRIDGED, 'a "b"', "the reason is not"),
        (X, Kind.ISSUER, "the issuer", "ends with the https URL"),
        (X, Kind.ISSUER, "http://a.example", "ends with the https URL"),
        (USDC._replace(code="X"), Kind.BRIDGED, "y", "its contract has two rows"),
        (USDC._replace(contract=FREE), Kind.BRIDGED, "y", "counts twice on its chain"),
    ],
)
def test_a_row_with_one_fault(unit: KnownUnit, kind: Kind, reason: str, said: str) -> None:
    found = list(faults(with_row(unit, kind, reason)))
    assert len(found) == 1, found
    assert said in found[0]


def test_faults_of_the_whole_table() -> None:
    assert list(faults(entries()[::-1])) == ["the rows are not in ascending order"]
    without = [entry for entry in entries() if entry.unit[:2] != ("TRX", "tron")]
    assert list(faults(without)) == ["no coin of tron"]


def test_an_unconfirmed_row_may_share_its_code() -> None:
    assert not list(faults(with_row(USDC._replace(contract=FREE), Kind.UNCONFIRMED)))


def test_every_row_is_shown_with_the_words_of_each_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "code,chain,contract,decimals\n"
    new = f"NEW,base,{FREE},9\nSOL,solana,,9\n"
    agrees, differs = tmp_path / "a.csv", tmp_path / "b.csv"
    agrees.write_text(header + ",".join(map(str, USDC)) + "\n" + new)
    differs.write_text(header + f"USDBC,base,{USDC.contract},18\n" + new)
    lists = {path.name: read_list(path) for path in (agrees, differs)}
    (row,) = (line for line in differences(entries(), lists) if line.startswith("USDC,base,"))
    assert "(a.csv: the same, b.csv: USDBC 18)" in row
    look_alike = {"c.csv": [USDC._replace(contract=FREE)]}
    (row,) = (line for line in differences(entries(), look_alike) if line.startswith("USDC,base,"))
    assert f"(c.csv: USDC is {FREE})" in row
    assert main([str(agrees), str(differs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(entries()) + 1
    assert lines[-1] == f"not in the table: NEW,base,{FREE},9"
