"""Vectors of what an exchange declares: its loans, and what it pledged for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack

from tests.support.bases import (
    FOREIGN,
    Files,
    base_files,
    derived,
    edited,
    manifest_of,
    resigned,
    setter,
)
from tests.support.forge import tagged
from tests.support.forged_sample import ALICE
from tests.support.forger import Fields, pack
from tests.support.vector import Repeated, Vector
from tests.vectors.make_evidence import base_evidence
from tests.vectors.make_inclusions import ALL_OF_ALICE, shown

Loans = list[Fields]
NAME = "declaration.msgpack"
TOO_LARGE = Repeated.of((b"\0", 2**22 + 1))
COUNTED = {"BTC": "175000001", "ETH": "3500000000", "USDT": "0"}


def pledge(code: str, at: int = 0) -> Fields:
    """The address of a row of the sample."""
    row = base_evidence(code)["rows"][at]
    return {"address": row["address"], "chain": row["chain"]}


def loan(lender: str | None = "First Lender", **changed: Any) -> Fields:
    return {"amount": "12.5", "code": "BTC", "lender": lender, "pledged": []} | changed


def loans() -> Loans:
    """Two loans, one of a coin that is no asset of the exchange; one address secures both."""
    first, second = pledge("BTC", 0), pledge("BTC", 1)
    both = sorted([first, second, pledge("ETH")], key=lambda item: (item["chain"], item["address"]))
    return [
        loan(pledged=both),
        loan("Öffentliche Bank", amount="", code="EUR", pledged=[first]),
    ]


def declared(data: bytes, *, named: bytes | None = None, of: str = "honest") -> Files:
    """A base bundle with a declaration of these bytes; the manifest names `named` in its place."""
    fields = manifest_of(base_files(of))
    fields["declaration"] = tagged("declaration", data if named is None else named)
    return {**resigned(pack(fields), of), NAME: data}


def vectors() -> Iterator[Vector]:
    yield from accepted()
    for name, description, code, files in (*of_files(), *of_bytes(), *of_fields()):
        yield derived(
            f"declaration-{name}", description, "declarations", f"declaration.{code}", files
        )
    yield from listed()
    yield from to_customers()


def accepted() -> Iterator[Vector]:
    told = [["First Lender", "BTC", "12.5", 3], ["Öffentliche Bank", "EUR", "", 1]]
    yield derived(
        "declaration",
        "Two loans: one with an amount, one without; an address is pledged for both.",
        "accepted",
        None,
        declared(pack(loans())),
        loans=told,
        pledged=bound(loans()),
    )
    yield derived(
        "declaration-nothing-pledged",
        "A loan for which nothing is pledged, of less than one coin.",
        "accepted",
        None,
        declared(pack([loan(amount="0.000000000000000000000001")])),
        loans=[["First Lender", "BTC", "0.000000000000000000000001", 0]],
        pledged={},
    )
    yield derived(
        "declaration-one-lender",
        "Two loans of one lender, and a lender whose name only begins alike.",
        "accepted",
        None,
        declared(pack([loan(), loan(code="ETH", amount="1"), loan("First Lender 2")])),
        loans=[
            ["First Lender", "BTC", "12.5", 0],
            ["First Lender", "ETH", "1", 0],
            ["First Lender 2", "BTC", "12.5", 0],
        ],
        pledged={},
    )
    yield derived(
        "declaration-set-aside",
        "What is pledged is at an address of an asset that is set aside, too.",
        "accepted",
        None,
        declared(pack([loan(pledged=[foreign()])]), of="set-aside"),
        of="set-aside",
        set_aside=["XYZ"],
        loans=[["First Lender", "BTC", "12.5", 1]],
        pledged=bound([loan(pledged=[foreign()])], "set-aside"),
    )


def foreign() -> Fields:
    """The address that holds the token whose contract no reader knows."""
    row = next(row for row in rows_of("XYZ", "set-aside") if row["contract"] == FOREIGN)
    return {"address": row["address"], "chain": row["chain"]}


def rows_of(code: str, of: str) -> Loans:
    evidence: Fields = msgpack.unpackb(base_files(of)[f"evidence/{code}.msgpack"])
    return list(evidence["rows"])


def bound(loans: Loans, of: str = "honest") -> dict[str, list[int]]:
    """How many rows of each asset are pledged, and the ledger units that they count for."""
    pledged = [(item["chain"], item["address"]) for entry in loans for item in entry["pledged"]]
    found: dict[str, list[int]] = {}
    for asset in manifest_of(base_files(of))["assets"]:
        scales = {
            (unit["chain"], unit["contract"]): 10 ** (unit["decimals"] - asset["decimals"])
            for unit in asset["units"]
        }
        counts = [
            int.from_bytes(row["amount"], "big") // scales[row["chain"], row["contract"]]
            for row in rows_of(asset["code"], of)
            if (row["chain"], row["address"]) in pledged
        ]
        if counts:
            found[asset["code"]] = [len(counts), sum(counts)]
    return found


def of_files() -> Iterator[tuple[str, str, str, Files]]:
    good = pack(loans())
    yield "empty", "An empty file, which the manifest names.", "too-large", declared(b"")
    yield (
        "too-large",
        "A file of one byte more than the limit, which the manifest names.",
        "too-large",
        declared(TOO_LARGE),
    )
    yield (
        "wrong-digest",
        "Another declaration than the manifest names.",
        "wrong-digest",
        declared(pack([loan()]), named=good),
    )
    yield (
        "as-evidence",
        "The manifest names the file by the digest that evidence has.",
        "wrong-digest",
        {**edited(setter("declaration", tagged("evidence", good))), NAME: good},
    )


def of_bytes() -> Iterator[tuple[str, str, str, Files]]:
    good = pack([loan()])
    one = pack(loan())
    swapped = b"\x84" + b"".join(
        pack(name) + pack(loan()[name]) for name in ("code", "amount", "lender", "pledged")
    )
    cases = (
        ("trailing", "A byte after the array.", good + b"\x00"),
        ("truncated", "The last byte is missing.", good[:-1]),
        ("long-array", "The array's length in a longer form.", b"\xdc\x00\x01" + one),
        (
            "long-text",
            "A text's length in a longer form.",
            good.replace(b"\xa3BTC", b"\xd9\x03BTC"),
        ),
        ("keys-unsorted", "The fields of a loan are not in order.", b"\x91" + swapped),
        ("nil", "A lender that is nil.", pack([loan(lender=None)])),
    )
    for name, description, data in cases:
        yield name, description, "not-canonical", declared(data)


def of_fields() -> Iterator[tuple[str, str, str, Files]]:
    lacking = loan()
    del lacking["pledged"]
    fields: tuple[tuple[str, str, Any], ...] = (
        ("map", "A map in place of the array.", {"loans": [loan()]}),
        ("no-loans", "An array of no loans.", []),
        ("text-loan", "A loan that is a text.", ["12.5 BTC"]),
        ("missing-field", "A loan without what is pledged.", [lacking]),
        ("unknown-field", "A loan with a due date.", [loan(due=1)]),
        ("integer-amount", "An amount that is an integer.", [loan(amount=12)]),
        ("pledge-field", "An address with an amount.", [loan(pledged=[pledge("BTC") | {"n": 1}])]),
        ("pledge-text", "What is pledged is a text.", [loan(pledged=[pledge("BTC")["address"]])]),
    )
    for name, description, content in fields:
        yield name, description, "bad-fields", declared(pack(content))
    both = loans()[0]["pledged"]
    orders: tuple[tuple[str, str, Loans], ...] = (
        ("unsorted", "The loans are not in order.", loans()[::-1]),
        ("unsorted-codes", "The loans of a lender are not.", [loan(code="ETH"), loan()]),
        ("loan-twice", "A loan twice.", [loan(), loan()]),
        ("loan-parts", "Two loans of one lender and code.", [loan(), loan(amount="13")]),
        ("pledged-unsorted", "What is pledged is not in order.", [loan(pledged=both[::-1])]),
        ("pledged-twice", "An address twice.", [loan(pledged=[both[0], both[0]])]),
    )
    for name, description, content in orders:
        yield name, description, "unsorted", declared(pack(content))
    for name, lender in (
        ("space", " First Lender"),
        ("spaces", "First  Lender"),
        ("decomposed", "O\u0308ffentliche Bank"),
        ("control", "First\nLender"),
        ("bidi", "First \u202eLender"),
        ("zero-width", "First\u200bLender"),
        ("mark", "\u0301First Lender"),
    ):
        description = "A lender whose name is not canonical."
        yield f"lender-{name}", description, "bad-lender", declared(pack([loan(lender)]))
    for name, code in (
        ("empty", ""),
        ("lower", "btc"),
        ("long", "A" * 17),
        ("newline", "BTC\n"),
        ("hyphen", "BTC-USD"),
    ):
        description = "A loan of what is no code."
        yield f"code-{name}", description, "bad-code", declared(pack([loan(code=code)]))
    for name, amount in (
        ("zero", "0"),
        ("zeros", "0.0"),
        ("trailing-zero", "12.50"),
        ("trailing-point", "12."),
        ("leading-zero", "012.5"),
        ("leading-point", ".5"),
        ("plus", "+12.5"),
        ("negative", "-12.5"),
        ("exponent", "1e3"),
        ("grouped", "1,000"),
        ("newline", "12.5\n"),
        ("digits", "\u0661\u0662"),
        ("words", "unknown"),
    ):
        description = "A loan of an amount that is no positive decimal in its one form."
        yield f"amount-{name}", description, "bad-amount", declared(pack([loan(amount=amount)]))
    other = pledge("ETH")
    address = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
    unknown: tuple[tuple[str, str, Fields], ...] = (
        (
            "unknown-address",
            "An address of nobody's evidence.",
            pledge("BTC") | {"address": address},
        ),
        ("unknown-chain", "An address under another chain.", other | {"chain": "bsc"}),
        ("unknown-spelling", "An address in small letters.", other | {"address": lower(other)}),
    )
    for name, description, content in unknown:
        yield name, description, "unknown-address", declared(pack([loan(pledged=[content])]))
    later = [loan(pledged=[pledge("BTC")]), loan("Second", pledged=[unknown[0][2]])]
    yield (
        "unknown-later",
        "An address of the second loan.",
        "unknown-address",
        declared(pack(later)),
    )


def lower(found: Fields) -> str:
    text: str = found["address"]
    return text.lower()


def listed() -> Iterator[Vector]:
    missing = dict(declared(pack(loans())))
    del missing[NAME]
    yield derived(
        "declaration-missing",
        "The declaration that the manifest names is not there.",
        "declarations",
        "bundle.missing-file",
        missing,
    )
    yield derived(
        "declaration-not-named",
        "A declaration, and the manifest says that nothing is declared.",
        "declarations",
        "bundle.unexpected-file",
        dict(base_files("honest")) | {NAME: pack(loans())},
    )


def to_customers() -> Iterator[Vector]:
    """What a customer's balance comes to does not hang on the declaration, if nobody signed it."""

    def told(name: str, description: str, files: Files, listed: Any) -> Vector:
        content = {"counted": COUNTED, "not_compared": (), "loans": listed}
        return shown(name, description, "accepted", None, files=files, **content)

    good = pack(loans())
    yield told(
        "declared",
        "The exchange declares two loans.",
        declared(good),
        [["First Lender", "BTC", "12.5", 3], ["Öffentliche Bank", "EUR", "", 1]],
    )
    stranger = pledge("BTC") | {"address": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"}
    yield told(
        "declared-unknown-address",
        "What is pledged is in no evidence, which an audit finds.",
        declared(pack([loan(pledged=[stranger])])),
        [["First Lender", "BTC", "12.5", 1]],
    )
    missing = dict(declared(good))
    del missing[NAME]
    served: tuple[tuple[str, str, Files], ...] = (
        ("missing", "It is not there.", missing),
        ("empty", "It is empty.", declared(b"", named=good)),
        ("other", "It is another one.", declared(pack([loan()]), named=good)),
        ("garbage", "It is no such file.", declared(b"<!doctype html>", named=good)),
        ("too-large", "It has a byte too many.", declared(TOO_LARGE, named=good)),
    )
    for name, description, files in served:
        text = f"The manifest names a declaration. {description}"
        yield told(f"declared-{name}", text, files, None)
    false: tuple[tuple[str, str, bytes], ...] = (
        ("not-canonical", "not-canonical", good + b"\x00"),
        ("bad-fields", "bad-fields", pack([])),
        ("unsorted", "unsorted", pack(loans()[::-1])),
        ("bad-lender", "bad-lender", pack([loan(" X")])),
        ("bad-code", "bad-code", pack([loan(code="btc")])),
        ("bad-amount", "bad-amount", pack([loan(amount="0")])),
    )
    for name, code, data in false:
        yield shown(
            f"declared-{name}",
            "The exchange signed for a declaration that is none.",
            "declarations",
            f"declaration.{code}",
            files=declared(data),
        )
    yield shown(
        "declared-after-balances",
        "The customer's own balance is found short before the declaration is read.",
        "declarations",
        "inclusion.balance-short",
        files=declared(pack([])),
        owner=ALICE,
        balances=ALL_OF_ALICE | {"BTC": "2"},
    )
