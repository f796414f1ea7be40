"""Vectors of the parts: generators, transcript, leaves, account ids, shapes of trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import native
from tests.adversarial.exchange import Forger, page_counts
from tests.adversarial.forge import Shape, Transcript, commit, q
from tests.adversarial.sample import ALICE, BOB, account_key
from tests.vectors.vector import Vector, make


def generators() -> Iterator[Vector]:
    points = [{"name": "B", "index": 0, "point": bytes(native.generator(b"B", 0))}]
    points += [{"name": "Q", "index": j, "point": q(j)} for j in (0, 1, 2, 3, 31, 255)]
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


def leaves() -> Iterator[Vector]:
    forger = Forger([])
    cases = [
        (ALICE, "BTC", 0, 1),
        (ALICE, "BTC", 1, 1),
        (ALICE, "ETH", 0, 1),
        (BOB, "BTC", 0, 1),
        ("+4915112345678", "USDT", 7, 2**64 - 1),
        ("名前", "A", 2**32 - 1, 2**63),
    ]
    made = []
    for account, code, part, amount in cases:
        blinding = forger.leaf_blinding(account_key(account), account, code, part)
        made.append(
            {
                "account_id": account,
                "account_key": account_key(account),
                "asset": code,
                "part": part,
                "amount": str(amount),
                "blinding": blinding.to_bytes(32, "big"),
                "commitment": commit(amount, blinding),
            }
        )
    yield make(
        "commitment/leaves",
        "Context, blinding factors and commitments of leaves.",
        "accepted",
        None,
        public_key=forger.public_key,
        exchange=forger.exchange,
        snapshot_id=forger.snapshot_id,
        time=forger.time,
        context=forger.context,
        leaves=made,
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
]


def account_ids() -> Iterator[Vector]:
    cases = [{"type": kind, "text": text, "canonical": form} for kind, text, form in ACCOUNT_IDS]
    yield make(
        "commitment/account-ids",
        "Texts and their canonical form, null where there is none.",
        "account ids",
        None,
        cases=cases,
    )


def shapes() -> Iterator[Vector]:
    capacities = [1, 2, 3] + [n << k for k in range(19) for n in (4, 5, 6, 7) if n << k <= 2**20]
    cases = []
    for size in (16, 256, 1024):
        for capacity in capacities:
            counts = page_counts(capacity, size)
            below = [capacity * size, *counts[:-1]]
            lengths = [
                file_length(level, *pair, size)
                for level, pair in enumerate(zip(counts, below, strict=True))
            ]
            cases.append(
                {"page_size": size, "capacity": capacity, "pages": counts, "bytes": lengths}
            )
    yield make(
        "tree/shapes",
        "Every capacity and page size: of each level the number of pages and the file's length.",
        "accepted",
        None,
        cases=cases,
    )


def file_length(level: int, pages: int, entries: int, size: int) -> int:
    """Length of a level's file of so many pages and entries."""

    def page(count: int) -> int:
        return 15 + count * (65 if level else 33) + argument_length(count, 64)

    return (pages - 1) * page(size) + page(entries - (pages - 1) * size)


def argument_length(m: int, b: int) -> int:
    shape = Shape(m, b)
    return 33 * (shape.rows + 3 * shape.nu + 6) + 32 * (shape.columns + 4)


def vectors() -> Iterator[Vector]:
    yield from generators()
    yield from transcripts()
    yield from leaves()
    yield from account_ids()
    yield from shapes()
