"""The honest bundles that the vectors of bundles and packages start from, and how they are bent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import msgpack

from tests.support.attested_forge import attested_sample
from tests.support.forged_sample import (
    BOB,
    BTC,
    CUSTOMERS,
    ETH,
    SPECS,
    TETHER,
    USDT,
    Balances,
    Sample,
    Spec,
    sample,
)
from tests.support.forger import Elsewhere, Fields, Lies, Page, pack
from tests.support.hidden_forge import HiddenKeys, unowned
from tests.support.proven import proven
from tests.support.vector import Vector, changes, make

Files = Mapping[str, bytes]

# Holds nothing and owes nothing: C_A is infinite and C_L is blinding alone.
NOTHING = replace(TETHER, holdings=())
# Holds exactly what it owes, and C_L has no blinding: den·C_A - num·C_L is infinite.
EXACT = replace(
    ETH, holdings=(("account", "", 3 * 3_500_000_000 * 10**9),), ratio=(3, 2), blindings=((0, 0),)
)
EXTRA = replace(ETH, holdings=(("account", "", 7 * 10**18), ("other account", "", 1)))
ALL_HOLDERS = replace(
    BTC, holdings=tuple((kind, "", 50_000_000) for kind in ("p2pkh", "p2tr", "p2wpkh", "p2wsh"))
)
# What readers do not know: a token's contract, whose digits are its EIP-55 form.
FOREIGN = "0x" + "2" * 40
XYZ = Spec("XYZ", 6, (("ethereum", FOREIGN, 6),), (("account", FOREIGN, 9_000_000),))
XYZ_OWED = {**CUSTOMERS, BOB: {**CUSTOMERS[BOB], "XYZ": [2_000_000, 500_000]}}

# One account on Ethereum, BNB Smart Chain and Tron, and what readers of today do not know all of.
CHAINS = [
    ("bitcoin", 900_000, bytes(31) + b"\x01"),
    ("bsc", 70_000_000, bytes(31) + b"\x03"),
    ("ethereum", 24_000_000, bytes(31) + b"\x02"),
    ("tron", 79_000_000, bytes(31) + b"\x04"),
]
USDT_ON_BSC = "0x55d398326f99059fF775485246999027B3197955"
USDT_ON_TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
FAMILIES = (
    Spec("BNB", 8, (("bsc", "", 18),), (("bsc account", "", 10**18),)),
    Spec(
        "USDT",
        6,
        (("bsc", USDT_ON_BSC, 18), ("ethereum", USDT, 6), ("tron", USDT_ON_TRON, 6)),
        (
            ("account", USDT, 200_000),
            ("bsc account", USDT_ON_BSC, 300_000 * 10**12),
            ("tron account", USDT_ON_TRON, 500_000),
        ),
    ),
)

OWNERS = [(unowned(number), number in (0, 3), 10**7 + number) for number in range(5)]
HIDDEN = HiddenKeys("bitcoin", "", ("p2pkh", "p2tr", "p2wpkh"), OWNERS)
ACCOUNTS = [(unowned(number), number == 1, 10**18 + number) for number in range(5, 8)]
HIDDEN_ACCOUNTS = HiddenKeys("ethereum", "", ("account",), ACCOUNTS)


@cache
def trees() -> dict[str, list[list[Page]]]:
    """The trees of the sample, which its assets have no part in."""
    forger = sample().forger
    return {asset.code: forger.tree(asset) for asset in forger.assets}


def hiding(
    bitcoin: Sequence[HiddenKeys] = (HIDDEN,),
    ethereum: Sequence[HiddenKeys] = (HIDDEN_ACCOUNTS,),
    lies: Lies | None = None,
    **identity: Any,
) -> Sample:
    """The exchange with hidden sets beside its disclosed coins."""
    made = sample(lies=lies, **identity)
    made.forger.trees = trees()
    for asset in made.forger.assets:
        asset.hidden = {"BTC": list(bitcoin), "ETH": list(ethereum)}.get(asset.code, [])
    return made


@cache
def euro_tree() -> dict[str, list[list[Page]]]:
    """The tree of what is owed in euro."""
    forger = attested_sample().forger
    return {asset.code: forger.tree(asset) for asset in forger.assets if asset.code == "EUR"}


def attesting(
    held: Mapping[str, Sequence[Elsewhere]] | None = None, lies: Lies | None = None
) -> Sample:
    """The exchange with money at a bank beside its coins."""
    made = attested_sample(held, lies)
    made.forger.trees = trees() | euro_tree()
    return made


@cache
def base(name: str) -> Sample:
    return BASES[name]()


@cache
def base_files(name: str) -> Files:
    return base(name).forger.bundle()


BASES: dict[str, Callable[[], Sample]] = {
    "honest": sample,
    "eighty-pages": lambda: sample([replace(BTC, capacity=80)]),
    "pages-of-256": lambda: sample([replace(BTC, capacity=1, page_size=256)]),
    "nothing": lambda: sample([NOTHING], {"carol@example.com": {}}),
    "exact": lambda: sample([EXACT]),
    "all-holders": lambda: sample([ALL_HOLDERS, EXTRA]),
    "proven": proven,
    "hidden": hiding,
    "families": lambda: sample(FAMILIES, chains=CHAINS),
    "attested": attesting,
    "set-aside": lambda: sample([*SPECS, XYZ], XYZ_OWED),
}


def positive(name: str, description: str, files: Files, **content: Any) -> Vector:
    """A whole bundle that is accepted."""
    key = base("honest").forger.public_key
    return make(
        f"bundle/{name}",
        description,
        "accepted",
        None,
        public_key=key,
        files=dict(sorted(files.items())),
        **content,
    )


def derived(
    name: str,
    description: str,
    source: str,
    code: str | None,
    files: Files,
    *,
    of: str = "honest",
    **content: Any,
) -> Vector:
    """A bundle as the difference from a base."""
    replaced = changes(base_files(of), files)
    return make(
        f"bundle/{name}",
        description,
        source,
        code,
        base=f"bundle/{of}",
        replace=replaced,
        **content,
    )


def forged(
    lies: Lies | None = None,
    specs: Sequence[Spec] = SPECS,
    customers: Balances = CUSTOMERS,
    **identity: Any,
) -> Files:
    """A whole bundle made by a liar, or by an honest exchange of another kind."""
    return sample(specs, customers, lies, **identity).forger.bundle()


def manifest_of(files: Files) -> Fields:
    fields: Fields = msgpack.unpackb(files["manifest.msgpack"])
    return fields


def resigned(data: bytes, of: str = "honest") -> Files:
    """A base bundle under other bytes of its manifest, signed, and a record that names these."""
    forger = base(of).forger
    files = dict(base_files(of)) | forger.seal(data)
    return files | forger.record(files)


def edited(edit: Callable[[Fields], None], of: str = "honest") -> Files:
    """A base bundle with the manifest's fields edited, and signed."""
    fields = manifest_of(base_files(of))
    edit(fields)
    return resigned(pack(fields), of)


def asset_of(fields: Fields, code: str) -> Fields:
    """The manifest's entry of an asset."""
    entry: Fields = next(asset for asset in fields["assets"] if asset["code"] == code)
    return entry


def setter(path: str, value: Any) -> Callable[[Fields], None]:
    """An edit that sets `a.b.0.c`; numbers are places in arrays. `value` may be a function."""

    def edit(fields: Any) -> None:
        *parents, last = (int(name) if name.isdigit() else name for name in path.split("."))
        for name in parents:
            fields = fields[name]
        fields[last] = value(fields[last]) if callable(value) else value

    return edit


def raw_faults(data: bytes, key: str, value: bytes) -> Iterable[tuple[str, str, bytes]]:
    """Spoilt encodings of a canonical map: name, description, bytes.

    `key` is one of its keys, whose value is the one byte `value`, an integer below 128.
    """
    at = bytes([0xA0 + len(key)]) + key.encode()
    pair = at + value

    def put(other: bytes) -> bytes:
        if data.count(pair) != 1:
            raise ValueError("the pair occurs not once")
        return data.replace(pair, other)

    wide = {0x80: b"\xde", 0x90: b"\xdc"}[data[0] & 0xF0]
    yield "trailing", "a trailing byte", data + b"\x00"
    yield "truncated", "the last byte missing", data[:-1]
    yield "long-integer", "an integer in a longer form than needed", put(at + b"\xcc" + value)
    yield "long-integer-64", "an integer in 64 bits", put(at + b"\xcf" + bytes(7) + value)
    yield (
        "long-string",
        "a string's length in a longer form",
        put(b"\xd9" + bytes([len(key)]) + key.encode() + value),
    )
    yield (
        "long-map",
        "the map's length in a longer form",
        wide + bytes([0, data[0] & 0x0F]) + data[1:],
    )
    yield "nil", "nil for an integer", put(at + b"\xc0")
    yield "boolean", "true for an integer", put(at + b"\xc3")
    yield "float", "a float for an integer", put(at + b"\xcb\x3f\xf0" + bytes(6))
    yield "negative", "a negative integer", put(at + b"\xff")
    yield "extension", "an extension", put(at + b"\xd4\x01\x00")
    yield "timestamp", "a timestamp", put(at + b"\xd6\xff" + bytes(4))
    yield "integer-key", "a key that is an integer", put(b"\x01" + value)
    yield (
        "binary-key",
        "a key that is binary",
        put(b"\xc4" + bytes([len(key)]) + key.encode() + value),
    )
    yield "bad-utf8", "a key that is not UTF-8", put(at[:-1] + b"\xff" + value)
    duplicate = bytes([data[0] + 1]) + data[1:].replace(pair, pair + pair)
    yield "duplicate-key", "a key twice", duplicate
    yield "depth", "nested nine deep", put(at + b"\x91" * 7 + b"\x90")
    yield (
        "false-length",
        "an array of 2^32 - 1 items that are not there",
        put(at + b"\xdd\xff\xff\xff\xff"),
    )
    yield "reserved", "the reserved byte c1", put(at + b"\xc1")
