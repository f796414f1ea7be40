"""Evidence lists of several chains: what others spell differently, signatures that are shared."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prover.assets.evidence import build_evidence, check_list
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_eip191, sign_tip191
from prover.config.snapshot_toml import AssetConfig, SplitPolicy
from prover.errors import ProverError
from verifier.format.chains import CHAINS, Family
from verifier.format.evidence_records import Evidence, OwnershipSignature
from verifier.format.wire import Ratio, Unit, read_record
from verifier.ownership import check_ownership, parse_address, signed_chain

USDT = {
    "bsc": "0x55d398326f99059fF775485246999027B3197955",
    "ethereum": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
    "polygon": "0xc2132D05D31c914a87C6611C10748AEb04B58e8F",
    "tron": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
}
MESSAGES = {chain: f"assay/v1\nfor {chain}" for chain in USDT}
NATIVE = [Unit(chain, "", (CHAINS[chain].family is Family.TRON and 6) or 18) for chain in USDT]
ASSETS = [
    AssetConfig(code, 6, Ratio(1, 1), None, SplitPolicy(1, 1), tuple(units))
    for code, units in {
        "COIN": NATIVE,
        "USDT": [Unit(chain, contract, 6) for chain, contract in USDT.items()],
    }.items()
]
KEY = b"\x02" * 32
EVM = {chain: sign_eip191(KEY, message) for chain, message in MESSAGES.items()}
TRON = sign_tip191(KEY, MESSAGES["tron"])
ACCOUNT = EVM["ethereum"].address
Cells = tuple[str, ...]


def coin(chain: str, form: str = "", text: str = "", address: str = "") -> Cells:
    return (
        "COIN",
        chain,
        "",
        address or (TRON.address if chain == "tron" else ACCOUNT),
        "1",
        form,
        text,
    )


def build(folder: Path, *rows: Cells) -> list[OwnershipSignature]:
    """The signatures of COIN's evidence, all of which hold."""
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([EVIDENCE_COLUMNS, *rows])
    made = build_evidence([folder / "list.csv"], ASSETS, MESSAGES, lambda _: None)
    evidence = read_record(Evidence, made["COIN"].file)
    for entry in evidence.signatures:
        if entry.format != "eip1271":
            chain, form = signed_chain(entry.chain, entry.format)
            address = parse_address(entry.chain, entry.address)
            check_ownership(address, MESSAGES[chain], form, entry.text)
    return list(evidence.signatures)


def refusal(folder: Path, *rows: Cells) -> str:
    with pytest.raises(ProverError) as raised:
        build(folder, *rows)
    return str(raised.value)


def test_rows_of_every_family(tmp_path: Path) -> None:
    signatures = build(
        tmp_path,
        coin("ethereum", "eip191", EVM["ethereum"].signature),
        coin("bsc", "eip191", EVM["bsc"].signature),
        coin("tron", "tip191", TRON.signature),
    )
    assert [(entry.chain, entry.format) for entry in signatures] == [
        ("bsc", "eip191"),
        ("ethereum", "eip191"),
        ("tron", "tip191"),
    ]


@pytest.mark.parametrize(
    "respelt",
    [
        lambda text: text,
        lambda text: text[2:],
        lambda text: "0X" + text[2:].upper(),
        lambda text: text[:-2] + {"1b": "00", "1c": "01"}[text[-2:]],
        lambda text: text[2:-2].upper() + {"1b": "00", "1c": "01"}[text[-2:]],
    ],
)
@pytest.mark.parametrize("form", ["named", ""])
def test_signatures_as_wallets_give_them(
    tmp_path: Path, respelt: Callable[[str], str], form: str
) -> None:
    evm, tron = EVM["ethereum"].signature, TRON.signature
    signatures = build(
        tmp_path,
        coin("ethereum", form and "eip191", respelt(evm)),
        coin("tron", form and "tip191", respelt(tron)),
    )
    assert [(entry.format, entry.text) for entry in signatures] == [
        ("eip191", evm),
        ("tip191", tron),
    ]


def test_what_a_contract_signs_keeps_its_last_byte(tmp_path: Path) -> None:
    (entry,) = build(tmp_path, coin("bsc", "eip1271", "AB" * 64 + "01"))
    assert (entry.format, entry.text) == ("eip1271", "0x" + "ab" * 64 + "01")


@pytest.mark.parametrize("form", ["eip191@ethereum", "eip191", ""])
def test_a_signature_over_another_chains_message_is_found(tmp_path: Path, form: str) -> None:
    (entry,) = build(tmp_path, coin("bsc", form, EVM["ethereum"].signature))
    assert (entry.chain, entry.format) == ("bsc", "eip191@ethereum")
    assert entry.text == EVM["ethereum"].signature


def test_one_signature_serves_an_account_on_every_evm_chain(tmp_path: Path) -> None:
    rows = [coin("polygon"), coin("bsc", "", EVM["ethereum"].signature), coin("ethereum")]
    for order in (rows, rows[::-1]):
        signatures = build(tmp_path, *order)
        assert [(entry.chain, entry.format) for entry in signatures] == [
            ("bsc", "eip191@ethereum"),
            ("ethereum", "eip191"),
            ("polygon", "eip191@ethereum"),
        ]


def test_what_a_signature_does_not_serve(tmp_path: Path) -> None:
    evm = EVM["ethereum"].signature
    missing = "missing, on every row of this address"
    other = sign_eip191(b"\x03" * 32, MESSAGES["ethereum"])
    # Neither Tron, nor another account, nor a contract wallet that may be another's elsewhere.
    assert missing in refusal(tmp_path, coin("ethereum", "", evm), coin("tron"))
    assert missing in refusal(
        tmp_path, coin("ethereum", "", evm), coin("bsc", address=other.address)
    )
    assert missing in refusal(tmp_path, coin("ethereum", "eip1271", "0x12"), coin("bsc"))
    assert "another key or message" in refusal(tmp_path, coin("tron", "tip191", evm))
    assert "another key or message" in refusal(tmp_path, coin("bsc", "eip191", other.signature))
    # What is over Tron's message by Ethereum's rule is over no EVM chain's.
    assert "another key or message" in refusal(tmp_path, coin("bsc", "", EVM["tron"].signature))
    assert "another key or message" in refusal(
        tmp_path, coin("bsc", "eip191@ethereum", EVM["bsc"].signature)
    )


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (coin("bsc", "eip191@bsc", EVM["bsc"].signature), "format", "names no other EVM chain"),
        (coin("bsc", "eip191@tron", EVM["bsc"].signature), "format", "names no other EVM chain"),
        (
            coin("bsc", "eip191@base", EVM["bsc"].signature),
            "format",
            r"the snapshot has no block of base.*\[chains.base\]",
        ),
        (coin("tron", "eip191", TRON.signature), "signature", "no signature format of tron"),
        (coin("ethereum", "tip191", TRON.signature), "signature", "no signature format"),
        (coin("tron", "tip191", TRON.signature, ACCOUNT), "address", "34 characters"),
        (coin("solana", "", "x"), "contract", "no unit of COIN"),
    ],
)
def test_a_fault_is_named_by_its_place(tmp_path: Path, row: Cells, column: str, words: str) -> None:
    assert re.search(f"list.csv: row 2, column {column}: .*{words}", refusal(tmp_path, row))


def test_names_of_caip(tmp_path: Path) -> None:
    bsc, tron = "eip155:56", "tron:0x2b6653dc"
    evm, text = EVM["ethereum"].signature, TRON.signature
    usdt = ("USDT", bsc, f"{bsc}/erc20:{USDT['bsc']}", f"{bsc}:{ACCOUNT}", "1", "", evm)
    trc20 = (
        "USDT",
        "tron",
        f"{tron}/trc20:{USDT['tron']}",
        f"{tron}:{TRON.address}",
        "1",
        "",
        text,
    )
    native = ("COIN", bsc, f"{bsc}/slip44:714", ACCOUNT, "1", "", "")
    trx = ("COIN", tron, f"{tron}/slip44:195", TRON.address, "1", "", "")
    signatures = build(tmp_path, usdt, trc20, native, trx)
    assert [(entry.chain, entry.address) for entry in signatures] == [
        ("bsc", ACCOUNT),
        ("tron", TRON.address),
    ]
    for place, cell, words in (
        (1, "eip155:1", "contract: an asset of another chain than ethereum"),
        (2, f"{bsc}/slip44:60", "contract: bsc has slip44:714 and tokens of erc20"),
        (2, f"{bsc}/trc20:{USDT['tron']}", "contract: bsc has slip44:714 and tokens of erc20"),
        (2, f"{bsc}/erc20:", "contract: bsc has slip44:714 and tokens of erc20"),
        (2, f"{bsc}/erc20:{USDT['bsc'].lower()}", "contract: .* is no unit of USDT"),
        (3, f"eip155:1:{ACCOUNT}", "address: an account of another chain than bsc"),
        (3, f"eip155:9999:{ACCOUNT}", "address: not an address of 0x and 40 hex digits"),
        (3, f"{bsc}:{ACCOUNT.lower()}", "address: the EIP-55 checksum"),
    ):
        row = (*usdt[:place], cell, *usdt[place + 1 :])
        assert re.search(f"list.csv: row 2, column {words}", refusal(tmp_path, row)), cell


def test_a_list_by_itself_is_read_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    with path.open("w", newline="") as file:
        row = coin("bsc", "", EVM["ethereum"].signature[2:].upper())
        csv.writer(file).writerows([EVIDENCE_COLUMNS, row])
    check_list(path, ASSETS, MESSAGES, lambda _: None)
