"""Vectors of inclusion packages: what a customer is shown, and may not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgpack

from tests.support.bases import FOREIGN, Files, base, base_files, raw_faults
from tests.support.forged_sample import ALICE, BOB, CAROL
from tests.support.forger import Fields, pack, sign
from tests.support.vector import Vector, changes, make
from tests.vectors.make_trees import cut

Edit = Callable[[Fields], Any]
Balances = Mapping[str, str]
ALL_OF_ALICE = {"BTC": "1.75000001", "ETH": "3.5", "USDT": "0"}


def shown(
    name: str,
    description: str,
    source: str,
    code: str | None,
    *,
    edit: Edit = lambda fields: None,
    data: bytes | None = None,
    owner: str = ALICE,
    typed: str | None = None,
    balances: Balances = ALL_OF_ALICE,
    of: str = "honest",
    files: Files | None = None,
    **content: Any,
) -> Vector:
    """A package of `owner`, edited before it is signed, or `data` in its place."""
    held = base_files(of) if files is None else files
    package = data
    if package is None:
        package = base(of).package(held["manifest.msgpack"], owner, edit)
    return make(
        f"inclusion/{name}",
        description,
        source,
        code,
        base=f"bundle/{of}",
        replace=changes(base_files(of), held),
        package=package,
        account=owner if typed is None else typed,
        balances=dict(balances),
        **content,
    )


def accepted() -> Iterator[Vector]:
    def good(
        name: str, description: str, counted: Balances, left_out: tuple[str, ...] = (), **given: Any
    ) -> Vector:
        result: dict[str, Any] = {"counted": counted, "not_compared": left_out}
        return shown(name, description, "accepted", None, **given, **result)

    alice = {"BTC": "175000001", "ETH": "3500000000", "USDT": "0"}
    bob = {"BTC": "7", "ETH": "3500000000", "USDT": "1000000"}
    nobody = {"BTC": "0", "ETH": "0", "USDT": "0"}
    yield good("alice", "Two assets, one of them in two parts.", alice)
    yield good(
        "bob",
        "Three assets; the balance of ETH equals another customer's.",
        bob,
        owner=BOB,
        balances={"BTC": "0.00000007", "ETH": "3.5", "USDT": "1"},
    )
    yield good(
        "carol", "Nothing to include.", nobody, owner=CAROL, balances={"BTC": "0", "ETH": "0.0"}
    )
    yield good(
        "pages-of-256",
        "Parts in a page of 256 leaves.",
        {"BTC": "175000001"},
        of="pages-of-256",
        balances={"BTC": "1.75000001"},
    )
    yield good(
        "typed-variant",
        "The id typed in capitals, with spaces.",
        alice,
        typed=" Alice@EXAMPLE.com\n",
    )
    yield good(
        "typed-less",
        "Typed less than counted.",
        alice,
        balances={"BTC": "1.7", "ETH": "0", "USDT": "0"},
    )
    yield good(
        "typed-some",
        "An asset with parts that was not typed.",
        alice,
        ("ETH",),
        balances={"BTC": "1.75000001"},
    )
    yield good(
        "typed-zeros", "Trailing zeros.", alice, balances={"BTC": "001.750000010000", "ETH": "3.50"}
    )
    yield good(
        "typed-unknown-zero",
        "Zero of an asset that the manifest lacks.",
        alice,
        balances=ALL_OF_ALICE | {"DOGE": "0.00"},
    )
    yield good(
        "rounded-up",
        "A balance typed finer than a ledger unit, which the counted one covers.",
        alice,
        balances={"ETH": "3.4999999991"},
        left_out=("BTC",),
    )
    yield good(
        "eighty-pages",
        "A path of three pages.",
        {"BTC": "175000001"},
        of="eighty-pages",
        balances={"BTC": "1.75000001"},
    )
    for name, description, typed, left_out in (
        ("set-aside", "A balance in an asset that is set aside.", {"XYZ": "2.5"}, ()),
        ("set-aside-not-typed", "The same, which was not typed.", {}, ("XYZ",)),
    ):
        yield good(
            name,
            description,
            {**bob, "XYZ": "2500000"},
            left_out,
            owner=BOB,
            balances={"BTC": "0.00000007", "ETH": "3.5", "USDT": "1", **typed},
            of="set-aside",
            set_aside=["XYZ"],
        )
    yield good(
        "set-aside-nothing",
        "An asset is set aside in which the customer has nothing.",
        {**alice, "XYZ": "0"},
        of="set-aside",
        set_aside=["XYZ"],
    )
    yield good(
        "set-aside-named",
        "The customer named the unit.",
        {**bob, "XYZ": "2500000"},
        ("BTC", "ETH", "USDT"),
        owner=BOB,
        balances={"XYZ": "2.5"},
        of="set-aside",
        policy={"units": [["XYZ", "ethereum", FOREIGN, 6]]},
    )
    honest = base_files("honest")
    page = len(honest["pages/BTC/0"]) // 3
    other = next(
        i for i in range(3) if i not in {leaf // 16 for leaf, _ in base("honest").parts[BOB]["BTC"]}
    )
    spoilt = dict(honest) | {
        "pages/BTC/0": cut(honest["pages/BTC/0"], other * page, b"XXXX"),
        "pages/ETH/0": honest["pages/USDT/0"],
        "arguments/ETH/0": b"",
        "arguments/BTC/solvency": b"",
        "arguments.msgpack": b"",
        "evidence/BTC.msgpack": b"",
        "README": b"hi",
    }
    yield good(
        "fault-elsewhere",
        "Faults in the bundle that the light check does not look at.",
        {"BTC": "7", "ETH": "0", "USDT": "0"},
        owner=BOB,
        edit=drop("ETH", "USDT"),
        balances={"BTC": "0.00000007"},
        files=spoilt,
    )


def drop(*codes: str) -> Edit:
    """An edit that leaves no parts of some assets."""

    def edit(fields: Fields) -> None:
        for asset in fields["assets"]:
            if asset["code"] in codes:
                asset["parts"] = []

    return edit


def parts_of(fields: Fields, code: str = "BTC") -> list[Fields]:
    listed: list[Fields] = next(
        asset["parts"] for asset in fields["assets"] if asset["code"] == code
    )
    return listed


def outer(edit: Edit) -> bytes:
    """Alice's package with its outer map edited after it was signed."""
    fields = opened()
    edit(fields)
    return pack(fields)


def opened() -> Fields:
    """The outer map of Alice's package."""
    sealed = base("honest")
    body = body_of(ALICE)
    signature = sign(sealed.forger.signing_seed, "package-signature", body)
    return {"body": body, "log": b"", "signature": signature}


def body_of(owner: str) -> bytes:
    """The body of an honest package."""
    package = base("honest").package(base_files("honest")["manifest.msgpack"], owner)
    body: bytes = msgpack.unpackb(package)["body"]
    return body


def sealed(body: bytes) -> bytes:
    return base("honest").forger.seal_package(body)


def malformed() -> Iterator[Vector]:
    source = "malformed files"
    good = pack(opened())
    code = "package.not-canonical"
    yield shown("empty", "An empty package.", source, "package.too-large", data=b"")
    yield shown("trailing", "A byte after the package.", source, code, data=good + b"\x00")
    yield shown(
        "truncated", "The last byte of the package is missing.", source, code, data=good[:-1]
    )
    yield shown(
        "long-binary",
        "A length in a longer form.",
        source,
        code,
        data=good.replace(b"\xa4body\xc5", b"\xa4body\xc6\x00\x00"),
    )
    swapped = (
        b"\x83"
        + pack({"signature": opened()["signature"]})[1:]
        + pack({"body": opened()["body"]})[1:]
        + pack({"log": b""})[1:]
    )
    yield shown("unsorted", "The outer keys are swapped.", source, code, data=swapped)
    for name, description, raw in raw_faults(body_of(ALICE), "version", b"\x01"):
        yield shown(f"body-{name}", f"In the body, {description}.", source, code, data=sealed(raw))
    code = "package.bad-fields"
    yield shown(
        "short-signature",
        "A signature of 63 bytes.",
        source,
        code,
        data=outer(lambda f: f.update(signature=bytes(63))),
    )
    yield shown(
        "outer-field",
        "An unknown outer field.",
        source,
        code,
        data=outer(lambda f: f.update(note="x")),
    )
    yield shown(
        "log", "A log of one byte.", source, code, data=outer(lambda f: f.update(log=b"\x00"))
    )
    yield shown("no-log", "No log.", source, code, data=outer(lambda f: f.pop("log")))
    yield shown(
        "text-body", "The body is a text.", source, code, data=outer(lambda f: f.update(body="x"))
    )
    yield shown("array", "An array.", source, code, data=b"\x90")
    cases: list[tuple[str, str, Edit]] = [
        ("missing-field", "The version is missing.", lambda f: f.pop("version")),
        ("unknown-field", "The body states a total.", lambda f: f.update(total=1)),
        ("short-key", "An account key of 31 bytes.", lambda f: f.update(account_key=bytes(31))),
        ("text-amount", "An amount is a text.", lambda f: parts_of(f)[0].update(amount="1")),
        (
            "wide-amount",
            "An amount of 2^64, in binary.",
            lambda f: parts_of(f)[0].update(amount=(2**64).to_bytes(9, "big")),
        ),
        ("binary-leaf", "A leaf is binary.", lambda f: parts_of(f)[0].update(leaf=b"\x01")),
        (
            "part-field",
            "A part has its blinding factor.",
            lambda f: parts_of(f)[0].update(blinding=bytes(32)),
        ),
        ("part-missing-field", "A part has no number.", lambda f: parts_of(f)[0].pop("part")),
        ("text-path", "A path is a text.", lambda f: parts_of(f)[0].update(path="x")),
        ("no-opening", "A part has no opening.", lambda f: parts_of(f)[0].pop("opening")),
        ("map-parts", "The parts are a map.", lambda f: f["assets"][0].update(parts={})),
    ]
    for name, description, edit in cases:
        yield shown(f"fields-{name}", description, source, code, edit=edit)


def refused() -> Iterator[Vector]:
    other = sign(bytes(32), "package-signature", body_of(ALICE))
    tag = sign(base("honest").forger.signing_seed, "manifest-signature", body_of(ALICE))
    for name, description, signature in (
        ("other-key", "Another key signed.", other),
        ("other-tag", "Signed as a manifest.", tag),
        ("zero", "A signature of zeros.", bytes(64)),
    ):
        data = outer(lambda f, signature=signature: f.update(signature=signature))  # type: ignore[misc]
        yield shown(
            f"signature-{name}",
            description,
            "the package's signature",
            "package.bad-signature",
            data=data,
        )
    changed = body_of(ALICE).replace(b"alice", b"malic")
    yield shown(
        "signature-other-body",
        "The signature is of another body.",
        "the package's signature",
        "package.bad-signature",
        data=outer(lambda f: f.update(body=changed)),
    )
    yield shown(
        "garbage-body",
        "The body is no msgpack; the signature is false too.",
        "order of checks",
        "package.bad-signature",
        data=outer(lambda f: f.update(body=b"\xc1")),
    )
    yield shown(
        "version",
        "Version 2.",
        "the package's fields",
        "package.unsupported-version",
        edit=lambda f: f.update(version=2),
    )
    yield shown(
        "other-manifest",
        "A package of another manifest.",
        "history",
        "package.wrong-manifest",
        edit=lambda f: f.update(manifest=bytes(32)),
    )
    source, code = "account ids", "package.wrong-account"
    yield shown(
        "other-account", "Another customer's package.", source, code, owner=BOB, typed=ALICE
    )
    yield shown(
        "case-variant",
        "The package has the id in capitals.",
        source,
        code,
        edit=lambda f: f.update(account_id="Alice@example.com"),
    )
    yield shown(
        "decomposed",
        "The package has an id that is not NFC.",
        source,
        code,
        edit=lambda f: f.update(account_id="a\u0308@example.com"),
        typed="ä@example.com",
    )
    yield shown(
        "space",
        "The package has a space after the id.",
        source,
        code,
        edit=lambda f: f.update(account_id=ALICE + " "),
    )
    yield shown(
        "no-account",
        "The package has an empty id.",
        source,
        code,
        edit=lambda f: f.update(account_id=""),
    )
    source, code = "assets of a package", "package.wrong-assets"
    cases: list[tuple[str, str, Edit]] = [
        ("missing", "An asset is missing.", lambda f: f["assets"].pop(0)),
        ("none", "There are no assets.", lambda f: f["assets"].clear()),
        (
            "extra",
            "An asset that the manifest lacks.",
            lambda f: f["assets"].append({"code": "XMR", "parts": []}),
        ),
        ("twice", "An asset twice.", lambda f: f["assets"].insert(0, f["assets"][0])),
        ("order", "The assets are not in order.", lambda f: f["assets"].reverse()),
        ("renamed", "An asset under another name.", lambda f: f["assets"][0].update(code="WBTC")),
    ]
    for name, description, edit in cases:
        yield shown(f"assets-{name}", description, source, code, edit=edit)


def parts() -> Iterator[Vector]:
    source = "parts"
    cases: list[tuple[str, str, str, Edit]] = [
        ("bad-parts", "first-missing", "Part 0 is missing.", lambda f: parts_of(f).pop(0)),
        ("bad-parts", "doubled", "A part twice.", lambda f: parts_of(f).append(parts_of(f)[1])),
        ("bad-parts", "order", "The parts are not in order.", lambda f: parts_of(f).reverse()),
        (
            "bad-parts",
            "number",
            "A part is numbered 2^32.",
            lambda f: parts_of(f)[1].update(part=2**32),
        ),
        ("bad-parts", "gap", "Part 1 is numbered 2.", lambda f: parts_of(f)[1].update(part=2)),
        ("bad-amount", "zero", "An amount of 0.", lambda f: parts_of(f)[0].update(amount=0)),
        (
            "bad-leaf",
            "capacity",
            "A leaf at the leaf capacity.",
            lambda f: parts_of(f)[0].update(leaf=48),
        ),
        (
            "bad-leaf",
            "large",
            "A leaf of 2^64 - 1.",
            lambda f: parts_of(f)[0].update(leaf=2**64 - 1),
        ),
        (
            "duplicate-leaf",
            "twice",
            "Two parts in one leaf.",
            lambda f: parts_of(f)[1].update(leaf=parts_of(f)[0]["leaf"]),
        ),
    ]
    for code, name, description, edit in cases:
        yield shown(f"{code}-{name}", description, source, f"package.{code}", edit=edit)
    for name, description, change in (
        ("empty", "No {}.", lambda data: b""),
        ("short", "A byte of {} is missing.", lambda data: data[:-1]),
        ("long", "{} has a byte too many.", lambda data: data + b"\x00"),
        ("less", "The last 32 bytes of {} are missing.", lambda data: data[:-32]),
        ("more", "{} has 32 bytes more.", lambda data: data + data[-32:]),
    ):
        for field, code in (("path", "package.bad-path"), ("opening", "opening.bad-length")):

            def edit(
                fields: Fields, field: str = field, change: Callable[[bytes], bytes] = change
            ) -> None:
                part = parts_of(fields)[1]
                part[field] = change(part[field])

            text = description.format(f"the {field}" if name != "empty" else field)
            text = text[0].upper() + text[1:]
            yield shown(f"{field}-{name}", text, source, code, edit=edit)
    yield shown(
        "path-before-opening",
        "Path and opening have a byte too few: the path is named.",
        "order of checks",
        "package.bad-path",
        edit=lambda f: parts_of(f)[0].update(path=bytes(127), opening=bytes(544)),
    )
    yield shown(
        "bad-amount-unused-asset",
        "A part of amount 0 in an asset that the customer does not hold.",
        source,
        "package.bad-amount",
        edit=lambda f: parts_of(f, "USDT").append(
            {"amount": 0, "leaf": 0, "opening": bytes(545), "part": 0, "path": bytes(128)}
        ),
    )


def balances() -> Iterator[Vector]:
    source, code = "balances", "inclusion.balance-short"
    yield shown(
        "short-unit",
        "Counted one ledger unit less than typed.",
        source,
        code,
        balances={"BTC": "1.75000002"},
    )
    yield shown(
        "short-rounding",
        "Typed a tenth of a ledger unit more than counted.",
        source,
        code,
        balances={"ETH": "3.5000000001"},
    )
    yield shown(
        "short-part",
        "A part was left out of the package.",
        source,
        code,
        edit=lambda f: parts_of(f).pop(),
    )
    yield shown("short-all", "All parts of an asset were left out.", source, code, edit=drop("ETH"))
    yield shown(
        "short-nothing",
        "A customer who was left out altogether.",
        source,
        code,
        owner=CAROL,
        balances={"ETH": "0.000000001"},
    )
    yield shown(
        "short-zero-digits",
        "A balance far below a ledger unit is still one.",
        source,
        code,
        owner=CAROL,
        balances={"ETH": "0." + "0" * 39 + "1"},
    )
    yield shown("short-large", "A balance of 40 digits.", source, code, balances={"BTC": "9" * 40})
    yield shown(
        "unknown-asset",
        "Typed an asset that the manifest lacks.",
        source,
        "inclusion.unknown-asset",
        balances=ALL_OF_ALICE | {"DOGE": "0.0001"},
    )
    yield shown(
        "unknown-before-short",
        "The unknown asset is named before the one that falls short.",
        "order of checks",
        "inclusion.unknown-asset",
        balances={"BTC": "99", "DOGE": "1"},
    )
    yield shown(
        "manifest-key",
        "The bundle's manifest is signed by another key.",
        "order of checks",
        "manifest.bad-signature",
        files=dict(base_files("honest")) | {"manifest.sig": bytes(64)},
        data=b"",
    )


def vectors() -> Iterator[Vector]:
    for maker in (accepted, malformed, refused, parts, balances):
        yield from maker()
