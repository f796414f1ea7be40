"""Vectors of the parts: generators, transcript, identities, account ids, shapes of trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from embit import bech32

import native
from spec.reference.keys import text as key_text
from tests.support.forge import Shape, Transcript, q
from tests.support.forged_sample import ALICE, BOB, account_key
from tests.support.forger import FAN, Forger, page_counts
from tests.support.leaves_forge import Shape as LeavesShape
from tests.support.leaves_forge import nodes_of, path_of, w
from tests.support.vector import Vector, make


def generators() -> Iterator[Vector]:
    points = [{"name": "B", "index": 0, "point": bytes(native.generator(b"B", 0))}]
    points += [{"name": "Q", "index": j, "point": q(j)} for j in (0, 1, 2, 3, 31, 255, 511)]
    points += [{"name": "W", "index": t, "point": w(t)} for t in range(16)]
    yield make(
        "generators/generators",
        "The blinding generator and some of the vector generators, compressed.",
        "accepted",
        None,
        points=points,
    )


def transcripts() -> Iterator[Vector]:
    steps: list[dict[str, Any]] = []
    transcript = Transcript()
    steps.append({"state": transcript.state})
    for label, data in (("context", bytes(range(32))), ("rows", b""), ("entries", bytes(100))):
        transcript.absorb(label, data)
        steps.append({"absorb": label, "data": data, "state": transcript.state})
        for challenge in ("tau", "x"):
            number = transcript.challenge(challenge).to_bytes(32, "big")
            steps.append({"challenge": challenge, "scalar": number, "state": transcript.state})
    yield make(
        "transcript/steps",
        "The state after every operation, and the scalar of every challenge.",
        "accepted",
        None,
        steps=steps,
    )


def identities() -> Iterator[Vector]:
    forger = Forger([])
    cases = [
        (ALICE, "BTC", 0),
        (ALICE, "BTC", 1),
        (ALICE, "ETH", 0),
        (BOB, "BTC", 0),
        ("+4915112345678", "USDT", 7),
        ("名前", "A", 2**32 - 1),
    ]
    made = [
        {
            "account_id": account,
            "account_key": account_key(account),
            "asset": code,
            "part": part,
            "identity": forger.identity(account_key(account), account, code, part),
        }
        for account, code, part in cases
    ]
    yield make(
        "identity/leaves",
        "Context and identities of leaves.",
        "accepted",
        None,
        public_key=forger.public_key,
        exchange=forger.exchange,
        snapshot_id=forger.snapshot_id,
        time=forger.time,
        context=forger.context,
        leaves=made,
    )


def paths() -> Iterator[Vector]:
    cases = []
    for size, leaves in ((16, (0, 5, 15)), (256, (0, 5, 69, 255))):
        listed = [sha256(b"identity %d" % index).digest() for index in range(size)]
        nodes = nodes_of(listed)
        for leaf in leaves:
            path = path_of(listed, leaf)
            cases.append(
                {
                    "page_size": size,
                    "leaf": leaf,
                    "identity": listed[leaf],
                    "path": path,
                    "node": leaf >> len(path),
                    "nodes": nodes,
                }
            )
    yield make(
        "identity/paths",
        "Paths of leaves, and the nodes of their pages: the path ends at the one numbered `node`.",
        "accepted",
        None,
        cases=cases,
    )


LONG = "ä" * 64
ACCOUNT_IDS: list[tuple[str, str, str | None]] = [
    ("email", "alice@example.com", "alice@example.com"),
    ("email", " \tAlice@EXAMPLE.com\r\n", "alice@example.com"),
    ("email", "Ä.Straße@example.com", "Ä.straße@example.com"),
    ("email", "A\u0308@x", "Ä@x"),
    ("email", "H\u0331@x", "\u1e96@x"),
    ("email", "a\u200b@x", "a\u200b@x"),
    ("email", "@x", None),
    ("email", "a@", None),
    ("email", "a", None),
    ("email", "a@b@c", None),
    ("email", "a b@c", None),
    ("email", "a\u00a0b@c", None),
    ("email", "a\u3000@c", None),
    ("email", "a@" + "b" * 126, "a@" + "b" * 126),
    ("email", "a@" + "b" * 127, None),
    ("phone", " +49 151-1234 5678", "+4915112345678"),
    ("phone", "+1234567", "+1234567"),
    ("phone", "+123456", None),
    ("phone", "+1234567890123456", None),
    ("phone", "00491511234567", None),
    ("phone", "+49\u0661511234567", None),
    ("phone", "+49\u20111511234567", None),
    ("phone", "+49\u00a01511234567", None),
    ("opaque", " 42 ", "42"),
    ("opaque", "Account Nr. 7", "Account Nr. 7"),
    ("opaque", "\ue000", "\ue000"),
    ("opaque", LONG, LONG),
    ("opaque", LONG + "x", None),
    ("opaque", "", None),
    ("opaque", " \t\r\n", None),
    ("opaque", "a\u0000b", None),
    ("opaque", "a\nb", None),
    ("opaque", "a\u0085", None),
    ("opaque", "\u0378", None),
    ("opaque", "\U0001fae8", "\U0001fae8"),
    ("opaque", "\U0001f6d8", None),
    ("opaque", "\ud800", None),
    ("opaque", "a\ufffe", None),
    ("opaque", "\u212b", "\u00c5"),
    ("opaque", "ﬁ", "ﬁ"),
    ("opaque", "a\u202eb", None),
    ("email", "\u2066a\u2069@x", None),
    ("opaque", "a\u200eb", None),
    ("opaque", "a\u061cb", None),
    ("opaque", "a\u00a0\u200d\u2800b", "a\u00a0\u200d\u2800b"),
    ("opaque", "a  b", "a  b"),
]

NAMES: list[tuple[str, str | None]] = [
    (" Northwind Exchange\n", "Northwind Exchange"),
    ("Caf\u0065\u0301", "Caf\u00e9"),
    ("\u53d6\u5f15\u6240", "\u53d6\u5f15\u6240"),
    ("\u05d1\u05d5\u05e8\u05e1\u05d4", "\u05d1\u05d5\u05e8\u05e1\u05d4"),
    ("\u041a\u0440\u0430\u043a\u0435\u043d", "\u041a\u0440\u0430\u043a\u0435\u043d"),
    ("\U0001f419", "\U0001f419"),
    ("b" * 64, "b" * 64),
    ("b" * 65, None),
    ("", None),
    ("a\nb", None),
    ("\u0378", None),
    ("\u202enekarK\u202c", None),
    ("\u2067Kraken", None),
    ("Kra\u200bken", None),
    ("Kraken\u00ad", None),
    ("Kraken\u2060", None),
    ("Kra\u034fken", None),
    ("Kraken\ufe0f", None),
    ("Kraken\ufffc", None),
    ("\U00016fe4\U0001d159", None),
    ("\U00013441\U00013442", None),
    ("\u101c\u103b\u103e\u1031\u102c\u1037", "\u101c\u103b\u103e\u1031\u102c\u1037"),
    ("\u0301", None),
    ("Kraken \u0316One", None),
    ("Krake" + "\u0316" * 5 + "n", None),
    ("Krake" + "\u0316" * 4 + "n", "Krake" + "\u0316" * 4 + "n"),
    ("e\u0301" + "\u0316" * 4, "\u00e9" + "\u0316" * 4),
    ("\u0e1b\u0e31\u0e49\u0e19", "\u0e1b\u0e31\u0e49\u0e19"),
    ("Kraken\U000e0100", None),
    ("Kraken\U000e0041", None),
    ("\u3164", None),
    ("Kraken\u1160", None),
    ("Kraken\u2800", None),
    ("Kraken\u00a0Exchange", None),
    ("Kraken\u2009Exchange", None),
    ("Kraken\u3000Exchange", None),
    ("Kraken\u2028Exchange", None),
    ("Kraken  Exchange", None),
    ("Kraken\ue000", None),
    ("Kraken\ufff9", None),
]


def account_ids() -> Iterator[Vector]:
    cases = [{"type": kind, "text": text, "canonical": form} for kind, text, form in ACCOUNT_IDS]
    yield make(
        "identity/account-ids",
        "Texts and their canonical form, null where there is none.",
        "account ids",
        None,
        cases=cases,
    )


def names() -> Iterator[Vector]:
    yield make(
        "identity/names",
        "Texts and their canonical form as the name of an exchange, null where there is none.",
        "names",
        None,
        cases=[{"text": text, "canonical": form} for text, form in NAMES],
    )


P = 2**255 - 19
Y_OF_ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
WEAK_Y = [0, 1, P - 1, P, P + 1, P + 18, (y := int.from_bytes(Y_OF_ORDER_8, "little")), P - y]


def public_keys() -> Iterator[Vector]:
    key = Forger([]).public_key
    text = key_text(key)
    groups = bech32.convertbits(key, 8, 5)

    def encoded(data: list[int], encoding: int = bech32.Encoding.BECH32M) -> str:
        return str(bech32.bech32_encode(encoding, "assay", data))

    typed: list[tuple[str, bytes | None]] = [
        (text, key),
        (encoded(bech32.convertbits(bytes(range(32)), 8, 5)), bytes(range(32))),
        (text.upper(), None),
        (text[:-1], None),
        (text + "q", None),
        (text[:-1] + ("p" if text[-1] == "q" else "q"), None),
        (text[:10] + text[11] + text[10] + text[12:], None),
        (encoded(groups, bech32.Encoding.BECH32), None),
        (encoded([*groups[:-1], groups[-1] | 1]), None),
        (encoded(groups[:-1]), None),
        (str(bech32.bech32_encode(bech32.Encoding.BECH32M, "assaz", groups)), None),
        ("assay1:" + key.hex(), None),
        (key.hex(), None),
        ("", None),
    ]
    for sign in (0, 1):
        for number in WEAK_Y:
            typed.append((key_text((number | sign << 255).to_bytes(32, "little")), None))
    yield make(
        "identity/public-keys",
        "Texts and the key of each, null where it is none, is mistyped, or is nobody's key.",
        "keys",
        None,
        cases=[{"text": text, "key": key} for text, key in typed],
    )


def shapes() -> Iterator[Vector]:
    capacities = [1, 2, 3] + [n << k for k in range(19) for n in (4, 5, 6, 7) if n << k <= 2**20]
    cases = []
    for size in (16, 256, 4096):
        for capacity in capacities:
            if capacity * size > 2**30:
                continue
            counts = page_counts(capacity)
            pages, arguments = [], []
            for level, count in enumerate(counts):
                entries = counts[level - 1] if level else 0
                pages.append(level_length(level, count, entries, size, page_length))
                arguments.append(level_length(level, count, entries, size, argument_length))
            cases.append(
                {
                    "page_size": size,
                    "capacity": capacity,
                    "pages": counts,
                    "page_bytes": pages,
                    "argument_bytes": arguments,
                }
            )
    yield make(
        "tree/shapes",
        "Every capacity and page size: the pages of each level, and the lengths of its two files.",
        "accepted",
        None,
        cases=cases,
    )


def level_length(
    level: int, pages: int, entries: int, size: int, length: Callable[[int, int], int]
) -> int:
    """Length of a level's file of so many pages and, above level 0, entries."""
    if level == 0:
        return pages * length(0, size)
    return (pages - 1) * length(level, FAN) + length(level, entries - (pages - 1) * FAN)


def page_length(level: int, count: int) -> int:
    return 15 + (65 * count if level else LeavesShape(count).entries_length)


def argument_length(level: int, count: int) -> int:
    if level == 0:
        return LeavesShape(count).length
    shape = Shape(count, 64)
    return 33 * (shape.rows + 3 * shape.nu + 6) + 32 * (shape.columns + 4)


def vectors() -> Iterator[Vector]:
    yield from generators()
    yield from transcripts()
    yield from identities()
    yield from paths()
    yield from account_ids()
    yield from names()
    yield from public_keys()
    yield from shapes()
