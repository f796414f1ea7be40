"""OKX's lists: what verifies, what is stale, what counts, and what is refused."""

from __future__ import annotations

import contextlib
import csv
import json
import random
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from prover.assets.signing import sign_tip191
from prover.errors import ProverError
from prover.imports import names
from prover.imports.okx import import_okx
from prover.imports.rows import Challenge, Challenges, Row, Status
from prover.imports.signatures import okx_digest
from prover.sample.sample import HEIGHTS, make_sample
from tests.support import import_lists as lists
from tests.support.exchange_files import outside
from tests.support.import_lists import COLUMNS, STATIC, TOTALS, account, line, okx_signature
from verifier.format.chains import CHAINS, Family
from verifier.format.units import known_units
from verifier.ownership import check_ownership, parse_address
from verifier.ownership.families.evm import account_text
from verifier.ownership.families.tron import tron_text


def tron_signature(digest: bytes) -> str:
    """A signature of a digest by the key of the Tron account of these tests."""
    raw = lists.private_key(4).sign_recoverable(digest, hasher=None)
    return "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


MESSAGE = "assay/v1/ownership\nas it were\nof this snapshot"
CHALLENGES = {chain: Challenge(MESSAGE, 20914735) for chain in ("bitcoin", "ethereum")}


def read(folder: Path, text: str, challenges: Challenges | None = None) -> Sequence[Row]:
    (folder / "list.csv").write_text(text, encoding="utf-8", newline="")
    return import_okx(folder / "list.csv", challenges or {}).rows


def verdict(folder: Path, row: str, challenges: Challenges | None = None) -> tuple[Status, str]:
    (found,) = read(folder, f"{COLUMNS}\n{row}", challenges)
    return found.verdict.status, found.verdict.reason


def test_the_layout_with_totals(tmp_path: Path) -> None:
    owners = account(4), account(5)
    signed = okx_signature(4), okx_signature(5)
    contract = "0x57e2dcd253527a0f70c6a3de3556f6e6e163f19c"
    text = TOTALS + COLUMNS + "\n" + lists.ethereum_row(4) + lists.multisig_row() + line(
        "USDT-TON", "TON", "1", "UQB1", "170.4", STATIC, "0x00", "", "67"
    ) + line("ETH", "ETH", "1", contract, "2", STATIC, *signed, "", *owners)  # fmt: skip
    rows = read(tmp_path, text)
    assert [(row.line, row.asset, row.network, row.verdict.status) for row in rows] == [
        (7, "ETH", "ethereum", Status.STALE),
        (8, "BTC", "bitcoin", Status.STALE),
        (9, "USDT", "ton", Status.UNCHECKED),
        (10, "ETH", "ethereum", Status.UNCHECKED),
    ]
    assert [row.amount for row in rows] == [5 * 10**17, 150_000_000, None, 2 * 10**18]
    assert rows[0].address.lower() == account(4) != rows[0].address
    stated = import_okx(tmp_path / "list.csv", {}).stated
    assert [(item.name, item.amount) for item in stated] == [
        ("ETH(ALL)", "6"), ("ETH", "5.2834"), ("BTC", "449.5140")
    ]  # fmt: skip


def test_the_layout_without_totals(tmp_path: Path) -> None:
    script = lists.multisig(2, [1, 2, 3])
    text = (
        lists.BARE_COLUMNS
        + "\n"
        + line("USDT", "ETH", account(4), okx_signature(4), "null", STATIC, "", "", "")
        + line(
            "BTC", "BTC", lists.script_address(script, "sh"), lists.compact_signature(2),
            lists.compact_signature(1), STATIC, script.hex(), "", "",
        )
        + line("SOL", "SOL", "TSBg", "0x1c", "null", STATIC, "null", "", "")
        + line("XYZ", "NOWHERE", "x", "y", "null", STATIC, "null", "", "")
    )  # fmt: skip
    rows = read(tmp_path, text)
    stale, unchecked = Status.STALE, Status.UNCHECKED
    assert [row.verdict.status for row in rows] == [stale, stale, unchecked, unchecked]
    assert [row.amount for row in rows] == [None] * 4
    assert "not in the table of names" in rows[3].verdict.reason


def test_staking_rows(tmp_path: Path) -> None:
    header = COLUMNS.replace("coin,", "coin,Type,")
    validator = "0x" + "ab" * 48
    row = line(
        "ETH", "Native ETH Staking", "ETH", "1", validator, "32", STATIC, okx_signature(4), "", "",
        account(4), "",
    )  # fmt: skip
    (found,) = read(tmp_path, f"{header}\n{row}")
    assert found.verdict.status is Status.UNCHECKED
    assert found.verdict.reason.startswith("1 of its owners signed")


@pytest.mark.parametrize("network", ["ARBITRUM", "POLYGON", "BSC"])
def test_accounts_on_other_networks(tmp_path: Path, network: str) -> None:
    row = lists.ethereum_row(4, MESSAGE).replace("ETH,ETH", f"ETH,{network}")
    status, reason = verdict(tmp_path, row, CHALLENGES)
    assert (status, reason) == (
        Status.STALE,
        f"signed by its account, by OKX's rule, but the snapshot has no block of {network.lower()}",
    )


def test_a_sample_exchange_signed_for_this_snapshot_counts(tmp_path: Path) -> None:
    """Its evidence, put into OKX's layout and imported, is the same evidence."""
    made = make_sample(tmp_path / "exchange", 10, ["BTC", "ETH", "USDT"], 3)
    done = outside("challenge", str(made.config), "--json")
    messages = json.loads(done.out)
    decimals = {(unit.code, unit.chain): unit.decimals for unit in known_units()}
    coins = {"BTC": "BTC", "ETH": "ETH", "USDT": "USDT-ERC20"}
    with (tmp_path / "exchange" / "evidence.csv").open(newline="") as file:
        evidence = list(csv.DictReader(file))
    text = COLUMNS + "\n"
    for row in evidence:
        chain = row["chain"]
        places = decimals[row["asset"], chain]
        amount = f"{Decimal(row['amount']).scaleb(-places):f}"
        network = {"bitcoin": "BTC", "ethereum": "ETH"}[chain]
        text += line(
            coins[row["asset"]], network, str(HEIGHTS[chain]), row["address"], amount,
            messages[chain], row["signature"],
        )  # fmt: skip
    (tmp_path / "list.csv").write_text(text, newline="")
    arguments = ["import", "okx", str(tmp_path / "list.csv"), "--snapshot", str(made.config)]
    out = ["--out", str(tmp_path / "imported.csv")]
    done = outside(*arguments, *out)
    assert done.code == 0, done.err
    assert f"{len(evidence)} of {len(evidence)} rows count" in done.out
    with (tmp_path / "imported.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == evidence
    again = outside(*arguments, *out)
    assert again.code == 1
    assert "nothing is overwritten" in again.err

    (tmp_path / "other.csv").write_text(text.replace(str(HEIGHTS["bitcoin"]), "870001"), newline="")
    done = outside(*arguments[:2], str(tmp_path / "other.csv"), *arguments[3:], "--json")
    found = [row for row in json.loads(done.out)["rows"] if row["network"] == "bitcoin"]
    assert {row["status"] for row in found} == {"stale"}
    assert "it is of block 870001, the snapshot of block 870000" in found[0]["reason"]


def test_no_other_message_counts(tmp_path: Path) -> None:
    other = MESSAGE.replace("this", "another")
    for message in (STATIC, other, MESSAGE + "\n", MESSAGE.replace("\n", "\r\n")):
        row = line(
            "BTC", "BTC", "", lists.address_of(lists.private_key(4).public_key), "1", message,
            lists.compact_signature(4, message, 39),
        )  # fmt: skip
        status, reason = verdict(tmp_path, row, CHALLENGES)
        if message == MESSAGE + "\n":  # the space around a cell is not the file's
            assert status is Status.FAILED
        else:
            assert status is Status.STALE
            assert "does not name this exchange, snapshot and block" in reason


def test_a_fresh_signature_by_a_rule_of_okx_alone_does_not_count(tmp_path: Path) -> None:
    status, reason = verdict(tmp_path, lists.ethereum_row(4, MESSAGE), CHALLENGES)
    assert (status, reason) == (
        Status.VERIFIED,
        "signed for this snapshot by its account, by OKX's rule, which no bundle takes",
    )
    row = lists.multisig_row(message=MESSAGE).replace("763861", "20914735")
    status, reason = verdict(tmp_path, row, CHALLENGES)
    assert (status, reason) == (
        Status.VERIFIED,
        "signed for this snapshot by 2 keys of its 2-of-3 script, which no bundle takes",
    )


def test_a_fresh_signature_without_an_amount_does_not_count(tmp_path: Path) -> None:
    address = lists.address_of(lists.private_key(4).public_key)
    signature = lists.compact_signature(4, MESSAGE, 39)
    row = line("BTC", "BTC", "", address, "", MESSAGE, signature)
    assert verdict(tmp_path, row, CHALLENGES)[0] is Status.VERIFIED
    row = line("BTC", "BTC", "", address, "1", MESSAGE, signature)
    assert verdict(tmp_path, row, CHALLENGES)[0] is Status.COUNTS


@pytest.mark.parametrize("header", [27, 31])
def test_single_keys(tmp_path: Path, header: int) -> None:
    key = lists.private_key(4).public_key.format(compressed=header == 31)
    for script in lists_of_scripts(key):
        row = line(
            "BTC", "BTC", "1", script, "1", STATIC, lists.compact_signature(4, header=header)
        )
        assert verdict(tmp_path, row)[0] is Status.STALE
        other = 58 - header  # the other kind of key
        row = line("BTC", "BTC", "1", script, "1", STATIC, lists.compact_signature(4, header=other))
        assert verdict(tmp_path, row)[0] is Status.FAILED


def lists_of_scripts(key: bytes) -> list[str]:
    from embit.script import Script

    from prover.imports.signatures import key_scripts

    scripts = key_scripts(key)
    assert len(scripts) == (3 if len(key) == 33 else 1)
    return [Script(script).address() for script in scripts]


@pytest.mark.parametrize("v", [0, 27])
def test_both_spellings_of_v_and_of_hex(tmp_path: Path, v: int) -> None:
    raw = bytes.fromhex(okx_signature(4)[2:])
    text = "0x" + raw[:64].hex().upper() + f"{raw[64] - 27 + v:02X}"
    assert verdict(tmp_path, lists.ethereum_row(4, signature=text))[0] is Status.STALE


SCRIPT = lists.multisig(2, [1, 2, 3])
P2WSH = lists.script_address(SCRIPT, "wsh")
ONE, TWO, FOUR = (lists.compact_signature(number) for number in (1, 2, 4))
VALIDATOR = "0x" + "ab" * 20


def bitcoin(address: str = P2WSH, one: str = ONE, two: str = TWO, script: str = "") -> str:
    return line("BTC", "BTC", "1", address, "1", STATIC, one, two, script or SCRIPT.hex())


def ethereum(**cells: str) -> str:
    row = {
        "coin": "ETH", "network": "ETH", "height": "1", "address": account(4), "amount": "0.5",
        "message": STATIC, "one": okx_signature(4), "two": "", "script": "", "eoa1": "", "eoa2": "",
    }  # fmt: skip
    return line(*(row | cells).values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bitcoin(two=""), "1 of its keys signed; it takes 2"),
        (bitcoin(two=ONE), "1 of its keys signed; it takes 2"),
        (bitcoin(two=FOUR), "a signature is by no key of the script"),
        (bitcoin(script="00"), "the redeem script is not the address's"),
        (bitcoin(script="zz"), "missing, or not hex"),
        (bitcoin(lists.address_of(lists.private_key(1).public_key)), "has no redeem script"),
        (bitcoin(script=" "), "missing, or not hex"),
        (bitcoin(P2WSH[:-1] + ("p" if P2WSH[-1] == "q" else "q")), "not a bitcoin address"),
        (bitcoin(one=ONE[:-4]), "not 65 bytes"),
        (bitcoin(one="?" * 88), "not base64"),
        (bitcoin(one="AAAA" * 22), "with a header of 27 to 42"),
        (
            bitcoin(lists.script_address(b"\x51", "wsh"), script="51"),
            "the script is not bare multisig",
        ),
        (
            bitcoin(
                lists.script_address(lists.multisig(2, [1, 1, 2]), "sh"),
                script=lists.multisig(2, [1, 1, 2]).hex(),
            ),
            "a key occurs twice",
        ),
        (ethereum(message="I am an OKX addresS"), "by another key or over another message"),
        (ethereum(address=account(5)), "by another key or over another message"),
        (ethereum(address=account(5).upper()), "not an address of 0x"),
        (ethereum(address=account(5).replace("a", "A")), "checksum"),
        (ethereum(one=okx_signature(4)[:-2] + "1d"), "0x and 65 bytes in hex"),
        (ethereum(one="0x" + "00" * 64 + "1b"), "no public key recovers"),
        (ethereum(one=""), "no message or no signature"),
        (ethereum(message=""), "no message or no signature"),
        (ethereum(two=okx_signature(5)), "names no second owner"),
        (ethereum(amount="-1"), "its amount is not a decimal number"),
        (ethereum(amount="1e3"), "its amount is not a decimal number"),
        (ethereum(amount="0.0000000000000000001"), "more decimals than the chain"),
        (ethereum(address=VALIDATOR, eoa1=account(5)), "not its owner's"),
        (ethereum(address=VALIDATOR, eoa1=account(4), eoa2=account(5)), "0x and 65 bytes"),
        (ethereum(address=VALIDATOR, eoa1="me"), "an owner is not an account"),
        (bitcoin().rstrip("\n") + ",me,\n", "names owners, but is no contract's"),
        (ethereum().rstrip("\n") + ",,more\n", "13 values instead of 11"),
    ],
)
def test_rows_that_fail(tmp_path: Path, row: str, reason: str) -> None:
    for challenges in ({}, CHALLENGES):
        status, found = verdict(tmp_path, row, challenges)
        assert status is Status.FAILED
        assert reason in found


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ethereum(coin="ETH-ARBITRUM"), "two networks"),
        (ethereum(network="MARS", address=account(5)), "not in the table of names"),
        (ethereum(network="MARS", one="0x00"), "not in the table of names"),
        (ethereum(network="MARS", address="mars1qqqq"), "not in the table of names"),
        (ethereum(network="MARS", two=okx_signature(5)), "not in the table of names"),
        (ethereum(network="MARS", eoa1=account(4)), "not in the table of names"),
        (ethereum(network="SOL"), "signatures on solana cannot be checked here"),
        (bitcoin("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"), "no standard template"),
    ],
)
def test_rows_that_cannot_be_checked(tmp_path: Path, row: str, reason: str) -> None:
    status, found = verdict(tmp_path, row)
    assert status is Status.UNCHECKED
    assert reason in found


def test_an_address_counts_once(tmp_path: Path) -> None:
    first = ethereum()
    rows = read(tmp_path, COLUMNS + "\n" + first + ethereum(address=account(4)) + first)
    assert [row.verdict.status for row in rows] == [Status.STALE, Status.FAILED, Status.FAILED]
    assert rows[1].verdict.reason == "counted already in line 2"
    rows = read(tmp_path, COLUMNS + "\n" + ethereum(message="x") + first + first)
    assert [row.verdict.status for row in rows] == [Status.FAILED, Status.STALE, Status.FAILED]
    assert rows[2].verdict.reason == "counted already in line 3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no table of addresses"),
        (TOTALS, "line 5: it has no table of addresses"),
        ("coin,network,address,colour\n", "line 1: the column message is missing"),
        ('coin,"network\n', "line 1: not a row of CSV: unexpected end of data"),
        ("coin,coin\n", "line 1, column 2: a column occurs twice"),
        ("coin,network,address,message\n", "line 1: the column signature1 is missing"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProverError, match=r"list\.csv") as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('"ETH\n', "not a row of CSV"),
        ("x" * 200_000 + "\n", "not a row of CSV: field larger than field limit"),
        (ethereum(script="PLACE").replace("PLACE", '"a"b'), "not a row of CSV"),
        (ethereum(message="PLACE").replace("PLACE", '"{'), "not a row of CSV"),
        (ethereum(script="PLACE").replace("PLACE", '{"a","b"'), "12 values instead of 11"),
        (ethereum().rstrip("\n") + ",,more\n", "13 values instead of 11"),
        (ethereum(amount="-1"), "its amount is not a decimal number"),
    ],
)
def test_a_bad_cell_fails_its_row_alone(tmp_path: Path, bad: str, reason: str) -> None:
    """Whatever stands before it and behind it is read, in its own lines."""
    several = ethereum(address=account(6), message="a\nb", one=okx_signature(6, "a\nb"))
    rows = read(tmp_path, COLUMNS + "\n" + several + bad + ethereum() + lists.multisig_row())
    assert [(row.line, row.verdict.status) for row in rows] == [
        (2, Status.STALE),
        (4, Status.FAILED),
        (5, Status.STALE),
        (6, Status.STALE),
    ]
    assert reason in rows[1].verdict.reason


def test_open_quotes_do_not_swallow_a_list(tmp_path: Path) -> None:
    rows = read(tmp_path, COLUMNS + "\n" + '"ETH\n' * 1000 + ethereum())
    assert [row.verdict.status for row in rows] == [Status.FAILED] * 1000 + [Status.STALE]
    assert rows[-1].line == 1002


JSON = '{"keys":["a","b"],"m":2}'


@pytest.mark.parametrize("cell", [JSON, "[1,2,3]", '{"a":{"b":[1,2],"c":"x"},"d":[{},{}]}'])
def test_cells_of_json_are_read_as_by_okx(tmp_path: Path, cell: str) -> None:
    """Written as they are, or quoted as CSV wants it: the row is that of its other cells."""
    plain = ethereum(script="PLACE").replace("PLACE", cell)
    elsewhere = ethereum(script="PLACE", network="APTOS", address="0x12").replace("PLACE", cell)
    rows = read(tmp_path, COLUMNS + "\n" + plain + elsewhere)
    found = [row.verdict.status for row in rows]
    assert found == [Status.STALE, Status.UNCHECKED]
    assert [row.network for row in rows] == ["ethereum", "aptos"]
    (quoted,) = read(tmp_path, COLUMNS + "\n" + ethereum(script=cell))
    assert quoted.verdict.status is Status.STALE


def test_a_row_of_several_lines_is_one_row(tmp_path: Path) -> None:
    """Its first line alone, split as OKX does, would be as long as the header."""
    odd = '{},ETH,1,a,1,m,s,,,,"x\ny",more\n'
    rows = read(tmp_path, COLUMNS + "\n" + odd + ethereum())
    assert [(row.line, row.verdict.status) for row in rows] == [
        (2, Status.FAILED),
        (4, Status.STALE),
    ]


NETWORKS = ["SCROLL", "SONIC", "CELO", "RONIN", "MONAD", "HYPEREVM", "OP_BNB", "ETH_ZKSYNC", "new"]


@pytest.mark.parametrize("network", NETWORKS)
def test_accounts_need_no_table_of_networks(tmp_path: Path, network: str) -> None:
    text = COLUMNS + "\n" + ethereum(network=network)
    mixed = parse_address("ethereum", account_text(bytes.fromhex(account(4)[2:]))).text
    for address in (account(4), mixed, "0x" + account(4)[2:].upper()):
        row = ethereum(network=network, address=address, coin="xyz", amount="7")
        (found,) = read(tmp_path, COLUMNS + "\n" + row)
        assert (found.network, found.asset, found.amount) == (network, "XYZ", None)
        assert found.verdict.status is Status.STALE
        assert found.verdict.reason.startswith("signed by its account, by OKX's rule, but")
    fresh = ethereum(network=network, message=MESSAGE, one=okx_signature(4, MESSAGE))
    assert verdict(tmp_path, fresh, CHALLENGES) == (
        Status.STALE,
        f"signed by its account, by OKX's rule, but the snapshot has no block of {network}",
    )
    assert len(read(tmp_path, text + ethereum(network=network))) == 2


def test_signatures_of_networks_by_another_rule_are_not_called_false(
    tmp_path: Path, test_cases: Path
) -> None:
    """OKX's own vectors, as rows of a network whose name is unknown."""
    vectors = json.loads((test_cases / "chains" / "okx.json").read_text())["vectors"]
    found: dict[str, set[Status]] = {}
    for vector in vectors:
        row = line(
            "NEWCOIN", "NEWNET", "-", vector["addr"], "1", vector["msg"], vector["sign1"],
            vector.get("sign2", ""), vector.get("script", vector.get("pubKey", "")),
        )  # fmt: skip
        is_account = vector["addr"].startswith("0x") and len(vector["addr"]) == 42
        kind = vector["kind"] + " account" * is_account
        found.setdefault(kind, set()).add(verdict(tmp_path, row)[0])
    assert found.pop("evm account") == {Status.STALE}
    assert found.pop("ecdsa account") == {Status.UNCHECKED}
    assert set().union(*found.values()) == {Status.UNCHECKED}


def staking_row(kind: str, two: str, amount: str = "32") -> str:
    return line(
        "ETH", kind, "ETH", "1", "0x" + "cd" * 48, amount, STATIC, okx_signature(4), two, "",
        account(4), account(5),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["Eigenlayer Staking", "EigenLayer Restaking", "eigen layer"])
@pytest.mark.parametrize("two", ["", okx_signature(5), okx_signature(4), "0x" + "11" * 65])
def test_an_eigenpod_does_not_sign(tmp_path: Path, kind: str, two: str) -> None:
    header = COLUMNS.replace("coin,", "coin,Type,")
    (found,) = read(tmp_path, f"{header}\n{staking_row(kind, two)}")
    assert found.verdict.status is Status.UNCHECKED
    assert found.verdict.reason.startswith("1 of its owners signed, the other is an EigenPod")
    first = staking_row(kind, two).replace(okx_signature(4), okx_signature(6), 1)
    (found,) = read(tmp_path, f"{header}\n{first}")
    assert found.verdict.status is Status.FAILED


@pytest.mark.parametrize("kind", ["Native ETH Staking", "Non Staking", "", "Lido"])
@pytest.mark.parametrize("two", ["", okx_signature(4), "0x" + "11" * 65])
def test_of_other_kinds_both_owners_sign(tmp_path: Path, kind: str, two: str) -> None:
    header = COLUMNS.replace("coin,", "coin,Type,")
    (found,) = read(tmp_path, f"{header}\n{staking_row(kind, two)}")
    assert found.verdict.status is Status.FAILED


def run(folder: Path, text: str, *more: str) -> tuple[int, str]:
    (folder / "list.csv").write_text(text, newline="")
    done = outside("import", "okx", str(folder / "list.csv"), *more)
    return done.code, done.out


def test_columns_of_no_known_name_are_told(tmp_path: Path) -> None:
    header = COLUMNS.replace("message,", "message,co\x1blour,,")
    row = ethereum().replace(STATIC + ",", STATIC + ",red,,")
    code, out = run(tmp_path, f"{header}\n{row}")
    assert code == 0
    assert "stale: signed by its account" in out
    assert "not read, for it is not known here: column co\\x1blour" in out
    assert "not read, for it is not known here: column (without a name)" in out
    many = "".join(f",more {number}" for number in range(100))
    code, out = run(tmp_path, f"{COLUMNS}{many}\n{ethereum()}", "--json")
    found = json.loads(out)["unread"]
    assert (code, len(found), found[-1]) == (0, 21, "80 more of them")


ROWS = (
    ethereum(amount="1.25")
    + ethereum(coin="ETH-ARBITRUM", network="ARBITRUM", amount="2.5")
    + bitcoin()
    + ethereum(coin="USDT", network="SOL", address="T1", amount="10.129")
)


@pytest.mark.parametrize(
    ("name", "amount", "said"),
    [
        ("ETH", "1.25", ""),
        ("ETH", " 1.2500", ""),
        ("eth", "1.2", ""),
        ("ETH", "1", ""),
        ("ETH(ALL)", "3.75", ""),
        ("ETH(ALL)", "4", ""),
        ("BTC", "1", ""),
        ("USDT", "10.13", ""),
        ("USDT", "10.12", ""),
        ("ETH", "1.24", "but its rows add up to 1.25"),
        ("ETH", "1.26", "but its rows add up to 1.25"),
        ("ETH(ALL)", "1.25", "but its rows add up to 3.75"),
        ("ETH", "2", ""),
        ("ETH", "3", "but its rows add up to 1.25"),
        ("BTC", "449.5140", "but its rows add up to 1"),
        ("SOL", "1", "but its rows add up to 0"),
        ("SOL", "0", ""),
        ("BTC", "1,000", "not compared"),
        ("BTC", "-", "not compared"),
    ],
)
def test_totals_are_compared_with_the_rows(
    tmp_path: Path, name: str, amount: str, said: str
) -> None:
    """To the places that a total has, rounded in whatever way."""
    total = line(name, "-", amount)
    text = f"coin,snapshot height,amount\n{total}\n{COLUMNS}\n{ROWS}"
    code, out = run(tmp_path, text)
    (found,) = (each for each in out.splitlines() if each.startswith("the list states"))
    assert said in found
    assert found.endswith(amount.strip()) is (said == "")
    assert code == (3 if "add up" in said else 0)
    _, out = run(tmp_path, text, "--json")
    contradictions = json.loads(out)["contradictions"]
    assert bool(contradictions) is ("add up" in said)
    if contradictions:
        rows = said.removeprefix("but its rows add up to ")
        assert contradictions == [{"name": name, "stated": amount.strip(), "rows": rows}]


@pytest.mark.parametrize(
    ("name", "row", "is_compared"),
    [
        ("ETH", ethereum(address=account(7), amount=""), False),
        ("ETH", ethereum(address=account(7), amount="-1"), False),
        ("BTC", ethereum(address=account(7), amount=""), True),
        ("BTC", '"broken\n', False),
        ("ETH(ALL)", ethereum(coin="ETH-NEWNET", network="NEWNET", amount="1"), False),
        ("ETH", ethereum(coin="ETH-NEWNET", network="NEWNET", amount="1"), True),
    ],
)
def test_a_total_whose_rows_are_not_clear_is_not_compared(
    tmp_path: Path, name: str, row: str, is_compared: bool
) -> None:
    total = line(name, "-", "777")
    _, out = run(tmp_path, f"coin,snapshot height,amount\n{total}\n{COLUMNS}\n{ROWS}{row}")
    (found,) = (each for each in out.splitlines() if each.startswith("the list states"))
    assert ("but its rows add up to" in found) is is_compared
    assert ("not compared" in found) is not is_compared


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProverError, match="No such file"):
        import_okx(tmp_path / "none", {})
    with pytest.raises(ProverError, match="directory"):
        import_okx(tmp_path, {})
    (tmp_path / "list.csv").write_bytes(COLUMNS.encode() + b"\n\xff\n")
    with pytest.raises(ProverError, match="not UTF-8"):
        import_okx(tmp_path / "list.csv", {})
    monkeypatch.setattr("prover.imports.okx.MAX_FILE_BYTES", 10)
    with pytest.raises(ProverError, match="larger than 10 bytes"):
        import_okx(tmp_path / "list.csv", {})
    monkeypatch.undo()
    monkeypatch.setattr("prover.imports.okx.MAX_ROWS", 1)
    with pytest.raises(ProverError, match="line 3: more than 1 rows"):
        read(tmp_path, COLUMNS + "\n" + ethereum() * 2)


def test_command(tmp_path: Path) -> None:
    text = COLUMNS + "\n" + ethereum() + ethereum(address=account(5), message="\x1b[31m\n\u202e")
    (tmp_path / "list.csv").write_text(text, newline="")
    done = outside("import", "okx", str(tmp_path / "list.csv"))
    assert done.code == 3
    assert "0 of 2 rows count" in done.out
    assert "ETH on ethereum: failed 1 row, 500000000000000000 base units" in done.out
    done = outside("import", "okx", str(tmp_path / "list.csv"), "--json")
    assert done.code == 3
    found = json.loads(done.out)
    assert [row["status"] for row in found["rows"]] == ["stale", "failed"]
    assert found["totals"] == [
        {
            "asset": "ETH",
            "network": "ethereum",
            "rows": {"failed": 1, "stale": 1},
            "amounts": {"failed": str(5 * 10**17), "stale": str(5 * 10**17)},
        }
    ]
    (tmp_path / "list.csv").write_text(COLUMNS + "\n" + ethereum(), newline="")
    assert outside("import", "okx", str(tmp_path / "list.csv")).code == 0


def test_text_of_a_file_does_not_act_on_the_terminal(tmp_path: Path) -> None:
    message = "\x1b[31m\n\u202e"
    row = ethereum(message=message, one=okx_signature(4, message), coin="\x07ETH")
    (tmp_path / "list.csv").write_text(COLUMNS + "\n" + row, newline="")
    done = outside("import", "okx", str(tmp_path / "list.csv"))
    assert "\\x1b[31m\\n\\u202e" in done.out
    assert all(text.isprintable() for text in done.out.split("\n"))


def test_table_of_names() -> None:
    table = tomllib.loads(Path(names.__file__).with_name("names.toml").read_text())
    unproven = [*table["networks"]["evm"], *table["networks"]["unread"]]
    # A network is named in one place, and those that the verifier knows are in its table.
    assert len({*unproven, *CHAINS}) == len(unproven) + len(CHAINS)
    for name in unproven:
        family = Family.EVM if name in table["networks"]["evm"] else None
        assert names.network(name) == names.Network(name, family, "")
    for name, chain in CHAINS.items():
        assert names.network(name) == names.Network(name, chain.family, name)
    with pytest.raises(KeyError):
        names.network("nowhere")
    okx = table["okx"]
    used = [*okx["networks"].values(), *(place for _, place in okx["coins"].values())]
    assert set(used) <= {*unproven, *CHAINS}
    assert all(name == name.upper() for name in (*okx["networks"], *okx["coins"]))
    assert set(table["bitmex"]["chains"].values()) == {"bitcoin"}


def tron(**cells: str) -> str:
    row = {"coin": "TRX", "network": "TRX", "amount": "1", "address": TRON.address}
    return ethereum(**(row | {"one": TRON.signature} | cells))


TRON_KEY = lists.private_key(4)
TRON = sign_tip191(TRON_KEY.secret, STATIC)
HASHED = tron_signature(okx_digest(STATIC, b"\x19TRON"))


@pytest.mark.parametrize(
    ("row", "status", "reason"),
    [
        (tron(), Status.STALE, "signed by tip191"),
        (tron(network="TRON"), Status.STALE, "signed by tip191"),
        (
            tron(one="0x" + TRON.signature[2:].upper()),
            Status.STALE,
            "signed by its account, by TIP-191",
        ),
        (tron(one=HASHED), Status.STALE, "signed by its account, by OKX's rule"),
        (tron(one=okx_signature(4)), Status.FAILED, "by another key or over another message"),
        (tron(message=STATIC + "."), Status.FAILED, "by another key or over another message"),
        (tron(address=tron_text(bytes(20))), Status.FAILED, "by another key"),
        (tron(address=TRON.address[:-1]), Status.FAILED, "a Tron address has 34 characters"),
        (tron(address=account(4)), Status.FAILED, "a Tron address has 34 characters"),
        (tron(one=HASHED, two=HASHED), Status.FAILED, "names no second owner"),
        (tron(eoa1=account(4)), Status.FAILED, "names owners, but is no contract's"),
        (tron(one=TRON.signature[2:]), Status.FAILED, "0x and 65 bytes in hex"),
    ],
)
def test_accounts_of_tron(tmp_path: Path, row: str, status: Status, reason: str) -> None:
    found = verdict(tmp_path, row)
    assert found[0] is status
    assert reason in found[1]


def test_an_account_of_tron_signed_for_this_snapshot(tmp_path: Path) -> None:
    challenges = {**CHALLENGES, "tron": Challenge(MESSAGE, 1)}
    row = tron(coin="ZZZ", message=MESSAGE, one=sign_tip191(TRON_KEY.secret, MESSAGE).signature)
    status, reason = verdict(tmp_path, row, challenges)
    assert (status, reason) == (
        Status.VERIFIED,
        "signed for this snapshot by tip191, but without an amount of an asset that the verifier "
        "knows",
    )
    hashed = tron(message=MESSAGE, one=tron_signature(okx_digest(MESSAGE, b"\x19TRON")))
    assert verdict(tmp_path, hashed, challenges)[0] is Status.VERIFIED


def test_any_change_of_a_list(tmp_path: Path) -> None:
    """Whatever a file holds: rows or one error; and nothing counts but what the verifier takes."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    address = lists.address_of(lists.private_key(4).public_key)
    counting = line(
        "BTC", "BTC", "20914735", address, "1", MESSAGE, lists.compact_signature(4, MESSAGE, 39)
    )
    good = (TOTALS + COLUMNS + "\n" + counting + bitcoin() + ethereum()).encode()
    path = tmp_path / "list.csv"
    counted = 0
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at : at + rng.randrange(1, 40)]
                case 2:
                    data[at:at] = data[at : at + rng.randrange(1, 40)]
                case 3:
                    data[at:at] = rng.choice([b",", b'"', b"\n", b"\n\n", b"\0", b"\xff", b"null"])
        path.write_bytes(data)
        rows: Sequence[Row] = ()
        with contextlib.suppress(ProverError):
            rows = import_okx(path, CHALLENGES).rows
        for row in rows:
            if row.verdict.status is Status.COUNTS:
                counted += 1
                parsed = parse_address(row.chain, row.address)
                check_ownership(parsed, MESSAGE, row.verdict.format, row.signature)
    assert counted, f"seed {seed}"
