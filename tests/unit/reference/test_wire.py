"""The reference's canonical msgpack, field types, account ids and addresses."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest

from spec.reference import wire
from spec.reference.account import canonical
from spec.reference.address import bitcoin_script, ethereum_account
from spec.reference.manifest import CAPACITIES, levels_of
from spec.reference.units import KNOWN, Unit, parse_unit
from tests.support.reference_bundle import pack

SEED = 7
LENGTHS = [0, 1, 31, 32, 255, 256, 65535, 65536]


@pytest.mark.parametrize(
    "value",
    [
        *(n for k in (7, 8, 16, 32, 64) for n in ((1 << k) - 1, (1 << k) % (1 << 64))),
        *("x" * n for n in LENGTHS),
        *(b"x" * n for n in LENGTHS),
        *([1] * n for n in (0, 1, 15, 16, 65535, 65536)),
        *({f"{i:06}": i for i in range(n)} for n in (0, 1, 15, 16, 65536)),
        {"": 0, "B": 1, "a": 2, "é": 3, "\U0001f600": 4},
        [[[[[[[[]]]]]]]],
    ],
)
def test_canonical_encodings_decode(value: Any) -> None:
    assert wire.decode(pack(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",  # nil
        b"\xc1",
        b"\xc2",  # booleans
        b"\xc3",
        b"\xca\x00\x00\x00\x00",  # floats
        b"\xcb" + bytes(8),
        b"\xd4\x01\x00",  # extensions
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xc7\x00\x01",
        b"\xff",  # negative integers
        b"\xe0",
        b"\xd0\x01",  # signed forms
        b"\xd3" + bytes(7) + b"\x01",
        b"\xcc\x7f",  # long integers
        b"\xcd\x00\xff",
        b"\xce\x00\x00\xff\xff",
        b"\xcf" + b"\x00" * 4 + b"\xff" * 4,
        b"\xd9\x1f" + b"a" * 31,  # long lengths
        b"\xda\x00\xff" + b"a" * 255,
        b"\xdb\x00\x00\x00\x01a",
        b"\xc5\x00\x01a",
        b"\xc6\x00\x00\x00\x01a",
        b"\xdc\x00\x01\x00",
        b"\xdd\x00\x00\x00\x01\x00",
        b"\xde\x00\x01\xa1a\x00",
        b"\xdf\x00\x00\x00\x01\xa1a\x00",
        b"\x82\xa1b\x00\xa1a\x00",  # unsorted, doubled and other keys
        b"\x82\xa1a\x00\xa1a\x00",
        b"\x81\x00\x00",
        b"\x81\xc4\x01a\x00",
        b"\x81\x90\x00",
        b"\xa1\xff",  # not UTF-8; a surrogate; an overlong form
        b"\xa3\xed\xa0\x80",
        b"\xa2\xc0\x80",
        b"\x00\x00",  # bytes after the end
        b"\xa2a",  # truncated
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 9 + b"\x00",  # nine deep
        b"\x91" * 100_000,
        b"\x81\xa1a" * 9 + b"\x00",
    ],
)
def test_other_bytes_are_not_canonical(data: Any) -> None:
    with pytest.raises(wire.NotCanonicalError):
        wire.decode(data)


def acceptable(value: Any, depth: int = 1) -> bool:
    """Whether a value of msgpack's own decoder is one that wire.md 1 allows."""
    if isinstance(value, bool) or value is None or isinstance(value, float | msgpack.ExtType):
        return False
    if isinstance(value, int):
        return value >= 0
    if isinstance(value, list | dict) and depth > 8:
        return False
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and acceptable(item, depth + 1) for key, item in value.items()
        )
    if isinstance(value, list):
        return all(acceptable(item, depth + 1) for item in value)
    return isinstance(value, str | bytes)


def test_random_bytes_are_decoded_just_when_re_encoding_gives_them_back() -> None:
    rng = random.Random(SEED)
    seeds = [
        pack({"a": [1, 300, "é"], "b": {"c": b"\x00"}, "d": 1 << 40}),
        pack([[], {}, "x" * 40]),
    ]
    accepted = 0
    for trial in range(20_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            value = msgpack.unpackb(bytes(data), strict_map_key=False)
            expected = acceptable(value) and pack(value) == data
        except (TypeError, ValueError):
            expected = False
        try:
            assert wire.decode(bytes(data)) == value
            got = True
        except wire.NotCanonicalError:
            got = False
        assert got == expected, (SEED, trial, data.hex())
        accepted += got
    assert 0 < accepted < 20_000


def test_records_have_exactly_their_fields() -> None:
    check = wire.record(
        {"n": wire.integer, "t": wire.text(1, 3), "b": wire.binary(2), "a": wire.array(wire.text())}
    )
    good: dict[str, Any] = {"n": 0, "t": "é", "b": b"xx", "a": ["x"]}
    check(good)
    wrong: list[Any] = [
        *({key: value for key, value in good.items() if key != left} for left in good),
        good | {"z": 0},
        good | {"n": "0"},
        good | {"t": ""},
        good | {"t": "éé"},
        good | {"t": b"x"},
        good | {"b": b"x"},
        good | {"b": "xx"},
        good | {"a": "x"},
        good | {"a": [1]},
        [],
        7,
    ]
    for value in wrong:
        with pytest.raises(wire.BadFieldsError):
            check(value)
    for length in (1, 4):
        with pytest.raises(wire.BadFieldsError):
            wire.array(wire.integer, 2, 3)([1] * length)


@pytest.mark.parametrize(
    ("id_type", "text", "expected"),
    [
        ("email", " \t\r\nMax.Ä@Example.ORG\n", "max.Ä@example.org"),
        ("email", "a@b", "a@b"),
        ("email", "e\u0301@x", "é@x"),
        ("email", "H\u0331@x", "\u1e96@x"),
        ("phone", " +49 (0", None),
        ("phone", " +49-171 234-56 78 ", "+491712345678"),
        ("phone", "+1234567", "+1234567"),
        ("phone", "+123456", None),
        ("phone", "+" + "1" * 16, None),
        ("phone", "491712345678", None),
        ("phone", "+١٢٣٤٥٦٧٨", None),
        ("opaque", " Any Text ", "Any Text"),
        ("opaque", "x" * 128, "x" * 128),
        ("opaque", "é" * 65, None),
        ("opaque", "", None),
        ("opaque", " \n ", None),
        ("opaque", "\u00a0x", "\u00a0x"),  # only four characters are stripped
        ("opaque", "a\x00b", None),
        ("opaque", "a\tb", None),
        ("opaque", "a\u0085b", None),
        ("opaque", "a\ud800b", None),
        ("opaque", "a\u0378b", None),  # unassigned
        ("opaque", "\U00031350", "\U00031350"),  # new in Unicode 15.0
        ("opaque", "\u2ffc", None),  # new in Unicode 15.1
        ("opaque", "\ue000", "\ue000"),  # private use
        ("opaque", "\ufdd0", None),  # a non-character
        ("opaque", "\u212b", "\u00c5"),
        ("email", "a@@b", None),
        ("email", "a@b@c", None),
        ("email", "@b", None),
        ("email", "a@", None),
        ("email", "ab", None),
        ("email", "a b@c", None),
        ("email", "a\u00a0b@c", None),
        ("email", "a\u2028b@c", None),
        ("email", "\u0130@X", "\u0130@x"),
    ],
)
def test_canonical_ids(id_type: str, text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r".+"):
            canonical(id_type, text)
    else:
        assert canonical(id_type, text) == expected
        assert canonical(id_type, expected) == expected


BITCOIN = {
    "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH": "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac",
    "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN": "a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": (
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"
    ),
    "bc1sw50qgdz25j": "6002751e",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "5210751e76e8199196d454941c45d1b3a323",
}


def test_bitcoin_addresses() -> None:
    for address, script in BITCOIN.items():
        assert bitcoin_script(address).hex() == script


@pytest.mark.parametrize(
    "address",
    [
        "",
        "1",
        "bc1",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # version 0 with Bech32m's checksum
        "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",  # unused bits
        "bc1gmk9yu",  # no version
        "bc1rw5uspcuh",  # a program of one byte
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P".lower(),  # version 0 of 16 bytes
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",  # a test network
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh",
        "11BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAM0",
        " 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
    ],
)
def test_other_texts_are_no_bitcoin_addresses(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        bitcoin_script(address)


def test_ethereum_addresses() -> None:
    for address in (
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        assert ethereum_account(address).hex() == address[2:].lower()
        for other in (address.swapcase(), address[:-1], address + "0", address[2:], " " + address):
            with pytest.raises(ValueError, match=r".+"):
                ethereum_account(other)
    with pytest.raises(ValueError, match=r".+"):
        ethereum_account("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
    with pytest.raises(ValueError, match=r".+"):
        ethereum_account("0x" + " " * 40)


KNOWN_CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


def test_known_contracts_are_in_their_canonical_form() -> None:
    for unit in KNOWN:
        assert parse_unit(f"{unit.code}={unit.chain}:{unit.contract}:{unit.decimals}") == unit
    assert parse_unit("MY=base::8") == Unit("MY", "base", "", 8)
    lower = KNOWN_CONTRACT.lower()
    assert parse_unit(f"MY=ethereum:{KNOWN_CONTRACT}:6").contract == KNOWN_CONTRACT
    named = (f"MY=ethereum:{lower}:6", "MY=ethereum:x:6", f"MY=bitcoin:{KNOWN_CONTRACT}:6")
    malformed = ("MY=base:8", "=base::8", "MY=base::x", "MY=base::-1", "MY", "MY=base::٣")
    misnamed = ("my=base::8", "MY=base::37", "MY=litecoin::8", "MY=fiat::2", "MY=tron:T1:6")
    for text in (*malformed, *misnamed, *named):
        with pytest.raises(ValueError, match=r".+"):
            parse_unit(text)


def test_capacities_and_levels() -> None:
    assert sorted(CAPACITIES)[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]
    assert max(CAPACITIES) == 1 << 20
    assert 9 not in CAPACITIES
    assert 0 not in CAPACITIES
    for capacity in CAPACITIES:
        while capacity % 2 == 0 and capacity > 7:
            capacity //= 2
        assert capacity <= 7
    assert [levels_of(n) for n in (1, 2, 64, 80, 4096, 5120)] == [1, 2, 2, 3, 3, 4]
    assert levels_of(1 << 20) == 5
