"""Evidence lists: what is read from them, and that a fault is named by file, row and column."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from prover.assets.evidence import build_evidence, evidence_total
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.messages import device_warnings
from prover.assets.signing import sign_bip137_p2pkh, sign_bip322_simple_p2wpkh, sign_eip191
from prover.config.snapshot_toml import AssetConfig, SplitPolicy
from prover.errors import ProverError
from verifier.format.evidence_records import Evidence
from verifier.format.wire import Ratio, Unit, read_record, write_record

USDT_CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
MESSAGES = {"bitcoin": "message assay/v1\nfor bitcoin", "ethereum": "assay/v1\nfor ethereum"}
BITCOIN = sign_bip322_simple_p2wpkh(b"\x01" * 32, MESSAGES["bitcoin"])
ETHEREUM = [sign_eip191(bytes([key]) * 32, MESSAGES["ethereum"]) for key in (2, 3)]


def asset(code: str, decimals: int, *units: Unit) -> AssetConfig:
    return AssetConfig(code, decimals, Ratio(1, 1), None, SplitPolicy(1, 1), units)


ASSETS = (
    asset("BTC", 8, Unit("bitcoin", "", 8)),
    asset("ETH", 8, Unit("ethereum", "", 18)),
    asset("USDT", 6, Unit("ethereum", USDT_CONTRACT, 6)),
)

Rows = list[dict[str, Any]]


def good_rows() -> Rows:
    """Two ETH addresses, the second of which holds USDT too and is signed for once, there."""
    first, second = ETHEREUM
    eth = "ETH", "ethereum", ""
    cells = [
        ("USDT", "ethereum", USDT_CONTRACT, second.address, "77", "", ""),
        (*eth, second.address, "19999999999", "eip191", second.signature),
        ("BTC", "bitcoin", "", BITCOIN.address, "5", "bip322", BITCOIN.signature),
        (*eth, first.address, "10000000000", "eip191", first.signature),
    ]
    return [dict(zip(EVIDENCE_COLUMNS, row, strict=True)) for row in cells]


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, EVIDENCE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_json_lines(path: Path, rows: Rows) -> Path:
    lines = [{key: cell for key, cell in row.items() if cell != ""} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def build(*files: Path) -> dict[str, Evidence]:
    made = build_evidence(files, ASSETS, MESSAGES, lambda _: None)
    return {code: read_record(Evidence, data.file) for code, data in made.items()}


WRITERS = {"csv": write_csv, "jsonl": write_json_lines}


@pytest.mark.parametrize("suffix", WRITERS)
def test_rows_become_canonical_evidence(tmp_path: Path, suffix: str) -> None:
    evidence = build(WRITERS[suffix](tmp_path / f"list.{suffix}", good_rows()))
    assert list(evidence) == ["BTC", "ETH", "USDT"]
    eth = evidence["ETH"]
    assert [row.address for row in eth.rows] == sorted(signed.address for signed in ETHEREUM)
    assert [entry.address for entry in eth.signatures] == [row.address for row in eth.rows]
    # Each row is rounded down to ledger units by itself: 1.9999999999 and 1 of 10^10 wei.
    assert evidence_total(ASSETS[1], eth) == 2
    usdt = evidence["USDT"]
    assert usdt.signatures[0].text == ETHEREUM[1].signature
    assert evidence_total(ASSETS[2], usdt) == 77


def test_order_files_and_form_of_the_lists_do_not_matter(tmp_path: Path) -> None:
    rows = good_rows()
    one = build(write_csv(tmp_path / "one.csv", rows))
    for row in rows:
        row["amount"] = int(row["amount"])
    several = build(
        write_json_lines(tmp_path / "b.jsonl", rows[2:]),
        write_csv(tmp_path / "a.csv", rows[1::-1]),
    )
    assert several == one


def test_an_asset_without_addresses_has_empty_evidence(tmp_path: Path) -> None:
    evidence = build(write_csv(tmp_path / "list.csv", good_rows()[2:3]))
    assert evidence["ETH"].rows == ()
    assert evidence_total(ASSETS[1], evidence["ETH"]) == 0
    assert build()["BTC"].signatures == ()


def change(row: int, **cells: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[row].update(cells)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(
    ("fault", "row", "column", "rule"),
    [
        (change(1, asset="DOGE"), 2, "asset", "not an asset"),
        (change(1, chain="tron"), 2, "contract", "no unit of ETH"),
        (change(1, contract=USDT_CONTRACT), 2, "contract", "no unit of ETH"),
        (change(0, contract=USDT_CONTRACT.lower()), 1, "contract", "no unit of USDT"),
        (change(1, address=ETHEREUM[1].address.lower()), 2, "address", "EIP-55"),
        (change(2, address=BITCOIN.address.upper()), 3, "address", "in its one text"),
        (change(2, address="bc1"), 3, "address", "not a bitcoin address"),
        (change(3, address=ETHEREUM[1].address), 4, "address", "counted already: .* row"),
        (change(0, amount="-1"), 1, "amount", "whole number"),
        (change(0, amount="1.5"), 1, "amount", "whole number"),
        (change(0, amount="1e3"), 1, "amount", "whole number"),
        (change(0, amount="\u0661"), 1, "amount", "whole number"),
        (change(0, amount=str(2**256)), 1, "amount", "below 2"),
        (change(3, signature=ETHEREUM[1].signature), 4, "signature", "another key or message"),
        (change(3, format="bip137"), 4, "signature", "no signature format of ethereum"),
        (change(3, format="rsa"), 4, "signature", "no signature format of ethereum"),
        (change(3, signature="", format=""), 4, "signature", "missing, on every row"),
        (change(0, format="eip191", signature="0x"), 2, "signature", "another one in .* row"),
    ],
)
def test_a_fault_is_named_by_its_place(
    tmp_path: Path,
    suffix: str,
    fault: Callable[[Rows], None],
    row: int,
    column: str,
    rule: str,
) -> None:
    rows = good_rows()
    fault(rows)
    path = WRITERS[suffix](tmp_path / f"list.{suffix}", rows)
    line = row + (suffix == "csv")  # the header is row 1
    with pytest.raises(ProverError, match=f"list.{suffix}: row {line}, column {column}: .*{rule}"):
        build(path)


RESAVED: dict[str, Callable[[str], str]] = {
    "with a line break at its end": lambda text: text + "\n",
    "with CRLF for line breaks": lambda text: text.replace("\n", "\r\n"),
    "with CRLF for line breaks, and one at its end": lambda text: (text + "\n").replace(
        "\n", "\r\n"
    ),
    "with a byte order mark": lambda text: "\ufeff" + text,
    "with its line breaks made spaces": lambda text: " ".join(text.split("\n")),
}
SIGNERS = {
    "bip322": (sign_bip322_simple_p2wpkh, 2, "bitcoin"),
    "bip137": (sign_bip137_p2pkh, 2, "bitcoin"),
    "eip191": (sign_eip191, 3, "ethereum"),
}


@pytest.mark.parametrize("form", SIGNERS)
@pytest.mark.parametrize("how", RESAVED)
def test_a_challenge_that_was_saved_anew_is_recognised(tmp_path: Path, form: str, how: str) -> None:
    sign, place, chain = SIGNERS[form]
    signed = sign(bytes([9]) * 32, RESAVED[how](MESSAGES[chain]))
    rows = good_rows()
    change(place, address=signed.address, format=form, signature=signed.signature)(rows)
    with pytest.raises(ProverError) as raised:
        build(write_csv(tmp_path / "a.csv", rows))
    end = f" (bad-signature); what was signed is the message {how}; "
    end += "sign the bytes of `assay challenge --out`"
    assert str(raised.value).endswith(end)


@pytest.mark.parametrize("form", SIGNERS)
def test_a_signature_of_something_else_comes_with_the_digest_to_compare(
    tmp_path: Path, form: str
) -> None:
    sign, place, chain = SIGNERS[form]
    signed = sign(bytes([9]) * 32, MESSAGES[chain].replace("assay/v1", "assay/v2"))
    rows = good_rows()
    change(place, address=signed.address, format=form, signature=signed.signature)(rows)
    with pytest.raises(ProverError) as raised:
        build(write_csv(tmp_path / "a.csv", rows))
    digest = sha256(MESSAGES[chain].encode()).hexdigest()
    said = " (bad-signature); the text to sign has no CRLF and no line break at its end, "
    said += "and the SHA-256 "
    assert str(raised.value).endswith(said + digest)


def test_a_malformed_signature_has_no_hint(tmp_path: Path) -> None:
    rows = good_rows()
    change(3, signature="0x12")(rows)
    with pytest.raises(ProverError, match=r"130 lower-case hex digits \(bad-signature\)$"):
        build(write_csv(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    ("chain", "message", "warnings"),
    [
        ("bitcoin", "a" * 240, []),
        ("bitcoin", "a" * 241, ["241 characters: some devices sign at most 240 by BIP-137"]),
        (
            "bitcoin",
            "a" * 331,
            [
                "331 characters: some devices sign at most 330 by BIP-322",
                "331 characters: some devices sign at most 240 by BIP-137",
            ],
        ),
        ("ethereum", "a" * 331, []),
        ("bitcoin", "Example  Exchange\nb", []),
        ("bitcoin", "Example   Exchange", ["three spaces in a row: some devices refuse them"]),
        ("tron", "a" * 255, []),
        (
            "tron",
            "a" * 254 + "\N{EURO SIGN}",
            [
                "257 bytes: Ledger's signature of more than 255 does not hold; shorten the "
                "exchange's name and the snapshot's id by 2 together",
                "characters beyond ASCII: some devices refuse them",
            ],
        ),
        ("ethereum", "Börse", ["characters beyond ASCII: some devices refuse them"]),
        ("bitcoin", "a \nb", ["a space at an end of a line: some devices refuse it"]),
        ("bitcoin", "a\n b", ["a space at an end of a line: some devices refuse it"]),
    ],
)
def test_what_devices_may_refuse(chain: str, message: str, warnings: list[str]) -> None:
    assert list(device_warnings(chain, message)) == warnings


def test_totals_stay_below_the_limit(tmp_path: Path) -> None:
    rows = good_rows()
    rows[2]["amount"] = str(2**96 - 1)
    assert evidence_total(ASSETS[0], build(write_csv(tmp_path / "a.csv", rows))["BTC"]) == 2**96 - 1
    rows[2]["amount"] = str(2**96)
    with pytest.raises(ProverError, match=r"asset BTC: .*2\^96"):
        build(write_csv(tmp_path / "b.csv", rows))


HEADER = ",".join(EVIDENCE_COLUMNS)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("l.csv", b"", "row 1: the columns are"),
        ("l.csv", b"asset,chain,address\n", "row 1: the columns are"),
        ("l.csv", HEADER.encode() + b",extra\n", "row 1: the columns are"),
        ("l.csv", HEADER.encode() + b",asset\n", "row 1: a column occurs twice"),
        ("l.csv", HEADER.encode() + b"\nBTC,bitcoin\n", "row 2: 2 columns instead of 7"),
        ("l.csv", HEADER.encode() + b'\nBTC,"bitcoin\n', "row 2: "),
        ("l.csv", b"\xff", "not UTF-8"),
        ("l.jsonl", b"{", "row 1: not JSON"),
        ("l.jsonl", b"[1]\n", "row 1: not an object"),
        ("l.jsonl", b'{"asset": "BTC"}\n', "row 1: not an object"),
        ("l.jsonl", b'{"asset": "BTC", "asset": "ETH"}\n', "row 1: .*a key occurs twice"),
        ("l.jsonl", b"[" * 100_000, "row 1: not JSON"),
        (
            "l.jsonl",
            b'{"asset": "BTC", "chain": "bitcoin", "address": 1, "amount": 1}\n',
            "row 1, column address: must be text",
        ),
        (
            "l.jsonl",
            b'{"asset": "BTC", "chain": "bitcoin", "address": "a", "amount": true}\n',
            "row 1, column amount: must be text",
        ),
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ProverError, match=f"{name}: {message}"):
        build(tmp_path / name)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProverError, match=r"none\.csv: No such file"):
        build(tmp_path / "none.csv")


def test_rows_that_fit_into_no_file_are_told_before_any_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = good_rows()
    file = write_csv(tmp_path / "list.csv", rows)
    sizes = {code: len(write_record(made)) for code, made in build(file).items()}
    for row in rows:
        row["signature"] = row["signature"][:-2] + "00" if row.get("signature") else ""
    write_csv(file, rows)
    monkeypatch.setattr("prover.assets.evidence.MAX_EVIDENCE_BYTES", sizes["ETH"] // 2)
    with pytest.raises(ProverError, match=r"asset ETH: \d+ rows of evidence of .*leave out the"):
        build(file)
    monkeypatch.setattr("prover.assets.evidence.MAX_EVIDENCE_BYTES", max(sizes.values()))
    with pytest.raises(ProverError, match="column signature"):
        build(file)
