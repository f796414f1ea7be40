"""Lists of units in files: what is taken, what is left out and counted, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verifier.bundle.unit_lists import MAX_LIST_BYTES, MAX_LIST_UNITS, parse_units, read_units
from verifier.errors import CannotCheck, Misuse
from verifier.format.units import KnownUnit
from verifier.ownership.families.evm import account_text

A, B = "0x" + "11" * 20, "0x" + "22" * 20
CHECKED = "0xd9aAEc86B65D86f6A7B5B1b0c42FFA531710b6CA"
HEADER = "code,chain,contract,decimals\n"
COIN = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"


def token(**fields: Any) -> dict[str, Any]:
    return {"chainId": 8453, "address": A, "symbol": "Own", "decimals": 18, "name": "n"} | fields


def listed(*tokens: Any) -> bytes:
    return json.dumps({"name": "x", "timestamp": "t", "tokens": tokens}).encode()


def units(*tokens: Any) -> tuple[KnownUnit, ...]:
    return parse_units("x.tokenlist.json", listed(*tokens)).units


def test_a_token_list_is_read() -> None:
    jst = "TCFLL5dx5ZJdKnWuesXxi1VPwjLVmWZZy9"
    assert units(
        token(extensions={"bridgeInfo": {"10": {"tokenAddress": A}}}),
        token(address="0x" + "AB" * 20, symbol="UP"),
        token(chainId=10, address=COIN, symbol="eth"),
        token(chainId=728126428, address=jst, symbol="JST"),
        token(),
    ) == (
        KnownUnit("OWN", "base", A, 18),
        KnownUnit("UP", "base", account_text(b"\xab" * 20), 18),
        KnownUnit("ETH", "optimism", "", 18),
        KnownUnit("JST", "tron", jst, 18),
    )


def test_what_there_is_no_room_for_is_left_out_and_counted() -> None:
    data = listed(
        token(symbol="USDC.e"),
        token(symbol="lıNK"),  # its second letter is I in upper case
        token(symbol="A" * 17),
        token(symbol=""),
        token(chainId=501000101, address="So11111111111111111111111111111111111111112"),
        token(decimals=37),
        token(),
    )
    found = parse_units("x.json", data)
    assert found.units == (KnownUnit("OWN", "base", A, 18),)
    assert found.warning == (
        "x.json: left out 1 of chains that this version does not know, 1 of more than 36 decimals, "
        "4 of symbols that are no code"
    )
    assert parse_units("x.json", listed(token())).warning == ""


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ([token(), token(symbol="OWN", address=B)], f"token 2: OWN on base is both {A} and {B}"),
        ([token(), token(symbol="ABC")], "token 2: ABC on base is before it OWN with 18 decimals"),
        ([token(), token(decimals=6)], "token 2: OWN on base is before it OWN with 18 decimals"),
        ([token(symbol="usdc")], "token 1: USDC on base is known to be something else"),
        ([token(chainId=137, address=COIN, symbol="MATIC")], "MATIC on polygon is known to be"),
        ([token(chainId=10, address=COIN, decimals=8)], "token 1: the chain's own coin has 18"),
        ([token(address=CHECKED[:-1] + "a")], "token 1: OWN on base: the EIP-55 checksum"),
        ([token(address="0x12")], "token 1: OWN on base: not an address of 0x and 40"),
        ([token(address="")], "token 1: the address is empty"),
        (
            [token(chainId=728126428, address=A)],
            "token 1: OWN on tron: a Tron address has 34 characters",
        ),
        ([token(decimals=256)], "token 1: the decimals are not 0 to 255"),
        ([token(decimals=-1)], "token 1: the decimals are not 0 to 255"),
        ([token(decimals=True)], "token 1: no decimals, or one of another type than int"),
        ([token(chainId="8453")], "token 1: no chainId"),
        ([token(symbol=None)], "token 1: no symbol"),
        ([7], "token 1: no chainId"),
        ([token()] * (MAX_LIST_UNITS + 1), "more than 10,000 tokens"),
    ],
)
def test_a_malformed_token_list_is_refused_with_its_place(tokens: list[Any], said: str) -> None:
    with pytest.raises(Misuse) as raised:
        units(*tokens)
    assert str(raised.value).startswith("x.tokenlist.json: ")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[]", "no object with an array of tokens"),
        (b'{"tokens": {}}', "no object with an array of tokens"),
        (b'{"tokens": [', "not JSON"),
        (b'{"tokens": [], "tokens": []}', "a key occurs twice"),
        (b'{"tokens": [], "x": NaN}', "NaN is no number"),
        (b'{"tokens": [], "x": ' + b"[" * 20 + b"]" * 20 + b"}", "nest deeper than 16"),
        (b'{"tokens": []}\n\xff', "line 2: not UTF-8"),
        (b" " * (MAX_LIST_BYTES + 1), "larger than 8 MiB"),
    ],
)
def test_what_is_no_token_list_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Misuse, match=r"x\.json: ") as raised:
        parse_units("x.json", data)
    assert said in str(raised.value)


def test_a_csv_is_read() -> None:
    rows = f"OWN,base,{A},6\r\n\r\nTWO,eip155:10,{B},0\r\nEUR,fiat,EUR,2\r\n"
    found = parse_units("x.csv", b"\xef\xbb\xbf" + (HEADER + rows).encode())
    assert found.units == (
        KnownUnit("OWN", "base", A, 6),
        KnownUnit("TWO", "optimism", B, 0),
        KnownUnit("EUR", "fiat", "EUR", 2),
    )
    lower = f'{HEADER}"USDBC",base,{CHECKED.lower()},6'
    assert parse_units("x.csv", lower.encode()).units == (KnownUnit("USDBC", "base", CHECKED, 6),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns are not code,chain,contract,decimals"),
        ("," * 1_001, "line 1: longer than 1,000 characters"),
        (HEADER + '"OWN\n",base,,6\n', "line 2: unexpected end of data"),
        (f"chain,code,contract,decimals\nbase,OWN,{A},6\n", "line 1: the columns are not"),
        (f"{HEADER}OWN,base,{A}\n", "line 2: 3 fields, not 4"),
        (f"{HEADER}\nOWN,kaspa,,8\n", "line 3: this version does not know the chain kaspa"),
        (f"{HEADER}OWN,base,{A},+6\n", "line 2: the decimals are not 0 to 36"),
        (f"{HEADER}OWN,base,{A},37\n", "line 2: OWN on base: the decimals are not 0 to 36"),
        (f"{HEADER}own,base,{A},6\n", "line 2: own on base: the code is not 1 to 16"),
        (f"{HEADER}OWN,bitcoin,{A},6\n", "line 2: OWN on bitcoin: no contract of bitcoin"),
        (f"{HEADER}OWN,fiat,,2\n", "line 2: OWN on fiat: fiat has no coin of its own"),
        (f'{HEADER}OWN,base,"{A},6\n', "line 2: unexpected end of data"),
        (f"{HEADER}OWN,base,{A},6\nOWN,base,{B},6\n", f"line 3: OWN on base is both {A} and {B}"),
        (f"{HEADER}USDC,base,{A},6\n", "line 2: USDC on base is known to be something else"),
        (HEADER + "".join(f"C{n},base,0x{n:040},6\n" for n in range(10_001)), "line 10002: more"),
    ],
)
def test_a_malformed_csv_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Misuse, match=r"x\.csv: ") as raised:
        parse_units("x.csv", text.encode())
    assert said in str(raised.value)


def test_a_file_is_read_no_further_than_a_list_may_go(tmp_path: Path) -> None:
    path = tmp_path / "sparse.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Misuse, match="larger than 8 MiB"):
        read_units(str(path))
    with pytest.raises(CannotCheck, match="the list of units"):
        read_units(str(tmp_path / "absent.json"))
    with pytest.raises(Misuse, match=r"units\.txt: a list of units is a token list"):
        read_units(str(tmp_path / "units.txt"))
